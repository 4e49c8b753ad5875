"""Whose labels stand beside a reader's items: the tellers that the reader's state names."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from attention_filter.store import readers
from attention_filter.store.schema import items, labels, tellers

NAME = "tellers"  # of the state: JSON of {"topic": a teller's name, "sentiment": another's, "told": how many labels}
NONE = 0  # (a key that is compared with NULL would not be looked up but searched for in the whole table)
TOPIC, FEELING = labels.alias("topics"), labels.alias("feelings")


def asked(connection: sa.Connection, reader: int) -> dict[str, int]:
    """The ids of the reader's tellers, as the parameters of `beside`."""
    named = json.loads(readers.get_state(connection, reader, NAME) or b"{}")
    both = {what: named.get(what, "") for what in ("topic", "sentiment")}
    known = {name: id_ for id_, name in connection.execute(_TELLERS, {"names": list(both.values())})} if named else {}
    return {f"{what}_teller": known.get(name, NONE) for what, name in both.items()}


_TELLERS = sa.select(tellers.c.id, tellers.c.name).where(tellers.c.name.in_(sa.bindparam("names", expanding=True)))


def beside(selected: sa.Select[Any]) -> sa.Select[Any]:
    """A selection of items with the labels beside them, which are columns of TOPIC and FEELING."""
    for table, teller in ((TOPIC, "topic_teller"), (FEELING, "sentiment_teller")):
        told = sa.and_(table.c.teller == sa.bindparam(teller), table.c.content_hash == items.c.said_hash)
        selected = selected.outerjoin(table, told)
    return selected


def find(connection: sa.Connection, teller: str) -> int:
    """Its id; NONE when it has told nothing."""
    return connection.scalar(sa.select(tellers.c.id).where(tellers.c.name == teller)) or NONE
