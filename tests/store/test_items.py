from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import UsageError
from attention_filter.store.schema import moment, seconds
from attention_filter.store.store import Store
from attention_filter.types import Entry, Sign, SourceKind


def test_an_item_comes_back_as_it_was_stored(store: Store, feed: int, now: datetime) -> None:
    entry = Entry(
        guid="tag:1",
        title="标题 and title",
        url="https://e.org/1",
        html="<p>Sanitised</p>",
        original="<p onclick=x>Original</p>",
        text="Sanitised",
        lang="en",
        published=now - timedelta(days=1, microseconds=123457),
        updated=now - timedelta(hours=1),
        authors=("Ann", "王芳"),
        links=("https://e.org/2",),
        tags=("a", "b"),
        image="https://e.org/i.png",
        content_hash="ab" * 32,
    )
    (item,) = store.add_entries(feed, [entry], now).new
    stored = store.item(item)
    assert (stored.entry, stored.source, stored.fetched) == (entry, feed, now)
    assert stored.source_title == "https://e.org/feed"


def test_items_come_in_the_order_asked_for(store: Store, feed: int, now: datetime) -> None:
    ids = store.add_entries(feed, [Entry(f"g{n}", f"T{n}") for n in range(5)], now).new
    asked = [ids[3], ids[0], ids[3]]
    assert [item.id for item in store.items(asked)] == asked
    with pytest.raises(UsageError, match="item 99: no such item"):
        store.items([ids[0], 99])


def test_a_number_too_large_for_an_id_is_no_such_id(store: Store) -> None:
    with pytest.raises(UsageError, match="too large"):
        store.item(2**70)


def test_entries_of_a_source_that_is_not_followed_are_refused(store: Store, now: datetime) -> None:
    with pytest.raises(UsageError, match="source 7: you follow no such source"):
        store.add_entries(7, [Entry("g", "T")], now)


def test_items_of_a_removed_source_stay_stored_and_the_liked_ones_visible(
    store: Store, feed: int, now: datetime
) -> None:
    liked, other = store.add_entries(feed, [Entry("a", "Liked"), Entry("b", "Other")], now).new
    store.add_feedback(liked, Sign.LIKE, now)
    store.remove_source(feed)
    assert store.item(liked).source_title == "https://e.org/feed"
    assert store.count_items() == 1
    with pytest.raises(UsageError):
        store.item(other)
    assert store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id == feed
    assert store.item(other).entry.title == "Other"


def test_half_characters_are_mended_not_fatal(store: Store, feed: int, now: datetime) -> None:
    broken = Entry("g\ud83d", "T\udcff", text="x\ud800y", original="\ud800", authors=("\udfff",))
    (item,) = store.add_entries(feed, [broken], now).new
    assert store.item(item).entry.text == "x?y"
    assert store.add_entries(feed, [broken], now).same == 1


def test_an_entry_without_hash_gets_one_of_its_title_and_text(store: Store, feed: int, now: datetime) -> None:
    one, two = store.add_entries(feed, [Entry("a", "T", text="x"), Entry("b", "T", text="y")], now).new
    assert store.item(one).entry.content_hash != store.item(two).entry.content_hash


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back_to_the_microsecond_within_three_centuries(when: datetime) -> None:
    if 1850 < when.year < 2100:
        assert moment(seconds(when)) == when
    assert abs(moment(min(seconds(when), 253402300799.0)) - when) < timedelta(seconds=1)


def test_a_date_in_another_zone_is_the_same_moment(store: Store, feed: int, now: datetime) -> None:
    here = now.astimezone(timezone(timedelta(hours=8)))
    (item,) = store.add_entries(feed, [Entry("g", "T", published=here)], now).new
    assert store.item(item).entry.published == now
    assert store.add_entries(feed, [replace(store.item(item).entry)], now).same == 1


def test_a_source_that_fails_half_way_keeps_the_batches_before(store: Store, feed: int, now: datetime) -> None:
    def entries():
        yield from (Entry(f"g{n}", f"T{n}") for n in range(1200))
        raise ValueError("line 1201")

    with pytest.raises(ValueError, match="line 1201"):
        store.add_entries(feed, entries(), now)
    assert store.count_items() == 1000
