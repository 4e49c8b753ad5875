"""What the ranking compares: the meaning of a text (a dense vector) and its words (TF-IDF), side by side."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SLOTS = 2**20  # word columns: a term's 32-bit id modulo this (feature hashing, Weinberger et al. 2009)
SAMPLE = 600  # background items that each term is standardised over
RESOLUTIONS = (32, 128)  # prototypes of the finer attention heads
TOO_COMMON = 0.2  # a word in more than this share of the items says nothing (and costs the most)
WORDS_AT_ONCE = 512  # columns of a similarity computed at once, to bound its memory
ENOUGH_FOR_A_CENTRE = 30  # items of a language before it gets a centre of its own


@dataclass(frozen=True)
class Counts:
    """Term counts of n texts in compressed rows: row i is [start[i], start[i + 1]) of `terms` and `counts`."""

    start: Ints  # (n + 1,)
    terms: NDArray[np.uint32]
    counts: NDArray[np.uint16]


@dataclass(frozen=True)
class Features:
    """n texts: `meaning` (n, d), centred, unit rows (zero when not encoded); `words` (n, SLOTS), unit TF-IDF rows."""

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


@dataclass(frozen=True)
class Background:
    """What is known of the stream without any feedback; made from unlabelled items and frozen.

    `centres` holds the mean vector (d,) of each language, and of all items under "": a multilingual encoder sets
    languages apart, and without their own centre an interest finds its own language first. `idf` (SLOTS,) the
    inverse document frequencies, `prototypes` one (K, d) array per resolution, `sample` the items that terms are
    standardised over, `source_counts` how many items each source brought.
    """

    model: str
    items: int
    centres: Mapping[str, Floats]
    idf: Floats
    prototypes: tuple[Floats, ...]
    sample: Features
    source_counts: Mapping[int, int]

    def centre(self, lang: str) -> Floats:
        """The mean vector (d,) of a language, or of everything when the language is hardly known."""
        return self.centres.get(lang, self.centres[""])

    def features(self, vectors: Floats, counts: Counts, langs: Sequence[str]) -> Features:
        """Centre and normalise `vectors` (n, d; zero rows stay zero) and weigh the words."""
        known = np.any(vectors != 0, axis=1, keepdims=True)
        return Features(_unit(np.where(known, _centred(vectors, self.centres, langs), 0)), _tfidf(counts, self.idf))


def make_background(
    model: str, vectors: Floats, counts: Counts, langs: Sequence[str], sources: Ints, *, seed: int = 0
) -> Background:
    """Learn the background from unlabelled items: `vectors` (n, d) with zero rows where missing, n `langs`, `sources`.

    The prototypes are spherical k-means centres (Dhillon & Modha 2001) of the centred vectors.
    """
    known = np.any(vectors != 0, axis=1)
    n, d = vectors.shape
    documents = np.bincount(counts.terms % SLOTS, minlength=SLOTS)
    idf = (np.log((n + 1) / (documents + 1)) + 1).astype(np.float32)
    idf[documents > max(TOO_COMMON * n, 1)] = 0
    centres = _centres(vectors[known], [lang for lang, k in zip(langs, known, strict=True) if k], d)
    rng = np.random.default_rng(seed)
    train = np.sort(rng.permutation(np.flatnonzero(known))[:20_000])
    meaning = _unit(_centred(vectors[train], centres, [langs[i] for i in train]))
    prototypes = tuple(_spherical_kmeans(meaning, k, rng) for k in RESOLUTIONS)
    chosen = np.sort(rng.permutation(n)[:SAMPLE])
    chosen_langs = [langs[i] for i in chosen]
    sample = Features(
        _unit(np.where(known[chosen, None], _centred(vectors[chosen], centres, chosen_langs), 0)),
        _tfidf(take(counts, chosen), idf),
    )
    ids, amounts = np.unique(sources, return_counts=True)
    source_counts = {int(source): int(amount) for source, amount in zip(ids, amounts, strict=True)}
    return Background(model, n, centres, idf, prototypes, sample, source_counts)


def take(counts: Counts, rows: Ints) -> Counts:
    """The chosen rows of `counts`, in that order."""
    lengths = np.diff(counts.start)[rows]
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = np.repeat(counts.start[rows] - start[:-1], lengths) + np.arange(start[-1])
    return Counts(start, counts.terms[index], counts.counts[index])


def similarity(left: Features, right: Features, word_weight: float) -> Floats:
    """The kernel: cosine of meaning + `word_weight` × cosine of words, (n, m), for every pair of rows.

    The words are laid out dense over those of `right`, WORDS_AT_ONCE of its rows at a time: three times as fast as
    sparse by sparse, at (words of those rows) × WORDS_AT_ONCE numbers.
    """
    kernel = left.meaning @ right.meaning.T
    for start in range(0, len(right) if word_weight else 0, WORDS_AT_ONCE):
        words = right.words[start : start + WORDS_AT_ONCE]
        slots = np.unique(words.indices)
        dense = np.ascontiguousarray(words[:, slots].toarray().T) * np.float32(word_weight)
        kernel[:, start : start + WORDS_AT_ONCE] += left.words[:, slots] @ dense
    return kernel


def word_cosines(left: Features, right: Features) -> Floats:
    """Cosine of the words alone for every pair of rows, (n, m)."""
    return np.asarray((left.words @ right.words.T).toarray(), np.float32)


def to_bytes(background: Background) -> bytes:
    """A background as bytes (NumPy's npz, no pickle), to be stored."""
    seen = np.flatnonzero(background.idf != background.idf.max())
    words = background.sample.words
    out = io.BytesIO()
    np.savez_compressed(
        out,
        model=np.array(background.model),
        items=np.array(background.items),
        langs=np.array(list(background.centres)),
        centres=np.vstack(list(background.centres.values())),
        seen=seen.astype(np.uint32),
        idf=background.idf[seen],
        unseen=background.idf.max(),
        meaning=background.sample.meaning,
        data=words.data,
        indices=words.indices.astype(np.uint32),
        indptr=words.indptr,
        sources=np.array(sorted(background.source_counts.items()), dtype=np.int64).reshape(-1, 2),
        prototypes=np.vstack([*background.prototypes, np.zeros((0, len(background.centre(""))), np.float32)]),
        resolutions=np.array([len(p) for p in background.prototypes], np.int64),
    )
    return out.getvalue()


def from_bytes(data: bytes) -> Background:
    """The background that `to_bytes` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as z:
        idf = np.full(SLOTS, z["unseen"], np.float32)
        idf[z["seen"]] = z["idf"]
        meaning = z["meaning"]
        shape = (len(meaning), SLOTS)
        words = sparse.csr_array((z["data"], z["indices"].astype(np.int32), z["indptr"]), shape=shape)
        return Background(
            str(z["model"]),
            int(z["items"]),
            {str(lang): centre for lang, centre in zip(z["langs"], z["centres"], strict=True)},
            idf,
            tuple(np.split(z["prototypes"], np.cumsum(z["resolutions"])[:-1])) if len(z["resolutions"]) else (),
            Features(meaning, words),
            {int(source): int(count) for source, count in z["sources"]},
        )


def _tfidf(counts: Counts, idf: Floats) -> sparse.csr_array:
    n = len(counts.start) - 1
    slots = (counts.terms % SLOTS).astype(np.int32)
    weights = (1 + np.log(counts.counts.astype(np.float32))) * idf[slots]
    rows = np.repeat(np.arange(n), np.diff(counts.start))
    said = weights > 0
    norms = np.sqrt(np.bincount(rows, weights**2, minlength=n))
    data = (weights[said] / norms[rows[said]]).astype(np.float32)
    start = np.concatenate([[0], np.cumsum(np.bincount(rows[said], minlength=n))]).astype(np.int32)
    return sparse.csr_array((data, slots[said], start), shape=(n, SLOTS))


def _centres(vectors: Floats, langs: Sequence[str], d: int) -> dict[str, Floats]:
    """The mean of all rows under "", and that of each language with enough rows to tell."""
    if not len(vectors):
        return {"": np.zeros(d, np.float32)}
    rows = np.array(langs)
    common = [lang for lang in sorted(set(langs)) if (rows == lang).sum() >= ENOUGH_FOR_A_CENTRE and lang]
    return {"": vectors.mean(0), **{lang: vectors[rows == lang].mean(0) for lang in common}}


def _centred(vectors: Floats, centres: Mapping[str, Floats], langs: Sequence[str]) -> Floats:
    names = list(centres)
    table = np.vstack(list(centres.values()))
    index = [names.index(lang) if lang in centres else 0 for lang in langs]
    return vectors - table[np.array(index, np.int64)]


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)


def _spherical_kmeans(rows: Floats, k: int, rng: np.random.Generator, rounds: int = 15) -> Floats:
    """Unit centres (≤ k, d) of unit `rows`; fewer rows than k give one centre a row."""
    if len(rows) <= k:
        return rows.copy()
    centres: Floats = rows[np.sort(rng.permutation(len(rows))[:k])].copy()
    for _ in range(rounds):
        nearest = (rows @ centres.T).argmax(1)
        sums = (
            sparse.csr_array((np.ones(len(rows), np.float32), (nearest, np.arange(len(rows)))), (k, len(rows))) @ rows
        )
        filled = np.bincount(nearest, minlength=k) > 0
        centres[filled] = _unit(np.asarray(sums, np.float32)[filled])
    return centres
