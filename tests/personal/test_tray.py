import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal.tray import KEEP, Interval, exact_interval, kept, line, still_to_look

SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=60).map(np.array)
KEEPS = st.floats(0.5, 0.99)
USUAL = np.linspace(-2, 2, 200)
CHANCES = 1 / (1 + np.exp(3 - 2 * USUAL))


def test_a_reader_we_know_nothing_of_has_an_empty_tray():
    assert line(np.zeros(100), np.full(100, 0.1), np.array([])) == float("-inf")


@given(KEEPS)
def test_without_a_like_the_line_keeps_the_share_by_the_probabilities(keep):
    cut = line(USUAL, CHANCES, np.array([]), keep)
    assert CHANCES[cut <= USUAL].sum() >= keep * CHANCES.sum() - 1e-6
    assert CHANCES[cut + 0.05 <= USUAL].sum() < keep * CHANCES.sum()


@given(SCORES, KEEPS)
def test_of_likes_and_guess_together_the_promised_share_lies_above_the_line(liked, keep):
    cut = line(USUAL, CHANCES, liked, keep)
    above = (liked >= cut).sum() + 10 * CHANCES[cut <= USUAL].sum() / CHANCES.sum()
    assert above >= keep * (len(liked) + 10) - 1e-6


@given(st.lists(st.floats(-5, 5), max_size=9).map(np.array))
def test_with_few_likes_none_of_them_lies_below_the_line(liked):
    assert (liked >= line(USUAL, CHANCES, liked)).all()


def test_after_many_likes_they_alone_decide():
    liked = np.linspace(0, 1, 5_000)
    assert line(USUAL, CHANCES, liked, KEEP) == pytest.approx(0.05, abs=0.005)


@given(SCORES, st.floats(0.5, 0.9))
def test_a_higher_promise_never_moves_the_line_up(liked, keep):
    assert line(USUAL, CHANCES, liked, keep + 0.09) <= line(USUAL, CHANCES, liked, keep)


def test_the_interval_is_that_of_clopper_and_pearson():
    none, some, all_of_them = exact_interval(0, 20), exact_interval(2, 60), exact_interval(5, 5)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert (some.low, some.high) == (pytest.approx(0.00406, abs=1e-5), pytest.approx(0.11528, abs=1e-5))
    assert (all_of_them.low, all_of_them.high) == (pytest.approx(0.025 ** (1 / 5)), 1.0)
    assert (exact_interval(0, 0).low, exact_interval(0, 0).high) == (0.0, 1.0)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [one.low <= 0.03 <= one.high for one in (exact_interval(n, 60) for n in rng.binomial(60, 0.03, 500))]
    assert np.mean(hits) >= 0.95


def test_a_share_of_the_tray_becomes_a_share_that_is_kept():
    of_all = kept(Interval(0.02, 0.01, 0.1), tray=100, wanted_in_stream=18.0)
    assert (of_all.share, of_all.low, of_all.high) == (0.9, pytest.approx(18 / 28), pytest.approx(18 / 19))
    assert kept(Interval(0.5, 0.1, 0.9), tray=0, wanted_in_stream=0.0).share == 1.0


def test_so_many_more_without_a_find_would_prove_it_and_one_less_would_not():
    more = still_to_look(1_000, 500.0, 0.95, 60)
    assert kept(exact_interval(0, 60 + more), 1_000, 500.0).low >= 0.95
    assert kept(exact_interval(0, 59 + more), 1_000, 500.0).low < 0.95
    assert still_to_look(1_000, 1.0, 0.95, 0) is None
    assert still_to_look(10, 1_000.0, 0.95, 0) == 0
