"""What readers did with items: a log that only grows.

An undo is an entry of the log too, so what was acknowledged is never lost and a learned profile can be
replayed. Which act counts is worked out when asked: of the acts on an item that are not undone, the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store.schema import feedback, items, moment, seconds, visible
from attention_filter.types import Feedback, Sign

_undo = feedback.alias("undo")


def _standing(reader: int | sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """True for the reader's acts that are not undone."""
    undone = sa.exists().where(_undo.c.undoes == feedback.c.id)
    # `sign` marks an act. Asking `undoes IS NULL` instead, SQLite would go through that index: all readers' acts.
    return sa.and_(feedback.c.reader == reader, feedback.c.sign.is_not(None), ~undone)


def acted_on(reader: int, sign: Sign | None = None) -> sa.ColumnElement[bool]:
    """True for items with effective feedback of the reader; with `sign`, of that sign."""
    acts = effective(reader).subquery()
    chosen = sa.select(acts.c.item)
    return items.c.id.in_(chosen if sign is None else chosen.where(acts.c.sign == sign.value))


def effective(reader: int | sa.BindParameter[int]) -> sa.Select[Any]:
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


def add_all(connection: sa.Connection, reader: int, wanted: Sequence[int], sign: Sign, at: datetime) -> list[Feedback]:
    """Record the same act on several items, at one moment; nothing when the reader cannot see one of them."""
    return [add(connection, reader, item, sign, at) for item in wanted]


def on(connection: sa.Connection, reader: int, wanted: Sequence[int]) -> list[Feedback]:
    """All acts on these items that are not undone, oldest first; an item may have several."""
    return [_feedback(row) for row in connection.execute(_ON, {"reader": reader, "items": list(wanted)})]


_ON = (
    sa.select(feedback)
    .where(_standing(sa.bindparam("reader")), feedback.c.item.in_(sa.bindparam("items", expanding=True)))
    .order_by(feedback.c.id)
)


def with_sign(connection: sa.Connection, reader: int, sign: Sign) -> list[int]:
    """Items on which such an act stands, whatever was done with them since; the latest first."""
    last = sa.func.max(feedback.c.id)
    chosen = sa.select(feedback.c.item).where(_standing(reader), feedback.c.sign == sign.value)
    return list(connection.scalars(chosen.group_by(feedback.c.item).order_by(last.desc())))


def last_together(connection: sa.Connection, reader: int) -> list[int]:
    """The ids of the acts of the last moment at which the reader did something that still stands."""
    latest = sa.select(feedback.c.at).where(_standing(reader)).order_by(feedback.c.id.desc()).limit(1)
    at = connection.scalar(latest)
    return (
        []
        if at is None
        else list(connection.scalars(sa.select(feedback.c.id).where(_standing(reader), feedback.c.at == at)))
    )


def take_back(connection: sa.Connection, reader: int, acts: Sequence[int], at: datetime) -> list[Feedback]:
    """Undo these acts, as far as they are the reader's and stand; returns those."""
    chosen = sa.select(feedback).where(_standing(reader), feedback.c.id.in_(acts)).order_by(feedback.c.id)
    rows = connection.execute(chosen).all()
    undos = [{"reader": reader, "item": row.item, "at": seconds(at), "undoes": row.id} for row in rows]
    if undos:
        connection.execute(sa.insert(feedback), undos)
    return [_feedback(row) for row in rows]


def liked(
    connection: sa.Connection, reader: int, source: int, authors: Sequence[str]
) -> dict[str | None, tuple[int, int]]:
    """{None for the source, or an author: (items liked or saved, items acted on)}, of what acts say by now."""
    counts: dict[str | None, tuple[int, int]] = {name: (0, 0) for name in (None, *authors)}
    for sign, of, by in connection.execute(_BY_WHOM, {"reader": reader}):
        for name in [*([None] if of == source else []), *(author for author in authors if author in by)]:
            good, all_ = counts[name]
            counts[name] = (good + (sign in (Sign.LIKE.value, Sign.SAVE.value)), all_ + 1)
    return counts


def _by_whom() -> sa.Select[Any]:
    acts = effective(sa.bindparam("reader")).subquery()
    return sa.select(acts.c.sign, items.c.source, items.c.authors).join_from(acts, items, items.c.id == acts.c.item)


_BY_WHOM = _by_whom()  # built once: each page of an item asks it


def forget(connection: sa.Connection, reader: int, item: int) -> int:
    """Strike all the reader ever did with an item from the log, undos too; returns how many rows that were."""
    gone = 0
    for undos_first in (feedback.c.undoes.is_not(None), sa.true()):
        mine = sa.delete(feedback).where(feedback.c.reader == reader, feedback.c.item == item, undos_first)
        gone += connection.execute(mine).rowcount
    return gone


def log(connection: sa.Connection, reader: int, limit: int, before: int | None) -> list[tuple[Feedback, bool]]:
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
