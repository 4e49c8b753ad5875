from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.store.matching import distinct
from attention_filter.store.store import Store
from attention_filter.types import Entry, SourceKind


@pytest.fixture
def entry(now: datetime) -> Entry:
    return Entry("g", "Title", "https://e.org/1", text="Some text", published=now)


def test_the_same_entry_again_writes_nothing(store: Store, feed: int, entry: Entry, now: datetime) -> None:
    (item,) = store.add_entries(feed, [entry], now).new
    size = store.path.with_name("attention.db-wal").stat().st_size
    again = store.add_entries(feed, [entry, replace(entry, original="<p nonce=2>")], now + timedelta(hours=1))
    assert (again.new, again.changed, again.same) == ((), (), 2)
    assert store.path.with_name("attention.db-wal").stat().st_size == size
    assert store.item(item).fetched == now


def test_an_entry_changed_in_place_keeps_its_id_and_its_first_fetch(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    (item,) = store.add_entries(feed, [entry], now).new
    added = store.add_entries(feed, [replace(entry, text="Corrected")], now + timedelta(days=1))
    assert (added.new, added.changed, added.same) == ((), (item,), 0)
    stored = store.item(item)
    assert (stored.entry.text, stored.fetched) == ("Corrected", now)
    assert [hit.item.id for hit in store.search("corrected")] == [item]
    assert store.search("some") == []


def test_a_new_guid_at_a_known_url_is_the_same_entry(store: Store, feed: int, entry: Entry, now: datetime) -> None:
    (item,) = store.add_entries(feed, [entry], now).new
    added = store.add_entries(feed, [replace(entry, guid="other", text="Corrected")], now)
    assert added.changed == (item,)
    assert store.item(item).entry.guid == "other"


def test_a_known_text_under_a_new_guid_and_url_is_the_same_entry(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    (item,) = store.add_entries(feed, [entry], now).new
    moved = replace(entry, guid="other", url="https://new.org/1")
    assert store.add_entries(feed, [moved], now).changed == (item,)
    assert store.item(item).entry.url == "https://new.org/1"
    assert store.add_entries(feed, [moved], now).same == 1


def test_entries_that_share_the_url_of_one_page_stay_apart(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    changelog = [replace(entry, guid=f"v{n}", title=f"Release {n}", text=f"{n}") for n in range(3)]
    assert len(store.add_entries(feed, changelog, now).new) == 3
    assert store.add_entries(feed, changelog, now).same == 3
    fourth = replace(entry, guid="v3", title="Release 3", text="3")
    assert len(store.add_entries(feed, [fourth], now).new) == 1


def test_two_new_entries_at_the_url_of_a_stored_one_are_both_new(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    store.add_entries(feed, [entry], now)
    two = [replace(entry, guid=f"n{n}", title=f"New {n}", text=f"{n}") for n in range(2)]
    assert len(store.add_entries(feed, two, now).new) == 2


def test_a_page_used_again_for_another_entry_is_a_new_item(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    store.add_entries(feed, [entry], now)
    later = now + timedelta(days=1)
    following = replace(entry, guid="g2", title="Tomorrow", text="Other", published=later)
    assert len(store.add_entries(feed, [following], later).new) == 1


def test_a_recurring_entry_without_text_is_a_new_item(store: Store, feed: int, entry: Entry, now: datetime) -> None:
    thread = replace(entry, title="Open thread", text="", url=None)
    store.add_entries(feed, [thread], now)
    following = replace(thread, guid="g2", published=now + timedelta(days=7))
    assert len(store.add_entries(feed, [following], now).new) == 1


def test_the_same_url_in_two_sources_makes_two_items(store: Store, feed: int, entry: Entry, now: datetime) -> None:
    other = store.add_source("https://other.org/feed", SourceKind.FEED, now=now).id
    (one,), (two,) = store.add_entries(feed, [entry], now).new, store.add_entries(other, [entry], now).new
    assert one != two


def test_one_guid_twice_in_a_batch_is_one_item_with_the_later_version(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    newer = replace(entry, text="Newer", updated=now + timedelta(hours=1))
    for batch in ([entry, newer], [newer, entry]):
        added = store.add_entries(feed, batch, now)
        assert len(added.new) + len(added.changed) + added.same == 2
    assert store.count_items() == 1
    assert store.item(1).entry.text == "Newer"
    assert added.same == 2


def test_a_guid_that_all_entries_share_does_not_make_them_one(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    batch = [replace(entry, title=f"T{n}", text=f"{n}", url=f"https://e.org/{n}") for n in range(3)]
    assert len(store.add_entries(feed, batch, now).new) == 3
    assert store.add_entries(feed, batch, now).same == 3
    assert store.add_entries(feed, batch[:1], now).same == 1


def test_a_repeated_text_in_a_batch_is_stored_once_and_stays_so(
    store: Store, feed: int, entry: Entry, now: datetime
) -> None:
    batch = [entry, replace(entry, guid="other", url="https://e.org/2")]
    assert len(store.add_entries(feed, batch, now).new) == 1
    assert store.add_entries(feed, batch, now).same == 2


def test_repeats_across_transactions_are_found_too(store: Store, feed: int, entry: Entry, now: datetime) -> None:
    filler = [Entry(f"f{n}", f"Filler {n}", text=f"{n}") for n in range(600)]
    batch = [entry, *filler, replace(entry, guid="other", url="https://e.org/2")]
    assert len(store.add_entries(feed, batch, now).new) == 601
    assert store.add_entries(feed, batch, now).same == 602


_entries = st.lists(
    st.builds(
        Entry,
        guid=st.sampled_from("abc"),
        title=st.sampled_from(["one", "two"]),
        url=st.sampled_from([None, "https://e.org/1", "https://e.org/2"]),
        text=st.sampled_from(["x", "y"]),
        published=st.sampled_from([None, *(datetime.fromisoformat(f"2025-01-0{n}T00:00Z") for n in (1, 2))]),
    ),
    max_size=6,
)


@given(_entries)
def test_distinct_entries_have_distinct_guids(entries: list[Entry]) -> None:
    guids = [entry.guid for entry in distinct(entries)]
    assert len(set(guids)) == len(guids)
    assert {entry.title for entry in distinct(entries)} <= {entry.title for entry in entries}
