"""Multi-head attention as a module: projections, heads, fusion; both matrices only for who asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from attention_filter.attention.blockwise import attend_masked
from attention_filter.attention.cache import Cache
from attention_filter.attention.core import attend, weight_rows
from attention_filter.attention.masks import Mask

Turn = Callable[[Tensor, int], Tensor]  # heads' queries or keys (…, length, dim), first position -> the same, turned
Mix = Callable[[Tensor, Tensor, Tensor], Tensor]  # heads' queries, keys, values -> mixed values (batch, heads, Q, …)


@dataclass(frozen=True)
class Show:
    """Which heads and rows (queries) to show the matrices of; None means all."""

    heads: Sequence[int] | None = None
    rows: Sequence[int] | None = None


@dataclass(frozen=True)
class Matrices:
    """A (columns sum to one over all queries) and H (rows sum to one), each (batch, heads shown, rows shown, K)."""

    a: Tensor
    h: Tensor


class MultiHeadAttention(nn.Module):
    """MultiHead(x, c) = [head_1 … head_n] W_O, head_i = attend(x W_Q, c W_K, c W_V) (Vaswani et al. 2017, sec. 3.2.2).

    Batch comes first: (batch, length, dim). `kv_heads` < `heads` shares each key and value head among several query
    heads (Ainslie et al. 2023); a head is `width` wide, dim / heads unless given. Without `project_values` each head
    mixes the inputs themselves: V_i = Σ_j A_ij v_j. Without `biased` there are no additive biases, so a query that may
    see nothing comes out as zeros.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        kv_heads: int | None = None,
        width: int | None = None,
        context_dim: int | None = None,
        normalize: Literal["keys", "queries"] = "keys",
        scale: float | None = None,
        project_values: bool = True,
        biased: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        kv_heads, context_dim = kv_heads or heads, context_dim or dim
        if (width is None and dim % heads) or heads % kv_heads:
            raise ValueError(f"MultiHeadAttention: {heads} heads must divide dim {dim}, {kv_heads} kv_heads the heads")
        self.heads, self.kv_heads, self.width = heads, kv_heads, width or dim // heads
        self.normalize, self.scale, self.dropout = normalize, scale, dropout
        self.to_query = nn.Linear(dim, heads * self.width, bias=biased)
        self.to_key = nn.Linear(context_dim, kv_heads * self.width, bias=biased)
        self.to_value = nn.Linear(context_dim, kv_heads * self.width, bias=biased) if project_values else None
        self.to_output = nn.Linear(heads * (self.width if project_values else context_dim), dim, bias=biased)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | Mask | None = None,
        *,
        bias: Tensor | None = None,
        turn: Turn | None = None,
        cache: Cache | None = None,
        mix: Mix | None = None,
        show: Show | None = None,
    ) -> Tensor | tuple[Tensor, Matrices]:
        """Outputs (batch, Q, dim), and with `show` the matrices of the heads and rows asked for.

        `context` (batch, K, context_dim) is x itself unless given. `mask` and `bias` broadcast to (batch, heads, Q,
        K); a `Mask` runs blockwise when nothing else stands in its way. `turn` is applied to queries and keys
        (`positions.rotary`). `cache` adds this call's keys and values to the past ones and looks at all of them; with
        a `context` of its own it keeps the context's, computed by the first call, for all that follow.
        `mix` is a variant with a rule of its own (`lsh`, `span_attention`), in place of mask and bias.
        """
        if cache is not None and len(cache) and context is not None:
            query, (key, value) = self._heads(self.to_query(x), self.heads), cache.content
        else:
            query, key = self._query_and_key(x, context, turn, len(cache) if cache is not None else 0)
            value = self._value(x if context is None else context)
            if cache is not None:
                key, value = cache.append(key, value)
        key, value = self._shared(key), self._shared(value)
        mixed = mix(query, key, value) if mix is not None else self._mix(query, key, value, mask, bias)
        out: Tensor = self.to_output(mixed.transpose(1, 2).flatten(2))
        return out if show is None else (out, self._show(query, key, mask, bias, show))

    def matrices(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | Mask | None = None,
        *,
        bias: Tensor | None = None,
        turn: Turn | None = None,
        show: Show | None = None,
    ) -> Matrices:
        """A and H alone, of the heads and rows asked for."""
        query, key = self._query_and_key(x, context, turn, 0)
        return self._show(query, self._shared(key), mask, bias, show or Show())

    def _query_and_key(self, x: Tensor, context: Tensor | None, turn: Turn | None, start: int) -> tuple[Tensor, Tensor]:
        query = self._heads(self.to_query(x), self.heads)  # (b, heads, Q, width)
        key = self._heads(self.to_key(x if context is None else context), self.kv_heads)
        return (turn(query, start), turn(key, start)) if turn is not None else (query, key)

    def _heads(self, joined: Tensor, heads: int) -> Tensor:
        return joined.view(*joined.shape[:2], heads, self.width).transpose(1, 2)

    def _value(self, context: Tensor) -> Tensor:
        if self.to_value is None:
            return context.unsqueeze(1)  # every head mixes the same inputs
        return self._heads(self.to_value(context), self.kv_heads)

    def _shared(self, tensor: Tensor) -> Tensor:
        """Key or value heads repeated so that there is one for each query head."""
        return tensor.repeat_interleave(self.heads // tensor.size(1), dim=1) if tensor.size(1) < self.heads else tensor

    def _mix(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | Mask | None, bias: Tensor | None
    ) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if isinstance(mask, Mask) and self.normalize == "keys" and bias is None and not dropout:
            return attend_masked(query, key, value, mask, scale=self.scale)
        return attend(
            query,
            key,
            value,
            _dense(mask, query, key),
            bias=bias,
            scale=self.scale,
            normalize=self.normalize,
            dropout=dropout,
        )

    def _show(
        self, query: Tensor, key: Tensor, mask: Tensor | Mask | None, bias: Tensor | None, show: Show
    ) -> Matrices:
        heads = torch.arange(self.heads) if show.heads is None else torch.as_tensor(show.heads)
        rows = torch.arange(query.size(2)) if show.rows is None else torch.as_tensor(show.rows)
        mask = _of_heads(_dense(mask, query, key), heads)
        bias = _of_heads(bias, heads)
        query, key = query[:, heads], key[:, heads]
        a = weight_rows(query, key, rows, mask, bias=bias, scale=self.scale, normalize="queries")
        h = weight_rows(query, key, rows, mask, bias=bias, scale=self.scale, normalize="keys")
        return Matrices(a, h)


def _dense(mask: Tensor | Mask | None, query: Tensor, key: Tensor) -> Tensor | None:
    return mask.dense(query.size(2), key.size(2)) if isinstance(mask, Mask) else mask


def _of_heads(tensor: Tensor | None, heads: Tensor) -> Tensor | None:
    return tensor if tensor is None or tensor.ndim < 3 or tensor.size(-3) == 1 else tensor[..., heads, :, :]
