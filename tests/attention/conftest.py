"""The family of attention variants and its oracle: float64, dense, in the words of the definition."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from attention_filter.attention import core, global_local, local, lsh, masks, span, sparse
from attention_filter.attention.blockwise import attend_masked


def dot_products(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.mT / query.size(-1) ** 0.5


def shared_dot_products(query: Tensor, key: Tensor) -> Tensor:
    logits = dot_products(query, key / key.norm(dim=-1, keepdim=True))
    return logits.masked_fill(torch.eye(query.size(-2), dtype=torch.bool), -5e4)


@dataclass(frozen=True)
class Member:
    """`run` is the code; `strength(n)` (…, n, n), between 0 and 1, and `logits` say what it should compute."""

    name: str
    run: Callable[..., Tensor]  # query, key, value, keep
    strength: Callable[[int], Tensor]
    logits: Callable[[Tensor, Tensor], Tensor] = dot_products
    axis: int = -1
    causal: bool = False
    equivariant: bool = False  # to a permutation of the tokens
    shared: bool = False  # query and key are one tensor

    def inputs(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (query, query, value) if self.shared else (query, key, value)

    def weights(self, query: Tensor, key: Tensor, keep: Tensor | None) -> Tensor:
        strength = self.strength(query.size(-2)).double()
        if keep is not None:
            strength = strength * keep[:, None, :, None] * keep[:, None, None, :]
        logits = self.logits(query, key)
        top = logits.masked_fill(strength == 0, -1e300).amax(self.axis, keepdim=True).detach().clamp_min(-1e290)
        strengths = strength * (logits - top).clamp_max(0).exp()
        return strengths / strengths.sum(self.axis, keepdim=True).clamp_min(1e-300)


def pairs(rule: Callable[[Tensor, Tensor], Tensor]) -> Callable[[int], Tensor]:
    """The matrix of a rule about i and j, written without the library's masks."""

    def matrix(n: int) -> Tensor:
        i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
        return rule(i, j)

    return matrix


def fading(n: int) -> Tensor:
    i, j = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    z = torch.tensor([1.0, 4.5, 0.0], dtype=torch.float64).view(-1, 1, 1)
    return ((3.0 + z - (i - j)) / 3.0).clamp(0, 1) * (j <= i)


def _masked(normalize: str) -> Callable[..., Tensor]:
    def run(query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Tensor:
        mask = None if keep is None else keep[:, None, :, None] & keep[:, None, None, :]
        return core.attend(query, key, value, mask, normalize=normalize)

    return run


def _combined(query: Tensor, key: Tensor, value: Tensor, keep: Tensor | None) -> Tensor:
    layout = torch.eye(40, dtype=torch.bool) | torch.eye(40, dtype=torch.bool).roll(1, 0)
    mask = (masks.block_sparse(layout, 4) | masks.global_tokens(torch.tensor([2]))) & masks.causal()
    mask = mask if keep is None else mask & masks.padding(keep, rows_too=True)
    return attend_masked(query, key, value, mask, block=8)


def _hashed(causal: bool) -> Callable[..., Tensor]:
    settings = lsh.Settings(buckets=1, chunk=200, rounds=2, causal=causal)
    return lambda q, k, v, keep: lsh.lsh(q, k, v, settings=settings, keep=keep)


EVERYWHERE = pairs(lambda i, j: i == i)
BEFORE = pairs(lambda i, j: j <= i)
GLOBAL = torch.tensor([0, 7])

FAMILY = [
    Member("H", _masked("keys"), EVERYWHERE, equivariant=True),
    Member("A", _masked("queries"), EVERYWHERE, axis=-2, equivariant=True),
    Member(
        "combined masks",
        _combined,
        pairs(lambda i, j: ((i // 4 - j // 4 <= 1) | (i == 2) | (j == 2)) & (j <= i)),
        causal=True,
    ),
    Member(
        "local", lambda q, k, v, keep: local.local(q, k, v, window=3, keep=keep), pairs(lambda i, j: (i - j).abs() <= 3)
    ),
    Member(
        "local, causal",
        lambda q, k, v, keep: local.local(q, k, v, window=3, causal=True, keep=keep),
        pairs(lambda i, j: (i - j <= 3) & (j <= i)),
        causal=True,
    ),
    Member(
        "global and local",
        lambda q, k, v, keep: global_local.global_local(q, k, v, window=2, positions=GLOBAL, keep=keep),
        pairs(lambda i, j: ((i - j).abs() <= 2) | (i == 0) | (i == 7) | (j == 0) | (j == 7)),
    ),
    Member(
        "strided",
        lambda q, k, v, keep: sparse.strided(q, k, v, stride=4, keep=keep),
        pairs(lambda i, j: (j <= i) & ((i - j <= 4) | ((i - j) % 4 == 0))),
        causal=True,
    ),
    Member(
        "fixed",
        lambda q, k, v, keep: sparse.fixed(q, k, v, stride=5, summary=2, keep=keep),
        pairs(lambda i, j: (j <= i) & ((i // 5 == j // 5) | (j % 5 >= 3))),
        causal=True,
    ),
    Member("LSH, one bucket", _hashed(False), EVERYWHERE, shared_dot_products, equivariant=True, shared=True),
    Member("LSH, one bucket, causal", _hashed(True), BEFORE, shared_dot_products, causal=True, shared=True),
    Member(
        "adaptive span",
        lambda q, k, v, keep: span.span_attention(
            q, k, v, span=torch.tensor([1.0, 4.5, 0.0], dtype=q.dtype), ramp=3.0, keep=keep
        ),
        fading,
        causal=True,
    ),
]


@pytest.fixture(scope="session", params=FAMILY, ids=lambda member: member.name)
def member(request) -> Member:
    return request.param


@pytest.fixture(scope="session")
def all_members() -> dict[str, Member]:
    return {member.name: member for member in FAMILY}
