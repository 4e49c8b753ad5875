"""How sure the filter is of a score: a Gaussian over weights, learned from what the reader did.

A row x of the model holds the standardised terms of an item's score, a one, and which themes it belongs to
(h_k(c) of 32 prototypes). Before any feedback w ~ N(m, 1/precision): the terms weigh what the profile says, the one
what an average item is worth, a theme nothing. P(wanted) = σ(w·x), Bayesian logistic regression; the posterior is
Laplace's approximation (Bishop 2006, §4.5.1), a Gaussian at the most probable weights whose covariance is the
inverse of the curvature there. w·x is linear in w, so its deviation and a draw of it (Thompson 1933) are exact.

What was seen: each act, with the terms it would have had if it were not in the history, and the background's sample
as weak unwanted items, all of it together worth as much as the wanted ones. Linear in feedback, some milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from attention_filter.personal import ranking
from attention_filter.personal.features import Features
from attention_filter.personal.ranking import Profile, Scores
from attention_filter.personal.threads import one_thread_each

# A score of 1 is worth about one logit and an average item is wanted by 5 to 9 in 100: fitted on seven sets of readers
# (Reuters, Cranfield, CLINC, intents, shop reviews, Chinese titles, MIND by category), slopes 0.7 to 1.4.
USUAL = -3.0  # logit of an average item
TERM_PRECISION = 30.0  # of a term's weight: of 3, 10, 30, 100, 300 the best for the mean AUC of the mean weights there
USUAL_PRECISION = 0.25
THEME_PRECISION = 1.0  # a theme may be worth one logit more or less than its terms say

STEPS = 50  # of Newton's method; it needs about 6
CLOSE = 1e-8  # a smaller step ends it


@dataclass(frozen=True)
class Gaussian:
    """Over p weights: `mean` (p,) and `root` (p, p), with covariance root·rootᵀ."""

    mean: np.ndarray
    root: np.ndarray


def prior(mean: np.ndarray, precision: np.ndarray) -> Gaussian:
    """Independent weights with `mean` (p,) and `precision` (p,) > 0, one over the variance."""
    return Gaussian(np.asarray(mean, np.float64), np.diag(1 / np.sqrt(precision)))


def fit(before: Gaussian, rows: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> Gaussian:
    """What is known of the weights after seeing `labels` (n,) bool of `rows` (n, p), each counted `counts` (n,) times.

    Costs n·p² a step. No rows give back the prior.

    >>> known = fit(prior(np.zeros(1), np.ones(1)), np.array([[1.0], [1.0]]), np.array([True, True]), np.ones(2))
    >>> bool(known.mean[0] > 0), bool(deviation(known, np.ones((1, 1)))[0] < 1)
    (True, True)
    """
    if not len(rows):
        return before
    import scipy.linalg
    import scipy.special

    # In units of the prior: w = mean + root·u, u ~ N(0, I), so that Newton's matrix is well conditioned.
    x, offset = rows @ before.root, rows @ before.mean
    side = np.where(labels, 1.0, -1.0)

    def loss(u: np.ndarray) -> float:
        return float(u @ u / 2 - counts @ scipy.special.log_expit(side * (offset + x @ u)))

    def slope_and_curve(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = scipy.special.expit(offset + x @ u)
        curve = np.eye(len(u)) + (x.T * (counts * chance * (1 - chance))) @ x
        return u - x.T @ (counts * (labels - chance)), curve

    u = np.zeros(len(before.mean))
    for _ in range(STEPS):
        slope, curve = slope_and_curve(u)
        step = scipy.linalg.solve(curve, slope, assume_a="pos")
        while loss(u - step) > loss(u) and np.abs(step).max() > CLOSE:
            step = step / 2  # far from the optimum a whole step may overshoot
        u = u - step
        if np.abs(step).max() <= CLOSE:
            break
    _, curve = slope_and_curve(u)
    lower = scipy.linalg.cholesky(curve, lower=True)
    half = scipy.linalg.solve_triangular(lower, np.eye(len(u)), lower=True).T  # half·halfᵀ = curve⁻¹
    return Gaussian(before.mean + before.root @ u, before.root @ half)


def deviation(known: Gaussian, rows: np.ndarray) -> np.ndarray:
    """The standard deviation of each row's score, in score units, float64 (n,)."""
    return np.asarray(np.sqrt(((rows @ known.root) ** 2).sum(1)))


def draw(known: Gaussian, rng: np.random.Generator) -> np.ndarray:
    """One draw of the weights (p,)."""
    return np.asarray(known.mean + known.root @ rng.standard_normal(len(known.mean)))


def chances(known: Gaussian, rows: np.ndarray) -> np.ndarray:
    """P(wanted) of each row, over all weights that are possible (n,): MacKay's approximation (1992)."""
    import scipy.special

    spread = np.sqrt(1 + np.pi / 8 * deviation(known, rows) ** 2)
    return np.asarray(scipy.special.expit(rows @ known.mean / spread))


@one_thread_each()
def believe(
    profile: Profile, held_out: Mapping[str, np.ndarray] | None = None, usual: Scores | None = None
) -> Gaussian:
    """What the reader's acts leave open, over the columns of `rows_of`. Statements and no feedback give the prior.

    `held_out` is what `ranking.held_out_terms(profile)` returned and `usual` the scores of the background's sample,
    where they are at hand: they cost more than the rest.
    """
    weights = [profile.weights[term] for term in _terms(profile)]
    themes = len(_prototypes(profile))
    before = prior(
        np.array([*weights, USUAL, *[0.0] * themes]),
        np.array([*[TERM_PRECISION] * len(weights), USUAL_PRECISION, *[THEME_PRECISION] * themes]),
    )
    history = profile.history
    acts = ~history.statement
    if not acts.any():
        return before
    raw = ranking.held_out_terms(profile) if held_out is None else held_out
    seen = _rows(profile, history.features[acts], {term: values[acts] for term, values in raw.items()})
    weak = rows_of(profile, profile.background.sample, usual)
    wanted = history.weight[acts] > 0
    counts = np.clip(4 * np.abs(history.weight[acts]), 0, 1).astype(np.float64)  # a like and a dislike 1, a skip 0.4
    each = max(counts[wanted].sum(), 1.0) / max(len(weak), 1)
    labels = np.concatenate([wanted, np.zeros(len(weak), bool)])
    return fit(before, np.vstack([seen, weak]), labels, np.concatenate([counts, np.full(len(weak), each)]))


@one_thread_each()
def rows_of(profile: Profile, candidates: Features, scores: Scores | None = None) -> np.ndarray:
    """The model's rows of n candidates, float64 (n, p): terms, one, themes. `scores`, when they are at hand."""
    if scores is None:
        return _rows(profile, candidates, ranking.raw_terms(profile, candidates))
    known = [term for term in _terms(profile) if term in scores.terms]
    return _whole(profile, candidates, {term: scores.terms[term] / profile.weights[term] for term in known})


def exploring(profile: Profile, candidates: Features, scores: Scores, change: np.ndarray) -> np.ndarray:
    """What `change` (p,), a draw less the mean, adds to each candidate's score (n,); an average item gets the same
    draw of the one, so that is left out."""
    change = change.copy()
    change[len(_terms(profile))] = 0.0
    return np.asarray(rows_of(profile, candidates, scores) @ change)


def _rows(profile: Profile, items: Features, raw: Mapping[str, np.ndarray]) -> np.ndarray:
    return _whole(profile, items, {term: profile.scale.standardise(term, values) for term, values in raw.items()})


def _whole(profile: Profile, items: Features, terms: Mapping[str, np.ndarray]) -> np.ndarray:
    import scipy.special

    names = _terms(profile)
    columns = np.zeros((len(items), len(names) + 1))
    for column, term in enumerate(names):
        columns[:, column] = terms.get(term, 0.0)
    columns[:, -1] = 1.0
    prototypes = _prototypes(profile)
    closeness = items.meaning @ prototypes.T / ranking.TEMPERATURE
    themes = scipy.special.softmax(closeness, axis=1) if len(prototypes) else closeness  # h_k(c)
    themes = np.where(items.meaning.any(1, keepdims=True), themes, 0)  # nobody knows the theme of what is not encoded
    return np.hstack([columns, themes]).astype(np.float64)


def _terms(profile: Profile) -> list[str]:
    """The terms that a score may hold, in the order of the columns."""
    # A taste comes and goes with the votes that it is itself learned from; the model's columns must not.
    return [term for term, weight in profile.weights.items() if weight and term != "taste"]


def _prototypes(profile: Profile) -> np.ndarray:
    """Those of the coarsest attention head (≤ 32, d); none before the first encoding."""
    known = profile.background.prototypes
    return known[0] if known else np.zeros((0, len(profile.background.centre(""))), np.float32)
