from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from attention_filter.errors import UsageError
from attention_filter.store.accounts import SESSION, Account
from attention_filter.store.secrets import API, FEED, INVITATION
from attention_filter.store.store import Store
from attention_filter.types import SourceKind

DAY = timedelta(days=1)


@pytest.fixture
def owner(store: Store, now: datetime) -> Account:
    store.add_interest("bees", 1.0, now)
    return store.accounts.create("Anna", "hash", adopt="me", now=now)


@pytest.fixture
def guest(store: Store, owner: Account, now: datetime) -> Account:
    invitation = store.accounts.make_secret(owner.reader, INVITATION, "Ben", now=now)
    return store.accounts.create("Ben", None, invitation=invitation, now=now)


def test_the_first_account_owns_the_place_and_adopts_what_the_command_line_made(store: Store, owner: Account) -> None:
    assert owner.is_owner
    assert [i.text for i in store.for_reader(owner.reader).interests()] == ["bees"]
    assert store.accounts.find(" anna ") == store.accounts.get(owner.id) == owner


def test_a_second_account_needs_an_invitation_that_is_used_once(store: Store, owner: Account, now: datetime) -> None:
    with pytest.raises(UsageError, match="invitation"):
        store.accounts.create("Ben", None, now=now)
    invitation = store.accounts.make_secret(owner.reader, INVITATION, "Ben", now=now, expires=now + DAY)
    with pytest.raises(UsageError, match="invitation"):
        store.accounts.create("Ben", None, invitation=invitation, now=now + DAY)
    with pytest.raises(UsageError, match="taken"):
        store.accounts.create("ＡＮＮＡ", None, invitation=invitation, now=now)
    assert not store.accounts.create("Ben", None, invitation=invitation, now=now).is_owner
    with pytest.raises(UsageError, match="invitation"):
        store.accounts.create("Cleo", None, invitation=invitation, now=now)


def test_a_guest_cannot_choose_the_name_of_a_reader_to_see_their_stream(
    store: Store, owner: Account, now: datetime
) -> None:
    store.for_reader("diary").add_interest("secret", 1.0, now)
    invitation = store.accounts.make_secret(owner.reader, INVITATION, "x", now=now)
    guest = store.accounts.create("diary", None, adopt="diary", invitation=invitation, now=now)
    assert store.for_reader(guest.reader).interests() == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "an\nna\x00", "‮anna"])
def test_a_name_that_cannot_be_seen_is_refused(store: Store, now: datetime, name: str) -> None:
    with pytest.raises(UsageError, match="characters that can be seen"):
        store.accounts.create(name, None, now=now)


def test_a_renamed_account_is_found_by_its_new_name_only(store: Store, owner: Account, guest: Account) -> None:
    store.accounts.rename(guest.id, "Benno 王")
    assert store.accounts.find("benno 王") == replace(guest, name="Benno 王")
    assert store.accounts.find("Ben") is None
    with pytest.raises(UsageError, match="taken"):
        store.accounts.rename(guest.id, "anna")
    store.accounts.rename(owner.id, "ANNA")


def test_a_session_lives_for_thirty_days_after_the_last_visit(store: Store, owner: Account, now: datetime) -> None:
    token = store.accounts.start_session(owner.id, now, "a browser")
    visit = now + SESSION - DAY
    signed_in = store.accounts.by_session(token, visit)
    assert signed_in is not None
    assert signed_in.last_sign_in == now
    assert store.accounts.sessions(owner.id, visit)[0].last_seen == visit
    assert store.accounts.by_session(token, visit + SESSION - DAY) is not None
    assert store.accounts.by_session(token, visit + SESSION - DAY + SESSION) is None


def test_the_database_does_not_hold_the_token_of_a_session(store: Store, owner: Account, now: datetime) -> None:
    tokens = [
        store.accounts.start_session(owner.id, now),
        store.accounts.make_secret(owner.reader, API, "phone", now=now),
        store.accounts.make_secret(owner.reader, INVITATION, "Ben", now=now),
    ]
    store.backup(copy := store.path.with_name("copy.db"))
    assert not [token for token in tokens if token.encode() in copy.read_bytes()]
    assert store.accounts.by_session(store.accounts.sessions(owner.id, now)[0].id, now) is None


def test_signing_out_ends_this_session_or_all_but_this(store: Store, owner: Account, now: datetime) -> None:
    here, there, elsewhere = (store.accounts.start_session(owner.id, now) for _ in range(3))
    store.accounts.end_session(elsewhere)
    assert store.accounts.by_session(elsewhere, now) is None
    store.accounts.end_all_sessions(owner.id, keep=here)
    assert store.accounts.by_session(here, now) is not None
    assert store.accounts.by_session(there, now) is None


def test_expired_sessions_are_swept_out(store: Store, owner: Account, now: datetime) -> None:
    store.accounts.start_session(owner.id, now)
    store.accounts.start_session(owner.id, now + SESSION)
    assert len(store.accounts.sessions(owner.id, now)) == 1


def test_passkeys_and_identities_belong_to_one_account(
    store: Store, owner: Account, guest: Account, now: datetime
) -> None:
    accounts = store.accounts
    accounts.add_passkey(owner.id, b"id", b"key", 0, "phone", now)
    accounts.add_identity(owner.id, "https://id.example", "42")
    with pytest.raises(UsageError, match="registered already"):
        accounts.add_passkey(guest.id, b"id", b"key", 0, "phone", now)
    with pytest.raises(UsageError, match="another account"):
        accounts.add_identity(guest.id, "https://id.example", "42")
    (passkey,), (identity,) = accounts.passkeys(owner.id), accounts.identities(owner.id)
    with pytest.raises(UsageError, match="no such passkey"):
        accounts.remove_passkey(guest.id, passkey.id)
    with pytest.raises(UsageError, match="no such identity"):
        accounts.remove_identity(guest.id, identity.id)
    accounts.set_sign_count(passkey.id, 7)
    assert accounts.passkey(b"id") == replace(passkey, sign_count=7)
    assert accounts.by_identity("https://id.example", "42") == owner
    assert accounts.by_identity("https://other.example", "42") is None
    accounts.remove_passkey(owner.id, passkey.id)
    accounts.remove_identity(owner.id, identity.id)
    assert accounts.passkeys(owner.id) == accounts.identities(owner.id) == []


def test_a_secret_opens_its_purpose_until_it_is_revoked(store: Store, owner: Account, now: datetime) -> None:
    accounts = store.accounts
    token = accounts.make_secret("me", FEED, "physics", now=now, view={"interest": 3})
    found = accounts.by_secret(token, FEED, now)
    assert found is not None
    assert (found.reader, found.view, found.token) == ("me", {"interest": 3}, token)
    assert accounts.by_secret(token, API, now) is None
    assert accounts.by_secret(token + "x", FEED, now) is None
    assert accounts.secrets("me", FEED, now)[0].last_used == now
    with pytest.raises(UsageError):
        accounts.revoke("somebody else", found.id)
    accounts.revoke("me", found.id)
    assert accounts.by_secret(token, FEED, now) is None


def test_the_owner_goes_last_and_takes_along_what_is_theirs_alone(
    store: Store, owner: Account, guest: Account, now: datetime
) -> None:
    theirs = store.for_reader(guest.reader)
    theirs.add_source("https://e.org/feed", SourceKind.FEED, now=now)
    token = store.accounts.start_session(guest.id, now)
    secret = store.accounts.make_secret(guest.reader, API, "phone", now=now)
    with pytest.raises(UsageError, match="goes last"):
        store.accounts.delete(owner.id)
    store.accounts.delete(guest.id)
    assert theirs.sources() == []
    assert store.accounts.by_session(token, now) is None
    assert store.accounts.by_secret(secret, API, now) is None
    store.accounts.delete(owner.id)
    assert not store.accounts.any()
    assert store.check() == []


def test_forgetting_a_profile_keeps_its_account(store: Store, owner: Account, now: datetime) -> None:
    store.accounts.make_secret("me", FEED, "physics", now=now)
    store.set_age_limit(9)
    store.delete_reader()
    assert store.interests() == []
    assert store.accounts.secrets("me", FEED, now) == []
    assert store.accounts.find("Anna") == owner
    assert store.check() == []


def test_ids_of_nobody_are_refused(store: Store, tmp_path: Path) -> None:
    for act in (store.accounts.get, store.accounts.delete, lambda id_: store.accounts.set_password(id_, "hash")):
        with pytest.raises(UsageError, match="no such account"):
            act(99)
