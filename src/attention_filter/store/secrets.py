"""Addresses and tokens that let in whoever holds them: secret feeds, API tokens, invitations.

Of a token only the SHA-256 is kept and looked up, so neither a stolen backup nor the time of a comparison tells
one. A feed's token is kept in clear, too: its owner must be shown the address again, and it opens nothing that does
not lie beside it in the same database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store import readers
from attention_filter.store.schema import moment, moment_or_none, seconds, seconds_or_none, secrets
from attention_filter.store.schema import readers as reader_rows

FEED, API, INVITATION = "feed", "api", "invitation"  # purposes
SHOWN_AGAIN = frozenset({FEED})
INVITED_FOR = timedelta(days=7)
LONGEST_NAME = 100  # characters
ACCURACY = 60.0  # seconds; a use is written down at most this often


@dataclass(frozen=True, slots=True)
class Secret:
    """What a token opens. `view` says what a feed holds; `token` is None when it is shown only once."""

    id: int
    reader: str
    purpose: str
    name: str
    view: Mapping[str, Any]
    token: str | None
    created: datetime
    last_used: datetime | None
    expires: datetime | None


def draw_token() -> str:
    """256 bits from the operating system, fit for an address; never from a seed or a caller."""
    return token_urlsafe(32)


def hash_of(token: str) -> str:
    """What is kept of a token; whatever was typed has one, so a wrong token is never an error."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def make(
    connection: sa.Connection,
    reader: str,
    purpose: str,
    name: str,
    now: datetime,
    view: Mapping[str, Any],
    expires: datetime | None,
) -> str:
    name = _checked_name(name)
    token = draw_token()
    row = {
        "reader": readers.find_or_add(connection, reader),
        "purpose": purpose,
        "name": name,
        "view": dict(view),
        "token_hash": hash_of(token),
        "token": token if purpose in SHOWN_AGAIN else None,
        "created": seconds(now),
        "expires": seconds_or_none(expires),
    }
    connection.execute(sa.insert(secrets).values(row))
    return token


def find(connection: sa.Connection, token: str, purpose: str, now: datetime) -> Secret | None:
    """What the token opens for this purpose, if it is one that has not expired."""
    wanted = (secrets.c.token_hash == hash_of(token), secrets.c.purpose == purpose, _valid(now))
    row = connection.execute(_select().where(*wanted)).one_or_none()
    return None if row is None else _secret(row)


def take(connection: sa.Connection, token: str, purpose: str, now: datetime) -> Secret | None:
    """The same, once: the token opens nothing afterwards."""
    found = find(connection, token, purpose, now)
    if found is not None:
        connection.execute(sa.delete(secrets).where(secrets.c.id == found.id))
    return found


def all_of(connection: sa.Connection, reader: str, purpose: str, now: datetime) -> list[Secret]:
    wanted = (reader_rows.c.name == reader, secrets.c.purpose == purpose, _valid(now))
    return [_secret(row) for row in connection.execute(_select().where(*wanted).order_by(secrets.c.id))]


def is_stale(secret: Secret, now: datetime) -> bool:
    """Has this use to be written down? Not at every visit of a program that comes each second."""
    return secret.last_used is None or (now - secret.last_used).total_seconds() >= ACCURACY


def note_use(connection: sa.Connection, secret: Secret, now: datetime) -> None:
    connection.execute(sa.update(secrets).where(secrets.c.id == secret.id).values(last_used=seconds(now)))


def rename(connection: sa.Connection, reader: str, id_: int, name: str) -> None:
    mine = (secrets.c.reader == readers.find(connection, reader), secrets.c.id == id_)
    if not connection.execute(sa.update(secrets).where(*mine).values(name=_checked_name(name))).rowcount:
        raise UsageError(f"secret {id_}: you have no such address or token")


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"give it a name of at most {LONGEST_NAME} characters, so that you know it again")
    return name


def revoke(connection: sa.Connection, reader: str, id_: int) -> None:
    mine = (secrets.c.reader == readers.find(connection, reader), secrets.c.id == id_)
    if not connection.execute(sa.delete(secrets).where(*mine)).rowcount:
        raise UsageError(f"secret {id_}: you have no such address or token")


def _valid(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(secrets.c.expires.is_(None), secrets.c.expires > seconds(now))


def _select() -> sa.Select[Any]:
    return sa.select(secrets, reader_rows.c.name.label("reader_name")).join(
        reader_rows, reader_rows.c.id == secrets.c.reader
    )


def _secret(row: sa.Row[Any]) -> Secret:
    return Secret(
        row.id,
        row.reader_name,
        row.purpose,
        row.name,
        row.view,
        row.token,
        moment(row.created),
        moment_or_none(row.last_used),
        moment_or_none(row.expires),
    )
