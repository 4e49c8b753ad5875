"""A reader's own history in a real store: measured, audited, and ordered by whoever does better on it."""

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import pytest

from attention_filter import insight, learned
from attention_filter.app import open_filter
from attention_filter.errors import UsageError
from attention_filter.insight_page import insight_html
from attention_filter.personal.replay import MEAN, NEWEST
from attention_filter.reading import Selection, place
from attention_filter.settings import Settings
from attention_filter.types import Sign
from attention_filter.words import words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPICS = {
    "rust": "rust compiler borrow memory language crate",
    "energy": "solar battery grid wind power storage",
    "sport": "football goal match league coach player",
    "food": "leek pie butter oven flour recipe",
}


class HashedWords:
    """An encoder whose vector is the mean of one fixed random vector per word."""

    id, dim = "hashed-words", 32

    def encode(self, texts, *, progress=None):
        state = {w: np.random.default_rng(sum(map(ord, w)) * 7919 + len(w)).normal(size=self.dim) + 1.0
                 for text in texts for w in words(text)}  # fmt: skip
        rows = np.array([np.mean([state[w] for w in words(text)], axis=0) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def filled(tmp_path):
    """240 items of four topics, one an hour; the clock stands after them all."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(240):
        topic = list(TOPICS)[i % 4]
        said = " ".join(rng.choice(TOPICS[topic].split(), 3, replace=False))
        row = {"id": f"{topic}-{i}", "title": f"{topic} {said} number{i}", "text": f"About {said}: thing{i} place{i}."}
        lines.append(json.dumps(row | {"published": (NOW - timedelta(hours=240 - i)).isoformat()}))
    (tmp_path / "news.jsonl").write_text("\n".join(lines))
    clock = {"now": NOW}
    url = f"sqlite:///{tmp_path / 'a.db'}"
    opened = open_filter(url, settings=Settings(exploration=0.0), clock=lambda: clock["now"])
    opened.__dict__["encoder"] = HashedWords()
    opened.add(str(tmp_path / "news.jsonl"))
    opened.fetch()
    opened.ticks = clock
    with opened:
        yield opened


def act(filled, likes, dislikes=0):
    """So many likes of sport and dislikes of food, an hour apart each."""
    for number in range(max(likes, dislikes)):
        filled.ticks["now"] += timedelta(hours=1)
        if number < likes:
            filled.act([3 + 4 * number], Sign.LIKE)
        if number < dislikes:
            filled.act([4 + 4 * number], Sign.DISLIKE)


def test_an_empty_and_a_tiny_history_get_a_clear_sentence(filled):
    for likes in (0, 1, 3):
        act(filled, likes)
        known = filled.know_me()
        assert not known.enough
        assert "items so far" in insight.verdict(known)
        assert "items so far" in insight_html(known, now=NOW)


def test_a_reader_of_one_topic_is_known_better_than_by_newest_first(filled):
    act(filled, 20, 20)
    steps = []
    known = filled.know_me(progress=lambda what, done, total: steps.append((what, done, total)))
    by_name = {method.name: method for method in known.methods}
    assert known.likes == known.liked == 20
    assert by_name["filter"].means["auc"] > by_name["newest first"].means["auc"] + 0.2
    assert by_name["newest first"].filter_is_better_by.low > 0
    assert sum(stage.likes for stage in known.curve) == 20
    assert known.trust.read == 19  # before the first like nothing was known, and no probability given
    assert known.trust.brier < known.trust.brier_of_the_mean
    assert steps[-1] == ("Living through your history", 20, 20)


def test_the_page_is_whole_escaped_and_loads_nothing(filled):
    act(filled, 12, 6)
    page = insight_html(filled.know_me(), now=NOW)
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Tags().feed(page)
    assert {"svg", "polyline", "circle", "table"} <= {tag for tag, _ in tags}
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
    assert not any("src" in attrs or str(attrs.get("href", "")).startswith("http") for _, attrs in tags)
    assert "prefers-color-scheme: dark" in page
    assert "nan" not in page.replace("finance", "")


def test_imported_acts_are_placed_by_the_items_own_dates(filled):
    for number in range(12):
        item = filled.item(3 + 4 * (number + 20))
        filled.store.add_feedback(item.id, Sign.LIKE, item.date + timedelta(hours=2))
    pool, acts, _ = insight.lived(filled._reading())
    assert (pool.came[acts.rows] < acts.at).all()
    assert filled.know_me().methods[0].means["auc"] > 0.5


def put(filled, method, acts):
    state = {"method": method, "acts": acts, "length": 12.0, "typical": 1.0}
    filled.store.put_state(learned.FALLBACK, json.dumps(state).encode())


def test_a_fall_back_orders_the_stream_says_so_and_its_reasons_sum_to_the_score(filled):
    act(filled, 6, 6)
    line = filled._reading().line
    put(filled, NEWEST, 12)
    top = filled.stream(50)
    assert [one.item.date for one in top] == sorted((one.item.date for one in top), reverse=True)
    assert all(sum(r.value for r in one.reasons) == pytest.approx(one.score, abs=1e-6) for one in top)
    assert all(one.reasons[0].term == "fallback" and one.reasons[0].detail.startswith(NEWEST) for one in top)
    # The line stays the filter's own: the promise does not depend on who orders. Its chances say nothing of this order.
    assert filled._reading().line == line
    assert all(one.probability is one.level is None for one in top)
    told = filled.why(top[0].item.id, with_words=False)
    assert told.ranked.score == pytest.approx(sum(r.value for r in told.ranked.reasons))
    put(filled, MEAN, 12)
    assert [one.item.entry.title.split()[0] for one in filled.stream(10)] == ["sport"] * 10


def test_the_fall_back_is_decided_anew_after_enough_acts_and_not_before(filled, monkeypatch):
    act(filled, 31)
    put(filled, NEWEST, 10)
    filled.fetch(every=True)
    assert learned.fallback_of(filled.store)["method"] == NEWEST
    put(filled, NEWEST, 1)
    filled.fetch(every=True)
    assert learned.fallback_of(filled.store)["method"] is None  # the filter is not behind newest first
    assert learned.fallback_of(filled.store)["acts"] == 31
    assert all(r.term != "fallback" for one in filled.stream(5) for r in one.reasons)


def test_the_audit_draws_the_same_items_all_week_and_others_the_next(filled):
    act(filled, 8, 8)
    first = [one.item.id for one in filled.audit(10).to_look]
    assert len(first) == 10
    assert all(one.tray for one in filled.audit(10).to_look)
    assert [one.item.id for one in filled.audit(10).to_look] == first
    assert [one.item.id for one in filled.audit(15).to_look][:10] == first
    filled.ticks["now"] += timedelta(days=7)
    assert {one.item.id for one in filled.audit(10).to_look} != set(first)


def test_a_find_is_a_like_counts_against_the_promise_and_can_be_undone(filled):
    act(filled, 8, 8)
    shown = [one.item.id for one in filled.audit(20).to_look]
    told = filled.should_have_shown(shown[:2])
    assert (told.looked, told.found) == (20, 2)
    assert told.away.share == pytest.approx(0.1)
    # Clopper & Pearson's interval for 2 of 20, from their tables.
    assert (told.away.low, told.away.high) == pytest.approx((0.0123, 0.3170), abs=1e-4)
    # Who reads 8 and would read so much of what is unread in the stream loses this much to the tray.
    now = filled._reading()
    unread = place(now, Selection())
    above = unread.interest >= now.line
    assert told.tray == filled.tray()[1] == (~above).sum()
    assert told.wanted == pytest.approx(8 + now.curve.probability(unread.interest[above]).sum())
    for kept, away in ((told.kept.share, 0.1), (told.kept.low, 0.3170), (told.kept.high, 0.0123)):
        assert kept == pytest.approx(told.wanted / (told.wanted + away * told.tray), abs=1e-3)
    assert {a.item for a in filled.store.feedback() if a.sign is Sign.LIKE} >= set(shown[:2])
    assert filled.audit(20).to_look == ()
    filled.undo()
    assert filled.promise().found == 1
    filled.ticks["now"] += timedelta(weeks=13)
    assert filled.promise().looked == 0


def test_only_what_was_drawn_can_be_found(filled):
    act(filled, 8, 8)
    with pytest.raises(UsageError, match="no audit is open"):
        filled.should_have_shown([])
    shown = {one.item.id for one in filled.audit(5).to_look}
    with pytest.raises(UsageError, match="not in this week's audit"):
        filled.should_have_shown([next(i for i in range(1, 241) if i not in shown)])
    assert filled.promise().looked == 0


def test_a_higher_promise_leaves_less_in_the_tray(filled):
    act(filled, 8, 8)
    counts = []
    for share in (0.8, 0.95, 0.99):
        filled.set_promise(share)
        assert filled.promised() == share
        counts.append(filled.tray()[1])
    assert counts[0] > counts[1] >= counts[2]
    with pytest.raises(UsageError, match="between 50"):
        filled.set_promise(0.2)


def test_a_better_fitting_item_is_never_less_likely_to_be_read(filled):
    assert all(one.probability is None for one in filled.stream(5))
    act(filled, 5, 5)
    every = sorted(filled.rank(range(1, 241)), key=lambda one: one.score)
    chances = [one.probability for one in every]
    assert np.all(np.diff(chances) >= -1e-9)
    assert 0 < chances[0] < 0.1 < chances[-1] < 1
