"""Linear heads on the vector that an item has anyway: what it is about and how it feels, at no cost of encoding.

    p = softmax(W x + b),  x the unit vector of a text

Learned by logistic regression from some hundred short texts that come with the program (topics.tsv, feelings.tsv and
reports.tsv, written for it). What was learned for the default model comes along in heads.npz; any other model learns
when it is first asked. `python -m attention_filter.tasks.heads` writes heads.npz anew after those files have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

Floats = NDArray[np.float32]
FILE = "heads.npz"
MADE_FOR = "multilingual-e5-small"
STRENGTH = 3.0  # of the fit against the prior that all weights are 0 (scikit-learn's C)
# Texts are longer and say more than the examples, so they are surer to be right than the examples let expect. Fitted
# once on MIND, THUCNews and TNEWS titles together (benchmarks/labels.py); feelings need none.
TOPIC_TEMPERATURE, FEELING_TEMPERATURE = 0.45, 1.0
SURE = 0.6  # below this probability a label is not shown


@dataclass(frozen=True)
class Head:
    """weights (C, d) and bias (C,), the temperature in them; labels, C of them."""

    labels: tuple[str, ...]
    weights: Floats
    bias: Floats

    def probabilities(self, vectors: Floats) -> Floats:
        """(n, d) -> (n, C); rows sum to one.

        >>> Head(("a", "b"), np.eye(2, dtype=np.float32), np.zeros(2, np.float32)).probabilities(np.zeros((1, 2)))
        array([[0.5, 0.5]])
        """
        logits = vectors @ self.weights.T + self.bias
        exp = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(exp / exp.sum(1, keepdims=True))


def learn(vectors: Floats, labels: Sequence[str], temperature: float) -> Head:
    """A head from examples: unit vectors (n, d) and the label of each, two different ones at least."""
    from sklearn.linear_model import LogisticRegression

    centre = vectors.mean(0)
    scale = 1 / np.sqrt(((vectors - centre) ** 2).sum(1).mean())
    model = LogisticRegression(C=STRENGTH, max_iter=500).fit((vectors - centre) * scale, labels)
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps the difference
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    weights = weights * scale / temperature
    bias = bias / temperature - weights @ centre
    return Head(tuple(map(str, model.classes_)), weights.astype(np.float32), bias.astype(np.float32))


def digest(examples: Sequence[tuple[str, str]]) -> str:
    """Names the (label, text) pairs that something was learned from."""
    return sha256(repr((list(examples), STRENGTH, TOPIC_TEMPERATURE, FEELING_TEMPERATURE)).encode()).hexdigest()[:16]


def shipped(made_from: str, encoder_id: str) -> Head | None:
    """The head that comes with the program, if it was learned from just these examples with this model."""
    if not encoder_id.startswith(f"{MADE_FOR}@"):
        return None
    with files(__package__).joinpath(FILE).open("rb") as file, np.load(file, allow_pickle=False) as kept:
        if f"{made_from}.weights" not in kept:
            return None
        parts = {part: kept[f"{made_from}.{part}"] for part in ("labels", "weights", "bias")}
    return Head(tuple(parts["labels"].tolist()), parts["weights"], parts["bias"])


def make(encoder: Encoder) -> dict[str, Head]:
    """{digest: head} of what comes with the program, learned anew."""
    from attention_filter.tasks import topics

    out = {}
    for pairs, temperature in ((topics.usual_pairs(), TOPIC_TEMPERATURE), (feeling_pairs(), FEELING_TEMPERATURE)):
        out[digest(pairs)] = learn(encoder.encode([text for _, text in pairs]), [one for one, _ in pairs], temperature)
    return out


def feeling_pairs() -> list[tuple[str, str]]:
    """(feeling, text) of the sentences that come with the program: opinions, as sentiment knows them, and reports, for
    most of what a reader follows says plainly what happened."""
    lines = [line for name in ("feelings.tsv", "reports.tsv") for line in _lines(name)]
    return [(label, text) for label, text in (line.split("\t") for line in lines)]


def _lines(name: str) -> list[str]:
    return files(__package__).joinpath(name).read_text("utf-8").splitlines()[1:]


def main() -> None:
    """Write heads.npz beside this file."""
    from attention_filter.models.encoder import load_encoder

    made = make(load_encoder(precision="float32"))
    arrays: dict[str, Any] = {}
    for key, head in made.items():
        arrays |= {f"{key}.labels": np.array(head.labels), f"{key}.weights": head.weights, f"{key}.bias": head.bias}
    np.savez(Path(__file__).with_name(FILE), **arrays)


if __name__ == "__main__":
    main()
