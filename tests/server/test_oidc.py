"""A small OpenID Connect provider on loopback, with keys of its own, drives the whole flow."""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "attention", "s3cret:&"
KEY, STRANGERS_KEY = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("k1", "k1"))


@dataclass
class Provider:
    """What it says can be changed by a test; `now` stands in its tokens."""

    issuer: str
    now: int
    person: str = "subject-1"
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: KEY)
    algorithm: str = "RS256"
    unsigned: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    basic: list[str] = field(default_factory=list)

    def configuration(self) -> dict[str, Any]:
        said = {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize?tenant=1"}
        said |= {"token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys"}
        return said | self.metadata

    def authorize(self, asked: dict[str, str]) -> str:
        """The person agrees: where their browser is sent."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert asked["tenant"] == "1"
        code = token_urlsafe(8)
        self.codes[code] = asked
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"], "iss": self.issuer})

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        self.basic.append(authorization)
        asked = self.codes.pop(form["code"], None)
        verifier = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            asked is None
            or asked["code_challenge"] != verifier.decode()
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return None
        claims = {"iss": self.issuer, "sub": self.person, "aud": CLIENT, "nonce": asked["nonce"]}
        claims |= {"iat": self.now, "exp": self.now + 300} | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "k1"}
        if self.unsigned:
            parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
            token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
        else:
            token = jwt.encode(header, claims, self.key, algorithms=[self.algorithm])
        return {"access_token": "a", "token_type": "Bearer", "id_token": token}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/authorize":
            query = {name: value for name, (value,) in parse_qs(asked.query).items()}
            self._say(302, b"", Location=self.provider.authorize(query))
        elif asked.path == "/keys":
            self._say(200, json.dumps({"keys": [KEY.as_dict(private=False)]}).encode())
        else:
            self._say(200, json.dumps(self.provider.configuration()).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: value for name, (value,) in parse_qs(body).items()}
        tokens = self.provider.token(form, self.headers.get("Authorization", ""))
        self._say(200 if tokens else 400, json.dumps(tokens or {"error": "invalid_grant"}).encode())

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider(place_with: Callable[..., Any]) -> Iterator[Provider]:
    """A provider, to be asked by the server of `place`."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listener:
        handler.provider = Provider(f"http://127.0.0.1:{listener.server_address[1]}", 0)  # type: ignore[attr-defined]
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield handler.provider  # type: ignore[attr-defined]
        listener.shutdown()


@pytest.fixture
def place(place_with: Callable[..., Any], provider: Provider) -> Any:
    found = place_with(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_name="Our house",
        private_hosts=(urlsplit(provider.issuer).netloc,),
    )
    provider.now = int(found.clock().timestamp())
    return found


def agree(there: str) -> str:
    """The person agrees at the provider; the path that their browser comes back to."""
    back = urlsplit(httpx2.get(there).headers["Location"])
    assert back.netloc == "localhost:8000"
    return f"{back.path}?{back.query}"


def go(browser: Any, start: str = "/sign-in/oidc") -> Any:
    """The whole way round."""
    led = browser.get(start)
    assert led.status_code == 303
    return browser.get(agree(led.headers["Location"]), headers={"Sec-Fetch-Site": "cross-site"})


@pytest.fixture
def anna(place: Any) -> Any:
    """A browser signed in to an account that has connected its identity."""
    browser = place.member("anna")
    assert go(browser, "/account/oidc").headers["Location"] == "/account"
    assert "subject-1" in browser.get("/account").text
    return browser


def test_who_has_connected_an_identity_signs_in_by_it(place: Any, anna: Any, provider: Provider) -> None:
    browser = place.browser()
    assert "Our house" in browser.get("/sign-in").text
    back = go(browser, "/sign-in/oidc?next=/account%3Fa=1")
    assert (back.status_code, back.headers["Location"]) == (303, "/account?a=1")
    assert "anna" in browser.get("/account").text
    assert base64.b64decode(provider.basic[-1].removeprefix("Basic ")).decode() == "attention:s3cret%3A%26"
    assert go(place.browser(), "/sign-in/oidc?next=//evil.example").headers["Location"] == "/"


def test_an_identity_that_nobody_connected_makes_no_account(place: Any, anna: Any, provider: Provider) -> None:
    provider.person = "a stranger"
    browser = place.browser()
    assert "Nobody here has connected this identity" in go(browser).text
    assert browser.get("/account").status_code == 303
    assert len(place.accounts.all()) == 1


def test_an_identity_belongs_to_one_account(place: Any, anna: Any) -> None:
    ben = place.member("ben")
    assert go(ben, "/account/oidc").status_code == 404
    assert place.accounts.identities(2) == []
    (identity,) = place.accounts.identities(1)
    assert ben.post(f"/account/identities/{identity.id}/delete").status_code == 404
    assert anna.post(f"/account/identities/{identity.id}/delete").status_code == 303
    assert "Nobody here" in go(place.browser()).text


def test_the_answer_counts_once_and_only_in_the_browser_that_asked(place: Any, anna: Any, provider: Provider) -> None:
    browser, other = place.browser(), place.browser()
    back = agree(browser.get("/sign-in/oidc").headers["Location"])
    assert other.get(back).status_code == 400  # has no cookie of this flow
    other.get("/sign-in/oidc")
    assert other.get(back).status_code == 400  # has the cookie of another
    assert browser.get(back.replace("state=", "state=x")).status_code == 400
    back = agree(browser.get("/sign-in/oidc").headers["Location"])
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 400


def test_the_answer_has_to_come_within_ten_minutes(place: Any, anna: Any) -> None:
    browser = place.browser()
    back = agree(browser.get("/sign-in/oidc").headers["Location"])
    place.clock.go(minutes=10)
    assert browser.get(back).status_code == 400


@pytest.mark.parametrize(
    "lie",
    [
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"iss": "https://evil.example"}},
        {"claims": {"aud": "another client"}},
        {"claims": {"aud": [CLIENT, "another client"], "azp": "another client"}},
        {"claims": {"exp": 1}},
        {"claims": {"exp": None}},
        {"claims": {"sub": None}},
        {"claims": {"sub": ""}},
        {"key": STRANGERS_KEY},
        {"unsigned": True},
        {"algorithm": "HS256", "key": OctKey.import_key("a shared secret of 32 characters")},
        {"metadata": {"issuer": "https://evil.example"}},
        {"metadata": {"jwks_uri": "file:///etc/passwd"}},
        {"metadata": {"token_endpoint": None}},
        {"metadata": {"jwks_uri": "http://10.0.0.1/keys"}},
    ],
)
def test_a_token_that_is_not_right_in_everything_lets_nobody_in(
    place: Any, anna: Any, provider: Provider, lie: dict[str, Any]
) -> None:
    browser = place.browser()
    led = browser.get("/sign-in/oidc").headers["Location"]
    for name, value in lie.items():
        setattr(provider, name, value)
    back = browser.get(agree(led))
    assert back.status_code == 400
    assert "its answer is not valid" in back.text
    assert browser.get("/account").status_code == 303


def test_an_audience_of_several_is_fine_when_we_are_the_authorized_party(
    place: Any, anna: Any, provider: Provider
) -> None:
    provider.claims = {"aud": [CLIENT, "another client"], "azp": CLIENT}
    assert go(place.browser()).status_code == 303


def test_an_answer_in_the_name_of_another_issuer_is_refused(place: Any, anna: Any, provider: Provider) -> None:
    browser = place.browser()
    back = agree(browser.get("/sign-in/oidc").headers["Location"])
    mixed = back.replace(urlencode({"iss": provider.issuer}), "iss=https%3A%2F%2Fevil.example")
    assert browser.get(mixed).status_code == 400


def test_a_refusal_at_the_provider_is_said_so(place: Any, anna: Any) -> None:
    browser = place.browser()
    state = parse_qs(urlsplit(browser.get("/sign-in/oidc").headers["Location"]).query)["state"][0]
    back = browser.get("/sign-in/oidc/callback?" + urlencode({"error": "access_denied", "state": state}))
    assert (back.status_code, "did not sign you in" in back.text) == (400, True)


def test_another_site_cannot_connect_an_identity(place: Any, anna: Any) -> None:
    assert anna.get("/account/oidc", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_an_identity_is_not_connected_to_who_signed_in_meanwhile(place: Any, anna: Any, provider: Provider) -> None:
    provider.person = "subject-2"
    back = agree(anna.get("/account/oidc").headers["Location"])
    place.account("ben")
    anna.post("/sign-in", data={"name": "ben", "password": "correct horse"})
    assert anna.get(back).status_code == 400
    assert place.accounts.by_identity(provider.issuer, "subject-2") is None


def test_a_public_client_sends_its_name_in_the_form(place_with: Callable[..., Any], provider: Provider) -> None:
    place = place_with(
        oidc_issuer=provider.issuer, oidc_client_id=CLIENT, private_hosts=(urlsplit(provider.issuer).netloc,)
    )
    provider.now = int(place.clock().timestamp())
    assert go(place.member("anna"), "/account/oidc").headers["Location"] == "/account"
    assert provider.basic == [""]


def test_a_provider_on_a_private_address_has_to_be_named(place_with: Callable[..., Any], provider: Provider) -> None:
    place = place_with(oidc_issuer=provider.issuer, oidc_client_id=CLIENT)
    place.account("anna")
    assert "could not be asked" in place.browser().get("/sign-in/oidc").text


def test_without_a_provider_there_is_no_such_way_in(place_with: Callable[..., Any]) -> None:
    place = place_with()
    place.account("anna")
    assert place.browser().get("/sign-in/oidc").status_code == 404
