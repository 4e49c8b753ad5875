"""Who may sign in, and by what: accounts with their passkeys, identities, sessions and secret addresses."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store import labels, readers, secrets, sqlite
from attention_filter.store.schema import accounts, identities, moment, moment_or_none, passkeys, seconds, sessions
from attention_filter.store.schema import readers as reader_rows
from attention_filter.store.secrets import INVITATION, Secret, draw_token, hash_of

LONGEST_NAME = 64  # characters
SESSION = timedelta(days=30)  # without a visit
SLIDE = timedelta(hours=1)  # a visit is written down at most this often
LONGEST_AGENT = 200  # characters


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may sign in, and the reader whose stream they see. Times are UTC."""

    id: int
    name: str
    reader: str
    is_owner: bool
    password: str | None  # its argon2 hash
    created: datetime
    last_sign_in: datetime | None


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential; `public_key` is a COSE key."""

    id: int
    account: int
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What an OpenID Connect issuer calls the person."""

    id: int
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in; `id` is the hash of its token and opens nothing."""

    id: str
    created: datetime
    last_seen: datetime
    user_agent: str


def name_key(name: str) -> str:
    """The name as it is compared, so that no two accounts look alike.

    >>> name_key("  ANNA  Müller "), name_key("Ａｎｎａ")
    ('anna müller', 'anna')
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def checked_name(name: str) -> str:
    """The name with its spaces put right; UsageError when it cannot be one."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or not name_key(name):
        raise UsageError(f"a name has 1 to {LONGEST_NAME} characters that can be seen")
    return name


class Accounts:
    """The accounts of one database. Each method is one transaction; UsageError for an id that is not there."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with sqlite.one_line_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with sqlite.one_line_errors(self._path), sqlite.writing(self._engine) as connection:
            yield connection

    # Accounts

    def create(
        self,
        name: str,
        password: str | None,
        *,
        now: datetime,
        adopt: str | None = None,
        invitation: str | None = None,
    ) -> Account:
        """Make an account; `password` is a hash. The first one owns the place and may adopt the reader `adopt`.

        Every other needs the token of an invitation, which is used up in the same transaction, and gets a reader
        of its own: a guest must not step into the stream of a reader who happens to bear the chosen name.
        """
        name = checked_name(name)
        with self._write() as connection:
            first = connection.scalar(sa.select(accounts.c.id).limit(1)) is None
            if not first and secrets.take(connection, invitation or "", INVITATION, now) is None:
                raise UsageError("this invitation has been used or has expired; ask for a new one")
            if connection.scalar(sa.select(accounts.c.id).where(accounts.c.name_key == name_key(name))):
                raise UsageError(f"{name}: this name is taken; choose another")
            reader = adopt if first and adopt is not None else _unused_reader(connection, name)
            row = {
                "reader": readers.find_or_add(connection, reader),
                "name": name,
                "name_key": name_key(name),
                "password": password,
                "created": seconds(now),
                "is_owner": first,
            }
            added = connection.execute(sa.insert(accounts).values(row))
            (id_,) = added.inserted_primary_key or (0,)
        return Account(int(id_), name, reader, first, password, now, None)

    def any(self) -> bool:
        """Is there an account at all?"""
        with self._read() as connection:
            return connection.scalar(sa.select(accounts.c.id).limit(1)) is not None

    def find(self, name: str) -> Account | None:
        with self._read() as connection:
            return _one(connection, accounts.c.name_key == name_key(name))

    def get(self, id_: int) -> Account:
        with self._read() as connection:
            found = _one(connection, accounts.c.id == id_)
        if found is None:
            raise UsageError(f"account {id_}: there is no such account")
        return found

    def all(self) -> list[Account]:
        """All accounts, the owner's first."""
        with self._read() as connection:
            rows = connection.execute(_select().order_by(accounts.c.is_owner.desc(), accounts.c.id))
            return [_account(row) for row in rows]

    def rename(self, account: int, name: str) -> None:
        name = checked_name(name)
        with self._write() as connection:
            taken = connection.scalar(sa.select(accounts.c.id).where(accounts.c.name_key == name_key(name)))
            if taken not in (None, account):
                raise UsageError(f"{name}: this name is taken; choose another")
            _set(connection, account, name=name, name_key=name_key(name))

    def set_password(self, account: int, password: str | None) -> None:
        """Keep another hash; None leaves passkeys, OpenID Connect or the proxy to sign in by."""
        with self._write() as connection:
            _set(connection, account, password=password)

    def delete(self, account: int) -> None:
        """Forget the account and all that its reader has stored; the owner goes last."""
        with self._write() as connection:
            found = _one(connection, accounts.c.id == account)
            if found is None:
                raise UsageError(f"account {account}: there is no such account")
            others = connection.scalar(sa.select(accounts.c.id).where(accounts.c.id != account).limit(1))
            if found.is_owner and others is not None:
                raise UsageError("the owner's account goes last; delete the other accounts first")
            for table in (passkeys, identities, sessions):
                connection.execute(sa.delete(table).where(table.c.account == account))
            connection.execute(sa.delete(accounts).where(accounts.c.id == account))
            readers.delete(connection, readers.find(connection, found.reader))
            labels.drop_unused(connection)

    # Sessions

    def start_session(self, account: int, now: datetime, user_agent: str = "") -> str:
        """Sign in: a new token, which the browser keeps. Sessions that have expired are swept out."""
        token = draw_token()
        row = {"id": hash_of(token), "account": account, "user_agent": user_agent[:LONGEST_AGENT]}
        row |= {"created": seconds(now), "last_seen": seconds(now), "expires": seconds(now + SESSION)}
        with self._write() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.expires <= seconds(now)))
            connection.execute(sa.insert(sessions).values(row))
            _set(connection, account, last_sign_in=seconds(now))
        return token

    def by_session(self, token: str, now: datetime) -> Account | None:
        """Whose token it is, unless it has expired; a visit lets it live for 30 days more."""
        valid = (sessions.c.id == hash_of(token), sessions.c.expires > seconds(now))
        with self._read() as connection:
            row = connection.execute(sa.select(sessions.c.account, sessions.c.last_seen).where(*valid)).one_or_none()
            found = None if row is None else _one(connection, accounts.c.id == row.account)
        if row is not None and now - moment(row.last_seen) >= SLIDE:
            with self._write() as connection:
                seen = {"last_seen": seconds(now), "expires": seconds(now + SESSION)}
                connection.execute(sa.update(sessions).where(*valid).values(seen))
        return found

    def sessions(self, account: int, now: datetime) -> list[Session]:
        """Where the account is signed in, the last seen first."""
        mine = sa.select(sessions).where(sessions.c.account == account, sessions.c.expires > seconds(now))
        with self._read() as connection:
            rows = connection.execute(mine.order_by(sessions.c.last_seen.desc()))
            return [Session(row.id, moment(row.created), moment(row.last_seen), row.user_agent) for row in rows]

    def end_session(self, token: str) -> None:
        with self._write() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.id == hash_of(token)))

    def end_all_sessions(self, account: int, *, keep: str = "") -> None:
        """Sign the account out everywhere, but for the session of the token `keep`."""
        with self._write() as connection:
            mine = (sessions.c.account == account, sessions.c.id != hash_of(keep))
            connection.execute(sa.delete(sessions).where(*mine))

    # Passkeys

    def add_passkey(
        self, account: int, credential_id: bytes, public_key: bytes, sign_count: int, name: str, now: datetime
    ) -> None:
        row = {"account": account, "credential_id": credential_id, "public_key": public_key}
        row |= {"sign_count": sign_count, "name": checked_name(name), "created": seconds(now)}
        with self._write() as connection:
            if connection.scalar(sa.select(passkeys.c.id).where(passkeys.c.credential_id == credential_id)):
                raise UsageError("this passkey is registered already")
            connection.execute(sa.insert(passkeys).values(row))

    def passkeys(self, account: int) -> list[Passkey]:
        with self._read() as connection:
            mine = sa.select(passkeys).where(passkeys.c.account == account).order_by(passkeys.c.id)
            return [_passkey(row) for row in connection.execute(mine)]

    def passkey(self, credential_id: bytes) -> Passkey | None:
        with self._read() as connection:
            wanted = sa.select(passkeys).where(passkeys.c.credential_id == credential_id)
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _passkey(row)

    def set_sign_count(self, passkey: int, sign_count: int) -> None:
        with self._write() as connection:
            connection.execute(sa.update(passkeys).where(passkeys.c.id == passkey).values(sign_count=sign_count))

    def remove_passkey(self, account: int, id_: int) -> None:
        with self._write() as connection:
            mine = (passkeys.c.account == account, passkeys.c.id == id_)
            if not connection.execute(sa.delete(passkeys).where(*mine)).rowcount:
                raise UsageError(f"passkey {id_}: you have no such passkey")

    # Identities of OpenID Connect

    def add_identity(self, account: int, issuer: str, subject: str) -> None:
        with self._write() as connection:
            wanted = (identities.c.issuer == issuer, identities.c.subject == subject)
            owner = connection.scalar(sa.select(identities.c.account).where(*wanted))
            if owner not in (None, account):
                raise UsageError(f"{issuer}: this identity belongs to another account here")
            if owner is None:
                connection.execute(sa.insert(identities).values(account=account, issuer=issuer, subject=subject))

    def by_identity(self, issuer: str, subject: str) -> Account | None:
        wanted = (identities.c.issuer == issuer, identities.c.subject == subject)
        with self._read() as connection:
            return _one(connection, accounts.c.id.in_(sa.select(identities.c.account).where(*wanted)))

    def identities(self, account: int) -> list[Identity]:
        with self._read() as connection:
            mine = sa.select(identities).where(identities.c.account == account).order_by(identities.c.id)
            return [Identity(row.id, row.issuer, row.subject) for row in connection.execute(mine)]

    def remove_identity(self, account: int, id_: int) -> None:
        with self._write() as connection:
            mine = (identities.c.account == account, identities.c.id == id_)
            if not connection.execute(sa.delete(identities).where(*mine)).rowcount:
                raise UsageError(f"identity {id_}: you have no such identity")

    # Secret addresses and tokens

    def make_secret(
        self,
        reader: str,
        purpose: str,
        name: str,
        *,
        now: datetime,
        view: Mapping[str, Any] | None = None,
        expires: datetime | None = None,
    ) -> str:
        """A new token that opens `purpose` of the reader, until it is revoked or expires."""
        with self._write() as connection:
            return secrets.make(connection, reader, purpose, name, now, view or {}, expires)

    def by_secret(self, token: str, purpose: str, now: datetime) -> Secret | None:
        """What the token opens; the use is noted. None for any token that is not valid for the purpose."""
        with self._read() as connection:
            found = secrets.find(connection, token, purpose, now)
        if found is not None and secrets.is_stale(found, now):
            with self._write() as connection:
                secrets.note_use(connection, found, now)
        return found

    def secrets(self, reader: str, purpose: str, now: datetime) -> list[Secret]:
        with self._read() as connection:
            return secrets.all_of(connection, reader, purpose, now)

    def rename_secret(self, reader: str, id_: int, name: str) -> None:
        with self._write() as connection:
            secrets.rename(connection, reader, id_, name)

    def revoke(self, reader: str, id_: int) -> None:
        """The token opens nothing from now on."""
        with self._write() as connection:
            secrets.revoke(connection, reader, id_)


def _unused_reader(connection: sa.Connection, name: str) -> str:
    """A reader's name that nobody has stored anything under: the account's own, or with a number."""
    candidates = (name if n == 1 else f"{name}-{n}" for n in count(1))
    return next(reader for reader in candidates if readers.find(connection, reader) == readers.NOBODY)


def _select() -> sa.Select[Any]:
    return sa.select(accounts, reader_rows.c.name.label("reader_name")).join(
        reader_rows, reader_rows.c.id == accounts.c.reader
    )


def _one(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Account | None:
    row = connection.execute(_select().where(condition)).one_or_none()
    return None if row is None else _account(row)


def _set(connection: sa.Connection, account: int, **values: object) -> None:
    if not connection.execute(sa.update(accounts).where(accounts.c.id == account).values(values)).rowcount:
        raise UsageError(f"account {account}: there is no such account")


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        row.id,
        row.name,
        row.reader_name,
        row.is_owner,
        row.password,
        moment(row.created),
        moment_or_none(row.last_sign_in),
    )


def _passkey(row: sa.Row[Any]) -> Passkey:
    return Passkey(
        row.id, row.account, row.credential_id, row.public_key, row.sign_count, row.name, moment(row.created)
    )
