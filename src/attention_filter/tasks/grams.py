"""What the very words of a text say, beside its meaning: a linear model on TF-IDF of words and character n-grams.

A gram is a word, two neighbouring words, or 2 to 5 letters of a word with its edges; of text without spaces (Chinese,
Japanese, Korean) 1 to 4 characters in a row. A support vector machine (Fan et al. 2008, LIBLINEAR) weighs them: its
margin Σ_g w_g tfidf_g is a sum over places in the text, so what a place adds is known exactly.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attention_filter.words import CJK

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
STRENGTH = 0.3  # of the fit: scikit-learn's C
WORD = 1 << 32  # added to the ids of words and pairs of words, which count
TWICE = 2.0  # so many times as much as runs of letters
MOST = 200_000  # grams kept, those in most texts
READ = 4_000  # characters of a text
_PART = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+|[^\w\s]")
_IS_CJK = re.compile(rf"[{CJK}]")


@dataclass(frozen=True)
class Grams:
    """Sorted `ids` and `idf` (g,) of the grams, and what each adds to each label, `weights` (g, C); `bias` (C,)."""

    ids: Ints
    idf: Floats
    weights: Floats
    bias: Floats

    def rows(self, texts: Sequence[str]) -> sparse.csr_array:
        """Unit rows of (1 + log count) · idf, (n, g)."""
        return _rows([Counter(number for _, _, number in grams(text)) for text in texts], self.ids, self.idf)

    def logits(self, texts: Sequence[str]) -> Floats:
        """(n, C)."""
        return np.asarray(self.rows(texts) @ self.weights + self.bias, np.float32)

    def weighed(self, weight: float) -> Grams:
        """The same with all that they add multiplied by `weight`."""
        return replace(self, weights=self.weights * np.float32(weight), bias=self.bias * np.float32(weight))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by name; `load_grams` takes it back."""
        return {"words.ids": self.ids, "words.idf": self.idf, "words.weights": self.weights, "words.bias": self.bias}

    def by_character(self, text: str, which: int) -> NDArray[np.float64]:
        """What each character adds to one label, (len(text),): a gram's part is divided among its characters."""
        out = np.zeros(len(text))
        found = [(start, end, number) for start, end, number in grams(text)]
        counts = Counter(number for _, _, number in found)
        row = _rows([counts], self.ids, self.idf)
        values = dict(
            zip(self.ids[row.indices].tolist(), (row.data * self.weights[row.indices, which]).tolist(), strict=True)
        )
        for start, end, number in found:
            if number in values:
                out[start:end] += values[number] / counts[number] / (end - start)
        return out

    def by_token(self, text: str, which: int, spans: Sequence[tuple[int, int]]) -> tuple[Floats, float]:
        """What the tokens at `spans` add to one label (T,), and what stands in none of them, the bias included."""
        said, unread = on_tokens(self.by_character(text, which), spans)
        return said, unread + float(self.bias[which])


def learn_grams(texts: Sequence[str], columns: Floats) -> Grams:
    """A machine for each of the `columns` (n, C) of a target that is 1 or 0; one that is always the same stays 0."""
    from sklearn.svm import LinearSVC

    counts = [Counter(number for _, _, number in grams(text)) for text in texts]
    within = Counter(number for one in counts for number in one)
    kept = sorted(number for number, n in within.most_common(MOST) if n > 1) or sorted(within)
    ids = np.array(kept, np.int64)
    idf = np.array([1 + np.log((1 + len(texts)) / (1 + within[number])) for number in kept], np.float32)
    idf[ids >= WORD] *= TWICE
    weights, bias = np.zeros((len(ids), columns.shape[1]), np.float32), np.zeros(columns.shape[1], np.float32)
    rows = _rows(counts, ids, idf)
    for number, column in enumerate(columns.T):
        if 0 < column.sum() < len(column):
            machine = LinearSVC(C=STRENGTH, random_state=0).fit(rows, column > 0)
            weights[:, number], bias[number] = machine.coef_[0], machine.intercept_[0]
    return Grams(ids, idf, weights, bias)


def load_grams(tensors: Mapping[str, NDArray[Any]]) -> Grams | None:
    """The words among a model's tensors; None when it has none."""
    if not any(name.startswith("words.") for name in tensors):
        return None
    idf, weights, bias = (np.asarray(tensors[f"words.{name}"], np.float32) for name in ("idf", "weights", "bias"))
    return Grams(np.asarray(tensors["words.ids"], np.int64), idf, weights, bias)


def grams(text: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, id) of each gram; ids are made of CRC-32, stable over processes and machines.

    >>> [(start, end) for start, end, _ in grams("雨 ok")]
    [(0, 4), (0, 1), (2, 4), (2, 3), (2, 4), (3, 4), (2, 4), (2, 4), (2, 4)]
    """
    text = text[:READ].encode(errors="replace").decode()  # half a character is one letter, too
    text = "".join(one if len(one) == 1 else char for char, one in ((c, c.lower()) for c in text))
    parts = [match.span() for match in _PART.finditer(text)]
    for (start, end), after in itertools.zip_longest(parts, parts[1:]):
        part = text[start:end]
        if after is not None:
            yield start, after[1], WORD + crc32(f"{part} {text[slice(*after)]}".encode())
        if _IS_CJK.match(part):
            for length in range(1, 5):
                for i in range(start, end - length + 1):
                    yield i, i + length, crc32(text[i : i + length].encode())
            continue
        yield start, end, WORD + crc32(part.encode())
        edged = f"\x02{part}\x03"
        for length in range(2, 6):
            for i in range(len(edged) - length + 1):
                yield max(start, start + i - 1), min(end, start + i - 1 + length), crc32(edged[i : i + length].encode())


def _rows(counts: Sequence[Counter[int]], ids: Ints, idf: Floats) -> sparse.csr_array:
    columns = [np.fromiter(one, np.int64, len(one)) for one in counts]
    values = [np.fromiter(one.values(), np.float32, len(one)) for one in counts]
    start, index, data = [0], list[NDArray[np.int64]](), list[Floats]()
    for column, value in zip(columns, values, strict=True):
        place = np.searchsorted(ids, column).clip(max=max(len(ids) - 1, 0))
        known = ids[place] == column if len(ids) else np.zeros(len(column), bool)
        weight = ((1 + np.log(value[known])) * idf[place[known]]).astype(np.float32)
        index.append(place[known])
        data.append(weight / (np.linalg.norm(weight) or 1))
        start.append(start[-1] + len(weight))
    return sparse.csr_array(
        (np.concatenate(data), np.concatenate(index).astype(np.int32), np.array(start, np.int32)),
        shape=(len(counts), len(ids)),
    )


def on_tokens(by_character: NDArray[np.float64], spans: Sequence[tuple[int, int]]) -> tuple[Floats, float]:
    """Values of characters summed over the tokens they stand in, (T,), and what stands in none.

    >>> on_tokens(np.array([1.0, 2.0, 4.0]), [(0, 0), (1, 3)])[0].tolist()
    [0.0, 6.0]
    """
    owner = np.full(len(by_character), -1)
    for number, (start, end) in enumerate(spans):
        owner[start:end] = np.where(owner[start:end] < 0, number, owner[start:end])
    owned = np.bincount(owner[owner >= 0], by_character[owner >= 0], len(spans))
    return owned.astype(np.float32), float(by_character[owner < 0].sum())
