"""Which items to ask the reader about: those whose answer settles most of what is open about everything unread.

Greedy V-optimal design (Chaloner & Verdinelli 1995) on the Laplace posterior. With weights ~ N(w, Σ), hearing about
item c reduces the variance of item x's score by (x·Σc)² / (1/(p_c(1−p_c)) + c·Σc). The gain of c is the sum of that
over all unread x, each weighted by its chance of being wanted: an unlikely item need not be known well. One formula
holds what asking needs: doubt (a certain c has nothing to tell), density (it counts for all x like it) and, since Σ
is updated after each choice, diversity (the next question is about something else). n candidates cost n·p² each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Features, similarity, word_cosines
from attention_filter.personal.posterior import Gaussian, chances, deviation
from attention_filter.personal.stories import SAME_MEANING, SAME_WORDS


@dataclass(frozen=True)
class Question:
    """Row of an item worth asking about. `chance` that it is wanted, `doubt` the deviation of its score, `settles`
    the share in [0, 1] of the open variance of all candidates that the answer, whichever it is, would remove."""

    row: int
    chance: float
    doubt: float
    settles: float


def questions(known: Gaussian, rows: np.ndarray, features: Features, n: int) -> list[Question]:
    """At most `n` questions about candidates, the most telling first: `rows` (c, p) of the posterior's model.

    An item that tells the story of one already chosen is passed over. Equal gains go to the first row.

    >>> from scipy import sparse
    >>> known = Gaussian(np.zeros(2), np.eye(2))
    >>> rows = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0]])  # two of one kind, one of another
    >>> meaning = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    >>> features = Features(meaning, sparse.csr_array((3, 9), dtype=np.float32))
    >>> [question.row for question in questions(known, rows, features, 2)]
    [0, 2]
    """
    if not len(rows):
        return []
    chance, doubt = chances(known, rows), deviation(known, rows)
    noise = 1 / np.maximum(chance * (1 - chance), 1e-9)
    weight = chance / chance.sum()
    moment = (rows.T * weight) @ rows  # M = Σ_x weight·x xᵀ, (p, p)
    covariance = known.root @ known.root.T
    open_at_first = float(np.sum(moment * covariance)) or 1.0
    free = np.ones(len(rows), bool)
    asked: list[Question] = []
    while len(asked) < n and free.any():
        across = rows @ covariance  # (c, p)
        gain = ((across @ moment) * across).sum(1) / (noise + (across * rows).sum(1))
        best = int(np.where(free, gain, -np.inf).argmax())
        asked.append(Question(best, float(chance[best]), float(doubt[best]), float(gain[best]) / open_at_first))
        chosen = features[[best]]
        alike = similarity(features, chosen, 0.0).ravel() >= SAME_MEANING
        free &= ~(alike | (word_cosines(features, chosen).ravel() >= SAME_WORDS))
        free[best] = False
        covariance = covariance - np.outer(across[best], across[best]) / (noise[best] + across[best] @ rows[best])
    return asked
