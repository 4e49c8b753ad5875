"""`attend`: attention in one function, with either normalisation."""

from __future__ import annotations

from typing import Literal, overload

import torch
from torch import Tensor


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
    unscaled. Returns the mixed values (..., Q, V), and the weights (..., Q, K) when asked for.

    >>> h = attend(torch.zeros(1, 4), torch.zeros(2, 4), torch.eye(2))
    >>> h.tolist()
    [[0.5, 0.5]]
    >>> _, a = attend(torch.eye(2), torch.eye(2), torch.eye(2), normalize="queries", return_weights=True)
    >>> a.sum(0).tolist()
    [1.0, 1.0]
    """
    if normalize not in ("keys", "queries"):
        raise ValueError(f'normalize must be "keys" or "queries", not {normalize!r}')
    logits = query @ key.mT * (query.size(-1) ** -0.5 if scale is None else scale)  # (..., Q, K)
    if bias is not None:
        logits = logits + bias
    axis = -1 if normalize == "keys" else -2
    if mask is None:
        weights = logits.softmax(axis)
    else:
        # A finite floor keeps the gradient of fully masked rows zero instead of NaN.
        logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
        weights = logits.softmax(axis).masked_fill(~mask, 0.0)
    mixed = torch.dropout(weights, dropout, train=True) @ value if dropout else weights @ value
    return (mixed, weights) if return_weights else mixed
