"""What is usual before there is a stream: it fills in for what a small stream lacks, and gives way without a jump."""

import numpy as np
import pytest

from attention_filter.personal import background as module
from attention_filter.personal.background import from_bytes, make_background, to_bytes
from attention_filter.personal.features import take
from attention_filter.personal.prior import Prior
from attention_filter.words import term_id


@pytest.fixture(scope="module")
def usual(world):
    """150 texts of the world in two languages; the first 50 of it are left for streams."""
    rows = np.arange(50, 200)
    return Prior("test", world.vectors[rows], take(world.counts, rows), ("en",) * 100 + ("zh",) * 50)


def of_a_stream(world, items, prior, langs=None):
    rows = np.arange(items)
    langs = langs or ["en"] * items
    return make_background("test", world.vectors[:items], take(world.counts, rows), langs, rows, prior=prior)


def test_an_empty_stream_has_the_background_of_the_prior(world, usual):
    background = of_a_stream(world, 0, usual)
    np.testing.assert_allclose(background.centres["en"], usual.of(["en"]).vectors.mean(0), atol=1e-5)
    np.testing.assert_allclose(background.centres["zh"], usual.of(["zh"]).vectors.mean(0), atol=1e-5)
    assert len(background.bank) == 100 + 25  # half as many texts, and half of these: they are a third of what is usual
    assert len(background.sample) == len(background.worth) > 0


def test_means_of_a_stream_and_the_prior_count_as_items(world, usual):
    background = of_a_stream(world, 30, usual)
    worth = module.PRIOR_ITEMS * (1 - 30 / module.BANK)
    wanted = (world.vectors[:30].sum(0) + worth * usual.of(["en"]).vectors.mean(0)) / (30 + worth)
    np.testing.assert_allclose(background.centre("en"), wanted, atol=1e-5)


def test_only_languages_of_the_stream_are_in_the_bank(world, usual):
    assert len(of_a_stream(world, 30, usual).bank) == 30 + round(100 * (1 - 30 / module.BANK))
    assert len(of_a_stream(world, 30, usual, ["de"] * 30).bank) == 30
    both = of_a_stream(world, 30, usual, ["en"] * 20 + ["zh"] * 10)
    assert len(both.bank) == 30 + 99 + round(50 * (1 - 30 / module.BANK) / 2)


def test_a_word_of_every_item_is_common_only_where_it_is_common_elsewhere(world, usual, count):
    texts = ["battery news"] * 30
    said = make_background("test", world.vectors[:30], count(texts), ["en"] * 30, np.arange(30), prior=usual)
    alone = make_background("test", world.vectors[:30], count(texts), ["en"] * 30, np.arange(30))
    slot = term_id("batteri") % len(said.idf)
    assert alone.idf[slot] == 0 < said.idf[slot]


def test_the_prior_gives_way_without_a_jump(world, usual, monkeypatch):
    monkeypatch.setattr(module, "BANK", 50)
    monkeypatch.setattr(module, "PRIOR_SAMPLE", 10)
    streams = [of_a_stream(world, items, usual) for items in range(1, 51)]
    shares = [float(1 - one.worth[:items].sum() / one.worth.sum()) for items, one in enumerate(streams, 1)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[-1] < 0.01
    centres = np.array([one.centre("en") for one in streams])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert steps[-1] < 0.05
    np.testing.assert_allclose(streams[-1].centre("en"), of_a_stream(world, 50, None).centre("en"), atol=1e-6)
    assert streams[-1].word_weight == of_a_stream(world, 50, None).word_weight


def test_a_sample_counts_the_stream_s_own_items_and_little_of_the_prior(world, usual):
    background = of_a_stream(world, 50, usual)
    assert background.worth[:50].sum() == pytest.approx(50)
    assert background.worth[50:].sum() == pytest.approx(module.PRIOR_ITEMS * (1 - 50 / module.BANK), rel=1e-5)
    again = from_bytes(to_bytes(background))
    np.testing.assert_array_equal(again.worth, background.worth)
    np.testing.assert_array_equal(again.sample.meaning, background.sample.meaning)


def test_the_same_stream_and_prior_make_the_same_background(world, usual):
    assert to_bytes(of_a_stream(world, 40, usual)) == to_bytes(of_a_stream(world, 40, usual))
