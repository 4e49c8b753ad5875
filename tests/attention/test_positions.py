import math

import pytest
import torch

from attention_filter.attention.positions import LearnedPositions, RelativeBias, alibi, rotary, sinusoidal


def test_sinusoidal_encodings_equal_the_formula():
    table = sinusoidal(7, 6)
    for p in range(7):
        for i in range(3):
            angle = p / 10_000 ** (2 * i / 6)
            assert table[p, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[p, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)
    assert torch.equal(sinusoidal(3, 6, start=4), table[4:])
    assert sinusoidal(3, 5).shape == (3, 5)


def test_rotary_dot_products_depend_on_the_distance_alone():
    q, k = torch.randn(1, 8, dtype=torch.float64), torch.randn(1, 8, dtype=torch.float64)
    near = rotary(q, 5) @ rotary(k, 2).mT
    far = rotary(q, 1005) @ rotary(k, 1002).mT
    torch.testing.assert_close(near, far)
    torch.testing.assert_close(rotary(q, 9).norm(), q.norm())
    assert not torch.allclose(near, rotary(q, 5) @ rotary(k, 3).mT)


def test_rotary_refuses_an_odd_width():
    with pytest.raises(ValueError, match="even number"):
        rotary(torch.ones(2, 3))


def test_alibi_slopes_are_those_of_the_paper():
    assert (-alibi(8, 1, 2)[:, 0, 0]).tolist() == [2.0**-i for i in range(1, 9)]
    assert (-alibi(12, 1, 2)[:, 0, 0])[8:].tolist() == pytest.approx([2 ** (-8 * i / 16) for i in (1, 3, 5, 7)])
    assert alibi(2, 2, 3)[0].tolist() == [[-0.0625, -0.0, -0.0625], [-0.125, -0.0625, -0.0]]


def test_relative_bias_is_one_number_per_distance():
    bias = RelativeBias(2, reach=1)
    with torch.no_grad():
        bias.table[1] = torch.tensor([1.0, 2.0, 3.0])
    assert bias(3, 3)[1].tolist() == [[2, 3, 3], [1, 2, 3], [1, 1, 2]]


def test_learned_positions_end_somewhere():
    table = LearnedPositions(4, 2)
    assert torch.equal(table(2, 1), table.table[1:3])
    with pytest.raises(ValueError, match="5 positions asked for, 4 learned"):
        table(5)
