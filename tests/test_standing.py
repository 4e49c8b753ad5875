"""The standing: what a live ranking would show, kept, and never wrong about what was done since."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from attention_filter import learned, listing, quotas, reading, standing
from attention_filter.reading import Selection
from attention_filter.settings import Settings
from attention_filter.standing import View
from attention_filter.store.store import open_store
from attention_filter.types import Entry, Rule, RuleAction, Sign, SourceKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPICS = ["rust compiler", "solar energy", "football league"]
SETTINGS = Settings(exploration=0.1, variety=0.3)
ITEMS = 90


@pytest.fixture
def store(tmp_path):
    """90 items of three topics in two sources; some are told twice; a third is in Chinese."""
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(3, 16))
    with open_store(f"sqlite:///{tmp_path / 'a.db'}") as opened:
        ids = []
        for number in range(2):
            source = opened.add_source(f"https://s{number}.example/feed", SourceKind.FEED, title=f"S{number}", now=NOW)
            entries = [entry(i) for i in range(number, ITEMS, 2)]
            ids += opened.add_entries(source.id, entries, NOW).new
        missing = opened.missing_vectors("drawn")
        rows = [
            topics[TOPICS.index(" ".join(title.split()[:2]))] + 0.3 * rng.normal(size=16) for _, title, _ in missing
        ]
        unit = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
        twins = [key for key, title, _ in missing if " again" in title]
        opened.put_vectors("drawn", [key for key, _, _ in missing], unit.astype(np.float32))
        opened.put_vectors("drawn", twins, np.tile(topics[0] / np.linalg.norm(topics[0]), (len(twins), 1)))
        opened.add_interest("rust compiler", 1.0, NOW)
        opened.put_text_vectors("drawn", ["rust compiler"], topics[:1] / np.linalg.norm(topics[0]))
        learned.refresh_background(opened, "drawn", NOW)
        for item in opened.outline(ITEMS).ids[:20:2].tolist():
            opened.add_feedback(item, Sign.LIKE if item % 3 else Sign.SKIP, NOW)
        opened.put_state(learned.PROMISE, b"0.999")  # so that little lies below the line
        learned.freeze_scale(opened, NOW)
        yield opened


def entry(i, **more):
    again = " again" if i % 15 == 3 else ""
    title = f"{TOPICS[i % 3]}{again} number{i if not again else ''}"
    lang = "zh" if i % 9 == 0 else "en"
    return Entry(f"g{i}", title, text=f"{title} text{i}", lang=lang, published=NOW - timedelta(hours=i), **more)


def live(store, limit=standing.LISTED):
    return listing.stream(reading.open_reading(store, SETTINGS, NOW), Selection(), limit, SETTINGS.variety)


def shown(made, view=None, acted=()):
    order, wanted = standing.rows_in(made, view or View(), acted)
    return made.ids[order[wanted]].tolist()


def test_it_lists_what_a_live_ranking_of_that_moment_lists(store):
    store.add_rule(Rule(0, RuleAction.PIN, words=("number40",)))
    store.add_rule(Rule(0, RuleAction.BLOCK, words=("number41",)))
    quotas.add(store, ["source:S0 at most 3"])
    made, now = standing.refresh(store, SETTINGS, NOW), live(store)
    assert len(now) > 5
    assert any(one.moved for one in now)
    assert any(one.story for one in now)
    assert [(p.item, p.story, p.moved, p.held_back) for p in made.listed] == [
        (one.item.id, one.story, one.moved, one.held_back) for one in now
    ]
    rows = made.rows_of([one.item.id for one in now])
    assert made.scores[rows] == pytest.approx([one.score for one in now], abs=1e-5)
    assert made.chance[rows] == pytest.approx([one.probability for one in now], abs=1e-5)
    interest = {0: None, -store.interests()[0].id: "rust compiler"}
    assert [interest[key] for key in made.claimed[rows].tolist()] == [one.interest for one in now]
    strongest = [max(one.reasons, key=lambda reason: reason.value).term for one in now]
    assert [standing.TERMS[code] for code in made.reason[rows]] == strongest
    assert shown(made, acted=store.acts())[: len(now)] == [one.item.id for one in now]


def test_what_lies_in_the_tray_of_a_live_ranking_is_in_the_other_lane(store):
    store.add_rule(Rule(0, RuleAction.BLOCK, words=("football",)))
    made = standing.refresh(store, SETTINGS, NOW)
    away, _ = listing.trayed(reading.open_reading(store, SETTINGS, NOW), Selection(), ITEMS)
    assert shown(made, View(lane="rest"), store.acts()) == [one.item.id for one in away]


def test_the_lanes_share_all_items_out_and_lose_none(store):
    made = standing.refresh(store, SETTINGS, NOW)
    folded = [one for place in made.listed for one in place.story]
    everything = shown(made, View(unread=False)) + shown(made, View(lane="rest", unread=False)) + folded
    assert sorted(everything) == sorted(store.outline(ITEMS).ids.tolist())


def test_it_comes_back_from_the_store_as_it_was(store):
    made = standing.refresh(store, SETTINGS, NOW)
    back = standing.kept(store)
    assert back.head == made.head == standing.kept_head(store)
    assert back.listed == made.listed
    for name in standing._ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name))


def test_one_that_cannot_be_read_is_none(store):
    assert standing.kept(store) is None
    for broken in (b"", b"PK\x03\x04 no", b"\x93NUMPY"):
        store.put_state(standing.STANDING, broken)
        assert standing.kept(store) is None


def act(store):
    store.add_feedback(int(store.outline(ITEMS).ids[50]), Sign.LIKE, NOW)


def new_item(store):
    store.add_entries(store.sources()[0].id, [entry(1000)], NOW)


@pytest.mark.parametrize(
    "change",
    [
        act,
        new_item,
        lambda store: store.undo(NOW),
        lambda store: store.add_interest("energy", 1.0, NOW),
        lambda store: store.set_interest_weight(store.interests()[0].id, 2.0),
        lambda store: store.add_rule(Rule(0, RuleAction.BLOCK, words=("x",))),
        lambda store: quotas.add(store, ["each source at most 20%"]),
        lambda store: store.set_age_limit(1),
        lambda store: store.remove_source(store.sources()[0].id),
        lambda store: store.put_state(learned.PROMISE, b"0.9"),
    ],
)
def test_it_is_stale_after_what_changes_a_ranking_and_fresh_until_then(store, change):
    head = standing.refresh(store, SETTINGS, NOW).head
    later = NOW + timedelta(minutes=29)
    assert not standing.is_stale(store, SETTINGS, head, later)
    change(store)
    assert standing.is_stale(store, SETTINGS, head, later)


def test_it_is_stale_when_it_is_old_or_a_setting_changed_or_there_is_none(store):
    head = standing.refresh(store, SETTINGS, NOW).head
    assert standing.is_stale(store, SETTINGS, head, NOW + timedelta(minutes=30))
    assert standing.is_stale(store, SETTINGS.model_copy(update={"variety": 1.0}), head, NOW)
    assert standing.is_stale(store, SETTINGS, None, NOW)


def test_another_readers_acts_and_items_leave_it_fresh(store):
    head = standing.refresh(store, SETTINGS, NOW).head
    other = store.for_reader("other")
    theirs = other.add_source("https://other.example/feed", SourceKind.FEED, now=NOW)
    (item,) = other.add_entries(theirs.id, [entry(2000)], NOW).new
    other.add_feedback(item, Sign.LIKE, NOW)
    assert not standing.is_stale(store, SETTINGS, head, NOW)
    assert item not in standing.refresh(store, SETTINGS, NOW).ids


def test_views_narrow_by_source_language_interest_and_time(store):
    made = standing.refresh(store, SETTINGS, NOW)
    first, items = store.sources()[0].id, {one.id: one for one in store.items(made.ids.tolist())}
    claimed = -store.interests()[0].id
    for view, holds in [
        (View(sources=frozenset({first})), lambda item: item.source == first),
        (View(lang="zh"), lambda item: item.entry.lang == "zh"),
        (View(claimed=claimed), lambda item: "rust" in item.entry.title),
        (View(since=NOW - timedelta(hours=10)), lambda item: item.date >= NOW - timedelta(hours=10)),
    ]:
        found = shown(made, view)
        assert found
        assert all(holds(items[id_]) for id_ in found)
    by_time = [items[id_].date for id_ in shown(made, View(order="time"))]
    assert by_time == sorted(by_time, reverse=True)


def test_of_a_story_the_others_are_shown_where_their_leader_is_not(store):
    made = standing.refresh(store, SETTINGS, NOW)
    source = dict(zip(made.ids.tolist(), made.sources.tolist(), strict=True))
    lead, other = next((p.item, one) for p in made.listed for one in p.story if source[p.item] != source[one])
    assert other not in shown(made)
    assert lead in shown(made)
    assert other in shown(made, View(sources=frozenset({source[other]})))


def test_as_long_as_nothing_was_ranked_the_newest_stand_first(store):
    made = standing.unranked(store, NOW)
    assert shown(made) == store.outline(ITEMS).ids.tolist()
    assert standing.is_stale(store, SETTINGS, made.head, NOW)


def test_a_reader_without_items_has_an_empty_standing(store):
    nobody = store.for_reader("nobody")
    nobody.add_interest("anything", 1.0, NOW)
    made = standing.refresh(nobody, SETTINGS, NOW)
    assert len(made) == 0
    assert len(standing.kept(nobody)) == 0
    assert shown(made, View(order="time")) == []
