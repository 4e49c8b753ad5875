"""How well a ranking puts first what a reader wants, and how sure we are that one ranking beats another.

All measures take `labels` (n,) bool and `scores` (n,), higher is better, and do not look at the order of the
rows: rows that tie share their places, so each measure is its expectation over all orders of the ties
(McSherry & Najork 2008, "Computing information retrieval performance measures efficiently in the presence of
tied scores"). What cannot be measured (nothing wanted, or for AUC everything) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Means = dict[str, float | None]  # {measure: mean}, None where nothing could be measured

FILTER = "filter"  # the name of the ranking under test
CONTENT = "filter, content only"  # the same without popularity
READERS = "trained readers"  # the ranking that `attention train ranking` made
ROUNDS = 1_000  # of the bootstrap


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a wanted row stands above an unwanted one; a tie counts half.

    >>> auc(np.array([True, False, False]), np.array([0.5, 0.5, 0.1]))
    0.75
    """
    n, wanted = len(labels), int(labels.sum())
    if wanted in (0, n):
        return float("nan")
    ranks = _shared(np.arange(n, 0, -1.0), scores)  # n for the best
    return float((ranks[labels].sum() - wanted * (wanted + 1) / 2) / (wanted * (n - wanted)))


def mrr(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean of 1 / place over all wanted rows, as MIND counts it (Wu et al. 2020).

    >>> mrr(np.array([True, False, True, False]), np.array([4, 3, 2, 1]))
    0.6666666666666666
    """
    wanted = int(labels.sum())
    worth = 1 / np.arange(1, len(labels) + 1)
    return float(_shared(worth, scores)[labels].sum() / wanted) if wanted else float("nan")


def ndcg(labels: np.ndarray, scores: np.ndarray, k: int) -> float:
    """Discounted gain of the first k places over the best there could be (Järvelin & Kekäläinen 2002, log2).

    >>> ndcg(np.array([True, False, True]), np.array([3, 2, 1]), 1)
    1.0
    """
    wanted = int(labels.sum())
    worth = np.zeros(len(labels))
    worth[:k] = 1 / np.log2(np.arange(2, min(k, len(labels)) + 2))
    return float(_shared(worth, scores)[labels].sum() / worth[:wanted].sum()) if wanted else float("nan")


MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": auc,
    "mrr": mrr,
    "ndcg@5": lambda labels, scores: ndcg(labels, scores, 5),
    "ndcg@10": lambda labels, scores: ndcg(labels, scores, 10),
}


@dataclass(frozen=True)
class Difference:
    """The mean of (first − second), its bootstrap standard error, and the interval that holds 95 % of the rounds."""

    mean: float
    error: float
    low: float
    high: float


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, clusters: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> Difference:
    """Compare two methods measured on the same n situations (Efron & Tibshirani 1993, ch. 6).

    What is drawn again are whole `clusters` (n,) (a reader with all their situations, or an impression), since
    situations of one reader are alike. The statistic is the mean over `groups` (n,) of the means within a group.
    Situations where either could not be measured are left out.
    """
    known = ~(np.isnan(first) | np.isnan(second))
    if not known.any():
        return Difference(*[float("nan")] * 4)
    _, cluster = np.unique(clusters[known], return_inverse=True)
    _, group = np.unique(groups[known], return_inverse=True)
    shape = int(cluster.max()) + 1, int(group.max()) + 1
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (cluster, group), (first - second)[known])
    np.add.at(counts, (cluster, group), 1)
    rng = np.random.default_rng(seed)
    drawn = np.array([_mean_of_groups(sums, counts, _draw(shape[0], rng)) for _ in range(ROUNDS)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    mean = _mean_of_groups(sums, counts, np.ones(shape[0]))
    return Difference(mean, float(drawn.std()), float(low), float(high))


@dataclass(frozen=True)
class Section:
    """What n situations showed: `marks` {method: {measure: (n,)}}, NaN where it could not be measured.

    `groups` (n,) is each situation's k (0 when there is no such thing), `clusters` (n,) whose situation it is.
    """

    name: str
    groups: np.ndarray
    clusters: np.ndarray
    marks: Mapping[str, Mapping[str, np.ndarray]]

    def means(self, method: str) -> dict[int, Means]:
        """{k: {measure: mean}} for the groups in which the method ranked."""
        marks = self.marks[method]
        out = {}
        for group in np.unique(self.groups):
            rows = self.groups == group
            means = {measure: _mean(values[rows]) for measure, values in marks.items()}
            if any(mean is not None for mean in means.values()):
                out[int(group)] = means
        return out

    def overall(self, method: str) -> Means:
        """The mean over the groups with k ≥ 1 of their means, or of the only group."""
        means = self.means(method)
        counted = [means[group] for group in means if group >= 1 or len(np.unique(self.groups)) == 1]
        return {m: _mean(np.array([one[m] for one in counted], np.float64)) for m in self.marks[method]}

    def against(self, method: str, *, seed: int = 0) -> dict[str, Difference]:
        """By how much the filter is better, per measure, over the situations that `overall` counts."""
        counted = (self.groups >= 1) | (len(np.unique(self.groups)) == 1)
        ours, theirs = self.marks[FILTER], self.marks[method]
        return {
            m: paired_bootstrap(
                ours[m][counted], theirs[m][counted], self.clusters[counted], self.groups[counted], seed=seed
            )
            for m in theirs
        }


@dataclass(frozen=True)
class Row:
    """One line of a table: a method's means in a section, and by how much the filter is better (None for itself)."""

    section: str
    method: str
    means: Means
    filter_is_better_by: dict[str, Difference] | None


@dataclass(frozen=True)
class Result:
    """All that was measured. A log of clicks is one section without a name; profiles have one or two with names."""

    sections: tuple[Section, ...]
    seed: int = 0

    def methods(self) -> list[str]:
        """The filter, then the baselines that ranked something."""
        return list(dict.fromkeys(method for section in self.sections for method in section.marks))

    def rows(self) -> list[Row]:
        """The table, section by section."""
        return [
            Row(
                section.name,
                method,
                section.overall(method),
                section.against(method, seed=self.seed) if method != FILTER else None,
            )
            for section in self.sections
            for method in section.marks
        ]

    def as_json(self) -> dict[str, object]:
        """{"filter": R, "baselines": {method: R}}, R = {measure: mean}, or for profiles {section: {k or "mean": …}}."""
        methods = {method: self._report(method) for method in self.methods()}
        return {"filter": methods.pop(FILTER, {}), "baselines": methods}

    def _report(self, method: str) -> dict[str, object]:
        out: dict[str, object] = {}
        for section in self.sections:
            if method not in section.marks:
                continue
            if not section.name:
                return dict(section.overall(method))
            means = section.means(method)
            report: dict[str, Means] = {str(group): means[group] for group in means}
            if any(group >= 1 for group in means):
                report["mean"] = section.overall(method)
            if report:
                out[section.name] = report
        return out


def measure(
    labels: Sequence[np.ndarray], scores: Sequence[Mapping[str, np.ndarray]], measures: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """{method: {measure: (n,)}} of n situations; NaN where a method gave a situation no scores."""
    methods = dict.fromkeys(method for one in scores for method in one)
    marks = {method: {m: np.full(len(labels), np.nan) for m in measures} for method in methods}
    for row, (wanted, given) in enumerate(zip(labels, scores, strict=True)):
        for method, values in given.items():
            for m in measures:
                marks[method][m][row] = MEASURES[m](wanted, values)
    return marks


def _mean(values: np.ndarray) -> float | None:
    """The mean of what could be measured."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _draw(n: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of n clusters comes up when n are drawn with replacement."""
    return np.bincount(rng.integers(n, size=n), minlength=n)


def _mean_of_groups(sums: np.ndarray, counts: np.ndarray, times: np.ndarray) -> float:
    total, count = times @ sums, times @ counts
    return float((total[count > 0] / count[count > 0]).mean())


def _shared(worth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """What each row gets when place i is worth `worth[i]` and rows that tie share theirs, (n,)."""
    _, group, size = np.unique(-scores, return_inverse=True, return_counts=True)
    first = np.cumsum(size) - size
    shares: np.ndarray = (np.add.reduceat(worth, first) / size)[group]
    return shares
