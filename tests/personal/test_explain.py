"""What each word carried, on the small world and by brute force."""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal.context import in_context
from attention_filter.personal.explain import carried_by_items, carried_by_words, shapley_in_unit
from attention_filter.personal.features import unit
from attention_filter.personal.ranking import make_profile, score
from tests.personal.conftest import counts_of

TEXT = "topic1word3 and topic1word5, topic2word4 beyond topic1word3"


@dataclass(frozen=True)
class Tokens:
    """Tokens that were never mixed: each brought its own state."""

    spans: list[tuple[int, int]]
    states: np.ndarray

    def carried(self, toward):
        return self.states @ toward / len(self.states)


@pytest.fixture(scope="module")
def profile(world):
    return make_profile(world.background, world.history([1, 2, 3, 4], [1, -0.25, 1, 1], statements=[1]))


def explained(world, profile, text, states):
    """The shares of `text` whose encoder gave `states` (T, d) to its pieces and to one mark without a place."""
    vector = unit(states.astype(np.float64).mean(0)[None]).astype(np.float32)
    row = world.background.features(vector, counts_of([text]), ["en"])
    cuts = np.linspace(0, len(text), len(states)).astype(int)
    spans = [(0, 0), *zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)]
    return row, carried_by_words(profile, row, text, "en", Tokens(spans, states))


@given(st.integers(0, 1000))
def test_word_shares_and_the_rest_sum_to_the_score(world, profile, seed):
    states = (np.random.default_rng(seed).normal(size=(9, 16)) + world.topics[1] + 3.0).astype(np.float32)
    row, shares = explained(world, profile, TEXT, states)
    carried = carried_by_items(profile, row)
    whole = sum(value for _, _, value in shares.words) + shares.rest + carried.baseline
    assert whole == pytest.approx(score(profile, row).total[0], abs=1e-4)


def test_every_word_of_the_text_has_a_share_at_its_place(world, profile):
    states = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32) + 3
    _, shares = explained(world, profile, TEXT, states)
    assert [TEXT[start:end] for start, end, _ in shares.words] == TEXT.replace(",", "").split()


def test_the_word_that_brought_the_topic_carried_more_than_the_one_that_did_not(world, profile):
    states = np.vstack([world.topics[1] + 3.0, world.topics[4] + 3.0]).astype(np.float32)
    vector = unit(states.astype(np.float64).mean(0)[None]).astype(np.float32)
    row = world.background.features(vector, counts_of([""]), ["en"])
    shares = carried_by_words(profile, row, "liked other", "en", Tokens([(0, 5), (6, 11)], states))
    (_, _, liked), (_, _, other) = shares.words
    assert liked > other


def test_two_words_that_share_a_slot_lose_nothing(world, profile):
    row = world.background.alone(world.vectors[[7]], counts_of([TEXT]), ["en"])
    row.words.indices[:2] = row.words.indices[0]
    together = in_context(row, world.background.bank)
    shares = carried_by_words(profile, together, TEXT, "en", Tokens([(0, len(TEXT))], world.vectors[[7]]))
    carried = carried_by_items(profile, together)
    whole = sum(value for _, _, value in shares.words) + shares.rest + carried.baseline
    assert whole == pytest.approx(score(profile, together).total[0], abs=1e-4)


def by_brute_force(parts, toward):
    """Shapley values of the rows of `parts` in toward·unit(their sum), over all coalitions."""
    n = len(parts)

    def worth(some):
        whole = parts[list(some)].sum(0)
        return toward @ whole / np.linalg.norm(whole) if len(some) else 0.0

    values = np.zeros(n)
    for j in range(n):
        others = [i for i in range(n) if i != j]
        for size in range(n):
            gains = [worth((*some, j)) - worth(some) for some in combinations(others, size)]
            values[j] += sum(gains) / (n * comb(n - 1, size))
    return values


def shares_of(parts, toward):
    return shapley_in_unit(parts @ toward, parts @ parts.sum(0), (parts**2).sum(1))


@pytest.mark.parametrize("together", [0.0, 0.5, 2.0])
def test_a_words_share_is_close_to_its_shapley_value(together):
    """`together` is how far the parts point one way: not at all, somewhat, and as the tokens of a text do."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        parts, toward = rng.normal(size=(9, 20)) + together * rng.normal(size=20), rng.normal(size=20)
        true, ours = by_brute_force(parts, toward), shares_of(parts, toward)
        linear = parts @ toward / np.linalg.norm(parts.sum(0))
        assert ours.sum() == pytest.approx(true.sum())
        assert np.corrcoef(true, ours)[0, 1] > 0.97
        assert np.abs(true - ours).max() < np.abs(true - linear).max()


def test_a_word_that_says_nothing_and_takes_length_has_a_negative_share():
    parts = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    assert shares_of(parts, np.array([1.0, 0.0]))[1] < 0
    assert shares_of(np.zeros((2, 3)), np.ones(3)).tolist() == [0, 0]
