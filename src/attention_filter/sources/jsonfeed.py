"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1), read as loosely as they are written."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from attention_filter.errors import SourceError
from attention_filter.sources.clean import make_entry, plain_text, web_url
from attention_filter.sources.dates import clean_date, parse_date
from attention_filter.sources.document import Feed
from attention_filter.types import Entry


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _texts(value: object) -> list[str]:
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [text for v in values if (text := _text(v).strip())]


def _objects(value: object) -> list[dict[str, Any]]:
    """A list of objects, also when it is a single one or its members are bare names."""
    values = value if isinstance(value, list) else [value]
    return [v if isinstance(v, dict) else {"name": _text(v), "url": _text(v)} for v in values if v]


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
Objects = Annotated[list[dict[str, Any]], BeforeValidator(_objects)]
Date = Annotated[datetime | None, BeforeValidator(parse_date)]


class _Item(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: Text = ""
    url: Text = ""
    external_url: Text = ""
    title: Text = ""
    content_html: Text = ""
    content_text: Text = ""
    summary: Text = ""
    image: Text = ""
    banner_image: Text = ""
    date_published: Date = None
    date_modified: Date = None
    author: Objects = []
    authors: Objects = []
    tags: Texts = []
    language: Text = ""
    attachments: Objects = []


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore")
    version: Text = ""
    title: Text = ""
    home_page_url: Text = ""
    feed_url: Text = ""
    language: Text = ""
    author: Objects = []
    authors: Objects = []
    items: list[Any] = Field(default_factory=list)


def read_json_feed(text: str, url: str, now: datetime, max_entries: int) -> Feed:
    """The feed; items that make no sense are left out and named in its problems.

    Raises SourceError when the text is no JSON, or JSON of another kind.
    """
    try:
        data = json.loads(text)
        document = _Document.model_validate(data)
    except RecursionError:
        raise SourceError(f"{url}: the JSON is nested too deeply") from None
    except ValidationError:
        raise SourceError(f"{url}: JSON, but no JSON Feed (jsonfeed.org)") from None
    except ValueError as error:  # json.JSONDecodeError, numbers beyond the limit
        raise SourceError(f"{url}: broken JSON: {error}"[:300]) from None
    if "jsonfeed.org" not in document.version and "items" not in data:
        raise SourceError(f"{url}: JSON, but no JSON Feed (no version, no items)")
    problems: list[str] = []
    numbered = list(enumerate(document.items, 1))
    if len(numbered) > max_entries:
        problems.append(f"{len(numbered)} items; only the newest {max_entries} were read")
        numbered = _newest(numbered, max_entries)
    authors = _names(document.authors or document.author)
    base = web_url(document.feed_url, url) or url
    entries = []
    for number, raw in numbered:
        try:
            entries.append(_entry(_Item.model_validate(raw), base, authors, document.language, now))
        except (ValidationError, SourceError) as error:
            reason = str(error).splitlines()[0] if isinstance(error, SourceError) else "not an item object"
            problems.append(f"item {number} skipped: {reason}")
    return Feed(
        title=plain_text(document.title).replace("\n", " ") if "<" in document.title else document.title.strip(),
        home_url=web_url(document.home_page_url, url),
        entries=tuple(entries),
        problems=tuple(problems),
        authors=authors,
    )


def _newest(numbered: list[tuple[int, Any]], limit: int) -> list[tuple[int, Any]]:
    """The `limit` newest items in the order of the document; without dates, the first (feeds begin with the newest)."""

    def age(pair: tuple[int, Any]) -> tuple[float, int]:
        item = pair[1] if isinstance(pair[1], dict) else {}
        date = parse_date(item.get("date_published")) or parse_date(item.get("date_modified"))
        return (-date.timestamp() if date else 0.0, pair[0])

    return sorted(sorted(numbered, key=age)[:limit])


def _entry(item: _Item, base: str, authors: tuple[str, ...], language: str, now: datetime) -> Entry:
    if not (item.title or item.content_html or item.content_text or item.summary or item.url):
        raise SourceError("it has neither title, content nor address")
    attached = [(_text(a.get("url")), _text(a.get("mime_type"))) for a in item.attachments]
    pictures = [address for address, kind in attached if kind.startswith("image/")]
    return make_entry(
        guid=item.id.strip(),
        title=plain_text(item.title) if "</" in item.title else item.title,
        url=item.url or item.external_url,
        html=item.content_html,
        text=item.content_text or item.summary,
        base_url=base,
        published=clean_date(item.date_published, now),
        updated=clean_date(item.date_modified, now),
        authors=_names(item.authors or item.author) or authors,
        links=[*(link for link in (item.external_url,) if link), *(address for address, _ in attached)],
        tags=item.tags,
        image=item.image or item.banner_image or next(iter(pictures), None),
        lang_hint=item.language or language,
        now=now,
    )


def _names(people: list[dict[str, Any]]) -> tuple[str, ...]:
    names = (_text(person.get("name")).strip() or _text(person.get("url")).strip() for person in people)
    return tuple(name for name in names if name)
