import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score, roc_auc_score

from attention_filter.personal import baselines, taste
from attention_filter.personal.evaluate import FILTER, Result, Section, auc, measure, mrr, ndcg, paired_bootstrap
from attention_filter.personal.features import take

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=2, max_size=7)
MEASURES = [auc, mrr, lambda labels, scores: ndcg(labels, scores, 3)]


def arrays(case):
    return np.array([label for label, _ in case]), np.array([score for _, score in case], float)


def by_the_book(labels, k):
    """MRR and nDCG@k of labels that stand in the order of a ranking."""
    places = np.arange(1, len(labels) + 1)
    gains = labels / np.log2(places + 1)
    ideal = np.sort(labels)[::-1] / np.log2(places + 1)
    return (labels / places).sum() / labels.sum(), gains[:k].sum() / ideal[:k].sum()


@given(CASES.filter(lambda case: any(label for label, _ in case)))
def test_ties_count_as_the_mean_over_their_orders(case):
    labels, scores = arrays(case)
    orders = [p for p in itertools.permutations(range(len(case))) if (np.diff(scores[list(p)]) <= 0).all()]
    expected = np.mean([by_the_book(labels[list(order)], 3) for order in orders], axis=0)
    assert mrr(labels, scores) == pytest.approx(expected[0])
    assert ndcg(labels, scores, 3) == pytest.approx(expected[1])


@given(CASES.filter(lambda case: len({label for label, _ in case}) == 2))
def test_measures_agree_with_scikit_learn(case):
    labels, scores = arrays(case)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert ndcg(labels, scores, 3) == pytest.approx(ndcg_score([labels.astype(int)], [scores], k=3))


@given(CASES, st.randoms())
def test_the_order_of_candidates_changes_no_measure(case, random):
    shuffled = random.sample(case, len(case))
    for one in MEASURES:
        assert one(*arrays(shuffled)) == pytest.approx(one(*arrays(case)), nan_ok=True)


def test_what_cannot_be_measured_is_nan():
    scores = np.array([1.0, 2.0])
    assert all(math.isnan(one(np.array([False, False]), scores)) for one in MEASURES)
    assert math.isnan(auc(np.array([True, True]), scores))


def test_the_bootstrap_error_is_that_of_a_mean():
    rng = np.random.default_rng(1)
    difference = rng.normal(0.1, 1, 400)
    one = paired_bootstrap(difference, np.zeros(400), np.arange(400), np.zeros(400))
    assert one.mean == pytest.approx(difference.mean())
    assert one.error == pytest.approx(difference.std() / 20, rel=0.1)
    assert one.high - one.low == pytest.approx(2 * 1.96 * one.error, rel=0.1)


def test_the_bootstrap_draws_whole_readers():
    readers = np.repeat(np.arange(40), 10)
    same_within = np.repeat(np.random.default_rng(1).normal(size=40), 10)
    error = paired_bootstrap(same_within, np.zeros(400), readers, np.zeros(400)).error
    assert error == pytest.approx(same_within.std() / math.sqrt(40), rel=0.15)


def test_the_bootstrap_leaves_out_what_was_not_measured():
    first, second = np.array([1.0, np.nan, 3.0]), np.array([0.0, 0.0, np.nan])
    assert paired_bootstrap(first, second, np.arange(3), np.zeros(3)).mean == 1
    assert math.isnan(paired_bootstrap(second[2:], first[2:], np.arange(1), np.zeros(1)).mean)


def test_a_mean_counts_each_k_from_one_on_alike_and_json_says_so():
    labels = [np.array([True, False])] * 4
    good, bad = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    scores = [{FILTER: bad}, {FILTER: good, "newest": bad}, {FILTER: good, "newest": good}, {FILTER: bad}]
    groups, readers = np.array([0, 1, 1, 3]), np.array(["a", "a", "b", "a"])
    section = Section("with_statements", groups, readers, measure(labels, scores, ["auc", "ndcg@10"]))
    report = Result((section,)).as_json()
    assert list(report) == ["filter", "baselines"]
    assert [value["auc"] for value in report["filter"]["with_statements"].values()] == [0, 1, 0, 0.5]
    assert list(report["filter"]["with_statements"]) == ["0", "1", "3", "mean"]
    assert report["baselines"]["newest"]["with_statements"]["1"]["auc"] == 0.5
    ours, newest = Result((section,)).rows()
    assert ours.filter_is_better_by is None
    assert newest.filter_is_better_by["auc"].mean == 0.5


def test_a_log_of_clicks_has_no_sections_in_json():
    labels = [np.array([True, False]), np.array([False, False])]
    scores = [{FILTER: np.array([1.0, 0.0])}] * 2
    marks = measure(labels, scores, ["auc", "mrr", "ndcg@5", "ndcg@10"])
    report = Result((Section("", np.zeros(2, int), np.arange(2), marks),)).as_json()
    assert report == {"filter": {"auc": 1.0, "mrr": 1.0, "ndcg@5": 1.0, "ndcg@10": 1.0}, "baselines": {}}


def test_bm25_prefers_what_a_statement_says(world):
    statements = take(world.counts, np.array([0]))
    scores = baselines.bm25(baselines.make_bm25(world.counts), statements, world.counts)
    assert auc(world.topic == world.topic[0], scores) > 0.95
    assert scores.argmax() == 0
    assert baselines.bm25(baselines.make_bm25(world.counts), take(statements, np.array([], int)), world.counts) is None


def test_bm25_takes_the_best_statement(world):
    collection = baselines.make_bm25(world.counts)
    one, other, both = (
        baselines.bm25(collection, take(world.counts, np.array(i)), world.counts) for i in ([0], [1], [0, 1])
    )
    np.testing.assert_allclose(both, np.maximum(one, other))


@pytest.mark.parametrize("learn", [baselines.linear_svm, baselines.logistic_regression])
def test_a_learner_finds_the_topic_that_was_liked(world, learn):
    liked = np.flatnonzero(world.topic == 2)[:8]
    history = world.history(liked, [1.0] * 8)
    scores = learn(history, world.features[:60], world.features[100:])
    assert auc((world.topic == 2)[100:], scores) > 0.9
    assert learn(world.history([], []), world.features[:60], world.features[100:]) is None
    assert learn(history, world.features[:0], world.features[100:]) is None


def test_logistic_regression_solves_what_scikit_learn_solves(world, monkeypatch):
    monkeypatch.setattr(baselines, "STRENGTHS", (1.0,))
    liked = np.flatnonzero(world.topic == 2)[:8]
    others = world.features[100:150]
    scores = baselines.logistic_regression(world.history(liked, [1.0] * 8), others, world.features)
    rows = np.vstack([world.features.meaning[liked], others.meaning])
    # The intercept is shrunk like every weight, as if it were a column of ones.
    ones = np.ones((len(rows), 1))
    peer = LogisticRegression(C=1.0, class_weight="balanced", fit_intercept=False, tol=1e-10, max_iter=1000)
    peer.fit(np.hstack([rows, ones]), np.arange(len(rows)) < 8)
    np.testing.assert_allclose(scores, world.features.meaning @ peer.coef_[0, :-1], atol=2e-3)


def test_the_loss_without_an_example_is_about_that_of_a_refit(world):
    rows = world.features.meaning[:30].astype(float)
    wanted = world.topic[:30] == world.topic[0]
    kernel, weight = rows @ rows.T + 1, np.ones(30)
    _, left_out, _ = taste.newton(kernel, wanted, weight, 1.0, np.zeros(30))
    for i in range(30):
        keep = np.arange(30) != i
        dual, _, _ = taste.newton(kernel[np.ix_(keep, keep)], wanted[keep], weight[keep], 1.0, np.zeros(29))
        assert left_out[i] == pytest.approx(kernel[i, keep] @ dual, abs=0.05)


def test_chance_gives_an_item_the_same_score_wherever_it_stands():
    rows = np.array([5, 9, 2])
    scores = baselines.at_random(rows, (0, 1))
    np.testing.assert_array_equal(baselines.at_random(rows[::-1], (0, 1)), scores[::-1])
    assert (scores != baselines.at_random(rows, (0, 2))).all()


def test_newest_first_puts_what_has_no_date_last():
    assert np.argsort(-baselines.newest(np.array([1.0, np.nan, np.inf, 2.0]))).tolist() == [2, 3, 0, 1]
    assert baselines.newest(np.array([np.nan])) is None
