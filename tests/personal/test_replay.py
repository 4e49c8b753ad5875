from dataclasses import replace

import numpy as np
import pytest

from attention_filter.personal import baselines
from attention_filter.personal.baselines import make_bm25
from attention_filter.personal.evaluate import FILTER
from attention_filter.personal.features import take
from attention_filter.personal.ranking import make_profile, score
from attention_filter.personal.replay import (
    GAIN,
    KEYWORDS,
    SIMPLE,
    Acts,
    Pool,
    Said,
    judge,
    keyword_index,
    replay,
    spread,
)

DAY = 86_400.0


@pytest.fixture(scope="module")
def lived(world):
    """An item an hour; topic 0 is liked a day after it came, and topic 1 disliked."""
    came = 3_600.0 * np.arange(len(world.texts))
    pool = Pool(world.features, world.counts, came, came, np.zeros(len(came), np.int64))
    rows = np.flatnonzero(world.topic <= 1)
    return pool, Acts(rows, np.where(world.topic[rows] == 0, 1.0, -0.25), came[rows] + DAY)


@pytest.fixture(scope="module")
def said(world):
    one = world.history([], [], statements=[0])
    nothing = np.flatnonzero(world.topic == 99)
    return Said(one.features[nothing], take(world.counts, nothing), np.zeros(0), np.zeros(0))


def run(world, pool, acts, said, chosen=None, **options):
    chosen = spread(acts) if chosen is None else chosen
    return replay(world.background, pool, acts, said, chosen, half_life_days=3.0, **options)


def test_a_reader_of_one_topic_is_known_better_with_every_like(world, lived, said):
    seen = run(world, *lived, said)
    auc = seen.marks[FILTER]["auc"]
    assert auc[5:].mean() > 0.95
    assert auc[5:].mean() > seen.marks["newest first"]["auc"][5:].mean() + 0.2
    assert seen.before.tolist() == sorted(seen.before.tolist())


def test_what_comes_later_changes_nothing_before(world, lived, said):
    pool, acts = lived
    half = acts.at[len(acts.rows) // 2]
    early = np.flatnonzero((acts.weight > 0) & (acts.at < half))
    later_known = (acts.at >= half) & (acts.weight < 0)
    turned = replace(acts, weight=np.where(later_known, -5.0, acts.weight))
    one, other = (run(world, pool, given, said, early) for given in (acts, turned))
    for method in (FILTER, *SIMPLE):
        assert other.marks[method][GAIN].tolist() == one.marks[method][GAIN].tolist()
    assert other.chances.tolist() == one.chances.tolist()
    before = replace(acts, weight=np.where(acts.weight < 0, -5.0, acts.weight))
    assert run(world, pool, before, said, early).chances.tolist() != one.chances.tolist()


def test_an_item_competes_with_what_had_come_and_was_unread(world, lived, said):
    pool, acts = lived
    first = spread(acts)[:1]
    alone = replace(pool, came=np.where(np.arange(len(pool.came)) == acts.rows[first[0]], 0.0, np.inf))
    assert np.isnan(run(world, alone, acts, said, first).marks[FILTER][GAIN]).all()


def test_a_method_with_nothing_to_go_by_is_as_good_as_chance(world, lived, said):
    seen = run(world, *lived, said)
    assert (seen.marks["keywords"]["auc"] == 0.5).all()
    assert seen.marks["mean of likes"]["auc"][0] == 0.5
    assert set(seen.marks) == {FILTER, *SIMPLE}


def test_every_item_is_judged_once_at_most_and_after_it_came(world, lived, said):
    pool, acts = lived
    seen = run(world, pool, acts, said)
    assert seen.read.sum() <= (acts.weight > 0).sum()
    assert len(seen.read) <= len(pool.came)
    assert len(seen.read) > 0.8 * (pool.came < acts.at.max()).sum()
    assert ((seen.chances > 0) & (seen.chances < 1)).all()
    assert seen.chances[seen.read].mean() > 3 * seen.chances[~seen.read].mean()


def test_most_of_what_was_liked_lay_above_the_line(world, lived, said):
    seen = run(world, *lived, said)
    assert seen.kept[3:].mean() > 0.85
    assert 0.1 < seen.away.mean() < 0.95


@pytest.mark.parametrize("read", [5, 15, 30])
def test_reading_the_best_of_a_topic_first_does_not_put_the_rest_of_it_away(world, read):
    asked = make_profile(world.background, world.history([], [], statements=[0]))
    topic = np.flatnonzero(world.topic == 0)
    best = topic[np.argsort(-score(asked, world.features[topic]).total)]
    reader = make_profile(world.background, world.history(best[:read], [0.5] * read, statements=[0]))
    _, line = judge(reader, 0.95)
    assert (score(reader, world.features[best[read:]]).total >= line).mean() > 0.8


def test_what_a_rival_takes_for_unwanted_does_not_tell_what_is_liked_later(world, lived, said, monkeypatch):
    """Were the items that are never liked its examples, a liked one would stand out by its absence among them."""
    pool, acts = lived
    early = spread(acts)[1:4]
    later = acts.at > acts.at[early[-1]]
    seen = []
    monkeypatch.setattr(baselines, "linear_svm", lambda history, others, candidates: seen.append(others))
    for weight in (acts.weight, np.where(later, -acts.weight, acts.weight)):
        run(world, pool, replace(acts, weight=weight), said, early)
    as_it_was, turned = seen[: len(early)], seen[len(early) :]
    for one, other in zip(as_it_was, turned, strict=True):
        assert np.array_equal(one.meaning, other.meaning)
        assert (one.words != other.words).nnz == 0


def test_a_term_that_is_all_the_filter_has_is_missed(world, lived, said):
    seen = run(world, *lived, said)
    lost = seen.marks[FILTER][GAIN] - seen.without["interests"][GAIN]
    assert np.nanmean(lost) > -0.2
    assert set(seen.without) >= {"interests", "near", "fresh", "source"}


def test_the_same_seed_gives_the_same_figures(world, lived, said):
    one, other = (run(world, *lived, said, seed=4) for _ in range(2))
    assert one.marks[FILTER]["mrr"].tolist() == other.marks[FILTER]["mrr"].tolist()
    assert one.chances.tolist() == other.chances.tolist()


def test_long_histories_are_sampled_evenly_over_their_likes(lived):
    _, acts = lived
    chosen = spread(acts, 5)
    assert len(chosen) == 5
    assert (acts.weight[chosen] > 0).all()
    assert chosen[0] == np.flatnonzero(acts.weight > 0)[0]
    assert chosen[-1] == np.flatnonzero(acts.weight > 0)[-1]
    assert len(spread(Acts(acts.rows[:0], acts.weight[:0], acts.at[:0]))) == 0


def test_keywords_know_the_document_frequencies_from_the_background(world):
    own, index = make_bm25(world.counts), keyword_index(world.background, 12.0)
    rare = world.background.idf > 0
    assert index.idf[rare] == pytest.approx(own.idf[rare], abs=1e-3)
    assert KEYWORDS in SIMPLE
