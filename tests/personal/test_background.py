import numpy as np
import pytest

from attention_filter.personal.background import FEWEST, RESOLUTIONS, as_stored, from_bytes, make_background, to_bytes
from attention_filter.personal.features import take


@pytest.mark.parametrize("items", [5, 100, 200])
def test_in_a_small_stream_a_prototype_stands_for_eight_items_or_more(world, items):
    counts = take(world.counts, np.arange(items))
    background = make_background("few", world.vectors[:items], counts, ["en"] * items, world.topic[:items])
    sizes = [len(prototypes) for prototypes in background.prototypes]
    assert sizes == [min(k, -(-items // FEWEST)) for k in RESOLUTIONS]
    assert all(items >= FEWEST * (size - 1) for size in sizes)


def test_what_is_standardised_over_comes_back_to_the_last_bit(world):
    again = from_bytes(to_bytes(world.background))
    np.testing.assert_array_equal(again.sample.meaning, world.background.sample.meaning)
    np.testing.assert_array_equal(again.ordinary.meaning, world.background.ordinary.meaning)


def test_rows_that_are_in_context_already_are_taken_as_they_are(world):
    background, langs = world.background, ["en"] * 200
    seen = np.arange(200) % 3 == 0
    kept = as_stored(world.features.meaning)
    mixed = background.features(np.where(seen[:, None], kept, world.vectors), world.counts, langs, seen)
    np.testing.assert_array_equal(mixed.meaning[seen], kept[seen])
    np.testing.assert_allclose(mixed.meaning, world.features.meaning, atol=1e-3)
    assert (mixed.words != world.features.words).nnz == 0
