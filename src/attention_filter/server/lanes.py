"""What an address of the stream asks for, what was done with an item, and the lists that somebody reads in. Pure.

A list is kept under a name for as long as somebody may be reading in it, so that "more", "next item" and "back" go on
in the same order whatever was liked, fetched or ranked anew meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import numpy as np

from attention_filter.personal.rules import SENTIMENTS
from attention_filter.types import Feedback, Sign

SIZE = 20  # rows that are added at once
MOST = 2_000  # rows that a way back shows again at once
KEPT = 300  # lists that are kept, over all readers
NARROWS = ("source", "folder", "interest", "lang", "topic", "feeling")  # the fields of a choice that narrow it
OPINIONS = (Sign.LIKE, Sign.DISLIKE, Sign.HIDE)


@dataclass(frozen=True)
class Choice:
    """What the address asks for; a field that is None or its default does not stand in it."""

    lane: str = "you"  # or "rest", "saved", "today"
    order: str = "rank"  # or "time"
    show: str = "unread"  # or "all"
    source: int | None = None
    folder: str | None = None
    interest: int | None = None
    lang: str | None = None
    topic: str | None = None
    feeling: str | None = None

    def but(self, **change: Any) -> Choice:
        """The same with some fields changed."""
        return replace(self, **change)

    @property
    def narrowed(self) -> bool:
        return any(getattr(self, name) is not None for name in NARROWS)


def choice_of(asked: Mapping[str, str], lane: str, order: str) -> Choice:
    """The choice that an address makes; what makes no sense in it is left out. `order` is the reader's usual one.

    >>> found = choice_of({"source": "3", "interest": "x", "order": "time"}, "you", "rank")
    >>> found.order, found.source, found.interest
    ('time', 3, None)
    """
    number = {name: int(asked[name]) for name in ("source", "interest") if asked.get(name, "").isdecimal()}
    return Choice(
        lane="rest" if lane == "you" and asked.get("lane") == "rest" else lane,
        order=asked["order"] if asked.get("order") in ("rank", "time") else order,
        show="all" if asked.get("show") == "all" or lane == "saved" else "unread",
        source=number.get("source"),
        folder=asked.get("folder") or None,
        interest=number.get("interest"),
        lang=asked.get("lang") or None,
        topic=asked.get("topic") or None,
        feeling=asked["feeling"] if asked.get("feeling") in SENTIMENTS else None,
    )


def address(choice: Choice, usual_order: str, **more: object) -> str:
    """Where the choice is shown.

    >>> address(Choice(lane="rest", lang="zh"), "rank", start=20)
    '/all?lane=rest&lang=zh&start=20'
    """
    return _address(choice, usual_order, tuple(more.items()))


@lru_cache(16_384)  # a page has hundreds, most of them those of the page before
def _address(choice: Choice, usual_order: str, more: tuple[tuple[str, object], ...]) -> str:
    if choice.lane == "today":
        return "/"  # it is one page, always the same
    saved = choice.lane == "saved"
    usual = Choice(order=usual_order, lane="saved" if saved else "you", show="all" if saved else "unread")
    said = {name: value for name, value in asdict(choice).items() if value != getattr(usual, name)}
    query = urlencode(said | dict(more))
    return f"{'/saved' if saved else '/all'}{'?' if query else ''}{query}"


@dataclass(frozen=True)
class Done:
    """What a reader did with one item: the opinion that counts, whether it is saved, whether anything was done."""

    opinion: Sign | None = None
    saved: bool = False
    acted: bool = False

    def has(self, sign: str) -> bool:
        """Whether pressing this button would take something back."""
        if sign == Sign.READ:
            return self.acted
        return self.saved if sign == Sign.SAVE else self.opinion == sign


def done_with(acts: Iterable[Feedback]) -> dict[int, Done]:
    """{item: what was done with it}, of acts that stand, oldest first."""
    out: dict[int, Done] = {}
    for act in acts:
        before = out.get(act.item, Done())
        opinion = act.sign if act.sign in OPINIONS else before.opinion
        out[act.item] = Done(opinion, before.saved or act.sign is Sign.SAVE, acted=True)
    return out


@dataclass(frozen=True, eq=False)
class Kept:
    """A list that somebody reads in: the ids (n,) in their order, and the id of the standing that it was made from."""

    name: str
    choice: Choice
    standing: str
    ids: np.ndarray

    def place_of(self, item: int) -> int | None:
        """Where the item stands in the list, from 0."""
        found = np.flatnonzero(self.ids == item)
        return int(found[0]) if len(found) else None

    def beside(self, item: int) -> tuple[int | None, int | None]:
        """The items before and after this one."""
        at = self.place_of(item)
        if at is None:
            return None, None
        return (int(self.ids[at - 1]) if at else None), (int(self.ids[at + 1]) if at + 1 < len(self.ids) else None)


class Lists:
    """The lists that are kept in this process, the longest unused are dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._lock = Lock()

    def keep(self, reader: str, choice: Choice, standing: str, ids: np.ndarray) -> Kept:
        """The same list has the same name, so that looking twice keeps it once."""
        name = blake2b(ids.tobytes() + repr(choice).encode(), digest_size=6).hexdigest()
        with self._lock:
            self._kept[reader, name] = kept = Kept(name, choice, standing, ids)
            self._kept.move_to_end((reader, name))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return kept

    def find(self, reader: str, name: str) -> Kept | None:
        with self._lock:
            kept = self._kept.get((reader, name))
            if kept:
                self._kept.move_to_end((reader, name))
            return kept
