"""What is told of items: whose topics, told once, anew after a change, and never at the cost of what is there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from attention_filter import labelling
from attention_filter.app import Filter, silent
from attention_filter.digest import Head, atom_feed, json_feed
from attention_filter.errors import UsageError
from attention_filter.labelling import Choice
from attention_filter.settings import Settings
from attention_filter.store.store import open_store
from attention_filter.tasks import topics
from attention_filter.types import Entry, Rule, RuleAction, SourceKind
from attention_filter.words import occurrences, term_id

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWN = "tea: green tea; pot tea; black tea poured; tea\nchess: chess endgame; chess club; chess"


class HashedWords:
    """Each word is a direction of its own: near texts share words."""

    id, dim = "hashed words of test_labelling", 64

    def encode(self, texts, *, progress=None):
        rows = [np.mean([self._word(term) for _, _, term in occurrences(t)] or [np.ones(64)], axis=0) for t in texts]
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _word(self, term):
        return np.random.default_rng(term_id(term)).standard_normal(64)


@pytest.fixture
def mine(tmp_path):
    settings = Settings(db=f"sqlite:///{tmp_path / 'a.db'}", exploration=0.0)
    store = open_store(settings.db)
    source = store.add_source("https://e.org/feed", SourceKind.FEED, title="Feed", now=NOW).id
    said = ["green tea pot", "black tea tea", "chess club endgame", "police arrest suspect", ""]
    entries = [Entry(f"g{n}", text, published=NOW - timedelta(days=n)) for n, text in enumerate(said)]
    store.add_entries(source, entries, NOW)
    with Filter(store, settings, lambda: NOW, HashedWords) as made:
        yield made


def told(mine):
    return {item.entry.title: item.topic for item in mine.store.newest(10)}


def test_a_readers_own_topics_are_told_and_the_rest_of_the_world_has_none(mine):
    mine.understand()
    mine.choose_topics(Choice(own=topics.parse(OWN)))
    found = told(mine)
    assert found["green tea pot"] == found["black tea tea"] == "tea"
    assert found["chess club endgame"] == "chess"
    assert found["police arrest suspect"] == ""


def test_the_programs_topics_come_back(mine):
    labelling.choose(mine.store, Choice(own=topics.parse(OWN)))
    mine.understand()
    mine.choose_topics(Choice())
    assert mine.topics().names[:2] == ("politics", "business")
    assert "tea" not in told(mine).values()


def test_what_was_told_is_not_told_again(mine):
    mine.understand()
    seen = []
    labelling.tell(mine.store, mine.encoder, lambda *step: seen.append(step))
    assert seen == []


def test_killed_half_way_it_goes_on_with_the_rest(mine, monkeypatch):
    monkeypatch.setattr(labelling, "AT_ONCE", 2)

    def killed(what, done, total):
        if what.startswith("Telling") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine.understand(progress=killed)
    assert mine.store.tellers() == {}
    steps = []
    labelling.tell(mine.store, mine.encoder, lambda *step: steps.append(step))
    assert steps[0] == ("Telling topics and feelings", 0, 3)  # two of five were stored
    assert set(mine.store.tellers()) == {"topic", "sentiment"}


def test_a_database_of_an_older_version_is_told_without_encoding_anything_again(mine, monkeypatch):
    monkeypatch.setattr(labelling, "tell", lambda *_: None)
    mine.understand()
    assert mine.store.tellers() == {}
    monkeypatch.undo()
    assert mine.understand() == 0  # encoded
    assert mine.store.tellers()
    assert all(item.polarity is not None for item in mine.store.newest(10))


def test_rules_ask_for_a_topic_by_either_name_and_for_a_feeling(mine):
    labelling.choose(mine.store, Choice(own=topics.parse("politics\n" + OWN)))
    mine.understand()
    assert mine.add_rule(Rule(0, RuleAction.BLOCK, topic="政治")).topic == "politics"
    rule = mine.add_rule(Rule(0, RuleAction.BLOCK, topic="TEA"))
    assert len(mine.touched([rule])[rule.id]) == 2
    assert {ranked.item.topic for ranked in mine.tray()[0]} == {"tea"}
    with pytest.raises(UsageError, match="no such topic"):
        mine.add_rule(Rule(0, RuleAction.BLOCK, topic="coffee"))
    with pytest.raises(UsageError, match="negative, neutral, positive"):
        mine.add_rule(Rule(0, RuleAction.BLOCK, sentiment="sad"))


def test_the_profile_carries_topics_and_rules(mine, tmp_path):
    labelling.choose(mine.store, Choice(own=topics.parse(OWN)))
    mine.add_rule(Rule(0, RuleAction.BLOCK, topic="tea", sentiment="negative"))
    text = mine.export_profile()
    with open_store(f"sqlite:///{tmp_path / 'b.db'}") as store:
        other = Filter(store, mine.settings, lambda: NOW, HashedWords)
        assert other.import_profile(text).rules == 1
        assert other.topics().names == ("tea", "chess")
        assert [(rule.topic, rule.sentiment) for rule in other.rules()] == [("tea", "negative")]
        labelling.choose(store, Choice(own=topics.parse("mine\nyours")))
        other.import_profile(text)
        assert other.topics().names == ("mine", "yours")  # an import adds; what is there stays


def test_trends_count_days_topics_and_tone(mine):
    labelling.choose(mine.store, Choice(own=topics.parse(OWN)))
    mine.understand()
    found = mine.trends(7)
    assert (len(found.starts), found.days, found.total) == (7, 1, 5)
    assert found.items[-3:] == (1, 1, 1)
    assert [(line.name, line.total, line.counts[-3:]) for line in found.topics] == [
        ("tea", 2, (0, 1, 1)),
        ("chess", 1, (1, 0, 0)),
    ]
    assert found.starts[-1] == datetime(2026, 11, 22, tzinfo=UTC)
    assert mine.trends(90).days == 7
    assert mine.trends(7, source=99).total == 0
    with pytest.raises(UsageError, match="0 days"):
        mine.trends(0)


def test_trends_of_an_interest_are_those_of_what_it_claims(mine):
    interest = mine.add_interest("green tea")
    mine.understand()
    claimed = mine.trends(30, interest=interest.id)
    assert 1 <= claimed.total < 5
    with pytest.raises(UsageError):
        mine.trends(30, interest=77)


def test_a_classifier_that_is_gone_leaves_what_was_told(mine, tmp_path, caplog):
    labelling.choose(mine.store, Choice(own=topics.parse(OWN)))
    mine.understand()
    before = told(mine)
    labelling.choose(mine.store, Choice(model=str(tmp_path / "gone"), labels=("a", "b")))
    labelling.tell(mine.store, mine.encoder, silent)
    assert "gone" in caplog.text
    assert told(mine) == before


def test_a_choice_that_is_neither_list_nor_model_is_refused_by_name(tmp_path):
    (tmp_path / "topics.txt").write_text("one alone", "utf-8")
    with pytest.raises(UsageError, match=r"topics\.txt: 1 topics"):
        labelling.read_choice(tmp_path / "topics.txt")
    with pytest.raises(UsageError, match="nowhere"):
        labelling.read_choice(tmp_path / "nowhere")


def test_a_feed_of_the_stream_names_the_topic_as_a_category(mine):
    labelling.choose(mine.store, Choice(own=topics.parse(OWN)))
    mine.understand()
    head = Head("Mine", "https://a.org/f.atom", "https://a.org/", "urn:x:1")
    assert '<category term="tea" />' in atom_feed(mine.stream(10), head)
    assert '"tea"' in json_feed(mine.stream(10), head)
