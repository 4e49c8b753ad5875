"""How texts are compared when repeats are looked for: lines, sentences, and their keys.

A text falls into segments: its lines, and within these its sentences. A segment is compared by its *key*: words and
Han characters in lower case, the item's own title as a slot, {}, titles of other items as another, {+}, and where there
are many numbers ("GOLD 1910.5 +0.3%") each of them as 0. So "The post Rust 2 appeared first on E" is "the post {}
appeared first on e" in every item. Pure: texts in, places out.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from attention_filter.words import CJK

TITLE, LIST = 4, 6  # the weight of a title for which a slot stands; of a cut one, or one that other items list
FIRST = 3  # words of a title by which it is looked for
FIGURES = 4  # where one token of so many is a number, the numbers change from item to item and the rest does not

SLOT, OTHERS = "{}", "{+}"
# After a number: it measures something, so it is what the line says.
_MEASURES = """
mln bln dlrs dlr cts pct percent billion million trillion tonnes tons barrels vs g kg mg lb lbs oz ml cl dl
cup cups tsp tbsp teaspoon teaspoons tablespoon tablespoons mm cm km miles yen pounds euros dollars
亿 元 克 斤 吨 升 米 尺 里 股 厘 毫 公 勺 匙 杯 岁
"""
MEASURES = frozenset(_MEASURES.split())
_LINE = re.compile(r"[^\n]+")
_END = re.compile(r"(?<=[。！？…])[”’」』）\])]*|(?<=[.!?])[\"'”’)\]]*\s+(?![a-z])")
WORDS = re.compile(r"[^\W_]")
IS_CJK = re.compile(f"[{CJK}]")
_TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)?")

Place = tuple[int, int]
Titles = Mapping[tuple[str, ...], Sequence[list[str]]]  # {first words of titles: the titles, in words, longest first}
NO_TITLES: Titles = {}


def key_of(text: str, title: str = "", titles: Titles = NO_TITLES) -> str:
    """What a text is compared by; slots stand for the `title` and for the `titles` of other items.

    >>> key_of("The post “Rust 2” is from 2026.", "Rust 2"), key_of("金价 1910.5 +0.3%")
    ('the post {} is from 2026', '金 价 0 0 0 0')
    """
    return " ".join(token for token, _, _ in slotted(text, tokens_of(title), titles))


def index_titles(titles: Iterable[str]) -> Titles:
    """The titles of a source, so that they are found in texts; those that are too short to tell are left out."""
    index: defaultdict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for words in sorted({tuple(tokens_of(title)) for title in titles}, key=lambda words: (-len(words), words)):
        if len(words) >= FIRST and weight(words) >= LIST:
            index[words[:FIRST]].append(list(words))
    return dict(index)


def slotted(text: str, title: list[str], titles: Titles) -> list[tuple[str, int, int]]:
    """Token, start and end. One token, SLOT, is where the title stands, or its beginning; one, OTHERS, where titles of
    other items do; and 0 is each number where there are many."""
    found = [(_compared(match.group()), *match.span()) for match in _TOKEN.finditer(text)]
    words = [word for word, _, _ in found]
    out: list[tuple[str, int, int]] = []
    at = 0
    while at < len(found):
        start = found[at][1]
        if length := _own(words, at, title):
            out.append((SLOT, start, found[at + length - 1][2]))
        elif length := _other(words, at, titles):
            if out and out[-1][0] == OTHERS:
                start = out.pop()[1]
            out.append((OTHERS, start, found[at + length - 1][2]))
        else:
            out.append(found[at])
        at += length or 1
    if FIGURES * sum(token.isdigit() for token, _, _ in out) >= len(out) and not is_measured([t for t, _, _ in out]):
        return [("0" if token.isdigit() else token, start, end) for token, start, end in out]
    return out


def is_measured(tokens: Sequence[str]) -> bool:
    """Whether a number in it measures something.

    >>> is_measured(["net", "2", "mln"]), is_measured(["2", "comments"])
    (True, False)
    """
    return any(one.isdigit() and other in MEASURES for one, other in itertools.pairwise(tokens))


def _own(words: list[str], at: int, title: list[str]) -> int:
    """How many words from there on are the title's, or its beginning."""
    length = 0
    while length < len(title) and words[at + length : at + length + 1] == title[length : length + 1]:
        length += 1
    is_cut = at + length == len(words) - 1 and length < len(title) and title[length].startswith(words[-1])
    enough = TITLE if length == len(title) or is_cut else LIST
    return length + is_cut if length and weight(title[:length]) >= enough else 0


def _other(words: list[str], at: int, titles: Titles) -> int:
    """How many words from there on are a title of another item."""
    known = titles.get(tuple(words[at : at + FIRST]), ()) if titles else ()
    return next((len(title) for title in known if words[at : at + len(title)] == title), 0)


@lru_cache(maxsize=100_000)
def _compared(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


def tokens_of(text: str) -> list[str]:
    return [_compared(match.group()) for match in _TOKEN.finditer(text)]


def weight(tokens: Iterable[str]) -> int:
    return sum(0 if token in (SLOT, OTHERS) else 1 if IS_CJK.match(token) else 2 for token in tokens)


def lines_of(text: str) -> list[Place]:
    return [match.span() for match in _LINE.finditer(text)]


def sentences_of(title: str, text: str, start: int, end: int) -> list[Place]:
    """The sentences of a line, none of which ends within the item's own title."""
    ends = [match.end() for match in _END.finditer(text, start, end)]
    at = text.find(title, start, end) if title and ends else -1
    while at >= 0:
        ends = [one for one in ends if not at < one < at + len(title)]
        at = text.find(title, at + len(title), end)
    edges = [start, *(one for one in ends if start < one < end), end]
    return list(itertools.pairwise(edges))
