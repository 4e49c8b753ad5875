import json
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

from attention_filter.attention.inspect import (
    Maps,
    of_one_text,
    rollout,
    statistics,
    watching,
    watching_transformers,
)
from attention_filter.attention.masks import causal
from attention_filter.attention.multihead import MultiHeadAttention, Show


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = MultiHeadAttention(8, 2), MultiHeadAttention(8, 4)

    def forward(self, x):
        x = x + self.first(x)
        return x + self.second(x, mask=causal())


@pytest.fixture
def bert():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    return transformers.BertModel(config).eval()


def test_every_layer_is_recorded_while_watched_and_none_afterwards():
    model, x = Two(), torch.randn(1, 5, 8)
    with watching(model) as layers:
        model(x)
    model(x)
    assert [tuple(layer.h.shape) for layer in layers] == [(1, 2, 5, 5), (1, 4, 5, 5)]
    _, want = model.first(x, show=Show())
    torch.testing.assert_close(layers[0].a, want.a)
    assert layers[1].h.triu(1).abs().max() == 0


def test_only_the_asked_heads_and_rows_are_recorded():
    model = Two()
    with watching(model, Show(heads=[1], rows=[0, 4])) as layers:
        model(torch.randn(3, 5, 8))
    assert layers[1].a.shape == (3, 1, 2, 5)


def test_a_hugging_face_encoder_shows_what_eager_attention_shows(bert):
    ids, keep = torch.tensor([[2, 9, 4, 7], [3, 1, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    before = bert.config._attn_implementation
    with torch.no_grad(), watching_transformers(bert) as layers:
        states = bert(ids, attention_mask=keep).last_hidden_state
    assert bert.config._attn_implementation == before
    bert.set_attn_implementation("eager")
    with torch.no_grad():
        want = bert(ids, attention_mask=keep, output_attentions=True)
    torch.testing.assert_close(states, want.last_hidden_state, atol=1e-5, rtol=1e-4)
    for layer, attention in zip(layers, want.attentions, strict=True):
        torch.testing.assert_close(layer.h, attention, atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(layer.a[0].sum(1), torch.ones(4, 4))
        assert (layer.a[1, :, :, 2:] == 0).all()


def test_a_hugging_face_decoder_with_shared_heads_shows_what_eager_attention_shows():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=16,
    )
    model, ids = transformers.LlamaModel(config).eval(), torch.tensor([[2, 9, 4, 7, 1]])
    with torch.no_grad(), watching_transformers(model, Show(heads=[3])) as layers:
        model(ids)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        want = model(ids, output_attentions=True).attentions
    torch.testing.assert_close(layers[0].h, want[0][:, [3]], atol=1e-6, rtol=1e-4)


def test_rollout_equals_the_product_of_the_layers():
    h = torch.rand(3, 2, 4, 4).softmax(-1)
    want = torch.eye(4)
    for layer in h:
        want = (0.5 * layer.mean(0) + 0.5 * torch.eye(4)) @ want
    torch.testing.assert_close(rollout(h), want)
    torch.testing.assert_close(rollout(h).sum(-1), torch.ones(4))


def test_statistics_of_heads_whose_answer_is_known():
    one_back = torch.eye(4).roll(1, 1)[:3].unsqueeze(0)  # looks one key ahead, three queries
    alike = torch.full((1, 3, 4), 0.25)
    numbers = statistics(torch.cat([one_back, alike]))
    assert numbers.entropy.tolist() == pytest.approx([0, math.log2(4)])
    assert numbers.concentration.tolist() == pytest.approx([1, 0.25])
    assert numbers.distance.tolist() == pytest.approx([1, (1.5 + 1 + 1) / 3])


def test_rows_that_see_nothing_do_not_count():
    weights = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    assert statistics(weights).concentration.tolist() == [1.0]


def test_json_carries_the_tokens_and_both_matrices():
    model = Two()
    with watching(model.first) as layers:
        model(torch.randn(1, 3, 8))
    maps = of_one_text(layers, ["一", "b", "c"])
    read = json.loads(maps.as_json())
    assert read["queries"] == ["一", "b", "c"]
    torch.testing.assert_close(torch.tensor(read["a"]), maps.a, atol=1e-5, rtol=0)
    assert "a" not in json.loads(Maps(("x",), ("x",), torch.ones(1, 1, 1, 1)).as_json())


def test_looking_inside_loads_neither_transformers_nor_matplotlib_before_it_needs_them():
    code = (
        "import sys, attention_filter.attention.inspect, attention_filter.attention.draw; "
        "sys.exit(bool({'transformers', 'matplotlib', 'attention_filter.types'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
