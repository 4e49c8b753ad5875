"""Look inside: A and H of any layer and head, and what they say in numbers.

Nothing here runs unless asked: a model pays for its matrices only within `watching` or `watching_transformers`.

    with watching(model) as layers:
        model(x)
    layers[0].h            # (batch, heads, Q, K)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attention_filter.attention.core import attend, weight_rows
from attention_filter.attention.multihead import Matrices, MultiHeadAttention, Show

_watched: ContextVar[tuple[list[Matrices], Show] | None] = ContextVar("_watched", default=None)
_NAME = "attention_filter"  # under which transformers knows our attention


@dataclass(frozen=True)
class Maps:
    """One text's attention: `h` and `a` are (layers, heads, Q, K); `a` is None where only H is known."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    h: Tensor
    a: Tensor | None = None

    def as_json(self) -> str:
        """Tokens and matrices, rounded to five decimals."""
        matrices = {"h": self.h} | ({} if self.a is None else {"a": self.a})
        rounded = {name: matrix.double().mul(1e5).round().div(1e5).tolist() for name, matrix in matrices.items()}
        return json.dumps({"queries": self.queries, "keys": self.keys, **rounded}, ensure_ascii=False)


@dataclass(frozen=True)
class Statistics:
    """What a head does, averaged over its queries; each (…, heads) of weights (…, heads, Q, K).

    `entropy` in bits: 0 looks at one key, log2 K at all alike. `distance` in tokens: mean |i − j| of what it looks
    at. `concentration` is Σ_j w_j²: 1 for one key, 1/K for all alike; its inverse is the number of keys in use.
    """

    entropy: Tensor
    distance: Tensor
    concentration: Tensor


@contextmanager
def watching(model: nn.Module, show: Show | None = None) -> Iterator[list[Matrices]]:
    """Records A and H of each of our `MultiHeadAttention` modules in the order they run, until the block ends."""
    layers: list[Matrices] = []

    def record(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> None:
        if not isinstance(module, MultiHeadAttention):
            return
        if kwargs.get("cache") is not None:
            raise ValueError("watching: a step with a cache sees one row; run the whole text without it")
        known = {name: value for name, value in kwargs.items() if name not in ("cache", "show")}
        with torch.no_grad():
            layers.append(module.matrices(*args, **known, show=show))

    attentions = [module for module in model.modules() if isinstance(module, MultiHeadAttention)]
    hooks = [module.register_forward_hook(record, with_kwargs=True) for module in attentions]
    try:
        yield layers
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def watching_transformers(model: Any, show: Show | None = None) -> Iterator[list[Matrices]]:
    """The same for a Hugging Face model: within the block its layers attend through this library.

    The model's own choice of attention is restored afterwards. Biases that a model gives its attention besides the
    mask (as T5 does) are part of that mask and are respected.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(_NAME, _attend_for_transformers)
    AttentionMaskInterface.register(_NAME, eager_mask)
    before, layers = model.config._attn_implementation, list[Matrices]()
    model.set_attn_implementation(_NAME)
    token = _watched.set((layers, show or Show()))
    try:
        yield layers
    finally:
        _watched.reset(token)
        model.set_attn_implementation(before)


def _attend_for_transformers(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,  # transformers passes each model's own extras
) -> tuple[Tensor, None]:
    groups = query.size(1) // key.size(1)
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    mask, bias = None, None
    if attention_mask is not None:  # additive; its lowest numbers mean "not allowed"
        attention_mask = attention_mask[..., : key.size(2)]
        mask = attention_mask > torch.finfo(attention_mask.dtype).min / 2
        bias = attention_mask.masked_fill(~mask, 0.0)
    watched = _watched.get()
    if watched is not None:
        layers, show = watched
        heads = torch.arange(query.size(1)) if show.heads is None else torch.as_tensor(show.heads)
        rows = torch.arange(query.size(2)) if show.rows is None else torch.as_tensor(show.rows)
        q, k = query.detach()[:, heads], key.detach()[:, heads]
        wide = bias is None or bias.size(1) == 1
        m, b = (t if wide or t is None else t[:, heads] for t in (mask, bias))
        a = weight_rows(q, k, rows, m, bias=b, scale=scaling, normalize="queries")
        h = weight_rows(q, k, rows, m, bias=b, scale=scaling, normalize="keys")
        layers.append(Matrices(a, h))
    mixed = attend(query, key, value, mask, bias=bias, scale=scaling, dropout=dropout)
    return mixed.transpose(1, 2).contiguous(), None


def of_one_text(layers: Sequence[Matrices], tokens: Sequence[str], text: int = 0) -> Maps:
    """The recorded layers of the batch's text number `text`, cut to its tokens (self-attention)."""
    n = len(tokens)
    a, h = (torch.stack([matrix[text, :, :n, :n] for matrix in kind]).float().cpu() for kind in _split(layers))
    return Maps(tuple(tokens), tuple(tokens), h, a)


def _split(layers: Sequence[Matrices]) -> tuple[list[Tensor], list[Tensor]]:
    return [layer.a for layer in layers], [layer.h for layer in layers]


def rollout(h: Tensor, residual: float = 0.5) -> Tensor:
    """How much of each input reaches each output through all layers: (Q, K) from h (layers, heads, n, n).

    Product of the layers' head means, each mixed with the identity for the residual path (Abnar & Zuidema 2020,
    section 3: Â = ½ W + ½ I). Rows sum to one.

    >>> rollout(torch.full((2, 1, 2, 2), 0.5)).tolist()
    [[0.625, 0.375], [0.375, 0.625]]
    """
    flow = torch.eye(h.size(-1), dtype=h.dtype)
    for layer in h.mean(1):
        step = (1 - residual) * layer + residual * torch.eye(len(layer), dtype=h.dtype)
        flow = step / step.sum(-1, keepdim=True) @ flow
    return flow


def statistics(weights: Tensor) -> Statistics:
    """Entropy, distance and concentration of each head of weights (…, heads, Q, K).

    Rows are made to sum to one first, so A may be given as well as H; rows of zeros are left out.

    >>> float(statistics(torch.full((1, 4, 4), 0.25)).entropy)
    2.0
    """
    total = weights.sum(-1, keepdim=True)
    rows = weights / total.clamp_min(torch.finfo(weights.dtype).tiny)
    real = (total.squeeze(-1) > 0).to(rows.dtype)
    count = real.sum(-1).clamp_min(1)
    apart = (torch.arange(rows.size(-2)).unsqueeze(1) - torch.arange(rows.size(-1))).abs().to(rows.dtype)
    entropy = -torch.xlogy(rows, rows).sum(-1) / torch.log(torch.tensor(2.0, dtype=rows.dtype))
    return Statistics(
        (entropy * real).sum(-1) / count,
        ((rows * apart).sum(-1) * real).sum(-1) / count,
        (rows.square().sum(-1) * real).sum(-1) / count,
    )
