import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.attention.core import attend, weight_rows

SIZES = st.integers(1, 5)


def reference(query, key, value, mask, scale, axis):
    """Loops over single numbers, in the words of the definition."""
    logits = [[float(q @ k) * scale for k in key] for q in query]
    weights = torch.zeros(len(query), len(key), dtype=torch.float64)
    for i in range(len(query)):
        for j in range(len(key)):
            if mask[i, j]:
                rivals = range(len(key)) if axis == "keys" else range(len(query))
                total = sum(
                    torch.exp(torch.tensor(logits[i][r] if axis == "keys" else logits[r][j], dtype=torch.float64))
                    for r in rivals
                    if (mask[i, r] if axis == "keys" else mask[r, j])
                )
                weights[i, j] = torch.exp(torch.tensor(logits[i][j], dtype=torch.float64)) / total
    return weights @ value, weights


@given(SIZES, SIZES, SIZES, st.sampled_from(["keys", "queries"]), st.sampled_from([None, 1.0, 0.3]), st.integers(0, 99))
def test_attend_equals_the_definition(queries, keys, dim, axis, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    query, key, value = draw(queries, dim), draw(keys, dim), draw(keys, 3)
    mask = torch.rand(queries, keys, generator=generator) < 0.7
    mixed, weights = attend(query, key, value, mask, scale=scale, normalize=axis, return_weights=True)
    want, want_weights = reference(query, key, value, mask, dim**-0.5 if scale is None else scale, axis)
    torch.testing.assert_close(weights, want_weights, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(mixed, want, atol=1e-10, rtol=1e-10)


def test_rows_of_h_and_columns_of_a_sum_to_one():
    query, key, value = torch.randn(3, 4, 8), torch.randn(3, 6, 8), torch.randn(3, 6, 2)
    _, h = attend(query, key, value, return_weights=True)
    _, a = attend(query, key, value, normalize="queries", return_weights=True)
    torch.testing.assert_close(h.sum(-1), torch.ones(3, 4))
    torch.testing.assert_close(a.sum(-2), torch.ones(3, 6))


@pytest.mark.parametrize("axis", ["keys", "queries"])
def test_a_fully_masked_row_gives_zeros_and_no_nan_gradient(axis):
    query, key, value = (torch.randn(3, 4, requires_grad=True) for _ in range(3))
    mask = torch.tensor([[False] * 3, [True, False, False], [True, False, True]])
    mixed = attend(query, key, value, mask, normalize=axis)
    assert mixed[0].tolist() == [0.0] * 4
    mixed.sum().backward()
    assert all(torch.isfinite(t.grad).all() for t in (query, key, value))
    assert query.grad[0].tolist() == [0.0] * 4


def test_h_equals_torch_sdpa_with_a_bias():
    query, key, value, bias = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 3), torch.randn(5, 7)
    want = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    torch.testing.assert_close(attend(query, key, value, bias=bias), want)


def test_another_normalisation_is_refused():
    with pytest.raises(ValueError, match="normalize must be"):
        attend(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), normalize="rows")


def draw(*shapes, dtype=torch.float64, seed=0, grad=True):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*s, generator=generator, dtype=torch.float64).to(dtype).requires_grad_(grad) for s in shapes]


def values_and_gradients(function, *inputs):
    out = function(*inputs)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
    return [out, *torch.autograd.grad((out * weights).sum(), inputs)]


@pytest.mark.parametrize("axis", ["keys", "queries"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("masked", ["no", "rows and columns", "padding"])
def test_the_fused_path_equals_the_plain_one_in_value_and_gradient(axis, lead, masked):
    query, key, value = draw((*lead, 5, 4), (*lead, 7, 4), (*lead, 7, 6))
    mask = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) < 0.6
    mask[2], mask[:, 3] = False, False
    mask = {"no": None, "rows and columns": mask, "padding": (torch.arange(7) < 5)[None]}[masked]
    bias = torch.randn(lead[-1] if lead else 1, 5, 7) if lead else None
    fused = values_and_gradients(lambda *x: attend(*x, mask, bias=bias, normalize=axis), query, key, value)
    plain = values_and_gradients(
        lambda *x: attend(*x, mask, bias=bias, normalize=axis, return_weights=True)[0], query, key, value
    )
    for ours, want in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours, want, atol=1e-10, rtol=1e-10)


def test_the_gradient_of_a_passes_gradcheck():
    mask = torch.tensor([[True, True, False], [False, False, False], [True, True, False], [True, False, False]])
    inputs = draw((1, 2, 4, 2), (1, 2, 3, 2), (1, 2, 3, 3))
    assert torch.autograd.gradcheck(lambda *x: attend(*x, mask, normalize="queries"), inputs)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
@pytest.mark.parametrize("axis", ["keys", "queries"])
def test_lower_precision_stays_near(dtype, tolerance, axis):
    inputs = draw((2, 3, 40, 16), (2, 3, 50, 16), (2, 3, 50, 16), dtype=dtype)
    ours = values_and_gradients(lambda *x: attend(*x, normalize=axis), *inputs)
    exact = [t.detach().double().requires_grad_() for t in inputs]
    want = values_and_gradients(lambda *x: attend(*x, normalize=axis), *exact)
    for mine, theirs in zip(ours, want, strict=True):
        assert mine.dtype == dtype
        assert (mine.double() - theirs).abs().max() <= tolerance * theirs.abs().max()


@pytest.mark.parametrize("axis", ["keys", "queries"])
def test_very_large_logits_do_not_overflow(axis):
    query, key, value = draw((1, 1, 6, 8), (1, 1, 9, 8), (1, 1, 9, 8), dtype=torch.float32)
    outputs = values_and_gradients(lambda *x: attend(*x, scale=1e4, normalize=axis), query, key, value)
    assert all(t.isfinite().all() for t in outputs)
    want, _ = attend(query, key, value, scale=1e4, normalize=axis, return_weights=True)
    torch.testing.assert_close(outputs[0], want, atol=1e-2, rtol=1e-3)  # logits of 1e5 carry 1e-2 in float32


@pytest.mark.parametrize("axis", ["keys", "queries"])
@pytest.mark.parametrize("shapes", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_empty_inputs_give_zeros(axis, shapes):
    batch, queries, keys = shapes
    query, key, value = draw((batch, queries, 8), (batch, keys, 8), (batch, keys, 8))
    assert attend(query, key, value, normalize=axis).tolist() == torch.zeros(batch, queries, 8).tolist()


@pytest.mark.parametrize("axis", ["keys", "queries"])
@pytest.mark.parametrize("masked", [False, True])
def test_weight_rows_are_rows_of_the_whole(axis, masked):
    query, key = draw((2, 3, 6, 4), (2, 3, 5, 4), grad=False)
    mask = torch.rand(2, 1, 6, 5, generator=torch.Generator().manual_seed(3)) < 0.5 if masked else None
    bias, rows = torch.randn(3, 6, 5, dtype=torch.float64), torch.tensor([4, 1])
    _, whole = attend(query, key, key, mask, bias=bias, normalize=axis, return_weights=True)
    torch.testing.assert_close(weight_rows(query, key, rows, mask, bias=bias, normalize=axis), whole[..., rows, :])


def test_a_learned_bias_gets_its_gradient():
    query, key, value, bias = draw((1, 2, 4, 3), (1, 2, 5, 3), (1, 2, 5, 3), (2, 4, 5))
    for axis in ("keys", "queries"):
        assert torch.autograd.gradcheck(lambda b, axis=axis: attend(query, key, value, bias=b, normalize=axis), (bias,))


@pytest.mark.parametrize("axis", ["keys", "queries"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias_dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("learned", [False, True])
def test_a_bias_of_another_type_keeps_the_type_of_the_values(axis, dtype, bias_dtype, learned):
    query, key, value = draw((1, 2, 6, 8), (1, 2, 5, 8), (1, 2, 5, 8), dtype=dtype, grad=False)
    (bias,) = draw((2, 6, 5), dtype=bias_dtype, grad=learned)
    out = attend(query, key, value, bias=bias, normalize=axis)
    want = attend(query.double(), key.double(), value.double(), bias=bias.double(), normalize=axis)
    assert out.dtype == dtype
    torch.testing.assert_close(out.double(), want, atol=5e-2, rtol=0)


@pytest.mark.parametrize("axis", ["keys", "queries"])
def test_strides_do_not_matter(axis):
    inputs = draw((2, 3, 4, 9), (2, 3, 4, 9), (2, 3, 4, 9))  # (…, dim, length)
    turned = values_and_gradients(lambda *x: attend(*(t.mT for t in x), normalize=axis), *inputs)
    plain = values_and_gradients(
        lambda *x: attend(*(t.mT.contiguous() for t in x), normalize=axis, return_weights=True)[0], *inputs
    )
    torch.testing.assert_close(turned, plain, atol=1e-10, rtol=1e-10)
    query, key, value = (t.detach().mT.requires_grad_() for t in inputs)
    attend(query, key, value, normalize=axis).sum().backward()  # what arrives from above has no strides at all
    want = torch.autograd.grad(attend(query, key, value, normalize=axis, return_weights=True)[0].sum(), key)
    torch.testing.assert_close(key.grad, want[0], atol=1e-10, rtol=1e-10)
