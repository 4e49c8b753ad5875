"""Lines that are the same in many items of a source but for what stands in a few places: "Words: Ada. Pictures: Bo.".

A template is a key with {*} where each item has something else, and 0 where it has a number. Which words are fixed is
seen from the neighbours that many items have; the rest are places. They must weigh no more than what is fixed, and be
filled from a small set, such as names of authors, or with numbers. A place that says what the titles say tells of the
item, so such a line is none. Pure.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from attention_filter.segments import IS_CJK, is_measured, weight

PLACE, NUMBER = "{*}", "0"
FEWEST = 3  # items with the same fixed words
FIXED = 6  # the weight of what is fixed, at least
CLOSED = 0.8  # of what fills the places, at most so many are different
TOLD = 0.2  # of the items, at most so many have in a place what their title says
ALIKE = 0.8  # of the lines with the fixed words, so many have no more than these in their places
AT_MOST = 100  # templates of a source
EDGE = "\n"
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Line:
    """A segment of an item: its key and that of the item's title, both in tokens."""

    item: int
    tokens: tuple[str, ...]
    title: tuple[str, ...]


def learn_templates(lines: Sequence[Line], most: float) -> list[str]:
    """The templates of lines that at least `most` items have, the longest first.

    >>> names = "ada bo", "bo cy", "cy ada", "ada cy", "bo ada", "cy bo"
    >>> learn_templates([Line(n, tuple(f"words {a} pictures by {b}".split()), ()) for n, (a, b) in
    ...                  enumerate(map(str.split, names))], 4)
    ['words {*} pictures by {*}']
    """
    numbered = [(line, without_numbers(line.tokens)) for line in lines if not is_measured(line.tokens)]
    items: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for line, tokens in numbered:
        for pair in pairwise([EDGE, *tokens, EDGE]):
            items[pair].add(line.item)
    groups: defaultdict[str, set[int]] = defaultdict(set)
    for enough in (most, 2 * most):  # a name that stands in places of several lines is often among neighbours, too
        often = {pair for pair, having in items.items() if len(having) >= enough}
        for line, tokens in numbered:
            template = _skeleton(tokens, often)
            if template != [PLACE] and (PLACE in template or NUMBER in template):
                groups[" ".join(template)].add(line.item)
    keys = [(line, f" {' '.join(tokens)} ") for line, tokens in numbered]
    found = [key for key, alike in groups.items() if len(alike) >= FEWEST and _says_nothing(key, keys, most)]
    return sorted(found, key=lambda template: (-len(template), template))[:AT_MOST]


def template_of(tokens: Sequence[str], templates: Iterable[str]) -> str | None:
    """The first of the templates that the tokens of a key are of, with no more in its places than is fixed.

    >>> template_of("words cy pictures by ada".split(), ["words {*} pictures by {*}"])
    'words {*} pictures by {*}'
    """
    key = f" {' '.join(without_numbers(tokens))} "
    for template in templates:
        filled = _filled(key, template)
        if filled is not None and weight(" ".join(filled).split()) <= _fixed(template.split()):
            return template
    return None


def without_numbers(tokens: Iterable[str]) -> list[str]:
    """Each number, or run of numbers, as 0.

    >>> without_numbers(["1", "200", "views", "a12"])
    ['0', 'views', 'a0']
    """
    out: list[str] = []
    for token in tokens:
        number = _DIGITS.sub(NUMBER, token)
        if number != NUMBER or out[-1:] != [NUMBER]:
            out.append(number)
    return out


def _skeleton(tokens: list[str], often: set[tuple[str, str]]) -> list[str]:
    """The tokens that are fixed, and {*} where others stand."""
    template: list[str] = []
    padded = [EDGE, *tokens, EDGE]
    for before, token, after in zip(padded, tokens, padded[2:], strict=False):
        if (before, token) in often or (token, after) in often:
            template.append(token)
        elif template[-1:] != [PLACE]:
            template.append(PLACE)
    return template


def _says_nothing(template: str, keys: Sequence[tuple[Line, str]], most: float) -> bool:
    """Whether lines of so many items are of it, in places that are small, closed, and not told by the titles."""
    fixed = _fixed(template.split())
    if fixed < FIXED:
        return False
    filled = [(line, values) for line, key in keys if (values := _filled(key, template)) is not None]
    fit = [(line, values) for line, values in filled if weight(" ".join(values).split()) <= fixed]
    if len({line.item for line, _ in fit}) < most or len(fit) < ALIKE * len(filled):
        return False
    units = [unit for _, values in fit for value in values for unit in _units(value.split())]
    told = sum(_is_told(line, values) for line, values in fit)
    return len(set(units)) <= CLOSED * len(units) and told <= TOLD * len(fit)


def _filled(key: str, template: str) -> list[str] | None:
    """What stands in the places of a template; None when the key, with a space at both ends, is not of it. A place may
    be empty."""
    chunks = f" {template} ".split(PLACE)
    first, last = chunks[0], chunks[-1]
    if len(chunks) == 1:
        return [] if key == first else None
    if not key.startswith(first) or not key.endswith(last):
        return None
    at, end, out = len(first) - 1, len(key) - len(last) + 1, []
    for chunk in chunks[1:-1]:
        start = key.find(chunk, at, end)
        if start < 0:
            return None
        out.append(key[at:start].strip())
        at = start + len(chunk) - 1
    return [*out, key[at:end].strip()] if at <= end else None


def _fixed(template: Iterable[str]) -> int:
    return weight(token for token in template if token not in (PLACE, NUMBER))


def _is_told(line: Line, values: Iterable[str]) -> bool:
    """Whether the title says what fills a place, or a long word of it, or a number of the line."""
    title = f" {' '.join(line.title)} "
    words = {word for value in values for word in (value, *value.split()) if word == value or len(word) > 3}
    return bool(_numbers(line.tokens) & _numbers(line.title)) or any(f" {word} " in title for word in words - {""})


def _units(words: list[str]) -> list[str]:
    """Words, and pairs of Han characters: each says something of its own. Numbers are left out."""
    pairs = [a + b for a, b in pairwise(words) if IS_CJK.match(a) and IS_CJK.match(b)]
    alone = [word for word in words if not _DIGITS.search(word) and not IS_CJK.match(word)]
    return [*pairs, *alone] or [word for word in words if IS_CJK.match(word)]


def _numbers(tokens: Iterable[str]) -> set[str]:
    return {token for token in tokens if token.isdigit()}
