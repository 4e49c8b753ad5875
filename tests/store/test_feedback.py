from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attention_filter.errors import UsageError
from attention_filter.store.store import Store
from attention_filter.types import Entry, Sign, SourceKind


@pytest.fixture
def ids(store: Store, feed: int, now: datetime) -> tuple[int, ...]:
    return store.add_entries(feed, [Entry(f"g{n}", f"T{n}") for n in range(3)], now).new


def test_the_latest_act_on_an_item_counts(store: Store, ids: tuple[int, ...], now: datetime) -> None:
    hour = timedelta(hours=1)
    store.add_feedback(ids[0], Sign.LIKE, now)
    store.add_feedback(ids[1], Sign.READ, now + hour)
    last = store.add_feedback(ids[0], Sign.DISLIKE, now + 2 * hour)
    assert [(f.item, f.sign, f.at) for f in store.feedback()] == [
        (ids[1], Sign.READ, now + hour),
        (ids[0], Sign.DISLIKE, now + 2 * hour),
    ]
    assert store.feedback()[-1] == last


def test_undo_takes_back_one_act_after_the_other_and_then_says_none(
    store: Store, ids: tuple[int, ...], now: datetime
) -> None:
    first = store.add_feedback(ids[0], Sign.LIKE, now)
    second = store.add_feedback(ids[0], Sign.HIDE, now)
    assert store.undo(now) == second
    assert store.feedback() == [first]
    assert store.undo(now) == first
    assert store.feedback() == []
    assert store.undo(now) is None


def test_an_undo_is_recorded_and_deletes_nothing(store: Store, ids: tuple[int, ...], now: datetime) -> None:
    store.add_feedback(ids[0], Sign.LIKE, now)
    store.undo(now)
    with store._read() as (connection, _):
        log = connection.exec_driver_sql("SELECT sign, undoes FROM feedback ORDER BY id").all()
    assert [tuple(row) for row in log] == [("like", None), (None, 1)]


def test_feedback_on_an_unknown_item_is_refused(store: Store, now: datetime) -> None:
    with pytest.raises(UsageError, match="item 9: no such item"):
        store.add_feedback(9, Sign.LIKE, now)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([*Sign, None])), max_size=12))
def test_what_counts_is_what_a_stack_of_acts_would_say(
    store: Store, ids: tuple[int, ...], now: datetime, acts: list[tuple[int, Sign | None]]
) -> None:
    while store.undo(now):
        pass
    stack: list[tuple[int, Sign]] = []
    for place, sign in acts:
        if sign is not None:
            store.add_feedback(ids[place], sign, now)
            stack.append((ids[place], sign))
        elif stack:
            store.undo(now)
            stack.pop()
    assert {f.item: f.sign for f in store.feedback()} == dict(stack)


def test_any_act_can_be_taken_back_once_and_the_one_before_counts_again(
    store: Store, ids: tuple[int, ...], now: datetime
) -> None:
    first = store.add_feedback(ids[0], Sign.LIKE, now)
    store.add_feedback(ids[1], Sign.SAVE, now)
    later = store.add_feedback(ids[0], Sign.HIDE, now + timedelta(minutes=1))
    assert store.take_back([later.id], now) == [later]
    assert {f.item: f.sign for f in store.feedback()} == {ids[0]: Sign.LIKE, ids[1]: Sign.SAVE}
    assert store.take_back([later.id], now) == []
    assert [(act.id, undone) for act, undone in store.act_log()] == [(3, True), (2, False), (1, False)]
    assert [act for act, _ in store.act_log(1, before=2)] == [first]


def test_forgetting_an_item_strikes_its_acts_and_undos_and_no_others(
    store: Store, ids: tuple[int, ...], now: datetime
) -> None:
    store.add_feedback(ids[0], Sign.LIKE, now)
    store.undo(now)
    store.add_feedback(ids[0], Sign.DISLIKE, now)
    kept = store.add_feedback(ids[1], Sign.SAVE, now)
    assert store.forget(ids[0]) == 3
    assert [act for act, _ in store.act_log()] == [kept]
    assert store.forget(ids[0]) == 0
    assert store.check() == []


def test_the_mark_of_the_log_changes_with_every_act_undo_and_strike(store, now):
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=now)
    one, two = store.add_entries(source.id, [Entry("1", "a"), Entry("2", "b")], now).new
    marks = [store.acted_mark()]
    for change in (
        lambda at: store.add_feedback(one, Sign.LIKE, at),
        lambda at: store.undo(at),
        lambda at: store.add_feedback(two, Sign.LIKE, at),
        lambda at: store.forget(two),
        lambda at: store.add_feedback(one, Sign.LIKE, at),  # gets the id that was struck
    ):
        change(now + timedelta(minutes=len(marks)))
        marks.append(store.acted_mark())
    assert all(before != after for before, after in pairwise(marks))
    assert marks[5] != marks[3]


def test_a_snapshot_sees_one_moment(store, now):
    store.add_interest("before", 1.0, now)
    with store.snapshot() as still:
        assert [one.text for one in still.interests()] == ["before"]
        store.add_interest("after", 1.0, now)
        assert [one.text for one in still.interests()] == ["before"]
    assert len(store.interests()) == 2
