from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from attention_filter.errors import UsageError
from attention_filter.store.sources import Tally
from attention_filter.store.store import Store
from attention_filter.types import Entry, Sign, SourceKind


def test_adding_a_source_twice_changes_nothing(store: Store, now: datetime) -> None:
    first = store.add_source("https://e.org/feed", SourceKind.FEED, title="Mine", folder="a/b", now=now)
    again = store.add_source("https://e.org/feed", SourceKind.FEED, now=now + timedelta(days=1))
    assert again == first
    assert store.sources() == [first]
    assert (first.title, first.folder) == ("Mine", "a/b")
    moved = store.add_source("https://e.org/feed", SourceKind.FEED, folder="c", now=now)
    assert (moved.id, moved.title, moved.folder) == (first.id, "Mine", "c")


def test_a_table_added_with_other_columns_replaces_the_first(store: Store, now: datetime) -> None:
    first = store.add_source("/t.csv", SourceKind.TABLE, columns=[("title", "name")], now=now)
    second = store.add_source("/t.csv", SourceKind.TABLE, columns=[("title", "subject")], now=now)
    assert second.columns == (("title", "subject"),)
    assert store.sources() == [second]
    assert first.id != second.id


def test_a_success_ends_the_errors_and_a_failure_counts_up(store: Store, feed: int, now: datetime) -> None:
    hour = timedelta(hours=1)
    store.record_success(feed, now=now, next_try=now + hour, etag="e", last_modified="m", title="Their title")
    for n in (1, 2):
        store.record_failure(feed, now=now + n * hour, next_try=now + 9 * hour, error="timed out", muted=False)
    failed = store.source(feed)
    assert (failed.failures, failed.last_error, failed.title) == (2, "timed out", "Their title")
    assert (failed.etag, failed.last_modified, failed.last_success) == ("e", "m", now)
    assert (failed.last_fetched, failed.next_try) == (now + 2 * hour, now + 9 * hour)
    store.record_success(feed, now=now, next_try=None, etag=None, last_modified=None, title="")
    healed = store.source(feed)
    assert (healed.failures, healed.last_error, healed.title, healed.etag) == (0, None, "Their title", None)


def test_due_are_those_whose_time_has_come_longest_waiting_first(store: Store, now: datetime) -> None:
    ids = [store.add_source(f"https://e.org/{n}", SourceKind.FEED, now=now).id for n in range(4)]
    for id_, hours in zip(ids, (-1, 1, -2), strict=False):
        store.record_success(id_, now=now, next_try=now + timedelta(hours=hours))
    assert [source.id for source in store.due_sources(now)] == [ids[3], ids[2], ids[0]]
    store.set_muted(ids[3], True)
    store.record_failure(ids[2], now=now, next_try=None, error="410 Gone", muted=True)
    assert [source.id for source in store.due_sources(now)] == [ids[0]]
    store.set_muted(ids[2], False)
    assert [source.id for source in store.due_sources(now)] == [ids[2], ids[0]]


def test_a_source_that_moved_gets_its_new_address_unless_it_is_taken(store: Store, feed: int, now: datetime) -> None:
    other = store.add_source("https://other.org/feed", SourceKind.FEED, now=now)
    store.record_success(feed, now=now, next_try=None, url="https://new.org/feed")
    assert store.source(feed).url == "https://new.org/feed"
    store.record_success(feed, now=now, next_try=None, url=other.url)
    assert store.source(feed).url == "https://new.org/feed"


def test_two_readers_share_a_source_but_not_its_title_folder_or_muting(
    opened: Callable[..., Store], now: datetime
) -> None:
    ann, bob = opened("ann"), opened("bob")
    of_ann = ann.add_source("https://e.org/feed", SourceKind.FEED, title="News", folder="x", now=now)
    of_bob = bob.add_source("https://e.org/feed", SourceKind.FEED, now=now)
    assert of_ann.id == of_bob.id
    ann.add_entries(of_ann.id, [Entry("g", "T")], now)
    ann.set_muted(of_ann.id, True)
    seen = bob.source(of_bob.id)
    assert (seen.title, seen.folder, seen.muted, seen.items) == ("", "", False, 1)
    bob.remove_source(of_bob.id)
    assert ann.source(of_ann.id).muted


def test_an_unknown_source_is_named(store: Store) -> None:
    with pytest.raises(UsageError, match="source 5: you follow no such source"):
        store.source(5)


def test_a_source_is_renamed_and_put_into_a_folder_for_its_reader_alone(
    opened: Callable[..., Store], feed: int, now: datetime
) -> None:
    ann, bob = opened("me"), opened("bob")
    bob.add_source(ann.source(feed).url, SourceKind.FEED, now=now)
    changed = ann.edit_source(feed, title="  My   feed ", folder=" a / b// ")
    assert (changed.title, changed.folder) == ("My feed", "a/b")
    assert (bob.source(feed).title, bob.source(feed).folder) == ("", "")
    assert ann.edit_source(feed, title="", folder="").title == ""


def test_tallies_count_what_a_source_brought_this_reader(store: Store, feed: int, now: datetime) -> None:
    ids = store.add_entries(
        feed, [Entry(f"g{n}", f"T{n}", text=f"t{n}", published=now - timedelta(days=10 * n)) for n in range(5)], now
    ).new
    store.add_feedback(ids[0], Sign.LIKE, now)
    store.add_feedback(ids[1], Sign.HIDE, now)
    store.add_feedback(ids[2], Sign.SAVE, now)
    store.undo(now)
    assert store.tallies(now - timedelta(days=15)) == {feed: Tally(items=5, lately=2, unread=3, liked=1)}
    assert [item.id for item in store.newest(2, source=feed)] == list(ids[:2])
    assert [item.id for item in store.newest(9, since=now - timedelta(days=15))] == list(ids[:2])
