"""What contents are about and how they feel: one label each, under (teller, content hash).

A teller's name says with which encoder and from what it learned, so readers with the same topics share its labels.
A reader's state names the tellers whose labels stand beside their items; what no state names any more is dropped. As
with vectors, nothing marks a content as "to be told": what has a vector and no label is what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from attention_filter.repeats import said
from attention_filter.store import readers
from attention_filter.store.items import chunks, places
from attention_filter.store.schema import (
    contents,
    items,
    labels,
    left_out,
    models,
    seconds,
    state,
    tellers,
    vectors,
    visible,
)
from attention_filter.store.tellers import FEELING, NAME, NONE, TOPIC, asked, beside, find


@dataclass(frozen=True, slots=True)
class Labelled:
    """n items, oldest first: ids, sources int64 (n,), dates float64 (n,) in seconds, topics and feelings str (n,),
    empty where none is told or clear, polarities float64 (n,), NaN where none is told."""

    ids: np.ndarray
    sources: np.ndarray
    dates: np.ndarray
    topics: np.ndarray
    feelings: np.ndarray
    polarities: np.ndarray


def told(connection: sa.Connection, reader: int, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """{item: (topic, feeling)}, each empty where none is told or clear."""
    chosen = beside(_TOLD.where(items.c.id.in_(sa.select(_IDS.c.value)), visible(reader)))
    rows = connection.execute(chosen, {"ids": json.dumps(list(ids)), **asked(connection, reader)})
    return {id_: (topic, feeling) for id_, topic, feeling in rows}


_IDS = sa.func.json_each(sa.bindparam("ids")).table_valued("value")
_TOLD = sa.select(items.c.id, sa.func.coalesce(TOPIC.c.label, ""), sa.func.coalesce(FEELING.c.label, "")).select_from(
    items
)


def since(connection: sa.Connection, reader: int, start: datetime) -> Labelled:
    """All that came since then and that the reader may see, read or not."""
    chosen = beside(_LABELLED.where(visible(reader), items.c.date >= seconds(start)))
    rows = connection.execute(chosen.order_by(items.c.date, items.c.id), asked(connection, reader)).all()
    columns = list(zip(*rows, strict=True)) or [()] * 6
    return Labelled(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.float64),
        np.array(columns[3], str),
        np.array(columns[4], str),
        np.array([np.nan if one is None else one for one in columns[5]], np.float64),
    )


_LABELLED = sa.select(
    items.c.id,
    items.c.source,
    items.c.date,
    sa.func.coalesce(TOPIC.c.label, ""),
    sa.func.coalesce(FEELING.c.label, ""),
    FEELING.c.value,
).select_from(items)


def missing(connection: sa.Connection, reader: int, teller: str, model: str) -> list[str]:
    """Hashes of the contents that have a vector of the model and no label of the teller, the newest item's first."""
    known = sa.select(labels.c.content_hash).where(labels.c.teller == find(connection, teller))
    encoded = sa.select(vectors.c.content_hash).join(models).where(models.c.name == model)
    wanted = visible(reader), items.c.said_hash.in_(encoded), items.c.said_hash.not_in(known)
    chosen = sa.select(items.c.said_hash).where(*wanted).group_by(items.c.said_hash)
    return list(connection.scalars(chosen.order_by(sa.func.max(items.c.date).desc(), items.c.said_hash)))


def texts(connection: sa.Connection, reader: int, hashes: Sequence[str]) -> list[tuple[str, str]]:
    """Title and what the text says of these contents, as far as the reader may see them; empty where not."""
    found: dict[str, tuple[str, str]] = {}
    for part in chunks(hashes, 1000):
        chosen = sa.select(items.c.said_hash, items.c.title, contents.c.text, left_out.c.places)
        chosen = chosen.join_from(items, contents).outerjoin(left_out, left_out.c.item == items.c.id)
        rows = connection.execute(chosen.where(items.c.said_hash.in_(part), visible(reader)))
        found |= {key: (title, said(text, places(left))) for key, title, text, left in rows}
    return [found.get(key, ("", "")) for key in hashes]


def put(connection: sa.Connection, teller: str, told: Mapping[str, tuple[str, float]]) -> None:
    """Keep {content hash: (label, value)}, in place of what was there."""
    if find(connection, teller) == NONE:
        connection.execute(sa.insert(tellers).values(name=teller))
    id_ = find(connection, teller)
    for part in chunks(told, 1000):
        connection.execute(sa.delete(labels).where(labels.c.teller == id_, labels.c.content_hash.in_(part)))
        rows = [{"teller": id_, "content_hash": k, "label": told[k][0], "value": told[k][1]} for k in part]
        connection.execute(sa.insert(labels), rows)


def used(connection: sa.Connection, reader: int) -> dict[str, str]:
    """The names of the reader's tellers: {"topic": …, "sentiment": …}; empty before anything was told."""
    kept = json.loads(readers.get_state(connection, reader, NAME) or b"{}")
    return {what: kept[what] for what in ("topic", "sentiment") if what in kept}


def use(connection: sa.Connection, reader: int, topic: str, sentiment: str) -> None:
    """Show the labels of these tellers beside the reader's items from now on."""
    both = (find(connection, topic), find(connection, sentiment))
    counted = sa.select(sa.func.count()).where(labels.c.teller.in_(both))
    kept = {"topic": topic, "sentiment": sentiment, "told": connection.scalar(counted)}
    readers.put_state(connection, reader, NAME, json.dumps(kept, sort_keys=True).encode())
    drop_unused(connection)


def drop_unused(connection: sa.Connection) -> None:
    """Forget tellers that no reader's state names, with all they told: topics may be a reader's own words."""
    states = connection.scalars(sa.select(state.c.data).where(state.c.name == NAME))
    used = {named[what] for named in map(json.loads, states) for what in ("topic", "sentiment")}
    unused = list(connection.scalars(sa.select(tellers.c.id).where(tellers.c.name.not_in(used))))
    connection.execute(sa.delete(labels).where(labels.c.teller.in_(unused)))
    connection.execute(sa.delete(tellers).where(tellers.c.id.in_(unused)))
