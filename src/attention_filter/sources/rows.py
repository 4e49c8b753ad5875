"""The rows of JSONL, JSON, CSV and TSV files, with the line that each stands on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention_filter.errors import SourceError
from attention_filter.sources.decoding import decode

MAX_TABLE = 200_000_000  # bytes
MAX_FIELD = 1_000_000  # characters of one field

Row = tuple[int, dict[str, Any] | str]  # line, and {column: value} or what is wrong with it


@dataclass(frozen=True)
class Table:
    """`header` names the columns of a CSV or TSV file; a JSON file has none. Rows are read once, as they come."""

    header: list[str] | None
    rows: Iterator[Row]


def read_rows(path: Path) -> Table:
    """A file's rows; a line that makes no sense comes as a sentence. SourceError when the file cannot be read."""
    text = _read(path)
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return Table(None, _json_rows(text, path))
    return _csv_table(text, path)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise SourceError(f"{path}: no such file")
        if path.stat().st_size > MAX_TABLE:
            raise SourceError(f"{path}: larger than {MAX_TABLE // 1_000_000} MB; split it")
        return decode(path.read_bytes())[0].replace("\x00", "")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _json_rows(text: str, path: Path) -> Iterator[Row]:
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
            yield number, f"broken JSON: {error}"[:200]
        else:
            yield number, value if isinstance(value, dict) else "not a JSON object"


def _csv_table(text: str, path: Path) -> Table:
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
    return Table(header, _records(lines, first + used, delimiter, header))


def _records(lines: list[str], position: int, delimiter: str, header: list[str]) -> Iterator[Row]:
    """(line, {column: value}) of each record after the header, or what is wrong with it."""
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
