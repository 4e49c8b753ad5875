"""JSONL, CSV and TSV files with named columns: tickets, exports, data sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from attention_filter.errors import DataError, SourceError
from attention_filter.sources.clean import make_entry
from attention_filter.sources.dates import parse_date
from attention_filter.sources.files import Problem
from attention_filter.sources.rows import read_rows
from attention_filter.types import Entry

# Which column names mean which field; the first that a header has counts.
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "guid": ("guid", "id", "key", "number", "ticket_id", "ticket", "issue_key", "issue", "case_id", "uid", "编号"),
    "title": ("title", "subject", "summary", "headline", "name", "标题", "主题"),
    "text": ("text", "body", "description", "content", "message", "abstract", "review", "内容", "正文", "描述"),
    "url": ("url", "link", "href", "permalink", "web_url", "链接"),
    "published": (
        "published", "created", "date", "created_at", "created_on", "createdat", "timestamp", "time", "published_at",
        "pubdate", "datetime", "opened", "opened_at", "日期", "时间", "创建时间",
    ),
    "updated": ("updated", "updated_at", "modified", "modified_at", "last_modified", "更新时间"),
    "authors": ("authors", "author", "requester", "reporter", "from", "creator", "created_by", "sender", "作者"),
    "tags": ("tags", "labels", "categories", "category", "topics", "topic", "keywords", "标签", "分类"),
    "lang": ("lang", "language", "locale", "语言"),
    "image": ("image", "image_url", "thumbnail"),
}  # fmt: skip
_LIST = re.compile(r"\s*[;|]\s*|\s*,\s*")
_NORMAL = re.compile(r"[\s\-.]+")


def guess_columns(header: Iterable[str]) -> dict[str, str]:
    """Which column is which field of an entry, by its name; columns of no known name are left out.

    >>> guess_columns(["Ticket ID", "Subject", "Description", "Requester", "Mood"])
    {'guid': 'Ticket ID', 'title': 'Subject', 'text': 'Description', 'authors': 'Requester'}
    """
    columns = {_NORMAL.sub("_", name.strip().lower().lstrip("\ufeff")): name for name in reversed(list(header))}
    found: dict[str, str] = {}
    for field, names in COLUMN_NAMES.items():
        match = next((columns[name] for name in names if name in columns), None)
        if match is not None:
            found[field] = match
    return found


def read_table(path: Path, columns: Mapping[str, str], now: datetime) -> Iterator[Entry | Problem]:
    """An entry per line; `columns` says which column is which field (see COLUMN_NAMES), the rest is guessed.

    A line that makes no sense becomes a Problem and the rest goes on. A line without an id gets one from its
    address or content, the same on every reading; when two different lines have one id, the later one's is
    told apart by its content. Raises SourceError when the file cannot be read or has no usable columns.
    """
    if unknown := set(columns) - set(COLUMN_NAMES) - {"html"}:
        raise SourceError(
            f"{path}: no field is called {', '.join(sorted(unknown))}; there are {', '.join(COLUMN_NAMES)}"
        )
    table = read_rows(path)
    if table.header is not None:
        _check_header(path, table.header, columns)
    chosen: dict[str, str] = {}
    seen: dict[str, str] = {}
    for number, row in table.rows:
        where = f"{path.name} line {number}"
        if isinstance(row, str):
            yield Problem(where, row)
            continue
        if not chosen or any(column not in row for column in chosen.values()):
            chosen = {**guess_columns(row), **columns}
        try:
            entry = _entry(row, chosen, now)
        except DataError as error:
            yield Problem(where, str(error))
            continue
        if seen.get(entry.guid, entry.content_hash) != entry.content_hash:
            entry = replace(entry, guid=f"{entry.guid}#{entry.content_hash[:12]}")
        elif entry.guid in seen:
            yield Problem(where, f"the same as an earlier line (id {entry.guid[:60]}); left out")
            continue
        seen[entry.guid] = entry.content_hash
        yield entry


def _check_header(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> None:
    if missing := [name for name in columns.values() if name not in header]:
        raise SourceError(f"{path}: no column {', '.join(missing)}; there are {', '.join(header)}"[:500])
    if not {"title", "text", "html"} & {*columns, *guess_columns(header)}:
        raise SourceError(f"{path}: no column looks like a title or a text; name them: {', '.join(header)}"[:500])


def _entry(row: dict[str, Any], columns: Mapping[str, str], now: datetime) -> Entry:
    def cell(field: str) -> str:
        return _text(row.get(columns.get(field, "")))

    def cells(field: str) -> list[str]:
        value = row.get(columns.get(field, ""))
        return [_text(v) for v in value] if isinstance(value, list) else _LIST.split(_text(value))

    title, text, html = cell("title").strip(), cell("text"), cell("html")
    if not (title or text.strip() or html.strip()):
        raise DataError("no title and no text")
    return make_entry(
        guid=cell("guid").strip(),
        title=title,
        url=cell("url"),
        html=html,
        text=text,
        published=parse_date(row.get(columns.get("published", ""))),
        updated=parse_date(row.get(columns.get("updated", ""))),
        authors=cells("authors"),
        tags=cells("tags"),
        image=cell("image"),
        lang_hint=cell("lang"),
        now=now,
    )


def _text(value: Any) -> str:
    """A cell as text: a list's parts side by side, an object by its name."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, dict):
        return next((_text(value[k]) for k in ("name", "displayName", "value", "text", "email") if value.get(k)), "")
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return str(value)
