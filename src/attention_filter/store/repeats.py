"""What sources repeat, and where it stands in their items. Shared by all readers, as the items are.

As with vectors, nothing marks an item as "to be looked at": what has no row in `left_out` is what is missing, and an
item that changes loses its row (`items._update`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import sqlalchemy as sa

from attention_filter.repeats import Repeats
from attention_filter.store.items import chunks, forget_contexts
from attention_filter.store.schema import contents, items, left_out, repeats, subscribed
from attention_filter.types import LeftOut
from attention_filter.words import count_terms

MAX_ID = 2**63 - 1


class Waiting(NamedTuple):
    """A source with items that were not looked at: how many it has, and how many of them wait."""

    source: int
    items: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Raw:
    """An item to be looked at. `html` is empty when it can hold neither code nor tables nor captions."""

    id: int
    content_hash: str
    title: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Said:
    """What was found of an item with this content: where its text says nothing, a hash of title and what is left, and
    as much of the two as words are counted of."""

    id: int
    content_hash: str
    places: tuple[LeftOut, ...]
    said_hash: str
    title: str
    text: str


def unread(connection: sa.Connection, reader: int) -> list[Waiting]:
    """The sources that the reader follows with items that were not looked at."""
    looked = sa.func.count(left_out.c.item)
    every = sa.func.count(items.c.id)
    chosen = sa.select(items.c.source, every, every - looked)
    chosen = chosen.select_from(items).outerjoin(left_out, left_out.c.item == items.c.id).where(subscribed(reader))
    grouped = chosen.group_by(items.c.source).having(every > looked).order_by(items.c.source)
    return [Waiting(*row) for row in connection.execute(grouped)]


def newest(connection: sa.Connection, source: int, limit: int, chars: int) -> list[tuple[str, str]]:
    """Title and text, at most so many characters of it, of the newest items of a source."""
    chosen = sa.select(items.c.title, sa.func.substr(contents.c.text, 1, chars)).join_from(items, contents)
    chosen = chosen.where(items.c.source == source).order_by(items.c.date.desc(), items.c.id.desc()).limit(limit)
    return [(title, text) for title, text in connection.execute(chosen)]


def titles(connection: sa.Connection, source: int, limit: int) -> list[str]:
    """Of the newest items of a source."""
    chosen = sa.select(items.c.title).where(items.c.source == source)
    return list(connection.scalars(chosen.order_by(items.c.date.desc(), items.c.id.desc()).limit(limit)))


def known(connection: sa.Connection, source: int) -> tuple[int, Repeats] | None:
    """How many items the source had when it was learned what it repeats, and that; None before."""
    chosen = sa.select(repeats.c.learned_from, repeats.c.data).where(repeats.c.source == source)
    row = connection.execute(chosen).one_or_none()
    return (row.learned_from, Repeats.from_json(row.data)) if row else None


def learn(connection: sa.Connection, source: int, of: int, found: Repeats) -> None:
    """Keep what the source repeats; if that is other than before, all its items are to be looked at again."""
    before = known(connection, source)
    if before is None or replace(before[1], items=found.items) != found:
        mine = sa.select(items.c.id).where(items.c.source == source)
        connection.execute(sa.delete(left_out).where(left_out.c.item.in_(mine)))
    connection.execute(sa.delete(repeats).where(repeats.c.source == source))
    connection.execute(sa.insert(repeats).values(source=source, learned_from=of, data=found.to_json()))


_ASIDES = sa.or_(*(contents.c.html.contains(f"<{name}") for name in ("pre", "table", "figcaption")))


def unread_items(connection: sa.Connection, source: int, limit: int, before: int | None = None) -> list[Raw]:
    """Items of the source that were not looked at, the last stored first; those with an id below `before`, if given."""
    chosen = sa.select(
        items.c.id, items.c.content_hash, items.c.title, contents.c.text, sa.case((_ASIDES, contents.c.html), else_="")
    ).join_from(items, contents)
    looked = sa.exists().where(left_out.c.item == items.c.id)
    wanted = chosen.where(items.c.source == source, ~looked, items.c.id < (before or MAX_ID))
    return [Raw(*row) for row in connection.execute(wanted.order_by(items.c.id.desc()).limit(limit))]


def put(connection: sa.Connection, found: Sequence[Said]) -> None:
    """Keep what was found; of an item that has changed meanwhile, nothing. An item that says other than was thought
    gets its words anew, and lacks a vector from now on unless something else says the same."""
    for part in chunks(found, 500):
        ids = [one.id for one in part]
        rows = connection.execute(
            sa.select(items.c.id, items.c.content_hash, items.c.said_hash).where(items.c.id.in_(ids))
        )
        now = {id_: (content, said) for id_, content, said in rows}
        part = [one for one in part if now.get(one.id, ("", ""))[0] == one.content_hash]
        connection.execute(sa.delete(left_out).where(left_out.c.item.in_(ids)))
        if part:
            connection.execute(sa.insert(left_out), [_row(one) for one in part])
        changed = [one for one in part if now[one.id][1] != one.said_hash]
        for one in changed:
            values = {"said_hash": one.said_hash, "terms": count_terms(one.text, one.title).tobytes()}
            connection.execute(sa.update(items).where(items.c.id == one.id).values(values))
        forget_contexts(connection, [one.id for one in changed])


def _row(one: Said) -> dict[str, object]:
    places = [[place.start, place.end, place.repeated] for place in one.places]
    return {"item": one.id, "places": places, "chars": sum(end - start for start, end, _ in places)}
