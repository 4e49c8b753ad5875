"""The sources a reader follows, and how they are doing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store import feedback
from attention_filter.store.schema import (
    items,
    moment_or_none,
    readers,
    seconds,
    seconds_or_none,
    sources,
    subscribed,
    subscriptions,
)
from attention_filter.types import Sign, Source, SourceKind


@dataclass(frozen=True, slots=True)
class Tally:
    """What one source brought a reader: items in all and lately, unread ones, and those liked or saved."""

    items: int = 0
    lately: int = 0
    unread: int = 0
    liked: int = 0


def add(connection: sa.Connection, reader: int, wanted: Source, now: datetime) -> Source:
    """Subscribe to `wanted` (its url, kind, title, folder and columns count); doing it twice changes nothing.

    A title or folder that is given replaces the reader's earlier one. A table file added again with other
    columns replaces the subscription to it: its entries are read anew.
    """
    columns = json.dumps(wanted.columns, ensure_ascii=False)
    here = (sources.c.url == wanted.url, sources.c.kind == wanted.kind.value)
    exact = sa.select(sources.c.id).where(*here, sources.c.columns == columns)
    if connection.scalar(exact) is None:
        row = {"url": wanted.url, "kind": wanted.kind.value, "columns": columns, "title": ""}
        connection.execute(sa.insert(sources).values(**row, failures=0, gone=False))
    id_ = connection.scalars(exact).one()
    otherwise = sa.select(sources.c.id).where(*here, sources.c.id != id_)
    connection.execute(
        sa.delete(subscriptions).where(subscriptions.c.reader == reader, subscriptions.c.source.in_(otherwise))
    )
    mine = (subscriptions.c.reader == reader, subscriptions.c.source == id_)
    if connection.scalar(sa.select(subscriptions.c.source).where(*mine)) is None:
        own = {"reader": reader, "source": id_, "title": wanted.title, "folder": wanted.folder}
        connection.execute(sa.insert(subscriptions).values(**own, muted=False, added=seconds(now)))
    given = {name: value for name in ("title", "folder") if (value := getattr(wanted, name))}
    if given:
        connection.execute(sa.update(subscriptions).where(*mine).values(given))
    return one(connection, reader, id_)


def all_of(connection: sa.Connection, reader: int) -> list[Source]:
    """The reader's sources in the order they were added."""
    chosen = _SELECT.where(subscriptions.c.reader == reader)
    return [_source(row) for row in connection.execute(chosen.order_by(subscriptions.c.added, sources.c.id))]


def one(connection: sa.Connection, reader: int, id_: int) -> Source:
    """The source; UsageError when the reader does not follow it."""
    chosen = _SELECT.where(subscriptions.c.reader == reader, sources.c.id == id_)
    row = connection.execute(chosen).one_or_none()
    if row is None:
        raise UsageError(f"source {id_}: you follow no such source; `attention sources` shows the ids")
    return _source(row)


def due(connection: sa.Connection, reader: int, now: datetime) -> list[Source]:
    """Sources to be fetched now, those that have waited longest first. Muted ones are never due."""
    return sorted(
        (s for s in all_of(connection, reader) if not s.muted and (s.next_try is None or s.next_try <= now)),
        key=lambda s: (s.next_try is not None, s.next_try, s.id),
    )


def due_everywhere(connection: sa.Connection, now: datetime) -> list[tuple[str, int]]:
    """(name of a reader who follows it, id) of each source that is due for anybody, the longest waiting first."""
    wanted = (
        sa.select(sa.func.min(readers.c.name), sources.c.id)
        .join_from(sources, subscriptions)
        .join(readers, readers.c.id == subscriptions.c.reader)
        .where(~subscriptions.c.muted, ~sources.c.gone)
        .where(sa.or_(sources.c.next_try.is_(None), sources.c.next_try <= seconds(now)))
        .group_by(sources.c.id)
        .order_by(sources.c.next_try.is_not(None), sources.c.next_try, sources.c.id)
    )
    return [(name, id_) for name, id_ in connection.execute(wanted)]


def followers(connection: sa.Connection, ids: Sequence[int]) -> list[str]:
    """The names of all who follow one of the sources."""
    mine = sa.select(subscriptions.c.reader).where(subscriptions.c.source.in_(ids))
    return list(connection.scalars(sa.select(readers.c.name).where(readers.c.id.in_(mine)).order_by(readers.c.name)))


def last_fetch(connection: sa.Connection) -> datetime | None:
    """When any source was last asked."""
    return moment_or_none(connection.scalar(sa.select(sa.func.max(sources.c.last_fetched))))


def unsubscribe(connection: sa.Connection, reader: int, id_: int) -> None:
    """Follow the source no longer. Its items stay stored; those the reader acted on stay visible to them."""
    one(connection, reader, id_)
    connection.execute(sa.delete(subscriptions).where(subscriptions.c.reader == reader, subscriptions.c.source == id_))


def edit(connection: sa.Connection, reader: int, id_: int, title: str, folder: str) -> Source:
    """Give the source the reader's own title (empty: what it calls itself) and put it into a folder ("a/b")."""
    one(connection, reader, id_)
    mine = (subscriptions.c.reader == reader, subscriptions.c.source == id_)
    own = {"title": " ".join(title.split()), "folder": "/".join(p for part in folder.split("/") if (p := part.strip()))}
    connection.execute(sa.update(subscriptions).where(*mine).values(own))
    return one(connection, reader, id_)


def tallies(connection: sa.Connection, reader: int, since: datetime) -> dict[int, Tally]:
    """{source id: its tally} for every source of the reader that has items; `since` says what "lately" means."""
    acts = feedback.effective(reader).subquery()
    liked = acts.c.sign.in_([Sign.LIKE.value, Sign.SAVE.value])
    counted = sa.select(
        items.c.source,
        sa.func.count().label("items"),
        sa.func.sum(sa.case((items.c.date >= seconds(since), 1), else_=0)).label("lately"),
        sa.func.sum(sa.case((acts.c.sign.is_(None), 1), else_=0)).label("unread"),
        sa.func.sum(sa.case((liked, 1), else_=0)).label("liked"),
    ).select_from(items.outerjoin(acts, acts.c.item == items.c.id))
    rows = connection.execute(counted.where(subscribed(reader)).group_by(items.c.source))
    return {row.source: Tally(row.items, row.lately, row.unread, row.liked) for row in rows}


def record_success(
    connection: sa.Connection,
    old: Source,
    *,
    now: datetime,
    next_try: datetime | None,
    etag: str | None,
    last_modified: str | None,
    title: str,
    url: str | None,
) -> None:
    """The source was read (or had nothing new): its errors are over. `url` is where it moved for good.

    The old address stays when another source already has the new one, so that no two become one.
    """
    row: dict[str, Any] = {"last_fetched": seconds(now), "last_success": seconds(now)}
    row |= {"next_try": seconds_or_none(next_try), "etag": etag, "last_modified": last_modified}
    row |= {"last_error": None, "failures": 0, "gone": False}
    row |= {"title": title} if title else {}
    taken = sa.select(sources.c.id).where(sources.c.url == url)
    if url and url != old.url and connection.scalar(taken) is None:
        row["url"] = url
    connection.execute(sa.update(sources).where(sources.c.id == old.id).values(row))


def record_failure(
    connection: sa.Connection,
    old: Source,
    *,
    now: datetime,
    next_try: datetime | None,
    error: str,
    muted: bool,
) -> None:
    """The source could not be read; `muted` when it said that it is gone for good."""
    row: dict[str, Any] = {"last_fetched": seconds(now), "next_try": seconds_or_none(next_try)}
    row |= {"last_error": error, "failures": sources.c.failures + 1}
    row |= {"gone": True} if muted else {}
    connection.execute(sa.update(sources).where(sources.c.id == old.id).values(row))


def mute(connection: sa.Connection, reader: int, old: Source, muted: bool) -> None:
    """Stop fetching for this reader, or start again (a source that was gone gets another try)."""
    mine = (subscriptions.c.reader == reader, subscriptions.c.source == old.id)
    connection.execute(sa.update(subscriptions).where(*mine).values(muted=muted))
    if not muted:
        connection.execute(sa.update(sources).where(sources.c.id == old.id).values(gone=False))


_SELECT = sa.select(
    sources,
    subscriptions.c.title.label("own_title"),
    subscriptions.c.folder,
    subscriptions.c.muted,
    sa.select(sa.func.count()).where(items.c.source == sources.c.id).scalar_subquery().label("items"),
).join_from(sources, subscriptions)


def _source(row: sa.Row[Any]) -> Source:
    return Source(
        id=row.id,
        url=row.url,
        kind=SourceKind(row.kind),
        title=row.own_title or row.title,
        folder=row.folder,
        etag=row.etag,
        last_modified=row.last_modified,
        last_fetched=moment_or_none(row.last_fetched),
        last_success=moment_or_none(row.last_success),
        next_try=moment_or_none(row.next_try),
        last_error=row.last_error,
        failures=row.failures,
        muted=row.muted or row.gone,
        gone=row.gone,
        columns=_columns(json.loads(row.columns)),
        items=row.items,
    )


def _columns(pairs: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((field, column) for field, column in pairs)
