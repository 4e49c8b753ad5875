"""A reader's graph of concepts as a text that a person can edit: TOML, one table a concept (see EXAMPLE).

The words are those of SKOS (altLabel, broader, narrower, related, definition). TOML and not SKOS's JSON-LD, because
it carries comments, needs no identifiers and is read by Python itself.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from attention_filter.errors import DataError
from attention_filter.words import words

EXAMPLE = """\
# One table a concept. What stands in the brackets only tells it from other senses of its name.
["Rust (language)"]
names    = ["rustlang", "Rust语言"]    # other names, in any language
broader  = ["programming language"]   # what is only named, as here, needs no table of its own
narrower = ["Cargo", "borrow checker"]
related  = ["WebAssembly"]
context  = ["compiler", "crate", "编译器"]   # words beside the name that tell this sense
gloss    = "a programming language"
care     = 1    # how much you care, -2 to 2; left out, your interests say it

# Another sense of the word. An item that uses it so loses.
["rust (fungus)"]
context  = ["wheat", "crop", "spores"]

["苹果（公司）"]
names    = ["Apple", "苹果公司"]
context  = ["手机", "芯片", "发布会", "iPhone"]

["苹果（水果）"]
names    = ["apple"]
context  = ["果园", "水果", "丰收", "orchard", "cider"]
"""
MOST_CONCEPTS = 2_000
MOST_CARE = 2.0

_LISTS = ("names", "broader", "narrower", "related", "context")
_BRACKET = re.compile(r"\s*[(（][^()（）]*[)）]\s*$")
_LINE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True)
class Concept:
    """One meaning. `broader` and `related` are labels of other concepts; `care` None: the interests say it."""

    label: str
    names: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    gloss: str = ""
    care: float | None = None

    @property
    def called(self) -> tuple[str, ...]:
        """Every name of the concept, its label without the bracket first.

        >>> Concept("苹果（公司）", names=("Apple",)).called
        ('苹果', 'Apple')
        """
        return tuple(dict.fromkeys((_BRACKET.sub("", self.label) or self.label, *self.names)))

    @property
    def meaning(self) -> str:
        """The concept in words, to be encoded: what tells it from other senses of its names."""
        return ". ".join(part for part in (" ".join(self.called), self.gloss, ", ".join(self.context)) if part)


Graph = tuple[Concept, ...]


def parse(text: str, file: str = "graph") -> Graph:
    """The concepts of a TOML text. DataError names the file and the line.

    >>> [c.label for c in parse('[Rust]\\nnarrower = ["Cargo"]')], parse('[Rust]\\nnarrower = ["Cargo"]')[1].broader
    (['Rust', 'Cargo'], ('Rust',))
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = _LINE.search(str(error))
        line = int(said.group(1)) if said else max(len(text.splitlines()), 1)
        raise DataError(f"{file}:{line}: {_LINE.split(str(error))[0].strip()}") from error
    if len(tables) > MOST_CONCEPTS:
        raise DataError(f"{file}:1: {len(tables)} concepts; at most {MOST_CONCEPTS}")

    def wrong(label: str, key: str, problem: str) -> DataError:
        return DataError(f"{file}:{_line(text, label, key)}: {label}: {problem}")

    found: dict[str, Concept] = {}
    for label, table in tables.items():
        if not isinstance(table, dict):
            raise wrong(label, "", f'write it as a table: ["{label}"] on a line of its own')
        try:
            concept = _concept(label, table)
        except _ProblemError as problem:
            raise wrong(label, problem.key, str(problem)) from None
        if _same(label) in found:
            raise wrong(label, "", "stands there twice")
        found[_same(label)] = concept
    try:
        graph = _complete(tuple(found.values()), {label: table.get("narrower", ()) for label, table in tables.items()})
    except _ProblemError as problem:
        raise wrong(problem.label, problem.key, str(problem)) from None
    if circle := _circle(graph):
        raise wrong(circle, "broader", "is broader than itself, by way of others")
    return graph


def write(graph: Graph) -> str:
    """The graph as TOML that `parse` takes.

    >>> print(write((Concept("Rust", names=("rustlang",), care=1.0),)), end="")
    [Rust]
    names = ["rustlang"]
    care = 1.0
    """
    return "\n".join("".join(f"{line}\n" for line in _lines(concept)) for concept in graph)


def merge(old: Graph, new: Graph) -> Graph:
    """Both together; a concept of `new` takes the place of the old one with its label, unless it is only named."""
    both = {_same(concept.label): concept for concept in old}
    for concept in new:
        key = _same(concept.label)
        if key not in both or concept != Concept(concept.label, broader=concept.broader):
            both[key] = concept
        else:
            both[key] = replace(both[key], broader=_union(both[key].broader, concept.broader))
    try:
        graph = _complete(tuple(both.values()), {})
    except _ProblemError as problem:
        raise DataError(f"{problem.label}: {problem}") from None
    if circle := _circle(graph):
        raise DataError(f"{circle}: would be broader than itself; mend `broader` and `narrower` of both files")
    return graph


def find(graph: Graph, label: str) -> Concept | None:
    """The concept with this label or, when it is the only one, with this name."""
    exact = [concept for concept in graph if _same(concept.label) == _same(label)]
    called = [concept for concept in graph if _same(label) in map(_same, concept.called)]
    return exact[0] if exact else called[0] if len(called) == 1 else None


def without(graph: Graph, label: str) -> Graph:
    """The graph without this concept; no other one points to it."""
    gone = _same(label)
    return tuple(
        replace(
            concept,
            broader=tuple(one for one in concept.broader if _same(one) != gone),
            related=tuple(one for one in concept.related if _same(one) != gone),
        )
        for concept in graph
        if _same(concept.label) != gone
    )


def doubts(graph: Graph) -> list[str]:
    """What is no error but may be meant otherwise, one line each."""
    senses: dict[tuple[str, ...], list[Concept]] = {}
    for concept in graph:
        for key in {tuple(sorted(set(words(name)))) for name in concept.called}:
            senses.setdefault(key, []).append(concept)
    out = []
    for shared in senses.values():
        plain = [c.label for c in shared if not c.context and not any(c.label in o.broader + o.related for o in graph)]
        if len(shared) > 1 and plain:
            name = shared[0].called[0]
            out.append(f"{name}: one of {len(shared)} senses, and {plain[0]} has no context that tells it")
    return list(dict.fromkeys(out))


def findable(name: str) -> bool:
    """Whether a text that has this name can be told by its words.

    >>> findable("borrow checker"), findable("C++"), findable("the")
    (True, False, False)
    """
    return any(len(term) > 1 for term in words(name))


class _ProblemError(Exception):
    def __init__(self, key: str, message: str, label: str = "") -> None:
        super().__init__(message)
        self.key, self.label = key, label


def _concept(label: str, table: dict[str, Any]) -> Concept:
    for key, value in table.items():
        if key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
                raise _ProblemError(key, f'{key} is a list of words, such as ["one", "two"]')
        elif key == "gloss":
            if not isinstance(value, str):
                raise _ProblemError(key, "gloss is a text in quotes")
        elif key == "care":
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise _ProblemError(key, "care is a number, 1 is usual and below 0 unwanted")
            if abs(value) > MOST_CARE:
                raise _ProblemError(key, f"care {value:g}: give a number from {-MOST_CARE:g} to {MOST_CARE:g}")
        else:
            raise _ProblemError(key, f"unknown word {key!r}; there are {', '.join(_LISTS)}, gloss, care")
    parts = {key: tuple(dict.fromkeys(map(_plain, table.get(key, ())))) for key in _LISTS}
    care = table.get("care")
    concept = Concept(
        _plain(label),
        parts["names"],
        parts["broader"],
        parts["related"],
        parts["context"],
        _plain(table.get("gloss", "")),
        None if care is None else float(care),
    )
    for key, name in [("", concept.called[0]), *(("names", n) for n in parts["names"])]:
        _check_findable(key, name)
    for key in ("context", "broader", "narrower", "related"):
        for name in parts[key]:
            _check_findable(key, _BRACKET.sub("", name))
    return concept


def _check_findable(key: str, name: str) -> None:
    """Items are known by their words, so a name needs a word that can be told from others."""
    if not findable(name):
        kept = " ".join(words(name))
        looks = (
            f"would be looked for as {kept!r}, which is too short to be found" if kept else "has no word to look for"
        )
        raise _ProblemError(key, f"{name!r} {looks}; write it with more letters")


def _complete(graph: Graph, narrower: dict[str, Iterable[str]]) -> Graph:
    """The graph with `narrower` turned round and a concept for all that is only named; each reference is a label."""
    known = {_same(concept.label): concept for concept in graph}
    called: dict[str, set[str]] = {}
    for concept in graph:
        for name in concept.called:
            called.setdefault(_same(name), set()).add(concept.label)

    def label(name: str, key: str, of: str) -> str:
        """The label that `name` means: its own, or that of the only concept so called."""
        by_name = called.get(_same(name), set())
        if _same(name) in known or not by_name:
            return known.setdefault(_same(name), Concept(_plain(name))).label
        if len(by_name) > 1:
            raise _ProblemError(key, f"{key} {name!r} is a name of {' and '.join(sorted(by_name))}; write which", of)
        return next(iter(by_name))

    for above, below in narrower.items():
        for name in below:
            old = known[_same(label(name, "narrower", above))]
            known[_same(old.label)] = replace(old, broader=_union(old.broader, (_plain(above),)))
    for key, concept in tuple(known.items()):
        broader = (label(name, "broader", concept.label) for name in concept.broader)
        related = (label(name, "related", concept.label) for name in concept.related)
        known[key] = replace(concept, broader=_union((), broader), related=_union((), related))
    return tuple(known.values())


def _circle(graph: Graph) -> str | None:
    """A concept that lies above itself."""
    above = {concept.label: concept.broader for concept in graph}
    done: set[str] = set()
    for start in above:
        path: list[tuple[str, Iterator[str]]] = [(start, iter(above[start]))]
        open_ = {start}
        while path and start not in done:
            label, rest = path[-1]
            step = next((one for one in rest if one not in done), None)
            if step is None:
                path.pop()
                open_.discard(label)
                done.add(label)
            elif step in open_:
                return step
            else:
                open_.add(step)
                path.append((step, iter(above[step])))
    return None


def _lines(concept: Concept) -> Iterator[str]:
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", concept.label)
    yield f"[{concept.label if bare else _quoted(concept.label)}]"
    for key in ("names", "broader", "related", "context"):
        if values := getattr(concept, key):
            yield f"{key} = [{', '.join(map(_quoted, values))}]"
    if concept.gloss:
        yield f"gloss = {_quoted(concept.gloss)}"
    if concept.care is not None:
        yield f"care = {concept.care}"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(text: str) -> str:
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in unicodedata.normalize("NFC", text))
    return " ".join(kept.split())


def _same(label: str) -> str:
    return _plain(label).casefold()


def _union(left: Iterable[str], right: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*left, *right)))


def _line(text: str, label: str, key: str) -> int:
    """The line of a concept's key, or of its head when it has no such line."""
    head, inside = 1, False
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line.startswith("["):
            inside = label in line
            head = number if inside else head
        elif line.strip("\"' ").startswith(key if inside else label) and (inside is bool(key)):
            return number
    return head
