"""A reader's history lived through again: every like is predicted from what came before it, then learned.

Prequential evaluation (Dawid 1984). At the moment of a like the filter and the simpler rankings order what lay
unread in the stream then, and what counts is where the liked item stood. Nothing later is known to any of them but
the background (what is usual in the stream), which is learned without any feedback.

A reader could only like what was shown. So a history made with the filter favours the filter.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from attention_filter.personal import baselines, calibration, tray
from attention_filter.personal.background import Background
from attention_filter.personal.baselines import Bm25
from attention_filter.personal.evaluate import FILTER, MEASURES
from attention_filter.personal.features import Counts, Features, Ints, stack, take
from attention_filter.personal.feedback import HALF_LIFE_DAYS, History
from attention_filter.personal.ranking import Profile, Scores, held_out, make_profile, score
from attention_filter.personal.threads import one_thread_each

NEWEST, KEYWORDS, WORDS, MEAN = "newest first", "keywords", "TF-IDF and SVM", "mean of likes"
SIMPLE = (NEWEST, KEYWORDS, WORDS, MEAN)
LIKES = 200  # that are predicted; of a longer history as many, evenly spread
CANDIDATES = 400  # unread items that a like is compared with
GAIN = "gain"  # 1 / log2(1 + place): nDCG without a cut, of the one item that was liked

NOT_THE_INTEREST = ("fresh", "source")  # terms of the score that do not decide over stream or tray

Measured = Mapping[str, np.ndarray]  # {measure: (n likes,)}


@dataclass(frozen=True)
class Pool:
    """All n items of a stream: when they `came` and their `dates`, float64 (n,) in seconds, their `sources` (n,)."""

    features: Features
    counts: Counts
    came: np.ndarray
    dates: np.ndarray
    sources: np.ndarray


@dataclass(frozen=True)
class Acts:
    """m acts, oldest first: `rows` (m,) of the pool, each once; `weight` (m,), of a fresh act; `at` (m,) in seconds."""

    rows: Ints
    weight: np.ndarray
    at: np.ndarray


@dataclass(frozen=True)
class Said:
    """s statements, as rows to learn from and as the words to look for; `weight` (s,), since `at` (s,) in seconds."""

    features: Features
    counts: Counts
    weight: np.ndarray
    at: np.ndarray


@dataclass(frozen=True)
class Replay:
    """What n likes showed, after `before` (n,) acts each.

    `marks` {method: {measure: (n,)}}, `without` {term of the score: the same, had the filter lacked it}. `chances`
    (c,) and `read` (c,) are the probabilities that items were given and what came of them. `kept` (n,) says whether
    the like lay above the line of its moment, `away` (n,) which share of its rivals lay below.
    """

    before: np.ndarray
    marks: Mapping[str, Measured]
    without: Mapping[str, Measured]
    chances: np.ndarray
    read: np.ndarray
    kept: np.ndarray
    away: np.ndarray


@dataclass(frozen=True)
class Moment:
    """What a method may know when item `rows[0]` is about to be liked: the rest of `rows` are unread rivals."""

    history: History
    said: Counts
    rows: Ints
    now: float


@one_thread_each()
def replay(
    background: Background,
    pool: Pool,
    acts: Acts,
    said: Said,
    chosen: Ints,
    *,
    half_life_days: float,
    keep: float = tray.KEEP,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Predict the `chosen` acts, which are likes, each from what came before it; with `progress(done, total)`."""
    rng = np.random.default_rng(seed)
    others = background.sample  # never the pool: a machine that has seen its rivals as unwanted knows the answer
    index = keyword_index(background, mean_length(pool.counts))
    judged = _judged_with(pool, acts, chosen, len(chosen) / max((acts.weight > 0).sum(), 1), rng)
    steps = []
    for number, act in enumerate(chosen):
        moment = _moment(pool, acts, said, int(act), rng)
        simple = _simple(moment, pool, index, others)
        steps.append(_step(background, pool, acts, moment, simple, judged[number], half_life_days, keep))
        progress(number + 1, len(chosen))
    return Replay(
        before=np.array([int((acts.at < acts.at[act]).sum()) for act in chosen], np.int64),
        marks=_columns([step.marks for step in steps]),
        without=_columns([step.without for step in steps]),
        chances=np.concatenate([np.zeros(0), *[step.chances for step in steps]]),
        read=np.concatenate([np.zeros(0, bool), *[step.read for step in steps]]),
        kept=np.array([step.kept for step in steps], bool),
        away=np.array([step.away for step in steps], np.float64),
    )


def spread(acts: Acts, most: int = LIKES) -> Ints:
    """The likes, or of a longer history so many, evenly spread over it."""
    liked = np.flatnonzero(acts.weight > 0)
    return liked[np.unique(np.linspace(0, len(liked) - 1, min(len(liked), most)).astype(np.int64))]


def keyword_index(background: Background, length: float) -> Bm25:
    """What keyword rules know of the stream, whose texts have `length` terms on average.

    The document frequencies are the background's; what is in too many texts counts nothing, there as here.
    """
    documents = (background.items + 1) / np.exp(background.idf.astype(np.float64) - 1) - 1
    idf = np.log1p((background.items - documents + 0.5) / (documents + 0.5))
    return Bm25(np.where(background.idf > 0, idf, 0), length)


def mean_length(counts: Counts) -> float:
    """The mean number of terms of n texts."""
    return float(counts.counts.sum()) / max(len(counts.start) - 1, 1) or 1.0


@dataclass(frozen=True)
class _Step:
    marks: Mapping[str, Mapping[str, float]]
    without: Mapping[str, Mapping[str, float]]
    chances: np.ndarray
    read: np.ndarray
    kept: bool
    away: float


def _step(
    background: Background,
    pool: Pool,
    acts: Acts,
    moment: Moment,
    simple: Mapping[str, np.ndarray],
    judged: Ints,
    half_life_days: float,
    keep: float,
) -> _Step:
    profile = make_profile(background, moment.history)
    rows = np.concatenate([moment.rows, judged])
    age = np.maximum(moment.now - pool.dates[rows], 0) / 86_400
    scores = score(profile, pool.features[rows], freshness=0.5 ** (age / half_life_days), sources=pool.sources[rows])
    n = len(moment.rows)
    given = {FILTER: scores.total[:n], **simple}
    lacking = {term: (scores.total - values)[:n] for term, values in scores.terms.items()}
    interest = scores.total - sum(scores.terms.get(term, 0.0) for term in NOT_THE_INTEREST)
    curve, line = judge(profile, keep)
    asked = interest[[0, *range(n, len(rows))]] if curve else np.zeros(0)
    return _Step(
        {method: _marks(values) for method, values in given.items()},
        {term: _marks(values) for term, values in lacking.items()},
        curve.probability(asked) if curve else asked,
        np.arange(len(asked)) == 0,
        bool(interest[0] >= line),
        float((interest[1:n] < line).mean()) if n > 1 else 0.0,
    )


@dataclass(frozen=True)
class Looked:
    """n items that stood on a page and were looked at: their `scores`, each held out of its own history, whether each
    proved `wanted`, bool, and how surely, as a `weight`."""

    scores: np.ndarray
    wanted: np.ndarray
    weight: np.ndarray


def judge(
    profile: Profile,
    keep: float,
    usual: Scores | None = None,
    held: np.ndarray | None = None,
    looked: Looked | None = None,
) -> tuple[calibration.Calibration | None, float]:
    """The curve from scores to probabilities, and the line of the tray.

    `usual` are the scores of the background's sample and `held` what `held_out` returned, where they are at hand.
    """
    curve, (line,) = lines(profile, [keep], usual, held, looked)
    return curve, line


def lines(
    profile: Profile,
    keeps: Sequence[float],
    usual: Scores | None = None,
    held: np.ndarray | None = None,
    looked: Looked | None = None,
) -> tuple[calibration.Calibration | None, list[float]]:
    """The same curve, and the line for each of several promises.

    The promise is about what is still to be read. So what was acted on counts neither among the ordinary items, where
    the sample has it, nor as a like that tells how others are spread: reading the best of a small stream, the whole of
    which is in the sample, would put the rest of it away.
    """
    history = profile.history
    nowhere = [float("-inf")] * len(keeps)
    if not len(history):
        return None, nowhere
    ordinary = (usual or score(profile, profile.background.sample)).total
    worth = profile.background.worth
    own = held_out(profile) if held is None else held
    liked, turned_down = ((history.weight * sign > 0) & ~history.statement for sign in (1, -1))
    curve = calibration.fit(ordinary, own[liked], own[turned_down], worth=worth)
    if curve is None:
        return None, nowhere
    if looked is not None:
        curve = calibration.moved(curve, looked.scores, looked.wanted, looked.weight)
    acted, sampled = _words_of(history.features[~history.statement]), _words_of(profile.background.sample)
    unread = ~np.isin(sampled, acted)
    elsewhere = np.ones(len(history), bool)
    elsewhere[~history.statement] = ~np.isin(acted, sampled)
    left = ordinary[unread]
    wanted = worth[unread] * curve.probability(left)
    return curve, [tray.line(left, wanted, own[liked & elsewhere], keep) for keep in keeps]


def _words_of(texts: Features) -> np.ndarray:
    """Which words each text has, as a number (n,) that is the same for the same text."""
    words = texts.words
    rows = (words.indices[start:end].tobytes() for start, end in pairwise(words.indptr.tolist()))
    return np.array([zlib.crc32(row) for row in rows], np.int64)


def _moment(pool: Pool, acts: Acts, said: Said, act: int, rng: np.random.Generator) -> Moment:
    """The history before an act, and the unread items that the liked one competed with."""
    now, row = acts.at[act], acts.rows[act]
    past = acts.at < now
    there = pool.came <= now
    there[acts.rows[past]] = False
    there[acts.rows[acts.weight > 0]] = False  # what is liked later is no wrong answer
    rivals = rng.permutation(np.flatnonzero(there))[:CANDIDATES]
    stated = said.at <= now
    decay = 0.5 ** ((now - acts.at[past]) / 86_400 / HALF_LIFE_DAYS)
    history = History(
        stack([pool.features[acts.rows[past]], said.features[stated]]),
        np.concatenate([acts.weight[past] * decay, said.weight[stated]]).astype(np.float32),
        np.repeat([False, True], [int(past.sum()), int(stated.sum())]),
        (*acts.rows[past].tolist(), *range(-1, -1 - int(stated.sum()), -1)),
    )
    wanted = np.flatnonzero(stated & (said.weight > 0))
    return Moment(history, take(said.counts, wanted), np.concatenate([[row], rivals]), float(now))


def _simple(moment: Moment, pool: Pool, index: Bm25, others: Features) -> dict[str, np.ndarray]:
    """Scores (n,) of the simpler rankings; one that has nothing to go by yet finds all alike."""
    candidates = pool.features[moment.rows]
    given = {
        NEWEST: baselines.newest(pool.dates[moment.rows]),
        KEYWORDS: baselines.bm25(index, moment.said, take(pool.counts, moment.rows)),
        WORDS: baselines.linear_svm(moment.history, others, candidates),
        MEAN: baselines.mean_of_likes(moment.history, candidates),
    }
    return {name: np.zeros(len(candidates)) if scores is None else scores for name, scores in given.items()}


def _judged_with(pool: Pool, acts: Acts, chosen: Ints, share: float, rng: np.random.Generator) -> list[Ints]:
    """Which items that were not read are given a probability at each of the chosen likes, each item once at most.

    What was turned down is asked for when that happened, what was never touched at a moment drawn from those when it
    lay in the stream. Only the `share` of the likes that was chosen is taken of them, so that the share of what is
    read stays as it was.
    """
    times = acts.at[chosen]
    rows = np.setdiff1d(np.arange(len(pool.came)), acts.rows[acts.weight > 0])
    rows = rows[rng.random(len(rows)) < share]
    until = np.full(len(pool.came), np.inf)
    until[acts.rows] = acts.at
    first = np.searchsorted(times, pool.came[rows])
    last = np.searchsorted(times, until[rows], side="right")
    known, low, high = rows[first < last], first[first < last], last[first < last]
    drawn = np.where(np.isinf(until[known]), rng.integers(low, high), high - 1) if len(known) else known
    return [known[drawn == number] for number in range(len(chosen))]


def _marks(scores: np.ndarray) -> dict[str, float]:
    """Where the first row stood among all: the usual measures, and the gain of its place."""
    if len(scores) < 2:  # no rivals: nothing to measure
        return dict.fromkeys(("auc", "mrr", "ndcg@10", GAIN), float("nan"))
    labels = np.arange(len(scores)) == 0
    marks = {measure: MEASURES[measure](labels, scores) for measure in ("auc", "mrr", "ndcg@10")}
    above, level = int((scores > scores[0]).sum()), int((scores == scores[0]).sum())
    return marks | {GAIN: float((1 / np.log2(np.arange(above + 2, above + level + 2))).mean())}


def _columns(steps: list[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, np.ndarray]]:
    """{name: {measure: (n,)}} of n steps; NaN for a step that lacks the name."""
    names = dict.fromkeys(name for step in steps for name in step)
    measures = ("auc", "mrr", "ndcg@10", GAIN)
    return {
        name: {m: np.array([step.get(name, {}).get(m, np.nan) for step in steps]) for m in measures} for name in names
    }
