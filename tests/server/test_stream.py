"""The stream as a browser sees it: lanes, choices, a list that keeps its place, acts and undo."""

import re
from datetime import timedelta
from urllib.parse import unquote

import numpy as np
import pytest

from attention_filter.server.lanes import SIZE, Choice, Done, Lists, address, choice_of, done_with
from attention_filter.types import Entry, Feedback, Rule, RuleAction, Sign, SourceKind

HTMX = {"HX-Request": "true"}


def rows(page):
    return [int(id_) for id_ in re.findall(r'<li class="item" id="item-(\d+)"', page.text)]


def link(page, label):
    """The address of the first link whose text begins so."""
    (found, *_) = re.findall(rf'<a[^>]*href="([^"]*)"[^>]*>\s*(?:<span>)?{label}', page.text)
    return found.replace("&amp;", "&")


@pytest.fixture
def many(mine, clock):
    """A filter with 70 items of two languages, an interest and no act."""
    source = mine.store.add_source(
        "https://a.example/feed", SourceKind.FEED, title="Alpha", folder="News/Daily", now=clock()
    )
    said = ("rust compiler crate", "solar battery grid", "football goal match", "足球 比赛")
    entries = [
        Entry(
            f"g{n}", f"{said[n % 4]} number{n} thing{n} place{n}", text=f"{said[n % 4]} {n} word{n} other{n}",
            lang="zh" if n % 4 == 3 else "en", published=clock() - timedelta(hours=n),
        )
        for n in range(70)
    ]  # fmt: skip
    mine.store.add_entries(source.id, entries, clock())
    mine.understand()
    mine.add_interest("rust compiler")
    return mine


def test_more_never_repeats_or_loses_an_item_whatever_is_done_in_between(browser, many):
    page = browser.get("/all")
    there = int(re.search(r'For you <span class="figure soft">(\d+)', page.text)[1])
    seen = rows(page)
    while 'class="button more"' in page.text:
        browser.post(f"/item/{seen[-1]}/act", data={"sign": "like"})
        page = browser.get(link(page, r"\d+ more"))
        seen += rows(page)
    assert len(seen) == len(set(seen)) == there > SIZE


def test_a_kept_list_keeps_its_order_and_shows_as_far_as_was_read(browser, many):
    first = browser.get("/all")
    name = re.search(r'data-list="(\w+)"', first.text)[1]
    browser.post(f"/item/{rows(first)[5]}/act", data={"sign": "dislike"})
    again = browser.get(f"/all?list={name}&upto=30")
    assert rows(again)[:SIZE] == rows(first)
    assert len(rows(again)) == 30
    assert rows(first)[5] not in rows(browser.get("/all"))


def test_the_turn_of_a_page_is_rows_only_for_htmx(browser, many):
    page = browser.get("/all")
    part = browser.get(link(page, r"\d+ more"), headers=HTMX)
    assert part.text.lstrip().startswith("<li")
    assert "<html" not in part.text
    assert not set(rows(part)) & set(rows(page))


def test_time_orders_by_age_and_the_address_says_so(browser, many):
    page = browser.get("/all?order=time&show=all")
    ages = [one.published for one in (item.entry for item in many.store.items(rows(page)))]
    assert ages == sorted(ages, reverse=True)
    assert 'href="/all?show=all"' in page.text  # best first again, with the rest of the choice kept


def test_choices_narrow_the_list_and_count_what_they_leave(browser, many):
    found = browser.get("/all?lang=zh&show=all")
    assert {one.entry.lang for one in many.store.items(rows(found))} == {"zh"}
    (interest,) = many.interests()
    claimed = browser.get(f"/all?interest={interest.id}&show=all")
    assert rows(claimed)
    assert all("rust" in one.entry.title for one in many.store.items(rows(claimed))[:3])
    assert rows(browser.get("/all?folder=News/Daily"))
    assert not rows(browser.get("/all?folder=Nowhere"))
    assert "Nothing here fits" in browser.get("/all?folder=Nowhere").text
    both = browser.get("/all?show=all")
    count = int(re.search(r"<span>Chinese</span> <span class=\"figure soft\">(\d+)", both.text)[1])
    assert count == len(rows(browser.get("/all?lang=zh&show=all&upto=70")))


def test_an_address_that_makes_no_sense_shows_the_usual_page(browser, many):
    page = browser.get("/all?lane=x&order=up&source=-1&interest=abc&start=9e9&upto=x&list=../..&show=1")
    assert page.status_code == 200
    assert rows(page)


def test_what_a_rule_blocks_is_in_neither_lane(browser, many):
    many.add_rule(Rule(0, RuleAction.BLOCK, words=("football",)))
    for lane in ("you", "rest"):
        shown = many.store.items(rows(browser.get(f"/all?lane={lane}&show=all&upto=70")))
        assert not any("football" in one.entry.title for one in shown)


def test_near_duplicates_are_folded_and_unfold_in_place(browser, many, clock):
    source = many.store.sources()[0].id
    copies = [
        Entry(f"c{n}", "Rust compiler 9 is out today", text=f"The rust compiler nine is out: {w}.")
        for n, w in enumerate(("a", "b", "c"))
    ]
    many.store.add_entries(source, copies, clock())
    many.understand()
    page = browser.get("/all?upto=80")
    assert "2 more tell it" in page.text
    told = re.search(r'<details class="story">.*?</details>', page.text, re.S)[0]
    assert told.count("Rust compiler 9 is out today") == 2


def test_a_title_of_a_source_is_never_markup(browser, many, clock):
    many.store.add_entries(
        many.store.sources()[0].id,
        [Entry("x", "<script>alert(1)</script>{title}", text="rust compiler crate")],
        clock(),
    )
    many.understand()
    (hostile,) = [one for one in many.store.items([71]) if "script" in one.entry.title]
    page = browser.get("/all?show=all&upto=80")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
    done = browser.post(f"/item/{hostile.id}/act", data={"sign": "like"}, headers=HTMX)
    assert "<script>" not in done.text
    assert "{title}" in done.text


# Acts


def test_an_act_changes_the_buttons_in_place_and_offers_undo(browser, many):
    done = browser.post("/item/3/act", data={"sign": "like"}, headers=HTMX)
    assert re.search(r'id="like-3"[^>]*aria-pressed="true"', done.text)
    assert "Liked “" in done.text
    assert 'hx-swap-oob="innerHTML:#toast"' in done.text
    acts = re.search(r'name="acts" value="([\d,]+)"', done.text)[1]
    back = browser.post("/undo", data={"acts": acts}, headers=HTMX)
    assert re.search(r'id="like-3"[^>]*aria-pressed="false"', back.text)
    assert many.store.acts() == {}


def test_without_javascript_an_act_leads_back_to_its_row(browser, many):
    answer = browser.post(
        "/item/3/act",
        data={"sign": "save"},
        headers={"Referer": "http://127.0.0.1/all?lane=rest"},
        follow_redirects=False,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/all?lane=rest#item-3")
    elsewhere = browser.post(
        "/item/3/act",
        data={"sign": "save"},
        headers={"Referer": "http://127.0.0.1//evil.example"},
        follow_redirects=False,
    )
    assert elsewhere.headers["location"] == "/#item-3"


def test_pressing_again_takes_back_and_never_uncovers_an_older_opinion(browser, many, clock):
    for sign in ("dislike", "like", "like"):
        clock.now += timedelta(seconds=1)
        last = browser.post("/item/3/act", data={"sign": sign}, headers=HTMX)
    assert many.store.acts() == {}
    assert "No longer liked" in last.text
    assert 'name="sign" value="like"' in last.text


def test_a_saved_item_stays_saved_when_it_is_liked(browser, many, clock):
    for sign in ("save", "like"):
        clock.now += timedelta(seconds=1)
        browser.post("/item/3/act", data={"sign": sign})
    assert rows(browser.get("/saved")) == [3]
    browser.post("/item/3/act", data={"sign": "save"})
    assert rows(browser.get("/saved")) == []
    assert many.store.acts() == {3: Sign.LIKE}


def test_marking_above_skips_what_was_not_opened_and_undo_takes_the_whole_batch_back(browser, many, clock):
    page = browser.get("/all")
    above = re.search(r'name="ids" value="([\d,]+)"', page.text)[1]
    liked, opened = rows(page)[:2]
    browser.post(f"/item/{liked}/act", data={"sign": "like"})
    clock.now += timedelta(seconds=1)
    browser.get(f"/item/{opened}")
    before = many.store.acts()
    clock.now += timedelta(seconds=1)
    done = browser.post("/mark", data={"ids": above}, headers=HTMX)
    assert "counted as skipped" in done.text
    acts = many.store.acts()
    assert acts[liked] is Sign.LIKE
    assert acts[opened] is Sign.READ
    assert all(acts[one] is Sign.SKIP for one in rows(page)[2:])
    browser.post("/undo")
    assert many.store.acts() == before


def test_a_list_of_ids_that_is_none_is_refused_and_nothing_is_lost(browser, many):
    refused = browser.post("/mark", data={"ids": "1,x"})
    assert refused.status_code == 404
    assert "no list of numbers" in refused.text
    assert browser.post("/mark", data={"ids": "1,99999"}).status_code == 404
    assert many.store.acts() == {}


def test_there_is_nothing_to_undo_at_first(browser, many):
    assert "nothing to take back" in browser.post("/undo", headers=HTMX).text


def test_the_page_speaks_chinese_throughout(browser, many):
    page = browser.get("/all", headers={"Accept-Language": "zh"})
    body = re.sub(r'<(?:style|script).*?</(?:style|script)>|lang="en">.*?</|<[^>]*>', " ", page.text, flags=re.S)
    left = set(re.findall(r"[A-Z][a-z]{3,}(?: [a-z]+)*", body)) - {
        "Attention",
        "Filter",
        "Alpha",
        "Enter",
        "News",
        "Daily",
    }
    assert not left


# Pure parts


def test_an_address_leaves_out_what_is_usual():
    assert address(Choice(), "rank") == "/all"
    assert address(Choice(order="time"), "time") == "/all"
    assert address(Choice(lane="saved", order="time", show="all"), "time") == "/saved"
    there = choice_of({"folder": "a&b/ä", "source": "3"}, "you", "rank")
    assert unquote(address(there, "rank")) == "/all?source=3&folder=a&b/ä"


def test_the_opinion_that_counts_is_the_latest_and_saving_is_its_own(clock):
    signs = [Sign.SAVE, Sign.LIKE, Sign.HIDE, Sign.READ]
    assert done_with(Feedback(n, 1, sign, clock()) for n, sign in enumerate(signs)) == {1: Done(Sign.HIDE, True, True)}


def test_a_list_is_found_by_its_reader_only():
    lists = Lists()
    kept = lists.keep("ann", Choice(), "s", np.array([3, 1, 2]))
    assert lists.find("ann", kept.name) is kept
    assert lists.find("bob", kept.name) is None
    assert (kept.beside(3), kept.beside(2), kept.beside(9)) == ((None, 1), (1, None), (None, None))


def test_an_address_that_no_page_makes_is_answered_with_a_page(browser):
    for answer in (browser.get("/item/abc"), browser.post("/interests/1/weigh", data={"weight": "much"})):
        assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
        assert "nothing was done" in answer.text
    assert "什么都没有做" in browser.get("/item/abc", headers={"Accept-Language": "zh"}).text


def test_a_list_stays_while_another_ranking_is_made_and_says_how_many_came(browser, many, clock):
    page = browser.get("/all?order=time")
    (asks,) = re.findall(r'id="fresh" hx-get="([^"]+)"', page.text)
    asks = asks.replace("&amp;", "&")
    assert "<a" not in browser.get(asks, headers=HTMX).text
    source = many.store.sources()[0].id
    new = [
        Entry(f"n{n}", f"{word} arrived", text=f"{word} " * 5, lang="en") for n, word in enumerate(("wind", "crate"))
    ]
    clock.go(minutes=1)
    many.store.add_entries(source, new, clock())
    browser.app.state.site.rank(many.store)
    assert "2 new above: show" in browser.get(asks, headers=HTMX).text
    assert 'href="/all?order=time"' in browser.get(asks, headers=HTMX).text
    assert browser.get("/fresh?list=gone&upto=20", headers=HTMX).status_code == 204
