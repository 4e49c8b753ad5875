import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from attention_filter.errors import UsageError
from attention_filter.server.wall import ANSWER_HEADERS, Wall, rules_of
from attention_filter.settings import Settings

MakePlace = Callable[..., Any]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST."])
def test_on_loopback_the_names_of_this_machine_are_answered(place: Any, host: str) -> None:
    assert place.browser(Host=host).get("/setup").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.2", 421), ("", 400), ("a@b", 400), ("a b", 400)],
)
def test_other_names_are_not_so_that_no_name_can_be_bound_to_us(place: Any, host: str, status: int) -> None:
    answer = place.browser(Host=host).get("/setup")
    assert answer.status_code == status
    assert host not in answer.text or not host


def test_the_names_of_the_settings_are_answered(place_with: MakePlace) -> None:
    place = place_with(host="0.0.0.0", hosts=("news.example",), base_url="https://read.example")
    codes = [place.browser(f"http://{name}").get("/setup").status_code for name in ("news.example", "read.example")]
    assert codes == [200, 200]
    assert place.browser("http://localhost").get("/setup").status_code == 421


def test_the_address_that_a_connection_came_to_is_answered(place_with: MakePlace) -> None:
    place = place_with(host="0.0.0.0")
    assert place.browser("http://192.0.2.7:8000").get("/setup").status_code == 200
    assert place.browser("http://192.0.2.7:8000", Host="192.0.2.8").get("/setup").status_code == 421
    assert place.browser("http://rebound.example").get("/setup").status_code == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_a_form_of_another_site_changes_nothing(place: Any, site: str) -> None:
    browser = place.browser(Sec_Fetch_Site=site, Origin="http://localhost:8000")
    assert browser.post("/setup", data={"name": "eve", "password": "password"}).status_code == 403
    assert not place.accounts.any()


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:8000", True),
        ("https://localhost:8000", False),
        ("http://localhost:8001", False),
        ("http://evil.example", False),
        ("null", False),
        (None, False),
    ],
)
def test_without_fetch_metadata_the_origin_has_to_be_ours(place: Any, origin: str | None, allowed: bool) -> None:
    browser = place.browser()
    del browser.headers["Sec-Fetch-Site"]
    headers = {"Origin": origin} if origin else {}
    answer = browser.post("/setup", data={"name": "anna", "password": "password"}, headers=headers)
    assert (answer.status_code == 303) is allowed
    assert place.accounts.any() is allowed


@pytest.mark.parametrize("path", ["/setup", "/static/style.css", "/nowhere"])
def test_every_answer_says_what_a_browser_may_do_with_it(place: Any, path: str) -> None:
    answer = place.browser().get(path)
    own = {"Cache-Control"}  # a page may be stricter
    assert {name: answer.headers[name] for name in ANSWER_HEADERS.keys() - own} == {
        name: value for name, value in ANSWER_HEADERS.items() if name not in own
    }
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_a_refusal_carries_the_headers_too(place: Any) -> None:
    assert "Content-Security-Policy" in place.browser(Host="evil.example").get("/").headers


def test_only_https_is_told_to_stay_with_https(place_with: MakePlace) -> None:
    place = place_with(hosts=("news.example",))
    assert "Strict-Transport-Security" in place.browser("https://news.example").get("/setup").headers


def test_a_body_over_the_limit_is_refused_by_its_announced_length(place_with: MakePlace) -> None:
    place = place_with(max_upload=1_000)
    assert place.browser().post("/sign-in", data={"name": "x" * 2_000}).status_code == 413
    assert place.browser().post("/sign-in", content=b"", headers={"Content-Length": "-1"}).status_code == 413


def test_a_body_over_the_limit_is_refused_when_it_comes_in_pieces(place_with: MakePlace) -> None:
    place = place_with(max_upload=1_000)
    sent = []

    def pieces() -> Iterator[bytes]:
        yield b"name="
        for _ in range(100):
            sent.append(100)
            yield b"x" * 100

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = place.browser().post("/sign-in", content=pieces(), headers=form)
    assert answer.status_code == 413
    assert "1,000 bytes" in answer.text


def test_a_page_never_sees_more_of_a_body_than_the_limit() -> None:
    seen: list[int] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(10):  # it never ends by itself
            message = await receive()
            seen.append(len(message.get("body", b"")))

    async def visit() -> list[Any]:
        answers: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"x" * 400, "more_body": True}

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/", "client": ("127.0.0.1", 1)}
        scope["headers"] = [(b"host", b"localhost"), (b"sec-fetch-site", b"same-origin")]
        await Wall(page, rules_of(Settings(max_upload=1_000)))(scope, receive, send)
        return answers

    assert asyncio.run(visit())[0]["status"] == 413
    assert sum(seen) == 800


PROXY = {
    "host": "127.0.0.1",
    "hosts": ("news.example",),
    "trusted_proxies": ("10.0.0.0/8",),
    "user_header": "Remote-User",
}
SAID = {"X_Forwarded_For": "198.51.100.7", "X_Forwarded_Proto": "https", "X_Forwarded_Host": "news.example"}


def test_a_trusted_proxy_says_how_the_visitor_came(place_with: MakePlace) -> None:
    place = place_with(**PROXY)
    answer = place.browser("http://backend.internal", "10.1.2.3", **SAID).get("/setup")
    assert answer.status_code == 200
    assert "Strict-Transport-Security" in answer.headers


def test_a_stranger_who_says_the_same_is_not_believed(place_with: MakePlace) -> None:
    place = place_with(**PROXY)
    answer = place.browser("http://news.example", "192.0.2.1", **SAID).get("/setup")
    assert "Strict-Transport-Security" not in answer.headers
    assert place.browser("http://backend.internal", "192.0.2.1", **SAID).get("/setup").status_code == 421


def test_a_proxy_lets_in_whom_it_names(place_with: MakePlace) -> None:
    place = place_with(**PROXY)
    place.account("anna")
    via = place.browser("http://news.example", "10.1.2.3", Remote_User="Anna")
    assert via.get("/account").status_code == 200
    assert place.browser("http://news.example", "10.1.2.3", Remote_User="eve").get("/account").status_code == 403
    assert place.browser("http://news.example", "192.0.2.1", Remote_User="Anna").get("/account").status_code == 303


def test_on_a_machine_without_accounts_a_proxy_does_not_make_the_world_at_home(place_with: MakePlace) -> None:
    for settings in ({}, {"hosts": ("news.example",)}, {"trusted_proxies": ("127.0.0.1",)}):
        place = place_with(**settings)
        passed_on = place.browser(X_Forwarded_For="198.51.100.7").get("/")
        assert (passed_on.status_code, passed_on.headers["Location"]) == (303, "/setup?next=/")


@pytest.mark.parametrize(
    "settings", [{"trusted_proxies": ("10.0.0.0/99",)}, {"base_url": "news.example"}, {"base_url": "https://a.b/c"}]
)
def test_settings_that_cannot_be_read_are_named(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(settings))):
        rules_of(Settings(**settings))
