import pytest
import torch

from attention_filter.attention.kernels import closed, empty_rows, mix, mix_backward, mix_backward_plainly, mix_plainly


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("masked", [False, True])
def test_the_fused_kernel_equals_its_plain_twin(dtype, masked):
    query, key, value, grad = (torch.randn(2, 3, n, 8, dtype=dtype) for n in (17, 600, 600, 17))
    bias = torch.randn(17, 600, dtype=dtype) if masked else None
    if bias is not None:
        bias[4], bias[:, 100:] = -torch.inf, -torch.inf
    out, log_sum = mix(query, key, value, bias, 0.3, empty_rows(bias))
    want, want_sum = mix_plainly(query, key, value, bias, 0.3)
    torch.testing.assert_close(out, want)
    torch.testing.assert_close(log_sum, want_sum)
    got = mix_backward(grad, query, key, value, out, closed(log_sum), bias, 0.3)
    twin = mix_backward_plainly(grad, query, key, value, out, closed(log_sum), bias, 0.3)
    for ours, theirs in zip(got, twin, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)
