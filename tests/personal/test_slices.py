import numpy as np
import pytest

from attention_filter.personal.evaluate import CONTENT, FILTER, Section
from attention_filter.personal.slices import Facets, best_rival, cut

READERS = 12


def section(lost_at=3, **methods):
    """12 readers, each with k = 1 and k = 3; odd readers have one interest, even ones four."""
    likes, readers = np.tile([1, 3], READERS), np.repeat(np.arange(READERS), 2)
    facets = [Facets(int(k), "1" if r % 2 else "4", "en") for k, r in zip(likes, readers, strict=True)]
    good = np.where(likes == lost_at, 0.9, 0.5) + 0.01 * np.random.default_rng(0).normal(size=len(likes))
    marks = {FILTER: np.full(len(likes), 0.7), "good at k = 3": good, "bad": np.full(len(likes), 0.6)} | methods
    return Section("with_statements", likes, readers, {m: {"auc": v, "ndcg@10": v} for m, v in marks.items()}), facets


def by_facets(slices):
    return {(one.likes, one.interests, one.lang): one for one in slices}


def test_a_slice_is_lost_when_its_interval_lies_below():
    found = by_facets(cut(*section()))
    assert found[3, None, None].lost
    assert found[3, None, None].rival["auc"] == "good at k = 3"
    assert not found[1, None, None].lost
    assert found[1, None, None].rival["auc"] == "bad"
    assert round(found[1, None, None].filter_is_better_by["auc"].mean, 6) == 0.1
    assert found[1, None, None].means == pytest.approx({"auc": 0.7, "ndcg@10": 0.7})


def test_slices_are_all_margins_and_all_crossings_once():
    found = by_facets(cut(*section()))
    margins = {(None, None, None), (1, None, None), (3, None, None), (None, "1", None), (None, "4", None)}
    assert set(found) == margins | {(k, n, "en") for k in (1, 3) for n in ("1", "4")}  # one language repeats the whole
    assert found[None, "1", None].readers == 6
    assert found[None, "1", None].situations == 12


def test_the_whole_counts_situations_with_a_like():
    whole, facets = section()
    none = [Facets(0, one.interests, one.lang) if one.likes == 3 else one for one in facets]
    assert by_facets(cut(whole, none))[None, None, None].situations == READERS


def test_too_few_readers_make_no_slice():
    whole, facets = section()
    rare = [Facets(one.likes, "2-3" if reader < 4 else one.interests, "en") for reader, one in enumerate(facets)]
    assert not [one for one in cut(whole, rare) if one.interests == "2-3"]


def test_the_filter_without_popularity_is_no_rival_and_neither_is_what_ranked_little():
    whole, facets = section(**{CONTENT: np.full(24, 1.0), "seldom": np.where(np.arange(24) < 3, 1.0, np.nan)})
    assert {one.rival["auc"] for one in cut(whole, facets)} == {"good at k = 3", "bad"}
    assert best_rival({FILTER: np.ones(4)}, np.zeros(4)) is None


def test_a_slice_whose_interval_holds_no_difference_is_not_lost():
    noisy = np.where(np.arange(24) % 4 < 2, 0.0, 1.5)  # ahead in the mean, by half of the readers
    whole, facets = section(**{"noisy": noisy})
    one = by_facets(cut(whole, facets))[1, None, None]
    assert one.rival["auc"] == "noisy"
    assert one.filter_is_better_by["auc"].low < -0.005
    assert not one.lost


def test_what_could_not_be_measured_is_no_loss():
    whole, facets = section()
    marks = {method: {"auc": one["auc"] * np.nan, "ndcg@10": one["ndcg@10"]} for method, one in whole.marks.items()}
    found = cut(Section("", whole.groups, whole.clusters, marks), facets)
    assert {tuple(one.means) for one in found} == {("ndcg@10",)}
    assert not any(one.lost for one in found)
