"""Labelled texts from files; what is wrong with a file is said with its name and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attention_filter.errors import DataError
from attention_filter.sources.rows import read_rows

NAMED = 3  # wrong lines that an error names
_BETWEEN = re.compile(r"\s*[;|]\s*")


@dataclass(frozen=True)
class Example:
    """A text and its labels: one, or with several labels a text any number."""

    text: str
    labels: tuple[str, ...]


def read_examples(path: Path, *, text: str = "text", label: str = "label", several: bool = False) -> list[Example]:
    """The rows of a JSONL, CSV or TSV file. With `several`, a label cell is a list, or names parted by ; or |.

    DataError that names the file and the first lines that are wrong: all of them are looked at before one is used.
    """
    examples, wrong = list[Example](), list[str]()
    for number, row in read_rows(path).rows:
        made = row if isinstance(row, str) else _example(row, text, label, several)
        if isinstance(made, str):
            wrong.append(f"line {number}: {made}")
        else:
            examples.append(made)
    if wrong:
        more = f" and {len(wrong) - NAMED} more lines" if len(wrong) > NAMED else ""
        raise DataError(f"{path}: {'; '.join(wrong[:NAMED])}{more}; mend or remove them")
    if not examples:
        raise DataError(f"{path}: no examples in it")
    return examples


def read_texts(path: Path, *, text: str = "text") -> list[str]:
    """The texts of a file, labelled or not; a .txt file has one a line."""
    if path.suffix.lower() == ".txt":
        try:
            return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    out = []
    for number, row in read_rows(path).rows:
        if isinstance(row, str) or text not in row:
            said = row if isinstance(row, str) else _no_column(text, row)
            raise DataError(f"{path}: line {number}: {said}")
        out.append(str(row[text] or ""))
    return out


def labels_of(examples: Sequence[Example]) -> list[str]:
    """All labels, sorted. DataError when there are fewer than two: nothing could be told apart."""
    found = sorted({label for example in examples for label in example.labels})
    if len(found) < 2:
        only = f"only the label {found[0]!r}" if found else "no label"
        raise DataError(f"{only} in {len(examples)} examples; at least two are needed to tell apart")
    return found


def _example(row: dict[str, Any], text: str, label: str, several: bool) -> Example | str:
    for column in (text, label):
        if column not in row:
            return _no_column(column, row)
    said = str(row[text] if row[text] is not None else "").strip()
    if not said:
        return "the text is empty"
    value = row[label]
    if isinstance(value, list):
        names = [str(one).strip() for one in value]
    else:
        cell = "" if value is None else str(value).strip()
        names = _BETWEEN.split(cell) if several else [cell]
    names = list(dict.fromkeys(filter(None, names)))
    if not several and len(names) != 1:
        return "no label" if not names else f"{len(names)} labels; train with several labels a text, or leave one"
    return Example(said, tuple(names))


def _no_column(column: str, row: dict[str, Any]) -> str:
    return f"no column {column!r}; there are {', '.join(row)}"[:300]
