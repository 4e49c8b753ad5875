"""From scores to what a reader sees: the list, the tray, the questions, each item with its reasons."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from attention_filter import learned, quotas
from attention_filter.personal import (
    asking,
    constraints,
    explain,
    interests,
    lists,
    posterior,
    ranking,
    rules,
    stories,
)
from attention_filter.personal.constraints import Constraint, Facts
from attention_filter.personal.features import Features
from attention_filter.personal.knowledge import Contribution
from attention_filter.personal.levels import level_of
from attention_filter.reading import Placed, Reading, Selection, place
from attention_filter.store.batches import Batch
from attention_filter.store.store import Store
from attention_filter.types import Away, Because, Item, Ranked, Reason, Sign

IN_HAND = 300  # best items that stories are folded among and that the list is made of
TOP = 20  # places that a reader looks at
ASKABLE = 2_000  # newest unread items that questions are chosen from
TO_EXPLORE = 50  # items that a draw from what is believed ranks highest, wherever they stand
CARRIED = 0.15  # share of what speaks for an item, from which on an interest or a past item is named as the reason

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A place of a list: an item, the near-duplicates folded under it, and why it does not stand where its score puts
    it."""

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


@dataclass(frozen=True)
class Hand:
    """The n stories that a list is made of, the best first: what leads each, and what is folded under it.

    scores, drawn (the score under the draw of the day) float64 (n,) · pinned bool (n,) · `facts` for the quotas.
    """

    batch: Batch
    rows: Features
    scores: np.ndarray
    drawn: np.ndarray
    pinned: np.ndarray
    stories: tuple[tuple[int, ...], ...]
    limits: tuple[Constraint, ...]
    facts: tuple[Facts, ...]

    def __len__(self) -> int:
        return len(self.scores)


def hand_of(reading: Reading, placed: Placed, order: np.ndarray, limit: int) -> Hand:
    """Of the rows in this order, those that a list of `limit` places is made of, folded into stories: the best, what
    the quotas ask for, and what the draw of the day ranks highest."""
    limits = quotas.stored(reading.store)
    facts = _asker(reading, placed, order, limits)
    chosen = constraints.in_hand(limits, facts, len(order), max(IN_HAND, 3 * limit), limit)
    if reading.exploration:
        chosen = np.union1d(chosen, np.argsort(-placed.drawn[order], kind="stable")[:TO_EXPLORE])
    batch = reading.batch_of(placed.ids[order[chosen]].tolist())
    rows = reading.features_of(batch)
    scores, _, decisions = reading.scores(batch, rows)
    by_rule = np.array([d.pinned is not None for d in decisions], bool)
    folded = stories.fold_stories(np.where(by_rule, np.inf, scores.total), learned.articles_of(batch, rows))
    leads = np.array([story.lead for story in folded], np.int64)
    ids = batch.ids.tolist()
    return Hand(
        batch[leads],
        rows[leads],
        scores.total[leads],
        reading.drawn(rows, scores)[leads],
        by_rule[leads],
        tuple(tuple(ids[other] for other in story.others) for story in folded),
        tuple(limits),
        tuple(facts(row) for row in chosen[leads].tolist()) if limits else (),
    )


def arranged(reading: Reading, placed: Placed, limit: int, variety: float) -> list[Place]:
    """The first `limit` places of the list of what is above the line."""
    order = best_first(placed)
    order = order[is_shown(reading, placed)[order]]
    if not len(order):
        return []
    hand = hand_of(reading, placed, order, limit)
    places = min(limit, len(hand))
    wishes = lists.usual_wishes(reading.profile.history, hand.rows, hand.batch.sources, variety, places)
    return places_of(reading, hand, places, [] if reading.simple else wishes)


def places_of(
    reading: Reading,
    hand: Hand,
    places: int,
    wishes: Sequence[lists.Wish] = (),
    musts: Sequence[lists.AtLeast] = (),
    screen: int = lists.SCREEN,
) -> list[Place]:
    """The hand as a list of so many places: within the quotas, with what `musts` ask for, some places to learn from.
    `screen` places are looked at together."""
    bounds = constraints.bind(hand.limits, hand.facts, places)
    bounds = replace(bounds, least=(*bounds.least, *musts))
    pinned = np.flatnonzero(hand.pinned).tolist()[:places]
    relevance = hand.scores / reading.deviation
    drawn = hand.drawn / reading.deviation
    made = lists.arrange(relevance, places, wishes, bounds, pinned, drawn, reading.exploration, screen)
    sort = not any(pair.next_to for pair in bounds.never)
    made = lists.by_relevance(made, relevance, len(pinned), sort, screen)
    for problem in made.problems:
        _log.warning(problem)
    ids = hand.batch.ids.tolist()
    return [
        Place(ids[row], hand.stories[row], made.moved.get(row), number >= made.fitting)
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
    chance: float  # that it is wanted; the one that is shown everywhere, as soon as there is one
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
    repeats, _ = reading.retold(batch, rows)
    open_ = np.array([d.blocked is None or d.pinned is not None for d in decisions], bool)
    free = np.flatnonzero(open_ & (repeats == 0))
    known = posterior.believe(reading.profile)
    model = posterior.rows_of(reading.profile, rows, None if reading.simple else scores)
    chosen = asking.questions(known, model[free], rows[free], n)
    places = [int(free[question.row]) for question in chosen]
    made = ranked(reading, batch, rows, scores, interest, decisions, places)
    return [
        Asked(one, q.chance if one.probability is None else one.probability, q.doubt, q.settles, len(free))
        for one, q in zip(made, chosen, strict=True)
    ]


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
    chances = reading.chances(scores.total)
    _, adds = reading.retold(batch[np.array(chosen, np.int64)], rows[list(chosen)])
    out = []
    for item, row, knows, added in zip(items, chosen, known, adds.tolist(), strict=True):
        decision = decisions[row]
        away = None
        if decision.pinned is None and (decision.blocked is not None or interest[row] < reading.line):
            away = Away(decision.blocked, float(interest[row]), reading.line)
        owner = int(claimed[row])
        parts = explain.shares(reading.profile, rows[[row]]) if len(reading.profile.history) else {}
        chance, pinned = float(chances[row]), decision.pinned is not None
        out.append(
            Ranked(
                item=item,
                score=float(scores.total[row]),
                reasons=tuple(_reasons(reading, scores, parts, row, decision, knows, names)),
                interest=names.of(reading.profile.history.keys[owner]) if owner >= 0 else None,
                pinned=pinned,
                tray=away,
                probability=None if isnan(chance) else chance,
                level=None if isnan(chance) else level_of(chance, away is not None),
                adds_to=names.of(added) if added else None,
                because=Because(pinned=True) if pinned else _because(reading, parts, owner, knows, item, names),
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
    parts: Mapping[str, np.ndarray],
    index: int,
    decision: rules.Decision,
    knows: Sequence[Contribution],
    names: Names,
) -> Iterator[Reason]:
    """The terms of one row; `parts` are what each past item has in them, as `explain.shares` tells."""
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


def _because(
    reading: Reading,
    parts: Mapping[str, np.ndarray],
    owner: int,
    knows: Sequence[Contribution],
    item: Item,
    names: Names,
) -> Because:
    """What spoke most for an item: the interest that claims it (`owner`, a row of the history, or −1) or carried most,
    what the reader did with the past item that carried most, and the concept, each if it carried enough."""
    history, profile = reading.profile.history, reading.profile
    carried = np.zeros(len(history))
    for term, values in parts.items():
        deviation = profile.scale.deviation.get(term, 0.0)
        carried += profile.weights.get(term, 0.0) / deviation * values if deviation else 0.0
    for_it = np.where(history.weight > 0, np.maximum(carried, 0.0), 0.0)
    known = max(knows, key=lambda one: one.value, default=None)
    cared = known.value if known and known.value > 0 else 0.0
    enough = CARRIED * (for_it.sum() + cared)
    said, did = (
        int(np.where(of_kind, for_it, -1.0).argmax()) if of_kind.any() else -1
        for of_kind in (history.statement, ~history.statement)
    )
    follows = owner if owner >= 0 else said if said >= 0 and for_it[said] > enough else -1
    liked = did if did >= 0 and for_it[did] > enough else -1
    return Because(
        follows=names.of(history.keys[follows]) if follows >= 0 else None,
        title=names.of(history.keys[liked]) if liked >= 0 else None,
        sign=names.act(history.keys[liked]) if liked >= 0 else None,
        concept=known.cared if known and cared > enough else None,
        new=item.source_title,
    )
