"""Changing one's interests: said otherwise, merged, split, removed; the last change can be taken back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter

from attention_filter import quotas
from attention_filter.errors import UsageError
from attention_filter.personal.constraints import Constraint, Group, Kind
from attention_filter.store.store import Store
from attention_filter.types import Interest

CHANGED = "interests changed"  # name of the state: the last change


class Way(StrEnum):
    """What was done to interests."""

    EDITED = "edited"
    MERGED = "merged"
    SPLIT = "split"
    REMOVED = "removed"


@dataclass(frozen=True)
class Change:
    """The last change: what was done to the interest called `name`, and all interests and quotas before and after."""

    way: Way
    name: str
    before: tuple[Interest, ...]
    after: tuple[Interest, ...]
    quotas: tuple[str, ...]


def edited(interests: Sequence[Interest], id_: int, text: str) -> list[Interest]:
    """One of them in other words; it keeps its weight and its place.

    >>> edited([Interest(1, "cars")], 1, " electric  cars ")
    [Interest(id=1, text='electric cars', weight=1.0, created=None)]
    """
    one = find(interests, id_)
    text = _words(text)
    _refuse_twice([other for other in interests if other.id != id_], [text])
    return [replace(one, text=text) if other.id == id_ else other for other in interests]


def merged(interests: Sequence[Interest], first: int, second: int, text: str) -> list[Interest]:
    """Two of them as one, in the first one's place, with the larger weight."""
    one, other = find(interests, first), find(interests, second)
    if first == second:
        raise UsageError("an interest cannot be merged with itself; choose another one")
    if one.weight * other.weight < 0:
        raise UsageError(f"“{one.text}” and “{other.text}”: one is wanted and the other is not; they stay apart")
    rest = [each for each in interests if each.id != second]
    weight = max(one.weight, other.weight, key=abs)
    return [replace(each, weight=weight) if each.id == first else each for each in edited(rest, first, text)]


def parted(interests: Sequence[Interest], id_: int, texts: tuple[str, str]) -> list[Interest]:
    """One of them as two, each with its weight."""
    one = find(interests, id_)
    first, second = map(_words, texts)
    rest = [other for other in interests if other.id != id_]
    _refuse_twice(rest, [first, second])
    return [*edited(interests, id_, first), Interest(0, second, one.weight, one.created)]


def removed(interests: Sequence[Interest], id_: int) -> list[Interest]:
    """All but one of them."""
    find(interests, id_)
    return [one for one in interests if one.id != id_]


def find(interests: Sequence[Interest], id_: int) -> Interest:
    """The interest with this id; UsageError when there is none."""
    for one in interests:
        if one.id == id_:
            return one
    raise UsageError(f"interest {id_}: you have no such interest; `attention interests` shows the ids")


def change(store: Store, way: Way, id_: int, wanted: Sequence[Interest], now: datetime) -> list[Interest]:
    """Make these the reader's interests, with their quotas, and remember what was before."""
    before = store.interests()
    limits = tuple(str(one) for one in quotas.stored(store))
    after = store.put_interests(wanted, now)
    _follow(store, before, after)
    done = Change(way, find(before, id_).text, tuple(before), tuple(after), limits)
    store.put_state(CHANGED, _CHANGE.dump_json(done))
    return after


def last_change(store: Store) -> Change | None:
    """The last change, while nothing was done to the interests since."""
    stored = json.loads(store.get_state(CHANGED) or b"null")
    known = _CHANGE.validate_python(stored) if stored else None
    return known if known and list(known.after) == store.interests() else None


def take_back(store: Store, now: datetime) -> Change:
    """Undo the last change; UsageError when there is none."""
    known = last_change(store)
    if known is None:
        raise UsageError("there is no change of your interests to take back")
    store.put_interests(known.before, now)
    store.put_state(CHANGED, b"null")
    there = {str(one) for one in quotas.stored(store)}
    for one in quotas.stored(store):
        if str(one) not in known.quotas and one.group.field == "interest":
            quotas.remove(store, one)
    quotas.add(store, [one for one in known.quotas if one not in there and "interest" in one])
    return known


def quota_of(store: Store, interest: Interest) -> int | None:
    """The share of a list, in percent, that an interest may fill at most; None without a limit."""
    return next((one.amount for one in quotas.stored(store) if _limits(one, interest)), None)


def set_quota(store: Store, interest: Interest, percent: int | None) -> None:
    """Limit an interest to a share of a list, or lift the limit with None."""
    if percent is not None and not 1 <= percent <= 100:
        raise UsageError(f"{percent} %: a share of the list lies between 1 and 100 %")
    old = [one for one in quotas.stored(store) if _limits(one, interest)]
    for one in old:
        quotas.remove(store, one)
    if percent is not None and percent < 100:
        try:
            quotas.add(store, [f'interest:"{_name(interest)}" at most {percent}%'])
        except UsageError:
            quotas.add(store, [str(one) for one in old])
            raise


def _follow(store: Store, before: Sequence[Interest], after: Sequence[Interest]) -> None:
    """Limits go with the interest they are about: said otherwise, or gone."""
    now = {one.id: one for one in after}
    for interest in before:
        share = quota_of(store, interest)
        if share is None or now.get(interest.id) == interest:
            continue
        set_quota(store, interest, None)
        if interest.id in now:
            set_quota(store, now[interest.id], share)


def _limits(one: Constraint, interest: Interest) -> bool:
    return one.kind is Kind.AT_MOST and one.percent and one.group == Group("interest", _name(interest))


def _name(interest: Interest) -> str:
    """The interest as a quota can name it: the longest part of its text without a quotation mark."""
    return max(re.split('["“”„「」]', interest.text), key=len).strip()


def _words(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise UsageError("an interest needs words; say in a few what you care about")
    return text


def _refuse_twice(others: Sequence[Interest], texts: Sequence[str]) -> None:
    said = [*(one.text for one in others), *texts]
    for text in texts:
        if said.count(text) > 1:
            raise UsageError(f"“{text}”: there is such an interest already; merge the two, or say it otherwise")


_CHANGE = TypeAdapter(Change)
