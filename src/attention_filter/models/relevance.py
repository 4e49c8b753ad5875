"""What each token brought into the last layers, carried back through them.

A text's vector is a mean of the last states, and every state has by then looked at the whole text: what stands at
a token's place is not what the token said. Held fixed as they were for this text, the attention maps, the GELU's gates
and the norms' deviations leave a layer linear, so that a direction at its output pulls back to one at its input, and
a token's part is the product with its state there (Ali et al. 2022, "XAI for Transformers: Better Explanations through
Conservative Propagation"; Achtibat et al. 2024, "AttnLRP"). The pass back costs as much as those layers did.

Biases are in no token's part, so the parts sum to the whole but for them: who shows them counts the difference as rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attention_filter.models.packed import Layer, Norm, PackedBert

DEPTH = 2  # layers carried back through


def upper_half(layers: int) -> int:
    """How many of a classifier's layers are gone back through; chosen on four sets (docs/tasks.md).

    >>> upper_half(12), upper_half(5)
    (6, 3)
    """
    return layers - layers // 2


@dataclass(frozen=True)
class Held:
    """A layer as it was for a text of T tokens: attention maps (heads, T, T), deviations (T, 1), gates (T, wide)."""

    layer: Layer
    maps: Tensor
    attended_deviation: Tensor
    gates: Tensor
    deviation: Tensor

    def back(self, toward: Tensor) -> Tensor:
        """The directions (T, d) at the layer's inputs that say what those at its outputs say."""
        layer, heads = self.layer, len(self.maps)
        toward = _through(layer.norm, self.deviation, toward)
        toward = toward + layer.widen.back(layer.narrow.back(toward) * self.gates)
        toward = _through(layer.attended_norm, self.attended_deviation, toward)
        mixed = layer.attended.back(toward).view(len(toward), heads, -1).transpose(0, 1)  # (heads, T, d / heads)
        value = (self.maps.mT @ mixed).transpose(0, 1).flatten(1)
        return toward + layer.query_key_value.back(F.pad(value, (2 * value.size(1), 0)))


@dataclass(frozen=True)
class Trace:
    """The `states` (T, d) that go into the last layers and come out of each of them, those layers as they were for this
    text, first to last, and what each token `counts` (T, 1) in a sum of states."""

    states: tuple[Tensor, ...]
    held: tuple[Held, ...]
    counts: Tensor

    def parts(self, toward: Tensor) -> Tensor:
        """What each token brought into these layers (T,), of Σ_i toward_i·(sum of states_i, as they count).

        `toward` (len(states), d) is a direction for each of the states, zeros where none are asked of.
        """
        each = self.counts * toward[-1]
        for held, one in zip(reversed(self.held), reversed(toward[:-1].unbind()), strict=True):
            each = held.back(each) + self.counts * one
        return (each * self.states[0]).sum(1)

    def standing(self, toward: Tensor) -> Tensor:
        """The same without going back: what of it stands at each token's place (T,) after attention."""
        return (torch.stack(self.states) * toward[:, None]).sum((0, 2)) * self.counts[:, 0]


def traced(body: PackedBert, ids: Sequence[int], depth: int = DEPTH) -> Trace:
    """How the last `depth` layers came to one text's states; those are as `PackedBert.states` has them."""
    x = body.embedded(ids)
    lower = len(body.layers) - depth
    for layer in body.layers[:lower]:
        x = layer.rest(x, body.attend(layer.query_key_value(x), [(0, 1, len(ids))]))
    states, held = [x], []
    for layer in body.layers[lower:]:
        qkv = layer.query_key_value(x)
        query, key, _ = qkv.view(len(ids), 3, body.heads, -1).permute(1, 2, 0, 3)
        maps = (query @ key.mT / query.size(-1) ** 0.5).softmax(-1)
        mixed = x + layer.attended(body.attend(qkv, [(0, 1, len(ids))]))
        x = layer.attended_norm(mixed)
        wide = layer.widen(x)
        out = x + layer.narrow(F.gelu(wide))
        x = layer.norm(out)
        gates = torch.special.ndtr(wide)  # GELU(x) = x Φ(x)
        held.append(Held(layer, maps, _deviation(layer.attended_norm, mixed), gates, _deviation(layer.norm, out)))
        states.append(x)
    return Trace(tuple(states), tuple(held), torch.ones(len(ids), 1))


def _deviation(norm: Norm, x: Tensor) -> Tensor:
    return (x.var(1, correction=0, keepdim=True) + norm.eps).sqrt()


def _through(norm: Norm, deviation: Tensor, toward: Tensor) -> Tensor:
    """Back through a norm whose deviation is held."""
    scaled = toward * norm.weight / deviation
    return scaled - scaled.mean(1, keepdim=True)
