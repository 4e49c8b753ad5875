"""A linear model on the frozen encoder's vectors (a "linear probe"): seconds to train, exact word shares.

With x the unit vector of a text, x̄ the mean of the training texts:  logit = W (x − x̄) + b. Since x is the mean of its
token states over their length, x = Σ_t s_t / (T ‖s̄‖), a token's share of a logit is W s_t / (T ‖s̄‖), exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attention_filter.errors import ModelError
from attention_filter.models.encoder import Encoder

Floats = NDArray[np.float32]
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)  # of the fit against the prior that all weights are 0 (scikit-learn's C)
HELD_OUT = 0.2  # of the examples, to choose the strength by


@dataclass(frozen=True)
class Probe:
    """weights (C, d), bias (C,) and centre (d,) over the vectors of `encoder`."""

    encoder: Encoder
    weights: Floats
    bias: Floats
    centre: Floats

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, C)."""
        return self.of_vectors(self.encoder.encode(texts, progress=progress))

    def of_vectors(self, vectors: Floats) -> Floats:
        return np.asarray((vectors - self.centre) @ self.weights.T + self.bias, np.float32)

    def word_shares(self, text: str) -> tuple[list[tuple[int, int]], Floats, Floats]:
        """Spans of the tokens, what each adds to the logits (T, C), and what no token adds (C,)."""
        found = self.encoder.token_states(text)
        length = np.linalg.norm(found.states.mean(0)) or 1.0
        shares = found.states @ self.weights.T / (len(found.states) * length)
        return found.spans, np.asarray(shares, np.float32), self.bias - self.weights @ self.centre

    def tensors(self) -> dict[str, Floats]:
        return {"weights": self.weights, "bias": self.bias, "centre": self.centre}


def fit_probe(
    encoder: Encoder,
    texts: Sequence[str],
    targets: NDArray[np.float32],
    *,
    several: bool,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Probe:
    """Logistic regression; its strength is the one of STRENGTHS that is right most often on held-out examples.

    `targets` (n, C) holds 1 where a text has a label. Without `several`, one softmax over the labels; with it, one
    sigmoid each.
    """
    vectors = encoder.encode(texts, progress=progress)
    centre = vectors.mean(0)
    weights, bias = _regression(vectors - centre, targets, several, seed)
    return Probe(encoder, weights, bias, centre)


def zero_shot(encoder: Encoder, names: Sequence[str], some_texts: Sequence[str] = ()) -> Probe:
    """A probe without any example: a label's weights are its name's vector.

    `some_texts`, unlabelled, say what is usual; without them the names themselves do. The temperature of .05 is that
    of the encoder's own training (Wang et al. 2024), so that probabilities are not all alike.
    """
    vectors = encoder.encode(list(names))
    own = vectors - vectors.mean(0)
    centre = encoder.encode(list(some_texts)).mean(0) if some_texts else vectors.mean(0)
    unit = own / np.linalg.norm(own, axis=1, keepdims=True).clip(1e-9)
    return Probe(encoder, np.asarray(unit / 0.05, np.float32), np.zeros(len(names), np.float32), centre)


def load_probe(encoder: Encoder, encoder_id: str, tensors: dict[str, Floats]) -> Probe:
    """The probe that `tensors` were taken of. ModelError when the encoder at hand is another."""
    if encoder.id.partition("+")[0] != encoder_id.partition("+")[0]:
        raise ModelError(
            f"the model reads vectors of {encoder_id}, not of {encoder.id}; use the encoder it was trained on"
        )
    return Probe(encoder, **{name: np.asarray(value, np.float32) for name, value in tensors.items()})


def _regression(rows: Floats, targets: Floats, several: bool, seed: int) -> tuple[Floats, Floats]:
    from sklearn.linear_model import LogisticRegression

    if several:
        parts = [_regression(rows, np.stack([1 - column, column], 1), False, seed) for column in targets.T]
        return np.stack([w[1] - w[0] for w, _ in parts]), np.array([b[1] - b[0] for _, b in parts], np.float32)
    wanted = targets.argmax(1)
    held_out = np.random.default_rng(seed).permutation(len(rows)) < len(rows) * HELD_OUT

    def right(strength: float) -> float:
        model = LogisticRegression(C=strength, max_iter=300).fit(rows[~held_out], wanted[~held_out])
        return float(model.score(rows[held_out], wanted[held_out]))

    enough = held_out.any() and len(np.unique(wanted[~held_out])) == targets.shape[1]
    best = max(STRENGTHS, key=right) if enough else STRENGTHS[1]
    model = LogisticRegression(C=best, max_iter=300).fit(rows, wanted)
    weights, bias = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
    if len(weights) == 1:  # two labels: scikit-learn keeps the difference
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias
