from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from attention_filter.store import schema
from attention_filter.store.store import Store
from attention_filter.types import Entry, SourceKind


@pytest.fixture
def filled(store: Store, now: datetime) -> Store:
    """Three items with vectors of a model "m": the newest is about tea and glad, the next about tea, one of neither."""
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id
    entries = [
        Entry(name, name.title(), text=f"text of {name}", published=now - timedelta(hours=hours), content_hash=name)
        for hours, name in enumerate(("first", "second", "third"))
    ]
    store.add_entries(source, entries, now)
    store.put_vectors("m", ["first", "second", "third"], np.eye(3, 4))
    store.put_labels("topics", {"first": ("tea", 0.9), "second": ("tea", 0.7), "third": ("", 0.4)})
    store.put_labels("feelings", {"first": ("positive", 0.8), "second": ("", -0.1), "third": ("", 0.0)})
    store.use_tellers("topics", "feelings")
    return store


def ids(store: Store) -> dict[str, int]:
    return store.find_guids("https://e.org/feed", ["first", "second", "third"])


def kept(store: Store) -> set[str]:
    """The tellers whose labels are stored."""
    with store._engine.connect() as connection:
        found = sa.select(schema.tellers.c.name).join(schema.labels).distinct()
        return set(connection.scalars(found))


def test_labels_stand_beside_the_items(filled: Store) -> None:
    first, third = filled.items([ids(filled)[name] for name in ("first", "third")])
    assert (first.topic, first.sentiment, first.polarity) == ("tea", "positive", 0.8)
    assert (third.topic, third.sentiment, third.polarity) == ("", "", 0.0)
    assert filled.told([first.id, third.id]) == {first.id: ("tea", "positive"), third.id: ("", "")}


def test_before_anything_is_told_an_item_has_none(store: Store, now: datetime) -> None:
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id
    (item,) = store.add_entries(source, [Entry("g", "Title")], now).new
    assert (store.item(item).topic, store.item(item).polarity) == ("", None)
    assert store.tellers() == {}


def test_missing_is_what_has_a_vector_and_no_label_newest_first(filled: Store, now: datetime) -> None:
    assert filled.missing_labels("topics", "m") == []
    assert filled.missing_labels("another", "m") == ["first", "second", "third"]
    assert filled.missing_labels("another", "other model") == []
    filled.put_labels("another", {"second": ("x", 1.0)})  # killed after that, it goes on with the rest
    assert filled.missing_labels("another", "m") == ["first", "third"]


def test_the_stream_can_be_narrowed_to_a_topic_and_a_feeling(filled: Store, now: datetime) -> None:
    def found(**wanted: str) -> list[int]:
        return [id_ for batch in filled.batches("m", now=now, **wanted) for id_ in batch.ids.tolist()]

    by_name = ids(filled)
    assert set(found(topic="tea")) == {by_name["first"], by_name["second"]}
    assert found(topic="tea", sentiment="positive") == [by_name["first"]]
    assert found(topic="coffee") == []


def test_what_came_lately_has_its_labels_as_columns(filled: Store, now: datetime) -> None:
    found = filled.labelled(now - timedelta(hours=1.5))
    assert found.topics.tolist() == ["tea", "tea"]
    assert found.feelings.tolist() == ["", "positive"]
    assert found.polarities.tolist() == [-0.1, 0.8]


def test_labels_that_no_reader_uses_any_more_are_forgotten(filled: Store, opened) -> None:
    other = opened("other")
    other.put_labels("secret topics", {"first": ("my illness", 1.0)})
    other.use_tellers("secret topics", "feelings")
    assert kept(filled) == {"topics", "feelings", "secret topics"}
    other.delete_reader()
    assert kept(filled) == {"topics", "feelings"}


def test_readers_with_the_same_topics_share_what_was_told(filled: Store, opened) -> None:
    other = opened("other")
    other.use_tellers("topics", "feelings")
    filled.use_tellers("new topics", "feelings")
    assert kept(filled) == {"topics", "feelings"}
    assert filled.item(ids(filled)["first"]).topic == ""


def test_texts_are_given_for_a_classifier_that_reads_them(filled: Store) -> None:
    assert filled.contents_of(["second", "nowhere"]) == [("Second", "text of second"), ("", "")]
