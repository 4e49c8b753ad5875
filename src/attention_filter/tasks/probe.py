"""A linear model on what the frozen encoder says of a text (a "linear probe"), with the very words beside it.

With x_l the unit vector of a text after layer l:    logit = Σ_l W_l x_l + b + weight · (margin of the words)

Since x_l is the mean of its token states over their length, x_l = Σ_t s_lt / (T ‖s̄_l‖), what stands at a token's place
is Σ_l W_l s_lt / (T ‖s̄_l‖) of a logit, and its part of the words, exactly. What the token brought there is found by
going back through the upper layers (`models/relevance.py`). Which layers, how strong the fit, and how much the words
weigh is chosen by cross-validation. Given unlabelled texts of the same kind, a text may be seen among those that are
near to it (`personal/context.py`), which is the better the fewer examples there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from attention_filter.errors import ModelError
from attention_filter.models.encoder import Encoder
from attention_filter.models.relevance import upper_half
from attention_filter.personal.context import in_context, pull_back
from attention_filter.personal.features import Features, unit
from attention_filter.tasks.grams import Grams, learn_grams, load_grams

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Span = tuple[int, int]
STRENGTHS = (1.0, 3.0, 10.0)  # of the fit against the prior that all weights are 0 (scikit-learn's C)
WORDS_WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
FOLDS, MANY = 4, 4_000  # parts to choose by; of so many examples one part is enough
LAST = ()  # as layers: the vector the encoder gives by itself


@dataclass(frozen=True)
class Probe:
    """weights (C, L, d) over the vectors after `layers` and bias (C,); `bank` (m, d), centred unit rows, with `centre`
    (d,) where texts are seen among others."""

    encoder: Encoder
    weights: Floats
    bias: Floats
    layers: tuple[int, ...] = LAST
    words: Grams | None = None
    centre: Floats | None = None
    bank: Floats | None = None

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, C)."""
        vectors = _vectors(self.encoder, texts, self.layers, progress)
        if self.bank is not None and self.centre is not None:
            vectors = _among(unit(vectors[:, 0] - self.centre), self.bank)[:, None]
        logits = np.einsum("nld,cld->nc", vectors, self.weights, optimize=True) + self.bias
        return np.asarray(logits + self.words.logits(texts) if self.words else logits, np.float32)

    def word_shares(self, text: str, which: int, after: bool = False) -> tuple[list[Span], Floats, float]:
        """Spans of the tokens, what each adds to the logit of one label (T,), and what no token adds: what it brought
        into the upper half of the layers, or `after` them, when its state knows of the other tokens. Of an encoder that
        is no BERT or RoBERTa it is always after them."""
        spans, shares, told = (self._of_layers if self.layers else self._of_last)(text, which, after)
        rest = float(self.bias[which]) + told - float(shares.sum())
        if self.words:
            said, unread = self.words.by_token(text, which, spans)
            shares, rest = shares + said, rest + unread
        return spans, np.asarray(shares, np.float32), rest

    def _of_layers(self, text: str, which: int, after: bool) -> tuple[list[Span], Floats, float]:
        """The spans, the shares of the meaning alone, and all that the meaning says."""
        import torch  # not before a text is read

        depth = upper_half(self.encoder.depth)  # no layer below it is read
        first = self.encoder.depth - depth
        spans, trace = self.encoder.layer_trace(text, depth)
        toward = torch.zeros(len(trace.states), self.encoder.dim)
        for number, weights in zip(self.layers, torch.from_numpy(self.weights[which]), strict=True):
            length = trace.states[number - first].mean(0).norm().clamp(min=1e-9)
            toward[number - first] = weights / length / len(trace.counts)
        with torch.inference_mode():
            standing = trace.standing(toward)
            shares = standing if after else trace.parts(toward)
        return spans, shares.numpy(), standing.sum().item()

    def _of_last(self, text: str, which: int, after: bool) -> tuple[list[Span], Floats, float]:
        """The same of the vector that the encoder gives by itself, which may be seen among others."""
        found = self.encoder.token_states(text, upper_half(self.encoder.depth))
        toward, shift = self.weights[which, 0], 0.0
        mean = found.states.mean(0)
        length = float(np.linalg.norm(mean)) or 1.0
        if self.bank is not None and self.centre is not None:
            apart = mean / length - self.centre
            far = float(np.linalg.norm(apart)) or 1.0
            toward = pull_back(toward, _wordless(apart[None] / np.float32(far)), _wordless(self.bank)) / far
            shift = float(toward @ self.centre)
        toward = np.asarray(toward / length, np.float64)
        standing = found.states @ toward / len(found.states)
        shares = standing if after else found.carried(toward)
        return found.spans, np.asarray(shares, np.float32), float(standing.sum()) - shift

    def tensors(self) -> dict[str, NDArray[Any]]:
        """All that was learned, by name."""
        kept: dict[str, NDArray[Any] | None] = {
            "weights": self.weights,
            "bias": self.bias,
            "centre": self.centre,
            "bank": self.bank,
        }
        kept |= self.words.tensors() if self.words is not None else {}
        return {name: array for name, array in kept.items() if array is not None}


def fit_probe(
    encoder: Encoder,
    texts: Sequence[str],
    targets: Floats,
    *,
    several: bool,
    seed: int,
    unlabelled: Sequence[str] = (),
    copies: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Probe, Ints, Floats]:
    """Logistic regression and support vectors; what is to be chosen is what is right most often on held-out examples.

    Also which of the examples were held out in trials (m,), and what the trials made of them, logits (m, C).

    `targets` (n, C) holds 1 where a text has a label. Without `several`, one softmax over the labels; with it, one
    sigmoid each. Behind the examples may stand `copies` changed copies of them all, in the same order: a trial learns
    from those of what it learns from, and is tried on examples alone. `progress` counts the texts, and the unlabelled
    ones before them.
    """
    bank = encoder.encode(list(dict.fromkeys(unlabelled)), progress=progress) if unlabelled else None
    choices = _choices(encoder.depth)
    read = tuple(sorted({number for some in choices for number in some}))
    vectors = _vectors(encoder, texts, read, progress)
    plain = [_affine(vectors, read, some) for some in choices]
    views = [*plain, *(view.whitened() for view in plain)]
    if bank is not None:
        views.append(_seen_among(encoder.encode(texts) if read else vectors[:, 0], bank))
    choice = _choose(views, texts, targets, several, seed, copies)
    view, weight = choice.view, choice.words
    words = learn_grams(texts, targets).weighed(weight) if weight else None
    probe = view.probe(encoder, *regression(view.rows, targets, choice.strength, several), words)
    return probe, choice.held_out, choice.logits


def zero_shot(encoder: Encoder, names: Sequence[str], some_texts: Sequence[str] = ()) -> Probe:
    """A probe without any example: a label's weights are its name's vector.

    `some_texts`, unlabelled, say what is usual; without them the names themselves do. The temperature of .05 is that
    of the encoder's own training (Wang et al. 2024), so that probabilities are not all alike.
    """
    vectors = encoder.encode(list(names))
    weights = unit(vectors - vectors.mean(0)) / np.float32(0.05)
    centre = encoder.encode(list(some_texts)).mean(0) if some_texts else vectors.mean(0)
    return Probe(encoder, weights[:, None], -weights @ centre)


def load_probe(encoder: Encoder, encoder_id: str, layers: Sequence[int], tensors: dict[str, NDArray[Any]]) -> Probe:
    """The probe that `tensors` were taken of. ModelError when the encoder at hand is another."""
    if encoder.id.partition("+")[0] != encoder_id.partition("+")[0]:
        raise ModelError(
            f"the model reads vectors of {encoder_id}, not of {encoder.id}; use the encoder it was trained on"
        )
    floats = {name: np.asarray(array, np.float32) for name, array in tensors.items() if not name.endswith(".ids")}
    return Probe(
        encoder,
        floats["weights"],
        floats["bias"],
        tuple(layers),
        load_grams(tensors),
        floats.get("centre"),
        floats.get("bank"),
    )


@dataclass(frozen=True)
class _View:
    """Training rows (n, L·d) of one way to see texts: (vector · scale − shift) · turn, or in a bank's context."""

    rows: Floats
    layers: tuple[int, ...]
    scale: Floats  # (L, 1)
    shift: Floats  # (L, d)
    turn: Floats | None = None  # (L·d, L·d)
    centre: Floats | None = None
    bank: Floats | None = None

    def probe(self, encoder: Encoder, weights: Floats, bias: Floats, words: Grams | None) -> Probe:
        """The linear model of these rows as one of the vectors themselves."""
        back = weights if self.turn is None else weights @ self.turn.T
        shaped = back.reshape(len(weights), *self.shift.shape)
        moved = bias - np.einsum("cld,ld->c", shaped, self.shift)
        return Probe(encoder, shaped * self.scale, moved, self.layers, words, self.centre, self.bank)

    def whitened(self) -> _View:
        """Each principal axis divided by the root of its spread: half way to a whitening, which lets small but telling
        differences between texts count (Su et al. 2021, "Whitening sentence representations", goes all the way)."""
        spread, axes = np.linalg.eigh(self.rows.T @ self.rows / len(self.rows))
        turn = axes * spread.clip(1e-6 * spread[-1]) ** -0.25
        rows = self.rows @ turn
        length = np.sqrt((rows**2).sum(1).mean())
        return replace(self, rows=rows / length, turn=turn / length)


def _vectors(
    encoder: Encoder, texts: Sequence[str], layers: Sequence[int], progress: Callable[[int], None] | None
) -> Floats:
    """(n, L, d)."""
    if layers:
        return encoder.encode_layers(texts, layers, progress=progress)
    return encoder.encode(texts, progress=progress)[:, None]


def _choices(depth: int) -> list[tuple[int, ...]]:
    """The last layer alone, every second of the upper half.

    >>> _choices(12), _choices(0)
    ([(12,), (6, 8, 10, 12)], [()])
    """
    if not depth:
        return [LAST]
    return list(dict.fromkeys([(depth,), tuple(range(depth, max(depth // 2 - 1, 0), -2))[::-1]]))


def _affine(vectors: Floats, read: tuple[int, ...], layers: tuple[int, ...]) -> _View:
    """Each layer centred and with a mean square length of 1 / L, so that none outweighs another."""
    some = vectors[:, [read.index(number) for number in layers]] if layers else vectors
    mean = some.mean(0)
    spread = np.sqrt(((some - mean) ** 2).sum(2).mean(0)).clip(1e-6)
    scale = np.asarray(1 / (spread * np.sqrt(some.shape[1])), np.float32)[:, None]
    rows = ((some - mean) * scale).reshape(len(some), -1)
    return _View(rows, layers, scale, mean * scale)


def _seen_among(vectors: Floats, bank: Floats) -> _View:
    centre = bank.mean(0)
    around = unit(bank - centre).astype(np.float16).astype(np.float32)  # as it is kept
    rows = _among(unit(vectors - centre), around)
    one = np.ones((1, 1), np.float32)
    return _View(rows, LAST, one, np.zeros((1, rows.shape[1]), np.float32), None, centre, around)


def _among(rows: Floats, bank: Floats) -> Floats:
    return in_context(_wordless(rows), _wordless(bank)).meaning


def _wordless(rows: Floats) -> Features:
    return Features(rows, sparse.csr_array(np.zeros((len(rows), 1), np.float32)))


@dataclass(frozen=True)
class _Choice:
    """How to learn, and what that made of the examples that were `held_out` (m,) in trials: logits (m, C)."""

    view: _View
    strength: float
    words: float
    held_out: Ints
    logits: Floats


def _choose(
    views: Sequence[_View], texts: Sequence[str], targets: Floats, several: bool, seed: int, copies: int
) -> _Choice:
    """The view, the strength and the weight of the words that are right most often on what was held out."""
    n = len(texts) // (1 + copies)
    part = np.tile(np.random.default_rng(seed).permutation(n) % FOLDS, 1 + copies)
    own = np.arange(len(texts)) < n
    numbers = range(FOLDS if n < MANY else 1) if n >= 2 * FOLDS else ()
    folds = [(part != number, (part == number) & own) for number in numbers]
    margins = []
    for learn, out in folds:
        learned = learn_grams([texts[i] for i in np.flatnonzero(learn).tolist()], targets[learn])
        margins.append(learned.logits([texts[i] for i in np.flatnonzero(out).tolist()]))
    nothing = np.zeros((0, targets.shape[1]), np.float32)
    best, most = _Choice(views[0], STRENGTHS[0], 0.0, np.zeros(0, np.int64), nothing), -1.0
    held_out = np.concatenate([np.flatnonzero(out) for _, out in folds]) if folds else best.held_out
    for view, strength in product(views if folds else (), STRENGTHS):
        trials = []
        for learn, out in folds:
            weights, bias = regression(view.rows[learn], targets[learn], strength, several)
            trials.append(view.rows[out] @ weights.T + bias)
        alone, said = np.concatenate(trials), np.concatenate(margins)
        weight = best_weight(alone, said, targets[held_out], several)
        logits = alone + weight * said
        if (right := _right(logits, targets[held_out], several)) > most:
            best, most = _Choice(view, strength, weight, held_out, logits), right
    return best


def best_weight(logits: Floats, margins: Floats, targets: Floats, several: bool) -> float:
    """How much the margins of the words shall weigh beside logits, to be right most often."""
    return max(WORDS_WEIGHTS, key=lambda weight: _right(logits + weight * margins, targets, several))


def _right(logits: Floats, targets: Floats, several: bool) -> float:
    """Accuracy, or the share of right yes and no."""
    if several:
        return float(((logits > 0) == (targets > 0)).mean())
    return float(targets[np.arange(len(targets)), logits.argmax(1)].mean())


def regression(rows: Floats, targets: Floats, strength: float, several: bool) -> tuple[Floats, Floats]:
    """Weights (C, d) and bias (C,). A label that no row has, or every row, gets a bias alone."""
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((targets.shape[1], rows.shape[1]), np.float32)
    if several:
        bias = np.where(targets.mean(0) > 0.5, 10.0, -10.0).astype(np.float32)
        for number, column in enumerate(targets.T):
            if 0 < column.sum() < len(column):
                model = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(rows, column > 0)
                weights[number], bias[number] = model.coef_[0], model.intercept_[0]
        return weights, bias
    wanted, bias = targets.argmax(1), np.full(targets.shape[1], -30.0, np.float32)
    known = np.unique(wanted)
    if len(known) == 1:
        bias[known] = 0
        return weights, bias
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(rows, wanted)
    if len(known) == 2:  # scikit-learn keeps the difference
        weights[known] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[known] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weights[known], bias[known] = model.coef_, model.intercept_
    return weights, bias
