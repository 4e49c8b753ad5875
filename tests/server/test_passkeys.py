"""A software authenticator (ES256, attestation "none") drives registration and sign-in as a browser would."""

import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url

ORIGIN = "http://localhost:8000"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40  # flags of the authenticator data


@dataclass
class Authenticator:
    """One credential on one device, and the browser that speaks for it."""

    origin: str = ORIGIN
    name: str = "localhost"  # the relying party
    flags: int = PRESENT | VERIFIED
    count: int = 0
    id: bytes = b"credential-1"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        point = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        said = {"clientDataJSON": self._client("webauthn.create", options), "attestationObject": attestation}
        return self._credential(said)

    def sign(self, options: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        client, data = self._client("webauthn.get", options), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential({"clientDataJSON": client, "authenticatorData": data, "signature": signature})

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _data(self, more: int = 0) -> bytes:
        return hashlib.sha256(self.name.encode()).digest() + struct.pack(">BI", self.flags | more, self.count)

    def _credential(self, response: dict[str, bytes]) -> dict[str, Any]:
        said = {name: bytes_to_base64url(value) for name, value in response.items()}
        id_ = bytes_to_base64url(self.id)
        return {"id": id_, "rawId": id_, "type": "public-key", "response": said, "clientExtensionResults": {}}


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


def register(browser: Any, device: Authenticator, name: str = "phone") -> Any:
    options = browser.post("/passkeys/register/options").json()
    return browser.post("/passkeys/register", json={"name": name, "credential": device.make(options)})


def sign_in(browser: Any, device: Authenticator, next_: str = "/") -> Any:
    options = browser.post("/passkeys/sign-in/options").json()
    return browser.post("/passkeys/sign-in", json={"next": next_, "credential": device.sign(options)})


def test_a_passkey_signs_in_without_a_name_or_a_password(place: Any, device: Authenticator) -> None:
    anna = place.member("anna")
    assert register(anna, device).json() == {"next": "/account"}
    assert "phone" in anna.get("/account").text
    browser = place.browser()
    assert sign_in(browser, device, "/account").json() == {"next": "/account"}
    assert "anna" in browser.get("/account").text
    assert sign_in(place.browser(), device, "//evil.example").json() == {"next": "/"}


def test_what_the_browser_is_asked_for_is_a_discoverable_verified_credential(place: Any, device: Authenticator) -> None:
    anna = place.member("anna")
    register(anna, device)
    options = anna.post("/passkeys/register/options").json()
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert [one["id"] for one in options["excludeCredentials"]] == [bytes_to_base64url(device.id)]
    asked = place.browser().post("/passkeys/sign-in/options").json()
    assert (asked["allowCredentials"], asked["userVerification"]) == ([], "required")


def test_an_answer_is_good_for_one_time(place: Any, device: Authenticator) -> None:
    anna = place.member("anna")
    made = device.make(anna.post("/passkeys/register/options").json())
    codes = [anna.post("/passkeys/register", json={"credential": made}).status_code for _ in range(2)]
    assert codes == [200, 400]
    browser = place.browser()
    signed = device.sign(browser.post("/passkeys/sign-in/options").json())
    codes = [place.browser().post("/passkeys/sign-in", json={"credential": signed}).status_code for _ in range(2)]
    assert codes == [200, 400]


def test_a_challenge_ends_after_five_minutes(place: Any, device: Authenticator) -> None:
    register(place.member("anna"), device)
    browser = place.browser()
    options = browser.post("/passkeys/sign-in/options").json()
    place.clock.go(minutes=5)
    assert browser.post("/passkeys/sign-in", json={"credential": device.sign(options)}).status_code == 400


def test_a_challenge_is_for_one_account_and_one_purpose(place: Any, device: Authenticator) -> None:
    anna, ben = place.member("anna"), place.member("ben")
    for_anna = anna.post("/passkeys/register/options").json()
    assert ben.post("/passkeys/register", json={"credential": device.make(for_anna)}).status_code == 400
    to_sign_in = ben.post("/passkeys/sign-in/options").json()
    assert ben.post("/passkeys/register", json={"credential": device.make(to_sign_in)}).status_code == 400
    invented = {"challenge": bytes_to_base64url(b"x" * 64)}
    assert ben.post("/passkeys/register", json={"credential": device.make(invented)}).status_code == 400
    assert place.accounts.passkeys(1) == place.accounts.passkeys(2) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "http://evil.example"},
        {"origin": "https://localhost:8000"},
        {"name": "evil.example"},
        {"flags": PRESENT},  # nobody was verified
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"id": b"nobody's"},
    ],
)
def test_a_signature_of_another_page_device_or_person_is_refused(
    place: Any, device: Authenticator, wrong: dict[str, Any]
) -> None:
    anna = place.member("anna")
    assert register(anna, device).status_code == 200
    browser = place.browser()
    assert sign_in(browser, replace(device, **wrong)).status_code == 400
    assert browser.get("/account").status_code == 303
    if not wrong.keys() & {"key", "id"}:
        assert register(anna, replace(device, id=b"another", **wrong)).status_code == 400


def test_a_copied_device_that_counts_behind_is_refused(place: Any, device: Authenticator) -> None:
    register(place.member("anna"), device)
    copy = replace(device)
    for _ in range(3):
        assert sign_in(place.browser(), device).status_code == 200
    assert sign_in(place.browser(), copy).status_code == 400


@pytest.mark.parametrize("credential", [{}, {"response": {}}, {"response": {"clientDataJSON": "%%"}}, {"response": 3}])
def test_nonsense_is_refused_in_one_sentence(place: Any, credential: dict[str, Any]) -> None:
    anna = place.member("anna")
    for path in ("/passkeys/sign-in", "/passkeys/register"):
        answer = anna.post(path, json={"credential": credential})
        assert answer.status_code == 400
        assert "could not be verified" in answer.json()["problem"]
    assert anna.post("/passkeys/sign-in", content=b"{").status_code == 422


def test_a_passkey_can_be_removed_by_its_owner_only(place: Any, device: Authenticator) -> None:
    anna, ben = place.member("anna"), place.member("ben")
    register(anna, device)
    (passkey,) = place.accounts.passkeys(1)
    assert ben.post(f"/passkeys/{passkey.id}/delete").status_code == 404
    assert sign_in(place.browser(), device).status_code == 200
    assert anna.post(f"/passkeys/{passkey.id}/delete").status_code == 303
    assert sign_in(place.browser(), device).status_code == 400


def test_passkeys_are_offered_where_browsers_know_them(place: Any, place_with: Any) -> None:
    place.account("anna")
    assert "data-passkey-sign-in" in place.browser().get("/sign-in").text
    assert "data-passkey-sign-in" not in place.browser("http://127.0.0.1:8000").get("/sign-in").text
    named = place_with(hosts=("a.example",))
    named.account("anna")
    assert "data-passkey-sign-in" not in named.browser("http://a.example").get("/sign-in").text
    assert "data-passkey-sign-in" in named.browser("https://a.example").get("/sign-in").text
