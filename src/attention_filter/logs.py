"""Reading logs of what people read, to measure rankings with: MIND files and folders of profiles.

MIND (Wu et al. 2020, "MIND: A Large-scale Dataset for News Recommendation"), as published: `news.tsv` has id,
category, subcategory, title, abstract, address and two columns of entities; `behaviors.tsv` has id, user, time,
clicked news so far, and the news shown, each with "-1" when it was clicked and "-0" when not. MIND shuffled what
was shown; a log of one's own may keep the order in a sixth column: the place of each, 1 at the top.

A profiles folder has `items.jsonl` (id, published, title, text, lang), `readers.jsonl` (one situation of one
reader a line: reader, k, statements, interests, likes, dislikes, candidates) and `meta.json` (background).

Whatever cannot be understood raises DataError with the file and the line. Items are named by their row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attention_filter.errors import DataError

Rows = NDArray[np.int32]

NEWS_COLUMNS = 8
BEHAVIOR_COLUMNS = 5
# Said of a background that each reader has for themselves; otherwise no reader's candidate may be in it.
_PER_READER = re.compile(r"\bown\b|\b(?:per|each|this) reader\b", re.I)


@dataclass(frozen=True, slots=True)
class LogItem:
    """What was there to read. `published` carries UTC; None when the log does not say."""

    id: str
    title: str
    text: str = ""
    lang: str = "und"
    published: datetime | None = None
    category: str = ""


@dataclass(frozen=True, slots=True)
class Impression:
    """A list that was shown once: rows of the news clicked before and of those shown, and which were clicked.

    `positions` are the places of those shown, 1 at the top; None when the log does not say.
    """

    id: str
    user: str
    time: datetime
    history: Rows
    candidates: Rows
    labels: NDArray[np.bool_]
    positions: Rows | None = None


@dataclass(frozen=True, slots=True)
class ClickLog:
    """`items`, and the impressions in time order."""

    items: tuple[LogItem, ...]
    train: tuple[Impression, ...]
    test: tuple[Impression, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a reader has said and done so far, and what is to be ranked; `labels` are the answers.

    `k` counts the likes; `with_statements` tells the section it belongs to; `n_interests` is how many interests the
    reader has ("2-3"), empty when that is not known.
    """

    reader: str
    k: int
    with_statements: bool
    interests: tuple[str, ...]
    likes: Rows
    dislikes: Rows
    candidates: Rows
    labels: NDArray[np.bool_]
    n_interests: str = ""


@dataclass(frozen=True, slots=True)
class ProfileSet:
    """`per_reader`: the background of a reader is all but that reader's own candidates, else all but everyone's."""

    items: tuple[LogItem, ...]
    situations: tuple[Situation, ...]
    per_reader: bool


def read_mind(items: Path, train: Path, test: Path | None) -> ClickLog:
    """The news and both logs (without `test`, one). News that stands twice counts as it first stood."""
    news: list[LogItem] = []
    rows: dict[str, int] = {}
    for number, line in _lines(items):
        fields = line.split("\t")
        if len(fields) < NEWS_COLUMNS:
            raise _broken(items, number, f"{len(fields)} columns instead of {NEWS_COLUMNS}")
        if not fields[0]:
            raise _broken(items, number, "the id is missing")
        if rows.setdefault(fields[0], len(news)) == len(news):
            news.append(LogItem(fields[0], fields[3], fields[4], category=fields[1]))
    tested = _impressions(test, rows, items) if test is not None else ()
    return ClickLog(tuple(news), _impressions(train, rows, items), tested)


def only_what_is_read(log: ClickLog) -> ClickLog:
    """The log without the news that nobody was shown, so that it need not be encoded."""
    impressions = (*log.train, *log.test)
    used = np.unique(np.concatenate([rows for one in impressions for rows in (one.history, one.candidates)]))

    def renumbered(impression: Impression) -> Impression:
        history, candidates = (
            np.searchsorted(used, rows).astype(np.int32) for rows in (impression.history, impression.candidates)
        )
        return replace(impression, history=history, candidates=candidates)

    return ClickLog(
        tuple(log.items[i] for i in used),
        tuple(renumbered(impression) for impression in log.train),
        tuple(renumbered(impression) for impression in log.test),
    )


def read_profiles(folder: Path) -> ProfileSet:
    """The items, the situations and whose candidates stay out of the background."""
    items: list[LogItem] = []
    rows: dict[str, int] = {}
    path = folder / "items.jsonl"
    for number, record in _records(path):
        item = _item(path, number, record)
        if rows.setdefault(item.id, len(items)) != len(items):
            raise _broken(path, number, f"item {item.id!r} stands twice")
        items.append(item)
    path = folder / "readers.jsonl"
    situations = tuple(_situation(path, number, record, rows) for number, record in _records(path))
    return ProfileSet(tuple(items), situations, _per_reader(folder / "meta.json"))


def _impressions(path: Path, rows: Mapping[str, int], items: Path) -> tuple[Impression, ...]:
    out = []
    for number, line in _lines(path):
        fields = line.split("\t")
        if len(fields) not in (BEHAVIOR_COLUMNS, BEHAVIOR_COLUMNS + 1):
            raise _broken(path, number, f"{len(fields)} columns instead of {BEHAVIOR_COLUMNS}")
        name, user, time, history, shown = fields[:BEHAVIOR_COLUMNS]
        try:
            at = datetime.strptime(time, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
        except ValueError:
            raise _broken(path, number, f"time {time!r} is not like 11/14/2019 8:05:30 AM") from None
        pairs = [candidate.rpartition("-") for candidate in shown.split()]
        if not pairs or any(label not in ("0", "1") for _, _, label in pairs):
            raise _broken(path, number, "the news shown must each end in -0 or -1")
        try:
            past = _rows(history.split(), rows)
            candidates = _rows([news for news, _, _ in pairs], rows)
        except KeyError as error:
            raise _broken(path, number, f"news {error} is not in {items.name}") from None
        labels = np.array([label == "1" for *_, label in pairs])
        places = _places(path, number, fields[BEHAVIOR_COLUMNS], len(labels)) if fields[BEHAVIOR_COLUMNS:] else None
        out.append(Impression(name, user, at, past, candidates, labels, places))
    if not out:
        raise DataError(f"{path}: no impressions; give a behaviors.tsv")
    return tuple(sorted(out, key=lambda impression: impression.time))


def _places(path: Path, number: int, column: str, shown: int) -> Rows:
    places = column.split()
    if len(places) != shown or not all(place.isascii() and place.isdigit() and int(place) for place in places):
        raise _broken(path, number, "the sixth column must have the place of each news shown, 1 at the top")
    return np.array(places, np.int32)


def _item(path: Path, number: int, record: Mapping[str, Any]) -> LogItem:
    name, title, text, lang, published = (record.get(field) for field in ("id", "title", "text", "lang", "published"))
    if not isinstance(name, str) or not name:
        raise _broken(path, number, "the id is missing")
    if any(value is not None and not isinstance(value, str) for value in (title, text, lang, published)):
        raise _broken(path, number, "title, text, lang and published must be texts or null")
    try:
        date = datetime.fromisoformat(published) if published else None
    except ValueError:
        raise _broken(path, number, f"published {published!r} is not an ISO 8601 date") from None
    if date is not None:
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    return LogItem(name, title or "", text or "", lang or "und", date)


def _situation(path: Path, number: int, record: Mapping[str, Any], rows: Mapping[str, int]) -> Situation:
    reader, k, stated = record.get("reader"), record.get("k"), record.get("statements")
    interests, likes, dislikes, shown = (
        record.get(field) or [] for field in ("interests", "likes", "dislikes", "candidates")
    )
    lists = (interests, likes, dislikes, shown)
    if not isinstance(reader, str | int) or not all(isinstance(value, list) for value in lists):
        raise _broken(path, number, "reader must be a name; interests, likes, dislikes and candidates lists or null")
    if not all(isinstance(text, str) for text in interests):
        raise _broken(path, number, "interests must be texts")
    try:
        names = [candidate["id"] for candidate in shown]
        labels = [{0: False, 1: True}[candidate["label"]] for candidate in shown]
    except (KeyError, TypeError):
        raise _broken(path, number, "every candidate needs an id and a label of 0 or 1") from None
    if not shown:
        raise _broken(path, number, "there are no candidates to rank")
    try:
        past, disliked, candidates = _rows(likes, rows), _rows(dislikes, rows), _rows(names, rows)
    except (KeyError, TypeError) as error:
        raise _broken(path, number, f"item {error} is not in items.jsonl") from None
    if k is not None and (not isinstance(k, int) or k < 0):
        raise _broken(path, number, f"k is {k!r}, not a number of likes")
    return Situation(
        reader=str(reader),
        k=len(likes) if k is None else k,
        with_statements=bool(interests if stated is None else stated),
        interests=tuple(interests),
        likes=past,
        dislikes=disliked,
        candidates=candidates,
        labels=np.array(labels),
        n_interests=str(record.get("n_interests") or ""),
    )


def _per_reader(path: Path) -> bool:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    return isinstance(meta, dict) and bool(_PER_READER.search(str(meta.get("background", ""))))


def _rows(names: Sequence[str], rows: Mapping[str, int]) -> Rows:
    return np.array([rows[name] for name in names], np.int32)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank, without their end."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise _broken(path, number, f"not UTF-8 ({error.reason})") from None
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from None


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for number, line in _lines(path):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise _broken(path, number, f"not JSON ({error})") from None
        if not isinstance(record, dict):
            raise _broken(path, number, "not a JSON object")
        yield number, record
    if not number:
        raise DataError(f"{path}: the file is empty")


def _broken(path: Path, number: int, what: str) -> DataError:
    return DataError(f"{path} line {number}: {what}")
