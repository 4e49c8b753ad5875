"""What is known of a stream without any feedback: learned from unlabelled items and frozen until the next fetch."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attention_filter.personal.context import in_context, word_reliability
from attention_filter.personal.features import SLOTS, Counts, Features, Floats, Ints, take, tfidf, unit
from attention_filter.personal.prior import Prior
from attention_filter.words import idle_terms, term_id

BANK = 4_000  # background items that a text is seen among
SAMPLE = 600  # background items that each term is standardised over
ORDINARY = 200  # background items that a taste is told from
RESOLUTIONS = (32, 128)  # prototypes of the finer attention heads
FEWEST = 8  # items a prototype stands for on average: a topic of one item is that item
TOO_COMMON = 0.2  # a word in more than this share of the items says nothing (and costs the most)
ENOUGH_FOR_A_CENTRE = 30  # items of a language before it gets a centre of its own
# What the prior is worth beside an empty stream, in items; the worth falls to nothing as the stream fills the bank.
# Chosen on readers of Chinese titles and English news of 30, 100 and 240 items (development data).
PRIOR_ITEMS = 20  # of a language's mean vector, and of what scores are usual
PRIOR_DOCUMENTS = 1_000  # of the document frequencies
PRIOR_SAMPLE = 100  # fewest rows of the prior in the sample
RELIABLE_ROWS = 300  # own items that tell how reliable words are


@dataclass(frozen=True)
class Background:
    """What is known of the stream without any feedback; made from unlabelled items and frozen.

    `centres` holds the mean vector (d,) of each language, and of all items under "": a multilingual encoder sets
    languages apart, and without their own centre an interest finds its own language first. `idf` (SLOTS,) the
    inverse document frequencies, `bank` (b,) centred items in random order that a text is seen among, `prototypes` one
    (K, d) array per resolution, `word_weight` what the words' cosine counts beside the meaning's, `source_counts` how
    many items each source brought. In context: `sample`, the items that terms are standardised over, each counting
    as `worth` (s,) items of the stream, and `ordinary`.
    """

    model: str
    items: int
    centres: Mapping[str, Floats]
    idf: Floats
    bank: Features
    prototypes: tuple[Floats, ...]
    word_weight: float
    sample: Features
    worth: Floats
    ordinary: Features
    source_counts: Mapping[int, int]

    def centre(self, lang: str) -> Floats:
        """The mean vector (d,) of a language, or of everything when the language is hardly known."""
        return self.centres.get(lang, self.centres[""])

    def features(
        self, vectors: Floats, counts: Counts, langs: Sequence[str], seen: NDArray[np.bool_] | None = None
    ) -> Features:
        """Texts as the ranking compares them: centred `vectors` (n, d; zero rows stay zero) in context, and words.

        `seen` (n,) marks vectors that are in context already; they are taken as they are.
        """
        if seen is None or not seen.any():
            return in_context(self.alone(vectors, counts, langs), self.bank)
        words, rest = tfidf(counts, self.idf), np.flatnonzero(~seen)
        centred = _centred(vectors[rest], [langs[row] for row in rest.tolist()], self.centres)
        meaning = vectors.copy()
        meaning[rest] = in_context(Features(centred, words[rest]), self.bank).meaning
        return Features(meaning, words)

    def alone(self, vectors: Floats, counts: Counts, langs: Sequence[str]) -> Features:
        """The same texts before they are seen in context."""
        return Features(_centred(vectors, langs, self.centres), tfidf(counts, self.idf))


def make_background(
    model: str,
    vectors: Floats,
    counts: Counts,
    langs: Sequence[str],
    sources: Ints,
    *,
    prior: Prior | None = None,
    seed: int = 0,
) -> Background:
    """Learn the background from unlabelled items: `vectors` (n, d) with zero rows where missing, n `langs`, `sources`.

    What is usual elsewhere (`prior`) fills in for the items that a small stream does not have. The prototypes are
    spherical k-means centres (Dhillon & Modha 2001) of the bank in context.
    """
    n = len(vectors)
    room = max(0.0, 1 - n / BANK) if prior is not None else 0.0
    shares = _shares(langs if n or prior is None else prior.langs)
    rng = np.random.default_rng(seed)
    kept = rng.permutation(n)[:BANK]
    texts = Prior(model, vectors[kept], take(counts, kept), tuple(langs[row] for row in kept.tolist()))
    documents, items = np.bincount(counts.terms % SLOTS, minlength=SLOTS).astype(np.float64), float(n)
    worth = np.ones(min(len(kept), SAMPLE), np.float32)
    if prior is not None and len(usual := prior.drawn(shares, room, rng)):
        documents += PRIOR_DOCUMENTS * room / len(usual) * np.bincount(usual.counts.terms % SLOTS, minlength=SLOTS)
        items += PRIOR_DOCUMENTS * room
        texts, worth = _mixed(texts, usual, room, rng)
    centres = _centres(vectors, langs, shares, prior if room else None, PRIOR_ITEMS * room)
    idf = (np.log((items + 1) / (documents + 1)) + 1).astype(np.float32)
    idf[documents > max(TOO_COMMON * items, 1)] = 0
    idf[[term_id(term) % SLOTS for term in idle_terms()]] = 0
    bank = Features(as_stored(_centred(texts.vectors, texts.langs, centres)), tfidf(texts.counts, idf))
    meaning = in_context(bank, bank).meaning
    ready = Features(as_stored(meaning), bank.words)
    meaning = meaning[meaning.any(1)]
    return Background(
        model=model,
        items=round(items),
        centres=centres,
        idf=idf,
        bank=bank,
        prototypes=tuple(_spherical_kmeans(meaning, min(k, -(-len(meaning) // FEWEST)), rng) for k in RESOLUTIONS),
        word_weight=_word_weight(word_reliability(bank, rows=min(len(kept), RELIABLE_ROWS)), len(kept), room),
        sample=ready[: len(worth)],
        worth=worth,
        ordinary=ready[-ORDINARY:],
        source_counts=dict(Counter(sources.tolist())),
    )


def to_bytes(background: Background) -> bytes:
    """A background as bytes (NumPy's npz, no pickle), to be stored."""
    seen = np.flatnonzero(background.idf != background.idf.max())
    bank = background.bank
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
        meaning=bank.meaning.astype(np.float16),
        sample=background.sample.meaning.astype(np.float16),
        worth=background.worth,
        ordinary=background.ordinary.meaning.astype(np.float16),
        data=bank.words.data,
        indices=bank.words.indices.astype(np.uint32),
        indptr=bank.words.indptr,
        word_weight=np.array(background.word_weight),
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
        meaning = z["meaning"].astype(np.float32)
        shape = (len(meaning), SLOTS)
        bank = Features(meaning, sparse.csr_array((z["data"], z["indices"].astype(np.int32), z["indptr"]), shape=shape))
        # What an earlier version wrote is without a prior, and without what is in context.
        worth = z["worth"] if "worth" in z else np.ones(min(len(bank), SAMPLE), np.float32)
        parts = {"sample": bank[: len(worth)], "ordinary": bank[-ORDINARY:]}
        seen = {
            name: Features(z[name].astype(np.float32), part.words) if name in z else in_context(part, bank)
            for name, part in parts.items()
        }
        return Background(
            model=str(z["model"]),
            items=int(z["items"]),
            centres={str(lang): centre for lang, centre in zip(z["langs"], z["centres"], strict=True)},
            idf=idf,
            bank=bank,
            prototypes=tuple(np.split(z["prototypes"], np.cumsum(z["resolutions"])[:-1])),
            word_weight=float(z["word_weight"]),
            sample=seen["sample"],
            worth=worth,
            ordinary=seen["ordinary"],
            source_counts={int(source): int(count) for source, count in z["sources"]},
        )


def _word_weight(reliability: float | None, items: int, room: float = 0.0) -> float:
    """λ of the kernel: 1 where words hardly tell what belongs together, 4 where they tell it well, 2 where unknown.

    In a bank that has `room` for the prior, items find fewer of their own kind, so less is asked of their words (own
    rows of Reuters have .77 among 30 items and .88 among 200, titles .57 to .61), and what few `items` say counts less.

    >>> _word_weight(0.7, 4_000), _word_weight(0.95, 4_000), _word_weight(0.8, 30, room=1.0), _word_weight(None, 30)
    (1.0, 4.0, 3.2, 2.0)
    """
    if reliability is None:
        return 2.0
    least = 0.85 - 0.2 * room
    told = 1 + 3 * min(max((reliability - least) / 0.05, 0.0), 1.0)
    unknown = PRIOR_ITEMS * room
    return (items * told + unknown * 2.0) / (items + unknown)


def as_stored(meaning: Floats) -> Floats:
    """What comes back of rows that are stored as float16, so that it does not matter whether they were."""
    return meaning.astype(np.float16).astype(np.float32)


def _centred(vectors: Floats, langs: Sequence[str], centres: Mapping[str, Floats]) -> Floats:
    """Unit rows about the centres of their languages, before they are seen in context; zero rows stay zero."""
    names = list(centres)
    table = np.vstack(list(centres.values()))
    index = [names.index(lang) if lang in centres else 0 for lang in langs]
    known = np.any(vectors != 0, axis=1, keepdims=True)
    return unit(np.where(known, vectors - table[np.array(index, np.int64)], 0))


def _mixed(own: Prior, usual: Prior, room: float, rng: np.random.Generator) -> tuple[Prior, Floats]:
    """Both in random order, but first of each what is sampled; and the worth of what is sampled."""
    theirs = min(len(usual), max(SAMPLE - len(own), PRIOR_SAMPLE))
    ours = min(len(own), SAMPLE - theirs)
    sampled = np.r_[:ours, len(own) : len(own) + theirs]
    rest = rng.permutation(np.setdiff1d(np.arange(len(own) + len(usual)), sampled))
    worth = np.repeat([len(own) / max(ours, 1), PRIOR_ITEMS * room / theirs], [ours, theirs])
    return (own + usual)[np.concatenate([sampled, rest])], worth.astype(np.float32)


def _shares(langs: Sequence[str]) -> dict[str, float]:
    """{language: its share of the items}, in the order of their names."""
    return {lang: count / len(langs) for lang, count in sorted(Counter(langs).items())}


def _centres(
    vectors: Floats, langs: Sequence[str], shares: Mapping[str, float], prior: Prior | None, worth: float
) -> dict[str, Floats]:
    """The mean of all rows under "", and that of each language with enough rows to tell.

    A mean counts that of the prior's language as `worth` rows; so does every language that the prior knows.
    """
    known = np.any(vectors != 0, axis=1)
    rows = np.array(langs, str)
    usual = {lang: prior.of([lang]).vectors.mean(0) for lang in sorted(set(prior.langs))} if prior is not None else {}

    def mean(some: np.ndarray, beside: Mapping[str, float]) -> Floats:
        total = vectors[some].sum(0, dtype=np.float64) + sum(worth * w * usual[lang] for lang, w in beside.items())
        return np.asarray(total / max(some.sum() + worth * sum(beside.values()), 1e-9), np.float32)

    out = {"": mean(known, {lang: share for lang, share in shares.items() if lang in usual})}
    for lang in sorted({*langs, *usual} - {""}):
        some = known & (rows == lang)
        if lang in usual or some.sum() >= ENOUGH_FOR_A_CENTRE:
            out[lang] = mean(some, {lang: 1.0} if lang in usual else {})
    return out


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
        centres[filled] = unit(np.asarray(sums, np.float32)[filled])
    return centres
