"""Backgrounds, and what items mean in context for each of them. Readers who follow the same sources share one.

A reader's state names a background by its stamp; one that no state names any more is dropped with its contexts.
A context is `dim` float16 in a BLOB. As with vectors, nothing marks an item as "to be seen in context": what has a
vector and no context is what is missing, and an item that changes loses its contexts (`items._update`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import sqlalchemy as sa

from attention_filter.store import readers
from attention_filter.store.items import chunks
from attention_filter.store.schema import backgrounds, contexts, items, models, state, subscriptions, vectors, visible
from attention_filter.store.vectors import find_model, of_titles

NAME = "background"  # of the state
AT_ONCE = 1_000
NONE = 0  # (a key that is compared with NULL would not be looked up but searched for in the whole table)

Marked = tuple[int, str]  # an item and the content that is meant


@dataclass(frozen=True, slots=True)
class Kept:
    """A background as it is stored: `marks` uint64 (n,), sorted, name the items and contents it was learned from."""

    stamp: str
    model: str
    marks: np.ndarray
    data: bytes


def current(connection: sa.Connection, reader: int) -> Kept | None:
    """The background that the reader's stream is scored against."""
    stamp = _stamp(connection, reader)
    row = connection.execute(_SELECT.where(backgrounds.c.stamp == stamp)).one_or_none()
    return _kept(row) if row else None


def of_the_same(connection: sa.Connection, reader: int, model: str) -> list[Kept]:
    """The reader's own background and those learned from the very sources that the reader follows, newest first."""
    own = backgrounds.c.stamp == _stamp(connection, reader)
    same = sa.or_(own, backgrounds.c.sources == _sources(connection, reader))
    chosen = _SELECT.where(backgrounds.c.model == model, same).order_by(own.desc(), backgrounds.c.id.desc())
    return [_kept(row) for row in connection.execute(chosen)]


def keep(connection: sa.Connection, reader: int, kept: Kept) -> None:
    """Score this reader's stream against `kept` from now on, and store it unless it is there already."""
    if find(connection, kept.stamp) == NONE:
        row = {"stamp": kept.stamp, "model": kept.model, "data": kept.data, "marks": kept.marks.tobytes()}
        connection.execute(sa.insert(backgrounds).values(**row, sources=_sources(connection, reader)))
    readers.put_state(connection, reader, NAME, kept.stamp.encode())
    drop_unused(connection)


def drop_unused(connection: sa.Connection) -> None:
    """Forget the backgrounds that no reader uses, and their contexts."""
    used = {stamp.decode() for stamp in connection.scalars(sa.select(state.c.data).where(state.c.name == NAME))}
    for id_, stamp in connection.execute(sa.select(backgrounds.c.id, backgrounds.c.stamp)).all():
        if stamp not in used:
            connection.execute(sa.delete(contexts).where(contexts.c.background == id_))
            connection.execute(sa.delete(backgrounds).where(backgrounds.c.id == id_))


def find(connection: sa.Connection, stamp: str | None) -> int:
    """The background's id, or NONE, which no background has."""
    return connection.scalar(sa.select(backgrounds.c.id).where(backgrounds.c.stamp == stamp)) or NONE


def marks(connection: sa.Connection, ids: Sequence[int], model: str) -> np.ndarray:
    """A number for each item with the content that it has now, and whether that has a vector of the model, or only its
    title, or neither: uint64 (n,), sorted."""
    known = [find_model(connection, name)[0] or NONE for name in (model, of_titles(model))]
    texts, titles = (
        sa.exists().where(vectors.c.model == id_, vectors.c.content_hash == items.c.said_hash) for id_ in known
    )
    state = sa.case((texts, ""), (titles, " of its title"), else_=" of nothing")
    found: list[bytes] = []
    for part in chunks(ids, AT_ONCE):
        rows = connection.execute(sa.select(items.c.id, items.c.said_hash, state).where(items.c.id.in_(part)))
        found += [blake2b(f"{id_} {content}{of}".encode(), digest_size=8).digest() for id_, content, of in rows]
    return np.sort(np.frombuffer(b"".join(found), np.uint64))


def missing(connection: sa.Connection, reader: int, stamp: str) -> list[Marked]:
    """What the reader may see that has a vector of the background's model and no context yet."""
    there = sa.select(contexts.c.item).join(backgrounds).where(backgrounds.c.stamp == stamp)
    model = sa.select(models.c.id).join(backgrounds, backgrounds.c.model == models.c.name)
    chosen = (
        sa.select(items.c.id, items.c.said_hash)
        .join(vectors, vectors.c.content_hash == items.c.said_hash)
        .where(vectors.c.model == model.where(backgrounds.c.stamp == stamp).scalar_subquery())
        .where(visible(reader), items.c.id.not_in(there))
        .order_by(items.c.id)
    )
    return [(id_, content) for id_, content in connection.execute(chosen)]


def put(connection: sa.Connection, stamp: str, of: Sequence[Marked], array: np.ndarray) -> None:
    """Store row i of `array` (n, dim) for of[i], unless that item has changed or the background is gone by now; what
    another process has stored meanwhile stays."""
    id_ = find(connection, stamp)
    if id_ == NONE or not of:
        return
    half = np.ascontiguousarray(array, np.float16)
    there = sa.exists().where(contexts.c.background == id_, contexts.c.item == items.c.id)
    row = sa.select(sa.literal(id_), items.c.id, sa.bindparam("row", type_=sa.LargeBinary)).where(
        items.c.id == sa.bindparam("id_of"), items.c.said_hash == sa.bindparam("content"), ~there
    )
    statement = sa.insert(contexts).from_select(["background", "item", "context"], row)
    given = [
        {"id_of": item, "content": content, "row": r.tobytes()} for (item, content), r in zip(of, half, strict=True)
    ]
    connection.execute(statement, given)


_SELECT = sa.select(backgrounds.c.stamp, backgrounds.c.model, backgrounds.c.marks, backgrounds.c.data)


def _kept(row: Any) -> Kept:
    return Kept(row.stamp, row.model, np.frombuffer(row.marks, np.uint64), row.data)


def _stamp(connection: sa.Connection, reader: int) -> str:
    return (readers.get_state(connection, reader, NAME) or b"").decode()


def _sources(connection: sa.Connection, reader: int) -> str:
    followed = sa.select(subscriptions.c.source).where(subscriptions.c.reader == reader)
    return json.dumps(sorted(connection.scalars(followed)))
