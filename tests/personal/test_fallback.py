import numpy as np
import pytest

from attention_filter.personal.baselines import linear_svm, mean_of_likes
from attention_filter.personal.evaluate import FILTER
from attention_filter.personal.fallback import DOUBT, ENOUGH, LATEST, decide, make_simple
from attention_filter.personal.features import take
from attention_filter.personal.replay import GAIN, KEYWORDS, MEAN, NEWEST, SIMPLE, WORDS, keyword_index

RNG = np.random.default_rng(0)


def marks(**better):
    """The filter's gains around .5 and those of the simple rankings, better or worse by so much."""
    filter_gain = 0.5 + 0.1 * RNG.normal(size=60)
    names = dict(zip(("newest", "keywords", "words", "mean"), (NEWEST, KEYWORDS, WORDS, MEAN), strict=True))
    out = {FILTER: {GAIN: filter_gain}} | {name: {GAIN: filter_gain - 0.2} for name in SIMPLE}
    for name, by in better.items():
        out[names[name]] = {GAIN: filter_gain + by + 0.05 * RNG.normal(size=60)}
    return out


def first(n, all_marks):
    return {name: {GAIN: values[GAIN][:n]} for name, values in all_marks.items()}


def test_the_best_proven_ranking_takes_over():
    assert decide(marks(words=0.1, mean=0.2)).method == MEAN


def test_what_is_better_by_chance_only_does_not():
    unsure = marks(words=0.0)
    unsure[WORDS] = {GAIN: unsure[FILTER][GAIN] + np.tile([0.3, -0.28], 30)}
    decision = decide(unsure)
    assert decision.tests[WORDS].better_by > 0
    assert decision.method is None


def test_few_likes_prove_nothing():
    clear = marks(mean=0.3)
    assert decide(first(ENOUGH - 1, clear)).method is None
    assert decide(first(ENOUGH, clear)).method == MEAN
    assert decide(first(0, clear), current=MEAN).method is None


def test_it_stays_while_it_is_ahead_at_all_and_hands_back_when_it_is_not():
    ahead = marks(mean=0.0)
    ahead[MEAN] = {GAIN: ahead[FILTER][GAIN] + np.tile([0.3, -0.28], 30)}
    assert decide(ahead, current=MEAN).method == MEAN
    ahead[MEAN] = {GAIN: ahead[FILTER][GAIN] - 0.001}
    assert decide(ahead, current=MEAN).method is None


def test_the_latest_likes_decide():
    long = {name: {GAIN: np.concatenate([values[GAIN] * 0, values[GAIN]])} for name, values in marks(mean=0.2).items()}
    assert decide(long).likes == LATEST
    assert decide(long).method == MEAN


def test_rankings_that_are_no_better_seldom_take_over():
    rng = np.random.default_rng(1)
    taken = 0
    for _ in range(300):
        filter_gain = rng.normal(size=60)
        given = {name: {GAIN: filter_gain + rng.normal(size=60)} for name in SIMPLE}
        taken += decide({FILTER: {GAIN: filter_gain}, **given}).method is not None
    assert taken / 300 < 1.6 * DOUBT


@pytest.fixture
def history(world):
    return world.history([3, 8, 20, 31, 44], [1, 1, 1, -0.25, -0.25], statements=[0])


def simple(world, history, method):
    return make_simple(method, world.background, history, keyword_index(world.background, 12.0), typical=2.0)


def scores(world, one, statements=(0,)):
    said = take(world.counts, np.flatnonzero(world.topic == statements[0])[:1] if statements else np.zeros(0, int))
    return one.scores(world.features, world.counts, said, np.arange(len(world.texts), dtype=float))


@pytest.mark.parametrize("method", [MEAN, WORDS])
def test_it_orders_as_what_was_measured(world, history, method):
    measured = (
        mean_of_likes(history, world.features)
        if method == MEAN
        else linear_svm(history, world.background.sample, world.features)
    )
    given = scores(world, simple(world, history, method))
    assert np.corrcoef(given, measured)[0, 1] == pytest.approx(1)
    assert np.argsort(given).tolist() == np.argsort(measured).tolist()


def test_newest_first_is_by_age_and_keywords_by_the_statements(world, history):
    assert np.diff(scores(world, simple(world, history, NEWEST))).max() < 0
    found = scores(world, simple(world, history, KEYWORDS))
    assert found[world.topic == 0].mean() > 5 * found[world.topic != 0].mean()


@pytest.mark.parametrize("method", [KEYWORDS, WORDS, MEAN])
def test_a_ranking_with_nothing_left_to_go_by_is_none(world, method):
    assert simple(world, world.history([3], [-0.25]), method) is None
