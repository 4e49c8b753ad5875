"""Every exact variant equals the dense float64 oracle, in outputs, weights and gradients, and keeps its promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.attention import blockwise, core, global_local, kernels, local, lsh, masks, span, sparse

HEADS = 3
LENGTHS = [1, 2, 9, 33]


def draw(batch, n, dim=8, width=8, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, HEADS, n, dim), (batch, HEADS, n, dim), (batch, HEADS, n, width)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).to(dtype).requires_grad_() for s in shapes]


def keep_of(batch, n, seed=0):
    """Some padding at the end, and the last row of the batch all padding when there are several."""
    lengths = torch.randint(0, n + 1, (batch,), generator=torch.Generator().manual_seed(seed))
    lengths[0], lengths[-1] = n, 0 if batch > 1 else n
    return torch.arange(n) < lengths.unsqueeze(1)


def outcome(function, query, key, value):
    """The output, and the gradients of a weighted sum of it."""
    out = function(query, key, value)
    above = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).reshape(out.shape).to(out.dtype)
    gradients = torch.autograd.grad(out, (query, key, value), above, allow_unused=True)
    return [out, *(torch.zeros_like(out) if g is None else g for g in gradients)]


def assert_equals_oracle(member, batch, n, keep, *, width=8, seed=0, atol=1e-10):
    query, key, value = draw(batch, n, width=width, seed=seed)

    def run(q, k, v):
        return member.run(*member.inputs(q, k, v), keep)

    def oracle(q, k, v):
        q, k, v = member.inputs(q, k, v)
        return member.weights(q, k, keep) @ v

    for ours, want in zip(outcome(run, query, key, value), outcome(oracle, query, key, value), strict=True):
        torch.testing.assert_close(ours, want, atol=atol, rtol=atol)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("padded", [False, True])
def test_outputs_and_gradients_equal_the_oracle(member, n, padded):
    assert_equals_oracle(member, 3, n, keep_of(3, n) if padded else None)


def test_long_inputs_that_fill_several_blocks_equal_the_oracle(member):
    assert_equals_oracle(member, 1, 157, None)


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 12), st.integers(0, 99))
def test_any_shape_equals_the_oracle(member, batch, n, width, seed):
    assert_equals_oracle(member, batch, n, keep_of(batch, n, seed), width=width, seed=seed)


def test_weights_equal_the_oracle(member):
    n = 33
    query, key, _ = member.inputs(*draw(2, n))
    identity = torch.eye(n, dtype=torch.float64).expand(2, HEADS, n, n)
    ours = member.run(query, key, identity, None)  # mixing the identity gives the weights
    torch.testing.assert_close(ours, member.weights(query, key, None), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(ours.sum(member.axis), torch.ones(2, HEADS, n, dtype=torch.float64))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 5e-2)])
def test_lower_precision_stays_within_its_tolerance(member, dtype, tolerance):
    """The largest error beside the largest number: 2e-5 in float32, 5e-2 in bfloat16 (its step is 2^-8 = 4e-3)."""
    low = draw(2, 33, dtype=dtype)
    exact = [t.detach().double().requires_grad_() for t in low]
    ours = outcome(lambda q, k, v: member.run(*member.inputs(q, k, v), None), *low)
    want = outcome(
        lambda q, k, v: member.weights(*member.inputs(q, k, v)[:2], None) @ v,
        *exact,
    )
    for mine, theirs in zip(ours, want, strict=True):
        assert mine.dtype == dtype
        assert (mine.double() - theirs).abs().max() <= tolerance * max(1.0, theirs.abs().max())


def test_padding_gives_zeros_and_passes_no_gradient(member):
    keep = keep_of(3, 9)
    query, key, value = draw(3, 9)
    with torch.no_grad():
        for tensor in (query, key, value):
            tensor.masked_fill_(~keep[:, None, :, None], 1e3)  # what stands in the padding must not matter
    results = outcome(lambda q, k, v: member.run(*member.inputs(q, k, v), keep), query, key, value)
    for result in results:
        assert result.isfinite().all()
        assert (result[(~keep)[:, None, :, None].expand_as(result)] == 0).all()


def test_what_stands_in_the_padding_does_not_matter(member):
    keep = keep_of(3, 9)
    query, key, value = draw(3, 9)
    other = [torch.where(keep[:, None, :, None], t, torch.tensor(7.0, dtype=t.dtype)) for t in (query, key, value)]
    torch.testing.assert_close(
        member.run(*member.inputs(*other), keep), member.run(*member.inputs(query, key, value), keep)
    )


def test_rows_of_a_batch_do_not_see_each_other(member):
    query, key, value = draw(3, 20)
    whole = member.run(*member.inputs(query, key, value), None)
    alone = member.run(*member.inputs(query[1:2], key[1:2], value[1:2]), None)
    torch.testing.assert_close(whole[1:2], alone, atol=1e-12, rtol=1e-12)


def test_a_causal_variant_does_not_see_the_future(member):
    if not member.causal:
        pytest.skip("not causal")
    before = draw(1, 30, seed=1)
    for position in (0, 11, 29):
        after = [t.detach().clone() for t in before]
        for tensor in after:
            tensor[:, :, position:] += 3
        old, new = (member.run(*member.inputs(*t), None) for t in (before, after))
        torch.testing.assert_close(old[:, :, :position], new[:, :, :position], atol=0, rtol=0)
        assert not torch.equal(old[:, :, position:], new[:, :, position:])


def test_permuted_tokens_give_permuted_outputs(member):
    if not member.equivariant:
        pytest.skip("depends on positions")
    inputs, order = draw(2, 14), torch.randperm(14, generator=torch.Generator().manual_seed(4))
    permuted = [t[:, :, order] for t in inputs]
    torch.testing.assert_close(
        member.run(*member.inputs(*permuted), None), member.run(*member.inputs(*inputs), None)[:, :, order]
    )


def test_an_empty_batch_gives_an_empty_output(member):
    query, key, value = draw(0, 5)
    out = member.run(*member.inputs(query, key, value), None)
    assert out.shape == (0, HEADS, 5, 8)
    out.sum().backward()


def shifted_band(before, after=0):
    return masks.band(before + 1, after)


def strictly_before():
    return masks.Mask(lambda rows, columns: columns < rows, lambda first, last, keys: None)


def no_padding(keep, *, rows_too=False):
    return masks.everything()


def without_masks(mask, bias, query):
    return None


def unmerged(out, log_sum, more, more_sum):
    return more, more_sum


def own_log_sum(grad, query, key, value, out, log_sum, bias, scale):
    """A tile's gradients as if the tile were the whole row."""
    out, log_sum = kernels.mix(query, key, value, bias, scale, kernels.empty_rows(bias))
    return kernels.mix_backward(grad, query, key, value, out, kernels.closed(log_sum), bias, scale)


def without_shift(query, key, value, bias, scale, empty=None):
    """The second pass of A·V forgets the columns' sums: what remains is normalised over the keys."""
    return kernels.mix(query, key, value, None, scale)


def looking(query, key, value, mask, bias, scale):
    return core._look(query, key, value, mask, bias, scale, 0.0)


def claiming(query, key, value, mask, bias, scale, dropout):
    return core._claim(query, key, value, mask, bias, scale)


@pytest.mark.parametrize(
    ("name", "module", "attribute", "broken"),
    [
        ("H", core, "_look", claiming),
        ("A", core, "_claim", looking),
        ("A", core, "mix", without_shift),
        ("A", core, "as_bias", without_masks),
        ("combined masks", masks, "causal", strictly_before),
        ("combined masks", masks, "padding", no_padding),
        ("combined masks", blockwise, "as_bias", without_masks),
        ("local", local, "band", shifted_band),
        ("local, causal", local, "padding", no_padding),
        ("global and local", local, "band", shifted_band),
        ("global and local", blockwise, "merge", unmerged),
        ("global and local", global_local, "padding", no_padding),
        ("strided", sparse, "band", shifted_band),
        ("strided", blockwise, "merge", unmerged),
        ("strided", blockwise, "mix_backward", own_log_sum),
        ("fixed", sparse, "causal", strictly_before),
        ("LSH, one bucket", lsh, "SELF", 0.0),
        ("LSH, one bucket", lsh, "merge", unmerged),
        ("adaptive span", span, "reach_of", lambda span, ramp: 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_mask_axis_or_merge_is_noticed(monkeypatch, all_members, name, module, attribute, broken):
    member = all_members[name]
    assert_equals_oracle(member, 3, 150, keep_of(3, 150))
    monkeypatch.setattr(module, attribute, broken)
    with pytest.raises((AssertionError, RuntimeError)):
        assert_equals_oracle(member, 3, 150, keep_of(3, 150))
