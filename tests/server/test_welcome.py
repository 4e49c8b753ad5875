import json

import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter import standing
from attention_filter.server.pages.welcome import starter_set
from attention_filter.types import Entry


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def where(answer):
    assert answer.status_code == 303
    return answer.headers["location"]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "notes"
    path.mkdir()
    for n in range(12):
        (path / f"note{n}.txt").write_text(f"Note {n}\n\nThe rust compiler and crate number {n}.")
    return path


def test_a_new_reader_is_led_here_and_one_who_skipped_is_not(browser, mine):
    assert page_of(browser.get("/")).css_first("h1").text() == "What deserves your attention?"
    assert where(browser.post("/welcome/skip", follow_redirects=False)) == "/"
    assert page_of(browser.get("/")).css_first("h1").text() == "Today"


def test_the_first_run_goes_from_interests_to_sources_to_ranked_items(browser, mine, worker, folder, clock):
    browser.post("/welcome/interests", data={"said": ["the rust compiler", "  ", "太阳能电池"]})
    assert [one.text for one in mine.interests()] == ["the rust compiler", "太阳能电池"]
    assert where(browser.get("/welcome", follow_redirects=False)) == "/welcome/sources"
    assert (
        where(browser.post("/welcome/sources", data={"address": str(folder)}, follow_redirects=False))
        == "/welcome/reading"
    )
    waiting = page_of(browser.get("/welcome/reading"))
    assert "Waiting for its turn" in waiting.css_first("#first").text()
    assert waiting.css_first("#first").attributes["hx-get"] == "/welcome/reading"
    for _ in range(2):
        while worker.run_one():
            pass
        clock.go(seconds=10)
    assert len(standing.kept(mine.store)) == 12, "and the stream has its ranking"
    page = page_of(browser.get("/welcome/reading"))
    assert len(page.css(".item")) == 8
    assert "12 items are ranked for you" in page.css_first("#first").text()
    assert where(browser.get("/welcome", follow_redirects=False)) == "/welcome/reading", "coming back goes on"


def test_the_first_list_stays_while_the_rest_is_still_being_read(browser, stocked, clock):
    jobs = stocked.store.jobs
    browser.post("/sources/read")
    jobs.renew(jobs.claim(["fetch"], clock()), clock(), 8, 40, "Reading sources")
    empty = page_of(browser.get("/welcome/reading"))
    assert empty.css_first("#first").attributes["hx-trigger"].startswith("ranked")
    assert empty.css_first("noscript"), "without JavaScript the page comes anew"
    standing.refresh(stocked.store, stocked.settings, clock())
    page = page_of(browser.get("/welcome/reading"))
    assert len(page.css(".item")) == 8
    assert "hx-get" not in page.css_first("#first").attributes
    assert not page.css_first("noscript"), "there is a list: it stays"
    asks = page.css_first("#first-work").attributes["hx-get"]
    part = browser.get(asks, headers={"HX-Request": "true"})
    assert "Reading sources 8/40" in " ".join(LexborHTMLParser(part.text).text().split())
    assert 'class="item"' not in part.text


def test_what_came_after_the_first_list_is_counted_and_shown_at_a_press(browser, stocked, clock):
    standing.refresh(stocked.store, stocked.settings, clock())
    page = page_of(browser.get("/welcome/reading"))
    fresh = page.css_first("#fresh")
    assert not fresh.text().strip()
    source = stocked.store.sources()[0].id
    said = ("rust", "borrow", "crate")
    entries = [Entry(word, f"News: {word}", text=f"{word} " * 9, lang="en", published=clock.now) for word in said]
    stocked.store.add_entries(source, entries, clock())
    clock.go(seconds=10)
    standing.refresh(stocked.store, stocked.settings, clock())
    told = page_of(browser.get(fresh.attributes["hx-get"], headers={"HX-Request": "true"}))
    assert told.css_first("a").attributes["href"] == "/welcome/reading"
    pressed = page_of(browser.get("/welcome/reading"))
    new = [one.text() for one in pressed.css(".item h2") if "News:" in one.text()]
    assert new
    assert told.css_first("a").text() == f"{len(new)} new above: show"
    assert browser.get("/welcome/fresh?list=gone").status_code == 204


def test_an_example_fills_a_line_and_keeps_what_was_typed(browser, mine):
    page = page_of(browser.post("/welcome/interests", data={"said": ["my own"], "example": "好读的历史故事"}))
    assert [i.attributes["value"] for i in page.css("input[name=said]")][:2] == ["my own", "好读的历史故事"]
    assert not mine.interests()


def test_coming_back_to_the_interests_lets_one_change_them(browser, mine):
    browser.post("/welcome/interests", data={"said": ["one", "two"]})
    page = page_of(browser.get("/welcome/interests"))
    assert [i.attributes["value"] for i in page.css("input[name=said]")] == ["one", "two", ""]
    mine.add_interest("never this", -1.0)
    browser.post("/welcome/interests", data={"said": ["two", "three"]})
    assert [one.text for one in mine.interests()] == ["two", "never this", "three"]


def test_nothing_said_and_nothing_chosen_is_told(browser, mine):
    assert page_of(browser.post("/welcome/interests", data={}), 422).css_first(".problem")
    assert page_of(browser.post("/welcome/sources", data={}), 422).css_first(".problem")


def test_only_what_is_in_the_starter_set_can_be_ticked(browser, mine):
    feed = starter_set()[0].feeds[0]
    browser.post("/welcome/sources", data={"chosen": [feed.url, "http://127.0.0.1/other"], "more": "1"})
    assert [(one.url, one.folder) for one in mine.store.sources()] == [(feed.url, "News")]
    assert mine.store.sources()[0].last_fetched is None, "and nothing was fetched yet"


def test_the_starter_set_is_well_made():
    feeds = [feed for theme in starter_set() for feed in theme.feeds]
    assert {theme.lang for theme in starter_set()} == {"en", "zh"}
    assert len({feed.url for feed in feeds}) == len(feeds) >= 30
    assert all(feed.url.startswith("https://") and feed.title and feed.about for feed in feeds)


def test_lists_and_profiles_are_brought_along(browser, mine):
    opml = b'<opml><body><outline text="A" xmlUrl="http://127.0.0.1:1/f"/></body></opml>'
    assert "1 feed is followed" in browser.post("/welcome/import", files={"file": ("a.opml", opml)}).text
    profile = json.dumps({"attention_filter_profile": 1, "interests": [{"text": "bees"}], "feedback": [
        {"source": "http://x.example", "guid": "1", "sign": "like", "at": "2026-01-01T00:00:00Z"}]})  # fmt: skip
    page = page_of(browser.post("/welcome/import", files={"file": ("me.json", profile)}))
    assert "1 interests, 0 rules. 1 acts are about items that are not here yet" in page.css_first(".note").text()
    assert page_of(browser.post("/welcome/import", files={"file": ("x", b"what?")}), 422).css_first(".problem")
