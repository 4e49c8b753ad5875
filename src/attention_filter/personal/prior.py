"""What is usual before there is a stream: texts that nobody's feed brought, which give way as a stream grows.

A new stream of 30 to 300 items tells neither what its language's vectors have in common nor which words are frequent,
nor how strongly an interest answers to what is ordinary. The prior is some thousand short texts on everything that
feeds write about, made by recipes/prior.py and shipped as vectors and hashed words. `background.make_background`
counts them in as pseudo-observations (empirical Bayes: a mean of n rows and n₀ of the prior is weighed n : n₀), and
less and less: none is left beside a stream that fills the bank.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Counts, Floats, Ints, joined, take


@dataclass(frozen=True)
class Prior:
    """m unlabelled texts: `vectors` (m, d) of the encoder `model`, not centred; their words; their languages."""

    model: str
    vectors: Floats
    counts: Counts
    langs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.langs)

    def __getitem__(self, rows: Ints) -> Prior:
        return Prior(
            self.model, self.vectors[rows], take(self.counts, rows), tuple(self.langs[i] for i in rows.tolist())
        )

    def __add__(self, other: Prior) -> Prior:
        """These texts, then the others."""
        vectors = np.vstack([self.vectors, other.vectors])
        return Prior(self.model, vectors, joined(self.counts, other.counts), self.langs + other.langs)

    def of(self, langs: Collection[str]) -> Prior:
        """The texts in these languages."""
        return self[np.flatnonzero(np.isin(np.array(self.langs, str), list(langs)))]

    def drawn(self, shares: Mapping[str, float], room: float, rng: np.random.Generator) -> Prior:
        """Of the texts in the language with the largest share the part `room`, of the others as their shares are."""
        most = max((share for lang, share in shares.items() if lang in self.langs), default=1.0)
        rows = []
        for lang, share in shares.items():
            there = np.flatnonzero(np.array(self.langs, str) == lang)
            rows.append(rng.permutation(there)[: round(len(there) * room * share / most)])
        return self[rng.permutation(np.concatenate([np.zeros(0, np.int64), *rows]))]


def to_bytes(prior: Prior) -> bytes:
    """A prior as bytes (NumPy's npz, no pickle); vectors are rounded to float16, as all that are stored."""
    out = io.BytesIO()
    np.savez_compressed(
        out,
        model=np.array(prior.model),
        vectors=prior.vectors.astype(np.float16),
        start=prior.counts.start.astype(np.uint32),
        terms=prior.counts.terms,
        counts=prior.counts.counts.clip(max=255).astype(np.uint8),
        langs=np.array(prior.langs),
    )
    return out.getvalue()


def from_bytes(data: bytes) -> Prior:
    """The prior that `to_bytes` wrote.

    >>> words = Counts(np.array([0, 1]), np.array([7], np.uint32), np.array([2], np.uint16))
    >>> from_bytes(to_bytes(Prior("e5", np.ones((1, 4), np.float32), words, ("en",)))).langs
    ('en',)
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as z:
        counts = Counts(z["start"].astype(np.int64), z["terms"], z["counts"].astype(np.uint16))
        langs = tuple(z["langs"].tolist())
        return Prior(str(z["model"]), z["vectors"].astype(np.float32), counts, langs)
