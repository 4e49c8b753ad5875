"""JSONL, CSV and TSV files with named columns: tickets, exports, data sets."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from attention_filter.errors import DataError, SourceError
from attention_filter.sources.clean import make_entry
from attention_filter.sources.dates import parse_date
from attention_filter.sources.decoding import decode
from attention_filter.sources.files import Problem
from attention_filter.types import Entry

MAX_TABLE = 200_000_000  # bytes
MAX_FIELD = 1_000_000  # characters of one field
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
    text = _read(path)
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        rows = _json_rows(text, path)
    else:
        rows = _csv_rows(text, path, columns)
    chosen: dict[str, str] = {}
    seen: dict[str, str] = {}
    for number, row in rows:
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


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise SourceError(f"{path}: no such file")
        if path.stat().st_size > MAX_TABLE:
            raise SourceError(f"{path}: larger than {MAX_TABLE // 1_000_000} MB; split it")
        return decode(path.read_bytes())[0].replace("\x00", "")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(line, object) of each line, or what is wrong with it; a .json file may also be one array of objects."""
    if path.suffix.lower() == ".json" and text.lstrip().startswith("["):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path}: broken JSON: {error}"[:300]) from None
        for number, value in enumerate(values, 1):
            yield number, value if isinstance(value, dict) else "not a JSON object"
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except RecursionError:
            yield number, "nested too deeply"
        except ValueError as error:
            what = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            yield number, f"broken JSON: {what}"[:200]
        else:
            yield number, value if isinstance(value, dict) else "not a JSON object"


def _csv_rows(text: str, path: Path, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(line, {column: value}) of each record after the header, or what is wrong with it."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD))  # the module's only way: one limit for all
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise SourceError(f"{path}: the table is empty")
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else max(",;\t|", key=lines[first].count)
    try:
        header, used = _record(lines, first, delimiter, strict=False)
    except csv.Error as error:
        raise SourceError(f"{path}: the header cannot be read: {error}") from None
    header = [name.strip() for name in header]
    guessed = guess_columns(header)
    if missing := [name for name in columns.values() if name not in header]:
        raise SourceError(f"{path}: no column {', '.join(missing)}; there are {', '.join(header)}"[:500])
    if not {"title", "text", "html"} & {*columns, *guessed}:
        raise SourceError(f"{path}: no column looks like a title or a text; name them: {', '.join(header)}"[:500])
    position = first + used
    while position < len(lines):
        number = position + 1
        try:
            row, used = _record(lines, position, delimiter, strict=True)
        except csv.Error:
            # A stray quote: read this line by itself, so that it cannot swallow those that follow.
            row, used = _alone(lines[position], delimiter), 1
            if len(row) != len(header):
                row = []
                yield number, "broken quotes"
        position += used
        if len(row) > len(header) and any(row[len(header) :]):
            yield number, f"{len(row)} fields where the header has {len(header)}"
        elif any(field.strip() for field in row):
            yield number, dict(zip(header, [*row, *[""] * (len(header) - len(row))], strict=False))


def _record(lines: list[str], start: int, delimiter: str, *, strict: bool) -> tuple[list[str], int]:
    """The record that begins on line `start` (from 0), and how many lines it takes."""
    reader = csv.reader((f"{lines[i]}\n" for i in range(start, len(lines))), delimiter=delimiter, strict=strict)
    return next(reader), reader.line_num


def _alone(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


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
