"""From scores to a list: place by place, the row whose score, less what it costs the list, is largest.

What a list should be beside good (varied, mixed over the interests, not drowned by one source) are wishes, which
have a price in deviations of the score; what it must be are bounds. No score changes: only the order does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from attention_filter.personal import mix
from attention_filter.personal.diversity import Spread, Volume
from attention_filter.personal.features import Features
from attention_filter.personal.feedback import History

# Prices of the usual wishes at an variety of 1, in deviations of the score. At the default variety of 0.1
# they cost together less than 1 % of nDCG@10 (benchmarks/lists.py).
VARIETY, MIX, SPREAD = 3.0, 5.0, 1.0
NEAR_THE_TOP = 100  # places that later ones are kept different from
LEARNING = 0.1  # the least share of the places that is given to what would teach most, where any is
SCREEN = 10  # places that are looked at together: what stands among them is varied, how they stand follows the scores

# Why an item stands above a better one, where no wish says it.
FOR_VARIETY, TO_LEARN = "for variety", "to learn about you"


class Wish(Protocol):
    """What a list should be, told by what it costs to place each row next. `says` is how a person is told."""

    says: str

    def cost(self) -> np.ndarray:
        """What it costs to place each row next, in deviations of the score (n,)."""
        ...

    def place(self, row: int) -> None:
        """The row is placed."""
        ...


@dataclass(frozen=True)
class AtMost:
    """At most `most` of the `members` (n,) stand in a list. `says` is how a person is told."""

    says: str
    members: np.ndarray
    most: int


@dataclass(frozen=True)
class AtLeast:
    """At least `least` of the `members` (n,) stand in a list, or all there are. `label` says of one why it is there."""

    says: str
    members: np.ndarray
    least: int
    label: str = ""


@dataclass(frozen=True)
class Never:
    """No row of `one` (n,) stands in a list with a row of `other` (n,), or only not `next_to` it."""

    says: str
    one: np.ndarray
    other: np.ndarray
    next_to: bool = False

    def against(self, row: int) -> np.ndarray:
        """The rows that may not stand with (or next to) this one (n,)."""
        none = np.zeros(len(self.one), bool)
        return np.asarray((self.other if self.one[row] else none) | (self.one if self.other[row] else none))


@dataclass(frozen=True)
class Bounds:
    """What a list must be."""

    most: tuple[AtMost, ...] = ()
    least: tuple[AtLeast, ...] = ()
    never: tuple[Never, ...] = ()


@dataclass(frozen=True)
class Arranged:
    """`rows` in their places; the first `fitting` of them keep to the bounds, the others were held back. `moved` says
    of a row which bound held it back or lifted it, or that it is there to learn; `problems` which bound cannot hold
    beside the others. `ahead` says of a row placed before a better one which wish did that; `beyond` is the relevance
    of the best row that found no place though no bound keeps it out."""

    rows: list[int]
    fitting: int
    moved: dict[int, str]
    problems: tuple[str, ...]
    ahead: dict[int, str] = field(default_factory=dict)
    beyond: float = float("-inf")


def usual_wishes(history: History, rows: Features, sources: np.ndarray, variety: float, places: int) -> list[Wish]:
    """What a list of some of these rows should be: varied, mixed over the interests, with room for rare sources.
    All are worth more with more `variety`; with none, the list is in the order of the scores."""
    if not variety:
        return []
    wishes: list[Wish] = [
        Volume(rows, VARIETY * variety, min(places, NEAR_THE_TOP)),
        Spread(sources, SPREAD * variety),
    ]
    wanted = mix.wanted_mix(history)
    if len(wanted) > 1:
        wishes.append(mix.Mixed(mix.interest_shares(rows, history), wanted, MIX * variety))
    return wishes


def arrange(
    relevance: np.ndarray,
    limit: int,
    wishes: Sequence[Wish] = (),
    bounds: Bounds | None = None,
    first: Sequence[int] = (),
    drawn: np.ndarray | None = None,
    explore: float = 0.0,
    screen: int = SCREEN,
) -> Arranged:
    """The first `limit` places of n rows, made greedily; `relevance` (n,) is the score in deviations.

    The share `explore` of the places of each `screen`, its last ones and at least one of ten, is given to the rows that
    `drawn` (n,), the relevance under a draw from what is believed, ranks highest (Thompson sampling): where the draw
    ranks none of the rest above what is there, nothing is unsure, and the place is like any other.

    The rows in `first` (pinned by the reader) come first whatever the bounds say, and count in them. What a bound
    asks for at least is reserved before the rest is chosen, best rows first, and stands where its score puts it, at the
    latest in the last places. What is held back fills the places that nothing else can fill.

    >>> one_source = AtMost("source:A at most 1", np.array([True, True, False]), 1)
    >>> arranged = arrange(np.array([3.0, 2.0, 1.0]), 3, bounds=Bounds(most=(one_source,)))
    >>> arranged.rows, arranged.moved
    ([0, 2, 1], {1: 'held back: source:A at most 1'})
    """
    places = min(limit, len(relevance))
    watch = _Watch(bounds or Bounds(), len(relevance), first[:places])
    reserved, problems = _reserve(relevance, places, watch)
    for row in first[:places]:
        for wish in wishes:
            wish.place(row)
    placed, moved, ahead = list(first[:places]), dict[int, str](), dict[int, str]()
    while len(placed) < places:
        left = ~watch.placed
        costs = [wish.cost() for wish in wishes]
        value = np.where(left, relevance - sum(costs), -np.inf)
        banned = watch.banned(placed)
        free = left & ~banned | reserved & left & ~watch.beside(placed)
        last_call = places - len(placed) <= (reserved & left).sum()
        allowed = free & reserved if last_call else free
        if not allowed.any():
            allowed = left & reserved if last_call else free
        if not allowed.any():
            break
        row = int(np.where(allowed, value, -np.inf).argmax())
        best = int(np.where(allowed, relevance, -np.inf).argmax())
        if costs and relevance[row] < relevance[best]:
            spared = [float(cost[best] - cost[row]) for cost in costs]
            ahead[row] = wishes[int(np.argmax(spared))].says
        if drawn is not None and not last_call and _is_to_learn(len(placed), places, explore, screen):
            unsure = int(np.where(allowed & ~reserved, drawn, -np.inf).argmax())
            beside = placed[len(placed) // screen * screen :]
            if relevance[unsure] < relevance[row] and drawn[unsure] > drawn[beside].min(initial=np.inf):
                row, moved[unsure] = unsure, TO_LEARN
        for other in np.flatnonzero(left & ~free & (value > value[row])).tolist():
            moved.setdefault(other, f"held back: {watch.reason(other, placed)}")
        if reserved[row] and (last_call or banned[row]) and value[row] < value.max():
            moved[row] = watch.asked_for(row)
        placed.append(row)
        if not reserved[row]:
            watch.take(row)
        watch.placed[row] = True
        for wish in wishes:
            wish.place(row)
    fitting = len(placed)
    beyond = float(relevance[~watch.placed & ~watch.banned(placed)].max(initial=-np.inf))
    for row in np.lexsort((np.arange(len(relevance)), -relevance)).tolist():
        if len(placed) < places and not watch.placed[row]:
            moved[row] = f"held back: {watch.reason(row, placed)}"
            placed.append(row)
    said = {row: moved[row] for row in placed if row in moved}
    return Arranged(placed, fitting, said, problems, ahead, beyond)


def _is_to_learn(place: int, places: int, share: float, screen: int) -> bool:
    """Whether a place is among the last ones of its screen, which are given to what would teach most."""
    start = place // screen * screen
    size = min(screen, places - start)
    return share > 0 and place - start >= size - round(max(share, LEARNING) * size)


def by_relevance(
    arranged: Arranged, relevance: np.ndarray, pinned: int, sort: bool = True, screen: int = SCREEN
) -> Arranged:
    """The same list with the rows of each `screen` in the order of their relevance (unless `sort` is off, where bounds
    ask for an order), and with each row that stands above a better one `moved`, which says why.

    So what is not moved is sorted. The first `pinned` rows and those held back stay where they are.

    >>> varied = Arranged([2, 0, 1], 3, {}, (), ahead={2: "for variety"}, beyond=2.0)
    >>> settled = by_relevance(varied, np.array([3.0, 2.5, 1.0]), pinned=0)
    >>> settled.rows, settled.moved
    ([0, 1, 2], {2: 'for variety'})
    """
    rows = list(arranged.rows)
    for start in range(0, arranged.fitting if sort else 0, screen):
        place = slice(max(start, pinned), min(start + screen, arranged.fitting))
        rows[place] = sorted(rows[place], key=lambda row: (-relevance[row], row))
    best, moved = arranged.beyond, dict(arranged.moved)
    for row in reversed(rows[pinned : arranged.fitting]):
        if row in moved and not (moved[row] == TO_LEARN and relevance[row] >= best):
            continue
        moved.pop(row, None)
        if relevance[row] < best:
            moved[row] = arranged.ahead.get(row, FOR_VARIETY)
        best = max(best, float(relevance[row]))
    return replace(arranged, rows=rows, moved=moved)


class _Watch:
    """What the bounds allow, as a list grows: `taken` are the rows that are placed or reserved."""

    def __init__(self, bounds: Bounds, n: int, first: Sequence[int]) -> None:
        self.bounds = bounds
        self.placed = np.zeros(n, bool)
        self._counts = np.zeros(len(bounds.most), np.int64)
        self._members = np.array([cap.members for cap in bounds.most], bool).reshape(len(bounds.most), n)
        self._most = np.array([cap.most for cap in bounds.most], np.int64)
        self._apart = np.zeros((len(bounds.never), n), bool)  # what each Never bans from the list
        for row in first:
            self.placed[row] = True
            self.take(row)

    def take(self, row: int) -> None:
        self._counts += self._members[:, row]
        for number, pair in enumerate(self.bounds.never):
            if not pair.next_to:
                self._apart[number] |= pair.against(row)

    def full(self) -> np.ndarray:
        """The rows that a quota or a row taken keeps out (n,)."""
        return np.asarray(self._members[self._counts >= self._most].any(0) | self._apart.any(0))

    def beside(self, placed: Sequence[int]) -> np.ndarray:
        """The rows that may not stand next to the last one (n,)."""
        out = np.zeros(len(self.placed), bool)
        for pair in self.bounds.never:
            if pair.next_to and placed:
                out |= pair.against(placed[-1])
        return out

    def banned(self, placed: Sequence[int]) -> np.ndarray:
        return np.asarray(self.full() | self.beside(placed))

    def reason(self, row: int, placed: Sequence[int]) -> str:
        """The first bound that keeps a row out of the next place."""
        for cap, count in zip(self.bounds.most, self._counts, strict=True):
            if cap.members[row] and count >= cap.most:
                return cap.says
        for pair, apart in zip(self.bounds.never, self._apart, strict=True):
            if apart[row] or (pair.next_to and placed and pair.against(placed[-1])[row]):
                return pair.says
        return "; ".join(bound.says for bound in self.bounds.least)  # the places are kept for what must be there

    def asked_for(self, row: int) -> str:
        floors = [floor for floor in self.bounds.least if floor.members[row]]
        said = "; ".join(floor.says for floor in floors if not floor.label)
        return f"lifted: {said}" if said else floors[0].label


def _reserve(relevance: np.ndarray, places: int, watch: _Watch) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows that must be in the list (n,), best first, and what cannot be had beside the other bounds."""
    taken = watch.placed.copy()
    problems = []
    for floor in watch.bounds.least:
        wanted = min(floor.least, int(floor.members.sum()))
        while (floor.members & taken).sum() < wanted:
            open_ = floor.members & ~taken & ~watch.full()
            if not open_.any() or taken.sum() >= places:
                why = "other bounds leave no room" if taken.sum() < places else f"the list has only {places} places"
                problems.append(f"{floor.says}: {(floor.members & taken).sum()} of {wanted} in this list, since {why}")
                break
            # A row that several bounds ask for saves a place.
            short = [one.members for one in watch.bounds.least if (one.members & taken).sum() < one.least]
            row = int(np.lexsort((-relevance, -np.sum(short, axis=0), ~open_))[0])
            taken[row] = True
            watch.take(row)
    return taken & ~watch.placed, tuple(problems)
