"""A token's part is what the held layers lose without it, token by token."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attention_filter.models.encoder import Encoder
from attention_filter.models.packed import Norm
from attention_filter.models.relevance import Held, traced

TEXT = "Central bank raises rates 央行加息"


def ids_of(encoder: Encoder) -> list[int]:
    return list(encoder.tokenizer.encode(encoder.prefix + TEXT).ids)


def held_norm(norm: Norm, deviation: Tensor, x: Tensor) -> Tensor:
    return (x - x.mean(1, keepdim=True)) / deviation * norm.weight + norm.bias


def through(held: Held, x: Tensor) -> Tensor:
    """The layer forward, with attention, deviations and gates as they were."""
    layer, heads = held.layer, len(held.maps)
    value = layer.query_key_value(x).chunk(3, 1)[2].unflatten(1, (heads, -1)).transpose(0, 1)
    x = x + layer.attended((held.maps @ value).transpose(0, 1).flatten(1))
    x = held_norm(layer.attended_norm, held.attended_deviation, x)
    return held_norm(layer.norm, held.deviation, x + layer.narrow(layer.widen(x) * held.gates))


@pytest.mark.parametrize("depth", [2, 6])
@torch.inference_mode()
def test_a_part_is_what_the_held_layers_lose_without_that_token(encoder: Encoder, depth: int) -> None:
    trace = traced(encoder.body, ids_of(encoder), depth)
    toward = torch.randn(depth + 1, encoder.dim, generator=torch.Generator().manual_seed(0))

    def toward_the_sums(inputs: Tensor) -> Tensor:
        after = [inputs]
        for held in trace.held:
            after.append(through(held, after[-1]))
        return torch.stack([one.sum(0) @ direction for one, direction in zip(after, toward, strict=True)]).sum()

    whole = toward_the_sums(trace.states[0])
    sums = [one.sum(0) @ direction for one, direction in zip(trace.states, toward, strict=True)]
    torch.testing.assert_close(whole, torch.stack(sums).sum(), atol=1e-3, rtol=1e-4)
    lost = []
    for token in range(len(trace.counts)):
        without = trace.states[0].clone()
        without[token] = 0
        lost.append(whole - toward_the_sums(without))
    torch.testing.assert_close(trace.parts(toward), torch.stack(lost), atol=1e-3, rtol=1e-3)


@torch.inference_mode()
def test_tracing_changes_no_state(encoder: Encoder, int8: Encoder) -> None:
    for one in (encoder, int8):
        states = torch.stack(traced(one.body, ids_of(one)).states[1:])
        assert torch.equal(states, one.body.layer_states([ids_of(one)], (11, 12))[0])


def test_the_rounded_encoder_carries_nearly_the_same(encoder: Encoder, int8: Encoder) -> None:
    toward = torch.randn(encoder.dim, generator=torch.Generator().manual_seed(1)).double().numpy()
    exact, rounded = encoder.token_states(TEXT).carried(toward), int8.token_states(TEXT).carried(toward)
    assert abs(exact - rounded).max() < 0.1 * abs(exact).max()
