"""What a list must be, in the reader's own short sentences: quotas, must-include, never together. Pure.

    source:"Daily Noise" at most 2          at most so many, or at most that share, of a list
    each source at most 20%
    interest:climate at least 1             when there is any
    source:Post never with source:Mail      not in the same list
    word:bitcoin never next to word:bitcoin

What can be named: source, folder, interest, lang, topic, sentiment, tag, author, word. Quotes hold a name of several
words together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import regex

from attention_filter.errors import UsageError
from attention_filter.personal.lists import AtLeast, AtMost, Bounds, Never
from attention_filter.personal.rules import applies
from attention_filter.types import Item, Rule, RuleAction

FIELDS = ("source", "folder", "interest", "lang", "topic", "sentiment", "tag", "author", "word")
SPARE = 3  # times the items a quota asks for are kept in hand: stories are folded, and some may not stand together
OF_TEXT = frozenset({"topic", "sentiment", "tag", "author", "word"})  # what needs the item itself
_FIELD = "|".join(FIELDS)
_TERM = rf'(?P<{{0}}>{_FIELD})\s*:\s*(?:"(?P<{{0}}_quoted>[^"]+)"|(?P<{{0}}_plain>[^\s"]+))'
_SENTENCE = regex.compile(
    rf"(?:each\s+(?P<each>{_FIELD})|{_TERM.format('one')})\s+"
    r"(?:at\s+(?P<bound>most|least)\s+(?P<amount>\d+)(?P<percent>\s*%)?"
    rf"|never\s+(?P<never>with|next\s+to)\s+{_TERM.format('other')})",
    regex.IGNORECASE,
)
_AS_TYPED = str.maketrans({"：": ":", "“": '"', "”": '"', "„": '"', "「": '"', "」": '"', "％": "%"})


class Kind(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"
    NEVER_WITH = "never with"
    NEVER_NEXT_TO = "never next to"


@dataclass(frozen=True, slots=True)
class Group:
    """The items of which a field has this value; None stands for each value by itself."""

    field: str
    value: str | None

    def __str__(self) -> str:
        if self.value is None:
            return f"each {self.field}"
        return f'{self.field}:"{self.value}"' if regex.search(r"\s", self.value) else f"{self.field}:{self.value}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One sentence. `amount` counts items, or is a share of the list in percent; `other` goes with the nevers."""

    kind: Kind
    group: Group
    amount: int = 0
    percent: bool = False
    other: Group | None = None

    def __str__(self) -> str:
        return f"{self.group} {self.kind} {self.other or self.amount}{'%' if self.percent else ''}"

    def items(self, places: int) -> int:
        """The amount as a number of items in a list of `places`: a share is rounded in the reader's favour."""
        if not self.percent:
            return self.amount
        exact = self.amount * places / 100
        return math.ceil(exact) if self.kind is Kind.AT_LEAST else max(math.floor(exact), 1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be asked of an item. `item` may be None while no constraint asks for its text (`OF_TEXT`)."""

    source: str
    folder: str = ""
    lang: str = "und"
    interest: str | None = None  # the text of the interest that claims it
    item: Item | None = None


def parse(text: str) -> Constraint:
    """The constraint that a sentence says; UsageError, with what to write, for one that cannot be understood.

    >>> str(parse('source: "Daily Noise" at most 2'))
    'source:"Daily Noise" at most 2'
    >>> str(parse("word：比特币 never next to word：股票"))
    'word:比特币 never next to word:股票'
    """
    found = _SENTENCE.fullmatch(text.translate(_AS_TYPED).strip())
    if found is None:
        raise UsageError(
            f'{text!r} is not understood; write, for example, source:"Daily Noise" at most 2, each source at most 20%, '
            f"interest:climate at least 1 or word:bitcoin never next to word:bitcoin; fields are {', '.join(FIELDS)}"
        )
    each = found["each"]
    group = Group(each.lower(), None) if each else _group(found, "one")
    if each and found["never"]:
        raise UsageError(f"{text!r}: never joins two names; give the second thing a name, or use: {group} at most 1")
    if found["never"]:
        kind = Kind.NEVER_WITH if found["never"].lower() == "with" else Kind.NEVER_NEXT_TO
        return Constraint(kind, group, other=_group(found, "other"))
    return Constraint(Kind(f"at {found['bound'].lower()}"), group, int(found["amount"]), bool(found["percent"]))


def check(new: Constraint, others: Sequence[Constraint]) -> None:
    """UsageError for a constraint that says nothing or can never hold beside the `others`."""
    if new.other is None and new.amount == 0:
        instead = "attention rules add --block" if new.kind is Kind.AT_MOST else "a number from 1"
        raise UsageError(f"{new}: 0 is no quota; use {instead}")
    if new.group == Group("word", None):
        raise UsageError(f"{new}: name the word, such as word:bitcoin at most 1")
    if new.percent and new.amount > 100:
        raise UsageError(f"{new}: a share is at most 100%")
    if new.kind is Kind.NEVER_WITH and new.group == new.other:
        raise UsageError(f"{new}: say it as {new.group} at most 1")
    if any(str(new) == str(other) for other in others):
        raise UsageError(f"{new}: this is there already")
    both = [*others, new]
    floors = [one for one in both if one.kind is Kind.AT_LEAST]
    for floor in floors:
        for one in both:
            if one.kind is Kind.AT_MOST and _meet(one.group, floor.group) and one.percent == floor.percent:
                _refuse_if(one.amount < floor.amount, new, floor, one)
    for one in both:
        if one.kind is Kind.NEVER_WITH:
            needed = [floor for floor in floors if floor.group in (one.group, one.other)]
            _refuse_if({f.group for f in needed} == {one.group, one.other}, new, one, *needed)
    for field in ("source", "lang"):  # an item has one of these
        shares = [floor for floor in floors if floor.percent and floor.group.field == field and floor.group.value]
        _refuse_if(sum(floor.amount for floor in shares) > 100, new, *shares)


def bind(constraints: Iterable[Constraint], facts: Sequence[Facts], places: int) -> Bounds:
    """The constraints for the n rows that `facts` tell of, in a list of `places`."""
    most: list[AtMost] = []
    least: list[AtLeast] = []
    never: list[Never] = []
    for one in constraints:
        if one.other is not None:
            pair = (_members(one.group, facts), _members(one.other, facts))
            never.append(Never(str(one), *pair, next_to=one.kind is Kind.NEVER_NEXT_TO))
            continue
        for group, members in _each(one.group, facts) if one.group.value is None else [(one.group, None)]:
            says = str(Constraint(one.kind, group, one.amount, one.percent))
            rows = _members(group, facts) if members is None else members
            if one.kind is Kind.AT_MOST:
                most.append(AtMost(says, rows, one.items(places)))
            else:
                least.append(AtLeast(says, rows, one.items(places)))
    return Bounds(tuple(most), tuple(least), tuple(never))


def in_hand(
    constraints: Sequence[Constraint], facts: Callable[[int], Facts], n: int, enough: int, places: int
) -> np.ndarray:
    """Which of n rows, best first, a list of `places` is made of: the first `enough`, and further down as many as it
    takes that `enough` fit into the quotas and that what must be there is found. `facts` tells of one row."""
    if not constraints:
        return np.arange(min(n, enough))
    most = [one for one in constraints if one.kind is Kind.AT_MOST]
    least = [one for one in constraints if one.kind is Kind.AT_LEAST]
    counts: Counter[tuple[Group, str]] = Counter()
    kept, fitting = [], 0
    for row in range(n):
        searching = any(one.group.value is None or counts[one.group, ""] < SPARE * one.items(places) for one in least)
        if row >= enough and fitting >= enough and not searching:
            break
        fact = facts(row)
        keys = {one: _keys(one.group, fact) for one in (*most, *least)}
        fits = not any(counts[key] >= SPARE * one.items(places) for one in most for key in keys[one])
        serves = any(counts[key] < SPARE * one.items(places) for one in least for key in keys[one])
        if row < enough or serves or (fits and fitting < enough):
            kept.append(row)
            fitting += fits
            counts.update({key for found in keys.values() for key in found})
    return np.array(kept, np.int64)


def _keys(group: Group, facts: Facts) -> list[tuple[Group, str]]:
    """What an item counts as: one key a value for "each", else one when it belongs to the group."""
    if group.value is None:
        return [(group, value) for value in values(group.field, facts)]
    return [(group, "")] if belongs(group, facts) else []


def values(field: str, facts: Facts) -> tuple[str, ...]:
    """What the field says of an item, without case; nothing when it says nothing."""
    entry = facts.item.entry if facts.item else None
    found: dict[str, Iterable[str | None]] = {
        "source": [facts.source],
        "folder": [facts.folder],
        "lang": [facts.lang],
        "interest": [facts.interest],
        "topic": [facts.item.topic] if facts.item else (),
        "sentiment": [facts.item.sentiment] if facts.item else (),
        "tag": entry.tags if entry else (),
        "author": entry.authors if entry else (),
        "word": (),
    }
    return tuple(dict.fromkeys(value.casefold() for value in found[field] if value))


def belongs(group: Group, facts: Facts) -> bool:
    """Whether an item is one of a named group: a part of the name will do, but for a language, a folder, a tag, a topic
    and a sentiment.

    >>> belongs(Group("source", "noise"), Facts("Daily Noise")), belongs(Group("folder", "a"), Facts("x", "a/b"))
    (True, True)
    """
    wanted = (group.value or "").casefold()
    if group.field == "word":
        rule = Rule(0, RuleAction.PIN, words=(wanted,))
        return facts.item is not None and applies(rule, facts.item, facts.item.fetched)
    found = values(group.field, facts)
    if group.field == "lang":
        return any(wanted.partition("-")[0] == value.partition("-")[0] for value in found)
    if group.field == "folder":
        return any(value == wanted or value.startswith(f"{wanted}/") for value in found)
    if group.field in ("topic", "sentiment", "tag"):
        return wanted in found
    return any(wanted in value for value in found)


def _group(found: regex.Match[str], name: str) -> Group:
    value = " ".join((found[f"{name}_quoted"] or found[f"{name}_plain"]).split())
    if not value:
        raise UsageError(f"{found[0]!r}: a name is empty; write it after the colon")
    return Group(found[name].lower(), value)


def _each(group: Group, facts: Sequence[Facts]) -> list[tuple[Group, np.ndarray]]:
    """One group a value, and the items that have it."""
    found: dict[str, list[int]] = {}
    for row, one in enumerate(facts):
        for value in values(group.field, one):
            found.setdefault(value, []).append(row)
    return [(Group(group.field, value), np.isin(np.arange(len(facts)), rows)) for value, rows in sorted(found.items())]


def _members(group: Group, facts: Sequence[Facts]) -> np.ndarray:
    return np.array([belongs(group, one) for one in facts], bool)


def _meet(cap: Group, floor: Group) -> bool:
    return cap == floor or (cap.value is None and cap.field == floor.field)


def _refuse_if(contradiction: bool, new: Constraint, *those: Constraint) -> None:
    others = " and ".join(f"“{one}”" for one in dict.fromkeys(those) if one != new)
    if contradiction:
        raise UsageError(f"“{new}” cannot hold beside {others}; remove or change one of them")
