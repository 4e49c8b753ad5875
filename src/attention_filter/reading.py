"""From the store to a ranked, explained list. Needs the vectors that are stored, never the encoder."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from attention_filter import concepts, quotas
from attention_filter.concepts import Knowledge
from attention_filter.personal import (
    asking,
    calibration,
    constraints,
    diversity,
    fallback,
    lists,
    posterior,
    ranking,
    replay,
    rules,
    tray,
)
from attention_filter.personal.background import Background, from_bytes, make_background, to_bytes
from attention_filter.personal.constraints import Constraint, Facts
from attention_filter.personal.features import Counts, Features, Floats, stack
from attention_filter.personal.feedback import STATEMENT, History, act_weight
from attention_filter.personal.knowledge import Contribution
from attention_filter.settings import Settings
from attention_filter.sources.language import detect_language
from attention_filter.store.batches import Batch, join
from attention_filter.store.store import Store
from attention_filter.types import Interest, Ranked, Reason, Sign
from attention_filter.words import count_terms

# Names of the state we keep per reader.
BACKGROUND, SCALE, MODEL, PROMISE, FALLBACK = "background", "scale", "model", "promise", "fallback"
BACKGROUND_ITEMS = 20_000
IN_HAND = 300  # best items that stories are folded among and that the list is made of
RULES_AT_ONCE = 1_000
ASKABLE = 2_000  # newest unread items that questions are chosen from
NEW_ACTS = 30  # after so many it is decided anew whether a simple ranking orders the stream

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """Which items of the stream are wanted."""

    source: int | None = None
    since: datetime | None = None
    lang: str | None = None


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
    curve: calibration.Calibration | None = None  # from the interest part of a score to a probability
    simple: fallback.Simple | None = None  # orders the stream in place of the blend; line and curve stay the blend's
    knowledge: Knowledge | None = None
    change: np.ndarray | None = None  # (p,) what exploring adds to the weights of `posterior.rows_of`; None: nothing

    def features_of(self, batch: Batch) -> Features:
        return self.profile.background.features(_known(batch, self.profile), counts_of(batch), batch.langs)

    def scores(
        self, batch: Batch, rows: Features | None = None
    ) -> tuple[ranking.Scores, np.ndarray, list[rules.Decision]]:
        """Scores of a batch, their interest part (n,), and what the rules say of each item."""
        age = np.maximum(self.now.timestamp() - batch.dates, 0) / 86_400
        decisions = self._decide(batch.ids)
        boosts = np.array([d.boost for d in decisions]) if any(d.boost for d in decisions) else None
        rows = rows if rows is not None else self.features_of(batch)
        known = self.knowledge.weigh(counts_of(batch), rows.meaning).value if self.knowledge else np.zeros(0)
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
            said = statement_counts([i.text for i in self.store.interests() if i.weight > 0])
            terms = {"fallback": self.simple.scores(rows, counts_of(batch), said, age)}
            terms |= {"rules": boosts} if boosts is not None else {}
            scores = ranking.Scores(np.sum(list(terms.values()), axis=0), terms)
        elif self.change is not None:
            more = posterior.exploring(self.profile, rows, scores, self.change)
            scores = ranking.Scores(scores.total + more, {**scores.terms, "exploring": more})
        return scores, interest, decisions

    def knows(self, batch: Batch, rows: Features) -> list[list[Contribution]]:
        """What the reader's concepts add to the score of each item of the batch."""
        if self.knowledge is None:
            return [[] for _ in batch.ids]
        return self.knowledge.contributions(counts_of(batch), rows.meaning)

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
    pinned: np.ndarray
    blocked: np.ndarray
    sources: np.ndarray
    langs: np.ndarray


def open_reading(store: Store, settings: Settings, now: datetime, exploration: float | None = None) -> Reading:
    """What is needed to rank now. Without any encoding yet, items are ranked by their words.

    `exploration` in [0, 1] (default: the setting) is the part of one draw from the posterior that is added to each
    score, as a reason of its own: Thompson sampling, the same draw for a reader all day long.
    """
    model = model_of(store)
    stored = store.get_state(BACKGROUND)
    background = from_bytes(stored) if stored else learn_background(store, model)
    history = make_history(store, background, model, now)
    profile = ranking.make_profile(background, history, _scale(store))
    interests = store.interests()
    knowledge = concepts.open_knowledge(
        concepts.load(store),
        interests,
        lambda texts: interest_features(store, background, model, [Interest(0, text) for text in texts]),
    )
    keep = promised(store)
    acted = history.weight[~history.statement]
    share = calibration.share_read(int((acted > 0).sum()), len(acted), store.count_items())
    curve, line = replay.judge(profile, share, keep)
    bold = settings.exploration if exploration is None else exploration
    change = None
    if bold:
        known = posterior.believe(profile)
        change = bold * (posterior.draw(known, _chance_of_the_day(store.reader, now)) - known.mean)
    return Reading(store, settings, now, model, profile, line, keep, curve, _simple(store, profile), knowledge, change)


def promised(store: Store) -> float:
    """The share of what would be read that the reader wants kept out of the tray."""
    stored = store.get_state(PROMISE)
    return float(json.loads(stored)) if stored else tray.KEEP


def fallback_of(store: Store) -> dict[str, Any]:
    """The last decision on a simple ranking: method (None: the filter), acts (how many there were), length, typical."""
    return dict(json.loads(store.get_state(FALLBACK) or b'{"method": null, "acts": 0}'))


def is_due(store: Store) -> bool:
    """Whether so much was done since the last decision that it should be taken anew."""
    acts = len(store.feedback())
    return acts >= fallback.ENOUGH and acts - int(fallback_of(store)["acts"]) >= NEW_ACTS


def refresh_background(store: Store, model: str) -> None:
    """Learn the background anew from what the stream holds now, and keep it; the scale follows."""
    store.put_state(MODEL, model.encode())
    store.put_state(BACKGROUND, to_bytes(learn_background(store, model)))


def freeze_scale(store: Store, now: datetime) -> None:
    """Measure and keep the scale of each term; from here on, feedback changes no scale."""
    stored = store.get_state(BACKGROUND)
    if not stored:
        return
    background = from_bytes(stored)
    history = make_history(store, background, background.model, now)
    scale = ranking.make_profile(background, history).scale
    known = {"mean": dict(scale.mean), "deviation": dict(scale.deviation)} if len(history) else None
    store.put_state(SCALE, json.dumps(known).encode())


def model_of(store: Store) -> str:
    """The id of the model that the stored background was made with; empty before the first encoding."""
    return (store.get_state(MODEL) or b"").decode()


def has_scale(store: Store) -> bool:
    return _scale(store) is not None


def learn_background(store: Store, model: str) -> Background:
    """The background of all that the reader may see, sampled evenly when there is much."""
    share = min(1.0, BACKGROUND_ITEMS / max(store.count_items(), 1))
    parts: list[Batch] = []
    for batch in store.batches(model, seen=True):
        # A fixed scramble of the id (Knuth's multiplicative hash) picks the same items every time.
        parts.append(batch[np.flatnonzero((batch.ids * 2654435761) % 2**32 < share * 2**32)])
    whole = join(parts or [store.batch_of([], model)])
    # In an order that does not depend on which source answered first: same items, same themes, same ranking.
    whole = whole[np.lexsort((whole.dates, *whole.vectors[:, :1].T))]
    return make_background(model, whole.vectors, counts_of(whole), whole.langs, whole.sources)


def make_history(store: Store, background: Background, model: str, now: datetime) -> History:
    """What the reader did and said, as the ranking wants it; oldest act first, then the interests."""
    acts = store.feedback()
    batch = store.batch_of([act.item for act in acts], model)
    weight = [act_weight(act.sign, (now - act.at) / timedelta(days=1)) for act in acts]
    interests = store.interests()
    said = interest_features(store, background, model, interests)
    dim = len(background.centre(""))
    vectors = batch.vectors if batch.vectors.shape[1] == dim else np.zeros((len(acts), dim), np.float32)
    return History(
        features=stack([background.features(vectors, counts_of(batch), batch.langs), said]),
        weight=np.array([*weight, *[STATEMENT * i.weight for i in interests]], np.float32),
        statement=np.array([False] * len(acts) + [True] * len(interests), bool),
        keys=(*[act.item for act in acts], *[-i.id for i in interests]),
    )


def interest_features(store: Store, background: Background, model: str, interests: Sequence[Interest]) -> Features:
    """The stated interests as rows beside the items."""
    texts = [interest.text for interest in interests]
    dim = len(background.centre(""))
    vectors, _ = store.text_vectors(model, texts)
    if vectors.shape[1] != dim:
        vectors = np.zeros((len(texts), dim), np.float32)
    return background.features(vectors, statement_counts(texts), [_language(text, background) for text in texts])


def statement_counts(texts: Sequence[str]) -> Counts:
    """The words of plain texts."""
    rows = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    both = np.concatenate([count_terms(""), *rows])
    return Counts(start, both["id"], both["count"])


def place(reading: Reading, wanted: Selection) -> Placed:
    """Score everything of the selection, a few thousand items at a time."""
    parts: list[tuple[np.ndarray, ...]] = []
    for batch in reading.store.batches(
        reading.model, source=wanted.source, since=wanted.since, lang=wanted.lang, now=reading.now
    ):
        scores, interest, decisions = reading.scores(batch)
        pinned = np.array([d.pinned is not None for d in decisions], bool)
        blocked = np.array([d.blocked is not None for d in decisions], bool)
        langs = np.array(batch.langs, str)
        parts.append((batch.ids, scores.total, interest, pinned, blocked, batch.sources, langs))
    if not parts:
        none, no = np.zeros(0, np.int64), np.zeros(0, bool)
        return Placed(none, np.zeros(0), np.zeros(0), no, no, none, np.zeros(0, str))
    return Placed(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def interest_part(scores: ranking.Scores) -> np.ndarray:
    """The score without what only the moment, the source and chance gave: what decides over stream or tray."""
    return scores.total - sum(scores.terms.get(term, 0.0) for term in ("fresh", "source", "exploring"))


def stream(reading: Reading, wanted: Selection, limit: int, variety: float) -> list[Ranked]:
    """The best of what is above the line as a list: pinned first, near-duplicates folded, varied and mixed as much
    as `variety` asks, within the reader's quotas. The scores stay what they are; only the order is the list's."""
    placed = place(reading, wanted)
    shown = ~placed.blocked & ((placed.interest >= reading.line) | placed.pinned)
    order = np.lexsort((-placed.ids, -placed.scores, ~placed.pinned))
    order = order[shown[order]]
    limits = quotas.stored(reading.store)
    facts = _asker(reading, placed, order, limits)
    in_hand = constraints.in_hand(limits, facts, len(order), max(IN_HAND, 3 * limit), limit)
    if not len(in_hand):
        return []
    batch = reading.store.batch_of(placed.ids[order[in_hand]].tolist(), reading.model)
    rows = reading.features_of(batch)
    scores, interest, decisions = reading.scores(batch, rows)
    by_rule = np.array([d.pinned is not None for d in decisions], bool)
    stories = diversity.fold_stories(np.where(by_rule, np.inf, scores.total), rows, batch.dates)
    leads = np.array([story.lead for story in stories], np.int64)
    places = min(limit, len(leads))
    told = [facts(row) for row in in_hand[leads].tolist()] if limits else []
    arranged = lists.arrange(
        scores.total[leads] / _deviation(reading.profile),
        places,
        lists.usual_wishes(reading.profile.history, rows[leads], batch.sources[leads], variety, places),
        constraints.bind(limits, told, places),
        first=np.flatnonzero(by_rule[leads]).tolist(),
    )
    for problem in arranged.problems:
        _log.warning(problem)
    chosen = [stories[row] for row in arranged.rows]
    made = ranked(reading, batch, rows, scores, interest, decisions, [story.lead for story in chosen])
    return [
        replace(
            one,
            story=tuple(int(batch.ids[other]) for other in story.others),
            moved=arranged.moved.get(arranged.rows[place]),
            held_back=place >= arranged.fitting,
        )
        for place, (one, story) in enumerate(zip(made, chosen, strict=True))
    ]


def _deviation(profile: ranking.Profile) -> float:
    """What one deviation of the score over background items is, in score units."""
    usual = ranking.score(profile, profile.background.sample).total
    return float(usual.std() if len(usual) else 0.0) or 1.0


def _asker(reading: Reading, placed: Placed, order: np.ndarray, wanted: Sequence[Constraint]) -> Callable[[int], Facts]:
    """What the quotas may ask of the item at each place of `order`."""
    names = Names(reading.store)

    def interests(ids: list[int]) -> list[str | None]:
        rows = reading.features_of(reading.store.batch_of(ids, reading.model))
        keys = reading.profile.history.keys
        return [names.of(keys[row]) if row >= 0 else None for row in ranking.claims(reading.profile, rows).tolist()]

    ids, sources, langs = placed.ids[order], placed.sources[order], placed.langs[order]
    return quotas.asker(reading.store, wanted, ids, sources, langs, interests)


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
    parts = [(batch.ids, batch.dates) for batch in reading.store.batches(reading.model, now=reading.now)]
    if not parts:
        return []
    ids, dates = (np.concatenate(column) for column in zip(*parts, strict=True))
    newest = ids[np.lexsort((-ids, -dates))][:ASKABLE]
    batch = reading.store.batch_of(newest.tolist(), reading.model)
    rows = reading.features_of(batch)
    scores, interest, decisions = reading.scores(batch, rows)
    free = np.flatnonzero([d.blocked is None or d.pinned is not None for d in decisions])
    known = posterior.believe(reading.profile)
    model = posterior.rows_of(reading.profile, rows, None if reading.simple else scores)
    chosen = asking.questions(known, model[free], rows[free], n)
    places = [int(free[question.row]) for question in chosen]
    made = ranked(reading, batch, rows, scores, interest, decisions, places)
    return [Asked(o, q.chance, q.doubt, q.settles, len(free)) for o, q in zip(made, chosen, strict=True)]


def trayed(reading: Reading, wanted: Selection, limit: int) -> tuple[list[Ranked], int]:
    """What was filtered away, the closest to the line first, and how many there are in all."""
    placed = place(reading, wanted)
    away = (placed.blocked | (placed.interest < reading.line)) & ~placed.pinned
    order = np.lexsort((-placed.ids, -placed.scores, placed.blocked))
    ids = placed.ids[order[away[order]]]
    return rank_items(reading, ids[:limit].tolist()), len(ids)


def rank_items(reading: Reading, ids: Sequence[int]) -> list[Ranked]:
    """Given items with score and reasons, in the order given."""
    if not ids:
        return []
    batch = reading.store.batch_of(list(ids), reading.model)
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
    claimed = ranking.claims(reading.profile, rows)
    known = reading.knows(batch[np.array(chosen, np.int64)], rows[list(chosen)])
    chances = reading.curve.probability(interest) if reading.curve else None
    out = []
    for item, row, knows in zip(items, chosen, known, strict=True):
        decision = decisions[row]
        away = None
        if decision.pinned is None and decision.blocked is not None:
            away = f"rule {decision.blocked.id}: {decision.blocked}"
        elif decision.pinned is None and interest[row] < reading.line:
            away = f"{interest[row]:+.2f} without freshness, below your line {reading.line:+.2f}"
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
    """What to call a row of the history: the title of a past item or the text of an interest."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._interests = {-interest.id: interest.text for interest in store.interests()}
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
    parts = ranking.shares(reading.profile, row) if len(reading.profile.history) else {}
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


def counts_of(batch: Batch) -> Counts:
    """The words of a batch."""
    return Counts(batch.term_ptr, batch.term_ids, batch.term_counts)


def _known(batch: Batch, profile: ranking.Profile) -> Floats:
    """The batch's vectors; zeros when the background was made before anything was encoded."""
    dim = len(profile.background.centre(""))
    return batch.vectors if batch.vectors.shape[1] == dim else np.zeros((len(batch.ids), dim), np.float32)


def _chance_of_the_day(reader: str, now: datetime) -> np.random.Generator:
    """The same chance for a reader all day long, so that nothing moves between two looks at a list."""
    return np.random.default_rng([zlib.crc32(reader.encode()), now.astimezone(UTC).toordinal()])


def _simple(store: Store, profile: ranking.Profile) -> fallback.Simple | None:
    chosen = fallback_of(store)
    if chosen["method"] is None:
        return None
    index = replay.keyword_index(profile.background, chosen["length"])
    return fallback.make_simple(chosen["method"], profile.background, profile.history, index, chosen["typical"])


def _scale(store: Store) -> ranking.Scale | None:
    known = json.loads(store.get_state(SCALE) or b"null")
    return ranking.Scale(known["mean"], known["deviation"]) if known else None


def _language(text: str, known: Background) -> str:
    """The language of a short statement. Plain ASCII is in the one language known that may be written so, when there
    is only one; the detector, with its 100 MB, is asked only when there are several."""
    spaced = [lang for lang in known.centres if lang not in ("", "zh", "ja", "ko")]
    if text.isascii() and len(spaced) <= 1:
        return spaced[0] if spaced else ""
    return detect_language(text)
