"""Peers as they really work, on the made-up world of topics."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.svm import SVC

from attention_filter.personal import baselines
from attention_filter.personal.baselines import Factors, factorise
from attention_filter.personal.evaluate import auc
from attention_filter.personal.features import take

NOBODY = np.zeros(0, int)


def test_a_weighted_library_is_the_decayed_mean_of_cosines(world):
    likes = [3, 8, 5, 11]
    cosines = world.features.meaning @ world.features.meaning[likes[::-1]].T.astype(float)  # the latest like first
    decay = 1 / (1 + np.log10([1, 2, 3, 4]))
    scores = baselines.weighted_library(world.history(likes, [1.0] * 4), world.features)
    np.testing.assert_allclose(scores, 10 * (cosines * decay / decay.sum()).sum(1), atol=1e-6)


def test_a_weighted_library_holds_no_dislikes_and_may_be_empty(world):
    with_dislike = baselines.weighted_library(world.history([3, 8], [1.0, -0.25]), world.features)
    without = baselines.weighted_library(world.history([3], [1.0]), world.features)
    np.testing.assert_allclose(with_dislike, without, atol=1e-6)
    assert baselines.weighted_library(world.history([8], [-0.25]), world.features) is None


def test_keyword_rules_count_each_word_of_the_statements_once(count):
    statements = count(["cats and rain", "rain rain"])
    texts = count(["cats", "rain rain rain over cats", "chess", ""])
    assert baselines.keyword_rules(statements, texts).tolist() == [1, 2, 0, 0]
    assert baselines.keyword_rules(take(statements, NOBODY), texts) is None
    assert baselines.keyword_rules(count(["the of"]), texts) is None


def test_rbf_svm_scores_as_scikit_learn_does_and_finds_the_topic(world):
    liked = np.flatnonzero(world.topic == 2)[:8]
    history, others, candidates = world.history(liked, [1.0] * 8), world.features[:60], world.features[100:]
    scores = baselines.rbf_svm(history, others, candidates)
    assert auc((world.topic == 2)[100:], scores) > 0.9
    rows = np.vstack([world.features.meaning[liked], others.meaning])
    peer = SVC(class_weight="balanced").fit(rows, np.arange(len(rows)) < 8)
    np.testing.assert_allclose(scores, peer.decision_function(candidates.meaning), atol=1e-5)
    assert baselines.rbf_svm(world.history([], []), others, candidates) is None
    assert baselines.rbf_svm(history, world.features[:0], candidates) is None


@pytest.fixture(scope="module")
def clicks():
    """30 readers of two kinds, each of whom clicked on 8 of the 12 items of their kind; nobody on the last item."""
    rng = np.random.default_rng(0)
    table = np.zeros((30, 25))
    for reader in range(30):
        table[reader, 12 * (reader % 2) + rng.permutation(12)[:8]] = 1
    return table


def test_factors_find_what_readers_alike_clicked(clicks):
    factors = factorise(sparse.csr_array(clicks))
    left = np.arange(24) < 12
    assert auc(left, factors.scores(np.array([0, 1]), np.arange(24))) == 1
    assert auc(~left, factors.scores(np.array([20]), np.arange(24))) == 1


def test_each_half_step_of_the_factors_is_exact(clicks):
    items = np.random.default_rng(0).normal(size=(25, baselines.FACTORS))
    readers = baselines._solve(sparse.csr_array(clicks), items)
    confidence = np.where(clicks, 1, baselines.UNSEEN)  # the gradient of the loss, by hand
    gradient = (confidence * (readers @ items.T - clicks)) @ items + baselines.SHRINK * readers
    np.testing.assert_allclose(gradient, 0, atol=1e-9)


def test_factors_say_nothing_of_what_nobody_clicked(clicks):
    factors = factorise(sparse.csr_array(clicks))
    assert factors.scores(np.array([0]), np.array([24, 3]))[0] == 0
    assert factors.scores(np.array([24]), np.array([3])) is None
    assert factors.scores(NOBODY, np.array([3])) is None
    assert factors.scores(np.array([0]), np.array([24])) is None
    assert isinstance(factorise(sparse.csr_array((0, 5))), Factors)
