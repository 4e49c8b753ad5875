"""A feed document of any kind to clean entries: RSS, Atom, RDF (xmlfeed.py) and JSON Feed (jsonfeed.py)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from attention_filter.errors import SourceError
from attention_filter.sources.decoding import decode
from attention_filter.sources.document import Feed as Feed
from attention_filter.sources.jsonfeed import read_json_feed
from attention_filter.sources.xmlfeed import read_xml_feed
from attention_filter.types import Entry

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.I)
_NO_DATE = datetime.min.replace(tzinfo=UTC)


def parse_feed(body: bytes, url: str, content_type: str | None, now: datetime, max_entries: int) -> Feed:
    """Read a feed document; at most the newest `max_entries` entries. `url` is where it came from.

    Raises SourceError when nothing can be read: an empty body, a web page, broken beyond repair. Smaller
    damage is named in the feed's problems. Hostile input can make this slow: see contained.py.

    >>> body = b"<rss><channel><title>News</title><item><title>One</title></item></channel></rss>"
    >>> feed = parse_feed(body, "https://e.org/feed", None, datetime(2026, 1, 1, tzinfo=UTC), 100)
    >>> feed.title, [entry.title for entry in feed.entries]
    ('News', ['One'])
    """
    charset = _CHARSET.search(content_type or "")
    text, whole = decode(body, [charset[1] if charset else None])
    text = text.lstrip("\ufeff \t\r\n\x00")
    if not text:
        raise SourceError(f"{url}: the feed is empty")
    read = read_json_feed if text[0] in "{[" else read_xml_feed
    feed = read(text, url, now, max_entries)
    problems = feed.problems if whole else ("some bytes are in no known encoding", *feed.problems)
    newest = max((date for entry in feed.entries if (date := entry.updated or entry.published)), default=None)
    return replace(feed, entries=one_each(feed.entries), problems=problems, updated=feed.updated or newest)


def one_each(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries with distinct guids, in order.

    Entries that share guid and address (or, without one, title) are versions of one: the newest stays.
    When a guid stands for different things, as in feeds that repeat one for all, each gets a suffix
    made of its address or title, not of its place, so that the next fetch finds the same guids.
    """
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.guid].append(entry)
    out: dict[str, Entry] = {}
    for guid, group in groups.items():
        marks = {_mark(entry) for entry in group}
        for entry in group:
            name = guid if len(marks) == 1 else f"{guid}#{_mark(entry)}"
            known = out.get(name)
            if known is None or _newness(entry) > _newness(known):
                out[name] = replace(entry, guid=name)
    return tuple(out.values())


def _mark(entry: Entry) -> str:
    return sha256((entry.url or entry.title).encode()).hexdigest()[:12]


def _newness(entry: Entry) -> datetime:
    return entry.updated or entry.published or _NO_DATE
