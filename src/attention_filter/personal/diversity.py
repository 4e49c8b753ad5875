"""Near-duplicates become one story, and what stands in a list keeps apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Features, similarity, word_cosines

SAME_WORDS = 0.5  # cosine of TF-IDF above which two items tell one story …
SAME_MEANING = 0.85  # … or cosine of centred meaning
SAME_DAYS = 4.0  # within this time of each other


@dataclass(frozen=True)
class Story:
    """Row of the item that leads and the rows folded under it, best first."""

    lead: int
    others: tuple[int, ...]


def fold_stories(scores: np.ndarray, features: Features, dates: np.ndarray) -> list[Story]:
    """Fold near-duplicates under their best-scored one. `dates` (n,) are in seconds. Best story first.

    A row joins the first story whose lead it resembles, so no chain of small steps joins unlike items.
    """
    order = np.lexsort((np.arange(len(scores)), -scores))
    alike = (word_cosines(features, features) >= SAME_WORDS) | (similarity(features, features, 0.0) >= SAME_MEANING)
    alike &= np.abs(dates[:, None] - dates[None, :]) <= SAME_DAYS * 86_400
    leads: list[int] = []
    folded: dict[int, list[int]] = {}
    for row in order:
        lead = next((lead for lead in leads if alike[row, lead]), None)
        if lead is None:
            leads.append(int(row))
        else:
            folded.setdefault(lead, []).append(int(row))
    return [Story(lead, tuple(folded.get(lead, ()))) for lead in leads]


class Apart:
    """A wish for `lists.arrange`: what it costs to stand beside what is placed already, `strength` × the largest
    similarity to it: maximal marginal relevance (Carbonell & Goldstein 1998)."""

    def __init__(self, features: Features, strength: float) -> None:
        self._features, self._strength = features, strength
        self._closeness = np.full(len(features), -np.inf)

    def cost(self) -> np.ndarray:
        known = np.isfinite(self._closeness)
        return np.where(known, self._strength * self._closeness, 0.0)

    def place(self, row: int) -> None:
        self._closeness = np.maximum(self._closeness, similarity(self._features, self._features[[row]], 1.0).ravel())


class Volume:
    """A wish for `lists.arrange`: `strength` × −log of what a row adds to the volume that the placed ones span.

    That is greedy MAP inference of a determinantal point process whose kernel is exp(score) S exp(score), with S
    half the meaning's and half the words' cosine: Chen, Zhang & Zhou 2018, algorithm 1. O(n × places) a place.
    """

    def __init__(self, features: Features, strength: float) -> None:
        self._features, self._strength = features, strength
        self._left = np.ones(len(features))  # d² of each row
        self._factors = np.zeros((len(features), 0), np.float64)  # rows of the Cholesky factor

    def cost(self) -> np.ndarray:
        return -self._strength * np.log(np.maximum(self._left, 1e-6))

    def place(self, row: int) -> None:
        kernel = similarity(self._features, self._features[[row]], 1.0).ravel() / 2
        kernel[row] = 1.0
        root = np.sqrt(max(self._left[row], 1e-6))
        column = (kernel - self._factors @ self._factors[row]) / root
        self._factors = np.column_stack([self._factors, column])
        self._left = self._left - column**2
