"""Low-rank adaptation: nothing changes at first, little learns, and it can be merged."""

from __future__ import annotations

import torch

from attention_filter.models.lora import adapt, merge
from attention_filter.models.transformer import Config, TextEncoder

IDS = torch.tensor([[5, 6, 7, 8]])


def model() -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(Config(vocabulary=12, dim=16, heads=2, layers=2, wide=32, dropout=0.0)).eval()


def test_an_adapted_model_begins_as_the_model_it_was() -> None:
    plain, adapted = model(), model()
    learning = adapt(adapted, rank=2)
    assert learning == 2 * 2 * 2 * (16 + 16)  # layers, matrices, rank
    assert torch.equal(adapted.eval()(IDS), plain(IDS))


def test_merging_gives_a_plain_model_with_the_same_answers() -> None:
    adapted = model()
    adapt(adapted, rank=2)
    for name, parameter in adapted.named_parameters():
        if name.endswith(".up"):
            torch.nn.init.normal_(parameter)
    before = adapted.eval()(IDS)
    merge(adapted)
    assert set(adapted.state_dict()) == set(model().state_dict())
    torch.testing.assert_close(adapted(IDS), before)
    assert not torch.allclose(before, model()(IDS))


def test_only_the_low_rank_part_learns() -> None:
    adapted = model()
    adapt(adapted, rank=2)
    adapted.train()(IDS).square().mean().backward()
    learned = {name for name, parameter in adapted.named_parameters() if parameter.grad is not None}
    assert learned
    assert all(name.endswith((".down", ".up")) for name in learned)
