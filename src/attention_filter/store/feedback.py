"""What readers did with items: a log that only grows.

An undo is an entry of the log too, so what was acknowledged is never lost and a learned profile can be
replayed. Which act counts is worked out when asked: of the acts on an item that are not undone, the latest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store.schema import feedback, items, moment, seconds, visible
from attention_filter.types import Feedback, Sign

_undo = feedback.alias("undo")


def _standing(reader: int) -> sa.ColumnElement[bool]:
    """True for the reader's acts that are not undone."""
    undone = sa.exists().where(_undo.c.undoes == feedback.c.id)
    # `sign` marks an act. Asking `undoes IS NULL` instead, SQLite would go through that index: all readers' acts.
    return sa.and_(feedback.c.reader == reader, feedback.c.sign.is_not(None), ~undone)


def acted_on(reader: int, sign: Sign | None = None) -> sa.ColumnElement[bool]:
    """True for items with effective feedback of the reader; with `sign`, of that sign."""
    acts = effective(reader).subquery()
    chosen = sa.select(acts.c.item)
    return items.c.id.in_(chosen if sign is None else chosen.where(acts.c.sign == sign.value))


def effective(reader: int) -> sa.Select[Any]:
    """Rows id, item, sign, at: per item the latest act that is not undone."""
    latest = sa.func.row_number().over(
        partition_by=feedback.c.item, order_by=(feedback.c.at.desc(), feedback.c.id.desc())
    )
    acts = sa.select(feedback, latest.label("place")).where(_standing(reader)).subquery()
    return sa.select(acts.c.id, acts.c.item, acts.c.sign, acts.c.at).where(acts.c.place == 1)


def add(connection: sa.Connection, reader: int, item: int, sign: Sign, at: datetime) -> Feedback:
    """Record the act; UsageError when the reader cannot see such an item."""
    if connection.scalar(sa.select(items.c.id).where(items.c.id == item, visible(reader))) is None:
        raise UsageError(f"item {item}: no such item; `attention read` shows the ids")
    row = {"reader": reader, "item": item, "sign": sign.value, "at": seconds(at)}
    added = connection.execute(sa.insert(feedback).values(row))
    (id_,) = added.inserted_primary_key or (0,)
    return Feedback(int(id_), item, sign, at)


def undo(connection: sa.Connection, reader: int, at: datetime) -> Feedback | None:
    """Take back the act the reader did last; returns it, or None when there is none left."""
    last = sa.select(feedback).where(_standing(reader)).order_by(feedback.c.id.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return None
    taken = {"reader": reader, "item": row.item, "at": seconds(at), "undoes": row.id}
    connection.execute(sa.insert(feedback).values(taken))
    return _feedback(row)


def undo_one(connection: sa.Connection, reader: int, id_: int, at: datetime) -> Feedback:
    """Take back this act; UsageError when it is not the reader's or was taken back before."""
    row = connection.execute(sa.select(feedback).where(_standing(reader), feedback.c.id == id_)).one_or_none()
    if row is None:
        raise UsageError(f"act {id_}: no such act of yours, or it was taken back already")
    taken = {"reader": reader, "item": row.item, "at": seconds(at), "undoes": row.id}
    connection.execute(sa.insert(feedback).values(taken))
    return _feedback(row)


def forget(connection: sa.Connection, reader: int, item: int) -> int:
    """Strike all the reader ever did with an item from the log, undos too; returns how many rows that were."""
    gone = 0
    for undos_first in (feedback.c.undoes.is_not(None), sa.true()):
        mine = sa.delete(feedback).where(feedback.c.reader == reader, feedback.c.item == item, undos_first)
        gone += connection.execute(mine).rowcount
    return gone


def acts(connection: sa.Connection, reader: int, limit: int, before: int | None) -> list[tuple[Feedback, bool]]:
    """The reader's acts, newest first, each with whether it was taken back; `before` is the id of a later act."""
    undone = sa.exists().where(_undo.c.undoes == feedback.c.id)
    chosen = sa.select(feedback, undone.label("undone")).where(
        feedback.c.reader == reader, feedback.c.sign.is_not(None), *([feedback.c.id < before] if before else [])
    )
    rows = connection.execute(chosen.order_by(feedback.c.id.desc()).limit(limit))
    return [(_feedback(row), bool(row.undone)) for row in rows]


def all_of(connection: sa.Connection, reader: int) -> list[Feedback]:
    """The effective feedback, oldest first."""
    acts = effective(reader).subquery()
    rows = connection.execute(sa.select(acts).order_by(acts.c.at, acts.c.id))
    return [_feedback(row) for row in rows]


def _feedback(row: sa.Row[Any]) -> Feedback:
    return Feedback(row.id, row.item, Sign(row.sign), moment(row.at))
