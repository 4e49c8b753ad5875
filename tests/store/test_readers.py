import inspect
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.repeats import Repeats
from attention_filter.store import schema
from attention_filter.store.contexts import Kept
from attention_filter.store.store import Store
from attention_filter.types import Entry, Rule, RuleAction, Sign, SourceKind


def fill(store: Store, now: datetime) -> dict[str, int]:
    """One of everything; ids by name."""
    source = store.add_source(f"https://e.org/{store.reader}", SourceKind.FEED, now=now).id
    (item,) = store.add_entries(source, [Entry("g", f"Secret of {store.reader}", text="words")], now).new
    store.put_vectors("m", [store.missing_vectors("m")[0][0]], np.ones((1, 4)))
    act = store.add_feedback(item, Sign.LIKE, now).id
    store.put_state("profile", store.reader.encode())
    store.put_labels(f"topics of {store.reader}", {store.missing_labels("new", "m")[0]: ("tea", 0.9)})
    store.use_tellers(f"topics of {store.reader}", "feelings")
    store.keep_background(Kept(f"of {store.reader}", "m", store.marks(now, "m"), b"background"))
    store.set_age_limit(9)
    interest = store.add_interest(f"of {store.reader}", 1.0, now).id
    rule = store.add_rule(Rule(0, RuleAction.BLOCK, words=(store.reader,))).id
    return {"source": source, "item": item, "interest": interest, "rule": rule, "act": act}


def everything(store: Store) -> dict[str, object]:
    """All that a reader can see, to be compared."""
    return {
        "sources": store.sources(),
        "stream": [batch.ids.tolist() for batch in store.batches("m", seen=True)],
        "count": store.count_items(),
        "feedback": store.feedback(),
        "interests": store.interests(),
        "rules": store.rules(),
        "state": store.get_state("profile"),
        "found": [hit.item for hit in store.search("secret")],
        "missing": store.missing_vectors("other model"),
        "unread": store.unread(),
        "background": (kept := store.background()) and kept.stamp,
        "no label": store.missing_labels(f"of {store.reader}", "m"),
        "labelled": store.labelled(datetime(1970, 1, 2, tzinfo=UTC)).ids.tolist(),
        "no context": store.missing_contexts(f"of {store.reader}"),
    }


# What another reader does with the owner's ids: every public method of Store is in one of the three.
REFUSED: dict[str, Callable[[Store, dict[str, int], datetime], object]] = {
    "source": lambda s, ids, now: s.source(ids["source"]),
    "remove_source": lambda s, ids, now: s.remove_source(ids["source"]),
    "record_success": lambda s, ids, now: s.record_success(ids["source"], now=now, next_try=now),
    "record_failure": lambda s, ids, now: s.record_failure(ids["source"], now=now, next_try=now, error="x"),
    "set_muted": lambda s, ids, now: s.set_muted(ids["source"], True),
    "add_entries": lambda s, ids, now: s.add_entries(ids["source"], [Entry("x", "X")], now),
    "item": lambda s, ids, now: s.item(ids["item"]),
    "items": lambda s, ids, now: s.items([ids["item"]]),
    "batch_of": lambda s, ids, now: s.batch_of([ids["item"]], "m"),
    "repeats": lambda s, ids, now: s.repeats(ids["source"]),
    "newest_texts": lambda s, ids, now: s.newest_texts(ids["source"], 9, 9),
    "newest_titles": lambda s, ids, now: s.newest_titles(ids["source"], 9),
    "put_repeats": lambda s, ids, now: s.put_repeats(ids["source"], 9, Repeats(9)),
    "unread_items": lambda s, ids, now: s.unread_items(ids["source"], 9),
    "batches": lambda s, ids, now: s.batches("m", source=ids["source"]),
    "add_feedback": lambda s, ids, now: s.add_feedback(ids["item"], Sign.LIKE, now),
    "add_acts": lambda s, ids, now: s.add_acts([ids["item"]], Sign.LIKE, now),
    "remove_interest": lambda s, ids, now: s.remove_interest(ids["interest"]),
    "set_interest_weight": lambda s, ids, now: s.set_interest_weight(ids["interest"], 9),
    "edit_source": lambda s, ids, now: s.edit_source(ids["source"], title="Mine", folder="now"),
    "remove_rule": lambda s, ids, now: s.remove_rule(ids["rule"]),
}
SEES_NOTHING: dict[str, Callable[[Store, datetime], object]] = {
    "sources": lambda s, now: s.sources(),
    "due_sources": lambda s, now: s.due_sources(now),
    "count_items": lambda s, now: s.count_items(),
    "tallies": lambda s, now: s.tallies(now),
    "newest": lambda s, now: s.newest(10),
    "act_log": lambda s, now: s.act_log(),
    "age_limit": lambda s, now: s.age_limit(),
    "forget": lambda s, now: s.forget(1),
    "find_guids": lambda s, now: s.find_guids("https://e.org/me", ["g"]),
    "search": lambda s, now: s.search("secret"),
    "unread": lambda s, now: s.unread(),
    "missing_vectors": lambda s, now: s.missing_vectors("other model"),
    "missing_titles": lambda s, now: s.missing_titles("other model", 10),
    "feedback": lambda s, now: s.feedback(),
    "undo": lambda s, now: s.undo(now),
    "undo_together": lambda s, now: s.undo_together(now),
    "take_back": lambda s, now: s.take_back(range(100), now),
    "acts_on": lambda s, now: s.acts_on(range(100)),
    "acted": lambda s, now: s.acted(Sign.LIKE),
    "liked": lambda s, now: s.liked(1, ()).get(None) != (0, 0),
    "interests": lambda s, now: s.interests(),
    "rules": lambda s, now: s.rules(),
    "get_state": lambda s, now: s.get_state("profile"),
    "background": lambda s, now: s.background(),
    "shared_backgrounds": lambda s, now: s.shared_backgrounds("m"),
    "marks": lambda s, now: s.marks(now, "m").tolist(),
    "missing_contexts": lambda s, now: s.missing_contexts("of owner"),
    "missing_labels": lambda s, now: s.missing_labels("nobody", "m"),
    "contents_of": lambda s, now: [one for one in s.contents_of(_hashes(s)) if any(one)],
    "told": lambda s, now: s.told(range(100)),
    "tellers": lambda s, now: s.tellers(),
    "labelled": lambda s, now: len(s.labelled(datetime(1970, 1, 2, tzinfo=UTC)).ids),
    "glances": lambda s, now: s.glances(range(100)),
    "outline": lambda s, now: len(s.outline(9).ids),
    "newer": lambda s, now: s.newer(0),
    "acts": lambda s, now: s.acts(),
    "acted_mark": lambda s, now: any(s.acted_mark()),
    "followed": lambda s, now: s.followed(),
    "snapshot": lambda s, now: _in_a_snapshot(s),
    "basis": lambda s, now: s.basis(["profile"]).act or s.basis(["profile"]).kept != s.basis([]).kept,
}


def _hashes(store: Store) -> list[str]:
    """Those of all contents that there are."""
    with store._engine.connect() as connection:
        return list(connection.scalars(sa.select(schema.items.c.content_hash)))


def _in_a_snapshot(store: Store) -> object:
    with store.snapshot() as still:
        return still.sources() or still.interests() or still.acts()


OWN_OR_SHARED = {
    "add_source", "add_interest", "put_interests", "add_rule", "put_state", "put_states", "set_age_limit",  # one's own
    "delete_reader",
    "put_vectors", "put_title_vectors", "text_vectors", "put_text_vectors",  # keyed by content, which one must have
    "put_contexts", "put_said",  # to ask
    "keep_background",
    "vectors_of", "put_labels", "use_tellers",  # keyed by content, or one's own
    "readers", "backup", "check", "close", "for_reader",  # the whole database
    "due_everywhere", "followers", "states_of", "newest_item", "total_items", "last_fetch",  # for the server itself
}  # fmt: skip


def test_every_public_method_is_checked_for_its_reader() -> None:
    public = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert public == {*REFUSED, *SEES_NOTHING, *OWN_OR_SHARED}


def test_no_method_lets_one_reader_see_or_touch_what_is_anothers(opened: Callable[..., Store], now: datetime) -> None:
    owner, stranger = opened("owner"), opened("stranger")
    ids = fill(owner, now)
    before = everything(owner)
    for name, attempt in REFUSED.items():
        with pytest.raises(UsageError, match="no such"):
            pytest.fail(f"{name} gave {attempt(stranger, ids, now)}")
    for name, look in SEES_NOTHING.items():
        assert not look(stranger, now), name
    stranger.set_age_limit(1)
    stranger.put_state("profile", b"other")
    stranger.delete_reader()
    assert everything(owner) == before


def test_deleting_a_reader_removes_that_readers_rows_only(opened: Callable[..., Store], now: datetime) -> None:
    ann, bob = opened("ann"), opened("bob")
    shared = fill(ann, now)["source"]
    fill(bob, now)
    bob.add_source(ann.source(shared).url, SourceKind.FEED, now=now)
    bob.add_feedback(1, Sign.LIKE, now)
    before = everything(bob)
    ann.undo(now)
    ann.delete_reader()
    assert ann.readers() == ["bob"]
    assert everything(bob) == before
    nothing = everything(ann)
    assert not any(nothing.values())
    assert bob.check() == []
    ann.add_interest("beginning anew", 1.0, now)
    assert ann.readers() == ["ann", "bob"]


def test_an_interest_added_again_gets_the_new_weight(store: Store, now: datetime) -> None:
    first = store.add_interest("  electric   cars ", 1.0, now)
    again = store.add_interest("electric cars", -2.0, now)
    assert (again.id, again.text, again.weight) == (first.id, "electric cars", -2.0)
    store.set_interest_weight(first.id, 0.5)
    assert [(i.text, i.weight, i.created) for i in store.interests()] == [("electric cars", 0.5, now)]
    store.remove_interest(first.id)
    assert store.interests() == []


@pytest.mark.parametrize(
    ("text", "weight", "complaint"),
    [(" ", 1.0, "needs words"), ("x", float("nan"), "finite"), ("\udcff", 1.0, "not valid Unicode")],
)
def test_an_interest_that_cannot_be_is_refused(
    store: Store, now: datetime, text: str, weight: float, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        store.add_interest(text, weight, now)


def test_a_rule_comes_back_as_it_was_added(store: Store) -> None:
    rule = Rule(0, RuleAction.BOOST, ("rust", "编译"), "a+", "e.org", "Ann", "en", 2.5, 0.5, 1.5)
    added = store.add_rule(rule)
    assert store.rules() == [added]
    assert added == Rule(added.id, *(getattr(rule, name) for name in list(Rule.__slots__)[1:]))
    store.remove_rule(added.id)
    assert store.rules() == []


def test_state_is_kept_by_name(store: Store) -> None:
    assert store.get_state("profile") is None
    store.put_state("profile", b"one")
    store.put_state("profile", b"\x00two")
    assert store.get_state("profile") == b"\x00two"
