"""Locality-sensitive hashing attention (Kitaev et al. 2020, "Reformer", section 2). Cost O(n · chunk · rounds).

Query and key are one: k_j = q_j / ‖q_j‖. A round hashes each token by random rotations, h(x) = argmax [xR ; −xR],
sorts by bucket, cuts the order into chunks, and lets a token see its bucket in its chunk and the one before. With
P_i the union of what the rounds let i see,

    o_i = Σ_{j ∈ P_i} exp(q_i·k_j / √d − z_i) v_j,    z_i the log-sum-exp over P_i          (eqs. 2, 3)

so it is exact on P_i: a pair that several rounds find counts in the first alone, which gives what the paper's
− log N_ij does. Rounds are merged by their log-sum-exps. A token's logit for itself is −5e4: it looks at itself
only when nothing else is there. What is approximate is P_i: it misses some keys with large dot products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_filter.attention.blockwise import merge
from attention_filter.attention.kernels import accuracy, closed, empty_rows, mix, mix_backward, same_width

SELF = -5e4  # logit of a token for itself


@dataclass(frozen=True)
class Settings:
    """`buckets` is even, or 1: everything in one. `chunk` is the length of a piece of the sorted order."""

    buckets: int
    chunk: int
    rounds: int = 1
    causal: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.buckets != 1 and self.buckets % 2:
            raise ValueError(f"lsh: buckets must be 1 or even, not {self.buckets}")


def lsh(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    settings: Settings,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention among tokens that hash alike: (batch, heads, n, V). `key` must be the same tensor as `query`.

    `keep` (batch, n) is False at padding. The rotations come from `settings.seed`, the same for batch and heads.

    >>> q, v = torch.ones(1, 1, 3, 2), torch.tensor([1.0, 2.0, 6.0]).view(1, 1, 3, 1)
    >>> lsh(q, q, v, settings=Settings(buckets=1, chunk=4)).flatten().tolist()
    [4.0, 3.5, 1.5]
    """
    if key is not query:
        raise ValueError("lsh: query and key are shared; pass the same tensor for both")
    if not value.numel():
        return value
    scale = query.size(-1) ** -0.5 if scale is None else scale
    n, width = query.size(-2), value.size(-1)
    room = -n % settings.chunk  # empty places, so that chunks are full
    kept = query.new_ones(query.size(0), n, dtype=torch.bool) if keep is None else keep
    kept = F.pad(kept, (0, room))
    query, value = F.pad(query, (0, 0, 0, room)), F.pad(value, (0, 0, 0, room))
    order, places = _sorted_by_bucket(query.detach(), kept, settings)
    key = query / query.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    query, key, value = same_width(query, key, value)
    out: Tensor = _Rounds.apply(query, key, value, order, places, scale, settings)  # type: ignore[no-untyped-call]
    return out[..., :n, :width]


def _sorted_by_bucket(query: Tensor, kept: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Per round: the sorted order (rounds, batch, heads, n), and each token's bucket and chunk (2, rounds, …, n)."""
    generator = torch.Generator().manual_seed(settings.seed)
    shape = (settings.rounds, 1, 1, query.size(-1), max(1, settings.buckets // 2))
    rotations = torch.randn(shape, generator=generator, dtype=torch.float64).to(query)
    turned = query.unsqueeze(0) @ rotations
    buckets = torch.cat([turned, -turned], -1).argmax(-1) if settings.buckets > 1 else turned[..., 0].long() * 0
    buckets = buckets.masked_fill(~kept[:, None, :], settings.buckets)  # padding goes last
    order = buckets.sort(stable=True, dim=-1).indices
    ranks = torch.empty_like(order).scatter_(-1, order, torch.arange(order.size(-1)).expand_as(order).contiguous())
    return order, torch.stack([buckets, ranks // settings.chunk])


class _Rounds(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, order, places, scale, settings):  # type: ignore[no-untyped-def]
        out = torch.zeros_like(value, dtype=accuracy(query))
        log_sum = query.new_full(query.shape[:-1], float("-inf"), dtype=accuracy(query))
        for number in range(settings.rounds):
            chunks = _chunks(query, key, value, order[number], settings.chunk)
            bias = _bias(number, order, places, settings, query)
            part, part_sum = mix(*chunks, bias, scale, empty_rows(bias))
            part, part_sum = _unsorted(part, order[number]), _unsorted(part_sum.unsqueeze(-1), order[number])
            out, log_sum = merge(out, log_sum, part, part_sum.squeeze(-1))
        out = out.to(value.dtype)
        ctx.save_for_backward(query, key, value, order, places, out, closed(log_sum))
        ctx.scale, ctx.settings = scale, settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        query, key, value, order, places, out, log_sum = ctx.saved_tensors
        size = ctx.settings.chunk
        totals = [torch.zeros_like(t, dtype=accuracy(query)) for t in (query, key, value)]
        for number in range(ctx.settings.rounds):
            bias = _bias(number, order, places, ctx.settings, query)
            chunks = _chunks(query, key, value, order[number], size)
            above, own, sums = (_cut(t, order[number], size) for t in (grad, out, log_sum.unsqueeze(-1)))
            d_query, d_key, d_value = mix_backward(above, *chunks, own, sums.squeeze(-1), bias, ctx.scale)
            totals[0] += _unsorted(d_query, order[number])
            for total, part in ((totals[1], d_key), (totals[2], d_value)):
                total += _unsorted(_fold_back(part, query.size(1)), order[number])
        return *(total.to(t.dtype) for total, t in zip(totals, (query, key, value), strict=True)), *[None] * 4


def _bias(number: int, order: Tensor, places: Tensor, settings: Settings, query: Tensor) -> Tensor:
    """What is added to the logits of one round, (batch, heads · chunks, chunk, 2 · chunk)."""
    size, chunks = settings.chunk, order.size(-1) // settings.chunk
    buckets = places[0, number].gather(-1, order[number]).int()
    padded = buckets == settings.buckets
    # Padding meets nothing, and neither does the chunk that stands before the first one only by rolling over.
    rows, _ = _pairs(buckets.masked_fill(padded, -1), size, rolled=None)
    _, columns = _pairs(buckets.masked_fill(padded, -2), size, rolled=-3)
    allowed = rows == columns
    if settings.causal:
        rows, columns = _pairs(order[number].int(), size, rolled=None)
        allowed &= columns <= rows
    for other in range(number):  # pairs that an earlier round has shown: same bucket, same chunk or the one before
        codes = (places[0, other] * (chunks + 1) + places[1, other]).gather(-1, order[number]).int()
        rows, columns = _pairs(codes, size, rolled=None)
        allowed &= (rows != columns) & (rows != columns + 1)
    itself = torch.zeros(size, 2 * size, dtype=accuracy(query)).fill_diagonal_(SELF)
    return torch.where(allowed, itself, float("-inf"))


def _chunks(query: Tensor, key: Tensor, value: Tensor, order: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sorted queries in chunks (batch, heads · chunks, chunk, d), keys and values with the chunk before."""
    keys, values = (_with_before(_cut(t, order, size), query.size(1)) for t in (key, value))
    return _cut(query, order, size), keys, values


def _cut(tensor: Tensor, order: Tensor, size: int) -> Tensor:
    """The sorted rows of (batch, heads, n, dim) in chunks (batch, heads · chunks, chunk, dim)."""
    ordered = tensor.reshape(-1, tensor.size(-1)).index_select(0, _flat(order))
    return ordered.view(tensor.size(0), -1, size, tensor.size(-1))


def _with_before(chunks: Tensor, heads: int) -> Tensor:
    by_head = chunks.view(chunks.size(0), heads, -1, *chunks.shape[2:])
    before = by_head.roll(1, 2)  # the first chunk gets the last one, which `_bias` forbids
    return torch.cat([by_head, before], 3).flatten(1, 2)


def _fold_back(grad: Tensor, heads: int) -> Tensor:
    """The transpose of `_with_before`."""
    size = grad.size(2) // 2
    by_head = grad.reshape(grad.size(0), heads, -1, *grad.shape[2:])
    return (by_head[..., :size, :] + by_head[..., size:, :].roll(-1, 2)).flatten(1, 2)


def _pairs(numbers: Tensor, size: int, *, rolled: int | None) -> tuple[Tensor, Tensor]:
    """Numbers of sorted tokens (batch, heads, n) as rows (…, chunk, 1) and columns (…, 1, 2 · chunk) of the chunks.

    `rolled` replaces those of the last chunk where it stands before the first.
    """
    batch, heads, _ = numbers.shape
    chunks = numbers.view(batch, heads, -1, size)
    before = chunks.roll(1, 2)
    if rolled is not None:
        before[:, :, 0] = rolled
    columns = torch.cat([chunks, before], 3).view(batch, -1, 1, 2 * size)
    return chunks.view(batch, -1, size, 1), columns


def _unsorted(chunks: Tensor, order: Tensor) -> Tensor:
    """The transpose of `_cut`."""
    rows = chunks.reshape(-1, chunks.size(-1))
    return torch.empty_like(rows).index_copy_(0, _flat(order), rows).view(*order.shape, -1)


def _flat(order: Tensor) -> Tensor:
    """Places in (batch · heads · n) instead of places in n: whole rows are then copied at once."""
    sequences = order.size(0) * order.size(1)
    return (order.reshape(sequences, -1) + torch.arange(sequences).unsqueeze(1) * order.size(-1)).flatten()
