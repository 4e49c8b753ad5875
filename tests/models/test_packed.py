"""The fast twin gives what transformers' BertModel gives."""

from __future__ import annotations

import pytest
import torch

from attention_filter.models import e5_weights
from attention_filter.models.encoder import Encoder, in_threads
from attention_filter.models.packed import LINEAR, Float32Linear, Precision

TEXTS = [
    "two words",
    "one two",
    "Rust has a borrow checker",
    "编译器",
    "Rust has a borrow checker!",
    "A much longer text, 共两种语言。" * 3,
]


@pytest.fixture(scope="module")
def bert(weights: e5_weights.E5File) -> torch.nn.Module:
    from transformers import BertConfig, BertModel

    config = BertConfig(**vars(weights.sizes), pad_token_id=weights.special.pad, attn_implementation="eager")
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
    arrays = {name: torch.from_numpy(array) for name, array in e5_weights.bert_arrays(weights).items()}
    model.load_state_dict(arrays, assign=True, strict=False)
    model.embeddings.position_ids = torch.arange(512)[None]  # buffers are no part of the weights
    model.embeddings.token_type_ids = torch.zeros(1, 512, dtype=torch.long)
    return model.eval()


def test_states_and_maps_equal_bert_model(encoder: Encoder, bert: torch.nn.Module) -> None:
    ids = [encoding.ids for encoding in encoder.tokenizer.encode_batch(TEXTS)]

    def compare(number: int) -> None:
        expected = bert(input_ids=torch.tensor([ids[number]]), output_attentions=True)
        states, maps = encoder.body.states(ids)[number], encoder.body.maps(ids[number])
        torch.testing.assert_close(states, expected.last_hidden_state[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(maps, torch.cat(expected.attentions), atol=1e-5, rtol=1e-5)

    assert len(list(in_threads(compare, range(len(TEXTS))))) == len(TEXTS)


@torch.inference_mode()
@pytest.mark.parametrize(("precision", "error"), [("bfloat16", 0.01), ("int8", 0.02)])
def test_a_rounded_product_stays_near_the_exact_one(precision: Precision, error: float) -> None:
    random = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(96, 64, generator=random), torch.randn(96, generator=random)
    x = torch.randn(7, 64, generator=random)
    x[2] = 0  # a token of zeros must not divide by zero
    exact = Float32Linear(weight, bias)(x)
    rounded = LINEAR[precision](weight, bias)(x)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < error * exact.norm()
    g = torch.randn(7, 96, generator=random)
    back = LINEAR[precision](weight, bias).back(g)
    assert (back - g @ weight).norm() < error * (g @ weight).norm()


@torch.inference_mode()
def test_int8_sums_do_not_saturate() -> None:
    """Some CPUs' byte products overflow 16 bits; torch must not take that path."""
    weight = torch.full((16, 512), 1.0)
    exact = LINEAR["int8"](weight, torch.zeros(16))(torch.ones(20, 512))
    torch.testing.assert_close(exact, torch.full((20, 16), 512.0), rtol=1e-5, atol=0)
