"""Taste: one line drawn between what a reader wanted and what is ordinary, from many votes better than any memory.

Logistic regression in its dual form, η(c) = Σ_j α_j k(v_j, c), over the kernel k of meaning and words: its examples
are fewer than its dimensions, and past item j's part of the score is α_j k(v_j, c), exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attention_filter.personal.features import SLOTS, Features, Floats, similarity, stack

STRENGTH = 0.3  # λ of the ridge on the dual
LATEST = 300  # acts that it learns from: the cost of a fit grows with their cube
STEPS = 8  # of Newton; it converges in three to five


@dataclass(frozen=True)
class Taste:
    """η(c) as a direction: `meaning` (d,) and `words` (SLOTS,), and what it is the sum of.

    `alpha` (m,) are the parts of the m past items, the rest of η is the ordinary items' part. `left_out` (m,) is each
    past item's η without itself, NaN where it was not learned from.
    """

    meaning: Floats
    words: Floats
    constant: float
    alpha: np.ndarray
    left_out: np.ndarray

    def of(self, candidates: Features) -> np.ndarray:
        """η of n candidates, float64 (n,)."""
        linear = candidates.meaning @ self.meaning + candidates.words @ self.words
        return np.asarray(linear + self.constant, np.float64)


def learn(past: Features, weight: Floats, ordinary: Features, word_weight: float) -> Taste | None:
    """What tells the wanted (`weight` > 0) of the m `past` items from the unwanted and from `ordinary` ones.

    An example counts as much as its weight, the two sides count the same, and only the LATEST rows are learned from.
    None without anything wanted, or without anything to tell it from.
    """
    told = np.flatnonzero(weight)[-LATEST:]
    wanted = np.concatenate([weight[told] > 0, np.zeros(len(ordinary), bool)])
    if not wanted.any() or wanted.all():
        return None
    examples = stack([past[told], ordinary])
    worth = np.concatenate([np.abs(weight[told]), np.ones(len(ordinary))]).astype(np.float64)
    worth[~wanted] *= worth[wanted].sum() / worth[~wanted].sum()
    kernel = similarity(examples, examples, word_weight).astype(np.float64) + 1  # the 1 is the constant's
    dual, without = newton(kernel, wanted, worth, STRENGTH, np.zeros(len(wanted)))
    alpha, left_out = np.zeros(len(past)), np.full(len(past), np.nan)
    alpha[told], left_out[told] = dual[: len(told)], without[: len(told)]
    carried = examples.words.data * np.repeat(dual, np.diff(examples.words.indptr))
    words = word_weight * np.bincount(examples.words.indices, carried, minlength=SLOTS)
    return Taste(
        (dual @ examples.meaning).astype(np.float32), words.astype(np.float32), float(dual.sum()), alpha, left_out
    )


def newton(
    kernel: np.ndarray, wanted: NDArray[np.bool_], weight: np.ndarray, strength: float, dual: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise Σ weight · log-loss(Ka) + strength/2 a'Ka from `dual` on: a (n,), and each row's η without itself.

    The score without an example comes from the last step's least squares instead of a refit (Cawley & Talbot 2008,
    "Efficient approximate leave-one-out cross-validation for kernel logistic regression").
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.linalg.lapack import dpotri
    from scipy.special import expit

    for _ in range(STEPS):
        eta = kernel @ dual
        chance = expit(eta)
        bend = np.maximum(weight * chance * (1 - chance), 1e-6)
        target = eta + weight * (wanted - chance) / bend
        factor, lower = cho_factor(kernel + np.diag(strength / bend), lower=True, check_finite=False)
        last, dual = dual, cho_solve((factor, lower), target, check_finite=False)
        if np.abs(dual - last).max() <= 1e-3 * np.abs(dual).max():
            break
    inverse, _ = dpotri(factor, lower=1)
    return dual, target - dual / np.diag(inverse)
