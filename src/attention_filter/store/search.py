"""Full-text search on SQLite's FTS5: English by stems, Chinese (and kana, Hangul) by character pairs.

FTS5's own tokenizer takes a run of Han characters for one word, and its trigram tokenizer misses words of
two characters. So runs are indexed as overlapping pairs and their last character, and a run in a query
becomes the phrase of its pairs. The rest is left to FTS5 (porter over unicode61: stems, case, accents).
That is as fast as indexing our own stems (words.words), 10,000 items/s of 433 characters either way, and
stop words can stand in a quoted phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.repeats import said
from attention_filter.store.schema import items, visible
from attention_filter.types import Item
from attention_filter.words import CJK, words

TITLE_WEIGHT = 3.0  # a word in the title counts as three in the text
SNIPPET_CHARS = 200

_RUN = re.compile(f"[{CJK}]+")
_PIECE = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_QUERY = re.compile(r"""(-?)(?:["“”]([^"“”]*)["“”]?|([^\s"“”]+))""")


@dataclass(frozen=True, slots=True)
class Hit:
    """A found item. `marks` are the (start, end) of matched words in `snippet`, which is plain text.

    `rank` is BM25 (Robertson & Zaragoza 2009) over title and text, higher is better; it compares hits of one
    search only.
    """

    item: Item
    snippet: str
    rank: float
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query in FTS5's language, and the words of it to mark."""

    match: str
    wanted: tuple[str, ...]


def index_text(text: str) -> str:
    """The text as FTS5 gets it.

    >>> index_text("A股大跌 today")
    'A 股大 大跌 跌  today'
    """
    return _RUN.sub(_pairs_and_last, text)


def _pairs_and_last(run: re.Match[str]) -> str:
    # The last character stands alone too, so that "one character, then anything" finds each of them.
    chars = run.group()
    return f" {' '.join([*_pairs(chars), chars[-1]])} "


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def parse(query: str) -> Query:
    """A person's query: all words must occur, "words in quotes" one after the other, -words must not.

    UsageError when nothing is left to look for.

    >>> parse('rates -"central bank" 人工智能').match
    '("rates" AND "人工 工智 智能") NOT ("central bank")'
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    shown: list[str] = []
    for minus, phrase, word in _QUERY.findall(query):
        pieces = [piece for piece in _PIECE.findall(phrase or word) if any(map(str.isalnum, piece))]
        if minus and pieces:
            unwanted.append(f"({' AND '.join(_phrases(pieces))})")
        elif pieces:
            wanted += _phrases(pieces)
            shown += pieces
    if not wanted:
        raise UsageError(f"{query!r}: nothing to search for; give at least one word that is not excluded")
    match = " NOT ".join([f"({' AND '.join(wanted)})", *unwanted])
    return Query(match, tuple(piece.lower() for piece in shown))


def _phrases(pieces: Sequence[str]) -> list[str]:
    """FTS5 phrases for one word or quotation: neighbouring words are one phrase, each CJK run is its own."""
    out: list[str] = []
    words_so_far: list[str] = []
    for piece in [*pieces, ""]:
        if piece and not _RUN.match(piece):
            words_so_far.append(piece)
            continue
        if words_so_far:
            out.append(f'"{" ".join(words_so_far)}"')
            words_so_far = []
        if piece:
            out.append(f'"{" ".join(_pairs(piece))}"' if len(piece) > 1 else f'"{piece}"*')
    return out


def find(connection: sa.Connection, reader: int, query: Query, limit: int) -> list[tuple[int, float]]:
    """(item id, rank) of the best matches among what the reader may see."""
    rank = sa.func.bm25(_ANY_COLUMN, TITLE_WEIGHT, 1.0)  # FTS5's is negative, the best match the lowest
    statement = (
        sa.select(items.c.id, -rank)
        .join_from(_INDEX, items, items.c.id == _INDEX.c.rowid)
        .where(_ANY_COLUMN.op("MATCH")(query.match), visible(reader))
        .order_by(rank, items.c.date.desc())
        .limit(limit)
    )
    return [(id_, score) for id_, score in connection.execute(statement)]


_INDEX = sa.table("item_search", sa.column("rowid", sa.Integer))
_ANY_COLUMN: sa.ColumnClause[str] = sa.literal_column("item_search")  # FTS5 names the whole row by the table


def index(connection: sa.Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Add (item id, title, text) to the index, in the caller's transaction."""
    connection.exec_driver_sql(
        "INSERT INTO item_search (rowid, title, text) VALUES (?, ?, ?)",
        [(id_, index_text(title), index_text(text)) for id_, title, text in rows],
    )


def unindex(connection: sa.Connection, rows: Iterable[tuple[int, str, str]]) -> None:
    """Take rows out again; they must be exactly what was indexed, for the index keeps no texts of its own."""
    connection.exec_driver_sql(
        "INSERT INTO item_search (item_search, rowid, title, text) VALUES ('delete', ?, ?, ?)",
        [(id_, index_text(title), index_text(text)) for id_, title, text in rows],
    )


def hit(item: Item, query: Query, rank: float) -> Hit:
    """The item with the piece of its text where most of the wanted words stand together."""
    text = said(item.entry.text, item.left_out)
    marks = matches(text, query.wanted)
    if not marks and item.left_out:  # it may stand in what the source repeats
        text = item.entry.text
        marks = matches(text, query.wanted)
    start = max(0, min(_densest(marks), len(text) - SNIPPET_CHARS))
    if start > 0:  # begin at a word, a little before the first match
        start = max(0, start - 40)
        start = text.find(" ", start, start + 40) + 1 or start
    snippet = text[start : start + SNIPPET_CHARS]
    inside = [(a - start, b - start) for a, b in marks if start <= a and b <= start + len(snippet)]
    return Hit(item, snippet, rank, tuple(inside))


def matches(text: str, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where the wanted words stand in the text, by the same stem or as a part of a CJK run.

    >>> matches("Compilers 编译器好", ["compile", "编译器"])
    [(0, 9), (10, 13)]
    """
    runs = [word for word in wanted if _RUN.match(word)]
    plain = {word for word in wanted if not _RUN.match(word)}
    stems = {stem for word in plain for stem in words(word)}
    found: list[tuple[int, int]] = []
    for piece in _PIECE.finditer(text):
        token = piece.group().lower()
        if _RUN.match(token):
            found += [(piece.start() + at, piece.start() + at + len(run)) for run in runs for at in _all(run, token)]
        elif token in plain or not stems.isdisjoint(words(token)):
            found.append(piece.span())
    return sorted(found)


def _all(part: str, whole: str) -> Iterator[int]:
    """Where `part` begins in `whole`, overlapping or not."""
    at = whole.find(part)
    while at >= 0:
        yield at
        at = whole.find(part, at + 1)


def _densest(marks: Sequence[tuple[int, int]]) -> int:
    """The start of the match after which most others follow within a snippet; 0 without any."""
    best, most, last = 0, 0, 0
    for first, (start, _) in enumerate(marks):
        while last < len(marks) and marks[last][1] <= start + SNIPPET_CHARS - 40:
            last += 1
        if last - first > most:
            best, most = start, last - first
    return best
