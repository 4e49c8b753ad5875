"""The Transformer (Vaswani et al. 2017): encoder, decoder, and both, over any attention of the library.

    x ← x + attend(norm(x));  [x ← x + attend(norm(x), context);]  x ← x + wide(norm(x))        norm="pre"
    x ← norm(x + attend(x));  …                                                                 norm="post", as in BERT

Pre-norm trains without a careful warm-up (Xiong et al. 2020); post-norm is what BERT's weights want. Token ids are
(batch, length) with `Config.padding` behind the end of the shorter texts; padding is masked everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from attention_filter.attention import lsh as hashing
from attention_filter.attention.cache import Cache
from attention_filter.attention.local import local_mask
from attention_filter.attention.masks import Mask, causal, padding
from attention_filter.attention.multihead import Mix, MultiHeadAttention
from attention_filter.attention.positions import LearnedPositions, rotary, sinusoidal
from attention_filter.attention.span import AdaptiveSpan
from attention_filter.attention.sparse import fixed_mask, strided_mask
from attention_filter.errors import ModelError

Variant = Literal["full", "local", "strided", "fixed", "lsh", "span"]


@dataclass(frozen=True)
class Config:
    """Sizes and choices of one Transformer; `layers` in the encoder and in the decoder alike."""

    vocabulary: int
    dim: int = 256
    heads: int = 4
    width: int | None = None  # of a head; dim / heads unless given
    layers: int = 4
    wide: int = 1024  # of the feed-forward layer
    longest: int = 512  # tokens of a text
    positions: Literal["learned", "sinusoidal", "rotary"] = "rotary"
    attention: Variant = "full"  # of self-attention; strided, fixed and span are causal: for decoders
    normalize: Literal["keys", "queries"] = "keys"  # H, or A: the queries compete for each key
    window: int = 64  # local: keys to each side; strided, fixed: the stride; lsh: the chunk; span: the longest span
    norm: Literal["pre", "post"] = "pre"
    biased: bool = False  # biases in the attention's projections, as in BERT
    epsilon: float = 1e-5  # of layer normalisation
    dropout: float = 0.1
    padding: int = 0
    start: int = 1
    end: int = 2

    def __post_init__(self) -> None:
        if self.width is None and self.dim % self.heads:
            raise ModelError(f"transformer: {self.heads} heads do not divide dim {self.dim}")
        if self.attention != "full" and self.normalize == "queries":
            raise ModelError(f"transformer: {self.attention} attention normalises over the keys; use full attention")


class Embedding(nn.Module):
    """Token ids (batch, length) to vectors (batch, length, dim); the same table, turned, predicts tokens.

    With `norm="post"` the sum is normalised, as in BERT; otherwise it is scaled by √dim (Vaswani et al. 2017, 3.4).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        words = nn.Embedding(config.vocabulary, config.dim, padding_idx=config.padding)
        nn.init.normal_(words.weight, std=config.dim**-0.5)
        self.words: nn.Module = words
        self.places = LearnedPositions(config.longest, config.dim) if config.positions == "learned" else None
        self.norm = nn.LayerNorm(config.dim, config.epsilon) if config.norm == "post" else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor, start: int = 0) -> Tensor:
        if start + ids.size(1) > self.config.longest:
            raise ModelError(
                f"transformer: {start + ids.size(1)} tokens where {self.config.longest} fit; shorten the text"
            )
        x: Tensor = self.words(ids)
        if self.norm is None:
            x = x * self.config.dim**0.5
        if self.places is not None:
            x = x + self.places(ids.size(1), start)
        elif self.config.positions == "sinusoidal":
            x = x + sinusoidal(ids.size(1), self.config.dim, start=start).to(x)
        return self.dropout(x if self.norm is None else self.norm(x))  # type: ignore[no-any-return]

    def predict(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary, (…, dim) -> (…, vocabulary), by the same table (Press & Wolf 2017)."""
        if not isinstance(self.words, nn.Embedding):
            raise ModelError("transformer: this word table is only looked up; it predicts no tokens")
        return F.linear(x, self.words.weight)


class SelfAttention(nn.Module):
    """Tokens looking at their own text, by the variant that the configuration names."""

    def __init__(self, config: Config, *, is_causal: bool) -> None:
        super().__init__()
        if config.attention in ("strided", "fixed", "span") and not is_causal:
            raise ModelError(f"transformer: {config.attention} attention looks back only; it is for decoders")
        self.config, self.is_causal = config, is_causal
        self.heads = _attention(config)
        self.span = AdaptiveSpan(config.heads, config.window) if config.attention == "span" else None
        self.turn = rotary if config.positions == "rotary" else None

    def forward(self, x: Tensor, keep: Tensor | None, cache: Cache | None = None) -> Tensor:
        """(batch, length, dim) -> the same shape; `keep` (batch, keys) is False at padding, None when there is none."""
        out: Tensor = self.heads(x, mask=self._mask(x, keep), turn=self.turn, cache=cache, mix=self._mix(x, keep))
        return out

    def _mix(self, x: Tensor, keep: Tensor | None) -> Mix | None:
        """The variants that are more than a mask."""
        if self.config.attention == "lsh":
            chunk = min(self.config.window, x.size(1))
            settings = hashing.Settings(2 * max(1, x.size(1) // (2 * chunk)), chunk, 2, self.is_causal)
            return lambda query, _, value: hashing.lsh(query, query, value, settings=settings, keep=keep)
        return partial(self.span, keep=keep) if self.span is not None else None

    def _mask(self, x: Tensor, keep: Tensor | None) -> Mask | Tensor | None:
        window = self.config.window
        if self.config.attention == "local":
            mask = local_mask(window, causal=self.is_causal)
        elif self.config.attention in ("strided", "fixed"):
            mask = strided_mask(window) if self.config.attention == "strided" else fixed_mask(window)
        elif self.is_causal and x.size(1) > 1:  # a single step sees all that came before it, without a mask
            mask = causal()
        elif keep is None:
            return None
        elif self.config.normalize == "queries":  # what is padding must not compete either
            return keep[:, None, :, None] & keep[:, None, None, :]
        else:
            return keep[:, None, None, :]
        return mask if keep is None else mask & padding(keep)


class Block(nn.Module):
    """One layer: self-attention, cross-attention where there is a context, and the feed-forward part."""

    def __init__(self, config: Config, *, is_causal: bool = False, has_context: bool = False) -> None:
        super().__init__()
        self.is_post = config.norm == "post"
        self.attention = SelfAttention(config, is_causal=is_causal)
        self.attention_norm = nn.LayerNorm(config.dim, config.epsilon)
        self.cross = _attention(config) if has_context else None
        self.cross_norm = nn.LayerNorm(config.dim, config.epsilon) if has_context else None
        self.wide = nn.Sequential(nn.Linear(config.dim, config.wide), nn.GELU(), nn.Linear(config.wide, config.dim))
        self.wide_norm = nn.LayerNorm(config.dim, config.epsilon)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, keep: Tensor | None, past: Past | None = None, context: Context | None = None
    ) -> Tensor:
        x = self._add(x, self.attention_norm, lambda y: self.attention(y, keep, past and past.own))
        if context is not None and self.cross is not None and self.cross_norm is not None:
            cross = partial(self.cross, context=context.states, mask=context.mask, cache=past and past.context)
            x = self._add(x, self.cross_norm, cross)
        return self._add(x, self.wide_norm, self.wide)

    def _add(self, x: Tensor, norm: nn.LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        """A residual branch, normalised after or before."""
        out: Tensor = norm(x + self.dropout(part(x))) if self.is_post else x + self.dropout(part(norm(x)))
        return out


@dataclass(frozen=True)
class Context:
    """What a decoder looks at: an encoder's states (batch, length, dim) and where they are text, (batch, length)."""

    states: Tensor
    keep: Tensor

    @property
    def mask(self) -> Tensor:
        return self.keep[:, None, None, :]

    def select(self, rows: Tensor) -> Context:
        """These rows (m,) of the batch, in this order."""
        return Context(self.states[rows], self.keep[rows])


@dataclass(frozen=True)
class Past:
    """What one layer of a decoder keeps of the steps so far, and of its context."""

    own: Cache
    context: Cache


class TextEncoder(nn.Module):
    """Token ids to states: every token sees the whole text (or what the variant lets it see)."""

    def __init__(self, config: Config, embedding: Embedding | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = embedding or Embedding(config)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim, config.epsilon) if config.norm == "pre" else nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, length) -> (batch, length, dim). What stands at padding means nothing."""
        return self.upward(self.embedding(ids), ids != self.config.padding)

    def upward(self, x: Tensor, keep: Tensor, first: int = 0) -> Tensor:
        """The last states from those below layer `first`; `keep` (batch, length) is False at padding."""
        seen = None if bool(keep.all()) else keep
        for layer in self.layers[first:]:
            x = layer(x, seen)
        return self.norm(x)  # type: ignore[no-any-return]


class TextDecoder(nn.Module):
    """Token ids to logits of the next token, from what stands before it and, when given, a context.

    >>> import torch
    >>> decoder = TextDecoder(Config(vocabulary=9, dim=8, heads=2, layers=1, wide=16)).eval()
    >>> past = decoder.past()
    >>> step_by_step = [decoder(torch.tensor([[token]]), past=past) for token in (3, 4, 5)]
    >>> bool(torch.allclose(torch.cat(step_by_step, 1), decoder(torch.tensor([[3, 4, 5]])), atol=1e-6))
    True
    """

    def __init__(self, config: Config, embedding: Embedding | None = None, *, has_context: bool = False) -> None:
        super().__init__()
        if config.normalize == "queries":  # a key's share would depend on queries still to come
            raise ModelError("transformer: a decoder normalises over the keys; A would let it see what comes next")
        self.config = config
        self.embedding = embedding or Embedding(config)
        blocks = (Block(config, is_causal=True, has_context=has_context) for _ in range(config.layers))
        self.layers = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(config.dim, config.epsilon) if config.norm == "pre" else nn.Identity()

    def past(self) -> tuple[Past, ...] | None:
        """Room for the steps of a decoding; None when the variant must see the text as a whole."""
        if self.config.attention in ("lsh", "span"):
            return None
        return tuple(Past(Cache(), Cache()) for _ in self.layers)

    def forward(self, ids: Tensor, context: Context | None = None, past: tuple[Past, ...] | None = None) -> Tensor:
        """(batch, length) -> logits (batch, length, vocabulary). With `past`, `ids` are those that follow it."""
        start = len(past[0].own) if past else 0
        keep = ids != self.config.padding
        seen = None if past or bool(keep.all()) else keep
        x = self.embedding(ids, start)
        for number, layer in enumerate(self.layers):
            x = layer(x, seen, past[number] if past else None, context)
        return self.embedding.predict(self.norm(x))


class Transformer(nn.Module):
    """An encoder and a decoder that looks at it, with one table of words."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        # Strided, fixed and span attention look back only; their encoders look at everything.
        whole = replace(config, attention="full") if config.attention in ("strided", "fixed", "span") else config
        self.encoder = TextEncoder(whole)
        self.decoder = TextDecoder(replace(config, normalize="keys"), self.encoder.embedding, has_context=True)

    def encode(self, ids: Tensor) -> Context:
        return Context(self.encoder(ids), ids != self.config.padding)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits (batch, length of target, vocabulary): at each place, of the token after it."""
        logits: Tensor = self.decoder(target, self.encode(source))
        return logits


def _attention(config: Config) -> MultiHeadAttention:
    return MultiHeadAttention(
        config.dim,
        config.heads,
        width=config.width,
        normalize=config.normalize,
        biased=config.biased,
        dropout=config.dropout,
    )
