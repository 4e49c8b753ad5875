"""Encoders made smaller: what stays is what was there, and rounding again changes nothing."""

import pytest
import torch

from attention_filter.errors import ModelError
from attention_filter.models.compress import prune, reshaped, restored, rounded, shallower, spread
from attention_filter.models.transformer import Config, TextEncoder

CONFIG = Config(
    vocabulary=12,
    dim=16,
    heads=4,
    layers=3,
    wide=32,
    longest=8,
    positions="learned",
    norm="post",
    biased=True,
    dropout=0.0,
)
IDS = torch.tensor([[1, 5, 7, 2], [1, 9, 2, 0]])


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return TextEncoder(CONFIG).eval()


def test_taking_out_what_adds_nothing_changes_nothing(encoder):
    """Heads 1 and 3 and every second unit put to zero on their way out: they are the ones that go."""
    with torch.no_grad():
        for layer in encoder.layers:
            layer.attention.heads.to_output.weight[:, 4:8] = 0
            layer.attention.heads.to_output.weight[:, 12:] = 0
            layer.wide[2].weight[:, ::2] = 0
    small = prune(encoder, heads=2, wide=16).eval()
    torch.testing.assert_close(small(IDS), encoder(IDS))
    sizes = [sum(p.numel() for p in some.layers.parameters() if p.ndim == 2) for some in (encoder, small)]
    assert sizes[1] == sizes[0] / 2


def test_all_kept_is_the_same_encoder(encoder):
    torch.testing.assert_close(prune(encoder, heads=4, wide=32).eval()(IDS), encoder(IDS))
    torch.testing.assert_close(shallower(encoder, [0, 1, 2]).eval()(IDS), encoder(IDS))


def test_what_is_made_can_be_made_smaller_again(encoder):
    small = prune(prune(encoder, heads=2, wide=16), heads=1, wide=4)
    assert (small.config.heads, small.config.width, small.config.wide) == (1, 4, 4)
    assert small.eval()(IDS).shape == (2, 4, 16)


def test_the_larger_encoder_is_left_alone(encoder):
    before = encoder(IDS)
    small = prune(encoder, heads=4, wide=32)
    with torch.no_grad():
        for parameter in small.layers.parameters():
            parameter.zero_()
    assert torch.equal(encoder(IDS), before)


def test_a_student_starts_as_some_of_the_layers(encoder):
    student = shallower(encoder, spread(3, 2))
    assert student.config.layers == 2
    torch.testing.assert_close(student.layers[1].wide[0].weight, encoder.layers[2].wide[0].weight)


@pytest.mark.parametrize("wrong", [{"heads": 5, "wide": 1}, {"heads": 1, "wide": 0}])
def test_more_than_there_is_cannot_stay(encoder, wrong):
    with pytest.raises(ModelError, match="1 to 4 heads and 1 to 32 units can stay"):
        prune(encoder, **wrong)
    with pytest.raises(ModelError, match=r"layers \[3\] of 3"):
        shallower(encoder, [3])


@pytest.mark.parametrize(
    ("precision", "smaller", "off"), [("float32", 1, 0), ("bfloat16", 0.6, 0.05), ("int8", 0.45, 0.1)]
)
def test_rounded_weights_are_smaller_near_and_stay_as_they_are(encoder, precision, smaller, off):
    state = encoder.state_dict()
    kept = rounded(state, precision)
    back = restored(kept)
    again = rounded(back, precision)
    assert all(torch.equal(again[name], tensor) or name.endswith(".scale") for name, tensor in kept.items())
    assert back.keys() == state.keys()
    near = reshaped(encoder.embedding.words, CONFIG, back).eval()
    assert (near(IDS) - encoder(IDS)).abs().max() <= off
    sizes = [sum(one.numel() * one.element_size() for one in some.values()) for some in (state, kept)]
    assert sizes[1] <= smaller * sizes[0]
