"""Which stored item an entry is. Pure: decides on records, touches no database.

Within one source an entry is, in this order, the stored item with
1. the same guid;
2. the same canonical URL, when only one stored item and one entry of the batch have it (a changelog page may
   be the link of all its entries) and not both title and date changed (then the page was used again);
3. the same content hash, unless both are dated and the dates differ (a weekly "Open thread" without text).
Items of two sources are never the same item, whatever their URL: each reader sees the sources they follow,
and the ranking folds equal stories.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from attention_filter.types import Entry


@dataclass(frozen=True, slots=True)
class Known:
    """What must be known of a stored item to recognise it."""

    id: int
    guid: str
    url: str | None
    content_hash: str
    title: str
    published: datetime | None
    fingerprint: bytes


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """One entry per guid: of several the latest, the last of equally late ones.

    A feed that gives one guid to entries with different URLs uses it for something else; there the guid and
    the URL together identify the entry.

    >>> [e.title for e in distinct([Entry("g", "old"), Entry("h", "other"), Entry("g", "new")])]
    ['new', 'other']
    >>> [e.guid for e in distinct([Entry("g", "one", "/1"), Entry("g", "two", "/2")])]
    ['g /1', 'g /2']
    """
    entries = list(entries)
    urls = defaultdict(set)
    for entry in entries:
        urls[entry.guid].add(entry.url)
    kept: dict[str, Entry] = {}
    for entry in entries:
        if len(urls[entry.guid] - {None}) > 1:
            entry = replace(entry, guid=qualified_guid(entry))
        rival = kept.get(entry.guid)
        if rival is None or _late(entry) >= _late(rival):
            kept[entry.guid] = entry
    return list(kept.values())


def qualified_guid(entry: Entry) -> str:
    """The guid that tells an entry from others of the same guid."""
    return f"{entry.guid} {entry.url}" if entry.url else entry.guid


def match(entries: Sequence[Entry], known: Iterable[Known], claimed: set[int]) -> list[tuple[Entry, Known | None]]:
    """Pair each of `distinct` entries with the stored item it is, or None when it is new.

    Entries that only repeat another one of this document are left out. `claimed` holds the ids that earlier
    entries of the same document were paired with, and is added to.
    """
    stored = list(known)
    by_guid = {one.guid: one for one in stored}
    paired: dict[int, tuple[Entry, Known | None]] = {}
    for place, entry in enumerate(entries):
        same = by_guid.get(entry.guid)
        if same and same.id in claimed and entry.url and same.url and entry.url != same.url:
            entry = replace(entry, guid=qualified_guid(entry))
            same = by_guid.get(entry.guid)
        if same:
            claimed.add(same.id)
        paired[place] = (entry, same)

    by_url, by_hash = defaultdict(list), defaultdict(list)
    for one in stored:
        by_url[one.url].append(one)
        by_hash[one.content_hash].append(one)
    mentions = Counter(entry.url for entry in entries)
    fresh: dict[str, list[Entry]] = defaultdict(list)
    for place, (entry, same) in list(paired.items()):
        if same:
            continue
        found = _at_same_url(entry, by_url[entry.url], claimed) if mentions[entry.url] == 1 else None
        found = found or _with_same_text(entry, by_hash[entry.content_hash], claimed)
        repeats = any(_dates_agree(entry, other) for other in fresh[entry.content_hash])
        if (found and found.id in claimed) or (not found and repeats):
            del paired[place]
        elif found:
            claimed.add(found.id)
            paired[place] = (entry, found)
        else:
            fresh[entry.content_hash].append(entry)
    return list(paired.values())


def _at_same_url(entry: Entry, candidates: list[Known], claimed: set[int]) -> Known | None:
    if entry.url is None or len(candidates) != 1 or candidates[0].id in claimed:
        return None
    other = candidates[0]
    reused = entry.title != other.title and entry.published != other.published
    return None if reused else other


def _with_same_text(entry: Entry, candidates: list[Known], claimed: set[int]) -> Known | None:
    alike = [other for other in candidates if _dates_agree(entry, other)]
    return min(alike, key=lambda other: (other.id in claimed, other.id), default=None)


def _dates_agree(entry: Entry, other: Entry | Known) -> bool:
    return entry.published is None or other.published is None or entry.published == other.published


def _late(entry: Entry) -> float:
    when = entry.updated or entry.published
    return when.timestamp() if when else float("-inf")
