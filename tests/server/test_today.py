"""The front page: a page with an end, that stays as it was made."""

import re
from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter import standing
from attention_filter.server import daily
from attention_filter.server.work import ask
from attention_filter.types import Entry, Sign, SourceKind

HTMX = {"HX-Request": "true"}


def page_of(answer):
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def rows(page):
    return [int(one.attributes["id"].removeprefix("item-")) for one in page.css("#items .item")]


def end(page):
    return " ".join(page.css_first("#end").text().split())


@pytest.fixture
def reading(stocked):
    """Somebody who follows two feeds and said what they care about."""
    stocked.add_interest("rust compiler")
    return stocked


def test_the_page_ends_and_says_what_else_there_is(browser, reading):
    page = page_of(browser.get("/"))
    assert page.css_first("h1").text() == "Today"
    found = rows(page)
    assert len(found) >= 10
    assert page.css_first("#sofar .figure").text() == f"0 of {len(found)}"
    assert re.search(r"\d+ more waits? in All|Nothing more waits in All", end(page))
    for row in page.css("#items .item"):
        assert row.css_first(".why-here a").text().startswith(("Because you follow", "New from"))


def test_what_is_done_stays_in_its_place_and_is_counted(browser, reading):
    before = rows(page_of(browser.get("/")))
    reading.act([before[1]], Sign.LIKE)
    standing.refresh(reading.store, reading.settings, reading.clock())
    page = page_of(browser.get("/"))
    assert rows(page) == before
    done = [row.attributes["id"] for row in page.css("#items .item") if "data-was-done" in row.attributes]
    assert done == [f"item-{before[1]}"]
    assert page.css_first("#sofar .figure").text() == f"1 of {len(before)}"
    part = browser.get(page.css_first("#end").attributes["hx-get"], headers=HTMX).text
    assert f"{len(before) - 1} stories left to look at" in part
    assert 'id="sofar" hx-swap-oob' in part
    reading.act(before, Sign.READ)
    assert "You are done." in end(page_of(browser.get("/")))


def test_new_items_wait_until_they_are_asked_for(browser, reading, clock):
    before = rows(page_of(browser.get("/")))
    source = reading.store.sources()[0].id
    said = ("rust compiler", "compiler crate", "rust borrow")
    new = [Entry(f"new{n}", f"{said[n]} news {n}", text=f"{said[n]} " * 5, lang="en") for n in range(3)]
    clock.go(minutes=1)
    added = reading.store.add_entries(source, new, clock()).new
    reading.understand()
    site_rank(browser, reading)
    page = page_of(browser.get("/"))
    assert rows(page) == before
    assert re.search(r"[123] new since: add the best", end(page))
    answer = browser.post("/today/more", follow_redirects=False)
    assert answer.headers["location"] == f"/#place-{len(before) + 1}"
    page = page_of(browser.get("/"))
    assert rows(page)[: len(before)] == before
    assert set(rows(page)) & set(added)
    assert "new since" not in end(page)


def site_rank(browser, mine):
    browser.app.state.site.rank(mine.store)


def test_a_page_of_what_was_known_by_its_title_is_made_anew_until_it_is_begun(browser, mine, clock):
    source = mine.store.add_source("https://a.example/feed", SourceKind.FEED, title="A", now=clock()).id
    mine.add_interest("rust compiler")
    words = ("rust", "solar", "football", "opera", "tax")
    entries = [
        Entry(
            f"g{n}",
            f"Story {n}",
            text=f"{words[n % 5]} thing{n} place{n}",
            published=clock() - timedelta(hours=n),
            lang="en",
        )
        for n in range(40)
    ]
    mine.store.add_entries(source, entries, clock())
    mine.skim()
    site_rank(browser, mine)
    first = page_of(browser.get("/"))
    assert daily.shown(mine.store).early
    clock.go(seconds=30)
    mine.understand()
    site_rank(browser, mine)
    assert not daily.shown(mine.store).early
    told = browser.get(first.css_first("#end").attributes["hx-get"], headers=HTMX).text
    assert "Your page is ready anew: show" in told, "but not under the reader's eyes"
    second = page_of(browser.get("/"))
    assert rows(second) != rows(first)
    clock.go(seconds=30)
    site_rank(browser, mine)
    assert rows(page_of(browser.get("/"))) == rows(second), "from now on it stays"


def test_a_copy_of_what_was_read_counts_as_done(browser, reading, clock):
    source = reading.store.add_source("https://c.example/feed", SourceKind.FEED, title="Copies", now=clock()).id
    text = "The rust compiler learned to borrow crates across the whole registry, its makers said on Friday."
    (copy,) = reading.store.add_entries(
        source, [Entry("c", "Rust compiler borrows all", text=text, lang="en")], clock()
    ).new
    other = reading.store.sources()[0].id
    (lead,) = reading.store.add_entries(
        other, [Entry("d", "Rust compiler borrows all", text=text, lang="en")], clock()
    ).new
    reading.understand()
    on_page = set(rows(page_of(browser.get("/")))) & {copy, lead}
    assert len(on_page) == 1, "a story has one place"
    (shown,) = on_page
    reading.act([copy if shown == lead else lead], Sign.LIKE)
    site_rank(browser, reading)
    row = page_of(browser.get("/")).css_first(f"#item-{shown}")
    assert "data-was-done" in row.attributes
    assert "you know it from a copy" in row.text()


def test_the_same_chance_and_level_stand_on_every_page(browser, reading):
    for id_ in rows(page_of(browser.get("/")))[:5]:
        reading.act([id_], Sign.LIKE)
    site_rank(browser, reading)
    today_ = page_of(browser.get("/"))
    told = {row.attributes["id"]: row.css_first(".level") for row in today_.css("#items .item")}
    told = {id_: " ".join(found.text().split()) for id_, found in told.items() if found}
    assert len(told) > 3
    all_ = page_of(browser.get("/all?show=all"))
    for row in all_.css("#items .item"):
        if row.attributes["id"] in told:
            assert " ".join(row.css_first(".level").text().split()) == told[row.attributes["id"]]
    for id_, said in list(told.items())[:3]:
        item = id_.removeprefix("item-")
        ranked = reading.rank([int(item)])[0]
        level, share = said.rsplit(" ", 1)[0], said.split()[-2]
        assert f"{round(100 * ranked.probability)}" == share
        panel = " ".join(page_of(browser.get(f"/item/{item}/why")).text().split())
        assert f"{level.rsplit(' ', 1)[0]}: you want it with a chance of {share} %" in panel


def test_old_addresses_of_the_stream_lead_to_all(browser, reading):
    answer = browser.get("/?lane=rest&source=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/all?lane=rest&source=1")


def test_an_empty_page_says_why(browser, mine, clock):
    browser.post("/welcome/skip")
    assert "Nothing to read yet." in end(page_of(browser.get("/")))
    source = mine.store.add_source("https://a.example/feed", SourceKind.FEED, title="A", now=clock()).id
    mine.store.add_entries(source, [Entry("a", "Only one", text="about bees")], clock())
    mine.understand()
    page = page_of(browser.get("/"))
    assert "You have not said yet what you care about" in page.css_first("main").text()
    assert len(rows(page)) == 1


def test_of_a_large_stream_the_worker_makes_the_page(browser, reading, worker, monkeypatch):
    monkeypatch.setattr("attention_filter.server.site.SOON", 5)
    here = browser.app.state.site
    standing.refresh(reading.store, reading.settings, reading.clock())
    monkeypatch.setattr(
        here, "leave_page", lambda store: ask(store, "rank", "me", reading.clock(), payload={"anew": True})
    )
    page = page_of(browser.get("/"))
    assert "Your page is being made" in end(page)
    while worker.run_one():
        pass
    answer = browser.get(page.css_first("#end").attributes["hx-get"], headers=HTMX)
    assert answer.headers["HX-Refresh"] == "true"
    assert len(rows(page_of(browser.get("/")))) >= 5


def test_the_budget_is_the_readers(browser, reading):
    assert len(rows(page_of(browser.get("/")))) > 5
    fields = {"today_stories": "5", "today_minutes": "", "exploration": "0", "variety": "0", "half_life_days": "3"}
    assert browser.post("/settings", data=fields, follow_redirects=False).status_code == 303
    assert len(rows(page_of(browser.get("/")))) == 5
    settings = page_of(browser.get("/settings"))
    assert settings.css_first("#today_stories").attributes["value"] == "5"
