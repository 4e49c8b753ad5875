"""The mix of a list over the reader's interests: as they are wanted, not only the one that scores highest.

Steck 2018, "Calibrated recommendations": p is the mix that is wanted, q the mix of the list so far, and the list
is made greedily to keep both its scores high and KL(p ‖ q̃) low.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from attention_filter.personal.features import Features, similarity
from attention_filter.personal.feedback import History

SHARPNESS = 0.05  # temperature of the shares: how clearly an item belongs to one interest
WORD_WEIGHT = 2.0  # of the words' cosine beside the meaning's, as in the score
SMOOTH = 0.01  # α of q̃ = (1 − α) q + α p (Steck 2018, eq. 6), so that KL stays finite


def wanted_interests(history: History) -> np.ndarray:
    """Rows of the history that are statements of something wanted (K,)."""
    return np.flatnonzero(history.statement & (history.weight > 0))


def interest_shares(items: Features, history: History) -> np.ndarray:
    """How much of each of n items belongs to each of the K interests wanted, rows sum to one (n, K).

    It is A of the interests as queries: they compete for an item by closeness in meaning and words.
    """
    interests = history.features[wanted_interests(history)]
    return np.asarray(softmax(similarity(items, interests, WORD_WEIGHT) / SHARPNESS, axis=1), np.float64)


def wanted_mix(history: History) -> np.ndarray:
    """p (K,): what share of a list each interest should have; sums to one.

    Half of it is what the reader said (the weights of the interests), half what they liked and read (the sum of
    the weights that belong to each interest); the first alone, as long as nothing is liked.
    """
    rows = wanted_interests(history)
    said = history.weight[rows] / history.weight[rows].sum() if len(rows) else np.zeros(0)
    liked = np.flatnonzero(~history.statement & (history.weight > 0))
    if not len(rows) or not len(liked):
        return np.asarray(said, np.float64)
    belongs = history.weight[liked] @ interest_shares(history.features[liked], history)
    return np.asarray(0.5 * said + 0.5 * belongs / belongs.sum(), np.float64)


def divergence(wanted: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """KL(p ‖ q̃) in nats of `wanted` p (K,) and each row of `mix` q (…, K).

    >>> divergence(np.array([0.5, 0.5]), np.array([[0.5, 0.5], [1.0, 0.0]])).round(2).tolist()
    [0.0, 1.96]
    """
    smooth = (1 - SMOOTH) * mix + SMOOTH * wanted
    known = wanted > 0
    return np.asarray((wanted[known] * np.log(wanted[known] / smooth[..., known])).sum(-1))


class Mixed:
    """A wish for `lists.arrange`: what it costs the mix to place each row next, `strength` × KL(p ‖ q̃)."""

    says = "for your mix of interests"

    def __init__(self, shares: np.ndarray, wanted: np.ndarray, strength: float) -> None:
        self._shares, self._wanted, self._strength = shares, wanted, strength
        self._placed = np.zeros(len(wanted))
        self._count = 0

    def cost(self) -> np.ndarray:
        return self._strength * divergence(self._wanted, (self._placed + self._shares) / (self._count + 1))

    def place(self, row: int) -> None:
        self._placed += self._shares[row]
        self._count += 1
