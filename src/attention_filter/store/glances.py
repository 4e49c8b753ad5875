"""What a list of many items shows, read without their long texts; and what of a reader a ranking depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np
import sqlalchemy as sa

from attention_filter.store import batches, feedback, readers
from attention_filter.store.items import chunks
from attention_filter.store.schema import (
    contents,
    interests,
    items,
    moment,
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
    """An item as a line of a list. `lead` is how its text begins, at most LEAD characters."""

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
class Marks:
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


def glances(connection: sa.Connection, reader: int, ids: Sequence[int]) -> list[Glance]:
    """Those of the items that the reader may still see, in the order of `ids`."""
    # Of `contents`, only `text` is named: it stands before the markup, which SQLite then does not read.
    lead = sa.func.substr(contents.c.text, 1, LEAD)
    named = sa.func.coalesce(
        sa.func.nullif(subscriptions.c.title, ""), sa.func.nullif(sources.c.title, ""), sources.c.url
    )
    mine = sa.and_(subscriptions.c.source == items.c.source, subscriptions.c.reader == reader)
    wanted = (
        sa.select(
            items.c.id,
            items.c.title,
            items.c.url,
            items.c.source,
            named,
            items.c.lang,
            items.c.date,
            items.c.authors,
            items.c.image,
            lead,
        )
        .join_from(items, contents)
        .join(sources, sources.c.id == items.c.source)
        .outerjoin(subscriptions, mine)
    )
    found: dict[int, Glance] = {}
    for part in chunks(ids, 1000):
        for row in connection.execute(wanted.where(items.c.id.in_(part), visible(reader))):
            id_, title, url, source, name, lang, date, authors, image, text = row
            found[id_] = Glance(id_, title, url, source, name, lang, moment(date), tuple(authors), image, text)
    return [found[one] for one in ids if one in found]


def effective_acts(connection: sa.Connection, reader: int) -> dict[int, Sign]:
    """{item: what the reader did with it last}, without what was undone."""
    chosen = feedback.effective(reader).subquery()
    return {item: Sign(sign) for item, sign in connection.execute(sa.select(chosen.c.item, chosen.c.sign))}


def marks(connection: sa.Connection, reader: int, states: Sequence[str]) -> Marks:
    """The marks of a ranking made now; `states` name the reader's states that it depends on."""
    act = connection.scalar(sa.select(sa.func.max(acts.c.id)).where(acts.c.reader == reader)) or 0
    size = sa.func.length(state.c.data)
    small = sa.case((size < SMALL, state.c.data))
    queries = (
        sa.select(subscriptions.c.source, subscriptions.c.title, subscriptions.c.folder)
        .where(subscriptions.c.reader == reader)
        .order_by(subscriptions.c.source),
        sa.select(interests.c.id, interests.c.text, interests.c.weight)
        .where(interests.c.reader == reader)
        .order_by(interests.c.id),
        sa.select(rules).where(rules.c.reader == reader).order_by(rules.c.id),
        sa.select(state.c.name, size, small)
        .where(state.c.reader == reader, state.c.name.in_(states))
        .order_by(state.c.name),
    )
    told = [[tuple(row) for row in connection.execute(query)] for query in queries]
    limit = readers.age_limit(connection, reader)
    return Marks(act, newest(connection), blake2b(repr((told, limit)).encode(), digest_size=12).hexdigest())


def newest(connection: sa.Connection) -> int:
    """The largest id of any item; 0 when there is none."""
    return connection.scalar(sa.select(sa.func.max(items.c.id))) or 0


def newer(connection: sa.Connection, reader: int, than: int) -> int:
    """How many items with a larger id the reader's sources have."""
    # By the row ids alone: from the side of the sources, SQLite would go through all their items.
    mine = sa.select(subscriptions.c.source).where(subscriptions.c.reader == reader)
    wanted = sa.select(sa.func.count()).select_from(items)
    return connection.scalars(wanted.where(items.c.id > than, sa.func.likely(items.c.source).in_(mine))).one()


def outline(connection: sa.Connection, reader: int, now: datetime) -> Outline:
    """The reader's stream as a ranking would be given it, also what was acted on."""
    ids = set(batches.choose(connection, reader, batches.Wanted(seen=True), now))
    chosen = sa.select(items.c.id, items.c.source, items.c.date, items.c.lang).where(subscribed(reader))
    rows = [row for row in connection.execute(chosen.order_by(items.c.date.desc(), items.c.id.desc())) if row[0] in ids]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return Outline(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
        np.array(columns[3], str),
    )
