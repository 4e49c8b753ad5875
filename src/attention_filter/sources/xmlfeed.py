"""RSS, Atom, RDF and CDF by feedparser, which is given bytes only: it never fetches, opens or expands anything."""

from __future__ import annotations

import html.entities
import io
import re
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any
from urllib.parse import urljoin

import feedparser

from attention_filter.errors import SourceError
from attention_filter.sources.clean import make_entry, plain_text, web_url
from attention_filter.sources.dates import clean_date, parse_date
from attention_filter.sources.document import Feed
from attention_filter.sources.markup import one_line
from attention_filter.types import Entry

# What feedparser 6 raises on damaged input, by mutating feeds: dates and numbers out of range (Overflow, Value),
# lone surrogates (Unicode is a ValueError), odd declarations (Assertion), states it did not expect (the rest).
_FEEDPARSER_RAISES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
_ROOTS = frozenset({"rss", "feed", "rdf", "channel"})
_INSTEAD = {
    "html": "a web page, not a feed; add the page's own address and its feeds are looked for",
    "opml": "an OPML list of feeds; import it instead",
    "urlset": "a sitemap, not a feed",
    "sitemapindex": "a sitemap, not a feed",
}
_INSTEAD |= dict.fromkeys(("head", "body", "meta", "title", "script", "div"), _INSTEAD["html"])
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)(#?\w{1,32});")
_PROLOG_PART = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->|<!doctype[^<>\[\]\"']*>", re.S | re.I)
_ROOT = re.compile(r"<(?:[\w.-]+:)?(rss|feed|rdf|channel)(?=[\s>/])", re.I)
_ANY_TAG = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_LINK_URI = re.compile(r"""<link\s+uri\s*=\s*(?:"[^"<]*"|'[^'<]*')""")  # feedparser takes it for the address
# RSS: markup straight inside an element of plain text, of which feedparser would see nothing.
_NAKED = re.compile(r"(<(guid|author)(?:\s[^<>]*)?>)([^<]*<(?!/|!|name\b|email\b|uri\b)[^\0]{1,500}?)(</\2>)", re.I)
_PREFIX = re.compile(r"</?([A-Za-z_][\w.-]*):[A-Za-z_]")
_DECLARATION = re.compile(r"\sxmlns:([\w.-]+)\s*=")
_NAMESPACES = {  # of prefixes that feeds use without declaring them
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/DTDs/PodCast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xhtml": "http://www.w3.org/1999/xhtml",
}
_ITEM = re.compile(r"<(?:[\w.-]+:)?(?:item|entry)(?=[\s>/])", re.I)
_ITEM_END = re.compile(r"</(?:[\w.-]+:)?(?:item|entry)\s*>", re.I)
_ITEM_DATE = re.compile(
    r"<(?:[\w.-]+:)?(?:pubDate|published|updated|date|issued|modified)(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[)?([^<\]]{6,64})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the feed tells of every entry in it."""

    url: str
    authors: tuple[str, ...]
    language: str
    now: datetime

    def join(self, link: str | None) -> str | None:
        try:
            return urljoin(self.url, link) if link else None
        except ValueError:
            return None


def _page(address: str | None) -> str:
    """An address without its fragment. When several entries lie on one page, the fragment tells them apart."""
    return (address or "").partition("#")[0]


def read_xml_feed(text: str, url: str, now: datetime, max_entries: int) -> Feed:
    """The feed in `text`. What follows damage is kept as far as it can be read, and the damage named.

    Raises SourceError when it is no feed at all, or when feedparser gives up.
    """
    text, problems = _newest(text, max_entries)
    text, found = _prepare(text, url)
    # No base address is given: guids stay as written then, and so the same when the feed moves.
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        result = feedparser.parse(
            io.BytesIO(text.encode()), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except _FEEDPARSER_RAISES as error:
        raise SourceError(f"{url}: the feed is damaged beyond reading ({type(error).__name__})") from error
    if result.get("bozo"):
        problems.append(f"not well-formed XML, read as far as possible: {result.get('bozo_exception')}"[:200])
    feed = result.get("feed", {})
    entries = result.get("entries", [])
    if not entries and not result.get("version") and found not in _ROOTS:
        raise SourceError(f"{url}: no feed: the document is <{found}>")
    authors = _authors(feed) or _authors(feed, "publisher")
    inherited = authors if str(result.get("version", "")).startswith("atom") else ()
    context = _Context(url, inherited, _str(dict.get(feed, "language")), now)
    entries = entries[:max_entries]
    shared = Counter(_page(address) for address in {_address(entry, url) for entry in entries})
    return Feed(
        title=_title(feed),
        home_url=_address(feed, url),
        entries=tuple(_entry(entry, context, shared) for entry in entries),
        problems=tuple(problems),
        guid=_str(dict.get(feed, "id")).strip(),
        updated=_date(feed, "updated", now) or _date(feed, "published", now),
        authors=authors,
    )


def _prepare(text: str, url: str) -> tuple[str, str]:
    """The document from its root element on, and the root's name, as XML that strict parsers take more often.

    Everything before the root goes, the DOCTYPE with it: no entity can be declared then, hence none
    expanded or fetched (billion laughs, external entities), whatever the parser. HTML's named characters,
    which feeds use without declaring them, become characters; references to impossible ones go.
    """
    text = _LINK_URI.sub("<link", _REFERENCE.sub(_resolved, _NOT_XML.sub("", text)))
    position = 0
    while part := _PROLOG_PART.match(text, position):
        position = part.end()
    first = _ANY_TAG.search(text, position)
    if first is None:
        raise SourceError(f"{url}: {'no feed: the document has no elements' if text.strip() else 'empty document'}")
    name = first[1].lower()
    if name not in _ROOTS and (root := _ROOT.search(text, position, position + 20_000)) and name != "html":
        first, name = root, root[1].lower()  # a server's complaint stands before the feed
    if name in _INSTEAD:
        raise SourceError(f"{url}: {_INSTEAD[name]}")
    text = text[first.start() :]
    if name != "feed":
        text = _NAKED.sub(lambda match: match[1] + html.escape(match[3], quote=False) + match[4], text)
    return _declared(text, first.end() - first.start()), name


def _declared(text: str, at: int) -> str:
    """The document with every namespace prefix it uses declared, at the end of the root's name (`at`)."""
    missing = set(_PREFIX.findall(text)) - set(_DECLARATION.findall(text)) - {"xml", "xmlns"}
    names = (f' xmlns:{prefix}="{_NAMESPACES.get(prefix, f"undeclared:{prefix}")}"' for prefix in sorted(missing)[:50])
    return f"{text[:at]}{''.join(names)}{text[at:]}" if missing else text


def _resolved(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        character = html.entities.html5.get(f"{name};")
        return html.escape(character) if character else f"&amp;{name};"
    try:
        character = chr(int(name[2:], 16) if name[1] in "xX" else int(name[1:]))
    except (ValueError, OverflowError, IndexError):
        return ""
    return "" if _NOT_XML.match(character) else f"&#{ord(character)};"


def _newest(text: str, limit: int) -> tuple[str, list[str]]:
    """The document with only its `limit` newest entries, and the problem to report when there were more.

    Cut out of the text before it is parsed, so that a feed of 100,000 entries costs no more than one of
    `limit`. Entries without a date count as older than dated ones, and later ones in the document as older.
    """
    starts = [match.start() for match in _ITEM.finditer(text)]
    if len(starts) <= limit:
        return text, []
    ends = [*starts[1:], len(text)]
    last = _ITEM_END.search(text, starts[-1])
    if last:
        ends[-1] = last.end()

    def newness(index: int) -> tuple[float, int]:
        found = _ITEM_DATE.search(text, starts[index], min(ends[index], starts[index] + 20_000))
        date = parse_date(found[1]) if found else None
        return (date.timestamp() if date else float("-inf"), -index)

    kept = sorted(nlargest(limit, range(len(starts)), key=newness))
    parts = [text[: starts[0]], *(text[starts[i] : ends[i]] for i in kept), text[ends[-1] :]]
    return "".join(parts), [f"{len(starts)} entries; only the newest {limit} were read"]


def _entry(raw: Any, feed: _Context, shared: Counter[str]) -> Entry:
    url = feed.url
    address = _address(raw, url)
    content, is_text, base = _content(raw)
    links = _links(raw)
    attached = [link["href"] for link in links if link.get("rel") in ("enclosure", "related", "via")]
    return make_entry(
        guid=_str(dict.get(raw, "id")).strip(),
        title=_title(raw),
        url=address,
        html="" if is_text else content,
        text=content if is_text else None,
        base_url=web_url(base, url) or url,
        published=_date(raw, "published", feed.now) or _date(raw, "created", feed.now),
        updated=_date(raw, "updated", feed.now),
        authors=_authors(raw) or _authors(raw.get("source") or {}) or feed.authors,
        links=[link for link in map(feed.join, attached) if link],
        tags=[_str(_get(tag, "label") or _get(tag, "term")) for tag in dict.get(raw, "tags", [])],
        image=feed.join(_image(raw, links)),
        lang_hint=feed.language,
        keep_fragment=shared[_page(address)] > 1,
        now=feed.now,
    )


def _content(raw: Any) -> tuple[str, bool, str | None]:
    """The longest of contents and summary, whether it is plain text, and what its links are relative to."""
    best, is_text, base = "", True, None
    for part in (*dict.get(raw, "content", []), dict.get(raw, "summary_detail")):
        kind = _str(_get(part, "type")) or "text/html"
        value = _str(_get(part, "value"))
        if len(value) > len(best) and kind in ("text/html", "application/xhtml+xml", "text/plain"):
            best, is_text, base = value, kind == "text/plain", _get(part, "base")
    if not best:
        best, is_text = _str(dict.get(raw, "summary")), False
    return best, is_text, base


def _title(raw: Any) -> str:
    title = _str(dict.get(raw, "title"))
    kind = _str(_get(dict.get(raw, "title_detail"), "type"))
    return one_line(title if kind == "text/plain" else plain_text(title), 2_000)


def _links(raw: Any) -> list[dict[str, str]]:
    return [dict(link) for link in dict.get(raw, "links", []) if isinstance(_get(link, "href"), str)]


def _address(raw: Any, url: str) -> str | None:
    """Where the entry or site can be read: the alternate link, any other that is no file or service, the id.

    A guid serves as address only when it is one: "abc123" is marked as a permalink by mere default.
    """
    links, guid = _links(raw), dict.get(raw, "id")
    alternates = [link["href"] for link in links if link.get("rel") in (None, "alternate")]
    others = [link["href"] for link in links if link.get("rel") in ("related", "via", "enclosure")]
    link = dict.get(raw, "link")
    for candidate in (link if link != guid else None, *alternates, web_url(_str(guid)), *others):
        if isinstance(candidate, str) and (address := web_url(candidate, url, keep_fragment=True)):
            return address
    return None


def _authors(raw: Any, role: str = "author") -> tuple[str, ...]:
    people = dict.get(raw, f"{role}s") or [dict.get(raw, f"{role}_detail")]
    names = [_str(_get(person, "name")) or _str(_get(person, "email")) for person in people]
    plain = (plain_text(name) for name in (names if any(names) else [_str(dict.get(raw, role))]))
    return tuple(line for name in plain if (line := one_line(name, 200)))


def _image(raw: Any, links: list[dict[str, str]]) -> str | None:
    thumbnails = [_get(thumbnail, "url") for thumbnail in dict.get(raw, "media_thumbnail", [])]
    media = [
        _get(content, "url")
        for content in dict.get(raw, "media_content", [])
        if _get(content, "medium") == "image" or _str(_get(content, "type")).startswith("image/")
    ]
    files = [link["href"] for link in links if link.get("type", "").startswith("image/")]
    candidates = (*media, *thumbnails, *files, _get(dict.get(raw, "image"), "href"))
    return next((candidate for candidate in candidates if candidate and isinstance(candidate, str)), None)


def _date(raw: Any, name: str, now: datetime) -> datetime | None:
    """A date as feedparser read it (a UTC struct_time), else as we can read what it could not."""
    parsed = dict.get(raw, f"{name}_parsed")
    if isinstance(parsed, time.struct_time | tuple):
        try:
            year, month, day, hour, minute, second = parsed[:6]
            return clean_date(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC), now)
        except (ValueError, OverflowError, TypeError):
            return None
    return clean_date(parse_date(dict.get(raw, name)), now)


def _get(record: Any, key: str) -> Any:
    """A record's own value: feedparser's dictionaries alias and compute keys, which warns and raises."""
    return dict.get(record, key) if isinstance(record, dict) else None


def _str(value: object) -> str:
    return value if isinstance(value, str) else ""
