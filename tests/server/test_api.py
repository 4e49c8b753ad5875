"""/api: what a program that shows a token reads and does, and how a person lets it in and out."""

import re

import pytest
from starlette.testclient import TestClient

from attention_filter.store.secrets import API


@pytest.fixture
def token(mine, clock):
    return mine.store.accounts.make_secret("me", API, "my script", now=clock())


@pytest.fixture
def program(app, token):
    """A program somewhere else: it says neither an origin nor what it accepts."""
    said = {"Authorization": f"Bearer {token}"}
    return TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 50000), headers=said)


def test_a_lane_has_the_items_of_the_page_with_reasons_that_sum_to_the_score(browser, program, stocked):
    page = re.findall(r'id="item-(\d+)"', browser.get("/all").text)
    found = program.get("/api/items", params={"limit": 5}).json()
    assert [str(one["id"]) for one in found["items"]] == list(dict.fromkeys(page))[:5]
    for one in found["items"]:
        assert sum(reason["value"] for reason in one["reasons"]) == pytest.approx(one["score"], abs=1e-6)
    rest = program.get("/api/items", params={"limit": 5, "start": 5}).json()
    assert not {one["id"] for one in rest["items"]} & {one["id"] for one in found["items"]}
    everything = [program.get("/api/items", params={"limit": 200, "lane": lane}).json() for lane in ("stream", "tray")]
    told = [one for lane in everything for one in lane["items"]]
    assert len(told) == sum(lane["count"] for lane in everything)
    whole = [one["id"] for one in told] + [folded for one in told for folded in one["story"]]
    assert sorted(whole) == sorted(one.id for one in stocked.store.newest(100))


def test_the_page_of_today_is_the_one_that_the_browser_shows(browser, program, stocked):
    stocked.add_interest("rust compiler")
    page = browser.get("/").text
    shown = re.findall(r'id="item-(\d+)"', page)
    told = program.get("/api/today").json()
    assert [str(one["id"]) for one in told["items"]] == shown
    assert f"{told['waiting']} more wait" in told["says"]
    assert f"{told['waiting']} more wait" in page


def test_an_act_moves_the_item_out_of_the_stream_and_can_be_taken_back(program, stocked):
    first = program.get("/api/items").json()["items"][0]["id"]
    done = program.post(f"/api/items/{first}/acts", json={"sign": "save"})
    assert done.status_code == 201
    assert program.get(f"/api/items/{first}").json()["act"] == "save"
    assert [one["id"] for one in program.get("/api/items", params={"lane": "saved"}).json()["items"]] == [first]
    act = done.json()["act"]
    assert program.delete(f"/api/acts/{act}").status_code == 200
    assert program.get(f"/api/items/{first}").json()["act"] is None
    assert program.delete(f"/api/acts/{act}").status_code == 404


def test_search_interests_and_sources_are_told_as_the_command_line_tells_them(program, stocked):
    assert program.get("/api/items", params={"q": "rust"}).json()["hits"]
    assert {one["text"] for one in program.get("/api/interests").json()["interests"]} == {
        one.text for one in stocked.interests()
    }
    assert {one["title"] for one in program.get("/api/sources").json()["sources"]} == {
        one.title for one in stocked.store.sources()
    }


def test_a_mistake_is_told_in_json(program, stocked):
    assert program.get("/api/items/999999").status_code == 404
    assert "no such item" in program.get("/api/items/999999").json()["error"]
    assert "error" in program.get("/api/items", params={"lane": "nowhere"}).json()
    assert program.get("/api/items", headers={"Authorization": "Bearer x"}).headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_shown_once_and_opens_nothing_once_it_is_revoked(app, browser, stocked):
    made = browser.post("/settings/tokens", data={"name": "my script"})
    (token,) = re.findall(r"<code>([\w-]{20,})</code>", made.text)
    assert token not in browser.get("/settings").text
    assert "never used" in browser.get("/settings").text
    said = {"Authorization": f"Bearer {token}"}
    assert browser.get("/api/sources", headers=said).status_code == 200
    assert "never used" not in browser.get("/settings").text
    (kept,) = app.state.site.store.accounts.secrets("me", API, app.state.site.clock())
    assert kept.token is None
    browser.post(f"/settings/tokens/{kept.id}/revoke")
    assert browser.get("/api/sources", headers=said).status_code == 401
