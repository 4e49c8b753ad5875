"""The whole filter over files on disk: real store, real ranking, an encoder made of hashed words."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from attention_filter import intake, learned, listing, reading
from attention_filter.app import Filter, open_filter
from attention_filter.errors import DataError, UsageError
from attention_filter.models.encoder import TokenStates
from attention_filter.reading import Selection
from attention_filter.settings import Settings
from attention_filter.types import Level, Rule, RuleAction, Sign
from attention_filter.words import occurrences, words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOPICS = {
    "rust": "rust compiler borrow memory language crate",
    "energy": "solar battery grid wind power storage",
    "sport": "football goal match league coach player",
}


class HashedWords:
    """An encoder whose vector is the mean of one fixed random vector per word."""

    id, dim = "hashed-words", 32

    def _state(self, word):
        return np.random.default_rng(sum(map(ord, word)) * 7919 + len(word)).normal(size=self.dim) + 1.0

    def encode(self, texts, *, progress=None):
        rows = np.array([np.mean([self._state(w) for w in words(t)] or [np.ones(self.dim)], axis=0) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def token_states(self, text, depth=0):
        found = occurrences(text)
        return TokenStates([(s, e) for s, e, _ in found], np.array([self._state(w) for _, _, w in found]))


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def tickets(tmp_path):
    """60 tickets of three topics, one JSON object a line."""
    rng = np.random.default_rng(0)
    path = tmp_path / "tickets.jsonl"
    with path.open("w") as out:
        for i in range(60):
            topic = list(TOPICS)[i % 3]
            said = " ".join(rng.choice(TOPICS[topic].split(), 2, replace=False))
            own = " ".join(f"{made}{i}" for made in ("thing", "place", "person", "year"))
            row = {"id": f"{topic}-{i}", "title": f"{topic} {said} number{i}", "text": f"About {said}: {own}."}
            out.write(json.dumps(row | {"published": (NOW - timedelta(hours=i)).isoformat()}) + "\n")
    return path


@pytest.fixture
def make(tmp_path):
    def make(reader="me", db="a.db"):
        settings = Settings(exploration=0.0, variety=0.0)
        opened = open_filter(f"sqlite:///{tmp_path / db}", reader, settings=settings, clock=Clock())
        opened.__dict__["encoder"] = HashedWords()
        return opened

    return make


@pytest.fixture
def filled(make, tickets) -> Filter:
    opened = make()
    opened.add(str(tickets))
    opened.add_interest("the rust compiler and its language")
    opened.fetch()
    return opened


def topic_of(item):
    return item.entry.title.split()[0]


def topic(ranked):
    return topic_of(ranked.item)


def numbers(ranked):
    return [(one.item.id, one.score) for one in ranked]


def test_a_statement_alone_ranks_the_stream_from_the_first_moment(filled):
    top = filled.stream(10)
    assert [topic(one) for one in top].count("rust") >= 9
    assert all(one.interest == "the rust compiler and its language" for one in top[:5])


def test_reasons_sum_to_the_score(filled):
    filled.act([one.item.id for one in filled.stream(3)], Sign.LIKE)
    for one in filled.stream(20):
        assert sum(reason.value for reason in one.reasons) == pytest.approx(one.score, abs=1e-6)


def out_of_order(ranked):
    """The places of a list whose item is less likely than the next one's, though none of the two says why."""
    return [
        place
        for place, (one, other) in enumerate(pairwise(ranked))
        if one.probability < other.probability - 1e-6 and not (one.moved or one.pinned or other.held_back)
    ]


@pytest.mark.parametrize("exploration", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("variety", [0.0, 0.1, 1.0])
def test_a_list_is_in_the_order_of_the_chance_it_shows_or_says_why_not(filled, exploration, variety):
    filled.act([one.item.id for one in filled.stream(3)], Sign.LIKE)
    filled.add_rule(Rule(0, RuleAction.PIN, words=("number59",)))
    filled.add_quota("word:compiler at most 2")
    for limit in (7, 20, 60):
        listed = filled.stream(limit, exploration=exploration, variety=variety)
        assert not out_of_order(listed)
        assert not out_of_order([one for one in listed if not one.moved])


def test_some_places_are_given_to_learn_and_say_so_but_no_score_changes(filled):
    filled.act([one.item.id for one in filled.stream(3)], Sign.LIKE)
    exact = {one.item.id: one for one in filled.stream(60, exploration=0.0)}
    assert not any(one.moved for one in exact.values())
    for share, most in ((0.1, 2), (0.5, 10)):
        sure = filled._reading(share)
        bold = listing.stream(replace(sure, change=10 * sure.change), Selection(), 20, 0.0)  # as if it were less sure
        learns = [one.item.id for one in bold if one.moved == "to learn about you"]
        assert 0 < len(learns) <= most
        assert not set(learns) & set(list(exact)[: 10 - most // 2])  # which fill the other places anyway
        assert {one.item.id for one in bold} <= set(exact)  # nothing comes out of the tray
        for one in bold:
            assert one.score == pytest.approx(exact[one.item.id].score, abs=1e-4)  # a second later
            assert one.level is exact[one.item.id].level


def test_the_draw_is_the_same_all_day_and_another_the_next_day_and_for_another_reader(filled, make):
    def draw(at):
        return reading.open_reading(filled.store, Settings(exploration=0.1), at).change

    filled.act([1], Sign.LIKE)
    morning, evening, tomorrow = (draw(NOW + timedelta(hours=h)) for h in (0, 11, 24))
    assert morning == pytest.approx(evening, abs=1e-2)  # the like is half a day older
    assert np.corrcoef(morning, tomorrow)[0, 1] < 0.9
    mine, hers = (reading._chance_of_the_day(name, NOW).random() for name in ("me", "her"))
    assert mine != hers


def test_the_same_chance_is_told_everywhere_and_the_tray_is_what_is_not_for_the_reader(filled):
    filled.act([one.item.id for one in filled.stream(3)], Sign.LIKE)
    listed, (away, _) = filled.stream(60), filled.tray(60)
    told = {one.item.id: one.probability for one in (*listed, *away)}
    assert all(one.level is not Level.NO for one in listed)
    assert away
    assert all(one.level is Level.NO for one in away)
    asked = filled.ask(10)
    assert len(asked) == 10
    for one in asked:
        assert one.chance == one.ranked.probability == pytest.approx(told.get(one.ranked.item.id, one.chance), abs=1e-4)
    assert [one.probability for one in listed] == sorted((one.probability for one in listed), reverse=True)
    assert filled.why(listed[0].item.id).ranked.probability == pytest.approx(listed[0].probability, abs=1e-4)


def test_an_item_loses_as_it_grows_old(filled):
    new, old = (one for one in filled.rank([1, 60]))
    age = [next(reason.value for reason in one.reasons if reason.term == "fresh") for one in (new, old)]
    assert -0.001 < age[0] <= 0
    assert -0.3 < age[1] < -0.1


def test_a_reason_in_one_sentence_names_the_interest_and_what_was_liked(filled):
    first = filled.stream(1)[0]
    assert str(first.because) == "Because you follow “the rust compiler and its language”"
    filled.act([first.item.id], Sign.LIKE)
    told = [str(one.because) for one in filled.stream(5)]
    assert any(f"and liked “{first.item.entry.title}”" in one for one in told)
    filled.add_rule(Rule(0, RuleAction.PIN, words=("number59",)))
    assert str(filled.stream(1)[0].because) == "Pinned by your rule"


def test_asking_starts_from_nothing_and_covers_the_topics(make, tickets):
    opened = make()
    assert opened.ask() == []
    opened.add(str(tickets))
    opened.fetch()
    asked = opened.ask(5)
    assert len(asked) == 5
    assert {topic(one.ranked) for one in asked} == set(TOPICS)
    assert all(0 < one.chance < 1 and one.doubt > 0 and 0 < one.settles < 1 and one.unread == 60 for one in asked)


def test_asking_leaves_out_what_was_rated_and_what_a_rule_blocks(filled):
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=("sport",)))
    rated = [one.ranked.item.id for one in filled.ask(5)]
    filled.act(rated, Sign.DISLIKE)
    again = filled.ask(40)
    assert not {one.ranked.item.id for one in again} & set(rated)
    assert "sport" not in {topic(one.ranked) for one in again}


def test_the_explanation_adds_up_by_items_and_by_words(filled):
    liked = next(one.item.id for one in filled.stream(60) if topic(one) == "rust")
    filled.act([liked], Sign.LIKE)
    one = filled.stream(1)[0]
    told = filled.why(one.item.id)
    apart = sum(r.value for r in one.reasons if r.term in ("fresh", "source", "rules"))
    carried = sum(c.value for c in told.carriers) + told.ordinary + told.baseline
    assert carried + apart == pytest.approx(told.ranked.score, abs=1e-4)
    assert sum(w.value for w in told.words) + told.rest + told.baseline + apart == pytest.approx(one.score, abs=1e-4)
    # What no word carried is small beside what the words carried: float16 vectors and words beyond the passage.
    assert abs(told.rest) < 0.15 * sum(abs(w.value) for w in told.words)
    assert told.carriers[0].name == "the rust compiler and its language"
    assert told.changes[0].score < told.ranked.score


def test_the_rank_that_is_told_is_the_place_in_the_stream(filled):
    for place, one in enumerate(filled.stream(5), 1):
        told = filled.why(one.item.id, with_words=False)
        assert told.rank >= place  # folded stories and variety may only move it up
        assert told.of == 60


def test_a_like_lifts_its_topic_and_undo_restores_every_number(filled):
    before = numbers(filled.stream(60))
    liked = next(one.id for one in map(filled.item, range(1, 61)) if topic_of(one) == "sport")
    sport = [one.id for one in map(filled.item, range(1, 61)) if topic_of(one) == "sport" and one.id != liked]
    old = [one.score for one in filled.rank(sport)]
    filled.act([liked], Sign.LIKE)
    assert liked not in [id_ for id_, _ in numbers(filled.stream(60))]
    assert np.mean([one.score for one in filled.rank(sport)]) > np.mean(old) + 0.2
    assert filled.undo().item == liked
    again = numbers(filled.stream(60))
    assert [one for one, _ in again] == [one for one, _ in before]
    # The clock went on some seconds; all else is the same to the last bit.
    assert [score for _, score in again] == pytest.approx([score for _, score in before], abs=1e-4)


def test_a_dislike_never_raises_the_items_score(filled):
    filled.act([1, 2], Sign.LIKE)
    for id_ in (3, 4, 5, 6):
        before = filled.rank([id_])[0].score
        filled.act([id_], Sign.DISLIKE)
        assert filled.rank([id_])[0].score < before


def test_every_item_is_in_the_stream_or_in_the_tray_and_none_in_both(filled):
    filled.act([one.item.id for one in filled.stream(2)], Sign.LIKE)
    best = filled.stream(1)[0].item  # no line would put it into the tray
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=(best.entry.title.split()[-1],)))
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=("football",)))
    stream = filled.stream(200)
    shown = {i for one in stream for i in (one.item.id, *one.story)}
    away, total = filled.tray(200)
    assert total == len(away) > 0
    assert best.id in {one.item.id for one in away}
    assert not shown & {one.item.id for one in away}
    assert len(shown) + total == 58
    assert all(one.tray for one in away)
    assert all(one.tray is None for one in stream)


def test_what_was_liked_never_lies_below_the_line(filled):
    liked = [one.item.id for one in filled.stream(6)]
    filled.act(liked, Sign.LIKE)
    assert all(one.tray is None for one in filled.rank(liked))


def test_rules_pin_block_and_boost_and_are_shown(filled):
    filled.add_rule(Rule(0, RuleAction.PIN, words=("number59",)))
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=("number0",)))
    filled.add_rule(Rule(0, RuleAction.BOOST, words=("number3",), boost=50.0))
    top = filled.stream(60)
    assert top[0].pinned
    assert "number59" in top[0].item.entry.title
    assert "number3" in top[1].item.entry.title.split()
    assert next(r.value for r in top[1].reasons if r.term == "rules") == 50.0
    assert "number0" not in " ".join(one.item.entry.title for one in top).split()
    assert any("number0" in one.item.entry.title.split() for one in filled.tray(60)[0])


def test_the_same_input_gives_the_same_ranking(make, tickets):
    runs = []
    for db in ("one.db", "two.db"):
        opened = make(db=db)
        opened.add(str(tickets))
        opened.add_interest("solar power")
        opened.fetch()
        opened.act([4, 8], Sign.LIKE)
        runs.append(numbers(opened.stream(60)))
    assert runs[0] == runs[1]


def test_reading_and_acting_never_touch_the_encoder(filled):
    filled.__dict__["encoder"] = None
    first = filled.stream(3)[0].item.id
    filled.act([first], Sign.SAVE)
    filled.tray()
    filled.search("rust")
    assert filled.why(first, with_words=False).carriers


def test_a_second_fetch_changes_nothing(filled):
    before = numbers(filled.stream(60))
    again = filled.fetch(every=True)
    assert [(one.new, one.changed, one.same) for one in again] == [(0, 0, 60)]
    assert [id_ for id_, _ in numbers(filled.stream(60))] == [id_ for id_, _ in before]


def test_a_bad_line_and_a_missing_file_are_told_and_the_rest_goes_on(make, tickets, tmp_path):
    lines = tickets.read_text().splitlines()
    lines[6] = '{"id": "broken", '
    tickets.write_text("\n".join(lines))
    gone = tmp_path / "gone.jsonl"
    gone.write_text('{"id": "1", "title": "here today"}\n')
    opened = make()
    opened.add(str(tickets))
    opened.add(str(gone))
    gone.unlink()
    done = {one.source.title: one for one in opened.fetch()}
    assert done["tickets.jsonl"].new == 59
    assert "line 7" in done["tickets.jsonl"].problems[0]
    assert "no longer there" in done["gone.jsonl"].error
    assert next(s for s in opened.store.sources() if s.title == "gone.jsonl").last_error


def test_two_readers_of_one_database_keep_apart(filled, make):
    other = make("other")
    assert other.stream() == []
    with pytest.raises(UsageError):
        other.act([1], Sign.LIKE)
    filled.act([1], Sign.LIKE)
    assert other.store.feedback() == []


def test_an_exported_profile_comes_back_on_another_database(filled, make, tickets):
    filled.act([1, 4], Sign.LIKE)
    filled.act([3], Sign.DISLIKE)
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=("number9",)))
    text = filled.export_profile()
    other = make(db="other.db")
    other.add(str(tickets))
    other.fetch()
    done = other.import_profile(text)
    assert (done.interests, done.rules, done.feedback, done.missing) == (1, 1, 3, 0)
    filled.fetch(every=True)  # both scales are frozen over the same history now
    assert [one for one, _ in numbers(other.stream(60))] == [one for one, _ in numbers(filled.stream(60))]
    again = other.import_profile(text)
    assert (again.rules, again.feedback, again.missing) == (0, 0, 0)
    with pytest.raises(DataError, match="not an exported profile"):
        other.import_profile('{"interests": 3}')


def test_the_profile_names_what_it_learned(filled):
    filled.act([next(o.item.id for o in filled.stream(60) if topic(o) == "rust")], Sign.LIKE)
    profile = filled.profile()
    assert profile.interests[0].text == "the rust compiler and its language"
    assert {"rust", "compiler"} & set(profile.interests[0].words)
    assert profile.acts == {"like": 1}


def test_an_age_limit_hides_what_is_older_and_lifting_it_brings_it_back(filled):
    filled.set_age_limit(1)
    shown = {i for one in filled.stream(200) for i in (one.item.id, *one.story)}
    away, _ = filled.tray(200)
    assert {*shown, *(one.item.id for one in away)} == set(range(1, 25))  # one an hour, from the newest on
    filled.set_age_limit(None)
    assert len({i for one in filled.stream(200) for i in (one.item.id, *one.story)}) + filled.tray()[1] == 60
    with pytest.raises(UsageError, match="above 0"):
        filled.set_age_limit(0)


def test_a_deleted_profile_leaves_nothing_of_the_reader(filled):
    filled.act([1], Sign.LIKE)
    filled.delete_profile()
    assert filled.interests() == filled.rules() == filled.store.feedback() == filled.store.sources() == []
    assert filled.stream() == []


def test_a_killed_encoding_goes_on_where_it_was(make, tickets, monkeypatch):
    opened = make()
    opened.add(str(tickets))
    monkeypatch.setattr("attention_filter.intake.ENCODE_AT_ONCE", 20)
    encoder = opened.encoder

    class Dies(HashedWords):
        calls = 0

        def encode(self, texts, *, progress=None):
            Dies.calls += 1
            if Dies.calls == 5:  # three times titles, then texts
                raise KeyboardInterrupt
            return encoder.encode(texts)

    opened.__dict__["encoder"] = Dies()
    with pytest.raises(KeyboardInterrupt):
        opened.fetch()
    assert len(opened.store.missing_vectors("hashed-words")) == 40
    opened.__dict__["encoder"] = encoder
    assert opened.understand() == 40
    assert learned.model_of(opened.store) == "hashed-words"


def scores(opened):
    found = reading.place(opened._reading(), reading.Selection())
    return dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True))


def test_titles_are_ranked_before_any_text_is_read_and_leave_no_trace(make, tickets, tmp_path, monkeypatch):
    opened, whole = make(), make(db="b.db")
    for one in (opened, whole):
        one.clock = lambda: NOW
        one.add(str(tickets))
        one.add_interest("solar power")
    told = []
    opened.fetch(progress=lambda what, done, total: told.append((what, done, total)))
    order = list(dict.fromkeys(what for what, _, _ in told))
    assert (
        order.index("Understanding titles") < order.index("Learning what is usual") < order.index("Understanding items")
    )
    monkeypatch.setattr("attention_filter.intake.FEW", 60)  # now they are too few to skim
    whole.fetch()
    assert scores(opened) == scores(whole)


def test_an_item_is_known_by_its_title_until_its_text_is_encoded(make, tickets):
    opened = make()
    opened.add(str(tickets))
    intake.fetch(opened.store, opened.settings, opened.store.sources(), NOW, lambda *_: None)
    assert opened.skim() == 60
    assert opened.skim() == 0, "once is enough"
    assert len(opened.store.missing_vectors("hashed-words")) == 60, "the texts are still to be read"
    by_title = scores(opened)
    assert len(set(by_title.values())) > 3
    assert opened.understand(limit=10) == 10
    assert opened.understand() == 50
    assert scores(opened) != by_title


def test_nothing_subscribed_is_no_error(make):
    opened = make()
    assert opened.stream() == []
    assert opened.tray() == ([], 0)
    assert opened.fetch() == []
    with pytest.raises(UsageError, match="neither"):
        opened.add("no/such/place")
