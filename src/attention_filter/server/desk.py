"""The lists of one request: which items, in which order, the rows they are shown as, and the choices beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any
from urllib.parse import urlencode

import numpy as np

from attention_filter.listing import Place
from attention_filter.personal.levels import level_of
from attention_filter.server.lanes import Choice, Done, Kept, done_with
from attention_filter.server.table import Table
from attention_filter.standing import FEELINGS, TERMS, Column, Standing, View
from attention_filter.store.glances import Followed, Glance
from attention_filter.store.store import Store
from attention_filter.types import Because, Interest, Level, Sign


@dataclass(frozen=True)
class Line:
    """An item as a row shows it. `bar` in [0, 1]; `term` speaks most for it; the rest as `Standing` has it.

    Once something was done with an item, it has no score here: that act would speak for itself.
    """

    glance: Glance
    done: Done
    story: tuple[Glance, ...] = ()
    bar: float = 0.0
    score: float | None = None
    chance: float | None = None
    level: Level | None = None
    interest: Interest | None = None
    term: str = ""
    worth: float = 0.0
    pinned: bool = False
    moved: str | None = None
    because: Because | None = None
    told: bool = False  # a copy of it was read, liked, hidden …
    adds_to: str | None = None  # the title of what was read of its story, which it adds to
    topic: str = ""
    feeling: str = ""


@dataclass(frozen=True)
class Option:
    """One value of a facet: its name, how many items it would leave, and the choice it makes."""

    name: str
    count: int
    choice: Choice
    chosen: bool


@dataclass(frozen=True)
class News:
    """Whether a list would be an `other` one if it was made now: `new` items, which it does not have, would stand among
    those that are shown. `to` shows that list; `again` is where a page asks for this once more."""

    other: bool
    new: int
    to: str
    again: str


@dataclass(frozen=True)
class Desk:
    """What all lists of one request are made from, read once."""

    store: Store
    table: Table
    sources: Mapping[int, Followed]
    interests: Mapping[int, Interest]

    @property
    def standing(self) -> Standing:
        return self.table.standing


def make_desk(store: Store, table: Table) -> Desk:
    return Desk(store, table, store.followed(), {one.id: one for one in store.interests()})


def listed(desk: Desk, choice: Choice) -> np.ndarray:
    """The ids of the items that the choice asks for, in its order."""
    return np.array(_saved(desk, choice), np.int64) if choice.lane == "saved" else desk.table.ids(_view(desk, choice))


def count(desk: Desk, choice: Choice) -> int:
    """How many items the choice leaves of what is not only saved."""
    return desk.table.count(_view(desk, choice))


def _view(desk: Desk, choice: Choice) -> View:
    return View(
        lane="rest" if choice.lane == "rest" else "for you",
        order="time" if choice.order == "time" else "rank",
        sources=_sources(desk, choice),
        lang=choice.lang,
        claimed=None if choice.interest is None else -choice.interest,
        topic=choice.topic,
        feeling=choice.feeling,
        unread=choice.show == "unread",
    )


def _saved(desk: Desk, choice: Choice) -> list[int]:
    """What is saved; unless narrowed, also of sources that are followed no longer. The latest saved first by time."""
    standing, sources, saved = desk.standing, _sources(desk, choice), desk.store.acted(Sign.SAVE)
    rows = np.sort(standing.rows_of(saved))
    wanted = np.isin(standing.sources[rows], list(sources)) if sources is not None else np.ones(len(rows), bool)
    wanted &= standing.langs[rows] == choice.lang if choice.lang is not None else True
    wanted &= standing.claimed[rows] == -choice.interest if choice.interest is not None else True
    wanted &= standing.has("topics", choice.topic)[rows] if choice.topic is not None else True
    wanted &= standing.has("feelings", choice.feeling)[rows] if choice.feeling is not None else True
    ranked: list[int] = standing.ids[rows[wanted]].tolist()
    fitting = set(ranked) if choice.narrowed else set(saved)
    if choice.order == "time":
        return [one for one in saved if one in fitting]
    return ranked + [one for one in saved if one in fitting.difference(ranked)]


def _sources(desk: Desk, choice: Choice) -> frozenset[int] | None:
    if choice.source is None and choice.folder is None:
        return None
    return frozenset(
        id_ for id_, one in desk.sources.items() if choice.source in (None, id_) and choice.folder in (None, one.folder)
    )


def news_of(desk: Desk, kept: Kept, upto: int, path: str, to: str) -> News:
    """What is news beside a kept list whose first `upto` rows are shown."""
    other = desk.standing.head.id != kept.standing
    new = ~np.isin(listed(desk, kept.choice)[:upto], kept.ids) if other else np.zeros(0)
    return News(other, int(new.sum()), to, f"{path}?{urlencode({'list': kept.name, 'upto': upto})}")


def facets(desk: Desk, choice: Choice) -> dict[str, list[Option]]:
    """{source, folder, interest, lang, topic, feeling: its values, most frequent first}; each counts what the others
    leave."""

    def counted(name: str, column: Column) -> list[tuple[Any, int]]:
        others = choice.but(**{name: None})
        if choice.lane != "saved":
            return desk.table.counts(_view(desk, others), column)
        values, place = desk.standing.coded(column)
        rows = desk.standing.rows_of(_saved(desk, others))
        return Counter[Any](values[code] for code in place[rows].tolist()).most_common()

    def options(name: str, found: list[tuple[Any, int]], names: Mapping[Any, str]) -> list[Option]:
        now = getattr(choice, name)
        counts = {value: many for value, many in found if value in names}
        if now in names:
            counts.setdefault(now, 0)
        return [
            Option(names[value], many, choice.but(**{name: None if value == now else value}), value == now)
            for value, many in counts.items()
        ]

    def told(column: Column) -> dict[str, str]:
        return {label: label for label in desk.standing.coded(column)[0] if label}

    folders = Counter[str]()
    for source, many in counted("folder", "sources"):
        if source in desk.sources:
            folders[desk.sources[source].folder] += many
    return {
        "interest": options(
            "interest",
            [(-key, many) for key, many in counted("interest", "claimed")],
            {one.id: one.text for one in desk.interests.values()},
        ),
        "source": options("source", counted("source", "sources"), {id_: one.name for id_, one in desk.sources.items()}),
        "folder": options(
            "folder", folders.most_common(), {one.folder: one.folder for one in desk.sources.values() if one.folder}
        ),
        "lang": options("lang", counted("lang", "langs"), {code: code for code in desk.standing.coded("langs")[0]}),
        "topic": options("topic", counted("topic", "topics"), told("topics")),
        "feeling": options("feeling", counted("feeling", "feelings"), told("feelings")),
    }


def lines(desk: Desk, ids: Sequence[int], places: Mapping[int, Place] | None = None) -> list[Line]:
    """The rows of these items, as far as the reader may still see them; with what is folded under them in these
    `places`, by default those of the standing's own list."""
    standing = desk.standing
    places = standing.place_of if places is None else places
    others = {id_: places[id_].story for id_ in ids if id_ in places}
    glances = {one.id: one for one in desk.store.glances([*ids, *(one for story in others.values() for one in story)])}
    done = done_with(desk.store.acts_on(ids))
    row_of = {int(standing.ids[row]): int(row) for row in standing.rows_of(ids)}
    out = []
    for id_ in ids:
        if id_ not in glances:
            continue
        line = Line(glances[id_], done.get(id_, Done()))
        if id_ in row_of:
            row = row_of[id_]
            topic, feeling = str(standing.topic_names[standing.topics[row]]), FEELINGS[standing.feelings[row]]
            line = replace(line, topic=topic, feeling=feeling)
        if id_ in row_of and not line.done.acted:
            row, place = row_of[id_], places.get(id_)
            chance = float(standing.chance[row])
            line = replace(
                line,
                story=tuple(glances[one] for one in others.get(id_, ()) if one in glances),
                bar=standing.share(row),
                score=float(standing.scores[row]),
                chance=None if isnan(chance) else chance,
                level=None if isnan(chance) else level_of(chance, bool(standing.away[row])),
                interest=desk.interests.get(-int(standing.claimed[row])),
                term=TERMS[standing.reason[row]] if standing.worth[row] > 0 else "",
                worth=float(standing.worth[row]),
                pinned=bool(standing.pinned[row]),
                moved=place.moved if place else None,
            )
        out.append(line)
    return out
