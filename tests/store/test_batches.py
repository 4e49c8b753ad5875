import tracemalloc
from datetime import datetime, timedelta

import numpy as np
import pytest

from attention_filter.errors import UsageError
from attention_filter.store.store import Store
from attention_filter.types import Entry, Sign, SourceKind
from attention_filter.words import COUNTS, count_terms


@pytest.fixture
def ids(store: Store, feed: int, now: datetime) -> tuple[int, ...]:
    entries = [
        Entry(
            f"g{n}", f"Title {n}", text=f"words and words {n}", lang="zh" if n % 2 else "en",
            published=now - timedelta(days=n),
        )
        for n in range(10)
    ]  # fmt: skip
    return store.add_entries(feed, entries, now).new


def stream(store: Store, **wanted: object) -> list[int]:
    return [int(id_) for batch in store.batches("m", **wanted) for id_ in batch.ids]


def test_batches_hold_what_the_items_hold(store: Store, feed: int, ids: tuple[int, ...]) -> None:
    batches = list(store.batches("m", chunk=4))
    assert [len(batch.ids) for batch in batches] == [4, 4, 2]
    batch = batches[1]
    for i, item in enumerate(store.items(batch.ids.tolist())):
        counted = count_terms(item.entry.text, item.entry.title)
        part = slice(batch.term_ptr[i], batch.term_ptr[i + 1])
        assert batch.dates[i] == item.date.timestamp()
        assert batch.sources[i] == feed
        assert batch.term_ids[part].tolist() == counted["id"].tolist()
        assert batch.term_counts[part].tolist() == counted["count"].tolist()
    kinds = [getattr(batch, name).dtype for name in ("ids", "sources", "dates", "vectors", "has_vector")]
    assert kinds == [np.int64, np.int64, np.float64, np.float32, np.bool_]
    assert (batch.term_ids.dtype, batch.term_counts.dtype) == (COUNTS["id"], COUNTS["count"])


def test_a_future_or_missing_date_counts_as_the_first_fetch(store: Store, feed: int, now: datetime) -> None:
    entries = [Entry("a", "A", published=now + timedelta(days=9)), Entry("b", "B")]
    store.add_entries(feed, entries, now)
    (batch,) = store.batches("m")
    assert batch.dates.tolist() == [now.timestamp()] * 2


def test_an_empty_stream_has_no_batches(store: Store) -> None:
    assert list(store.batches("m")) == []
    assert len(store.batch_of([], "m").ids) == 0


def test_the_stream_is_chosen_by_source_date_and_language(
    store: Store, feed: int, ids: tuple[int, ...], now: datetime
) -> None:
    other = store.add_source("https://other.org", SourceKind.FEED, now=now).id
    (elsewhere,) = store.add_entries(other, [Entry("x", "X")], now).new
    assert stream(store, source=other) == [elsewhere]
    assert stream(store, source=feed, since=now - timedelta(days=2)) == list(ids[:3])
    assert stream(store, lang="zh") == list(ids[1::2])
    with pytest.raises(UsageError):
        store.batches("m", source=99)


def test_items_acted_on_leave_the_stream_until_undone(store: Store, ids: tuple[int, ...], now: datetime) -> None:
    store.add_feedback(ids[0], Sign.LIKE, now)
    store.add_feedback(ids[1], Sign.SKIP, now)
    assert stream(store) == list(ids[2:])
    assert stream(store, seen=True) == list(ids)
    store.undo(now)
    assert stream(store) == list(ids[1:])


def test_the_age_limit_hides_and_deletes_nothing_and_saved_items_never_expire(
    store: Store, ids: tuple[int, ...], now: datetime
) -> None:
    store.set_age_limit(3.5)
    store.add_feedback(ids[9], Sign.SAVE, now)
    store.add_feedback(ids[8], Sign.LIKE, now)
    assert stream(store, now=now) == list(ids[:4])
    assert stream(store, seen=True, now=now) == [*ids[:4], ids[9]]
    assert store.count_items() == len(store.search("words")) == 10
    store.set_age_limit(None)
    assert stream(store, now=now) == list(ids[:8])
    with pytest.raises(UsageError, match="age limit"):
        store.set_age_limit(0)


def test_given_items_come_in_their_order_seen_or_not(store: Store, ids: tuple[int, ...], now: datetime) -> None:
    store.add_feedback(ids[5], Sign.HIDE, now)
    wanted = [ids[5], ids[2], ids[5]]
    assert store.batch_of(wanted, "m").ids.tolist() == wanted
    with pytest.raises(UsageError, match="item 999"):
        store.batch_of([999], "m")


def test_streaming_takes_little_memory(store: Store, feed: int, now: datetime) -> None:
    store.add_entries(feed, (Entry(f"g{n}", f"T{n}", text=f"{n} " * 200) for n in range(3000)), now)
    for page in range(3):
        keys = [key for key, _, _ in store.missing_vectors("m", limit=1000)]
        store.put_vectors("m", keys, np.full((1000, 384), page, np.float32))
    tracemalloc.start()
    rows = sum(int(batch.has_vector.sum()) for batch in store.batches("m", chunk=256))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 3000
    assert peak < 3_000_000  # all vectors at once would be 4.6 MB
