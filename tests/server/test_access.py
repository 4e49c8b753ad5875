import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from attention_filter.server.access import local_path
from attention_filter.server.limits import RateLimit
from attention_filter.store.accounts import SESSION

MakePlace = Callable[..., Any]
PASSWORD = "correct horse"


def cookie_of(answer: Any) -> str:
    return str(answer.headers["Set-Cookie"])


def test_on_ones_own_machine_nobody_signs_in_while_there_is_no_account(place: Any) -> None:
    assert not place.access.needs_setup_code
    assert place.browser().get("/").headers["Location"] == "/welcome"
    assert place.browser().get("/interests").status_code == 200
    assert place.browser().get("/account").headers["Location"] == "/setup"


def test_the_first_account_adopts_what_the_command_line_made_and_shuts_the_door(place: Any) -> None:
    place.store.add_interest("bees", 1.0, place.clock())
    browser = place.browser()
    answer = browser.post("/setup", data={"name": "Anna", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    (account,) = place.accounts.all()
    assert (account.is_owner, account.reader) == (True, "me")
    assert browser.get("/account").status_code == 200
    assert place.browser().get("/").headers["Location"] == "/sign-in?next=/"
    assert place.browser().post("/setup", data={"name": "Eve", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("settings", [{"host": "0.0.0.0", "hosts": ("a.example",)}, {"hosts": ("a.example",)}])
def test_where_others_can_reach_it_the_first_account_needs_the_code_from_the_terminal(
    place_with: MakePlace, settings: dict[str, Any]
) -> None:
    place = place_with(**settings)
    assert place.access.needs_setup_code
    browser = place.browser("http://a.example", "192.0.2.1")
    assert browser.get("/").headers["Location"] == "/setup?next=/"
    form = {"name": "Anna", "password": PASSWORD}
    assert browser.post("/setup", data=form).status_code == 403
    assert browser.post("/setup", data=form | {"code": "000000000000"}).status_code == 403
    assert not place.accounts.any()
    assert browser.post("/setup", data=form | {"code": f" {place.access.setup_code.upper()} "}).status_code == 303
    assert place.accounts.any()
    assert not place.access.needs_setup_code


def test_the_code_cannot_be_guessed_in_many_tries(place_with: MakePlace) -> None:
    place = place_with(host="0.0.0.0", hosts=("a.example",))
    browser = place.browser("http://a.example", "192.0.2.1")
    codes = {
        browser.post("/setup", data={"name": "Eve", "password": PASSWORD, "code": "x"}).status_code for _ in range(30)
    }
    assert codes == {403, 429}


def test_who_is_not_signed_in_is_led_to_the_page_and_back(place: Any) -> None:
    place.account("anna")
    browser = place.browser()
    led = browser.get("/account?tab=1&x=%2F")
    assert led.headers["Location"] == "/sign-in?next=/account%3Ftab%3D1%26x%3D%252F"
    shown = browser.get(led.headers["Location"]).text
    assert 'name="next" value="/account?tab=1&amp;x=%2F"' in shown
    form = {"name": "Anna", "password": PASSWORD, "next": "/account?tab=1"}
    assert browser.post("/sign-in", data=form).headers["Location"] == "/account?tab=1"


def test_fragments_and_programs_get_a_401(place: Any) -> None:
    place.account("anna")
    fragment = place.browser(HX_Request="true", HX_Current_URL="http://localhost:8000/tray?page=2").get("/account")
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (401, "/sign-in?next=/tray%3Fpage%3D2")
    assert place.browser(Accept="text/event-stream").get("/").status_code == 401
    assert place.browser().post("/account/name").headers["Location"] == "/sign-in?next=/"


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "https:evil.example", "evil.example", "javascript:alert(1)",
        "/\t/evil.example", "\t//evil.example", " //evil.example", "/\n/evil.example", "", "///evil",
        "/%0a/x\r\nSet-Cookie: a=b", "/" + "x" * 3_000,
    ],
)  # fmt: skip
def test_nobody_is_led_to_another_site(place: Any, evil: str) -> None:
    assert local_path(evil) == "/"


@pytest.mark.parametrize("evil", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_no_page_leads_to_another_site(place: Any, evil: str) -> None:
    browser = place.member("anna")
    assert browser.get("/sign-in", params={"next": evil}).headers["Location"] == "/"
    answer = place.browser().post("/sign-in", data={"name": "anna", "password": PASSWORD, "next": evil})
    assert answer.headers["Location"] == "/"


def test_paths_of_ours_are_kept() -> None:
    for path in ("/", "/item/3", "/search?q=电池&lang=zh", "/a//b", "/tray?next=//x"):
        assert local_path(path) == path


def test_the_cookie_is_seen_by_no_script_and_sent_by_no_other_site(place: Any, place_with: MakePlace) -> None:
    place.account("anna")
    cookie = cookie_of(place.browser().post("/sign-in", data={"name": "anna", "password": PASSWORD}))
    assert cookie.startswith("attention-session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    safe = place_with(base_url="https://news.example")
    safe.account("anna")
    browser = safe.browser("http://news.example")  # behind a proxy that ends TLS
    cookie = cookie_of(browser.post("/sign-in", data={"name": "anna", "password": PASSWORD}))
    assert cookie.startswith("__Host-session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_signing_in_ends_the_session_that_the_browser_had(place: Any) -> None:
    browser = place.member("anna")
    planted = browser.cookies["attention-session"]
    browser.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert browser.cookies["attention-session"] != planted
    assert place.accounts.by_session(planted, place.clock()) is None


def test_a_session_ends_thirty_days_after_the_last_visit(place: Any) -> None:
    browser = place.member("anna")
    for _ in range(3):
        place.clock.now += SESSION - timedelta(hours=1)
        assert browser.get("/account").status_code == 200
    place.clock.now += SESSION
    assert browser.get("/account").status_code == 303


def test_signing_out_ends_the_session_on_the_server(place: Any) -> None:
    browser = place.member("anna")
    token = browser.cookies["attention-session"]
    assert browser.post("/sign-out").headers["Location"] == "/sign-in"
    assert place.accounts.by_session(token, place.clock()) is None
    assert "attention-session" not in browser.cookies


def test_guesses_from_one_address_are_slowed_down_whatever_the_name(place: Any) -> None:
    place.account("anna")
    attacker = place.browser(address="192.0.2.66")
    answers = [attacker.post("/sign-in", data={"name": f"n{n}", "password": "wrong one"}) for n in range(25)]
    assert [a.status_code for a in answers] == [403] * 20 + [429] * 5
    assert int(answers[-1].headers["Retry-After"]) == 15
    assert (
        place.browser(address="192.0.2.1").post("/sign-in", data={"name": "anna", "password": PASSWORD}).status_code
        == 303
    )
    place.clock.go(seconds=15)
    assert attacker.post("/sign-in", data={"name": "n", "password": "wrong one"}).status_code == 403


def test_guesses_at_one_name_are_slowed_down_whatever_the_address(place: Any) -> None:
    place.account("anna")
    codes = [
        place.browser(address=f"192.0.2.{n}")
        .post("/sign-in", data={"name": " ANNA", "password": "wrong one"})
        .status_code
        for n in range(12)
    ]
    assert codes == [403] * 10 + [429] * 2


def test_the_memory_of_tries_is_bounded() -> None:
    limit = RateLimit(burst=1, every=1, most=100)
    for n in range(1_000):
        limit.wait(str(n), datetime(2026, 1, 1))
    assert len(limit) == 100


def test_the_log_of_signing_in_names_nobody(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    place.account("anna")
    for password in (PASSWORD, "my secret typo"):
        place.browser().post("/sign-in", data={"name": "anna", "password": password})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("attention_filter")]
    assert ours == ["signed in: account 1 by password", "sign-in refused: by password"]
