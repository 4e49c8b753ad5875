import json

import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter.types import Sign


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


@pytest.fixture
def acted(stocked, clock):
    """The reader likes the newest two items and hides a third."""
    items = stocked.store.newest(3)
    for item, sign in zip(items, (Sign.LIKE, Sign.LIKE, Sign.HIDE), strict=True):
        stocked.act([item.id], sign)
    return items


def standing(mine):
    return {(act.item, act.sign) for act in mine.store.feedback()}


def test_the_history_shows_every_act_and_takes_any_of_them_back(browser, stocked, acted):
    page = page_of(browser.get("/profile"))
    assert [chip.text() for chip in page.css(".acts .chip")] == ["hide", "like", "like"]
    oldest = page.css(".acts li")[-1].css_first("form").attributes["action"]
    page = page_of(browser.post(oldest))
    assert standing(stocked) == {(acted[1].id, Sign.LIKE), (acted[2].id, Sign.HIDE)}
    assert "taken back" in page.css(".acts li.undone")[0].text()
    assert browser.post(oldest).status_code == 404, "once"


def test_a_forgotten_item_leaves_no_trace_in_history_or_ranking(browser, stocked, acted, clock):
    probe = [one.item.id for one in stocked.stream(5)]
    before = {one.item.id: one.score for one in stocked.rank(probe)}
    extra = stocked.store.newest(10)[-1]
    stocked.act([extra.id], Sign.LIKE)
    stocked.undo()
    stocked.act([extra.id], Sign.DISLIKE)
    browser.post(f"/profile/items/{extra.id}/forget")
    assert all(act.item != extra.id for act, _ in stocked.store.act_log())
    assert {one.item.id: one.score for one in stocked.rank(probe)} == pytest.approx(before, abs=1e-9)


def test_a_profile_goes_out_and_comes_back_only_after_a_look(browser, stocked, acted):
    stocked.add_interest("solar power")
    text = browser.get("/profile/export").text
    assert json.loads(text)["attention_filter_profile"] == 1
    stocked.remove_interest(stocked.interests()[0].id)
    for item in acted:
        stocked.forget(item.id)
    page = page_of(browser.post("/profile/preview", files={"file": ("me.json", text)}))
    assert "1 interests, 0 rules and 3 acts" in page.css_first("form.sheet").text()
    assert not stocked.interests(), "looking adds nothing"
    kept = page.css_first("input[name=text]").attributes["value"]
    page_of(browser.post("/profile/import", data={"text": kept}))
    assert [one.text for one in stocked.interests()] == ["solar power"]
    assert len(standing(stocked)) == 3


HOSTILE = {
    "attention_filter_profile": 1,
    "interests": [{"text": "x"}],
    "rules": [{"action": "block", "pattern": "(a+)+$"}],
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1",
        b"\xff\xfe",
        json.dumps(HOSTILE).encode(),
        b'{"attention_filter_profile": 1, "quotas": ["so what"]}',
    ],
)
def test_what_is_no_profile_is_refused_whole(browser, mine, body):
    answer = browser.post("/profile/preview", files={"file": ("me.json", body)})
    assert answer.status_code == 422
    assert browser.post("/profile/import", data={"text": body.decode("latin-1")}).status_code == 422
    assert not mine.interests()


def test_everything_is_deleted_only_when_the_word_was_typed(browser, stocked, acted):
    assert browser.post("/profile/delete", data={"typed": "yes"}).status_code == 422
    assert stocked.store.sources()
    assert "2 sources you follow" in browser.get("/profile").text
    answer = browser.post("/profile/delete", data={"typed": " Delete "}, follow_redirects=False)
    assert answer.headers["location"] == "/welcome"
    assert not stocked.store.sources()
    assert not stocked.store.act_log()


def test_a_stranger_cannot_undo_or_forget_for_another(browser, stocked, acted, strange):
    act = stocked.store.act_log()[0][0].id
    before = standing(stocked)
    strange()
    assert browser.post(f"/profile/acts/{act}/undo").status_code == 404
    browser.post(f"/profile/items/{acted[0].id}/forget")
    assert standing(stocked) == before
