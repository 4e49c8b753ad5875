"""A Transformer with a pooled head, trained on labelled texts: E5 tuned, or a small one from scratch.

    logit = W mean_t(s_t) + b,  s_t the last layer's states

The head is linear in the states, so a token's share of a logit is W s_t / T and the shares sum to logit − b, exactly.
What a state knows of other tokens is counted as its own: the share says where the evidence stood, after attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attention_filter.models import lora
from attention_filter.models.bert import load_e5
from attention_filter.models.encoder import E5_PREFIX, batches, in_threads, spans_in
from attention_filter.models.transformer import Config, TextEncoder
from attention_filter.models.vocabulary import learn_vocabulary

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

Floats = NDArray[np.float32]
Labelled = tuple[list[int], list[float]]  # token ids, and how much the text has of each label, 0 to 1
TOKENS_AT_ONCE = 2048
SMALL = dict(dim=128, heads=4, layers=2, wide=256, longest=256, dropout=0.2)  # from scratch, for a few thousand texts
SIZE = 8000  # pieces of the vocabulary learned for it


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
        states, keep = self.encoder(ids), (ids != self.encoder.config.padding).unsqueeze(2)
        pooled = (states * keep).sum(1) / keep.sum(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


@dataclass(frozen=True)
class Trained:
    """A trained model with its tokenizer; `prefix` stands before every text."""

    model: Pooled
    tokenizer: Tokenizer
    prefix: str

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, C)."""
        ids = [one.ids for one in self.tokenize(texts)]
        out = np.zeros((len(ids), self.model.head.out_features), np.float32)
        self.model.eval()

        def compute(batch: list[int]) -> int:
            out[batch] = self.model(self.padded([ids[i] for i in batch])).float().numpy()
            return len(batch)

        for done in in_threads(compute, batches([len(one) for one in ids], TOKENS_AT_ONCE)):
            if progress:
                progress(done)
        return out

    def word_shares(self, text: str, which: int) -> tuple[list[tuple[int, int]], Floats, float]:
        """Spans of the tokens, what each adds to the logit of one label (T,), and what no token adds."""
        (found,) = self.tokenize([text])
        self.model.eval()
        with torch.inference_mode():
            states = self.model.encoder(torch.tensor([found.ids]))[0]
            shares = states @ self.model.head.weight[which] / len(found.ids)
        spans = spans_in(text, found.offsets, len(self.prefix), not found.overflowing)
        return spans, shares.numpy(), self.model.head.bias[which].item()

    def tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        return self.tokenizer.encode_batch([self.prefix + text for text in texts])

    def padded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """(batch, longest of them)."""
        rows = [torch.tensor(one) for one in ids]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.model.encoder.config.padding)


def tuned(labels: int, *, rank: int = 0, layers: int = 12, dropout: float = 0.1, seed: int = 0) -> Trained:
    """multilingual-e5-small to be tuned: its upper `layers`, or with a `rank` low-rank products in all of them."""
    encoder, tokenizer = load_e5(dropout)
    torch.manual_seed(seed)  # the head, and what LoRA adds, start by chance
    tokenizer.enable_truncation(encoder.config.longest)
    if rank:
        lora.adapt(encoder, rank, names=("to_query", "to_key", "to_value", "to_output"))
    else:
        frozen = encoder.config.layers - layers
        for part in (encoder.embedding, *encoder.layers[:frozen]) if frozen > 0 else ():
            part.requires_grad_(False)
    return Trained(Pooled(encoder, labels, dropout), tokenizer, E5_PREFIX)


def from_scratch(labels: int, texts: Sequence[str], seed: int, **sizes: Any) -> Trained:
    """A small Transformer and a vocabulary learned from the texts; `sizes` override those of SMALL."""
    tokenizer = learn_vocabulary(texts, "bpe", SIZE)
    torch.manual_seed(seed)
    config = Config(vocabulary=tokenizer.get_vocab_size(), **{**SMALL, **sizes})
    tokenizer.enable_truncation(config.longest)
    return Trained(Pooled(TextEncoder(config), labels, config.dropout), tokenizer, "")


def rebuilt(tokenizer: Tokenizer, labels: int, config: dict[str, Any]) -> Trained:
    """A model from scratch as its checkpoint describes it, before its weights are put in."""
    return Trained(Pooled(TextEncoder(Config(**config)), labels, 0.0), tokenizer, "")


def config_of(model: Trained) -> dict[str, Any]:
    return asdict(model.model.encoder.config)


@dataclass(frozen=True)
class Lesson:
    """What the training loop sees: the loss with label smoothing, and accuracy (or F1 of several labels)."""

    trained: Trained
    several: bool
    smoothing: float = 0.1

    @property
    def module(self) -> nn.Module:
        return self.trained.model

    def length(self, example: Labelled) -> int:
        return len(example[0])

    def loss(self, examples: Sequence[Labelled]) -> Tensor:
        logits, targets = self._logits(examples), torch.tensor([target for _, target in examples])
        if self.several:
            return F.binary_cross_entropy_with_logits(logits, targets)
        return F.cross_entropy(logits, targets, label_smoothing=self.smoothing)

    def measure(self, examples: Sequence[Labelled]) -> dict[str, float]:
        groups = batches([len(ids) for ids, _ in examples], TOKENS_AT_ONCE)
        right = hits = said = there = 0.0
        for group in groups:
            some = [examples[i] for i in group]
            logits, targets = self._logits(some), torch.tensor([target for _, target in some])
            right += float((logits.argmax(1) == targets.argmax(1)).sum())
            hits += float(((logits > 0) * targets).sum())
            said += float((logits > 0).sum())
            there += float(targets.sum())
        return {"f1": 2 * hits / max(said + there, 1)} if self.several else {"accuracy": right / len(examples)}

    def _logits(self, examples: Sequence[Labelled]) -> Tensor:
        logits: Tensor = self.trained.model(self.trained.padded([ids for ids, _ in examples]))
        return logits
