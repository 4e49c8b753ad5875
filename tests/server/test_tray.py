"""The tray's pages: what lies there and why, bringing back, the promise, the audit."""

import re

import pytest

from attention_filter.types import Rule, RuleAction, Sign


@pytest.fixture
def away(stocked, browser):
    """One feed is wanted, the other is not: so a part of the other lies in the tray."""
    stocked.add_interest("rust compiler borrow crate")
    stocked.add_interest("solar battery wind grid", -1.0)
    stocked.act([1, 2, 3], Sign.LIKE)
    stocked.act([11, 12, 13], Sign.DISLIKE)
    assert stocked.tray(50)[1] >= 3
    browser.get("/")  # ranks it
    return stocked


def in_tray(away):
    return [one.item.id for one in away.tray(50)[0]]


def shown_on(page):
    return [int(one) for one in re.findall(r'id="away-(\d+)"', page)]


def test_the_tray_lists_all_that_was_filtered_away_the_closest_call_first_with_its_numbers(away, browser):
    page = browser.get("/tray").text
    closest = sorted(away.tray(50)[0], key=lambda one: (one.tray.rule is not None, -one.tray.interest, -one.item.id))
    assert shown_on(page) == [one.item.id for one in closest]
    first = closest[0].tray
    assert f"{first.line - first.interest:.2f} below your line" in page


def test_what_a_rule_blocks_stands_last_and_names_the_rule(away, browser):
    away.add_rule(Rule(0, RuleAction.BLOCK, words=("story 9",)))
    page = browser.get("/tray").text
    last = shown_on(page)[-1]
    assert "story 9" in away.item(last).entry.title
    assert "the words story 9" in page.partition(f'id="away-{last}"')[2]


def test_the_tray_can_be_searched(away, browser):
    wanted = [id_ for id_ in in_tray(away) if "wind" in away.item(id_).entry.title]
    found = shown_on(browser.get("/tray", params={"q": "wind"}).text)
    assert set(wanted) <= set(found) <= set(in_tray(away))
    assert "has these words" in browser.get("/tray", params={"q": "zeppelin"}).text


def test_one_that_should_have_been_shown_counts_as_a_like_and_can_be_undone_without_javascript(away, browser):
    item = in_tray(away)[0]
    after = browser.post("/tray/shown", data={"ids": item}, follow_redirects=True).text
    assert [act.sign for act in away.store.acts_on([item])] == [Sign.LIKE]
    acts = re.search(r'name="acts" value="([\d,]+)"', after)[1]
    browser.post("/tray/back", data={"acts": acts})
    assert away.store.acts_on([item]) == []
    assert item in shown_on(browser.get("/tray").text)


def test_several_are_brought_back_and_undone_together(away, browser):
    few = in_tray(away)[:3]
    answer = browser.post("/tray/shown", data={"ids": few}, follow_redirects=False)
    assert {act.item for act in away.store.acts_on(few)} == set(few)
    browser.post("/tray/back", data={"acts": answer.headers["location"].partition("=")[2]})
    assert away.store.acts_on(few) == []


def test_htmx_gets_the_row_and_nothing_else(away, browser):
    item = in_tray(away)[0]
    done = browser.post("/tray/shown", data={"ids": item}, headers={"HX-Request": "true"}).text
    assert "<html" not in done
    assert "counts as liked" in done


def test_a_stranger_brings_nothing_back(away, browser, strange):
    item = in_tray(away)[0]
    try:
        strange()
    except AttributeError:
        browser.app.state.site.reader = "stranger"
    assert browser.post("/tray/shown", data={"ids": item}).status_code == 404
    assert shown_on(browser.get("/tray").text) == []


def test_the_promise_says_what_it_means_and_a_higher_one_never_shows_less(away, browser):
    shown = [one.shown for one in away.promises([0.5, 0.8, 0.95, 0.99])]
    assert shown == sorted(shown)
    assert "of what you would read: about" in browser.get("/tray/promise").text
    browser.post("/tray/promise", data={"keep": "80"})
    assert away.promised() == 0.8
    assert browser.post("/tray/promise", data={"keep": "20"}).status_code == 404
    assert away.promised() == 0.8


def test_the_audit_asks_one_item_at_a_time_and_tells_what_came_of_it(away, browser):
    drawn, looked = [one.item.id for one in away.audit(20).to_look], []
    while asked := away.audit(20).to_look:  # of so small a tray all are drawn, also what a like sends there
        page = browser.get("/tray/audit").text
        assert f'name="item" value="{asked[0].item.id}"' in page
        browser.post("/tray/audit", data={"item": asked[0].item.id, "answer": "fine" if looked else "shown"})
        looked.append(asked[0].item.id)
    done = browser.get("/tray/audit").text
    assert looked[: len(drawn)] == drawn
    assert f"You looked at all {len(looked)}" in done
    assert away.audit(20).found == (drawn[0],)
    assert [act.sign for act in away.store.acts_on([drawn[0]])] == [Sign.LIKE]


def test_an_answer_of_the_audit_can_be_taken_back_with_its_like(away, browser):
    first = away.audit(20).to_look[0].item.id
    browser.post("/tray/audit", data={"item": first, "answer": "shown"})
    browser.post("/tray/audit", data={"item": first, "answer": "back"})
    assert away.audit(20).looked == 0
    assert away.audit(20).found == ()
    assert away.store.acts_on([first]) == []


def test_an_item_that_is_not_in_the_audit_cannot_be_answered(away, browser):
    browser.get("/tray/audit")
    assert browser.post("/tray/audit", data={"item": 1, "answer": "shown"}).status_code == 404


def test_the_pages_are_chinese_for_who_reads_chinese(away, browser):
    for path in ("/tray", "/tray/promise", "/tray/audit"):
        page = browser.get(path, headers={"Accept-Language": "zh-CN"}).text
        assert "筛出箱" in page
        assert "should have been shown" not in page.lower()
