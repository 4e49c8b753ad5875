import itertools

import pytest
import torch
from torch import nn

from attention_filter.attention.cache import Cache
from attention_filter.attention.masks import band, causal, padding
from attention_filter.attention.multihead import MultiHeadAttention, Show
from attention_filter.attention.positions import alibi, rotary


def layer(*args, seed=0, **settings):
    torch.manual_seed(seed)
    return MultiHeadAttention(*args, **settings).double()


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_equals_torch_multi_head_attention():
    ours = layer(12, 3)
    theirs = nn.MultiheadAttention(12, 3, bias=False, batch_first=True).double()
    with torch.no_grad():
        weights = [ours.to_query.weight, ours.to_key.weight, ours.to_value.weight]
        theirs.in_proj_weight.copy_(torch.cat(weights))
        theirs.out_proj.weight.copy_(ours.to_output.weight)
    x, context = draw(2, 5, 12), draw(2, 7, 12, seed=1)
    want, h = theirs(x, context, context, average_attn_weights=False)
    out, matrices = ours(x, context, show=Show())
    torch.testing.assert_close(out, want)
    torch.testing.assert_close(matrices.h, h)


def test_shared_key_heads_equal_repeated_ones():
    few, many = layer(12, 6, kv_heads=2), layer(12, 6)
    with torch.no_grad():
        many.to_query.weight.copy_(few.to_query.weight)
        many.to_output.weight.copy_(few.to_output.weight)
        for name in ("to_key", "to_value"):
            weight = getattr(few, name).weight.view(2, 1, 2, 12).expand(2, 3, 2, 12).reshape(12, 12)
            getattr(many, name).weight.copy_(weight)
    x = draw(2, 5, 12)
    torch.testing.assert_close(few(x), many(x))


def test_without_value_projection_the_heads_mix_the_inputs_themselves():
    attention = layer(6, 2, context_dim=4, project_values=False, normalize="queries", scale=1.0)
    x, context = draw(1, 3, 6), draw(1, 5, 4, seed=1)
    out, matrices = attention(x, context, show=Show())
    mixed = torch.cat([matrices.a[:, head] @ context for head in range(2)], -1)  # V_i = Σ_j A_ij v_j
    torch.testing.assert_close(out, mixed @ attention.to_output.weight.T)
    torch.testing.assert_close(matrices.a.sum(2), torch.ones(1, 2, 5, dtype=torch.float64))


@pytest.mark.parametrize("mask", [None, causal(), causal() & padding(torch.tensor([[True] * 4 + [False] * 3] * 2))])
def test_the_shown_rows_are_rows_of_the_whole_matrices(mask):
    attention, x = layer(8, 4), draw(2, 7, 8)
    _, whole = attention(x, mask=mask, show=Show())
    out, part = attention(x, mask=mask, show=Show(heads=[3, 1], rows=[5]))
    torch.testing.assert_close(part.a, whole.a[:, [3, 1]][:, :, [5]])
    torch.testing.assert_close(part.h, whole.h[:, [3, 1]][:, :, [5]])
    torch.testing.assert_close(out, attention(x, mask=mask))
    torch.testing.assert_close(attention.matrices(x, mask=mask, show=Show([3, 1], [5])).a, part.a)


@pytest.mark.parametrize("normalize", ["keys", "queries"])
def test_a_mask_object_equals_its_matrix(normalize):
    attention, x, mask = layer(8, 2, normalize=normalize), draw(2, 9, 8), band(2, 1)
    torch.testing.assert_close(attention(x, mask=mask), attention(x, mask=mask.dense(9, 9)))


@pytest.mark.parametrize("normalize", ["keys", "queries"])
def test_padded_queries_and_keys_give_zeros_in_value_and_gradient(normalize):
    attention = layer(8, 2, normalize=normalize)
    keep = torch.tensor([[True, True, False], [False] * 3])
    x = draw(2, 3, 8).requires_grad_()
    out = attention(x, mask=padding(keep, rows_too=True))
    assert (out[~keep] == 0).all()
    out.square().sum().backward()
    assert (x.grad[~keep] == 0).all()
    assert all(p.grad.isfinite().all() for p in attention.parameters())


@pytest.mark.parametrize("kv_heads", [1, 4])
@pytest.mark.parametrize("steps", [[1] * 9, [4, 1, 1, 3], [9]])
def test_decoding_with_a_cache_equals_the_full_pass(kv_heads, steps):
    attention, x = layer(16, 4, kv_heads=kv_heads), draw(2, 9, 16)
    full = attention(x, mask=causal(), turn=rotary)
    cache, parts = Cache(), []
    for first, last in itertools.pairwise(itertools.accumulate([0, *steps])):
        parts.append(attention(x[:, first:last], mask=causal(), turn=rotary, cache=cache))
    torch.testing.assert_close(torch.cat(parts, 1), full)
    assert len(cache) == 9


def test_a_cache_with_a_bias_equals_the_full_pass_and_follows_chosen_beams():
    attention, x = layer(16, 4), draw(3, 40, 16)
    full = attention(x, mask=causal(), bias=alibi(4, 40, 40).double())
    cache, beams = Cache(), torch.tensor([2, 0])
    attention(x[:, :39], mask=causal(), bias=alibi(4, 39, 39).double(), cache=cache)
    cache.select(beams)
    last = attention(x[beams, 39:], mask=causal(), bias=alibi(4, 1, 40).double(), cache=cache)
    torch.testing.assert_close(last, full[beams, 39:])


def test_dropout_acts_in_training_alone():
    attention, x = layer(8, 2, dropout=0.5), draw(1, 6, 8)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="must divide"):
        MultiHeadAttention(10, 3)


def test_a_cache_that_outgrows_its_room_keeps_everything():
    cache, keys, values = Cache(), draw(2, 3, 50, 4), draw(2, 3, 50, 5, seed=1)
    for step in range(50):
        known, mixed = cache.append(keys[:, :, step : step + 1], values[:, :, step : step + 1])
    assert torch.equal(known, keys)
    assert torch.equal(mixed, values)
