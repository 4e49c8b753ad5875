from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest

from attention_filter.store.contexts import Kept
from attention_filter.store.store import Store
from attention_filter.types import Entry, SourceKind


def encode(store: Store) -> None:
    keys = [key for key, _, _ in store.missing_vectors("m")]
    store.put_vectors("m", keys, np.ones((len(keys), 4)))


@pytest.fixture
def kept(store: Store, feed: int, now: datetime) -> Kept:
    """A background of three items that have vectors."""
    store.add_entries(feed, [Entry(f"g{n}", f"T{n}", text=f"text {n}") for n in range(3)], now)
    encode(store)
    kept = Kept("stamp", "m", store.marks(now, "m"), b"data")
    store.keep_background(kept)
    return kept


def test_a_context_comes_in_place_of_the_vector_when_its_background_is_named(store: Store, kept: Kept) -> None:
    missing = store.missing_contexts("stamp")
    assert [item for item, _ in missing] == [1, 2, 3]
    store.put_contexts("stamp", missing[:2], np.array([[0, 1, 2, 3], [4, 5, 6, 7.0]]))
    assert [item for item, _ in store.missing_contexts("stamp")] == [3]
    batch = store.batch_of([3, 2, 1], "m", "stamp")
    assert batch.in_context.tolist() == [False, True, True]
    assert batch.vectors.tolist() == [[1, 1, 1, 1], [4, 5, 6, 7], [0, 1, 2, 3]]
    (stream,) = store.batches("m", background="stamp")
    assert stream.in_context.tolist() == [True, True, False]
    for plain in (store.batch_of([1], "m"), store.batch_of([1], "m", "another")):
        assert (plain.in_context.tolist(), plain.vectors.tolist()) == ([False], [[1, 1, 1, 1]])


def test_what_another_process_stored_meanwhile_stays(store: Store, kept: Kept) -> None:
    missing = store.missing_contexts("stamp")
    store.put_contexts("stamp", missing, np.zeros((3, 4)))
    store.put_contexts("stamp", missing, np.ones((3, 4)))
    assert not store.batch_of([1, 2, 3], "m", "stamp").vectors.any()


def test_an_item_that_changes_loses_its_context_and_a_late_one_is_left_out(
    store: Store, feed: int, kept: Kept, now: datetime
) -> None:
    before = store.missing_contexts("stamp")
    store.put_contexts("stamp", before, np.ones((3, 4)))
    store.add_entries(feed, [Entry("g1", "T1", text="another text")], now)
    encode(store)
    ((item, content),) = store.missing_contexts("stamp")
    assert (item, content) != before[1]
    store.put_contexts("stamp", [before[1]], np.ones((1, 4)))  # made from what it said before
    assert len(store.missing_contexts("stamp")) == 1
    store.put_contexts("stamp", [(item, content)], np.ones((1, 4)))
    assert store.missing_contexts("stamp") == []
    assert len(np.setxor1d(store.marks(now, "m"), kept.marks)) == 2


def test_readers_of_the_same_sources_are_offered_one_background_and_others_are_not(
    store: Store, opened: Callable[..., Store], kept: Kept, now: datetime
) -> None:
    same, more = opened("same"), opened("more")
    for other in (same, more):
        other.add_source("https://e.org/feed", SourceKind.FEED, now=now)
    more.add_source("https://e.org/another", SourceKind.FEED, now=now)
    (offered,) = same.shared_backgrounds("m")
    assert (offered.stamp, offered.data, offered.marks.tolist()) == ("stamp", b"data", kept.marks.tolist())
    assert more.shared_backgrounds("m") == same.shared_backgrounds("another model") == []


def test_a_background_goes_with_its_contexts_when_its_last_reader_leaves_it(
    store: Store, opened: Callable[..., Store], kept: Kept, now: datetime
) -> None:
    other = opened("other")
    other.add_source("https://e.org/feed", SourceKind.FEED, now=now)
    other.keep_background(other.shared_backgrounds("m")[0])
    store.put_contexts("stamp", store.missing_contexts("stamp"), np.ones((3, 4)))
    store.keep_background(Kept("new", "m", store.marks(now + timedelta(days=1), "m"), b"later"))
    assert other.batch_of([1], "m", "stamp").in_context.all()
    other.delete_reader()
    assert [one.stamp for one in store.shared_backgrounds("m")] == ["new"]
    assert not store.batch_of([1], "m", "stamp").in_context.any()
    store.put_contexts("stamp", [(1, "x")], np.ones((1, 4)))  # too late: nothing happens
    assert store.check() == []
