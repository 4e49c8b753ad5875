"""The lists of one request: which items, in which order, the rows they are shown as, and the choices beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any

import numpy as np

from attention_filter import standing as standings
from attention_filter.server.lanes import Choice, Done, done_with
from attention_filter.standing import TERMS, Standing, View
from attention_filter.store.glances import Glance
from attention_filter.store.store import Store
from attention_filter.types import Interest, Sign, Source


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
class Desk:
    """What all lists of one request are made from, read once. `saved` are items, the latest saved first."""

    store: Store
    standing: Standing
    acted: Collection[int]
    saved: Sequence[int]
    sources: Mapping[int, Source]
    interests: Mapping[int, Interest]


def make_desk(store: Store, standing: Standing) -> Desk:
    return Desk(
        store,
        standing,
        store.acts(),
        store.acted(Sign.SAVE),
        {one.id: one for one in store.sources()},
        {one.id: one for one in store.interests()},
    )


def listed(desk: Desk, choice: Choice) -> list[int]:
    """The ids of the items that the choice asks for, in its order."""
    if choice.lane == "saved":
        return _saved(desk, choice)
    ids: list[int] = desk.standing.ids[rows(desk, choice)].tolist()
    return ids


def rows(desk: Desk, choice: Choice) -> np.ndarray:
    """The rows of the standing that the choice asks for, in its order."""
    if choice.lane == "saved":
        return desk.standing.rows_of(_saved(desk, choice))
    view = View(
        lane="rest" if choice.lane == "rest" else "for you",
        order="time" if choice.order == "time" else "rank",
        sources=_sources(desk, choice),
        lang=choice.lang,
        claimed=None if choice.interest is None else -choice.interest,
        unread=choice.show == "unread",
    )
    order, wanted = standings.rows_in(desk.standing, view, desk.acted)
    found = order[wanted]
    return np.asarray(found[~desk.standing.blocked[found]])  # what a rule blocked lies in the tray only


def _saved(desk: Desk, choice: Choice) -> list[int]:
    """What is saved; unless narrowed, also of sources that are followed no longer."""
    standing, sources = desk.standing, _sources(desk, choice)
    wanted = np.isin(standing.ids, desk.saved)
    wanted &= np.isin(standing.sources, list(sources)) if sources is not None else True
    wanted &= standing.langs == choice.lang if choice.lang is not None else True
    wanted &= standing.claimed == -choice.interest if choice.interest is not None else True
    ranked: list[int] = standing.ids[wanted].tolist()
    fitting = set(ranked) if choice.narrowed else set(desk.saved)
    if choice.order == "time":
        return [one for one in desk.saved if one in fitting]
    return ranked + [one for one in desk.saved if one in fitting.difference(ranked)]


def _sources(desk: Desk, choice: Choice) -> frozenset[int] | None:
    if choice.source is None and choice.folder is None:
        return None
    return frozenset(
        one.id
        for one in desk.sources.values()
        if choice.source in (None, one.id) and choice.folder in (None, one.folder)
    )


def facets(desk: Desk, choice: Choice) -> dict[str, list[Option]]:
    """{source, folder, interest, lang: its values, the most frequent first}; each counts what the others leave."""
    standing = desk.standing

    def options(name: str, column: np.ndarray, names: Mapping[Any, str]) -> list[Option]:
        now = getattr(choice, name)
        values, found = np.unique(column[rows(desk, choice.but(**{name: None}))], return_counts=True)
        total = Counter[Any]()
        for value, count in zip(values.tolist(), found.tolist(), strict=True):
            known = value if name != "folder" else desk.sources[value].folder if value in desk.sources else None
            total[known] += count
        counts = {value: count for value, count in total.most_common() if value in names}
        if now in names:
            counts.setdefault(now, 0)
        return [
            Option(names[value], count, choice.but(**{name: None if value == now else value}), value == now)
            for value, count in counts.items()
        ]

    folders = {one.folder: one.folder for one in desk.sources.values() if one.folder}
    return {
        "interest": options("interest", -standing.claimed, {one.id: one.text for one in desk.interests.values()}),
        "source": options("source", standing.sources, {one.id: one.title or one.url for one in desk.sources.values()}),
        "folder": options("folder", standing.sources, folders),
        "lang": options("lang", standing.langs, {code: code for code in np.unique(standing.langs).tolist()}),
    }


def lines(desk: Desk, ids: Sequence[int]) -> list[Line]:
    """The rows of these items, as far as the reader may still see them."""
    standing = desk.standing
    others = {id_: standing.place_of[id_].story for id_ in ids if id_ in standing.place_of}
    glances = {one.id: one for one in desk.store.glances([*ids, *(one for story in others.values() for one in story)])}
    done = done_with(desk.store.acts_on(ids))
    row_of = {int(standing.ids[row]): int(row) for row in standing.rows_of(ids)}
    out = []
    for id_ in ids:
        if id_ not in glances:
            continue
        line = Line(glances[id_], done.get(id_, Done()))
        if id_ in row_of and not line.done.acted:
            row, place = row_of[id_], standing.place_of.get(id_)
            chance = float(standing.chance[row])
            line = replace(
                line,
                story=tuple(glances[one] for one in others.get(id_, ()) if one in glances),
                bar=standing.share(row),
                score=float(standing.scores[row]),
                chance=None if isnan(chance) else chance,
                interest=desk.interests.get(-int(standing.claimed[row])),
                term=TERMS[standing.reason[row]] if standing.worth[row] > 0 else "",
                worth=float(standing.worth[row]),
                pinned=bool(standing.pinned[row]),
                moved=place.moved if place else None,
            )
        out.append(line)
    return out
