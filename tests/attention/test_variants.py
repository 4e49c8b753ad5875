"""What each variant promises beyond the family's suite."""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from attention_filter.attention.core import attend
from attention_filter.attention.global_local import global_local
from attention_filter.attention.local import local
from attention_filter.attention.lsh import SELF, Settings, _sorted_by_bucket, lsh
from attention_filter.attention.masks import causal
from attention_filter.attention.pooling import AdditivePooling
from attention_filter.attention.slots import SlotAttention
from attention_filter.attention.span import AdaptiveSpan, span_attention
from attention_filter.attention.sparse import fixed, fixed_mask, strided, strided_mask


def draw(n, *, batch=1, heads=2, dim=8, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, heads, n, dim, generator=generator, dtype=dtype) for _ in range(3)]


class Largest(TorchDispatchMode):
    """The size of the largest tensor that any operation makes while this is on."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                owned = tensor.untyped_storage().nbytes() // max(1, tensor.element_size())
                self.numel = max(self.numel, owned)
        return result


SUBQUADRATIC = {
    "local": lambda q, k, v: local(q, k, v, window=16),
    "global and local": lambda q, k, v: global_local(q, k, v, window=16, positions=torch.tensor([0, 900])),
    "strided": lambda q, k, v: strided(q, k, v, stride=45),
    "fixed": lambda q, k, v: fixed(q, k, v, stride=45),
    "lsh": lambda q, k, v: lsh(q, q, v, settings=Settings(buckets=64, chunk=32, rounds=2)),
    "span": lambda q, k, v: span_attention(q, k, v, span=torch.tensor([20.0]), ramp=8.0),
}


@pytest.mark.parametrize("name", SUBQUADRATIC)
def test_no_operation_makes_a_tensor_of_n_by_n_forward_or_backward(name):
    n = 2048
    inputs = [t.requires_grad_() for t in draw(n, heads=1, dtype=torch.float32)]
    with Largest() as largest:
        SUBQUADRATIC[name](*inputs).sum().backward()
    assert largest.numel <= n * 130 < n * n / 15  # a tile of 128 rows, or 4 chunks of 32 columns for each row


def test_the_counter_of_sizes_sees_a_dense_matrix():
    query, key, value = (t.requires_grad_() for t in draw(64, heads=1))
    with Largest() as largest:
        attend(query, key, value, return_weights=True)[0].sum().backward()
    assert largest.numel >= 64 * 64


def test_a_window_as_long_as_the_text_is_full_attention():
    inputs = draw(37)
    torch.testing.assert_close(local(*inputs, window=37), attend(*inputs))
    torch.testing.assert_close(local(*inputs, window=37, causal=True), attend(*inputs, causal().dense(37, 37)))


def test_a_stride_as_long_as_the_text_is_causal_local_attention():
    inputs = draw(37)
    torch.testing.assert_close(strided(*inputs, stride=37), local(*inputs, window=37, causal=True))
    torch.testing.assert_close(fixed(*inputs, stride=37), local(*inputs, window=37, causal=True))


@pytest.mark.parametrize("stride", [1, 2, 7, 40])
@pytest.mark.parametrize("summary", [1, 3, 50])
def test_sparse_attention_equals_its_materialised_mask(stride, summary):
    inputs = draw(41)
    torch.testing.assert_close(strided(*inputs, stride=stride), attend(*inputs, strided_mask(stride).dense(41, 41)))
    mask = fixed_mask(stride, summary=summary)
    torch.testing.assert_close(fixed(*inputs, stride=stride, summary=summary), attend(*inputs, mask.dense(41, 41)))


def test_global_positions_in_any_order_give_the_same():
    inputs = draw(30)
    one = global_local(*inputs, window=2, positions=torch.tensor([20, 3, 11]))
    torch.testing.assert_close(one, global_local(*inputs, window=2, positions=torch.tensor([3, 11, 20])))


def seen_pairs(order, places, chunk, batch, head):
    """P_i by loops: the pairs that some round shows."""
    rounds, n = order.size(0), order.size(-1)
    seen = torch.zeros(n, n, dtype=torch.bool)
    for r in range(rounds):
        place = {int(token): rank for rank, token in enumerate(order[r, batch, head])}
        bucket = places[0, r, batch, head]
        for i, j in itertools.product(range(n), range(n)):
            back = place[i] // chunk - place[j] // chunk
            seen[i, j] |= bool(bucket[i] == bucket[j]) and back in (0, 1)
    return seen


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("causal_only", [False, True])
def test_lsh_is_exact_on_the_pairs_its_rounds_find(rounds, causal_only):
    query, _, value = (t.requires_grad_() for t in draw(24, batch=2))
    settings = Settings(buckets=4, chunk=4, rounds=rounds, causal=causal_only, seed=5)
    order, places = _sorted_by_bucket(query.detach(), torch.ones(2, 24, dtype=torch.bool), settings)
    seen = torch.stack([torch.stack([seen_pairs(order, places, 4, b, h) for h in range(2)]) for b in range(2)])
    seen = seen & torch.ones(24, 24).tril().bool() if causal_only else seen
    key = query / query.norm(dim=-1, keepdim=True)
    logits = (query @ key.mT / 8**0.5).masked_fill(torch.eye(24, dtype=torch.bool), SELF)
    want = logits.masked_fill(~seen, -torch.inf).softmax(-1) @ value
    ours = lsh(query, query, value, settings=settings)
    torch.testing.assert_close(ours, want, atol=1e-10, rtol=1e-10)
    above = torch.randn_like(want)
    mine, theirs = (torch.autograd.grad(out, (query, value), above) for out in (ours, want))
    torch.testing.assert_close(mine, theirs, atol=1e-10, rtol=1e-10)


def test_the_error_of_lsh_falls_with_the_rounds():
    query, _, value = draw(128, heads=4, dim=16)
    query = query * 4  # peaked, as trained attention is
    exact = lsh(query, query, value, settings=Settings(buckets=1, chunk=128))

    def error(rounds):
        runs = (lsh(query, query, value, settings=Settings(8, 16, rounds, seed=seed)) for seed in range(3))
        return sum(float((run - exact).norm() / exact.norm()) for run in runs) / 3

    errors = [error(rounds) for rounds in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_lsh_refuses_a_key_of_its_own_and_odd_buckets():
    query, key, value = draw(4)
    with pytest.raises(ValueError, match="pass the same tensor"):
        lsh(query, key, value, settings=Settings(2, 2))
    with pytest.raises(ValueError, match="1 or even"):
        Settings(buckets=3, chunk=2)


def test_an_adaptive_span_of_whole_numbers_is_a_hard_window():
    inputs = draw(30)
    for width in (0, 3, 50):
        span = torch.tensor([float(width)] * 2)
        torch.testing.assert_close(
            span_attention(*inputs, span=span, ramp=1.0), local(*inputs, window=width, causal=True)
        )


def test_the_span_learns_and_its_penalty_shortens_it():
    layer = AdaptiveSpan(heads=2, longest=20, ramp=4.0, start=5.5).double()
    query, key, value = draw(30)
    assert torch.autograd.gradcheck(
        lambda z: span_attention(query[:, :, :9], key[:, :, :9], value[:, :, :9], span=z, ramp=4.0),
        (torch.tensor([2.3, 5.1], dtype=torch.float64, requires_grad=True),),
    )
    layer(query, key, value).square().sum().backward()
    assert (layer.span.grad != 0).all()
    layer.span.grad = None
    layer.penalty().backward()
    assert layer.span.grad.tolist() == [0.5, 0.5]


def test_slots_do_not_mind_the_order_of_the_inputs_and_move_with_their_starts():
    torch.manual_seed(0)
    layer = SlotAttention(8).double()
    inputs, start = torch.randn(2, 11, 8, dtype=torch.float64), layer.start(2, 4, torch.Generator().manual_seed(1))
    start = start.double()
    shuffled, order = torch.randperm(11), torch.tensor([2, 0, 3, 1])
    slots, claims = layer(start, inputs)
    torch.testing.assert_close(layer(start, inputs[:, shuffled])[0], slots)
    torch.testing.assert_close(layer(start[:, order], inputs)[0], slots[:, order])
    torch.testing.assert_close(claims.sum(1), torch.ones(2, 11, dtype=torch.float64))


def test_slot_attention_equals_a_plain_numeric_reference():
    torch.manual_seed(0)
    layer = SlotAttention(4, iterations=2).double()
    inputs, slots = torch.randn(1, 5, 4).double(), torch.randn(1, 3, 4).double()
    ours, _ = layer(slots, inputs)
    x, s = layer.norm_inputs(inputs)[0], slots[0]
    k, v = x @ layer.to_key.weight.T, x @ layer.to_value.weight.T
    for _ in range(2):
        q = layer.norm_slots(s) @ layer.to_query.weight.T
        e = torch.exp(q @ k.T / 2)  # √4
        a = e / e.sum(0)
        update = torch.stack([a[i] / (a[i].sum() + 1e-8) @ v for i in range(3)])
        gates_in = update @ layer.update.weight_ih.T + layer.update.bias_ih
        gates_old = s @ layer.update.weight_hh.T + layer.update.bias_hh
        reset, keep = (torch.sigmoid(gates_in[:, i : i + 4] + gates_old[:, i : i + 4]) for i in (0, 4))
        new = torch.tanh(gates_in[:, 8:] + reset * gates_old[:, 8:])
        s = (1 - keep) * new + keep * s
        s = s + layer.hidden(layer.norm_hidden(s))
    torch.testing.assert_close(ours[0], s)


def test_slots_claim_no_padding():
    torch.manual_seed(0)
    layer = SlotAttention(4)
    keep = torch.tensor([[True, True, False]])
    start = torch.randn(1, 2, 4)
    slots, claims = layer(
        start, torch.tensor([[[1.0, 0, 0, 2]], [[0, 3.0, 1, 0]], [[9.0, 9, 9, 0]]]).mT.mT[:, 0][None], keep
    )
    assert claims[0, :, 2].tolist() == [0.0, 0.0]
    assert slots.isfinite().all()


def test_pooling_equals_its_formula_and_leaves_padding_out():
    torch.manual_seed(0)
    pool, inputs = AdditivePooling(4, 6), torch.randn(2, 5, 4)
    keep = torch.tensor([[True] * 3 + [False] * 2, [False] * 5])
    summary, weights = pool(inputs, keep)
    hidden = [torch.tanh(pool.project.weight @ h + pool.project.bias) for h in inputs[0]]
    logits = torch.stack([pool.query @ h for h in hidden])
    want = logits[:3].softmax(0)
    torch.testing.assert_close(weights[0, :3], want)
    torch.testing.assert_close(summary[0], want @ inputs[0, :3])
    assert summary[1].tolist() == [0.0] * 4
    torch.testing.assert_close(pool(inputs[:1, :3])[0], summary[:1])


def test_all_buckets_are_used_and_opposite_vectors_never_share_one():
    query, _, _ = draw(200)
    both = torch.cat([query, -query], 2)
    _, places = _sorted_by_bucket(both, torch.ones(1, 400, dtype=torch.bool), Settings(buckets=8, chunk=8))
    buckets = places[0, 0, 0, 0]
    assert buckets.unique().tolist() == list(range(8))
    assert torch.equal((buckets[:200] + 4) % 8, buckets[200:])
