"""One item: read when it is opened, explained in sums that add up, and wishes that can be taken back."""

import re
from datetime import timedelta

import pytest

from attention_filter.server.pages import images
from attention_filter.server.preferences import Preferences, keep_preferences
from attention_filter.sources.clean import make_entry
from attention_filter.types import Entry, Sign

HTMX = {"HX-Request": "true"}
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 50


@pytest.fixture
def taught(stocked, clock):
    """Rust liked, solar disliked, one interest."""
    stocked.add_interest("rust compiler")
    clock.now += timedelta(seconds=1)
    stocked.act([1, 2], Sign.LIKE)
    clock.now += timedelta(seconds=1)
    stocked.act([11, 12], Sign.DISLIKE)
    clock.now += timedelta(seconds=1)
    return stocked


def with_entry(mine, clock, **parts):
    source = mine.store.sources()[0].id
    (id_,) = mine.store.add_entries(source, [Entry("own", "Own title", **parts)], clock()).new
    mine.understand()
    return id_


def test_blocks_that_the_source_repeats_are_closed_and_nothing_is_lost(browser, stocked, clock):
    source = stocked.store.sources()[0].id
    footer = "<div><p>Our paper is printed in Bergen.</p><p>Support us from five dollars.</p></div>"
    texts = {
        "A sloth swims": "It crossed a river in Peru.",
        "Two violins meet": "They were made of one tree.",
        "Snow on the pier": "Nobody had brought boots.",
        "Five lamps went out": "A moth was to blame.",
    }
    entries = [
        make_entry(guid=text, title=f"{text}!", url=None, html=f"<p>{said}</p>{footer}", now=clock())
        for text, said in texts.items()
    ]
    ids = stocked.store.add_entries(source, entries, clock()).new
    stocked.understand()
    page = browser.get(f"/item/{ids[0]}").text
    closed = '<details class="repeated"><summary>Repeated in the items of this source</summary>'
    assert f"<p>It crossed a river in Peru.</p>{closed}{footer}</details>" in page
    chinese = browser.get(f"/item/{ids[0]}", headers={"Accept-Language": "zh"}).text
    assert "<summary>此来源的各条内容中反复出现</summary>" in chinese


def test_opening_marks_read_and_never_overwrites_a_like_or_a_save(browser, taught):
    taught.act([4], Sign.SAVE)
    for item in (1, 3, 4, 3):
        assert browser.get(f"/item/{item}").status_code == 200
    acts = taught.store.acts()
    assert (acts[1], acts[3], acts[4]) == (Sign.LIKE, Sign.READ, Sign.SAVE)
    assert len(taught.store.acts_on([3])) == 1


def test_what_was_skipped_is_read_once_it_is_opened(browser, taught, clock):
    taught.act([5], Sign.SKIP)
    clock.now += timedelta(seconds=1)
    browser.get("/item/5")
    assert taught.store.acts()[5] is Sign.READ


def test_nothing_is_marked_when_the_reader_does_not_want_it_or_a_browser_looks_ahead(browser, taught):
    browser.get("/item/3", headers={"Sec-Purpose": "prefetch;prerender"})
    keep_preferences(taught.store, Preferences(open_marks_read=False))
    browser.get("/item/4")
    assert not {3, 4} & set(taught.store.acts())


def test_an_item_that_is_not_there_is_told_so(browser, taught):
    for path in ("/item/999", "/item/999/why"):
        answer = browser.get(path)
        assert answer.status_code == 404
        assert "no such item" in answer.text


def test_the_shown_numbers_add_up_to_the_shown_score(browser, taught):
    page = browser.get("/item/3/why", headers=HTMX).text
    score = float(re.search(r"score ([+-]\d+\.\d+)", page)[1])
    tables = re.findall(r'<table class="sum">.*?</table>', page, re.S)
    for table in tables[:2]:
        *parts, total = (float(value) for value in re.findall(r'<td class="number">([+-][\d.]+)', table))
        assert round(sum(parts), 2) == total == score
    assert len(tables) == 3


def test_opening_an_item_does_not_make_it_its_own_reason(browser, taught):
    before = re.search(r"score ([+-]\d+\.\d+)", browser.get("/item/3/why").text)[1]
    browser.get("/item/3")
    after = browser.get("/item/3/why").text
    assert re.search(r"score ([+-]\d+\.\d+)", after)[1] == before
    assert "you read “" not in after


def test_why_marks_the_words_and_works_as_a_page_of_its_own(browser, taught):
    part, page = browser.get("/item/3/why", headers=HTMX).text, browser.get("/item/3/why").text
    assert re.search(r'hx-swap-oob="innerHTML:#text".*<mark class="for-\d">', part, re.S)
    assert "<html" in page
    assert 'class="for-' in page
    assert "Your interests" in page
    assert "What would change this" in page


def test_the_panel_speaks_chinese(browser, taught):
    page = browser.get("/item/3/why", headers={"Accept-Language": "zh"}).text
    assert "它为什么在这里" in page
    assert "怎样会不同" in page
    assert "你喜欢了“" in page
    assert "without" not in page.lower()


def test_next_and_previous_follow_the_list(browser, taught):
    listing = browser.get("/all").text
    name = re.search(r'data-list="(\w+)"', listing)[1]
    ids = [int(id_) for id_ in re.findall(r'id="item-(\d+)"', listing)]
    page = browser.get(f"/item/{ids[1]}?list={name}").text
    assert f'rel="prev" href="/item/{ids[0]}?list={name}"' in page
    assert f'rel="next" href="/item/{ids[2]}?list={name}"' in page
    assert f'href="/all?list={name}&amp;upto=2#item-{ids[1]}"' in page
    assert 'rel="next"' not in browser.get(f"/item/{ids[1]}?list=gone").text


# Safe to read


def test_stored_markup_is_sanitised_once_more(browser, taught, clock):
    hostile = '<p onclick="x()">Hi<script>alert(1)</script><a href="javascript:x()">l</a><iframe src=x></iframe></p>'
    id_ = with_entry(taught, clock, html=hostile, text="Hi l")
    for path in (f"/item/{id_}", f"/item/{id_}/why"):
        page = browser.get(path).text
        assert "onclick" not in page
        assert "javascript:" not in page
        assert "alert(1)" not in page
        assert "<iframe" not in page


def test_links_open_apart_and_tell_nobody_where_from(browser, taught, clock):
    id_ = with_entry(taught, clock, html='<p><a href="https://e.org/x">go</a></p>', text="go")
    assert 'rel="noopener noreferrer nofollow" target="_blank"' in browser.get(f"/item/{id_}").text


def test_pictures_are_off_until_asked_for_and_then_come_through_this_server(browser, taught, clock):
    id_ = with_entry(taught, clock, html='<p>a<img src="https://pic.example/a.png" alt="A"></p>', text="a")
    off, on = browser.get(f"/item/{id_}").text, browser.get(f"/item/{id_}?images=1").text
    assert "pic.example" not in off
    assert "1 picture is not shown" in off
    assert re.search(r'<img alt="A" src="/image\?u=https%3A%2F%2Fpic.example%2Fa.png&amp;s=[0-9a-f]{32}"', on)
    assert 'src="https://pic' not in on


def test_only_signed_raster_pictures_are_served(browser, taught, monkeypatch):
    fetched = {"https://pic.example/a.png": PNG, "https://pic.example/b.svg": b"<svg onload='x()'/>"}
    monkeypatch.setattr(images, "_fetch", lambda url, settings: fetched[url])
    good = browser.get(images.address(taught, "https://pic.example/a.png"))
    assert (good.status_code, good.headers["content-type"], good.content) == (200, "image/png", PNG)
    assert "sandbox" in good.headers["content-security-policy"]
    assert browser.get(images.address(taught, "https://pic.example/b.svg")).status_code == 415
    for forged in ("/image?u=https://pic.example/a.png&s=0", "/image?u=https://pic.example/a.png", "/image"):
        assert browser.get(forged).status_code == 404


def test_a_picture_on_a_private_network_is_refused(browser, app, taught):
    app.state.site.settings = app.state.site.settings.model_copy(update={"private_hosts": ("127.0.0.1",)})
    answer = browser.get(images.address(taught, "http://127.0.0.1:8765/a.png"))
    assert answer.status_code == 502
    assert "not a public address" in answer.text


def test_a_signature_is_one_readers_own(app, taught):
    url = "https://pic.example/a.png"
    assert images.address(taught, url) != images.address(app.state.site.filter("bob"), url)


# More or less like this


@pytest.mark.parametrize(
    ("wish", "rule"),
    [
        ({"what": "source", "how": "more"}, "boost +1: source Rust Weekly"),
        ({"what": "word", "how": "less", "value": "borrow"}, "boost -1: words borrow"),
        ({"what": "author", "how": "more", "value": "Ann"}, "boost +1: author Ann"),
    ],
)
def test_a_wish_makes_a_rule_and_undo_removes_it(browser, taught, wish, rule):
    done = browser.post("/item/3/wish", data=wish, headers=HTMX)
    assert [str(one) for one in taught.rules()] == [rule]
    undo = dict(re.findall(r'name="(rule)" value="(\d+)"', done.text))
    assert "Taken back" in browser.post("/wish/undo", data=undo, headers=HTMX).text
    assert taught.rules() == []


def test_more_and_less_of_an_interest_change_its_weight_and_undo_restores_it(browser, taught):
    (interest,) = taught.interests()
    done = browser.post("/item/3/wish", data={"what": "interest", "how": "less", "value": interest.id}, headers=HTMX)
    assert taught.interests()[0].weight == pytest.approx(1 / 1.5)
    undo = dict(re.findall(r'name="(interest|weight)" value="([\d.]+)"', done.text))
    browser.post("/wish/undo", data=undo)
    assert taught.interests()[0].weight == 1.0


def test_an_item_can_be_made_an_interest_and_its_source_muted(browser, taught):
    browser.post("/item/13/wish", data={"what": "interest", "how": "add", "value": "solar power"})
    assert taught.interests()[-1].text == "solar power"
    browser.post("/item/13/wish", data={"what": "source", "how": "mute"})
    assert [one.muted for one in taught.store.sources()] == [False, True]
    browser.post("/wish/undo", data={"source": taught.item(13).source})
    assert not any(one.muted for one in taught.store.sources())


def test_a_wish_that_cannot_be_is_told_so(browser, taught):
    answer = browser.post("/item/3/wish", data={"what": "interest", "how": "more", "value": "77"})
    assert answer.status_code == 404
    assert "no such interest" in answer.text
