"""Attention over one tile with its log-sum-exp, forward and backward: fused on CPU, plain elsewhere.

The log-sum-exp of a row lets parts of a softmax be computed apart and merged exactly (Milakov & Gimelshein 2018;
Dao et al. 2022, "FlashAttention", section 3.1). torch's own CPU kernel returns it; the public function hides it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def is_fused(query: Tensor, value: Tensor) -> bool:
    """Whether torch's CPU kernel takes these (batch, heads, length, dim); it crashes on empty tensors."""
    same_width = query.size(-1) == value.size(-1)
    return query.device.type == "cpu" and same_width and 0 not in query.shape and 0 not in value.shape


def as_bias(mask: Tensor | None, bias: Tensor | None, query: Tensor) -> Tensor | None:
    """What is added to the logits: `bias`, and −∞ where `mask` is False; (…, Q, K), None when there is nothing.

    float64 beside float64 queries and float32 beside all others: the kernel reads any other pair wrongly.
    """
    if mask is None and bias is None:
        return None
    dtype = accuracy(query)
    if mask is None:
        return None if bias is None else bias.to(dtype)
    base = mask.new_zeros(mask.shape, dtype=dtype) if bias is None else bias.to(dtype)
    return base.masked_fill(~mask, float("-inf"))


def accuracy(query: Tensor) -> torch.dtype:
    """The type that logits and their log-sum-exp are kept in."""
    return torch.float64 if query.dtype == torch.float64 else torch.float32


def same_width(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three with zeros added to the narrower dim: the kernel wants one width, and zeros change no dot product."""
    width = max(query.size(-1), value.size(-1))
    q, k, v = (F.pad(t, (0, width - t.size(-1))) if t.size(-1) < width else t for t in (query, key, value))
    return q, k, v


def empty_rows(bias: Tensor | None) -> Tensor | None:
    """Rows (…, Q) that may see no key at all; None when there are none."""
    if bias is None:
        return None
    empty = bias.isneginf().all(-1)
    return empty if bool(empty.any()) else None


def closed(log_sum: Tensor) -> Tensor:
    """Log-sum-exps with +∞ for rows that see nothing, so that exp(s − log_sum) is 0 there instead of NaN."""
    return log_sum.masked_fill(log_sum.isneginf(), float("inf"))


def mix(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, empty: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention over the keys of one tile, and each row's log-sum-exp.

    All are (batch, heads, length, dim), `bias` broadcasts to (batch, heads, Q, K). Returns (batch, heads, Q, V) and
    (batch, heads, Q); a row without any allowed key, named in `empty` (`empty_rows(bias)`), gets zeros and −∞.

    >>> out, log_sum = mix(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 4, 2), torch.ones(1, 1, 4, 2), None, 1.0)
    >>> out.tolist(), log_sum.exp().tolist()
    ([[[[1.0, 1.0]]]], [[[4.0]]])
    """
    if not is_fused(query, value) or 0 in key.shape:
        return mix_plainly(query, key, value, bias, scale)
    if bias is None:
        out, log_sum = _forward(*_rows_in_one_piece(query, key, value), scale=scale)
        return out, log_sum
    bias = bias.expand(*bias.shape[:-2], query.size(-2), key.size(-2))
    bias = bias.view((1,) * (4 - bias.ndim) + bias.shape)
    out, log_sum = _forward(*_rows_in_one_piece(query, key, value), attn_mask=bias, scale=scale)
    return out, log_sum if empty is None else log_sum.masked_fill(empty, float("-inf"))  # the kernel writes 0 there


def mix_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    log_sum: Tensor,
    bias: Tensor | None,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `mix` to query, key and value.

    `log_sum` is `closed`. When the tile is a part of a longer row, `out` and `log_sum` are those of the whole row:
    the gradients are then this tile's exact part of the whole.
    """
    if not is_fused(query, value) or 0 in key.shape:
        return mix_backward_plainly(grad, query, key, value, out, log_sum, bias, scale)
    if bias is not None:
        bias = bias.expand(*bias.shape[:-2], query.size(-2), key.size(-2))
        bias = bias.view((1,) * (4 - bias.ndim) + bias.shape)
    tensors = _rows_in_one_piece(grad, query, key, value, out)
    gradients = _backward(*tensors, log_sum, 0.0, False, attn_mask=bias, scale=scale)
    return gradients[0], gradients[1], gradients[2]


def mix_plainly(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """The obvious twin of `mix`, for every device and shape."""
    logits = _logits(query, key, bias, scale)
    log_sum = logits.logsumexp(-1)
    weights = (logits - closed(log_sum).unsqueeze(-1)).exp()
    return (weights @ value.to(weights.dtype)).to(value.dtype), log_sum


def mix_backward_plainly(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    log_sum: Tensor,
    bias: Tensor | None,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The obvious twin of `mix_backward`: with P the weights, dS = P ∘ (dO Vᵀ − rowsum(dO ∘ O))."""
    weights = (_logits(query, key, bias, scale) - log_sum.unsqueeze(-1)).exp()
    high = weights.dtype
    grad, out = grad.to(high), out.to(high)
    pull = weights * (grad @ value.to(high).mT - (grad * out).sum(-1, keepdim=True)) * scale
    d_query, d_key, d_value = pull @ key.to(high), pull.mT @ query.to(high), weights.mT @ grad
    return d_query.to(query.dtype), d_key.to(key.dtype), d_value.to(value.dtype)


def _rows_in_one_piece(*tensors: Tensor) -> list[Tensor]:
    """The kernel reads a row's numbers as neighbours, whatever the strides say."""
    return [t if t.stride(-1) == 1 else t.contiguous() for t in tensors]


def _logits(query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    logits = (query @ key.mT).to(accuracy(query)) * scale
    return logits if bias is None else logits + bias
