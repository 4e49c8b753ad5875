"""Entries in, items out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, TypeVar

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store import search, tellers
from attention_filter.store.matching import Known, distinct, match, qualified_guid
from attention_filter.store.schema import (
    backgrounds,
    contents,
    contexts,
    items,
    left_out,
    moment,
    moment_or_none,
    seconds,
    seconds_or_none,
    sources,
    subscribed,
    subscriptions,
    visible,
)
from attention_filter.types import Entry, Item, LeftOut
from attention_filter.words import count_terms

TERM_CHARS = 4000  # of the text are counted for the ranking; search indexes all of it
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the entries: ids of new and of changed items, and how many were stored already."""

    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    same: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.changed + other.changed, self.same + other.same)


def add_batch(
    connection: sa.Connection, source: int, batch: Sequence[Entry], now: datetime, claimed: set[int]
) -> Added:
    """Store a batch of one source's entries. One that changed in place updates its item, which keeps its id.

    A change of the unsanitised original alone does not count: nobody sees it, and nonces in tracking links
    would make every entry change with every fetch.
    """
    entries = distinct(map(storable, batch))
    new, changed = [], []
    for entry, known in match(entries, _known(connection, source, entries), claimed):
        if known is None:
            new.append(entry)
        elif known.fingerprint != fingerprint(entry):
            changed.append((known.id, entry))
    ids = _insert(connection, source, new, now)
    claimed.update(ids)
    for item, entry in changed:
        _update(connection, item, entry)
    return Added(tuple(ids), tuple(item for item, _ in changed), len(batch) - len(ids) - len(changed))


def read(connection: sa.Connection, reader: int, ids: Sequence[int]) -> list[Item]:
    """The items in the order of `ids`; UsageError when one is not there or not the reader's to see."""
    check_visible(connection, reader, ids)
    rows: dict[int, sa.Row[Any]] = {}
    asked = {"reader": reader, **tellers.asked(connection, reader)} if ids else {}
    for part in chunks(ids, 1000):
        found = connection.execute(_SELECT_ITEM.where(items.c.id.in_(part)), asked)
        rows |= {row.id: row for row in found}
    return [_item(rows[one]) for one in ids]


def check_visible(connection: sa.Connection, reader: int, ids: Sequence[int]) -> None:
    """UsageError that names the first ids which are not there or not the reader's to see."""
    seen: set[int] = set()
    for part in chunks(ids, 1000):
        seen.update(connection.scalars(sa.select(items.c.id).where(items.c.id.in_(part), visible(reader))))
    missing = [str(one) for one in ids if one not in seen]
    if missing:
        raise UsageError(f"item {', '.join(missing[:5])}: no such item; `attention read` shows the ids")


def by_guid(connection: sa.Connection, reader: int, url: str, guids: Sequence[str]) -> dict[str, int]:
    """{guid: item id} of one source's items, given its address, as far as the reader may see them."""
    found: dict[str, int] = {}
    for part in chunks(guids, 1000):
        wanted = sa.select(items.c.guid, items.c.id).join(sources, sources.c.id == items.c.source)
        rows = connection.execute(wanted.where(sources.c.url == url, items.c.guid.in_(part), visible(reader)))
        found |= {guid: id_ for guid, id_ in rows}
    return found


def newest(
    connection: sa.Connection, reader: int, limit: int, source: int | None = None, since: datetime | None = None
) -> list[int]:
    """Ids of the newest items of the sources that the reader follows, or of one of them, seen or not."""
    wanted = [subscribed(reader)]
    wanted += [items.c.source == source] if source is not None else []
    wanted += [items.c.date >= seconds(since)] if since is not None else []
    chosen = sa.select(items.c.id).where(*wanted).order_by(items.c.date.desc(), items.c.id.desc()).limit(limit)
    return list(connection.scalars(chosen))


def count(connection: sa.Connection, reader: int) -> int:
    return connection.scalars(sa.select(sa.func.count()).select_from(items).where(visible(reader))).one()


def total(connection: sa.Connection) -> int:
    """How many items there are for all readers together."""
    return connection.scalars(sa.select(sa.func.count()).select_from(items)).one()


def chunks(sequence: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, the last one shorter.

    >>> list(chunks("abc", 2))
    [['a', 'b'], ['c']]
    """
    part: list[T] = []
    for one in sequence:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def text_key(text: str, title: str = "") -> str:
    """What a vector is stored under when nobody gave a content hash (sha-256, hex)."""
    return sha256(f"{title}\n{text}".encode()).hexdigest()


def storable(entry: Entry) -> Entry:
    """The entry with a content hash, and without half characters (JSON's "\\ud83d"), which UTF-8 cannot hold.

    >>> storable(Entry("g", "half \\ud83d")).title
    'half ?'
    """
    try:
        fingerprint(entry)
        entry.original.encode()
        entry.guid.encode()
    except UnicodeEncodeError:
        entry = replace(entry, **{one.name: _mended(getattr(entry, one.name)) for one in fields(entry)})
    return entry if entry.content_hash else replace(entry, content_hash=text_key(entry.text, entry.title))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return tuple(map(_mended, value)) if isinstance(value, tuple) else value


def places(stored: list[tuple[int, int, bool]] | None) -> tuple[LeftOut, ...]:
    """What is kept in `left_out` of an item."""
    return tuple(LeftOut(*place) for place in stored or ())


def fingerprint(entry: Entry) -> bytes:
    """A digest of all that a reader could see change; the guid and the original are not part of it."""
    dates = (seconds_or_none(entry.published), seconds_or_none(entry.updated))
    parts = (entry.title, entry.url, entry.html, entry.text, entry.lang, *dates, entry.image)
    lists = (entry.authors, entry.links, entry.tags)
    joined = "\x1f".join([*map(str, parts), *("\x1e".join(one) for one in lists)])
    return blake2b(joined.encode(), digest_size=16).digest()


def _known(connection: sa.Connection, source: int, entries: Sequence[Entry]) -> list[Known]:
    """The stored items that one of the entries could be."""
    guids = {entry.guid for entry in entries} | {qualified_guid(entry) for entry in entries}
    urls = {entry.url for entry in entries if entry.url}
    hashes = {entry.content_hash for entry in entries}
    found: dict[int, Known] = {}
    for column, values in ((items.c.guid, guids), (items.c.url, urls), (items.c.content_hash, hashes)):
        # One index lookup each: OR over the three would scan the source.
        rows = connection.execute(_SELECT_KNOWN.where(items.c.source == source, column.in_(values)))
        for id_, guid, url, content_hash, title, published, digest in rows:
            found[id_] = Known(id_, guid, url, content_hash, title, moment_or_none(published), digest)
    return list(found.values())


_SELECT_KNOWN = sa.select(
    items.c.id,
    items.c.guid,
    items.c.url,
    items.c.content_hash,
    items.c.title,
    items.c.published,
    items.c.fingerprint,
)


def _insert(connection: sa.Connection, source: int, entries: Sequence[Entry], now: datetime) -> list[int]:
    if not entries:
        return []
    rows = [
        {"source": source, "fetched": seconds(now), "date": _date(entry, now), **_item_row(entry)} for entry in entries
    ]
    statement = sa.insert(items).returning(items.c.id, sort_by_parameter_order=True)
    ids = list(connection.scalars(statement, rows))
    connection.execute(
        sa.insert(contents),
        [{"item": id_, **_content_row(entry)} for id_, entry in zip(ids, entries, strict=True)],
    )
    search.index(connection, [(id_, entry.title, entry.text) for id_, entry in zip(ids, entries, strict=True)])
    return ids


def _update(connection: sa.Connection, id_: int, entry: Entry) -> None:
    old = connection.execute(
        sa.select(items.c.title, items.c.fetched, contents.c.text).join_from(items, contents).where(items.c.id == id_)
    ).one()
    row = {"date": _date(entry, moment(old.fetched)), **_item_row(entry)}
    connection.execute(sa.update(items).where(items.c.id == id_).values(row))
    connection.execute(sa.update(contents).where(contents.c.item == id_).values(_content_row(entry)))
    connection.execute(sa.delete(left_out).where(left_out.c.item == id_))
    forget_contexts(connection, [id_])
    search.unindex(connection, [(id_, old.title, old.text)])
    search.index(connection, [(id_, entry.title, entry.text)])


def forget_contexts(connection: sa.Connection, ids: Sequence[int]) -> None:
    """These items have other words or vectors now."""
    every = sa.select(backgrounds.c.id)  # so that the key is used, which begins with the background
    connection.execute(sa.delete(contexts).where(contexts.c.background.in_(every), contexts.c.item.in_(ids)))


def _date(entry: Entry, fetched: datetime) -> float:
    return seconds(Item(0, 0, "", entry, fetched).date)


def _item_row(entry: Entry) -> dict[str, Any]:
    return {
        "guid": entry.guid,
        "url": entry.url,
        "content_hash": entry.content_hash,
        "said_hash": entry.content_hash,
        "fingerprint": fingerprint(entry),
        "lang": entry.lang,
        "published": seconds_or_none(entry.published),
        "updated": seconds_or_none(entry.updated),
        "title": entry.title,
        "image": entry.image,
        "authors": list(entry.authors),
        "tags": list(entry.tags),
        "terms": count_terms(entry.text[:TERM_CHARS], entry.title).tobytes(),
    }


def _content_row(entry: Entry) -> dict[str, Any]:
    return {"text": entry.text, "html": entry.html, "original": entry.original, "links": list(entry.links)}


_SELECT_ITEM = tellers.beside(
    sa.select(
        items,
        contents,
        left_out.c.places,
        tellers.TOPIC.c.label.label("topic"),
        tellers.FEELING.c.label.label("sentiment"),
        tellers.FEELING.c.value.label("polarity"),
        sa.func.coalesce(
            sa.func.nullif(subscriptions.c.title, ""), sa.func.nullif(sources.c.title, ""), sources.c.url
        ).label("source_title"),
    )
    .join_from(items, contents)
    .join(sources, sources.c.id == items.c.source)
    .outerjoin(left_out, left_out.c.item == items.c.id)
    .outerjoin(
        subscriptions,
        sa.and_(subscriptions.c.source == items.c.source, subscriptions.c.reader == sa.bindparam("reader")),
    )
)


def _item(row: sa.Row[Any]) -> Item:
    entry = Entry(
        guid=row.guid,
        title=row.title,
        url=row.url,
        html=row.html,
        original=row.original,
        text=row.text,
        lang=row.lang,
        published=moment_or_none(row.published),
        updated=moment_or_none(row.updated),
        authors=tuple(row.authors),
        links=tuple(row.links),
        tags=tuple(row.tags),
        image=row.image,
        content_hash=row.content_hash,
    )
    return Item(
        row.id,
        row.source,
        row.source_title,
        entry,
        moment(row.fetched),
        row.topic or "",
        row.sentiment or "",
        row.polarity,
        places(row.places),
    )
