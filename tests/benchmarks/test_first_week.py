"""The first-week benchmark: its parts one by one, then a whole run on a tiny invented world over loopback."""

import importlib
import json
import sys
from datetime import UTC, datetime
from enum import Enum
from html import escape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from attention_filter import evaluation
from attention_filter.logs import LogItem
from attention_filter.personal.evaluate import auc
from attention_filter.sources.feeds import parse_feed
from attention_filter.types import Entry, Item, Ranked, Sign
from attention_filter.words import term_id, words

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PARTS = ("messy_feeds", "peers_islands", "week_readers", "simulated_week", "week_tables", "first_week")
NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
TOPICS = ("cats", "stocks", "rain", "chess")
ITEMS = [LogItem(str(n), f"Story number {n} of the day", f"What happened in town {n}.", "en") for n in range(60)]

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not part of a source package")


class HashedWords:
    """The mean of a fixed random vector for each word."""

    id, dim = "hashed", 24

    def encode(self, texts, *, progress=None):
        rows = [sum((_vector(word) for word in words(text)), _vector("the")) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def _vector(word):
    return np.random.default_rng(term_id(word)).normal(size=24)


@pytest.fixture
def bench(monkeypatch):
    """The benchmark's modules by name, which are gone after the test."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    modules = {}
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in PARTS:
        modules[name] = importlib.import_module(name)
        monkeypatch.setitem(sys.modules, name, modules[name])
    return SimpleNamespace(**modules)


def ranked(id, chance=None, **more):
    entry = Entry(f"g{id}", f"t{id}")
    return Ranked(Item(id, 1, "", entry, NOW), 0.0, (), probability=chance, **more)


def press(bench, messy, lang="en", seed=0):
    return bench.messy_feeds.Press(ITEMS, lang, bench.messy_feeds.read_clutter(), seed, messy)


def all_posts(bench, messy, lang="en", seed=0):
    at = press(bench, messy, lang, seed)
    return at, [post for row in range(len(ITEMS)) for post in at.posts(row, NOW, NOW)]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_piece_of_clutter_can_be_filled_in(bench, lang):
    pieces = bench.messy_feeds.read_clutter()[lang]
    rng = np.random.default_rng(0)
    for part in {*bench.messy_feeds.BEFORE, *bench.messy_feeds.AFTER, *bench.messy_feeds.EXTRAS, "retold", "told_by"}:
        for piece in pieces[part]:
            text = bench.messy_feeds.fill(piece, "The Mail", pieces, rng, "Rain")
            assert not any(f"{{{name}}}" in text for name in ("title", "source", "person", "place", "n", "year"))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_messy_feeds_are_read_as_they_were_meant(bench, lang):
    at, posts = all_posts(bench, True, lang)
    read = {}
    for source in at.sources:
        own = [post for post in posts if post.source == source.number]
        feed = parse_feed(
            bench.messy_feeds.document(source, own, "http://feed.invalid/"), "http://f.invalid/", None, NOW, 99
        )
        assert feed.title == source.name
        read |= {entry.guid: entry for entry in feed.entries}
    assert set(read) == {post.guid for post in posts}
    assert all(read[post.guid].title == post.title for post in posts)
    assert all(ITEMS[post.item].text in read[post.guid].text for post in posts)


def test_a_source_repeats_itself_and_differs_from_others(bench):
    at, posts = all_posts(bench, True)
    source = next(one for one in at.sources if "paragraph" in one.habits)
    own = [post.html for post in posts if post.source == source.number]
    said = escape(source.habits["paragraph"])
    assert len(own) > 1
    assert all(said in html for html in own)
    assert len({tuple(sorted(one.habits.items())) for one in at.sources}) == len(at.sources)


def test_clean_feeds_have_the_items_alone_and_a_copy_another_source(bench):
    at, posts = all_posts(bench, False)
    firsts, copies = [p for p in posts if not p.copy], [p for p in posts if p.copy]
    assert [post.html for post in firsts] == [f"<p>{one.text}</p>" for one in ITEMS]
    assert copies
    assert all(at.dealt[post.item] != post.source and post.title != ITEMS[post.item].title for post in copies)


def test_a_seed_gives_the_same_posts_and_another_one_others(bench):
    assert all_posts(bench, True)[1] == all_posts(bench, True)[1]
    assert all_posts(bench, True)[1] != all_posts(bench, True, seed=1)[1]


def test_a_place_further_down_is_looked_at_less(bench):
    habits, rng = bench.simulated_week.Habits(), np.random.default_rng(0)
    looks = [np.mean([habits.looks(place, rng) for _ in range(2_000)]) for place in (0, 20)]
    assert looks[0] == 1
    assert looks[1] == pytest.approx(0.5, abs=0.05)


def test_a_reader_opens_what_is_wanted_and_seldom_errs(bench):
    habits, rng = bench.simulated_week.Habits(), np.random.default_rng(0)
    good, bad = ([habits.acts(wanted, rng) for _ in range(4_000)] for wanted in (True, False))
    assert np.mean([Sign.READ in acts for acts in good]) == pytest.approx(0.8, abs=0.03)
    assert np.mean([acts[-1] is Sign.LIKE for acts in good if acts]) == pytest.approx(0.35, abs=0.03)
    assert np.mean([acts == [Sign.READ] for acts in bad]) == pytest.approx(0.03, abs=0.01)
    assert {sign for acts in bad for sign in acts} == {Sign.READ, Sign.SKIP, Sign.DISLIKE}


def test_contradictions_leave_out_what_says_why_it_stands_there(bench):
    count = bench.simulated_week.contradictions
    assert count([ranked(1, 0.9), ranked(2, 0.5), ranked(3, 0.7)]) == (1, 2)
    assert count([ranked(1, 0.9), ranked(2, 0.5, moved="for variety"), ranked(3, 0.7)]) == (0, 0)
    assert count([ranked(1), ranked(2)]) == (0, 0)


def test_a_flip_is_a_lower_chance_or_a_lower_level(bench):
    kind, level = bench.simulated_week.Kind, Enum("Level", ["HIGH", "MAYBE"])
    assert kind(0.5, None).fell(kind(0.49, None))
    assert not kind(0.5, None).fell(kind(0.496, None))
    high, maybe = (bench.simulated_week.level_of(SimpleNamespace(level=one)) for one in level)
    assert kind(0.5, high).fell(kind(0.9, maybe))
    assert not kind(0.5, maybe).fell(kind(0.5, high))


def test_places_put_a_folded_story_behind_its_first(bench):
    shown = bench.simulated_week.Shown([ranked(5, story=(9,))], [ranked(2)], [ranked(7)])
    assert bench.simulated_week.places_of(shown) == {5: 0, 9: 1, 2: 2, 7: 3}


def test_precision_counts_a_new_wanted_story_once(bench):
    week = bench.simulated_week
    world = week.World([], {0: True, 1: True, 2: False, 3: True}, {})
    world.item_of = {10: (0, False), 11: (0, True), 12: (1, False), 13: (2, False), 14: (3, False), 15: (3, True)}
    world.opened = {3}
    assert week.precision([10, 11, 13, 15], world, 4) == 0.5  # of two new wanted stories the first one
    assert week.precision([10, 12, 11, 13], world, 2) == 1


def test_today_page_is_taken_where_there_is_one(bench):
    stream = [ranked(n) for n in range(20)]
    page_of = bench.simulated_week.page_of
    assert page_of(SimpleNamespace(), stream, 10) == stream[:3]
    assert page_of(SimpleNamespace(today=lambda: SimpleNamespace(page=stream[5:6])), stream, 10) == stream[5:6]


def test_islands_join_what_is_near_and_remember(bench):
    islands = bench.peers_islands
    vectors = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1]], float)
    found = islands.calibrate([], vectors, np.array([4.0, 4.0, -4.0]))
    assert sorted(round(one.weight, 3) for one in found) == [-1, 1]
    scores = islands.score(found, vectors)
    assert scores[0] > 0.9
    assert scores[2] == -1
    again = islands.calibrate(found, vectors[1:2], np.array([4.0]))
    assert len(again) == 2
    assert again[0].centre @ vectors[1] > found[0].centre @ vectors[1]  # blended, not replaced
    assert again[0].centre @ vectors[1] < 1
    assert islands.score([], vectors) is None


def test_there_are_at_most_ten_islands(bench):
    assert len(bench.peers_islands.calibrate([], np.eye(30), np.full(30, 4.0))) == 10


def test_readers_of_titles_want_a_tenth(bench):
    titles = [(topic, f"{topic} {n}", "zh") for topic in ("game", "stocks", "sports", "society") for n in range(600)]
    readers = bench.week_readers.title_readers("titles", titles, 3, 0)
    assert [len(one.interests) for one in readers.readers] == [3, 2, 3]
    for one in readers.readers:
        assert one.wanted.mean() == pytest.approx(0.1, abs=0.01)
        assert one.looked_wanted.mean() == pytest.approx(0.1, abs=0.01)
        assert not set(one.free) & set(one.rows)
        assert (one.about[one.wanted] >= 0).all()
        stated = [bench.week_readers.STATEMENTS[readers.items[row].category] for row in one.rows[one.wanted]]
        assert set(stated) == set(one.interests)


@pytest.fixture
def data(tmp_path):
    """160 items of four topics, two readers of profiles with one topic or two, 50 of them nobody's candidates."""
    rng = np.random.default_rng(0)
    topic = rng.integers(len(TOPICS), size=160)
    titles = [" ".join([TOPICS[t]] * 2 + [f"w{w}" for w in rng.integers(0, 50, 5)]) for t in topic]
    items = [
        {"id": f"i{i}", "title": one, "text": one, "lang": "en", "published": None} for i, one in enumerate(titles)
    ]
    readers = []
    for reader in range(2):
        wanted = list(range(reader + 1))
        candidates = [{"id": f"i{i}", "label": int(topic[i] in wanted)} for i in range(90, 160)]
        past = [f"i{i}" for i in np.flatnonzero(np.isin(topic[:40], wanted))]
        readers.append({"reader": f"r{reader}", "k": 5, "statements": True, "likes": past[:5], "dislikes": [],
                        "interests": [TOPICS[t] for t in wanted], "candidates": candidates})  # fmt: skip
    folder = tmp_path / "data" / "profiles-invented"
    folder.mkdir(parents=True)
    for name, records in (("items", items), ("readers", readers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "meta.json").write_text(json.dumps({"background": "items that are no reader's candidate"}))
    return folder.parent


def test_a_run_tells_the_first_look_and_the_week(bench, data, monkeypatch, tmp_path, capsys):
    module = bench.first_week
    monkeypatch.setattr(evaluation, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(module, "load_encoder", lambda *model: HashedWords())
    monkeypatch.setattr(module, "QUICK_SIZES", (30,))
    monkeypatch.setattr(module, "QUICK_ITEMS", 60)
    monkeypatch.setattr(module, "QUICK_DAYS", 2)
    out = tmp_path / "out.json"
    monkeypatch.setattr(
        sys, "argv", ["first_week.py", "--data", str(data), "--quick", "--readers", "1", "--json", str(out)]
    )
    module.main()
    text, found = capsys.readouterr().out, json.loads(out.read_text())
    assert "--quick" in text
    assert "seed 0" in text
    assert "| English, messy |" in text
    (of,) = found["sets"].values()
    assert {(one["size"], one["messy"]) for one in of["first"]} == {(30, False), (30, True)}
    assert [(one["day"], one["messy"]) for one in of["week"]] == [(1, False), (2, False), (1, True), (2, True)]
    for day in of["week"]:
        assert set(day["methods"]) > {"filter", "mean of likes", "Interest Islands"}
        assert 0 < day["page share"] <= 1
        assert len(day["chances"]) >= day["wanted"]
    assert sum(day["acts"] for day in of["week"]) > 0
    clean = found["summary"]["English"]["clean"]["week"]["1"]
    assert clean["methods"]["keyword rules"]["auc"] > 0.9  # the words of the statements stand in the titles


def test_the_list_is_measured_by_its_order(bench):
    labels = np.array([True, False, False])
    assert bench.simulated_week.marks(labels, -np.array([0.0, 1, 2]))["auc"] == auc(labels, np.array([3, 2, 1])) == 1


def test_more_comes_on_the_first_day(bench):
    days = np.bincount(bench.simulated_week.day_of_each(100, 7))
    assert len(days) == 7
    assert days[0] > days[1:].max()
    assert days.sum() == 100
