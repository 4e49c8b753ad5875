"""The filter never ships a ranking worse than the simple ones: when it loses on the reader's own history, the best
of them orders the stream instead, says so, and hands back when the filter is no longer behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from attention_filter.personal import baselines
from attention_filter.personal.background import Background
from attention_filter.personal.baselines import Bm25
from attention_filter.personal.evaluate import FILTER
from attention_filter.personal.features import Counts, Features
from attention_filter.personal.feedback import History
from attention_filter.personal.replay import GAIN, KEYWORDS, MEAN, NEWEST, SIMPLE, WORDS, Measured

LATEST = 60  # likes that decide: rankings differ in how fast they learn, and what counts is now
ENOUGH = 30  # likes that were predicted; before that, nothing can be said
DOUBT = 0.05  # chance of switching though the filter is no worse than any of the simple rankings


@dataclass(frozen=True)
class Test:
    """By how much a simple ranking was better than the filter on the same likes (in gain), and at least how much."""

    better_by: float
    at_least: float


@dataclass(frozen=True)
class Decision:
    """Which ranking orders the stream: `method` is None for the filter. `tests` {method: test} over `likes`."""

    method: str | None
    likes: int
    tests: Mapping[str, Test]


def decide(marks: Mapping[str, Measured], current: str | None = None) -> Decision:
    """Whether a simple ranking takes over, stays or hands back, given which one is on now.

    It takes over when the lower bound of its mean paired difference to the filter lies above 0: Student's t, one
    side, DOUBT shared among the rankings (Bonferroni), at least ENOUGH likes. It hands back only when its mean is no
    longer above the filter's, so that noise does not switch to and fro. The LATEST likes decide.
    """
    tests: dict[str, Test] = {}
    likes = 0
    for method in SIMPLE:
        differences = (marks[method][GAIN] - marks[FILTER][GAIN])[-LATEST:] if method in marks else np.zeros(0)
        differences = differences[~np.isnan(differences)]
        likes = len(differences)
        if likes >= 2:
            tests[method] = Test(float(differences.mean()), _lower_bound(differences))
    if likes < ENOUGH:
        return Decision(None, likes, tests)
    if current in tests and tests[current].better_by > 0:
        return Decision(current, likes, tests)
    proven = [method for method, test in tests.items() if test.at_least > 0]
    return Decision(max(proven, key=lambda method: tests[method].better_by, default=None), likes, tests)


def _lower_bound(differences: np.ndarray) -> float:
    from scipy.stats import t  # here, so that commands that test nothing start without it

    n = len(differences)
    error = float(differences.std(ddof=1)) / n**0.5
    return float(differences.mean() - t.ppf(1 - DOUBT / len(SIMPLE), n - 1) * error)


@dataclass(frozen=True)
class Simple:
    """A simple ranking, ready to score: weights of meaning (d,) or words (SLOTS,), or an index and what to look for.

    Its scores are standardised by `mean` and `deviation` over background items (keywords: of the whole stream).
    """

    method: str
    meaning: np.ndarray | None = None
    words: np.ndarray | None = None
    index: Bm25 | None = None
    mean: float = 0.0
    deviation: float = 1.0

    def scores(self, candidates: Features, counts: Counts, said: Counts, age_days: np.ndarray) -> np.ndarray:
        """Scores (n,) of n candidates with these term counts; `said` are the wanted statements."""
        if self.meaning is not None:
            raw = candidates.meaning @ self.meaning
        elif self.words is not None:
            raw = candidates.words @ self.words
        elif self.index is not None:
            found = baselines.bm25(self.index, said, counts)
            raw = np.zeros(len(candidates)) if found is None else found
        else:
            raw = -age_days
        return np.asarray((raw - self.mean) / self.deviation, np.float64)


def make_simple(method: str, background: Background, history: History, index: Bm25, typical: float) -> Simple | None:
    """The simple ranking as learned from a history; None when that gives it nothing to go by (any more).

    `typical` is what a good match of keywords scores, the unit of that ranking.
    """
    if method == NEWEST:
        return Simple(NEWEST)
    if method == KEYWORDS:
        wanted = history.statement & (history.weight > 0)
        return Simple(KEYWORDS, index=index, deviation=typical) if wanted.any() else None
    if method == MEAN:
        wanted = history.weight > 0
        meaning = history.features.meaning[wanted].mean(0, dtype=np.float64) if wanted.any() else None
        usual = background.sample.meaning @ meaning if meaning is not None else np.zeros(1)
        return _standardised(Simple(MEAN, meaning=meaning), usual)
    words = baselines.svm_weights(history, background.sample)
    usual = background.sample.words @ words if words is not None else np.zeros(1)
    return _standardised(Simple(WORDS, words=words), usual)


def _standardised(one: Simple, usual: np.ndarray) -> Simple | None:
    deviation = float(usual.std()) if len(usual) else 0.0
    return Simple(one.method, one.meaning, one.words, None, float(usual.mean()), deviation) if deviation else None
