"""How well do I know you, and the questions."""

import json
import re
from datetime import timedelta

import pytest

from attention_filter import insight
from attention_filter.server.work import KINDS
from attention_filter.server.worker import Worker
from attention_filter.types import Sign


@pytest.fixture
def worker(app):
    here = app.state.site
    return Worker(here.store, here.settings, here.clock, KINDS, here.encoder)


def like(mine, clock, ids):
    for item in ids:
        clock.now += timedelta(hours=1)
        mine.act([item], Sign.LIKE)


def test_with_too_little_history_the_page_says_what_is_missing_and_what_to_do(stocked, browser, clock):
    like(stocked, clock, [1, 2])
    page = browser.get("/you").text
    assert "2 items so far; it takes 5" in page
    assert 'href="/ask"' in page
    assert 'action="/you"' not in page


def test_measuring_runs_in_the_background_and_what_came_of_it_stays(stocked, browser, clock, worker):
    like(stocked, clock, [1, 2, 3, 4, 5, 6])
    assert "Waiting for its turn" in browser.post("/you", follow_redirects=True).text
    fragment = browser.get("/you", headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "every 1s" in fragment
    assert worker.run_one("learning").kind == "measure"
    page = browser.get("/you").text
    assert "<polyline" in page
    assert "measured" in page
    assert "Measure again" in page
    assert browser.get("/you", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_asking_twice_measures_once(stocked, browser, clock, app):
    like(stocked, clock, [1, 2, 3, 4, 5])
    for _ in range(3):
        browser.post("/you")
    assert [job.kind for job in app.state.site.store.jobs.listed(["queued"])].count("measure") == 1


def test_what_was_measured_is_read_back_as_it_was(stocked, clock):
    like(stocked, clock, [1, 2, 3, 4, 5, 6])
    found = stocked.know_me()
    back, at = stocked.known()
    assert at == clock.now
    assert json.dumps(insight.asdict(back)) == json.dumps(insight.asdict(found))


def test_the_measurement_is_told_in_chinese(stocked, browser, clock, worker):
    like(stocked, clock, [1, 2, 3, 4, 5, 6])
    stocked.know_me()
    page = browser.get("/you", headers={"Accept-Language": "zh"}).text
    assert "学习曲线" in page
    assert "filter" not in re.sub(r"<[^>]*>|Attention Filter", "", page)


def test_no_style_and_no_script_stands_inside_the_page(stocked, browser, clock):
    like(stocked, clock, [1, 2, 3, 4, 5, 6])
    stocked.know_me()
    page = browser.get("/you").text
    assert " style=" not in page
    assert "<style" not in page
    assert "hx-on" not in page


def test_questions_are_answered_and_what_that_changed_is_shown_and_undone(stocked, browser, clock):
    stocked.add_interest("rust compiler borrow crate")
    asked = [int(one) for one in re.findall(r'name="(\d+)" value="like"', browser.get("/ask").text)]
    assert len(asked) == 5
    answers = {str(asked[0]): "like", str(asked[1]): "not", str(asked[2]): "skip"}
    page = browser.post("/ask", data=answers, follow_redirects=True).text
    assert "You answered 2 questions" in page
    assert {act.item: act.sign for act in stocked.store.feedback()} == {asked[0]: Sign.LIKE, asked[1]: Sign.DISLIKE}
    browser.post("/ask/undo")
    assert stocked.store.feedback() == []


def test_no_answer_changes_nothing(stocked, browser):
    assert browser.post("/ask", data={"1": "skip"}, follow_redirects=False).headers["location"] == "/ask"
    assert stocked.store.feedback() == []


def test_an_answer_about_anothers_item_is_refused(stocked, browser):
    assert browser.post("/ask", data={"999": "like"}).status_code == 404
    assert stocked.store.feedback() == []
