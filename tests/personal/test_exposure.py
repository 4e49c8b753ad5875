"""Popularity apart from interest, and clicks apart from the place on the page."""

from datetime import UTC, datetime, timedelta

import numpy as np
from scipy.stats import spearmanr

from attention_filter.personal.exposure import Popularity, inverse_weights, propensities

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def biased_log(rng, items=20, rounds=6_000, places=5):
    """The better an item, the lower it is put (most of the time); (look, worth, positions, items, clicks)."""
    look, worth = 1 / np.arange(1, places + 1) ** 1.2, np.linspace(0.1, 0.9, items)
    shown = np.array([rng.choice(items, places, replace=False) for _ in range(rounds)])
    order = np.argsort(worth[shown] + rng.normal(0, 0.25, shown.shape), axis=1)
    shown = np.take_along_axis(shown, order, 1)
    positions = np.tile(np.arange(1, places + 1), (rounds, 1))
    clicks = rng.random(shown.shape) < look * worth[shown]
    return look, worth, positions, shown, clicks


def test_propensities_are_found_in_a_log_where_good_items_are_put_low():
    look, _, positions, items, clicks = biased_log(np.random.default_rng(0))
    found = propensities(positions.ravel(), items.ravel(), clicks.ravel())
    np.testing.assert_allclose(found, look, atol=0.08)


def test_weighted_by_inverse_propensity_popularity_has_the_true_order_and_naively_not():
    _, worth, positions, items, clicks = biased_log(np.random.default_rng(0))
    look = propensities(positions.ravel(), items.ravel(), clicks.ravel())
    order = {}
    for name, weight in (("naive", np.ones(positions.shape)), ("weighted", inverse_weights(positions, look))):
        popularity = Popularity(len(worth))
        for shown, clicked, w in zip(items, clicks, weight, strict=True):
            popularity.learn(shown, clicked * w, np.zeros(len(shown)), NOW)
        order[name] = spearmanr(popularity.logits(np.arange(len(worth))), worth).statistic
    assert order["naive"] < 0.7
    assert order["weighted"] > 0.95


def test_no_click_counts_more_than_the_clip():
    weights = inverse_weights(np.array([1, 2, 7]), np.array([1.0, 1e-4], np.float32), clip=5)
    assert weights.tolist() == [1, 5, 5]


def test_a_click_that_interest_explains_makes_an_item_less_popular_than_one_that_it_does_not():
    rows, clicks = np.array([0, 1]), np.array([1.0, 0.0])
    expected, surprise = Popularity(2), Popularity(2)
    expected.learn(rows, clicks, np.array([2.0, 0.0]), NOW)
    surprise.learn(rows, clicks, np.array([0.0, 2.0]), NOW)
    assert 0 < expected.logits(rows)[0] < surprise.logits(rows)[0]


def test_popularity_comes_near_the_logits_that_the_clicks_were_drawn_from():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 0.6, 10)
    popularity = Popularity(10)
    for _ in range(4_000):
        rows = rng.choice(10, 4, replace=False)
        chance = np.exp(true[rows]) / np.exp(true[rows]).sum()
        popularity.learn(rows, rng.multinomial(1, chance).astype(float), np.zeros(4), NOW)
    found = popularity.logits(np.arange(10))
    assert np.corrcoef(found, true)[0, 1] > 0.98
    np.testing.assert_allclose(found - found.mean(), true - true.mean(), atol=0.3)


def test_an_impression_without_a_click_moves_nothing_but_age():
    popularity = Popularity(2)
    popularity.learn(np.array([0]), np.zeros(1), np.zeros(1), NOW)
    assert popularity.logits(np.array([0, 1])).tolist() == [0, 0]
    assert popularity.days_since_shown(np.array([0, 1]), NOW + timedelta(days=2)).tolist() == [2, 0]
