"""Low-rank adaptation: W stays, and a small product beside it learns (Hu et al. 2022, "LoRA", equation 3).

    y = W x + (α / r) B A x,    A (r, inputs) random, B (outputs, r) zero at first

An adapted model starts as the model it was, trains r · (inputs + outputs) numbers a matrix instead of inputs · outputs,
and can be merged back into plain matrices.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn


class LowRank(nn.Module):
    """A linear layer that stays, and the low-rank product that learns beside it."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(x) + self.dropout(x) @ self.down.mT @ self.up.mT * self.scale
        return out

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The plain layer W + (α / r) B A."""
        self.linear.weight += self.up @ self.down * self.scale
        return self.linear.requires_grad_(True)


def adapt(
    model: nn.Module,
    rank: int = 8,
    *,
    names: Collection[str] = ("to_query", "to_value"),
    alpha: float = 16.0,
    dropout: float = 0.1,
) -> int:
    """Freeze the model and put a low-rank product beside its linear layers of these names; how many numbers learn.

    >>> model = nn.ModuleDict({"to_query": nn.Linear(4, 4), "to_key": nn.Linear(4, 4)})
    >>> adapt(model, rank=1)
    8
    """
    model.requires_grad_(False)
    for parent, name, layer in _linears(model, names):
        setattr(parent, name, LowRank(layer, rank, alpha, dropout))
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def merge(model: nn.Module) -> None:
    """Put what was learned into the matrices themselves; the model is as it was built, with other numbers."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, LowRank):
                setattr(parent, name, layer.merged())


def _linears(model: nn.Module, names: Collection[str]) -> list[tuple[nn.Module, str, nn.Linear]]:
    """Where the linear layers of these names stand; listed first, since replacing them changes the tree."""
    return [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if name in names and isinstance(layer, nn.Linear)
    ]
