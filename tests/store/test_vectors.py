from datetime import datetime, timedelta

import numpy as np
import pytest

from attention_filter.errors import UsageError
from attention_filter.store.store import Store
from attention_filter.store.vectors import of_titles
from attention_filter.types import Entry, SourceKind


def unit(rows: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def items(store: Store, feed: int, now: datetime) -> tuple[int, ...]:
    entries = [Entry(f"g{n}", f"T{n}", text=f"text {n}", published=now - timedelta(days=n)) for n in range(5)]
    return store.add_entries(feed, entries, now).new


def test_missing_vectors_are_newest_first_and_shrink_as_they_are_put(store: Store, items: tuple[int, ...]) -> None:
    missing = store.missing_vectors("m1")
    assert [title for _, title, _ in missing] == ["T0", "T1", "T2", "T3", "T4"]
    store.put_vectors("m1", [key for key, _, _ in missing[:2]], unit(2))
    assert [text for _, _, text in store.missing_vectors("m1")] == ["text 2", "text 3", "text 4"]
    assert len(store.missing_vectors("m2")) == 5
    assert store.missing_vectors("m1", limit=1) == missing[2:3]


def test_one_content_in_two_places_is_encoded_once(store: Store, feed: int, now: datetime) -> None:
    other = store.add_source("https://other.org", SourceKind.FEED, now=now).id
    for source in (feed, other):
        store.add_entries(source, [Entry("g", "Same", text="text")], now)
    ((key, _, _),) = store.missing_vectors("m")
    store.put_vectors("m", [key], unit(1))
    (batch,) = store.batches("m")
    assert batch.has_vector.tolist() == [True, True]


def test_a_changed_text_is_missing_again(store: Store, feed: int, now: datetime) -> None:
    store.add_entries(feed, [Entry("g", "T", text="one")], now)
    store.put_vectors("m", [store.missing_vectors("m")[0][0]], unit(1))
    store.add_entries(feed, [Entry("g", "T", text="two")], now)
    assert [text for _, _, text in store.missing_vectors("m")] == ["two"]


def test_vectors_come_back_in_half_precision_and_the_last_one_put_counts(store: Store, items: tuple[int, ...]) -> None:
    keys = [key for key, _, _ in store.missing_vectors("m")]
    store.put_vectors("m", keys, unit(5, seed=1))
    store.put_vectors("m", keys, unit(5))
    batch = store.batch_of(items, "m")
    assert batch.vectors.dtype == np.float32
    np.testing.assert_allclose(batch.vectors, unit(5), atol=5e-4)


def test_vectors_that_do_not_fit_are_refused(store: Store) -> None:
    store.put_vectors("m", ["a"], unit(1))
    for hashes, array, complaint in (
        (["a", "b"], unit(1), "one row each"),
        (["a"], unit(1)[:, :4], "stored vectors have 8 numbers, these 4"),
        (["a"], unit(1) * np.nan, "not finite"),
        (["a"], unit(1) * 1e9, "not finite"),
    ):
        with pytest.raises(UsageError, match=complaint):
            store.put_vectors("m", hashes, array)


def test_vectors_of_texts_are_kept_by_their_text(store: Store) -> None:
    store.put_text_vectors("m", ["electric cars", "火星"], unit(2))
    found, has = store.text_vectors("m", ["火星", "unknown", "electric cars"])
    assert has.tolist() == [True, False, True]
    np.testing.assert_allclose(found, [unit(2)[1], np.zeros(8), unit(2)[0]], atol=5e-4)
    none, has = store.text_vectors("other", ["火星"])
    assert (none.shape, has.tolist()) == ((1, 0), [False])


def test_the_vector_of_a_title_stands_in_until_there_is_one_of_the_text(store: Store, items: tuple[int, ...]) -> None:
    keys = [key for key, _ in store.missing_titles("m", 10)]
    assert [title for _, title in store.missing_titles("m", 2)] == ["T0", "T1"]
    store.put_title_vectors("m", keys, unit(5, seed=1))
    assert store.missing_titles("m", 10) == []
    assert len(store.missing_vectors("m")) == 5, "none is taken for that of its text"
    assert not store.vectors_of("m", keys)[1].any()
    np.testing.assert_allclose(store.batch_of(items, "m").vectors, unit(5, seed=1), atol=5e-4)
    store.put_vectors("m", keys[:2], unit(2))
    expected = np.concatenate([unit(2), unit(5, seed=1)[2:]])
    np.testing.assert_allclose(store.batch_of(items, "m").vectors, expected, atol=5e-4)
    assert not store.vectors_of(of_titles("m"), keys)[1][:2].any(), "and it goes"


def test_what_of_an_item_is_encoded_is_part_of_its_mark(store: Store, items: tuple[int, ...], now: datetime) -> None:
    """So that a background learned from titles does not pass for one of texts."""
    keys, seen = [key for key, _ in store.missing_titles("m", 10)], [store.marks(now, "m")]
    for put in (store.put_title_vectors, store.put_vectors):
        put("m", keys, unit(5))
        seen.append(store.marks(now, "m"))
    assert len(np.unique(np.concatenate(seen))) == 15
