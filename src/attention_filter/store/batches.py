"""Items as arrays for the ranking, in small pieces: only numbers, no texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from attention_filter.store import feedback, readers, tellers
from attention_filter.store.schema import contexts, items, labels, seconds, subscribed, vectors
from attention_filter.store.vectors import find_model, of_titles, unpack
from attention_filter.types import Sign
from attention_filter.words import COUNTS


@dataclass(frozen=True, slots=True)
class Batch:
    """n items. The terms of item i are term_ids[term_ptr[i]:term_ptr[i + 1]], as words.COUNTS has them.

    ids, sources int64 (n,) · dates, fetched float64 (n,), of the Item in seconds since 1970 · vectors float32 (n, dim),
    of the title where the text has none yet, zeros where there is none (dim is 0 for a model that has stored nothing) ·
    has_vector bool (n,) · in_context bool (n,), where the vector is the one that is kept in context (`contexts.py`), if
    such were asked for ·
    term_ptr int64 (n + 1,) · term_ids uint32 · term_counts uint16 · langs, titles and urls, one for
    each item.
    """

    ids: np.ndarray
    sources: np.ndarray
    dates: np.ndarray
    fetched: np.ndarray
    vectors: np.ndarray
    has_vector: np.ndarray
    in_context: np.ndarray
    term_ptr: np.ndarray
    term_ids: np.ndarray
    term_counts: np.ndarray
    langs: tuple[str, ...]
    titles: tuple[str, ...]
    urls: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: np.ndarray) -> Batch:
        """The items at `rows`, in that order."""
        sizes = np.diff(self.term_ptr)[rows]
        start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        terms = np.repeat(self.term_ptr[rows] - start[:-1], sizes) + np.arange(start[-1])
        return Batch(
            self.ids[rows],
            self.sources[rows],
            self.dates[rows],
            self.fetched[rows],
            self.vectors[rows],
            self.has_vector[rows],
            self.in_context[rows],
            start,
            self.term_ids[terms],
            self.term_counts[terms],
            *(tuple(column[row] for row in rows) for column in (self.langs, self.titles, self.urls)),
        )


def join(parts: Sequence[Batch]) -> Batch:
    """The items of all parts (at least one), one after the other."""
    ends = np.cumsum([0, *(part.term_ptr[-1] for part in parts)])
    return Batch(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.sources for part in parts]),
        np.concatenate([part.dates for part in parts]),
        np.concatenate([part.fetched for part in parts]),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.has_vector for part in parts]),
        np.concatenate([part.in_context for part in parts]),
        np.concatenate([[0], *(part.term_ptr[1:] + end for part, end in zip(parts, ends, strict=False))]),
        np.concatenate([part.term_ids for part in parts]),
        np.concatenate([part.term_counts for part in parts]),
        tuple(lang for part in parts for lang in part.langs),
        tuple(title for part in parts for title in part.titles),
        tuple(url for part in parts for url in part.urls),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the reader's items: of one source, from `since` on, in one language, about one topic, with one feeling,
    also those acted on."""

    source: int | None = None
    since: datetime | None = None
    lang: str | None = None
    topic: str | None = None
    sentiment: str | None = None
    seen: bool = False


def choose(connection: sa.Connection, reader: int, wanted: Wanted, now: datetime) -> list[int]:
    """Ids of the stream, oldest stored first: of sources the reader follows, not yet acted on, not expired.

    An item is expired when it is older than the reader's age limit and not saved.
    """
    conditions = [subscribed(reader)]
    if wanted.source is not None:
        conditions.append(items.c.source == wanted.source)
    if wanted.since is not None:
        conditions.append(items.c.date >= seconds(wanted.since))
    if wanted.lang is not None:
        conditions.append(items.c.lang == wanted.lang)
    if wanted.topic is not None or wanted.sentiment is not None:
        asked = tellers.asked(connection, reader)
        for teller, label in (("topic_teller", wanted.topic), ("sentiment_teller", wanted.sentiment)):
            told = sa.select(labels.c.content_hash).where(labels.c.teller == asked[teller], labels.c.label == label)
            conditions += [items.c.said_hash.in_(told)] if label is not None else []
    if not wanted.seen:
        conditions.append(~feedback.acted_on(reader))
    days = readers.age_limit(connection, reader)
    if days is not None:
        young = items.c.date >= seconds(now - timedelta(days=days))
        conditions.append(sa.or_(young, feedback.acted_on(reader, Sign.SAVE)))
    return [id_ for (id_,) in connection.execute(sa.select(items.c.id).where(*conditions).order_by(items.c.id)).all()]


_OF_TITLE = (
    sa.select(vectors.c.vector)
    .where(vectors.c.model == sa.bindparam("titles"), vectors.c.content_hash == items.c.said_hash)
    .correlate(items)
    .scalar_subquery()
)
# Thousands of ids as one parameter: as one each, reading them takes SQLAlchemy as long as reading the items.
_IDS = sa.func.json_each(sa.bindparam("ids")).table_valued("value")
_LOAD = (
    sa.select(
        items.c.id,
        items.c.source,
        items.c.date,
        items.c.terms,
        sa.func.coalesce(contexts.c.context, vectors.c.vector, _OF_TITLE),
        items.c.lang,
        items.c.fetched,
        contexts.c.item.is_not(None),
        items.c.title,
        items.c.url,
    )
    .outerjoin(contexts, sa.and_(contexts.c.item == items.c.id, contexts.c.background == sa.bindparam("background")))
    .outerjoin(vectors, sa.and_(vectors.c.content_hash == items.c.said_hash, vectors.c.model == sa.bindparam("model")))
    .where(items.c.id.in_(sa.select(_IDS.c.value)))
)


def load(connection: sa.Connection, ids: Sequence[int], model: str, background: int = 0) -> Batch:
    """The items in the order of `ids`, all of which must exist; those kept in context of the background so."""
    (model_id, dim), (titles, titles_dim) = find_model(connection, model), find_model(connection, of_titles(model))
    asked = {"ids": json.dumps(list(ids)), "background": background, "model": model_id, "titles": titles or 0}
    rows = {row[0]: row for row in connection.execute(_LOAD, asked).all()}
    columns = list(zip(*(rows[one] for one in ids), strict=True)) or [()] * 10
    terms = np.frombuffer(b"".join(columns[3]), COUNTS)
    sizes = np.array([len(one) // COUNTS.itemsize for one in columns[3]], np.int64)
    found, has = unpack(columns[4], dim or titles_dim)
    return Batch(
        ids=np.array(columns[0], np.int64),
        sources=np.array(columns[1], np.int64),
        dates=np.array(columns[2], np.float64),
        fetched=np.array(columns[6], np.float64),
        vectors=found,
        has_vector=has,
        in_context=np.array(columns[7], bool),
        term_ptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        term_ids=terms["id"].copy(),
        term_counts=terms["count"].copy(),
        langs=tuple(columns[5]),
        titles=tuple(columns[8]),
        urls=tuple(columns[9]),
    )
