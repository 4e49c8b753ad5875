"""Today: a page with an end, made once a day, that stays as it is while the reader goes through it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from attention_filter import learned, reading, today
from attention_filter.app import Filter
from attention_filter.personal import budget
from attention_filter.settings import Settings
from attention_filter.store.store import open_store
from attention_filter.types import Entry, Level, Rule, RuleAction, Sign, SourceKind

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIM = 24
TOPICS = {
    name: row / np.linalg.norm(row)
    for name, row in zip(
        ["climate", "compilers", "football", "recipes"], np.random.default_rng(0).normal(size=(4, DIM)), strict=True
    )
}
INTERESTS = ("climate", "compilers")


class World:
    """A filter over two sources whose vectors are drawn around topics; a clock that the test sets."""

    def __init__(self, path, **settings):
        self.now = NOON
        self.rng = np.random.default_rng(1)
        self.store = open_store(f"sqlite:///{path}")
        self.filter = Filter(self.store, Settings(exploration=0.0, variety=0.0, **settings), lambda: self.now)
        self.sources = {}
        self.count = 0

    def comes(self, *topics, source="A", text="", title="", hours=1.0, like=None, **more):
        """One item of each topic, published some hours ago; returns their ids."""
        if source not in self.sources:
            url = f"https://{source.lower()}.example/feed"
            self.sources[source] = self.store.add_source(url, SourceKind.FEED, title=source, now=self.now).id
        ids = []
        for topic in topics:
            self.count += 1
            own = " ".join(f"{topic}{self.count}word{i}" for i in range(30))
            entry = Entry(
                f"g{self.count}",
                title or f"{topic} number{self.count}",
                text=text or own,
                lang="en",
                published=self.now - timedelta(hours=hours),
                **more,
            )
            ids += self.store.add_entries(self.sources[source], [entry], self.now).new
            vector = TOPICS[topic] + 0.25 * self.rng.normal(size=DIM)
            for key, *_ in self.store.missing_vectors("drawn"):
                self.store.put_vectors("drawn", [key], (vector / np.linalg.norm(vector))[None].astype(np.float32))
        return ids

    def understood(self, *interests):
        for text in interests:
            self.store.put_text_vectors("drawn", [text], TOPICS[text][None].astype(np.float32))
            self.store.add_interest(text, 1.0, self.now)
        learned.refresh_background(self.store, "drawn", self.now)
        learned.freeze_scale(self.store, self.now)


@pytest.fixture
def world(tmp_path):
    """120 items of four topics, of which two are wanted."""
    made = World(tmp_path / "a.db")
    for _ in range(30):
        made.comes(*TOPICS)
    made.understood(*INTERESTS)
    with made.store:
        yield made


def ids(page):
    return [one.item.id for one in page.page]


def topics(page):
    return Counter(one.item.entry.title.split()[0] for one in page.page)


def test_the_page_is_short_sorted_and_of_what_is_wanted(world):
    page = world.filter.today()
    assert 10 <= len(page.page) <= 30
    assert set(topics(page)) == set(INTERESTS)
    chances = [one.probability for one in page.page]
    assert chances == sorted(chances, reverse=True)
    assert not any(one.moved for one in page.page)
    assert {str(one.because) for one in page.page} == {f"Because you follow “{text}”" for text in INTERESTS}
    assert (page.day, page.acts, page.done) == (NOON.astimezone().date(), {}, False)


def test_what_waits_and_what_is_away_add_up_to_all(world):
    page = world.filter.today()
    folded = sum(len(one.story) for one in page.page)
    assert len(page.page) + folded + page.waiting + page.away == 120
    assert page.away == world.filter.tray()[1] > 0
    assert page.new == 0
    assert f"{page.waiting} more wait in All, {page.away} were filtered away." in str(page)


def test_it_says_the_same_numbers_as_the_whole_list(world):
    listed = {one.item.id: one for one in world.filter.stream(120)}
    for one in world.filter.today().page:
        assert (one.probability, one.level) == (listed[one.item.id].probability, listed[one.item.id].level)


def test_what_is_done_is_ticked_off_in_its_place_and_the_page_ends(world):
    before = ids(world.filter.today())
    world.filter.act(before[:3], Sign.LIKE)
    world.now += timedelta(hours=3)
    page = world.filter.today()
    assert ids(page) == before
    assert page.acts == dict.fromkeys(before[:3], Sign.LIKE)
    assert [one.level for one in page.page[:3]] == [None] * 3
    assert "to look at" in str(page)
    for one, other in pairwise(page.page[3:]):
        assert one.probability >= other.probability or one.moved == today.KEEPS_ITS_PLACE
    world.filter.act(before[3:], Sign.SKIP)
    page = world.filter.today()
    assert page.done
    assert page.minutes == 0
    assert str(page).startswith("You are done. ")
    world.filter.undo_together()
    assert not world.filter.today().done


def test_what_comes_meanwhile_is_counted_and_added_only_when_asked(world):
    before = ids(world.filter.today())
    world.now += timedelta(hours=1)
    new = world.comes("climate", "climate", "compilers", "recipes")
    page = world.filter.today()
    assert ids(page) == before
    assert page.new == 4 - sum(one.tray is not None for one in world.filter.rank(new))
    page = world.filter.today(more=True)
    assert ids(page)[: len(before)] == before
    added = ids(page)[len(before) :]
    assert set(new[:3]) <= set(added)
    assert page.new == 0
    assert ids(world.filter.today()) == ids(page)
    for one, other in pairwise(page.page):
        assert one.probability >= other.probability or one.moved


def test_the_next_day_has_a_page_of_its_own_and_shows_nothing_twice(world):
    first = ids(world.filter.today())
    world.now += timedelta(days=1)
    assert not set(ids(world.filter.today())) & set(first)  # nothing came: at most what was HIGH and had no place
    world.now += timedelta(days=1)
    new = world.comes(*["climate"] * 6, *["football"] * 20, *["compilers"] * 6)
    page = world.filter.today()
    wanted = [*new[:6], *new[26:]]
    assert len(set(wanted) & set(ids(page))) >= 10
    assert not set(ids(page)) & set(first)
    earlier = [one for one in page.page if one.item.id not in new]
    assert all(one.level is Level.HIGH for one in earlier)
    assert page.away <= 20


def test_a_copy_of_what_was_read_is_not_on_the_page_and_ticks_its_story_off(world):
    read = ids(world.filter.today())[0]
    told = world.filter.item(read).entry
    world.now += timedelta(hours=1)
    (copy,) = world.comes("climate", source="B", title=told.title, text=told.text)
    world.filter.act([copy], Sign.LIKE)
    page = world.filter.today()
    assert page.acts == {read: Sign.LIKE}
    world.filter.undo()
    assert world.filter.today().acts == {}
    world.filter.act([read], Sign.READ)
    assert copy not in ids(world.filter.today(more=True))
    assert copy not in {one.item.id for one in world.filter.stream(200)}
    assert copy not in {one.item.id for one in world.filter.tray(200)[0]}
    assert copy not in {one.ranked.item.id for one in world.filter.ask(200)}


def test_ten_copies_of_a_like_are_one_like(world):
    first, *_ = ids(world.filter.today())
    told = world.filter.item(first).entry
    copies = [world.comes("climate", source=f"C{n}", title=told.title, text=told.text)[0] for n in range(9)]
    world.filter.act([first], Sign.LIKE)
    once = [one.score for one in world.filter.rank(range(1, 121))]
    world.filter.act(copies, Sign.LIKE)
    assert [one.score for one in world.filter.rank(range(1, 121))] == pytest.approx(once, abs=1e-5)
    assert len(world.filter._reading().profile.history) == 3
    world.filter.act(copies[:1], Sign.READ)  # a look says less than a like
    assert [one.score for one in world.filter.rank(range(1, 121))] == pytest.approx(once, abs=1e-5)
    world.filter.act(copies[:1], Sign.DISLIKE)
    assert world.filter.rank([first])[0].score < once[first - 1]


def test_what_adds_to_what_was_read_is_shown_and_says_so(world):
    first = ids(world.filter.today())[0]
    told = world.filter.item(first).entry
    world.filter.act([first], Sign.READ)
    world.now += timedelta(hours=2)
    longer = f"{told.text} {' '.join(f'later{n}' for n in range(40))}"
    (update,) = world.comes("climate", source="B", title=told.title, text=longer)
    page = world.filter.today(more=True)
    one = next(one for one in page.page if one.item.id == update)
    assert one.adds_to == told.title
    assert update in {one.item.id for one in world.filter.stream(200)}


def test_each_interest_with_something_good_has_a_place(tmp_path):
    world = World(tmp_path / "a.db", today_stories=10)
    world.comes(*["climate"] * 40, *["football"] * 40, *["recipes"] * 20)
    world.comes("compilers", hours=60)
    world.understood(*INTERESTS)
    page = world.filter.today()
    assert topics(page)["compilers"] == 1
    own = next(one for one in page.page if one.item.entry.title.startswith("compilers"))
    assert own.moved in (None, budget.EACH_INTEREST)


def test_a_new_source_gets_a_place(tmp_path):
    world = World(tmp_path / "a.db", today_stories=10)
    world.comes(*["climate"] * 30, *["recipes"] * 30)
    world.understood("climate")
    world.filter.today()
    world.now += timedelta(days=1)
    world.comes(*["climate"] * 20, *["recipes"] * 20)
    (stranger,) = world.comes("climate", source="New", hours=90)
    one = next(one for one in world.filter.today().page if one.item.id == stranger)
    assert one.moved in (None, budget.NEW_SOURCE)


def test_the_budget_is_stories_or_minutes(world):
    assert len(world.filter.today(stories=12).page) <= 12
    assert len(world.filter.today(minutes=1.0).page) == 7  # of 32 words each
    assert world.filter.today().minutes == 1


def test_rules_and_quotas_hold_on_the_page(world):
    first = ids(world.filter.today())[0]
    world.now += timedelta(days=1)
    new = world.comes(*["climate"] * 12, source="B")
    new += world.comes(*["climate"] * 12, source="C")
    number = world.filter.item(new[0]).entry.title.split()[1]
    world.filter.add_rule(Rule(0, RuleAction.PIN, words=(number,)))
    world.filter.add_quota("source:C at most 2")
    page = world.filter.today()
    assert page.page[0].item.id == new[0]
    assert page.page[0].pinned
    assert sum(one.item.source_title == "C" for one in page.page if not one.held_back) <= 2
    assert first not in ids(page)


def test_a_page_that_was_too_short_grows_until_something_is_done(tmp_path):
    world = World(tmp_path / "a.db")
    assert world.filter.today().page == ()
    assert world.filter.today().done
    world.comes(*["climate"] * 4, *["recipes"] * 4)
    world.understood("climate")
    assert 0 < len(world.filter.today().page) < 10
    world.comes(*["climate"] * 20, *["recipes"] * 20)
    page = world.filter.today()
    assert len(page.page) >= 10
    world.comes(*["climate"] * 20)
    assert ids(world.filter.today()) == ids(page)


def test_while_nothing_is_known_the_page_is_the_newest(tmp_path):
    world = World(tmp_path / "a.db", today_stories=20)
    for hours in range(40):
        world.comes("recipes", hours=hours)
    world.understood()
    assert ids(world.filter.today()) == list(range(1, 11))
    page = world.filter.today(stories=20)
    assert ids(page) == list(range(1, 21))
    assert page.page[0].probability is None
    assert str(page.page[0].because) == "New from A"


def test_pages_of_sixty_days_are_remembered(world):
    kept = today.Page("2026-01-01", 1.0, shown={f"2025-12-{day:02}": [day] for day in range(1, 32)})
    for _ in range(90):
        tomorrow = datetime.fromisoformat(kept.day).astimezone() + timedelta(days=1)
        kept = today.of_the_day(kept, tomorrow, Settings())
    assert len(kept.shown) == today.DAYS
    today.keep(world.store, kept)
    assert today.kept(world.store) == kept


def test_the_page_is_kept_as_plain_data(world):
    page = world.filter.today()
    stored = json.loads(world.store.get_state(today.PAGES))
    assert [place["item"] for place in stored["places"]] == ids(page)
    assert set(stored) == {"day", "made", "since", "stories", "minutes", "asked", "places", "shown", "sources"}


def test_what_was_looked_at_on_an_earlier_page_moves_the_chances_and_today_does_not(world):
    first = ids(world.filter.today())

    def intercept():
        return reading.open_reading(world.store, world.filter.settings, world.now).curve.intercept

    at_first = intercept()
    world.filter.act(first[-3:], Sign.HIDE)
    slope_only = intercept()
    assert learned.seen_of(world.store, world.now) == []
    world.now += timedelta(days=1)
    world.comes(*TOPICS, source="B")
    world.filter.today()
    assert intercept() < min(at_first, slope_only)  # all above the last one were passed over
    seen = learned.seen_of(world.store, world.now)
    assert [one.item for one in seen] == first
    assert {(one.wanted, one.weight) for one in seen} == {(False, learned.PASSED), (False, 1.0)}
    world.filter.act(first[:-3], Sign.LIKE)
    assert sum(one.wanted for one in learned.seen_of(world.store, world.now)) == len(first) - 3
    world.store.remove_source(world.sources["A"])
    assert {one.item for one in learned.seen_of(world.store, world.now)} == set(
        first
    )  # what was acted on stays visible


def test_a_like_raises_the_curve_at_once_and_never_for_what_was_passed_over(world):
    first = ids(world.filter.today())
    world.filter.act(first[4:5], Sign.LIKE)
    (seen,) = learned.seen_of(world.store, world.now)
    assert (seen.item, seen.wanted, seen.weight) == (first[4], True, learned.TODAY_S)
    looked = reading.open_reading(world.store, world.filter.settings, world.now).looked
    assert looked.wanted.tolist() == [True]
    world.now += timedelta(days=1)
    world.comes(*TOPICS, source="B")
    world.filter.today()
    later = {one.item: (one.wanted, one.weight) for one in learned.seen_of(world.store, world.now)}
    assert later == {item: (item == first[4], 1.0 if item == first[4] else learned.PASSED) for item in first[:5]}
