"""accounts: list, add, password, remove, invite."""

import io

import pytest

from attention_filter.errors import UsageError
from attention_filter.server.passwords import verify
from attention_filter.settings import Settings
from attention_filter.store.store import open_store


@pytest.fixture
def typed(monkeypatch):
    """What comes on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.fixture
def anna(attention, typed):
    """The owner of the place."""
    typed("correct horse\n")
    assert attention("accounts", "add", "Anna", "--stdin").code == 0


def stored():
    return open_store(Settings().db)


def test_the_first_account_owns_the_place_and_what_the_command_line_made(attention, news, anna):
    (account,) = attention("accounts", "--json").json["accounts"]
    assert (account["name"], account["reader"], account["owner"], account["has_password"]) == ("Anna", "me", True, True)
    assert "owner" in attention("accounts").out


def test_every_other_account_has_a_reader_of_its_own(attention, anna, typed):
    typed("battery staple\n")
    assert attention("accounts", "add", "me", "--stdin").code == 0
    _, guest = attention("accounts", "list", "--json").json["accounts"]
    assert (guest["owner"], guest["reader"]) == (False, "me-2")
    with stored() as store:
        assert store.accounts.secrets("me", "invitation", store.accounts.all()[0].created) == []


@pytest.mark.parametrize(
    ("name", "password", "says"), [("Anna", "another one", "taken"), ("Ben", "short", "at least 8")]
)
def test_what_cannot_be_an_account_changes_nothing(attention, anna, typed, name, password, says):
    typed(password + "\n")
    done = attention("accounts", "add", name, "--stdin")
    assert (done.code, len(attention("accounts", "--json").json["accounts"])) == (2, 1)
    assert says in done.err


def test_a_lost_password_is_replaced_and_every_browser_signed_out(attention, anna, typed):
    with stored() as store:
        owner = store.accounts.all()[0]
        token = store.accounts.start_session(owner.id, owner.created)
    typed("my new passphrase\n")
    assert attention("accounts", "password", "ANNA", "--stdin").code == 0
    with stored() as store:
        owner = store.accounts.all()[0]
        assert verify("my new passphrase", owner.password)[0]
        assert store.accounts.by_session(token, owner.created) is None


def test_a_password_is_not_asked_for_without_a_terminal(attention, anna, typed):
    typed("")
    assert "--stdin" in attention("accounts", "password", "Anna").err
    assert "nobody here is called" in attention("accounts", "password", "Ben", "--stdin").err


def test_an_account_is_removed_with_all_that_is_theirs_and_the_owner_last(attention, anna, typed):
    typed("battery staple\n")
    attention("accounts", "add", "Ben", "--stdin")
    attention("--reader", "Ben", "interests", "add", "trams")
    assert "goes last" in attention("accounts", "remove", "Anna", "--yes").err
    assert "--yes" in attention("accounts", "remove", "Ben").err
    assert attention("accounts", "remove", "Ben", "--yes").code == 0
    assert attention("--reader", "Ben", "interests", "--json").json["interests"] == []
    assert len(attention("accounts", "--json").json["accounts"]) == 1


def test_an_invitation_made_at_the_machine_lets_one_person_in(attention, anna, monkeypatch):
    monkeypatch.setenv("ATTENTION_BASE_URL", "https://news.example.org")
    link = attention("accounts", "invite", "Ben").out.strip()
    assert link.startswith("https://news.example.org/invitation/")
    token = link.rpartition("/")[2]
    with stored() as store:
        now = store.accounts.all()[0].created
        assert store.accounts.create("Ben", None, invitation=token, now=now).reader == "Ben"
        with pytest.raises(UsageError, match="has been used"):
            store.accounts.create("Cleo", None, invitation=token, now=now)


def test_nobody_is_invited_to_a_place_that_nobody_owns(attention):
    assert "attention accounts add" in attention("accounts", "invite", "Ben").err
    assert "No accounts yet" in attention("accounts").out
