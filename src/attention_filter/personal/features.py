"""What the ranking compares: the meaning of a text (a dense vector) and its words (TF-IDF), side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SLOTS = 2**20  # word columns: a term's 32-bit id modulo this (feature hashing, Weinberger et al. 2009)
WORDS_AT_ONCE = 512  # columns of a similarity computed at once, to bound its memory


@dataclass(frozen=True)
class Counts:
    """Term counts of n texts in compressed rows: row i is [start[i], start[i + 1]) of `terms` and `counts`."""

    start: Ints  # (n + 1,)
    terms: NDArray[np.uint32]
    counts: NDArray[np.uint16]


@dataclass(frozen=True)
class Features:
    """n texts: `meaning` (n, d), centred, in context, unit rows (zero when not encoded); `words` (n, SLOTS), unit
    TF-IDF rows."""

    meaning: Floats
    words: sparse.csr_array

    def __len__(self) -> int:
        return len(self.meaning)

    def __getitem__(self, rows: slice | Ints | NDArray[np.bool_] | list[int]) -> Features:
        return Features(self.meaning[rows], self.words[rows])


def stack(parts: list[Features]) -> Features:
    """The rows of several features, one after the other."""
    words = sparse.vstack([p.words for p in parts], format="csr")
    return Features(np.vstack([p.meaning for p in parts]), sparse.csr_array(words))


def take(counts: Counts, rows: Ints) -> Counts:
    """The chosen rows of `counts`, in that order."""
    lengths = np.diff(counts.start)[rows]
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = np.repeat(counts.start[rows] - start[:-1], lengths) + np.arange(start[-1])
    return Counts(start, counts.terms[index], counts.counts[index])


def joined(first: Counts, second: Counts) -> Counts:
    """The rows of both, one after the other."""
    start = np.concatenate([first.start, second.start[1:] - second.start[0] + first.start[-1]])
    terms = np.concatenate([first.terms, second.terms])
    return Counts(start, terms, np.concatenate([first.counts, second.counts]))


def similarity(left: Features, right: Features, word_weight: float) -> Floats:
    """The kernel: cosine of meaning + `word_weight` × cosine of words, (n, m), for every pair of rows."""
    return add_words(left.meaning @ right.meaning.T, left, right, word_weight)


def add_words(kernel: Floats, left: Features, right: Features, word_weight: float) -> Floats:
    """`kernel` (n, m) itself, with `word_weight` × cosine of words added for every pair of rows.

    The words are laid out dense over those of `right`, WORDS_AT_ONCE of its rows at a time: three times as fast as
    sparse by sparse, at (words of those rows) × WORDS_AT_ONCE numbers.
    """
    for start in range(0, len(right) if word_weight else 0, WORDS_AT_ONCE):
        words = right.words[start : start + WORDS_AT_ONCE]
        slots = np.unique(words.indices)
        dense = np.ascontiguousarray(words[:, slots].toarray().T) * np.float32(word_weight)
        kernel[:, start : start + WORDS_AT_ONCE] += left.words[:, slots] @ dense
    return kernel


def one_word_row(row: Features) -> tuple[Ints, Floats]:
    """The slots of one text's words, sorted and each once, and their weights."""
    slots, place = np.unique(row.words.indices, return_inverse=True)
    return slots.astype(np.int64), np.bincount(place, row.words.data, len(slots)).astype(np.float32)


def dense_words(rows: Features, row: int = 0) -> Floats:
    """One text's words over all slots, (SLOTS,): sparse rows times it are quick, times a sparse row they are not."""
    words = rows.words
    out = np.zeros(words.shape[1], np.float32)
    own = slice(words.indptr[row], words.indptr[row + 1])
    np.add.at(out, words.indices[own], words.data[own])  # two words may share a slot
    return out


def word_cosines(left: Features, right: Features) -> Floats:
    """Cosine of the words alone for every pair of rows, (n, m)."""
    return np.asarray((left.words @ right.words.T).toarray(), np.float32)


def tfidf(counts: Counts, idf: Floats) -> sparse.csr_array:
    """Unit rows of (1 + log count) · idf, (n, SLOTS); `idf` (SLOTS,)."""
    n = len(counts.start) - 1
    slots = (counts.terms % SLOTS).astype(np.int32)
    weights = (1 + np.log(counts.counts.astype(np.float32))) * idf[slots]
    rows = np.repeat(np.arange(n), np.diff(counts.start))
    said = weights > 0
    norms = np.sqrt(np.bincount(rows, weights**2, minlength=n))
    data = (weights[said] / norms[rows[said]]).astype(np.float32)
    start = np.concatenate([[0], np.cumsum(np.bincount(rows[said], minlength=n))]).astype(np.int32)
    return sparse.csr_array((data, slots[said], start), shape=(n, SLOTS))


def unit(rows: Floats) -> Floats:
    """The rows at length one; zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)
