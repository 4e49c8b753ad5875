"""What stands in a list keeps apart: unlike items side by side, and no source that drowns the others."""

from __future__ import annotations

import numpy as np

from attention_filter.personal.features import Features

NOTHING_NEW = 1e-3  # the least d² of a row: what repeats what is there costs that much and no more


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

    says = "for variety"

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

    says = "few from this source so far"

    def __init__(self, sources: np.ndarray, strength: float) -> None:
        self._sources, self._strength = sources, strength
        self._placed = np.zeros(len(sources))

    def cost(self) -> np.ndarray:
        return np.asarray(self._strength * np.log2(1 + self._placed))

    def place(self, row: int) -> None:
        self._placed += self._sources == self._sources[row]
