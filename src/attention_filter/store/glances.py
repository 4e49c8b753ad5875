"""What a list of many items shows, read without their long texts; and what of a reader a ranking depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import sqlalchemy as sa

from attention_filter.repeats import said
from attention_filter.store import feedback
from attention_filter.store.items import chunks, places
from attention_filter.store.schema import (
    contents,
    interests,
    items,
    left_out,
    moment,
    readers,
    rules,
    sources,
    state,
    subscribed,
    subscriptions,
    visible,
)
from attention_filter.store.schema import feedback as acts
from attention_filter.types import Sign

LEAD = 280  # characters of the text
SMALL = 65_536  # bytes; of a larger state, its size stands for it


@dataclass(frozen=True, slots=True)
class Glance:
    """An item as a line of a list. `lead` is how it begins with what it says, at most LEAD characters."""

    id: int
    title: str
    url: str | None
    source: int
    source_title: str
    lang: str
    date: datetime
    authors: tuple[str, ...]
    image: str | None
    lead: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What moves when a ranking grows old: ids of the reader's last act or undo and of the newest item of all, and a
    digest of all else of the reader that it depends on."""

    act: int
    newest: int
    kept: str


@dataclass(frozen=True, slots=True)
class Outline:
    """n items without their texts, the newest first: ids, sources int64 (n,), dates float64 (n,), langs str (n,)."""

    ids: np.ndarray
    sources: np.ndarray
    dates: np.ndarray
    langs: np.ndarray


@dataclass(frozen=True, slots=True)
class Followed:
    """A source as a choice shows it: what the reader calls it (or it itself, or its address), and its folder."""

    name: str
    folder: str


Mark = tuple[int, int, float]


def glances(connection: sa.Connection, reader: int, ids: Sequence[int]) -> list[Glance]:
    """Those of the items that the reader may still see, in the order of `ids`."""
    found: dict[int, Glance] = {}
    for part in chunks(ids, 1000):
        for row in connection.execute(_GLANCES, {"reader": reader, "ids": part}):
            id_, title, url, source, name, lang, date, authors, image, text, left = row
            lead = said(text, places(left))[:LEAD]
            found[id_] = Glance(id_, title, url, source, name, lang, moment(date), tuple(authors), image, lead)
    return [found[one] for one in ids if one in found]


# What each page asks is built once: building takes longer than asking.
_READER: sa.BindParameter[int] = sa.bindparam("reader")
_NAMED = sa.func.coalesce(sa.func.nullif(subscriptions.c.title, ""), sa.func.nullif(sources.c.title, ""), sources.c.url)
_GLANCES = (
    sa.select(
        items.c.id,
        items.c.title,
        items.c.url,
        items.c.source,
        _NAMED,
        items.c.lang,
        items.c.date,
        items.c.authors,
        items.c.image,
        # Of `contents`, only `text` is named: it stands before the markup, which SQLite then does not read.
        sa.func.substr(contents.c.text, 1, LEAD + sa.func.coalesce(left_out.c.chars, 0)),
        left_out.c.places,
    )
    .join_from(items, contents)
    .join(sources, sources.c.id == items.c.source)
    .outerjoin(left_out, left_out.c.item == items.c.id)
    .outerjoin(subscriptions, sa.and_(subscriptions.c.source == items.c.source, subscriptions.c.reader == _READER))
    .where(items.c.id.in_(sa.bindparam("ids", expanding=True)), visible(_READER))
)
_FOLLOWED = (
    sa.select(sources.c.id, _NAMED, subscriptions.c.folder)
    .join_from(sources, subscriptions)
    .where(subscriptions.c.reader == _READER)
    .order_by(subscriptions.c.added, sources.c.id)
)


def followed(connection: sa.Connection, reader: int) -> dict[int, Followed]:
    """{source: how it is called, where it lies}, in the order the reader added them."""
    return {id_: Followed(name, folder) for id_, name, folder in connection.execute(_FOLLOWED, {"reader": reader})}


_MARK = sa.select(
    sa.func.coalesce(sa.func.max(acts.c.id), 0), sa.func.count(), sa.func.coalesce(sa.func.max(acts.c.at), 0.0)
).where(acts.c.reader == _READER)


def acted_mark(connection: sa.Connection, reader: int) -> Mark:
    """The last entry of the reader's log, how many there are, the latest moment: another one after every change.

    (An id alone may come again, when the last entry was struck from the log.)
    """
    last, count, at = connection.execute(_MARK, {"reader": reader}).one()
    return last, count, at


def effective_acts(connection: sa.Connection, reader: int) -> dict[int, Sign]:
    """{item: what the reader did with it last}, without what was undone."""
    return {item: Sign(sign) for item, sign in connection.execute(_ACTS, {"reader": reader})}


def _effective_acts() -> sa.Select[Any]:
    chosen = feedback.effective(_READER).subquery()
    return sa.select(chosen.c.item, chosen.c.sign)


_ACTS = _effective_acts()


def basis(connection: sa.Connection, reader: int, states: Sequence[str]) -> Basis:
    """What a ranking made now depends on; `states` name the reader's states that are part of it."""
    asked = {"reader": reader, "states": list(states)}
    act, newest_item, limit = connection.execute(_LAST, asked).one()
    told = [[tuple(row) for row in connection.execute(query, asked)] for query in _WISHES]
    return Basis(act, newest_item, blake2b(repr((told, limit)).encode(), digest_size=12).hexdigest())


_LAST = sa.select(
    sa.func.coalesce(sa.select(sa.func.max(acts.c.id)).where(acts.c.reader == _READER).scalar_subquery(), 0),
    sa.func.coalesce(sa.select(sa.func.max(items.c.id)).scalar_subquery(), 0),
    sa.select(readers.c.age_limit_days).where(readers.c.id == _READER).scalar_subquery(),
)
_SIZE = sa.func.length(state.c.data)
_WISHES = (
    sa.select(subscriptions.c.source, subscriptions.c.title, subscriptions.c.folder)
    .where(subscriptions.c.reader == _READER)
    .order_by(subscriptions.c.source),
    sa.select(interests.c.id, interests.c.text, interests.c.weight)
    .where(interests.c.reader == _READER)
    .order_by(interests.c.id),
    sa.select(rules).where(rules.c.reader == _READER).order_by(rules.c.id),
    sa.select(state.c.name, _SIZE, sa.case((_SIZE < SMALL, state.c.data)))
    .where(state.c.reader == _READER, state.c.name.in_(sa.bindparam("states", expanding=True)))
    .order_by(state.c.name),
)


def newest(connection: sa.Connection) -> int:
    """The largest id of any item; 0 when there is none."""
    return connection.scalar(sa.select(sa.func.max(items.c.id))) or 0


def newer(connection: sa.Connection, reader: int, than: int) -> int:
    """How many items with a larger id the reader's sources have."""
    # By the row ids alone: from the side of the sources, SQLite would go through all their items.
    mine = sa.select(subscriptions.c.source).where(subscriptions.c.reader == reader)
    wanted = sa.select(sa.func.count()).select_from(items)
    return connection.scalars(wanted.where(items.c.id > than, sa.func.likely(items.c.source).in_(mine))).one()


def outline(connection: sa.Connection, reader: int, limit: int) -> Outline:
    """The newest of the reader's stream, read or not."""
    chosen = sa.select(items.c.id, items.c.source, items.c.date, items.c.lang).where(subscribed(reader))
    rows = connection.execute(chosen.order_by(items.c.date.desc(), items.c.id.desc()).limit(limit)).all()
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return Outline(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
        np.array(columns[3], str),
    )
