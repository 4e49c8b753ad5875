import numpy as np
import pytest

from attention_filter.personal.lists import arrange
from attention_filter.personal.mix import Mixed, divergence, interest_shares, wanted_mix


def test_what_is_wanted_is_half_what_was_said_and_half_what_was_liked(world):
    liked = np.flatnonzero(world.topic == 0)[:6]
    said = world.history([], [], statements=(0, 1, 2))
    assert wanted_mix(said) == pytest.approx([1 / 3] * 3)
    both = world.history(liked, [1.0] * 6, statements=(0, 1, 2))
    assert wanted_mix(both) == pytest.approx([2 / 3, 1 / 6, 1 / 6], abs=0.05)


def test_dislikes_and_unwanted_interests_are_in_no_mix(world):
    history = world.history([0, 1], [-0.25, -0.25], statements=(0, 1))
    history.weight[-1] = -2.0
    assert wanted_mix(history) == pytest.approx([1.0])
    assert interest_shares(world.features[[0, 1]], history) == pytest.approx(np.ones((2, 1)))


def test_without_interests_there_is_no_mix(world):
    assert len(wanted_mix(world.history([0], [1.0]))) == 0


def test_items_belong_to_the_interest_they_are_about(world):
    history = world.history([], [], statements=(0, 1, 2, 3, 4))
    assert (interest_shares(world.features, history).argmax(1) == world.topic).mean() > 0.9


def test_a_list_is_not_of_one_interest_only_when_three_are_wanted(world):
    history = world.history([], [], statements=(0, 1, 2))
    # The reader's first interest scores highest throughout.
    relevance = np.where(world.topic == 0, 1.0, np.where(world.topic < 3, 0.5, -1.0)) + 0.01 * world.rng.random(200)
    shares, wanted = interest_shares(world.features, history), wanted_mix(history)

    def topics(strength):
        rows = arrange(relevance, 9, [Mixed(shares, wanted, strength)]).rows
        return np.bincount(world.topic[rows], minlength=5).tolist()

    assert topics(0.0) == [9, 0, 0, 0, 0]
    assert min(topics(5.0)[:3]) >= 2


def test_divergence_is_zero_only_for_the_wanted_mix():
    wanted = np.array([0.2, 0.8, 0.0])
    assert divergence(wanted, wanted) == pytest.approx(0)
    assert divergence(wanted, np.array([0.8, 0.2, 0.0])) > 0.5
    assert np.isfinite(divergence(wanted, np.zeros(3)))
