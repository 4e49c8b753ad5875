"""Near-duplicates become one story, and what stands in a list keeps apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Features, similarity, word_cosines

SAME_WORDS = 0.5  # cosine of TF-IDF above which two items tell one story …
SAME_MEANING = 0.85  # … or cosine of centred meaning
SAME_DAYS = 4.0  # within this time of each other
AT_ONCE = 256  # items compared with all others at once, to bound the memory
NOTHING_NEW = 1e-3  # the least d² of a row: what repeats what is there costs that much and no more


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
    free = np.ones(len(scores), bool)
    stories = []
    for start in range(0, len(order), AT_ONCE):
        block = order[start : start + AT_ONCE]
        block = block[free[block]]
        alike = _alike(features, dates, block)
        for row, like in zip(block.tolist(), alike, strict=True):
            if free[row]:
                others = order[(like & free)[order] & (order != row)]
                free[others] = False
                free[row] = False
                stories.append(Story(row, tuple(others.tolist())))
    return stories


def _alike(features: Features, dates: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of all n items tell the same as each of `rows` (m, n)."""
    some = features[rows]
    alike = (word_cosines(some, features) >= SAME_WORDS) | (similarity(some, features, 0.0) >= SAME_MEANING)
    return np.asarray(alike & (np.abs(dates[rows, None] - dates[None, :]) <= SAME_DAYS * 86_400))


class Volume:
    """A wish for `lists.arrange`: `strength` × −log of what a row adds to the volume that the placed ones span, so that
    like stands apart from like. Only the first `places` count.

    That is greedy MAP inference of a determinantal point process whose kernel is exp(score) S exp(score), with S
    half the cosine of meaning, half that of words: Chen, Zhang & Zhou 2018, algorithm 1; O(n × placed) a place.

    >>> from scipy import sparse
    >>> meaning = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> twins_first = Volume(Features(meaning, sparse.csr_array((3, 9), dtype=np.float32)), 1.0, places=2)
    >>> twins_first.place(0)
    >>> twins_first.cost()[1:].round(2).tolist()  # half the kernel is words, which these texts do not have
    [0.29, 0.0]
    """

    def __init__(self, features: Features, strength: float, places: int) -> None:
        self._features, self._strength = features, strength
        self._left = np.ones(len(features))  # d² of each row
        self._factors = np.zeros((len(features), places))  # of the Cholesky factor, a column a place
        self._count = 0
        self._one = np.zeros(features.words.shape[1], np.float32)  # the words of one row, laid out

    def cost(self) -> np.ndarray:
        return np.asarray(-self._strength * np.log(np.maximum(self._left, NOTHING_NEW)) + 0.0)

    def place(self, row: int) -> None:
        if self._count == self._factors.shape[1]:
            return
        kernel = self._closeness(row)
        known = self._factors[:, : self._count]
        column = (kernel - known @ known[row]) / np.sqrt(max(self._left[row], NOTHING_NEW))
        self._factors[:, self._count] = column
        self._left = self._left - column**2
        self._count += 1

    def _closeness(self, row: int) -> np.ndarray:
        """S of one row and all: half the cosine of meaning, half that of words (n,). Not `similarity`, which lays
        out its words anew: 13 ms a row of 300."""
        meaning, words = self._features.meaning, self._features.words
        said = slice(words.indptr[row], words.indptr[row + 1])
        self._one[words.indices[said]] = words.data[said]
        kernel = np.asarray((meaning @ meaning[row] + words @ self._one) / 2, np.float64)
        self._one[words.indices[said]] = 0
        kernel[row] = 1.0
        return kernel


class Spread:
    """A wish for `lists.arrange`: a source pays for each item it has in the list already, `strength` × log2(1 + items),
    so that one that speaks much does not drown one that speaks rarely. `sources` (n,) are source ids."""

    def __init__(self, sources: np.ndarray, strength: float) -> None:
        self._sources, self._strength = sources, strength
        self._placed = np.zeros(len(sources))

    def cost(self) -> np.ndarray:
        return np.asarray(self._strength * np.log2(1 + self._placed))

    def place(self, row: int) -> None:
        self._placed += self._sources == self._sources[row]
