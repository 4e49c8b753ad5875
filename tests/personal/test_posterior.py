import time
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from attention_filter.personal import ranking
from attention_filter.personal.posterior import believe, chances, deviation, draw, exploring, fit, prior, rows_of


def made(rng, n=60, p=4):
    rows = rng.normal(size=(n, p))
    return rows, rng.random(n) < 0.4, rng.random(n) * 2, prior(rng.normal(size=p), rng.uniform(0.3, 30, p))


def worth(w, rows, labels, counts, before):
    precision = np.linalg.inv(before.root @ before.root.T)
    side = np.where(labels, 1, -1)
    return (w - before.mean) @ precision @ (w - before.mean) / 2 + counts @ np.logaddexp(0, -side * (rows @ w))


def test_the_mean_is_the_most_probable_weights_and_the_covariance_the_curvature_there():
    rng = np.random.default_rng(3)
    rows, labels, counts, before = made(rng)
    known = fit(before, rows, labels, counts)
    best = minimize(worth, before.mean, (rows, labels, counts, before), tol=1e-10).x
    np.testing.assert_allclose(known.mean, best, atol=1e-4)
    p = 1 / (1 + np.exp(-rows @ known.mean))
    curve = np.linalg.inv(before.root @ before.root.T) + (rows.T * (counts * p * (1 - p))) @ rows
    np.testing.assert_allclose(known.root @ known.root.T, np.linalg.inv(curve), atol=1e-8)


def test_newton_does_not_overshoot_where_the_classes_lie_far_apart():
    rows = np.array([[50.0, 1.0], [-50.0, 1.0], [49.0, 1.0]])
    before = prior(np.array([-8.0, 3.0]), np.array([1e-3, 1e-3]))
    known = fit(before, rows, np.array([True, False, True]), np.full(3, 100.0))
    assert (chances(known, rows) > 0.5).tolist() == [True, False, True]


def test_draws_have_the_posteriors_mean_and_deviation():
    rng = np.random.default_rng(0)
    rows, labels, counts, before = made(rng)
    known = fit(before, rows, labels, counts)
    drawn = np.array([draw(known, rng) for _ in range(4_000)])
    np.testing.assert_allclose(drawn.mean(0), known.mean, atol=0.1)
    np.testing.assert_allclose((rows @ drawn.T).std(1), deviation(known, rows), rtol=0.1)


@pytest.mark.parametrize(
    ("items", "weights", "statements"),
    [((), (), ()), ((), (), (1,)), ((1, 2), (1, 1), ()), ((1, 2), (-0.25, -0.25), ()), ((1, 2), (1, -0.1), (0,))],
)
def test_any_history_has_a_posterior(world, items, weights, statements):
    profile = ranking.make_profile(world.background, world.history(list(items), weights, statements))
    known = believe(profile)
    rows = rows_of(profile, world.features)
    assert rows.shape == (200, len(known.mean))
    assert np.isfinite(known.root).all()
    assert (deviation(known, rows) > 0).all()
    assert ((chances(known, rows) > 0) & (chances(known, rows) < 1)).all()
    if not items:
        np.testing.assert_array_equal(known.mean[:5], list(profile.weights.values()))


def test_votes_on_a_theme_leave_less_doubt_about_it_than_about_another(world):
    voted = np.flatnonzero(world.topic[:100] == 0)[:10]
    profile = ranking.make_profile(world.background, world.history(voted, [1.0] * 5 + [-0.25] * 5))
    doubt = deviation(believe(profile), rows_of(profile, world.features))[100:]
    assert doubt[world.topic[100:] == 0].mean() < doubt[world.topic[100:] == 3].mean()


def test_more_of_the_same_votes_leave_less_doubt(world):
    doubts = []
    for n in (2, 10, 40):
        profile = ranking.make_profile(world.background, world.history(range(n), [1.0, -0.25] * (n // 2)))
        doubts.append(deviation(believe(profile), rows_of(profile, world.features)[100:]).mean())
    assert all(later < before for before, later in pairwise(doubts))


def test_rows_are_the_same_from_scores_as_from_features(world):
    profile = ranking.make_profile(world.background, world.history([1, 2], [1, -0.25], [0]))
    scores = ranking.score(profile, world.features, sources=world.topic)
    np.testing.assert_allclose(rows_of(profile, world.features, scores), rows_of(profile, world.features), atol=1e-9)
    given = believe(profile, ranking.held_out_terms(profile), ranking.score(profile, world.background.sample))
    np.testing.assert_allclose(given.mean, believe(profile).mean, atol=1e-6)


def test_exploring_is_the_score_under_the_drawn_weights_less_the_score(world):
    profile = ranking.make_profile(world.background, world.history([1, 2], [1, 1], [0]))
    known = believe(profile)
    drawn = draw(known, np.random.default_rng(1))
    scores = ranking.score(profile, world.features)
    rows = rows_of(profile, world.features)
    rows[:, len(profile.weights) - 1] = 0  # the one, after all terms but taste
    got = exploring(profile, world.features, scores, drawn - known.mean)
    np.testing.assert_allclose(got, rows @ drawn - rows @ known.mean, atol=1e-9)
    assert got.std() > 0.1


def test_what_is_not_encoded_belongs_to_no_theme(world):
    profile = ranking.make_profile(world.background, world.history([], [], [0]))
    unknown = world.background.features(np.zeros_like(world.vectors), world.counts, ["en"] * 200)
    assert not rows_of(profile, unknown)[:, len(profile.weights) + 1 :].any()


def test_five_thousand_votes_are_learned_in_a_moment():
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(5_600, 38)), rng.random(5_600) < 2
    fit(prior(np.zeros(38), np.ones(38)), rows[:10], labels[:10], np.ones(10))  # imports
    begun = time.process_time()
    fit(prior(np.zeros(38), np.ones(38)), rows, labels, np.ones(5_600))
    assert time.process_time() - begun < 2  # 15 ms on an idle core
