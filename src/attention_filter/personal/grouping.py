"""Items put together by what they are about: an interest in two halves, and likes that no interest speaks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attention_filter.personal.features import SLOTS, Features, similarity
from attention_filter.words import occurrences, term_id
from attention_filter.words import words as terms_of

COMMON = 2  # items; of so many, a telling word is in two at least
ALIKE = 0.6  # pairs of characters that make one word are worth about the same
BELONG = 3.0  # deviations; so much nearer than ordinary pairs are two items that belong together


def halves(items: Features) -> NDArray[np.bool_]:
    """Which of n ≥ 2 items are in the second of two halves, bool (n,), by 2-means over their meaning.

    >>> both = Features(np.float32([[1, 0], [0, 1], [0.9, 0.1]]), sparse.csr_array((3, SLOTS)))
    >>> halves(both).tolist()
    [False, True, False]
    """
    from sklearn.cluster import KMeans  # here, since few pages need it

    found = KMeans(2, n_init=10, random_state=0).fit_predict(items.meaning.astype(np.float64))
    return np.asarray(found != found[0])


def themes(items: Features, ordinary: Features, word_weight: float, fewest: int = 2) -> list[NDArray[np.int64]]:
    """Rows of n items that belong together, in groups of at least `fewest`, the largest first.

    Average linkage, cut where two items are nearer than their pairs with `ordinary` items by BELONG deviations; these
    are told by the median and its deviations, since a theme may be a good part of what is ordinary.
    """
    if len(items) < fewest or not len(ordinary):
        return []
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    pairs = similarity(items, ordinary, word_weight)
    middle = float(np.median(pairs))
    bar = middle + BELONG * 1.4826 * float(np.median(np.abs(pairs - middle)))  # of a normal distribution: σ
    kernel = similarity(items, items, word_weight).astype(np.float64)
    far = np.maximum(1 + word_weight - (kernel + kernel.T) / 2, 0)  # 1 + word_weight: as near as can be
    np.fill_diagonal(far, 0)
    labels = fcluster(linkage(squareform(far, checks=False), "average"), max(1 + word_weight - bar, 0), "distance")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted((rows for rows in groups if len(rows) >= fewest), key=lambda rows: (-len(rows), rows[0]))


def telling_words(
    words: sparse.csr_array,
    weight: np.ndarray,
    texts: Sequence[str],
    most: int = 8,
    others: sparse.csr_array | None = None,
) -> tuple[str, ...]:
    """The words that tell n items from `others`, as they are written in the `texts`, the most telling first.

    `words` (n, SLOTS) are TF-IDF rows and `weight` (n,) says how much each counts. Runs of Chinese are put together
    again from the pairs that they were cut into.

    >>> from attention_filter.personal.features import Counts, tfidf
    >>> from attention_filter.words import count_terms
    >>> text = "人工智能 helps"
    >>> found = count_terms(text)
    >>> rows = tfidf(Counts(np.array([0, len(found)]), found["id"], found["count"]), np.ones(SLOTS, np.float32))
    >>> sorted(telling_words(rows, np.ones(1), [text]))
    ['helps', '人工智能']
    """
    total = np.asarray(words.T @ weight, np.float64).ravel() / max(np.abs(weight).sum(), 1e-9)
    if others is not None and others.shape[0]:
        total -= np.asarray(others.sum(0), np.float64).ravel() / others.shape[0]
    if words.shape[0] >= COMMON:  # a word of one item alone says nothing of them all
        total *= np.bincount(words.indices, minlength=SLOTS) > 1
    best = np.argsort(-total, kind="stable")[: 3 * most]
    worth = {int(slot): float(total[slot]) for slot in best if total[slot] > 0}
    written: Counter[str] = Counter()
    value_of: dict[str, float] = {}
    for text in texts:
        for start, end, value in _joined(occurrences(text), worth):
            written[text[start:end]] += 1
            value_of[text[start:end]] = value
    chosen: dict[str, str] = {}  # the terms of a word: the word, in the form that is written most often
    for word in sorted(written, key=lambda word: (-value_of[word], -written[word], -len(word), word)):
        terms = " ".join(terms_of(word))
        if not word.isdigit() and not any(terms in other or other in terms for other in chosen):
            chosen[terms] = word
    return tuple(chosen.values())[:most]


def _joined(terms: Iterable[tuple[int, int, str]], worth: dict[int, float]) -> list[tuple[int, int, float]]:
    """Places (start, end, worth) of the wanted terms, those that overlap (pairs of Chinese characters) and are
    worth about the same as one."""
    out: list[tuple[int, int, float]] = []
    for start, end, term in terms:
        value = worth.get(term_id(term) % SLOTS)
        if value is None:
            continue
        if out and start < out[-1][1] and min(value, out[-1][2]) > ALIKE * max(value, out[-1][2]):
            out[-1] = (out[-1][0], end, max(out[-1][2], value))
        else:
            out.append((start, end, value))
    return out
