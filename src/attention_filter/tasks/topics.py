"""Topics: names, each with a few short texts that are about it. Twenty come with the program (topics.tsv); a reader may
write others, one a line:

    politics
    chess: A grandmaster plays the endgame; The club's blitz tournament; 国际象棋公开赛

A name alone takes the program's texts, where it is one of its topics, and else the name itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from attention_filter.errors import UsageError

REST = "\x00"  # stands before a label that is none of the reader's: what is about it has no topic of theirs
MOST, LONGEST = 100, 60  # topics, and characters of a name


@dataclass(frozen=True)
class Topic:
    """A topic and the texts it is known by; `chinese` is its name in Chinese, of the program's own."""

    name: str
    texts: tuple[str, ...]
    chinese: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, self.chinese) if self.chinese else (self.name,)


@cache
def usual() -> tuple[Topic, ...]:
    """The topics that come with the program."""
    lines = files(__package__).joinpath("topics.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return tuple(Topic(name, tuple(texts.split("; ")), chinese) for name, chinese, texts in rows)


def parse(text: str) -> tuple[Topic, ...]:
    """The topics of a list as a reader writes it; UsageError that names the line.

    >>> [(one.name, len(one.texts)) for one in parse("politics\\nchess: an endgame; blitz")]
    [('politics', 14), ('chess', 2)]
    """
    known = {name.casefold(): one for one in usual() for name in one.names}
    found: dict[str, Topic] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        name, _, rest = said.replace("：", ":").partition(":")
        name = " ".join(name.split())
        texts = tuple(part for one in rest.replace("；", ";").split(";") if (part := one.strip()))
        if not name or len(name) > LONGEST:
            raise UsageError(f"line {number}: a topic needs a name of at most {LONGEST} characters before the colon")
        topic = Topic(name, texts) if texts else known.get(name.casefold(), Topic(name, (name,)))
        if topic.name.casefold() in found:
            raise UsageError(f"line {number}: the topic {topic.name!r} stands there twice")
        found[topic.name.casefold()] = topic
    if not 2 <= len(found) <= MOST:
        raise UsageError(f"{len(found)} topics: give between 2 and {MOST}, one a line, e.g. chess: an endgame; blitz")
    return tuple(found.values())


def write(topics: Sequence[Topic]) -> str:
    """The list that `parse` reads; the program's own topics by their names alone.

    >>> write(parse("politics\\nchess: an endgame; blitz"))
    'politics\\nchess: an endgame; blitz\\n'
    """
    known = {(name, one.texts) for one in usual() for name in one.names}
    return "".join(
        f"{one.name}\n" if (one.name, one.texts) in known else f"{one.name}: {'; '.join(one.texts)}\n" for one in topics
    )


def pairs(topics: Sequence[Topic]) -> list[tuple[str, str]]:
    """(label, text) to learn from. Of a reader's own list, also the program's topics that are not in it, as REST."""
    own = [(one.name, text) for one in topics for text in (*one.names, *one.texts)]
    names = {one.name for one in topics}
    return own + [(REST + one.name, text) for one in usual() if one.name not in names for text in one.texts]


def usual_pairs() -> list[tuple[str, str]]:
    return pairs(usual())


def named(topics: Sequence[str], asked: str) -> str:
    """The topic of that name, in English or Chinese, whatever the case; UsageError with the names there are.

    >>> named(["politics", "chess"], "政治")
    'politics'
    """
    also = {name.casefold(): one.name for one in usual() for name in one.names}
    own = {name.casefold(): name for name in topics}
    found = own.get(asked.strip().casefold()) or own.get(also.get(asked.strip().casefold(), "").casefold())
    if found is None:
        raise UsageError(f"{asked!r}: you have no such topic; there are {', '.join(topics) or 'none yet'}")
    return found


def in_chinese(name: str) -> str:
    """What a topic is called in Chinese; a reader's own is called what they call it."""
    return next((one.chinese for one in usual() if one.name == name), name)
