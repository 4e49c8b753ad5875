"""How well do I know you? The filter measured on the reader's own history, and the fall-back when it loses there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from pydantic import TypeAdapter, ValidationError

from attention_filter.learned import FALLBACK, counts_of, fallback_of, interest_features, statement_counts
from attention_filter.personal import baselines, calibration, fallback, replay
from attention_filter.personal.evaluate import FILTER, Difference, paired_bootstrap
from attention_filter.personal.features import take
from attention_filter.personal.feedback import STATEMENT, act_weight
from attention_filter.personal.replay import GAIN, SIMPLE, Acts, Pool, Replay, Said
from attention_filter.reading import Reading
from attention_filter.store.batches import join
from attention_filter.store.store import Store

Progress = Callable[[str, int, int], None]
MEASURED = "insight"  # the name of the state it is kept in
FEWEST = 5  # likes; with fewer there is nothing to draw
STAGES = (0, 1, 3, 6, 11, 21, 51, 101, 201, 501, 1_001)  # first number of acts of each point of the curve
MEASURES = ("auc", "mrr", "ndcg@10", GAIN)

TOO_LITTLE = (
    "You liked, saved or read {liked} items so far. From {fewest} on there is something to measure, and "
    "from {enough} on it can be told whether a simple ranking does better."
)
HANDED_OVER = (
    "On your history “{rival}” did better than the filter, beyond chance. So it orders your "
    "stream now, and says so; as soon as the filter is no longer behind, it takes over again."
)
BETTER = "The filter knows you better than every simple ranking; the best of them is “{rival}”."
WORSE = (
    "“{rival}” did better on your history; that is not yet enough to let it order your stream "
    "(that takes {enough} likes, and the latest {latest} must prove it)."
)
AHEAD = "The filter is ahead of the best simple ranking, “{rival}”, but by no more than chance could do."
BEHIND = "The filter is behind the best simple ranking, “{rival}”, but by no more than chance could do."


@dataclass(frozen=True)
class Method:
    """A ranking on the reader's history: the mean of each measure, and by how much the filter's gain is better."""

    name: str
    means: Mapping[str, float]
    filter_is_better_by: Difference | None


@dataclass(frozen=True)
class Stage:
    """What the likes after `first` to `last` acts showed: `gain` {method: mean}."""

    first: int
    last: int
    likes: int
    gain: Mapping[str, float]


@dataclass(frozen=True)
class Term:
    """What a term of the score adds: the filter's gain with it, less that without it."""

    name: str
    adds: Difference


@dataclass(frozen=True)
class Trust:
    """How the probabilities fared: of `judged` items `read` were; Brier score, that of always saying the mean, ECE.
    In each of the `bins` equally much was promised."""

    judged: int
    read: int
    brier: float
    brier_of_the_mean: float
    error: float
    bins: tuple[calibration.Bin, ...]


@dataclass(frozen=True)
class Insight:
    """All that was measured. `likes` were predicted (of `liked`); the parts are empty when those are fewer than FEWEST.

    `kept` is the share of the likes that lay above the line of their moment, `away` the share of all that lay below.
    """

    acts: int
    liked: int
    items: int
    likes: int
    methods: tuple[Method, ...]
    curve: tuple[Stage, ...]
    terms: tuple[Term, ...]
    trust: Trust | None
    promise: float
    kept: float
    away: float
    decision: fallback.Decision

    @property
    def enough(self) -> bool:
        return self.likes >= FEWEST

    @property
    def best(self) -> str:
        """The ranking with the largest gain."""
        return max(self.methods, key=lambda method: method.means[GAIN]).name


def stage_name(stage: Stage) -> str:
    """The numbers of acts of a stage.

    >>> stage_name(Stage(11, 20, 4, {})), stage_name(Stage(0, 0, 1, {}))
    ('11–20 acts', '0 acts')
    """
    return f"{stage.first}–{stage.last} acts" if stage.last > stage.first else f"{stage.first} acts"


@dataclass(frozen=True)
class Finding:
    """What the measurement comes to: a message in English with {names}, what to put there, and the best rival."""

    message: str
    values: Mapping[str, object]
    rival: str = ""


def verdict(one: Insight) -> str:
    """What the measurement comes to, in a sentence or two."""
    found = finding(one)
    return found.message.format(rival=found.rival, **found.values)


def finding(one: Insight) -> Finding:
    """The same, ready to be said in another language."""
    if not one.enough:
        return Finding(TOO_LITTLE, {"liked": one.liked, "fewest": FEWEST, "enough": fallback.ENOUGH})
    means = {method.name: method.means[GAIN] for method in one.methods}
    others = {name: gain for name, gain in means.items() if name != FILTER}
    rival = max(others, key=lambda name: others[name])
    better = next(method.filter_is_better_by for method in one.methods if method.name == rival)
    if one.decision.method is not None:
        return Finding(HANDED_OVER, {}, one.decision.method)
    if better is not None and better.low > 0:
        return Finding(BETTER, {}, rival)
    if better is not None and better.high < 0:
        return Finding(WORSE, {"enough": fallback.ENOUGH, "latest": fallback.LATEST}, rival)
    return Finding(AHEAD if means[FILTER] >= means[rival] else BEHIND, {}, rival)


def keep(store: Store, one: Insight, now: datetime) -> None:
    """Remember what was measured, and when."""
    store.put_state(MEASURED, json.dumps({"at": now.isoformat(), "insight": asdict(one)}).encode())


def kept(store: Store) -> tuple[Insight, datetime] | None:
    """What was measured last, and when; None before, or when it is not readable by this version."""
    stored = json.loads(store.get_state(MEASURED) or b"null")
    try:
        return (_INSIGHT.validate_python(stored["insight"]), datetime.fromisoformat(stored["at"])) if stored else None
    except ValidationError:
        return None


def know(reading: Reading, progress: Progress) -> Insight:
    """Measure on the reader's own history, and decide anew who orders the stream."""
    pool, acts, said = lived(reading)
    liked = int((acts.weight > 0).sum())
    if liked < FEWEST:
        nothing = fallback.Decision(None, 0, {})
        return Insight(
            len(acts.rows), liked, len(pool.came), liked, (), (), (), None, reading.keep, np.nan, np.nan, nothing
        )
    chosen = replay.spread(acts)
    seen = _replay(reading, pool, acts, said, chosen, lambda d, n: progress("Living through your history", d, n))
    decision = _keep_decision(reading, pool, said, seen, len(acts.rows))
    return Insight(
        acts=len(acts.rows),
        liked=liked,
        items=len(pool.came),
        likes=len(seen.before),
        methods=tuple(_method(seen, name) for name in (FILTER, *SIMPLE)),
        curve=tuple(_curve(seen)),
        terms=_terms(seen),
        trust=_trust(seen),
        promise=reading.keep,
        kept=float(seen.kept.mean()),
        away=float(seen.away.mean()),
        decision=decision,
    )


def reconsider(reading: Reading, progress: Progress) -> fallback.Decision:
    """Decide anew who orders the stream, on the latest likes, to be quick."""
    pool, acts, said = lived(reading)
    latest = np.flatnonzero(acts.weight > 0)[-fallback.LATEST :]
    seen = _replay(reading, pool, acts, said, latest, lambda d, n: progress("Checking the ranking", d, n))
    return _keep_decision(reading, pool, said, seen, len(acts.rows))


def lived(reading: Reading) -> tuple[Pool, Acts, Said]:
    """The reader's stream, acts and statements as arrays."""
    store, background = reading.store, reading.profile.background
    parts = list(reading.batches(seen=True))
    whole = join(parts or [reading.batch_of([])])
    acts = store.feedback()
    gone = np.setdiff1d([act.item for act in acts], whole.ids)  # of sources that are no longer followed
    whole = join([whole, reading.batch_of(gone.tolist())]) if len(gone) else whole
    row = {int(item): number for number, item in enumerate(whole.ids)}
    rows = np.array([row[act.item] for act in acts], np.int64)
    at = np.array([act.at.timestamp() for act in acts], np.float64)
    # Acts that were imported are older than their items' arrival here: then the items' own dates tell what was there.
    imported = len(rows) and float((whole.fetched[rows] > at).mean()) > 0.5
    interests = store.interests()
    born = np.array([i.created.timestamp() if i.created else 0.0 for i in interests], np.float64)
    return (
        Pool(
            reading.features_of(whole),
            counts_of(whole),
            whole.dates if imported else whole.fetched,
            whole.dates,
            whole.sources,
        ),
        Acts(rows, np.array([act_weight(act.sign) for act in acts], np.float64), at),
        Said(
            interest_features(store, background, reading.model, interests),
            statement_counts([interest.text for interest in interests]),
            np.array([STATEMENT * interest.weight for interest in interests], np.float64),
            np.zeros(len(born)) if imported else born,
        ),
    )


def _replay(
    reading: Reading, pool: Pool, acts: Acts, said: Said, chosen: np.ndarray, progress: Callable[[int, int], None]
) -> Replay:
    return replay.replay(
        reading.profile.background,
        pool,
        acts,
        said,
        chosen,
        half_life_days=reading.settings.half_life_days,
        keep=reading.keep,
        progress=progress,
    )


def _keep_decision(reading: Reading, pool: Pool, said: Said, seen: Replay, acts: int) -> fallback.Decision:
    """Decide, and remember it with what a keyword ranking would need."""
    length = replay.mean_length(pool.counts)
    wanted = take(said.counts, np.flatnonzero(said.weight > 0))
    found = baselines.bm25(replay.keyword_index(reading.profile.background, length), wanted, pool.counts)
    typical = float(found[found > 0].std()) if found is not None and (found > 0).any() else 0.0
    decision = fallback.decide(seen.marks, fallback_of(reading.store)["method"])
    kept = {"method": decision.method, "acts": acts, "length": length, "typical": typical or 1.0}
    reading.store.put_state(FALLBACK, json.dumps(kept).encode())
    return decision


def _method(seen: Replay, name: str) -> Method:
    marks = seen.marks[name]
    means = {measure: _mean(marks[measure]) for measure in MEASURES}
    return Method(name, means, _difference(seen.marks[FILTER][GAIN], marks[GAIN]) if name != FILTER else None)


def _curve(seen: Replay) -> list[Stage]:
    stages = []
    for first, after in zip(STAGES, (*STAGES[1:], int(seen.before.max()) + 1), strict=True):
        rows = (seen.before >= first) & (seen.before < after)
        if rows.any():
            gain = {method: _mean(marks[GAIN][rows]) for method, marks in seen.marks.items()}
            stages.append(Stage(first, after - 1, int(rows.sum()), gain))
    return stages


def _terms(seen: Replay) -> tuple[Term, ...]:
    """The terms, the most useful first."""
    terms = [Term(name, _difference(seen.marks[FILTER][GAIN], marks[GAIN])) for name, marks in seen.without.items()]
    return tuple(sorted(terms, key=lambda term: -term.adds.mean))


def _trust(seen: Replay) -> Trust | None:
    n = len(seen.read)
    if not n:
        return None
    return Trust(
        judged=n,
        read=int(seen.read.sum()),
        brier=calibration.brier(seen.read, seen.chances),
        brier_of_the_mean=calibration.brier(seen.read, np.full(n, seen.read.mean())),
        error=calibration.calibration_error(calibration.reliability(seen.read, seen.chances)),
        bins=calibration.by_promise(seen.read, seen.chances),
    )


def _difference(first: np.ndarray, second: np.ndarray) -> Difference:
    return paired_bootstrap(first, second, np.arange(len(first)), np.zeros(len(first)))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


_INSIGHT = TypeAdapter(Insight)
