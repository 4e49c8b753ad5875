"""`attend`: attention in one function, with either normalisation.

Without weights it runs on fused kernels and never holds the weights; asked for them it computes them plainly. (A mask
or bias is held as it is given; for A its sum with the columns' totals is, once for each head.)
"""

from __future__ import annotations

from typing import Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_filter.attention.kernels import accuracy, as_bias, closed, empty_rows, mix, mix_backward, same_width


@overload
def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = ...,
    *,
    bias: Tensor | None = ...,
    scale: float | None = ...,
    normalize: Literal["keys", "queries"] = ...,
    dropout: float = ...,
    return_weights: Literal[False] = ...,
) -> Tensor: ...


@overload
def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = ...,
    *,
    bias: Tensor | None = ...,
    scale: float | None = ...,
    normalize: Literal["keys", "queries"] = ...,
    dropout: float = ...,
    return_weights: Literal[True],
) -> tuple[Tensor, Tensor]: ...


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
    normalize: Literal["keys", "queries"] = "keys",
    dropout: float = 0.0,
    return_weights: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Mix the rows of `value` (..., K, V) by how well each `key` (..., K, D) answers each `query` (..., Q, D).

    With `normalize="keys"` the weights are the attention distribution H_ij = softmax over j of (q_i·k_j · scale):
    every row sums to one and says where query i looks (Vaswani et al. 2017, eq. 1). With `"queries"` they are the
    attention weight matrix A_ij = exp(q_i·k_j) / Σ_k exp(q_k·k_j): every column sums to one, the queries compete
    for input j (the normalisation of Locatello et al. 2020, eq. 1, without their second, row-wise one).

    `mask` (broadcast to (..., Q, K)) is True where attention is allowed; a fully masked row or column gets weights
    of zero, never NaN. `bias` is added to the scaled logits. `scale` is 1/√D unless given; 1.0 leaves them
    unscaled. `dropout` acts on the weights. Empty inputs give zeros. Returns the mixed values (..., Q, V), and the
    weights (..., Q, K) when asked for.

    >>> h = attend(torch.zeros(1, 4), torch.zeros(2, 4), torch.eye(2))
    >>> h.tolist()
    [[0.5, 0.5]]
    >>> _, a = attend(torch.eye(2), torch.eye(2), torch.eye(2), normalize="queries", return_weights=True)
    >>> a.sum(0).tolist()
    [1.0, 1.0]
    """
    if normalize not in ("keys", "queries"):
        raise ValueError(f'normalize must be "keys" or "queries", not {normalize!r}')
    scale = query.size(-1) ** -0.5 if scale is None else scale
    if not return_weights and query.numel() and key.numel() and value.numel():
        if normalize == "keys":
            return _look(query, key, value, mask, bias, scale, dropout)
        if query.device.type == "cpu" and not dropout and not (bias is not None and bias.requires_grad):
            return _claim(query, key, value, mask, bias, scale)
    weights = _weights(query @ key.mT * scale, mask, bias, -1 if normalize == "keys" else -2).to(value.dtype)
    mixed = torch.dropout(weights, dropout, train=True) @ value if dropout else weights @ value
    return (mixed, weights) if return_weights else mixed


def weight_rows(
    query: Tensor,
    key: Tensor,
    rows: Tensor,
    mask: Tensor | None = None,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
    normalize: Literal["keys", "queries"] = "keys",
) -> Tensor:
    """Rows `rows` (R,) of the weights that `attend` would return, (..., R, K), without the other rows.

    A row of H costs one row. A row of A needs Σ_k exp(q_k·k_j) of every column too: one fused pass, nothing kept.

    >>> weight_rows(torch.eye(3), torch.zeros(2, 3), torch.tensor([1])).tolist()
    [[0.5, 0.5]]
    """
    scale = query.size(-1) ** -0.5 if scale is None else scale
    whole = (query.size(-2), key.size(-2))
    chosen_mask = mask if mask is None else mask.expand(*mask.shape[:-2], *whole)[..., rows, :]
    chosen_bias = bias if bias is None else bias.expand(*bias.shape[:-2], *whole)[..., rows, :]
    logits = query[..., rows, :] @ key.mT * scale
    if normalize == "keys":
        return _weights(logits, chosen_mask, chosen_bias, -1)
    q, k, _, added, batch = _align(query, key, key, as_bias(mask, bias, query))
    turned = None if added is None else added.mT
    _, totals = mix(k, q, q, turned, scale, empty_rows(turned))  # (b, h, K)
    added = as_bias(chosen_mask, chosen_bias, query)
    logits = logits if added is None else logits + added
    return (logits - closed(totals).view(*batch, 1, -1)).exp().to(query.dtype)


def _weights(logits: Tensor, mask: Tensor | None, bias: Tensor | None, axis: int) -> Tensor:
    if bias is not None:
        logits = logits + bias
    if mask is None:
        return logits.softmax(axis)
    # A finite floor keeps the gradient of fully masked rows zero instead of NaN.
    return logits.masked_fill(~mask, torch.finfo(logits.dtype).min).softmax(axis).masked_fill(~mask, 0.0)


def _look(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, bias: Tensor | None, scale: float, dropout: float
) -> Tensor:
    """H·V by torch's fused kernel."""
    added, seen = bias if bias is None else bias.to(accuracy(query)), None
    if mask is not None:
        # Rows that may see nothing look everywhere and are emptied below: no kernel then gives NaN for them.
        seen = mask.any(-1, keepdim=True)
        allowed = mask | ~seen
        added = allowed if added is None else added.masked_fill(~allowed, float("-inf"))
    q, k, v, added, batch = _align(query, key, value, added)
    out = F.scaled_dot_product_attention(q, k, v, added, dropout, scale=scale)
    out = out.reshape(*batch, *out.shape[-2:])
    return out if seen is None else out.masked_fill(~seen, 0.0)


def _claim(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, bias: Tensor | None, scale: float) -> Tensor:
    """A·V by two fused passes."""
    q, k, v, added, batch = _align(query, key, value, as_bias(mask, bias, query))
    out: Tensor = _Claim.apply(*same_width(q, k, v), added, scale)  # type: ignore[no-untyped-call]
    return out[..., : value.size(-1)].reshape(*batch, query.size(-2), value.size(-1))


class _Claim(torch.autograd.Function):
    """A·V without A.

    Let c_j = log Σ_k exp(s_kj) be column j's log-sum-exp over the queries. Then A_ij = exp(s_ij − c_j), and

        (A·V)_i = m_i · softmax_j(s_ij − c_j) · V,    m_i = Σ_j exp(s_ij − c_j), the mass that query i claims:

    one pass of key against query gives c, a second of query against key with bias −c gives the softmax and log m.

    Backward: ⟨G, A·V⟩ = ⟨V, Aᵀ·G⟩, and Aᵀ·G is plain attention with keys as queries, queries as keys and G as
    values. So dV = Aᵀ·G is its output, and dQ, dK are its gradients when V is what arrives from above.
    """

    @staticmethod
    def forward(ctx, query, key, value, bias, scale):  # type: ignore[no-untyped-def]
        turned = None if bias is None else bias.mT
        _, columns = mix(key, query, query, turned, scale, empty_rows(turned))  # (b, h, K)
        columns = closed(columns)
        shifted = -columns.unsqueeze(-2) if bias is None else bias - columns.unsqueeze(-2)
        out, log_mass = mix(query, key, value, shifted, scale, empty_rows(shifted))
        ctx.save_for_backward(query, key, value, bias, columns)
        ctx.scale = scale
        return out * log_mass.exp().unsqueeze(-1).to(out.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        query, key, value, bias, columns = ctx.saved_tensors
        turned = None if bias is None else bias.mT
        d_value, _ = mix(key, query, grad, turned, ctx.scale)
        d_key, d_query, _ = mix_backward(value, key, query, grad, d_value, columns, turned, ctx.scale)
        return d_query, d_key, d_value, None, None


def _align(
    query: Tensor, key: Tensor, value: Tensor, added: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None, torch.Size]:
    """All as (batch, heads, length, dim), with the leading sizes they broadcast to; a mask or bias stays small."""
    own = () if added is None else added.shape[:-2]
    batch: torch.Size = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2], own)  # type: ignore[no-untyped-call]
    lead = (1,) * (2 - len(batch)) + batch if len(batch) <= 2 else (-1, batch[-1])
    q, k, v = (t.expand(*batch, *t.shape[-2:]).reshape(*lead, *t.shape[-2:]) for t in (query, key, value))
    if added is not None:
        crowded = len(batch) > 2 and len(own) > 1
        added = added.expand(*batch, *added.shape[-2:]).reshape(*lead, *added.shape[-2:]) if crowded else added
        added = added.reshape((1,) * (4 - added.ndim) + added.shape)
    return q, k, v, added, batch
