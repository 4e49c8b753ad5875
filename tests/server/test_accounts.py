import re
from pathlib import Path
from typing import Any

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from attention_filter.server import accounts, passwords
from attention_filter.server.language import language

PASSWORD = "correct horse"


def link_in(page: str) -> str:
    found = re.search(r"http://localhost:8000(/invitation/[\w-]+)", page)
    assert found is not None
    return found[1]


def invited(place: Any, owner: Any) -> str:
    return link_in(owner.post("/account/invitations", data={"name": "Ben"}).text)


def test_a_guest_comes_in_once_by_the_link_of_the_owner(place: Any) -> None:
    link = invited(place, place.member("anna"))
    guest = place.browser()
    assert guest.get(link).status_code == 200
    assert guest.post(link, data={"name": "Ben", "password": PASSWORD}).status_code == 303
    assert guest.get("/account").status_code == 200
    assert [(one.name, one.is_owner, one.reader) for one in place.accounts.all()] == [
        ("anna", True, "me"),
        ("Ben", False, "Ben"),
    ]
    assert place.browser().get(link).status_code == 404
    assert place.browser().post(link, data={"name": "Eve", "password": PASSWORD}).status_code == 404


def test_an_invitation_ends_after_a_week_or_when_it_is_withdrawn(place: Any) -> None:
    owner = place.member("anna")
    late, withdrawn = invited(place, owner), invited(place, owner)
    *_, last = place.accounts.secrets("me", "invitation", place.clock())
    owner.post(f"/account/invitations/{last.id}/revoke")
    assert place.browser().get(withdrawn).status_code == 404
    place.clock.go(days=7)
    assert place.browser().get(late).status_code == 404


def test_a_mistake_does_not_use_up_the_invitation(place: Any) -> None:
    link = invited(place, place.member("anna"))
    for form in ({"name": "Ben", "password": "short"}, {"name": "ANNA", "password": PASSWORD}, {"password": PASSWORD}):
        answer = place.browser().post(link, data=form)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
    assert place.browser().post(link, data={"name": "Ben", "password": PASSWORD}).status_code == 303


def test_a_name_with_braces_is_an_error_that_can_be_shown(place: Any) -> None:
    link = invited(place, place.member("{anna}"))
    answer = place.browser().post(link, data={"name": "{anna}", "password": PASSWORD})
    assert "{anna}: this name is taken" in answer.text


def test_only_the_owner_invites_and_closes_accounts(place: Any) -> None:
    owner = place.member("anna")
    guest = place.member("ben")
    ben = place.accounts.find("ben")
    assert guest.post("/account/invitations", data={"name": "x"}).status_code == 403
    assert guest.post(f"/account/people/{ben.id}/delete").status_code == 403
    assert owner.post("/account/people/1/delete").status_code == 404  # oneself
    assert owner.post(f"/account/people/{ben.id}/delete").status_code == 303
    assert place.accounts.find("ben") is None
    assert guest.get("/account").status_code == 303


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer_after_the_same_work(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.account("anna")
    checked = []
    work = Argon2Hasher.verify

    def counting(self: Any, password: Any, stored: Any) -> bool:
        checked.append(stored)
        return work(self, password, stored)

    monkeypatch.setattr(Argon2Hasher, "verify", counting)
    pages = [
        place.browser().post("/sign-in", data={"name": name, "password": "wrong one"}) for name in ("anna", "nobody")
    ]
    assert [page.status_code for page in pages] == [403, 403]
    assert pages[0].text.replace("anna", "nobody") == pages[1].text
    assert len(checked) == 2


def test_any_eight_characters_are_a_password_and_seven_are_none(place: Any) -> None:
    browser = place.browser()
    assert browser.post("/setup", data={"name": "anna", "password": "1234567"}).status_code == 400
    assert browser.post("/setup", data={"name": "anna", "password": "八个汉字也是密码"}).status_code == 303


def test_a_password_is_the_same_from_any_keyboard() -> None:
    stored = passwords.hash_password("Ｐassword é")
    assert passwords.verify("Password e\u0301", stored)[0]
    assert not passwords.verify("password e\u0301", stored)[0]


def test_a_hash_of_old_parameters_is_renewed_at_sign_in(place: Any) -> None:
    account = place.account("anna")
    old = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024),)).hash(PASSWORD)
    place.accounts.set_password(account.id, old)
    assert place.browser().post("/sign-in", data={"name": "anna", "password": PASSWORD}).status_code == 303
    renewed = place.accounts.get(account.id).password
    assert renewed != old
    assert passwords.verify(PASSWORD, renewed) == (True, None)


def test_a_new_password_needs_the_old_one_and_signs_out_the_others(place: Any) -> None:
    here, there = place.member("anna"), place.browser()
    there.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    assert here.post("/account/password", data={"current": "wrong", "password": "battery staple"}).status_code == 403
    assert here.post("/account/password", data={"current": PASSWORD, "password": "short"}).status_code == 400
    assert there.get("/account").status_code == 200
    assert here.post("/account/password", data={"current": PASSWORD, "password": "battery staple"}).status_code == 303
    assert there.get("/account").status_code == 303
    assert here.get("/account").status_code == 200
    assert there.post("/sign-in", data={"name": "anna", "password": "battery staple"}).status_code == 303


def test_one_signs_out_everywhere_else(place: Any) -> None:
    here, there = place.member("anna"), place.browser()
    there.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    here.post("/account/sessions/end")
    assert (here.get("/account").status_code, there.get("/account").status_code) == (200, 303)


def test_an_account_can_be_renamed_and_deleted_with_all_that_is_theirs(place: Any) -> None:
    place.member("anna")
    browser = place.member("ben")
    browser.post("/account/name", data={"name": "Benno"})
    assert browser.post("/account/name", data={"name": "anna"}).status_code == 400
    ben = place.accounts.find("benno")
    place.store.for_reader(ben.reader).add_interest("bees", 1.0, place.clock())
    assert browser.post("/account/delete", data={"current": "wrong"}).status_code == 403
    assert browser.post("/account/delete", data={"current": PASSWORD}).status_code == 303
    assert place.accounts.find("benno") is None
    assert ben.reader not in place.store.readers()


def test_what_a_person_typed_is_shown_and_never_run(place: Any) -> None:
    owner = place.member('<b a="\'">')
    page = owner.get("/account").text
    assert "<b a=" not in page
    assert "&lt;b a=" in page


def test_every_field_has_a_label_and_the_page_speaks_chinese(place: Any) -> None:
    owner = place.member("anna")
    for page in (owner.get("/account"), place.browser().get("/sign-in")):
        fields = re.findall(r'<input (?![^>]*type="hidden")[^>]*id="([\w-]+)"', page.text)
        assert fields
        assert set(fields) <= set(re.findall(r'<label for="([\w-]+)"', page.text))
        assert " style=" not in page.text
        assert not re.search(r"<script(?![^>]*src=)", page.text)
    assert "登录" in place.browser(Accept_Language="zh-CN").get("/sign-in").text


def test_all_that_these_pages_say_is_said_in_chinese() -> None:
    server = Path(passwords.__file__).parent
    pages = [server / "templates" / name for name in ("sign_in.html", "new_account.html", "account.html")]
    said = {text for page in pages for text in re.findall(r'\bt\("([^"]+)"', page.read_text())}
    said |= {accounts.WRONG, accounts.LATER}
    said |= set(re.findall(r'_failed\(\s*request,\s*"([^"]+)"', (server / "oidc.py").read_text()))
    assert len(said) > 50
    assert said - language("zh").messages.keys() == set()
