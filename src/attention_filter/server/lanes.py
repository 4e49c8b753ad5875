"""What the stream page lists: which items, in which order, and the choices beside them. Pure but for the store's reads.

A list is kept under a name for as long as somebody may be reading in it, so that "more", "next item" and "back" go on
in the same order whatever was liked, fetched or ranked anew meanwhile.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from math import isnan
from threading import Lock
from urllib.parse import urlencode

import numpy as np

from attention_filter import standing as standings
from attention_filter.app import Filter
from attention_filter.standing import TERMS, Standing, View
from attention_filter.store.glances import Glance
from attention_filter.types import Feedback, Interest, Sign, Source

SIZE = 20  # rows that are added at once
MOST = 2_000  # rows that a way back shows again at once
KEPT = 300  # lists that are kept, over all readers
OPINIONS = (Sign.LIKE, Sign.DISLIKE, Sign.HIDE)
LANES = {"you": "for you", "rest": "rest"}


@dataclass(frozen=True)
class Choice:
    """What the address asks for; a field that is None or its default does not stand in it."""

    lane: str = "you"  # or "rest", "saved"
    order: str = "rank"  # or "time"
    show: str = "unread"  # or "all"
    source: int | None = None
    folder: str | None = None
    interest: int | None = None
    lang: str | None = None

    @property
    def narrowed(self) -> bool:
        return any(value is not None for value in (self.source, self.folder, self.interest, self.lang))


def choice_of(asked: Mapping[str, str], lane: str, order: str) -> Choice:
    """The choice that an address makes; what makes no sense in it is left out. `order` is the reader's usual one.

    >>> choice_of({"source": "3", "interest": "x", "order": "time"}, "you", "rank")
    Choice(lane='you', order='time', show='unread', source=3, folder=None, interest=None, lang=None)
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
    )


def address(choice: Choice, usual_order: str, **more: object) -> str:
    """Where the choice is shown.

    >>> address(Choice(lane="rest", lang="zh"), "rank", start=20)
    '/?lane=rest&lang=zh&start=20'
    """
    usual = Choice(order=usual_order, lane=choice.lane if choice.lane == "saved" else "you")
    usual = replace(usual, show="all" if choice.lane == "saved" else "unread")
    said = {name: value for name, value in asdict(choice).items() if value != getattr(usual, name)}
    query = urlencode(said | more)
    return f"{'/saved' if choice.lane == 'saved' else '/'}{'?' if query else ''}{query}"


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


@dataclass(frozen=True)
class Line:
    """An item as a row shows it. `bar` in [0, 1]; `term` speaks most for it; the rest as `Standing` has it."""

    glance: Glance
    done: Done
    story: tuple[Glance, ...] = ()
    bar: float = 0.0
    score: float | None = None
    chance: float | None = None
    interest: Interest | None = None
    term: str = ""
    worth: float = 0.0
    pinned: bool = False
    moved: str | None = None


@dataclass(frozen=True)
class Option:
    """One value of a facet: its name, how many items it would leave, and the choice it makes."""

    name: str
    count: int
    choice: Choice
    chosen: bool


@dataclass(frozen=True)
class Kept:
    """A list that somebody reads in: the ids in their order."""

    name: str
    choice: Choice
    ids: tuple[int, ...]

    def beside(self, item: int) -> tuple[int | None, int | None]:
        """The items before and after this one."""
        if item not in self.ids:
            return None, None
        at = self.ids.index(item)
        return (self.ids[at - 1] if at else None), (self.ids[at + 1] if at + 1 < len(self.ids) else None)


class Lists:
    """The lists that are kept in this process, the longest unused are dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._lock = Lock()

    def keep(self, reader: str, choice: Choice, ids: Sequence[int]) -> Kept:
        """The same list has the same name, so that looking twice keeps it once."""
        name = blake2b(repr((choice, list(ids))).encode(), digest_size=6).hexdigest()
        with self._lock:
            self._kept[reader, name] = kept = Kept(name, choice, tuple(ids))
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


def listed(mine: Filter, standing: Standing, choice: Choice) -> list[int]:
    """The ids of the items that the choice asks for, in its order."""
    if choice.lane == "saved":
        return _saved(mine, standing, choice)
    return standing.ids[_rows(mine, standing, choice)].tolist()


def _rows(mine: Filter, standing: Standing, choice: Choice) -> np.ndarray:
    view = View(
        lane="rest" if choice.lane == "rest" else "for you",
        order="time" if choice.order == "time" else "rank",
        sources=_sources(mine, choice),
        lang=choice.lang,
        claimed=None if choice.interest is None else -choice.interest,
        unread=choice.show == "unread",
    )
    order, wanted = standings.rows_in(standing, view, mine.store.acts() if view.unread else ())
    rows = order[wanted]
    return np.asarray(rows[~standing.blocked[rows]])  # what a rule blocked lies in the tray only


def _saved(mine: Filter, standing: Standing, choice: Choice) -> list[int]:
    """What is saved, the latest first; also of sources that are followed no longer."""
    ids = mine.store.acted(Sign.SAVE)
    if not choice.narrowed and choice.order == "time":
        return ids
    wanted, sources = np.ones(len(standing), bool), _sources(mine, choice)
    wanted &= np.isin(standing.sources, list(sources)) if sources is not None else True
    wanted &= standing.langs == choice.lang if choice.lang is not None else True
    wanted &= standing.claimed == -choice.interest if choice.interest is not None else True
    here = standing.ids[wanted]
    if choice.order == "time":
        there = set(here.tolist())
        return [one for one in ids if one in there]
    rest = [] if choice.narrowed else [one for one in ids if one not in set(standing.ids.tolist())]
    return [*here[np.isin(here, ids)].tolist(), *rest]


def _sources(mine: Filter, choice: Choice) -> frozenset[int] | None:
    if choice.source is None and choice.folder is None:
        return None
    return frozenset(
        one.id
        for one in mine.store.sources()
        if choice.source in (None, one.id) and choice.folder in (None, one.folder)
    )


def facets(mine: Filter, standing: Standing, choice: Choice) -> dict[str, list[Option]]:
    """{source, folder, interest, lang: its values, the most frequent first}; each counts what the others leave."""
    interests = {one.id: one.text for one in mine.interests()}
    sources = {one.id: one for one in mine.store.sources()}

    def counted(name: str, values: Counter[object], names: Mapping[object, str]) -> list[Option]:
        now = getattr(choice, name)
        found = {value: count for value, count in values.most_common() if value in names}
        if now in names:
            found.setdefault(now, 0)
        return [
            Option(names[value], count, replace(choice, **{name: None if value == now else value}), value == now)
            for value, count in found.items()
        ]

    def left(name: str) -> np.ndarray:
        open_choice = replace(choice, **{name: None})
        return standing.rows_of(listed(mine, standing, open_choice))

    langs = Counter(standing.langs[left("lang")].tolist())
    by_source = Counter(standing.sources[left("source")].tolist())
    by_folder = Counter(sources[one].folder for one in standing.sources[left("folder")].tolist() if one in sources)
    by_interest = Counter((-standing.claimed[left("interest")]).tolist())
    return {
        "source": counted("source", by_source, {one.id: named(one) for one in sources.values()}),
        "folder": counted("folder", by_folder, {one.folder: one.folder for one in sources.values() if one.folder}),
        "interest": counted("interest", by_interest, interests),
        "lang": counted("lang", langs, {code: code for code in langs}),
    }


def named(source: Source) -> str:
    return source.title or source.url


def lines(mine: Filter, standing: Standing, ids: Sequence[int]) -> list[Line]:
    """The rows of these items, as far as the reader may still see them."""
    others = {id_: standing.place_of[id_].story for id_ in ids if id_ in standing.place_of}
    glances = {one.id: one for one in mine.store.glances([*ids, *(one for story in others.values() for one in story)])}
    done = done_with(mine.store.acts_on(ids))
    interests = {one.id: one for one in mine.interests()}
    row_of = {int(standing.ids[row]): int(row) for row in standing.rows_of(ids)}
    out = []
    for id_ in ids:
        if id_ not in glances:
            continue
        line = Line(glances[id_], done.get(id_, Done()))
        if id_ in row_of:
            row, place = row_of[id_], standing.place_of.get(id_)
            chance = float(standing.chance[row])
            line = replace(
                line,
                story=tuple(glances[one] for one in others.get(id_, ()) if one in glances),
                bar=standing.share(row),
                score=float(standing.scores[row]),
                chance=None if isnan(chance) else chance,
                interest=interests.get(-int(standing.claimed[row])),
                term=TERMS[standing.reason[row]] if standing.worth[row] > 0 else "",
                worth=float(standing.worth[row]),
                pinned=bool(standing.pinned[row]),
                moved=place.moved if place else None,
            )
        out.append(line)
    return out
