import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal import feedback
from attention_filter.personal.background import from_bytes, make_background, to_bytes
from attention_filter.personal.explain import carried_by_items, shares
from attention_filter.personal.features import Counts, similarity
from attention_filter.personal.feedback import act_weight
from attention_filter.personal.ranking import (
    TEMPERATURE,
    WEIGHTS,
    held_out,
    make_profile,
    raw_terms,
    read_outs,
    score,
)
from attention_filter.personal.taste import learn
from attention_filter.types import Sign

HEADS = ("interests", "themes", "topics")
ITEMS = st.lists(st.integers(0, 99), min_size=1, max_size=8, unique=True)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def test_the_terms_sum_to_the_score(world):
    profile = make_profile(world.background, world.history([1, 2, 3], [1, -0.25, 1], statements=[0]))
    n = len(world.features)
    scores = score(
        profile, world.features, freshness=np.full(n, 0.5), sources=world.topic, rules=np.ones(n), popularity=np.ones(n)
    )
    np.testing.assert_allclose(sum(scores.terms.values()), scores.total, atol=1e-9)
    assert set(scores.terms) == {*HEADS, "near", "said", "taste", "fresh", "source", "rules", "popular"}


@given(ITEMS, st.integers(100, 199), st.booleans())
def test_shares_sum_to_each_term(world, liked, candidate, stated):
    history = world.history(liked, [1.0 if i % 3 else -0.25 for i in liked], statements=[1, 2] if stated else [])
    profile = make_profile(world.background, history)
    raw, parts = raw_terms(profile, world.features[[candidate]]), shares(profile, world.features[[candidate]])
    for term in {*parts} - {"taste"}:  # ordinary items carry a part of taste
        assert parts[term].sum() == pytest.approx(raw[term][0], abs=1e-5), term


def test_a_history_longer_than_a_vector_gives_the_terms_that_its_items_share(world):
    profile = make_profile(world.background, world.history(range(60), [1.0, -0.25, 1.0] * 20, statements=[1, 2]))
    assert len(profile.history) > world.features.meaning.shape[1]
    raw = raw_terms(profile, world.features[100:110])
    for row in range(10):
        parts = shares(profile, world.features[[100 + row]])
        for term in {*parts} - {"taste"}:
            assert parts[term].sum() == pytest.approx(raw[term][row], abs=1e-5), term


def test_without_ordinary_items_the_shares_and_the_constant_are_the_whole_taste(world):
    history = world.history([1, 2, 3, 4], [1, -0.25, 1, 1], statements=[1])
    taste = learn(history.features, history.weight, world.features[:0], 2.0)
    kernel = similarity(world.features, history.features, 2.0)
    np.testing.assert_allclose(kernel @ taste.alpha + taste.constant, taste.of(world.features), atol=1e-5)


def test_a_taste_tells_what_was_liked_from_what_is_ordinary(world):
    liked = np.flatnonzero(world.topic[:100] == 2)[:9]
    taste = learn(world.features[liked], np.ones(9, np.float32), world.background.ordinary, 2.0)
    later = taste.of(world.features[100:])
    assert later[world.topic[100:] == 2].min() > np.median(later[world.topic[100:] != 2])
    assert learn(world.features[liked], -np.ones(9, np.float32), world.background.ordinary, 2.0) is None


def test_what_carried_a_score_sums_to_it(world):
    profile = make_profile(world.background, world.history([1, 2, 3], [1, -0.25, 1], statements=[0]))
    row = world.features[[150]]
    carried = carried_by_items(profile, row)
    whole = sum(carried.by_item.values()) + carried.ordinary + carried.baseline
    assert whole == pytest.approx(score(profile, row).total[0], abs=1e-5)
    assert carried.ordinary != 0


@given(ITEMS.filter(lambda x: len(x) > 1), st.integers(100, 199))
def test_an_attention_share_is_the_leave_one_out_effect(world, liked, candidate):
    history = world.history(liked, [1.0 if i % 3 else -0.25 for i in liked], statements=[0])
    profile = make_profile(world.background, history)
    row = world.features[[candidate]]
    parts, whole = shares(profile, row), raw_terms(profile, row)
    for index, key in enumerate(liked):
        rest = raw_terms(make_profile(world.background, history.without(key), profile.scale), row)
        for head in HEADS:
            assert parts[head][index] == pytest.approx(whole[head][0] - rest[head][0], abs=1e-5)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True), st.integers(100, 199))
def test_an_attention_share_is_the_shapley_value(world, liked, candidate):
    """Brute force over all coalitions, with the head's formula written out in loops over NumPy arrays."""
    history = world.history(liked, [1.0 if i % 3 else -0.25 for i in liked])
    profile = make_profile(world.background, history)
    row = world.features[[candidate]]
    prototypes = world.background.prototypes[0]
    n, vectors, c = len(liked), history.features.meaning.astype(float), row.meaning[0].astype(float)
    a = softmax(prototypes @ vectors.T / TEMPERATURE, 0)
    h = softmax(prototypes @ c / TEMPERATURE, 0)

    def worth(coalition):
        return sum(float(h @ a[:, j]) * float(history.weight[j]) * float(vectors[j] @ c) for j in coalition)

    for j in range(n):
        others = [i for i in range(n) if i != j]
        value = 0.0
        for size in range(n):
            for coalition in itertools.combinations(others, size):
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                value += weight * (worth((*coalition, j)) - worth(coalition))
        assert shares(profile, row)["themes"][j] == pytest.approx(value, abs=1e-5)


def test_the_interests_head_equals_the_formula(world):
    history = world.history([3, 4, 5], [1, 1, -0.25], statements=[0, 1])
    profile = make_profile(world.background, history)
    p = history.features.meaning[history.statement]
    v, c = history.features.meaning, world.features.meaning
    a, h = softmax(p @ v.T / TEMPERATURE, 0), softmax(c @ p.T / TEMPERATURE, 1)
    kernel = c @ v.T + world.background.word_weight * (world.features.words @ history.features.words.T).toarray()
    want = ((h @ a) * history.weight * kernel).sum(1)
    np.testing.assert_allclose(raw_terms(profile, world.features)["interests"], want, atol=1e-5)


@given(ITEMS, st.integers(0, 199), st.sampled_from([Sign.DISLIKE, Sign.HIDE, Sign.SKIP]))
def test_a_rejection_never_raises_the_items_own_score(world, liked, rejected, sign):
    kept = [i for i in liked if i != rejected] or [(rejected + 1) % 200]
    before = make_profile(world.background, world.history(kept, [1.0] * len(kept), statements=[0]))
    history = world.history([*kept, rejected], [*[1.0] * len(kept), act_weight(sign)], statements=[0])
    after = make_profile(world.background, history, before.scale)
    row = world.features[[rejected]]
    assert score(after, row).total[0] < score(before, row).total[0]


def test_adding_then_removing_a_feedback_restores_the_profile(world):
    history = world.history([1, 2, 3], [1, 1, -0.25], statements=[0])
    longer = world.history([1, 2, 3, 9], [1, 1, -0.25, 1], statements=[0])
    before = make_profile(world.background, history)
    after = make_profile(world.background, longer.without(9), before.scale)
    for old, new in zip(before.heads, after.heads, strict=True):
        np.testing.assert_allclose(old.learned, new.learned, atol=1e-9)
    np.testing.assert_allclose(score(before, world.features).total, score(after, world.features).total, atol=1e-9)


@given(st.permutations(range(20)), st.integers(1, 20))
def test_the_order_and_the_batch_change_no_score(world, order, size):
    profile = make_profile(world.background, world.history([1, 2], [1, 1], statements=[3]))
    whole = score(profile, world.features).total
    part = score(profile, world.features[list(order)[:size]]).total
    np.testing.assert_allclose(part, whole[list(order)[:size]], atol=1e-5)


def test_cached_read_outs_give_the_same_scores(world):
    profile = make_profile(world.background, world.history([1, 2], [1, 1], statements=[3]))
    cached = read_outs(profile, world.features)
    np.testing.assert_array_equal(
        score(profile, world.features, cached=cached).total, score(profile, world.features).total
    )


def test_likes_lift_their_topic_and_a_statement_ranks_without_any_feedback(world):
    liked = np.flatnonzero(world.topic[:100] == 2)[:5]
    rest = np.arange(100, 200)
    for history in (world.history(liked, [1.0] * 5), world.history([], [], statements=[2])):
        total = score(make_profile(world.background, history), world.features[rest]).total
        on_topic = world.topic[rest] == 2
        assert total[on_topic].min() > np.median(total[~on_topic])


def test_an_unwanted_statement_lowers_its_topic(world):
    history = world.history([], [], statements=[0, 1])
    history.weight[1] = -2.0
    total = score(make_profile(world.background, history), world.features).total
    assert total[world.topic == 0].mean() > total[world.topic > 1].mean() > total[world.topic == 1].mean()


def test_nothing_known_gives_zero_and_never_nan(world):
    profile = make_profile(world.background, world.history([], []))
    assert score(profile, world.features).total.tolist() == [0.0] * len(world.features)
    only_dislikes = make_profile(world.background, world.history([1], [-0.25]))
    assert np.isfinite(score(only_dislikes, world.features).total).all()


def test_items_without_a_vector_are_ranked_by_their_words(world):
    vectors = np.zeros_like(world.vectors)
    background = make_background("none", vectors, world.counts, ["en"] * 200, world.topic)
    features = background.features(vectors, world.counts, ["en"] * 200)
    profile = make_profile(background, world.history([], [], statements=[]))
    assert np.isfinite(score(profile, features).total).all()
    history = world.history([0, 1], [1, 1])
    words_only = make_profile(background, type(history)(features[[0, 1]], history.weight, history.statement, (0, 1)))
    total = score(words_only, features).total
    assert total[world.topic == world.topic[0]].mean() > total[world.topic != world.topic[0]].mean()


def test_a_background_survives_storage(world):
    history = world.history([1, 2], [1, 1], statements=[3])
    again = from_bytes(to_bytes(world.background))
    np.testing.assert_array_equal(again.idf, world.background.idf)
    assert again.source_counts == world.background.source_counts
    np.testing.assert_allclose(
        score(make_profile(again, history), world.features).total,
        score(make_profile(world.background, history), world.features).total,
        atol=1e-6,
    )


def test_a_rare_source_gets_more_than_a_loud_one(world):
    profile = make_profile(world.background, world.history([1], [1]))
    counts = world.background.source_counts
    loud = max(counts, key=counts.get)
    terms = score(profile, world.features[[0, 1]], sources=np.array([999, loud])).terms
    assert terms["source"].tolist() == pytest.approx([0.2, 0.0])


def test_weights_decay_and_reject_less_than_they_like():
    assert act_weight(Sign.LIKE, 360) == pytest.approx(0.25)
    assert all(abs(feedback.WEIGHTS[s]) < feedback.WEIGHTS[Sign.LIKE] for s in (Sign.DISLIKE, Sign.SKIP, Sign.HIDE))


def test_each_language_is_centred_on_itself(world):
    """The same topics said in another language: shifted as a whole, as multilingual encoders do."""
    shift = np.random.default_rng(5).normal(size=world.vectors.shape[1]).astype(np.float32)
    both = np.vstack([world.vectors, world.vectors + shift])
    counts = Counts(
        np.concatenate([world.counts.start, world.counts.start[1:] + world.counts.start[-1]]),
        np.tile(world.counts.terms, 2),
        np.tile(world.counts.counts, 2),
    )
    langs = ["en"] * 200 + ["zh"] * 200
    background = make_background("two", both, counts, langs, np.zeros(400, np.int64))
    meaning = background.features(both, counts, langs).meaning
    np.testing.assert_allclose(meaning[:200], meaning[200:], atol=1e-4)


def test_held_out_scores_are_those_of_a_history_without_the_item(world):
    liked = [3, 8, 15, 40, 41]
    history = world.history(liked, [1, 1, -0.25, 1, 1], statements=[0])
    exact = {term: weight for term, weight in WEIGHTS.items() if term != "taste"}  # taste's is about that of a refit
    profile = make_profile(world.background, history, weights=exact)
    for row, key in enumerate(liked):
        without = make_profile(world.background, history.without(key), profile.scale, exact)
        assert held_out(profile)[row] == pytest.approx(score(without, world.features[[key]]).total[0], abs=1e-4)
