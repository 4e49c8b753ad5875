import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.personal.calibration import (
    Bin,
    Calibration,
    brier,
    by_promise,
    calibration_error,
    fit,
    moved,
    reliability,
)

SOME = st.lists(st.floats(-4, 8), max_size=12).map(np.array)
ORDINARY = np.random.default_rng(0).normal(size=400)


@settings(deadline=None)
@given(SOME, SOME, st.floats(0.02, 0.4))
def test_any_history_gives_a_rising_curve_whose_mean_is_the_share_that_is_read(liked, disliked, share):
    curve = fit(ORDINARY, liked, disliked, share)
    assert curve.slope > 0
    assert curve.probability(ORDINARY).mean() == pytest.approx(share, abs=1e-6)
    assert np.all(np.diff(curve.probability(np.linspace(-5, 9, 50))) >= 0)


def test_without_scores_that_differ_there_is_no_curve():
    assert fit(np.zeros(100), np.array([]), np.array([]), 0.1) is None
    assert fit(np.array([]), np.array([1.0]), np.array([]), 0.1) is None


def test_likes_far_above_the_ordinary_make_the_curve_steeper_and_likes_among_it_flatter():
    unknown = fit(ORDINARY, np.array([]), np.array([]), 0.1)
    assert fit(ORDINARY, np.full(20, 4.0), np.array([]), 0.1).slope > unknown.slope
    assert fit(ORDINARY, np.zeros(20), np.array([]), 0.1).slope < unknown.slope


def test_a_dislike_that_scores_high_makes_the_curve_flatter():
    liked = np.full(10, 2.0)
    assert fit(ORDINARY, liked, np.full(20, 2.5), 0.1).slope < fit(ORDINARY, liked, np.array([]), 0.1).slope


def test_the_curve_does_not_care_about_the_unit_of_the_scores():
    liked = np.array([1.0, 2.0])
    one, other = fit(ORDINARY, liked, -liked, 0.1), fit(10 * ORDINARY + 3, 10 * liked + 3, 3 - 10 * liked, 0.1)
    assert other.probability(10 * liked + 3) == pytest.approx(one.probability(liked), abs=1e-9)


def test_probabilities_come_true_on_readers_who_follow_such_a_curve():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=20_000) * 1.5
    reads = rng.random(20_000) < 1 / (1 + np.exp(-(1.8 * scores - 4)))
    seen, later = slice(0, 2_000), slice(2_000, None)
    curve = fit(scores[seen], scores[seen][reads[seen]], scores[seen][~reads[seen]][:50], reads.mean())
    bins = reliability(reads[later], curve.probability(scores[later]))
    assert calibration_error(bins) < 0.025
    assert brier(reads[later], curve.probability(scores[later])) < 0.8 * reads.mean() * (1 - reads.mean())


def test_what_is_wanted_only_raises_the_curve_and_what_was_passed_over_lowers_it():
    usual, scores = Calibration(1.0, -2.0), np.linspace(0, 3, 12)
    seen = [moved(usual, scores, np.arange(12) < liked, np.ones(12)).intercept for liked in range(13)]
    assert seen == sorted(seen)
    assert seen[0] < usual.intercept < seen[-1]
    nobody = np.zeros(0)
    assert moved(usual, nobody, nobody.astype(bool), nobody) == usual


def test_two_likes_that_surprise_hardly_flatten_the_curve():
    nobody = np.array([])
    at_first, surprised = fit(ORDINARY, nobody, nobody), fit(ORDINARY, np.full(2, np.median(ORDINARY)), nobody)
    assert 0.9 * at_first.slope < surprised.slope < at_first.slope


def test_the_curve_comes_to_what_those_who_looked_wanted():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=400)
    wanted = rng.random(400) < 1 / (1 + np.exp(-(scores - 1)))
    told = moved(Calibration(1.0, -2.0), scores, wanted, np.ones(400))
    assert told.intercept == pytest.approx(-1.0, abs=0.3)


def test_ordinary_items_count_as_much_as_they_are_worth():
    twice = fit(np.concatenate([ORDINARY, ORDINARY]), np.array([2.0]), np.array([]), 0.1)
    foreign = np.concatenate([ORDINARY, np.full(50, 9.0)])
    none = fit(foreign, np.array([2.0]), np.array([]), 0.1, np.repeat([1.0, 0.0], [len(ORDINARY), 50]))
    assert none.probability(ORDINARY) == pytest.approx(twice.probability(ORDINARY), abs=1e-6)


def test_bins_hold_every_item_once_and_the_error_is_their_mean_gap():
    read, said = np.array([True, False, True, False]), np.array([0.9, 0.1, 0.8, 0.2])
    for bins in (reliability(read, said, 2), by_promise(read, said, 2)):
        assert sum(one.count for one in bins) == 4
    assert reliability(read, said, 2) == (Bin(pytest.approx(0.15), 0.0, 2), Bin(pytest.approx(0.85), 1.0, 2))
    assert calibration_error(reliability(read, said, 2)) == pytest.approx(0.15)
    assert by_promise(read[:0], said[:0]) == reliability(read[:0], said[:0]) == ()
