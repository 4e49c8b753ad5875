import numpy as np
import pytest

from attention_filter.personal import taste
from attention_filter.personal.ranking import make_profile, score
from attention_filter.personal.updating import with_act, without_act

ACTS = {1: 1.0, 2: -0.25, 3: 1.0, 9: 1.0}


def same(profile, other, world):
    for mine, theirs in zip(profile.heads, other.heads, strict=True):
        np.testing.assert_allclose(mine.learned, theirs.learned, atol=1e-5)
    ours, whole = score(profile, world.features), score(other, world.features)
    assert set(ours.terms) == set(whole.terms)
    np.testing.assert_allclose(ours.total, whole.total, atol=1e-4)


def test_learning_one_act_is_the_same_as_learning_them_all(world):
    before = make_profile(world.background, world.history([1, 2], [1.0, -0.25], statements=[0]))
    after = with_act(with_act(before, world.features[[3]], 1.0, 3), world.features[[9]], 1.0, 9)
    whole = make_profile(world.background, after.history, before.scale)
    assert after.history.keys == (1, 2, -1, 3, 9)
    same(after, whole, world)
    assert whole.weights["taste"] > before.weights["taste"]


def test_an_act_taken_back_leaves_no_trace(world):
    before = make_profile(world.background, world.history(list(ACTS), list(ACTS.values()), statements=[0, 2]))
    after = without_act(with_act(before, world.features[[30]], -0.25, 30), 30)
    same(after, before, world)
    same(without_act(before, 3), make_profile(world.background, before.history.without(3), before.scale), world)


@pytest.mark.parametrize("weight", [1.0, -0.25])
def test_the_first_act_can_be_learned_and_the_last_unlearned(world, weight):
    nothing = make_profile(world.background, world.history([], []))
    first = with_act(nothing, world.features[[5]], weight, 5)
    assert len(first.history) == 1
    assert np.isfinite(score(first, world.features).total).all()
    assert len(without_act(first, 5).history) == 0


@pytest.mark.parametrize("weight", [1.0, -0.25])
def test_a_taste_corrected_by_one_act_is_the_one_drawn_from_scratch(world, weight):
    liked = world.history(range(40), [1.0, -0.25, 1.0, 1.0] * 10, statements=[1])
    before = make_profile(world.background, liked)
    for after, whole in (
        (with_act(before, world.features[[77]], weight, 77), None),
        (without_act(before, 5), before.history.without(5)),
    ):
        fresh = make_profile(world.background, whole or after.history, before.scale)
        assert after.taste.fit.told.tolist() == fresh.taste.fit.told.tolist()
        size = np.abs(fresh.taste.fit.dual).max()
        np.testing.assert_allclose(after.taste.fit.dual, fresh.taste.fit.dual, atol=1e-4 * size)
        np.testing.assert_allclose(after.taste.left_out(), fresh.taste.left_out(), atol=1e-3)
        assert not np.array_equal(after.taste.fit.inverse, fresh.taste.fit.inverse)  # it was corrected


def test_many_acts_one_by_one_and_back_leave_the_taste_where_it_was(world):
    before = make_profile(world.background, world.history(range(30), [1.0, -0.25] * 15))
    after = before
    for item in range(100, 130):
        after = with_act(after, world.features[[item]], 1.0 if item % 3 else -0.25, item)
    for item in range(100, 130):
        after = without_act(after, item)
    same(after, before, world)


def test_an_act_that_pushes_the_oldest_out_of_the_taste_is_corrected_too(world, monkeypatch):
    monkeypatch.setattr(taste, "LATEST", 30)
    before = make_profile(world.background, world.history(range(40), [1.0, -0.25] * 20))
    after = with_act(before, world.features[[99]], 1.0, 99)
    fresh = make_profile(world.background, after.history, before.scale)
    assert after.taste.fit.told.tolist() == list(range(11, 41))
    np.testing.assert_allclose(after.taste.of(world.features), fresh.taste.of(world.features), atol=1e-3)


def test_an_act_taken_back_lets_the_next_oldest_into_the_taste_again(world, monkeypatch):
    monkeypatch.setattr(taste, "LATEST", 30)
    before = make_profile(world.background, world.history(range(40), [1.0, -0.25] * 20))
    after = without_act(before, 39)
    fresh = make_profile(world.background, after.history, before.scale)
    assert after.taste.fit.told.tolist() == list(range(9, 39))
    np.testing.assert_allclose(after.taste.of(world.features), fresh.taste.of(world.features), atol=1e-3)
