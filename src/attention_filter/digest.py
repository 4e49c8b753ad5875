"""A ranked list as a page or a letter to read (plain text, one self-contained HTML file) or as a feed to follow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from jinja2 import Environment, PackageLoader, StrictUndefined

from attention_filter.personal.levels import NAMES
from attention_filter.repeats import said
from attention_filter.types import Item, Ranked

LEAD = 280  # characters of text under a title
ATOM = "http://www.w3.org/2005/Atom"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Head:
    """What a feed says of itself: its title, its own address, the page it stands for, and an id that never changes."""

    title: str
    address: str
    home: str
    id: str


def atom_feed(ranked: Sequence[Ranked], head: Head) -> str:
    """The items as Atom (RFC 4287). The same items give the same text, whatever their scores: nothing says "now".

    >>> '<title>Mine</title>' in atom_feed([], Head("Mine", "https://a.org/f.atom", "https://a.org/", "urn:x:1"))
    True
    """
    register_namespace("", ATOM)
    feed = Element(f"{{{ATOM}}}feed")
    _add(feed, "id", head.id)
    _add(feed, "title", head.title)
    _add(feed, "updated", max((_changed(one.item) for one in ranked), default=_NEVER).isoformat())
    _add(feed, "link", rel="self", type="application/atom+xml", href=head.address)
    _add(feed, "link", rel="alternate", type="text/html", href=head.home)
    _add(feed, "generator", "Attention Filter")
    _add(_add(feed, "author"), "name", head.title)  # for the entries that name none (RFC 4287, 4.1.1)
    for one in ranked:
        entry, item = one.item.entry, one.item
        element = _add(feed, "entry")
        if entry.lang != "und":
            element.set(_XML_LANG, entry.lang)
        _add(element, "id", item_id(item))
        _add(element, "title", entry.title or item.source_title)
        _add(element, "updated", _changed(item).isoformat())
        _add(element, "published", item.date.isoformat())
        if link := _web(entry.url):
            _add(element, "link", rel="alternate", href=link)
        for name in entry.authors or (item.source_title,):
            _add(_add(element, "author"), "name", name)
        for tag in _tags(item):
            _add(element, "category", term=tag)
        if said := _why(one):
            _add(element, "summary", said)
        _add(element, "content", entry.html or entry.text, type="html" if entry.html else "text")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(feed, encoding="unicode") + "\n"


def json_feed(ranked: Sequence[Ranked], head: Head) -> str:
    """The items as JSON Feed 1.1 (jsonfeed.org)."""
    feed: dict[str, Any] = {"version": "https://jsonfeed.org/version/1.1", "title": head.title}
    feed |= {"home_page_url": head.home, "feed_url": head.address, "items": [_json_item(one) for one in ranked]}
    return json.dumps(feed, ensure_ascii=False, indent=1) + "\n"


def _json_item(one: Ranked) -> dict[str, Any]:
    entry, item = one.item.entry, one.item
    optional = {
        "url": _web(entry.url),
        "image": _web(entry.image),
        "language": entry.lang if entry.lang != "und" else None,
        "summary": _why(one) or None,
        "tags": _tags(item) or None,
    }
    return {
        "id": item_id(item),
        "title": entry.title or item.source_title,
        "content_html" if entry.html else "content_text": entry.html or entry.text,
        "date_published": item.date.isoformat(),
        "date_modified": _changed(item).isoformat(),
        "authors": [{"name": name} for name in entry.authors or (item.source_title,)],
        **{name: value for name, value in optional.items() if value is not None},
    }


def _tags(item: Item) -> list[str]:
    """What the source calls it, and the topic that we do."""
    known = {tag.casefold() for tag in item.entry.tags}
    return [*item.entry.tags, *([item.topic] if item.topic and item.topic.casefold() not in known else [])]


def item_id(item: Item) -> str:
    """The same for an item in every feed of ours, and in none of anybody else's."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{item.entry.url} {item.source} {item.entry.guid}')}"


def _changed(item: Item) -> datetime:
    said = item.entry.updated
    return said if said is not None and item.date <= said <= item.fetched else item.date


def _add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    kept = {key: _NOT_XML.sub("", value) for key, value in attributes.items()}
    element = SubElement(parent, f"{{{ATOM}}}{name}", kept)
    element.text = _NOT_XML.sub("", text) or None
    return element


def _web(url: str | None) -> str | None:
    return url if (url or "").startswith(("http://", "https://")) else None


class Tongue(Protocol):
    """The language a digest is written in: messages filled in, ages and moments."""

    @property
    def code(self) -> str: ...  # ISO 639-1

    def say(self, message: str, **values: Any) -> str: ...
    def count(self, one: str, many: str, n: int, **values: Any) -> str: ...
    def ago(self, then: datetime, now: datetime) -> str: ...
    def moment(self, when: datetime) -> str: ...


class English:
    """The language of the source."""

    code = "en"

    def say(self, message: str, **values: Any) -> str:
        return message.format(**values)

    def count(self, one: str, many: str, n: int, **values: Any) -> str:
        return (one if n == 1 else many).format(n=n, **values)

    def ago(self, then: datetime, now: datetime) -> str:
        return age(then, now)

    def moment(self, when: datetime) -> str:
        return f"{when:%-d %B %Y, %H:%M} UTC"


ENGLISH = English()


@dataclass(frozen=True)
class Story:
    """An item as a digest tells it. `promise` is its level and chance, empty while nothing is known; `percent` the
    length of its bar."""

    title: str
    url: str | None
    lang: str
    origin: str
    lead: str
    promise: str
    percent: int
    why: str


def stories(ranked: Sequence[Ranked], now: datetime, tongue: Tongue = ENGLISH) -> list[Story]:
    """What a digest says of each item."""
    top = max((one.score for one in ranked), default=0.0)
    return [
        Story(
            title=one.item.entry.title or one.item.source_title,
            url=_web(one.item.entry.url),
            lang=one.item.entry.lang if one.item.entry.lang != "und" else "",
            origin=_origin(one, now, tongue),
            lead=_lead(one),
            promise=_promise(one, tongue),
            percent=round(
                100 * (max(one.score, 0) / top if top > 0 else 0) if one.probability is None else 100 * one.probability
            ),
            why=_why(one, tongue),
        )
        for one in ranked
    ]


def digest_html(
    ranked: Sequence[Ranked], *, title: str, now: datetime, tongue: Tongue = ENGLISH, stop: str = ""
) -> str:
    """One HTML page without scripts, pictures or anything to load; every text is escaped. `stop` is the address that
    ends the letters."""
    pages = Environment(loader=PackageLoader("attention_filter"), autoescape=True, undefined=StrictUndefined)
    told = stories(ranked, now, tongue)
    count = tongue.count("{n} story", "{n} stories", len(told))
    page = pages.get_template("digest.html")
    return page.render(
        title=title, stories=told, count=count, now=tongue.moment(now), t=tongue.say, lang=tongue.code, stop=stop
    )


def digest_text(ranked: Sequence[Ranked], now: datetime, tongue: Tongue = ENGLISH, stop: str = "") -> str:
    """The same as plain text, for a terminal or a letter."""
    blocks = []
    for place, one in enumerate(stories(ranked, now, tongue), 1):
        lines = [f"{place}. {one.title}", "   " + " · ".join(part for part in (one.origin, one.promise) if part)]
        lines += [f"   {one.lead}"] if one.lead else []
        lines += [f"   {one.why}"] if one.why else []
        lines += [f"   {one.url}"] if one.url else []
        blocks.append("\n".join(lines))
    blocks = blocks or [tongue.say("Nothing new that is worth your attention.")]
    blocks += [tongue.say("No more of these letters: {address}", address=stop)] if stop else []
    return "\n\n".join(blocks)


def age(then: datetime, now: datetime) -> str:
    """How long ago, in the largest fitting unit.

    >>> from datetime import UTC
    >>> age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 5, tzinfo=UTC))
    '2 d'
    """
    minutes = max((now - then).total_seconds() / 60, 0)
    if minutes < 60:
        return f"{minutes:.0f} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 1440:.0f} d"


def _origin(one: Ranked, now: datetime, tongue: Tongue) -> str:
    others = tongue.say("{n} more tell it", n=len(one.story)) if one.story else ""
    return " · ".join(part for part in (one.item.source_title, tongue.ago(one.item.date, now), others) if part)


def _promise(one: Ranked, tongue: Tongue) -> str:
    parts = [tongue.say(NAMES[one.level])] if one.level else []
    return " ".join([*parts, f"{one.probability:.0%}"]) if one.probability is not None else ""


def _lead(one: Ranked) -> str:
    text = " ".join(said(one.item.entry.text, one.item.left_out).split())
    return text if len(text) <= LEAD else text[: LEAD - 1].rstrip() + "…"


def _why(one: Ranked, tongue: Tongue = ENGLISH) -> str:
    if one.pinned:
        return tongue.say("pinned by your rule")
    reasons = [tongue.say("for “{interest}”", interest=one.interest) if one.interest else "", one.moved or ""]
    return " · ".join(reason for reason in reasons if reason)
