"""Taste: one line drawn between what a reader wanted and what is ordinary, from many votes better than any memory.

Logistic regression in its dual form, η(c) = Σ_j α_j k(v_j, c), over the kernel k of meaning and words: its examples
are fewer than its dimensions, and past item j's part of the score is α_j k(v_j, c), exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attention_filter.personal.features import Features, Floats, Ints, dense_words, similarity, stack

STRENGTH = 0.3  # λ of the ridge on the dual
LATEST = 300  # acts that it learns from: the cost of a fit grows with their cube
STEPS = 8  # of Newton; it converges in three to five
FEW = 4  # new examples that an old solution is corrected for, in at most
CORRECTIONS = 12  # steps, each some thirty times cheaper than one of Newton's
CLOSE = 1e-5  # of the largest weight; a smaller step ends either


@dataclass(frozen=True)
class Fit:
    """The n examples of a taste, ordinary items first, and what weighs them.

    `told` are the rows of the history among them, `wanted` (n,), `worth` (n,) and `kernel` float32 (n, n) what they
    are, `dual` (n,) the solution, `inverse` float32 (n, n) that of Newton's matrix somewhere near it.
    """

    told: Ints
    wanted: NDArray[np.bool_]
    worth: np.ndarray
    kernel: Floats
    dual: np.ndarray
    inverse: Floats


@dataclass(frozen=True)
class Taste:
    """η(c) as a direction: `meaning` (d,) and `words` (SLOTS,), and what it is the sum of.

    `alpha` (m,) are the parts of the m past items, the rest of η is the ordinary items' part.
    """

    meaning: Floats
    words: Floats
    constant: float
    alpha: np.ndarray
    fit: Fit

    def of(self, candidates: Features) -> np.ndarray:
        """η of n candidates, float64 (n,)."""
        linear = candidates.meaning @ self.meaning + candidates.words @ self.words
        return np.asarray(linear + self.constant, np.float64)

    def left_out(self) -> np.ndarray:
        """Each past item's η without itself, (m,), NaN where it was not learned from."""
        fit = self.fit
        _, without, _ = newton(fit.kernel, fit.wanted, fit.worth, STRENGTH, fit.dual)
        out = np.full(len(self.alpha), np.nan)
        out[fit.told] = without[len(without) - len(fit.told) :]
        return out


def learn(
    past: Features,
    weight: Floats,
    ordinary: Features,
    word_weight: float,
    before: tuple[Taste, Ints] | None = None,
) -> Taste | None:
    """What tells the wanted (`weight` > 0) of the m `past` items from the unwanted and from `ordinary` ones.

    An example counts as much as its weight, the two sides count the same, and only the LATEST rows are learned from.
    None without anything wanted, or without anything to tell it from. `before` is the taste of almost the same
    history and where each of the m rows stood in it, or -1: the solution is the same, and found faster.
    """
    told = np.flatnonzero(weight)[-LATEST:]
    wanted = np.concatenate([np.zeros(len(ordinary), bool), weight[told] > 0])
    if not wanted.any() or wanted.all():
        return None
    examples = stack([ordinary, past[told]])
    worth = np.concatenate([np.ones(len(ordinary)), np.abs(weight[told])]).astype(np.float64)
    worth[~wanted] *= worth[wanted].sum() / worth[~wanted].sum()
    fit = _corrected(told, examples, wanted, worth, word_weight, *before) if before else None
    if fit is None:
        kernel = similarity(examples, examples, word_weight) + np.float32(1)  # the 1 is the constant's
        dual, _, inverse = newton(kernel, wanted, worth, STRENGTH, np.zeros(len(wanted)))
        half = np.tril(inverse.astype(np.float32))
        fit = Fit(told, wanted, worth, kernel, dual, half + np.tril(half, -1).T)
    alpha = np.zeros(len(past))
    alpha[told] = fit.dual[len(ordinary) :]
    half = fit.dual.astype(np.float32)
    words = examples.words.T @ (np.float32(word_weight) * half)
    return Taste(half @ examples.meaning, words, float(fit.dual.sum()), alpha, fit)


def newton(
    kernel: np.ndarray, wanted: NDArray[np.bool_], weight: np.ndarray, strength: float, dual: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimise Σ weight · log-loss(Ka) + strength/2 a'Ka from `dual` on: a (n,), each row's η without itself, and the
    inverse of the last step's matrix (n, n), of which only the lower half counts.

    The score without an example comes from the last step's least squares instead of a refit (Cawley & Talbot 2008,
    "Efficient approximate leave-one-out cross-validation for kernel logistic regression").
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.linalg.lapack import dpotri

    kernel = kernel.astype(np.float64)
    for _ in range(STEPS):
        bend, target = _step(kernel @ dual, wanted, weight)
        factor, lower = cho_factor(kernel + np.diag(strength / bend), lower=True, check_finite=False)
        last, dual = dual, cho_solve((factor, lower), target, check_finite=False)
        if np.abs(dual - last).max() <= 1e-3 * np.abs(dual).max():  # the next would be the square of that
            break
    inverse, _ = dpotri(factor, lower=1)
    return dual, target - dual / np.diag(inverse), inverse


def _step(eta: np.ndarray, wanted: NDArray[np.bool_], weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's step as least squares: each row's loss bends by `bend` (n,), and its η should be `target` (n,)."""
    from scipy.special import expit

    chance = expit(eta)
    bend = np.maximum(weight * chance * (1 - chance), 1e-6)
    return bend, eta + weight * (wanted - chance) / bend


def _corrected(
    told: Ints,
    examples: Features,
    wanted: NDArray[np.bool_],
    worth: np.ndarray,
    word_weight: float,
    before: Taste,
    rows: Ints,
) -> Fit | None:
    """The fit after a few examples came or went, from the one before: O(n²). None when that is not near enough.

    The old inverse, with the rows that went taken out and those that came added (both by the Schur complement),
    stands in for the new one in Newton's steps: they reach the same solution, for there the gradient is zero.
    """
    old, ordinary = before.fit, len(examples) - len(told)
    place = np.full(max(len(before.alpha), 1), -1)
    place[old.told] = np.arange(ordinary, len(old.dual))
    source = np.concatenate([np.arange(ordinary), np.where(rows[told] >= 0, place[rows[told]], -1)])
    kept, new = np.flatnonzero(source >= 0), np.flatnonzero(source < 0)
    gone = np.setdiff1d(np.arange(len(old.dual)), source)
    if len(new) > FEW or len(gone) > FEW:
        return None
    kernel, inverse = _moved(old.kernel, source), _moved(old.inverse, source)
    for row in new.tolist():
        kernel[row] = kernel[:, row] = _alike(examples, row, word_weight) + 1
    dual = np.zeros(len(source))
    dual[kept] = old.dual[source[kept]]
    if len(gone):
        across = np.zeros((len(source), len(gone)), np.float32)
        across[kept] = old.inverse[gone][:, source[kept]].T
        _add(inverse, across, -np.linalg.inv(old.inverse[np.ix_(gone, gone)]))
    if len(new):
        across = inverse @ kernel[:, new]
        rest = kernel[np.ix_(new, new)] - kernel[new] @ across
        bend = _bend_alone(kernel[new] @ dual, np.diag(rest), wanted[new], worth[new])
        across[new] = -np.eye(len(new))
        _add(inverse, across, np.linalg.inv(rest + np.diag(STRENGTH / bend)))
    last = np.inf
    for _ in range(CORRECTIONS):
        eta = (kernel @ dual.astype(np.float32)).astype(np.float64)
        bend, target = _step(eta, wanted, worth)
        short = target - eta - STRENGTH / bend * dual
        change = inverse @ short.astype(np.float32)
        dual, size = dual + change, float(np.abs(change).max())
        if not size < last:  # among few examples one more changes too much
            return None
        last = size
        if size <= CLOSE * np.abs(dual).max():
            return Fit(told, wanted, worth, kernel, dual, inverse)
    return None


def _moved(matrix: Floats, source: Ints) -> Floats:
    """Rows and columns of a square `matrix` at their new places, where `source` (n,) says where they stood: zero at -1.

    A few blocks copied whole: ten times as fast as an index for each number.
    """
    out = np.zeros((len(source), len(source)), matrix.dtype)
    cuts = np.flatnonzero(np.diff(source) != 1) + 1
    runs = [part for part in np.split(np.arange(len(source)), cuts) if source[part[0]] >= 0]
    blocks = [(slice(p[0], p[-1] + 1), slice(source[p[0]], source[p[-1]] + 1)) for p in runs]
    for to, at in blocks:
        for across, stood in blocks:
            out[to, across] = matrix[at, stood]
    return out


def _add(matrix: Floats, across: Floats, middle: np.ndarray) -> None:
    """Add across · middle · acrossᵀ, (n, k), (k, k) and symmetric, to the symmetric `matrix` (n, n) itself."""
    from scipy.linalg.blas import sgemm

    left = across @ middle.astype(np.float32)
    sgemm(1.0, left, across, 1.0, matrix.T, trans_b=True, overwrite_c=True)  # in Fortran's order, where it is its own


def _alike(examples: Features, row: int, word_weight: float) -> Floats:
    """The kernel of one example with all, (n,)."""
    words = examples.words @ dense_words(examples, row)
    return np.asarray(examples.meaning @ examples.meaning[row] + np.float32(word_weight) * words, np.float32)


def _bend_alone(eta: np.ndarray, grows: np.ndarray, wanted: NDArray[np.bool_], worth: np.ndarray) -> np.ndarray:
    """How much the loss of new examples will bend, (k,): each alone, with η = `eta` + `grows` · a, by Newton."""
    from scipy.special import expit

    a = np.zeros(len(eta))
    for _ in range(STEPS):
        chance = expit(eta + grows * a)
        bend = worth * chance * (1 - chance)
        a -= (STRENGTH * a - worth * (wanted - chance)) / (STRENGTH + bend * grows)
    return np.maximum(bend, 1e-6)
