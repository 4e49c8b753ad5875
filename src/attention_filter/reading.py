"""One moment of a reader's stream, scored. Needs the vectors that are stored, never the encoder."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np

from attention_filter import concepts, learned
from attention_filter.concepts import Knowledge
from attention_filter.learned import Acted
from attention_filter.personal import (
    calibration,
    fallback,
    posterior,
    ranking,
    replay,
    rules,
    stories,
)
from attention_filter.personal.background import from_bytes
from attention_filter.personal.features import Features
from attention_filter.personal.knowledge import Contribution
from attention_filter.settings import Settings
from attention_filter.store.batches import Batch
from attention_filter.store.store import Store
from attention_filter.types import Interest

RULES_AT_ONCE = 1_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Which items of the stream are wanted."""

    source: int | None = None
    since: datetime | None = None
    lang: str | None = None
    topic: str | None = None
    sentiment: str | None = None


@dataclass(frozen=True)
class Reading:
    """One moment of a reader's stream: everything that a ranking is a pure function of."""

    store: Store
    settings: Settings
    now: datetime
    model: str
    profile: ranking.Profile
    line: float  # below it an item goes to the tray
    keep: float  # the promise: this share of what would be read is above the line
    deviation: float  # of the score over background items
    curve: calibration.Calibration | None = None  # from the interest part of a score to a probability
    simple: fallback.Simple | None = None  # orders the stream in place of the blend; line and curve stay the blend's
    knowledge: Knowledge | None = None
    exploration: float = 0.0  # the share of a list's places that is given away to learn about the reader
    change: np.ndarray | None = None  # (p,) from the weights of `posterior.rows_of` to the draw of the day
    acted: Acted | None = None  # what was acted on; its copies are not unread any more
    looked: replay.Looked | None = None  # what came of what was looked at
    stamp: str | None = None  # of the background, where it is kept

    def batches(self, wanted: Selection | None = None, *, seen: bool = False) -> Iterator[Batch]:
        """The items of a selection (default: of the whole stream), a few thousand at a time, in context where kept."""
        w = wanted or Selection()
        return self.store.batches(
            self.model,
            source=w.source,
            since=w.since,
            lang=w.lang,
            topic=w.topic,
            sentiment=w.sentiment,
            seen=seen,
            now=self.now,
            background=self.stamp,
        )

    def batch_of(self, ids: Sequence[int]) -> Batch:
        """Given items, in that order, in context where kept."""
        return self.store.batch_of(ids, self.model, self.stamp)

    def features_of(self, batch: Batch) -> Features:
        return learned.features_of(self.profile.background, batch)

    def scores(
        self, batch: Batch, rows: Features | None = None
    ) -> tuple[ranking.Scores, np.ndarray, list[rules.Decision]]:
        """Scores of a batch, their interest part (n,), and what the rules say of each item."""
        age = np.maximum(self.now.timestamp() - batch.dates, 0) / 86_400
        decisions = self._decide(batch.ids)
        boosts = np.array([d.boost for d in decisions]) if any(d.boost for d in decisions) else None
        rows = rows if rows is not None else self.features_of(batch)
        known = self.knowledge.weigh(learned.counts_of(batch), rows.meaning).value if self.knowledge else np.zeros(0)
        scores = ranking.score(
            self.profile,
            rows,
            freshness=0.5 ** (age / self.settings.half_life_days),
            sources=batch.sources,
            knowledge=known if known.any() else None,
            rules=boosts,
        )
        interest = interest_part(scores)
        if self.simple is not None:
            said = learned.statement_counts([i.text for i in self.store.interests() if i.weight > 0])
            terms = {"fallback": self.simple.scores(rows, learned.counts_of(batch), said, age)}
            terms |= {"rules": boosts} if boosts is not None else {}
            scores = ranking.Scores(np.sum(list(terms.values()), axis=0), terms)
        return scores, interest, decisions

    def drawn(self, rows: Features, scores: ranking.Scores) -> np.ndarray:
        """What the items would score under the draw of the day (n,): Thompson sampling."""
        if self.change is None or self.simple is not None:
            return scores.total
        return np.asarray(scores.total + posterior.exploring(self.profile, rows, scores, self.change))

    def chances(self, scores: np.ndarray) -> np.ndarray:
        """That items with such scores are wanted (n,); NaN while nothing is known, or another ranking scores."""
        if self.curve is None or self.simple is not None:
            return np.full(len(scores), np.nan)
        return self.curve.probability(scores)

    def retold(self, batch: Batch, rows: Features) -> tuple[np.ndarray, np.ndarray]:
        """The item acted on whose story each item repeats, and the one whose story it adds to: ids (n,), 0 for none."""
        if self.acted is None or not len(self.acted.acts):
            return np.zeros(len(batch), np.int64), np.zeros(len(batch), np.int64)
        items = np.array([*[act.item for act in self.acted.acts], 0], np.int64)  # -1, nobody's, is the last
        found = stories.retold(learned.articles_of(batch, rows), batch.fetched, self.acted.articles, self.acted.at)
        itself = items[found.repeats] == batch.ids
        return np.where(itself, 0, items[found.repeats]), np.where(itself, 0, items[found.adds])

    def knows(self, batch: Batch, rows: Features) -> list[list[Contribution]]:
        """What the reader's concepts add to the score of each item of the batch."""
        if self.knowledge is None:
            return [[] for _ in batch.ids]
        return self.knowledge.contributions(learned.counts_of(batch), rows.meaning)

    def _decide(self, ids: np.ndarray) -> list[rules.Decision]:
        wanted = self.store.rules()
        if not wanted:
            return [rules.Decision()] * len(ids)
        parts = (ids[start : start + RULES_AT_ONCE].tolist() for start in range(0, len(ids), RULES_AT_ONCE))
        items = (item for part in parts for item in self.store.items(part))
        decisions, problems = rules.decide_all(wanted, items, self.now)
        for problem in problems:
            _log.warning(problem)
        return decisions


@dataclass(frozen=True)
class Placed:
    """All items of a selection with their scores: arrays (n,). `pinned` and `blocked` by a rule."""

    ids: np.ndarray
    scores: np.ndarray
    interest: np.ndarray  # the part of the score that decides over stream or tray
    drawn: np.ndarray  # the score under the draw of the day
    repeats: np.ndarray  # the item acted on whose story it repeats, 0 for none
    pinned: np.ndarray
    blocked: np.ndarray
    sources: np.ndarray
    dates: np.ndarray
    fetched: np.ndarray
    langs: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Placed:
        return Placed(*(getattr(self, field.name)[rows] for field in fields(self)))


def open_reading(store: Store, settings: Settings, now: datetime, exploration: float | None = None) -> Reading:
    """What is needed to rank now. Without any encoding yet, items are ranked by their words.

    `exploration` in [0, 1] (default: the setting) is the share of a list's places that is given to what one draw from
    the posterior ranks highest: Thompson sampling, the same draw for a reader all day long.
    """
    kept = store.background()
    model, stamp = (kept.model, kept.stamp) if kept else ("", None)
    background = _opened(kept.data) if kept else learned.learn_background(store, model, now)
    acted = learned.acted_on(store, background, model, stamp)
    history = learned.make_history(store, background, model, now, acted)
    profile = ranking.make_profile(background, history, learned.kept_scale(store))
    interests = store.interests()
    knowledge = concepts.open_knowledge(
        concepts.load(store),
        interests,
        lambda texts: learned.interest_features(store, background, model, [Interest(0, text) for text in texts]),
    )
    keep = learned.promised(store)
    usual = ranking.score(profile, background.sample)
    held = ranking.held_out_terms(profile) if len(history) else {}
    own = ranking.weighed(profile, held)
    looked = _looked_at(store, profile, model, stamp, own, now)
    curve, line = replay.judge(profile, keep, usual, own, looked)
    bold = settings.exploration if exploration is None else exploration
    change = None
    if bold:
        known = posterior.believe(profile, held, usual)
        change = posterior.draw(known, _chance_of_the_day(store.reader, now)) - known.mean
    deviation = float(usual.total.std() if len(usual.total) else 0.0) or 1.0
    return Reading(
        store,
        settings,
        now,
        model,
        profile,
        line,
        keep,
        deviation,
        curve,
        simple=_simple(store, profile),
        knowledge=knowledge,
        exploration=bold,
        change=change,
        acted=acted,
        looked=looked,
        stamp=stamp,
    )


_opened = lru_cache(2)(from_bytes)  # readers of the same sources share one, and unpacking it takes 50 ms


def _looked_at(
    store: Store, profile: ranking.Profile, model: str, stamp: str | None, held: np.ndarray, now: datetime
) -> replay.Looked | None:
    """What came of the items that were looked at, with the scores they would have without their own acts."""
    seen = learned.seen_of(store, now)
    batch = store.batch_of([one.item for one in seen], model, stamp)
    known = {one.item: one for one in seen}
    if not len(batch):
        return None
    scores = ranking.score(profile, learned.features_of(profile.background, batch)).total
    alone = dict(zip(profile.history.keys, held.tolist(), strict=True))
    there = [known[item] for item in batch.ids.tolist()]
    return replay.Looked(
        np.array([alone.get(one.item, score) for one, score in zip(there, scores.tolist(), strict=True)]),
        np.array([one.wanted for one in there]),
        np.array([one.weight for one in there]),
    )


@dataclass(frozen=True)
class Scored:
    """A batch of the stream with all that was computed of it."""

    batch: Batch
    rows: Features
    scores: ranking.Scores
    interest: np.ndarray
    decisions: list[rules.Decision]
    repeats: np.ndarray
    drawn: np.ndarray


def scored(reading: Reading, wanted: Selection, seen: bool = False) -> Iterator[Scored]:
    """Everything of the selection (with `seen`, also what the reader acted on), a few thousand items at a time."""
    for batch in reading.batches(wanted, seen=seen):
        rows = reading.features_of(batch)
        scores, interest, decisions = reading.scores(batch, rows)
        repeats, _ = reading.retold(batch, rows)
        yield Scored(batch, rows, scores, interest, decisions, repeats, reading.drawn(rows, scores))


def place(reading: Reading, wanted: Selection) -> Placed:
    """Score everything of the selection that is unread: neither acted on nor a copy of what was."""
    everything = placed([part_of(one) for one in scored(reading, wanted)])
    return everything[everything.repeats == 0]


def part_of(one: Scored) -> Placed:
    """Of a batch, the numbers that decide where its items stand."""
    batch = one.batch
    return Placed(
        ids=batch.ids,
        scores=one.scores.total,
        interest=one.interest,
        drawn=one.drawn,
        repeats=one.repeats,
        pinned=np.array([d.pinned is not None for d in one.decisions], bool),
        blocked=np.array([d.blocked is not None for d in one.decisions], bool),
        sources=batch.sources,
        dates=batch.dates,
        fetched=batch.fetched,
        langs=np.array(batch.langs, str),
    )


def placed(parts: Sequence[Placed]) -> Placed:
    """The parts as one."""
    if not parts:
        none, zero, no = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool)
        return Placed(none, zero, zero, zero, none, no, no, none, zero, zero, np.zeros(0, str))
    return Placed(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Placed)))


def interest_part(scores: ranking.Scores) -> np.ndarray:
    """The score without what only the moment and the source gave: what decides over stream or tray."""
    return scores.total - sum(scores.terms.get(term, 0.0) for term in replay.NOT_THE_INTEREST)


def _chance_of_the_day(reader: str, now: datetime) -> np.random.Generator:
    """The same chance for a reader all day long, so that nothing moves between two looks at a list."""
    return np.random.default_rng([zlib.crc32(reader.encode()), now.astimezone(UTC).toordinal()])


def _simple(store: Store, profile: ranking.Profile) -> fallback.Simple | None:
    chosen = learned.fallback_of(store)
    if chosen["method"] is None:
        return None
    index = replay.keyword_index(profile.background, chosen["length"])
    return fallback.make_simple(chosen["method"], profile.background, profile.history, index, chosen["typical"])
