import sqlite3

import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter import standing
from attention_filter.server.preferences import Preferences, keep_preferences, preferences
from attention_filter.server.work import ask

FORM = {
    "language": "zh",
    "theme": "dark",
    "order": "time",
    "exploration": "0.4",
    "variety": "0,25",
    "half_life_days": "5",
    "age_limit": "30",
}


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def test_settings_are_kept_and_the_filter_honours_them(browser, mine, app):
    page = page_of(browser.post("/settings", data=FORM))
    assert (page.css_first("html").attributes["lang"], page.css_first("html").attributes["data-theme"]) == (
        "zh",
        "dark",
    )
    kept = preferences(mine.store)
    assert (kept.order, kept.open_marks_read, kept.images) == ("time", False, False)
    tuned = app.state.site.filter("me").settings
    assert (tuned.exploration, tuned.variety, tuned.half_life_days) == (0.4, 0.25, 5.0)
    assert app.state.site.filter("other").settings.variety == 0.0, "each reader has their own"
    assert mine.store.age_limit() == 30


@pytest.mark.parametrize("wrong", [{"variety": "much"}, {"age_limit": "-3"}, {"half_life_days": "1 week"}])
def test_a_setting_that_makes_no_sense_is_refused_and_nothing_changes(browser, mine, wrong):
    before = preferences(mine.store)
    assert page_of(browser.post("/settings", data=FORM | wrong), 422).css_first(".problem").text()
    assert preferences(mine.store) == before


def test_numbers_out_of_bounds_are_brought_within_them(mine):
    keep_preferences(mine.store, Preferences(exploration=7.0, variety=-1.0, half_life_days=float("nan")))
    kept = preferences(mine.store)
    assert (kept.exploration, kept.variety, kept.half_life_days) == (1.0, 0.0, None)


def test_the_sliders_say_what_they_would_do(browser, stocked):
    stocked.add_interest("rust compiler")
    bold = browser.get("/settings/effect", params={"exploration": 1, "variety": 1}).text
    assert 'id="effect"' in bold
    assert "Of your first ten items" in bold
    same = browser.get("/settings/effect", params={"exploration": 0, "variety": 0}).text
    assert "Of your first ten items 0" in same


def test_the_owner_downloads_a_backup_that_is_a_whole_database(browser, stocked, tmp_path):
    given = browser.post("/settings/backup")
    assert "attention-2026-11-22.db" in given.headers["content-disposition"]
    path = tmp_path / "copy.db"
    path.write_bytes(given.content)
    with sqlite3.connect(path) as copy:
        assert copy.execute("SELECT count(*) FROM items").fetchone() == (20,)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nobody_but_the_owner_gets_a_backup(browser, stocked, app, clock):
    accounts = stocked.store.accounts
    ann = accounts.create("Ann", None, now=clock(), adopt="me")
    invitation = accounts.make_secret(ann.reader, "invitation", "for Bob", now=clock())
    guest = accounts.create("Bob", None, now=clock(), invitation=invitation)
    browser.cookies.set("attention-session", accounts.start_session(guest.id, clock()))
    assert browser.post("/settings/backup").status_code == 403
    assert "backup" not in browser.get("/settings").text


def test_the_worker_ranks_as_the_sliders_say(browser, stocked, worker, app, clock):
    keep_preferences(stocked.store, Preferences(exploration=0.5, variety=0.5, half_life_days=1.0))
    here = app.state.site
    asked = []
    here.shelf.renew = asked.append
    here.shelf.look(stocked.store)
    assert asked, "there is no ranking yet"
    ask(stocked.store, "rank", "me", clock())
    assert worker.run_one().kind == "rank"
    asked.clear()
    made = here.shelf.look(stocked.store)
    assert not asked, "what the worker made is what the page wants"
    assert made.head.stamp == standing.stamp_of(
        stocked.store.basis(standing.DEPENDS_ON), here.filter("me").settings, variety=0.5
    )
