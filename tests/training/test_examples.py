"""Nothing of an impression, or of what came later, may reach what is known of it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch

from attention_filter.logs import Impression
from attention_filter.models.readers import Readers, ReadersConfig
from attention_filter.training.examples import batch, category_lift, centred, contributions, items_for, see

CONFIG = ReadersConfig("made", 16, resolutions=(4,), rank=2, categories=("c0", "c1"))


@pytest.fixture
def scene(make_log):
    """(model with weights of chance, items, the impressions in order)."""
    log, vectors = make_log()
    torch.manual_seed(0)
    model = Readers(CONFIG)
    with torch.no_grad():
        model.weights.normal_()
        model.prototypes_4.copy_(torch.nn.functional.normalize(torch.randn(4, 16), dim=1))
    return model, items_for(model, log.items, vectors), [*log.train, *log.test]


def features(scene, impressions=None, counted=None):
    model, items, own = scene
    impressions = impressions or own
    return [one.features for one in see(model, items, impressions, counted or [True] * len(impressions))]


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_flipping_the_clicks_from_a_moment_on_changes_nothing_up_to_it(scene):
    impressions = scene[2]
    turned = [*impressions[:30], *(replace(one, labels=~one.labels) for one in impressions[30:])]
    before, after = features(scene), features(scene, turned)
    assert_same(before[:31], after[:31])
    assert any((one != other).any() for one, other in zip(before[31:], after[31:], strict=True))


def test_impressions_of_the_same_moment_do_not_see_one_another(scene):
    impressions = [replace(one, time=scene[2][0].time) for one in scene[2]]
    for one in features(scene, impressions):
        assert not one[:, CONFIG.features.index("popular")].any()


def test_impressions_that_are_not_counted_leave_no_trace(scene):
    impressions = scene[2]
    turned = [replace(one, labels=~one.labels) for one in impressions]
    nothing = [False] * len(impressions)
    assert_same(features(scene, impressions, nothing), features(scene, turned, nothing))


def test_what_was_clicked_becomes_popular_and_what_was_shown_grows_old(scene):
    impressions = scene[2]
    rows = np.array([3, 4], np.int32)
    first = Impression("a", "u", impressions[0].time, rows[:0], rows, np.array([True, False]))
    later = replace(first, time=first.time + timedelta(hours=5), candidates=np.array([3, 4, 5], np.int32),
                    labels=np.array([False, False, True]))  # fmt: skip
    popular, fresh = (
        features(scene, [first, later])[1][:, CONFIG.features.index(name)] for name in ("popular", "fresh")
    )
    assert popular[0] > popular[2] == 0 > popular[1]
    assert fresh[2] == 0 > fresh[0] == fresh[1] == pytest.approx(-np.log(6))


def test_the_company_of_other_impressions_changes_no_score(scene):
    model, items, impressions = scene
    shown = see(model, items, impressions, [False] * len(impressions))
    together = contributions(model, items, shown)
    alone = [contributions(model, items, [one])[0] for one in shown]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_batch_holds_only_the_items_it_needs(scene):
    model, items, impressions = scene
    shown = see(model, items, impressions[:2], [False] * 2)
    vectors, _, candidates, _ = batch(items, shown)
    needed = {row for one in shown for row in (*one.history, *one.candidates)}
    assert len(vectors) <= len(needed) + 1
    rows = candidates[0][candidates[0] >= 0]
    assert torch.equal(vectors[rows], items.vectors[shown[0].candidates])


def test_an_item_without_a_vector_stays_zero():
    rows = centred(np.array([[0, 0], [1, 0]], np.float32), torch.tensor([0.5, 0.5]))
    assert rows[0].tolist() == [0, 0]
    assert rows[1].norm() == pytest.approx(1)


def test_a_category_that_the_model_does_not_know_says_nothing():
    lift = category_lift(np.array([0, -1]), np.array([-1, 0]), np.array([0.5, 0.5]), 10.0)
    assert lift[0] == 0
    assert category_lift(np.zeros(0, np.int64), np.array([0]), np.array([1.0]), 10.0).tolist() == [0]
