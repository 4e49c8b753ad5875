"""Where a token sits: added to the input (sinusoidal, learned), to the logits (relative, ALiBi), or turned (rotary)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sinusoidal(length: int, dim: int, *, start: int = 0) -> Tensor:
    """Fixed encodings (length, dim): sin at even and cos at odd features, wavelengths 2π … 10000·2π.

    PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i+1) = cos(the same) (Vaswani et al. 2017, section 3.5).

    >>> sinusoidal(1, 4).tolist()
    [[0.0, 1.0, 0.0, 1.0]]
    """
    angles = _angles(torch.arange(start, start + length), (dim + 1) // 2 * 2, 10_000.0)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[:, :dim].float()


class LearnedPositions(nn.Module):
    """One vector for each position below `length`, to be added to the input."""

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(length, dim) * 0.02)

    def forward(self, length: int, start: int = 0) -> Tensor:
        if start + length > len(self.table):
            raise ValueError(f"LearnedPositions: {start + length} positions asked for, {len(self.table)} learned")
        return self.table[start : start + length]


class RelativeBias(nn.Module):
    """One learned number per head and distance j − i, cut off at ±`reach`: a bias (heads, Q, K).

    The scalar form of Shaw et al. 2018 (eq. 4), as in Raffel et al. 2020, with plain instead of log-spaced buckets.
    """

    def __init__(self, heads: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.table = nn.Parameter(torch.zeros(heads, 2 * reach + 1))

    def forward(self, queries: int, keys: int) -> Tensor:
        return self.table[:, distances(queries, keys).clamp(-self.reach, self.reach) + self.reach]


def distances(queries: int, keys: int) -> Tensor:
    """j − i, (Q, K), the queries being the last positions.

    >>> distances(1, 3).tolist()
    [[-2, -1, 0]]
    """
    return torch.arange(keys) - torch.arange(keys - queries, keys).unsqueeze(1)


def alibi(heads: int, queries: int, keys: int) -> Tensor:
    """The bias −slope_h · |i − j|, (heads, Q, K) (Press et al. 2022): slopes 2^(−8h/H) for a power of two of heads.

    For other numbers, the slopes of the next lower power, then every other one of the next higher, as in the paper.

    >>> alibi(8, 1, 3)[0].tolist()
    [[-1.0, -0.5, -0.0]]
    """
    lower = 2 ** (heads.bit_length() - 1)
    slopes = [2 ** (-8 * (h + 1) / lower) for h in range(lower)]
    slopes += [2 ** (-4 * (h + 1) / lower) for h in range(0, 2 * (heads - lower), 2)]
    return -torch.tensor(slopes).view(-1, 1, 1) * distances(queries, keys).abs()


def rotary(x: Tensor, start: int = 0, *, base: float = 10_000.0) -> Tensor:
    """Turn each pair of features of x (..., length, dim) by an angle in proportion to its position.

    Feature pairs (2i, 2i+1) turn by p · base^(−2i/d) (Su et al. 2021, eq. 34). Applied to queries and keys alike,
    their dot product depends on the distance alone.

    >>> rotary(torch.tensor([[1.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    if x.size(-1) % 2:
        raise ValueError(f"rotary: needs an even number of features, got {x.size(-1)}")
    angles = _angles(torch.arange(start, start + x.size(-2), device=x.device), x.size(-1), base)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


def _angles(positions: Tensor, dim: int, base: float) -> Tensor:
    rates = base ** (-torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device) / dim)
    return positions.double().unsqueeze(1) * rates
