import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.attention.core import attend

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
