"""When the background is learned anew, and what is kept in its context."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from attention_filter import learned, reading
from attention_filter.personal.background import from_bytes
from attention_filter.settings import Settings
from attention_filter.store.store import open_store
from attention_filter.types import Entry, Sign, SourceKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPICS = ("solar wind grid", "match goal league", "rust borrow crate")


@pytest.fixture
def opened(tmp_path):
    stores = []

    def open_for(reader="me"):
        stores.append(open_store(f"sqlite:///{tmp_path / 'a.db'}", reader))
        stores[-1].add_source("https://e.org/feed", SourceKind.FEED, now=NOW)
        return stores[-1]

    yield open_for
    for store in stores:
        store.close()


def bring(store, first, last):
    """Items first..last - 1, with vectors in three clumps."""
    entries = [Entry(f"g{n}", f"{TOPICS[n % 3]} {n}", text=f"thing{n} place{n}", lang="en") for n in range(first, last)]
    store.add_entries(1, entries, NOW)
    keys = [key for key, _, _ in store.missing_vectors("m")]
    rng = np.random.default_rng(first)
    titles = [title for _, title, _ in store.missing_vectors("m")]
    clump = np.array([TOPICS.index(" ".join(title.split()[:3])) for title in titles])
    store.put_vectors("m", keys, np.eye(3, 16)[clump] + 0.2 * rng.normal(size=(len(keys), 16)) + 0.5)


def understand(store):
    learned.refresh_background(store, "m", NOW)
    learned.see_in_context(store, lambda *_: None)
    learned.freeze_scale(store, NOW)
    return store.background().stamp


def test_a_small_stream_is_learned_anew_whenever_it_changes_and_only_then(opened):
    store = opened()
    bring(store, 0, 60)
    first = understand(store)
    assert understand(store) == first
    bring(store, 60, 61)
    assert understand(store) != first
    assert from_bytes(store.background().data).items == 61


def test_a_large_stream_keeps_its_background_and_its_scores_until_a_tenth_is_new(opened, monkeypatch):
    monkeypatch.setattr(learned, "SMALL", 50)
    store = opened()
    bring(store, 0, 100)
    store.add_feedback(1, Sign.LIKE, NOW)
    first = understand(store)
    placed = reading.place(reading.open_reading(store, Settings(), NOW, 0.0), reading.Selection())
    bring(store, 100, 110)
    assert understand(store) == first
    again = reading.place(reading.open_reading(store, Settings(), NOW, 0.0), reading.Selection())
    was_there = np.isin(again.ids, placed.ids)
    assert was_there.sum() == len(placed.ids) < len(again.ids)
    np.testing.assert_allclose(again.scores[was_there], placed.scores, atol=1e-6)
    assert store.missing_contexts(first) == []
    bring(store, 110, 111)
    assert understand(store) != first


def test_an_item_scores_the_same_whether_it_was_kept_in_context_or_not(opened):
    store = opened()
    bring(store, 0, 120)
    store.add_feedback(2, Sign.LIKE, NOW)
    learned.refresh_background(store, "m", NOW)
    now = reading.open_reading(store, Settings(), NOW, 0.0)
    assert not next(now.batches()).in_context.any()
    before = reading.place(now, reading.Selection()).scores
    learned.see_in_context(store, lambda *_: None)
    later = reading.open_reading(store, Settings(), NOW, 0.0)
    assert next(later.batches()).in_context.all()
    np.testing.assert_allclose(reading.place(later, reading.Selection()).scores, before, atol=1e-6)
    nothing_kept = replace(later, stamp=None)
    np.testing.assert_allclose(reading.place(nothing_kept, reading.Selection()).scores, before, atol=1e-6)


def test_a_killed_look_at_the_context_goes_on_where_it_was(opened, monkeypatch):
    monkeypatch.setattr(learned, "IN_CONTEXT_AT_ONCE", 20)
    store = opened()
    bring(store, 0, 60)
    learned.refresh_background(store, "m", NOW)

    def dies(what, done, total):
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned.see_in_context(store, dies)
    stamp = store.background().stamp
    assert len(store.missing_contexts(stamp)) == 20
    told = []
    assert understand(store) == stamp
    learned.see_in_context(store, lambda *one: told.append(one))
    assert store.missing_contexts(stamp) == told == []


def test_two_readers_of_the_same_feed_share_one_background(opened, monkeypatch):
    mine, hers = opened("me"), opened("her")
    bring(mine, 0, 60)
    stamp = understand(mine)
    monkeypatch.setattr(learned, "learn_background", None)  # nothing is learned a second time
    assert hers.background() is None
    assert understand(hers) == stamp
    assert hers.missing_contexts(stamp) == []


def test_another_model_is_learned_from_its_own_vectors(opened):
    store = opened()
    bring(store, 0, 60)
    first = understand(store)
    store.put_vectors("other", [key for key, _, _ in store.missing_vectors("other")], np.eye(60, 8) + 0.1)
    learned.refresh_background(store, "other", NOW)
    assert learned.model_of(store) == "other"
    assert store.background().stamp != first
