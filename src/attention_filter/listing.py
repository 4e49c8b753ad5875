"""From scores to what a reader sees: the list, the tray, the questions, each item with its reasons."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attention_filter import quotas
from attention_filter.personal import (
    asking,
    constraints,
    diversity,
    explain,
    interests,
    lists,
    posterior,
    ranking,
    rules,
)
from attention_filter.personal.constraints import Constraint, Facts
from attention_filter.personal.features import Features
from attention_filter.personal.knowledge import Contribution
from attention_filter.reading import Placed, Reading, Selection, place
from attention_filter.store.batches import Batch
from attention_filter.store.store import Store
from attention_filter.types import Away, Ranked, Reason, Sign

IN_HAND = 300  # best items that stories are folded among and that the list is made of
TOP = 20  # places that a reader looks at
ASKABLE = 2_000  # newest unread items that questions are chosen from

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A place of a list: an item, the near-duplicates folded under it, and what the reader's quotas did to it."""

    item: int
    story: tuple[int, ...] = ()
    moved: str | None = None
    held_back: bool = False


def stream(reading: Reading, wanted: Selection, limit: int, variety: float) -> list[Ranked]:
    """The best of what is above the line as a list: pinned first, near-duplicates folded, varied and mixed as much
    as `variety` asks, within the reader's quotas. The scores stay what they are; only the order is the list's."""
    places = arranged(reading, place(reading, wanted), limit, variety)
    made = rank_items(reading, [one.item for one in places])
    return [
        replace(one, story=there.story, moved=there.moved, held_back=there.held_back)
        for one, there in zip(made, places, strict=True)
    ]


def best_first(placed: Placed) -> np.ndarray:
    """The rows of `placed` in the order of their scores, pinned ones first (n,)."""
    return np.lexsort((-placed.ids, -placed.scores, ~placed.pinned))


def is_shown(reading: Reading, placed: Placed) -> np.ndarray:
    """Whether an item is above the line, bool (n,); what is not lies in the tray."""
    return np.asarray(~placed.blocked & (placed.interest >= reading.line) | placed.pinned)


def arranged(reading: Reading, placed: Placed, limit: int, variety: float) -> list[Place]:
    """The first `limit` places of the list of what is above the line."""
    order = best_first(placed)
    order = order[is_shown(reading, placed)[order]]
    limits = quotas.stored(reading.store)
    facts = _asker(reading, placed, order, limits)
    in_hand = constraints.in_hand(limits, facts, len(order), max(IN_HAND, 3 * limit), limit)
    if not len(in_hand):
        return []
    batch = reading.batch_of(placed.ids[order[in_hand]].tolist())
    rows = reading.features_of(batch)
    scores, _, decisions = reading.scores(batch, rows)
    by_rule = np.array([d.pinned is not None for d in decisions], bool)
    stories = diversity.fold_stories(np.where(by_rule, np.inf, scores.total), rows, batch.dates)
    leads = np.array([story.lead for story in stories], np.int64)
    places = min(limit, len(leads))
    told = [facts(row) for row in in_hand[leads].tolist()] if limits else []
    made = lists.arrange(
        scores.total[leads] / reading.deviation,
        places,
        lists.usual_wishes(reading.profile.history, rows[leads], batch.sources[leads], variety, places)
        if not reading.simple
        else [],
        constraints.bind(limits, told, places),
        first=np.flatnonzero(by_rule[leads]).tolist(),
    )
    for problem in made.problems:
        _log.warning(problem)
    ids = batch.ids.tolist()
    return [
        Place(
            ids[stories[row].lead],
            tuple(ids[other] for other in stories[row].others),
            made.moved.get(row),
            number >= made.fitting,
        )
        for number, row in enumerate(made.rows)
    ]


def _asker(reading: Reading, placed: Placed, order: np.ndarray, wanted: Sequence[Constraint]) -> Callable[[int], Facts]:
    """What the quotas may ask of the item at each place of `order`."""
    names = Names(reading.store)

    def claimed(ids: list[int]) -> list[str | None]:
        rows = reading.features_of(reading.batch_of(ids))
        keys = reading.profile.history.keys
        return [names.of(keys[row]) if row >= 0 else None for row in interests.claims(reading.profile, rows).tolist()]

    ids, sources, langs = placed.ids[order], placed.sources[order], placed.langs[order]
    return quotas.asker(reading.store, wanted, ids, sources, langs, claimed)


@dataclass(frozen=True)
class Asked:
    """An item worth asking about, as `asking.Question` counts it, and out of how many unread items."""

    ranked: Ranked
    chance: float  # that it is wanted
    doubt: float  # deviation of its score, in score units
    settles: float  # share in [0, 1] of what is open about the unread items that the answer settles
    unread: int


def ask(reading: Reading, n: int) -> list[Asked]:
    """At most `n` unread items whose rating teaches most: of the newest that no rule blocks, also of the tray."""
    parts = [(batch.ids, batch.dates) for batch in reading.batches()]
    if not parts:
        return []
    ids, dates = (np.concatenate(column) for column in zip(*parts, strict=True))
    newest = ids[np.lexsort((-ids, -dates))][:ASKABLE]
    batch = reading.batch_of(newest.tolist())
    rows = reading.features_of(batch)
    scores, interest, decisions = reading.scores(batch, rows)
    free = np.flatnonzero([d.blocked is None or d.pinned is not None for d in decisions])
    known = posterior.believe(reading.profile)
    model = posterior.rows_of(reading.profile, rows, None if reading.simple else scores)
    chosen = asking.questions(known, model[free], rows[free], n)
    places = [int(free[question.row]) for question in chosen]
    made = ranked(reading, batch, rows, scores, interest, decisions, places)
    return [Asked(o, q.chance, q.doubt, q.settles, len(free)) for o, q in zip(made, chosen, strict=True)]


@dataclass(frozen=True)
class Order:
    """Ids of the unread: what is `shown`, the best first, and what is `away` in the tray."""

    shown: np.ndarray
    away: np.ndarray


@dataclass(frozen=True)
class Moved:
    """From one order to another: what `rose` into the first TOP, as (item, place before or None from the tray, place
    now), and how many items came out of the tray and went into it."""

    rose: tuple[tuple[int, int | None, int], ...]
    out: int
    into: int


def order_of(reading: Reading) -> Order:
    """The order of all unread items by score."""
    placed = place(reading, Selection())
    order, shown = best_first(placed), is_shown(reading, placed)
    return Order(placed.ids[order[shown[order]]], placed.ids[~shown])


def moved(before: Order, after: Order, without: Sequence[int] = ()) -> Moved:
    """What changed, leaving out some items.

    >>> moved(Order(np.array([1, 2]), np.array([3])), Order(np.array([3, 2, 1]), np.array([])), [1])
    Moved(rose=((3, None, 1),), out=1, into=0)
    """
    old, new = (one.shown[~np.isin(one.shown, without)].tolist() for one in (before, after))
    place_before = {item: number + 1 for number, item in enumerate(old)}
    rose = [
        (item, place_before.get(item), number + 1) for number, item in enumerate(new[:TOP]) if item not in old[:TOP]
    ]
    out = np.isin(before.away, new).sum()
    into = np.isin(after.away, old).sum()
    return Moved(tuple(rose), int(out), int(into))


def trayed(reading: Reading, wanted: Selection, limit: int) -> tuple[list[Ranked], int]:
    """What was filtered away, the closest to the line first, and how many there are in all."""
    placed = place(reading, wanted)
    away = ~is_shown(reading, placed)
    order = np.lexsort((-placed.ids, -placed.scores, placed.blocked))
    ids = placed.ids[order[away[order]]]
    return rank_items(reading, ids[:limit].tolist()), len(ids)


def rank_items(reading: Reading, ids: Sequence[int]) -> list[Ranked]:
    """Given items with score and reasons, in the order given."""
    if not ids:
        return []
    batch = reading.batch_of(ids)
    rows = reading.features_of(batch)
    scores, interest, decisions = reading.scores(batch, rows)
    return ranked(reading, batch, rows, scores, interest, decisions, range(len(ids)))


def ranked(
    reading: Reading,
    batch: Batch,
    rows: Features,
    scores: ranking.Scores,
    interest: np.ndarray,
    decisions: Sequence[rules.Decision],
    chosen: Sequence[int],
) -> list[Ranked]:
    """The chosen rows as records with their reasons."""
    items = reading.store.items([int(batch.ids[row]) for row in chosen])
    names = Names(reading.store)
    claimed = interests.claims(reading.profile, rows)
    known = reading.knows(batch[np.array(chosen, np.int64)], rows[list(chosen)])
    chances = reading.curve.probability(interest) if reading.curve else None
    out = []
    for item, row, knows in zip(items, chosen, known, strict=True):
        decision = decisions[row]
        away = None
        if decision.pinned is None and (decision.blocked is not None or interest[row] < reading.line):
            away = Away(decision.blocked, float(interest[row]), reading.line)
        owner = int(claimed[row])
        out.append(
            Ranked(
                item=item,
                score=float(scores.total[row]),
                reasons=tuple(_reasons(reading, scores, rows[[row]], row, decision, knows, names)),
                interest=names.of(reading.profile.history.keys[owner]) if owner >= 0 else None,
                pinned=decision.pinned is not None,
                tray=away,
                probability=float(chances[row]) if chances is not None else None,
            )
        )
    return out


class Names:
    """What to call a row of the history: the title of a past item or the text of an interest (`not: …` of what is not
    wanted, as the list of interests has it)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._interests = {-one.id: one.text if one.weight >= 0 else f"not: {one.text}" for one in store.interests()}
        self._signs = {act.item: act.sign for act in store.feedback()}
        self._titles: dict[int, str] = {}

    def of(self, key: int) -> str:
        if key < 0:
            return self._interests[key]
        if key not in self._titles:
            self._titles[key] = self._store.item(key).entry.title
        return self._titles[key]

    def act(self, key: int) -> Sign | None:
        """What the reader did with a past item; None for an interest."""
        return self._signs.get(key)


def _reasons(
    reading: Reading,
    scores: ranking.Scores,
    row: Features,
    index: int,
    decision: rules.Decision,
    knows: Sequence[Contribution],
    names: Names,
) -> Iterator[Reason]:
    parts = explain.shares(reading.profile, row) if len(reading.profile.history) else {}
    for term, values in scores.terms.items():
        detail = ""
        if term in parts and np.any(parts[term]):
            detail = names.of(reading.profile.history.keys[int(np.abs(parts[term]).argmax())])
        if term == "knowledge":
            detail = "; ".join(map(str, knows))
        if term == "fallback" and reading.simple:
            detail = reading.simple.method
        if term == "rules":
            detail = "; ".join(str(rule) for rule, _ in decision.boosts)
        yield Reason(term, float(values[index]), detail)
