from datetime import UTC, datetime

import numpy as np
import pytest

from attention_filter.errors import UsageError
from attention_filter.personal.constraints import Facts, bind, check, in_hand, parse
from attention_filter.types import Entry, Item

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def told(source="A", title="", tags=(), **more):
    return Facts(source, item=Item(1, 1, source, Entry("g", title, tags=tags), NOW), **more)


@pytest.mark.parametrize(
    "sentence",
    [
        'source:"Daily Noise" at most 2',
        "each source at most 20%",
        "folder:news/world at most 30%",
        "interest:climate at least 1",
        "lang:zh at least 30%",
        'tag:ai never with author:"A. Turing"',
        "word:比特币 never next to word:股票",
    ],
)
def test_a_sentence_is_read_and_said_again(sentence):
    assert str(parse(sentence)) == sentence
    assert parse(str(parse(sentence))) == parse(sentence)


def test_spaces_capitals_and_chinese_punctuation_do_not_matter():
    assert str(parse(" Source： “每日 新闻”  AT MOST 10％ ")) == 'source:"每日 新闻" at most 10%'


@pytest.mark.parametrize(
    "sentence", ["", "sorce:x at most 2", "source:x at most", "source: at most 2", "source:x at most -1",
                 "each source never with source:x", 'source:" " at most 1', "source:x never"],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_what_to_write(sentence):
    with pytest.raises(UsageError, match=r"write|use"):
        parse(sentence)


@pytest.mark.parametrize(
    ("new", "others"),
    [
        ("source:x at most 0", []),
        ("source:x at most 120%", []),
        ("each word at most 1", []),
        ("source:x never with source:x", []),
        ("source:x at most 2", ["source:x at most 2"]),
        ("source:x at least 3", ["source:x at most 2"]),
        ("source:x at least 3", ["each source at most 2"]),
        ("each lang at most 20%", ["lang:zh at least 30%"]),
        ("source:x never with tag:y", ["source:x at least 1", "tag:y at least 1"]),
        ("lang:zh at least 60%", ["lang:en at least 60%"]),
    ],
)
def test_what_can_never_hold_is_refused(new, others):
    with pytest.raises(UsageError, match=r"^.?(source|each|lang)"):
        check(parse(new), [parse(one) for one in others])


def test_quotas_that_fit_together_are_taken():
    check(parse("source:x at least 1"), [parse("source:x at most 2"), parse("lang:zh at most 10%")])


def test_each_source_is_counted_by_its_whole_name():
    bounds = bind([parse("each source at most 1")], [told("Post"), told("Post Daily"), told("post")], 10)
    assert {cap.says: cap.members.tolist() for cap in bounds.most} == {
        "source:post at most 1": [True, False, True],
        'source:"post daily" at most 1': [False, True, False],
    }


def test_groups_are_found_by_every_field():
    facts = [
        told("Daily Noise", "Bitcoin falls", ("AI",), folder="news/world", lang="en", interest="climate and energy"),
        told("每日新闻", "比特币下跌", lang="zh-CN"),
    ]
    for sentence, members in {
        "source:noise": [True, False],
        "folder:news": [True, False],
        "tag:ai": [True, False],
        "lang:zh": [False, True],
        "interest:climate": [True, False],
        "word:bitcoin": [True, False],
        "word:bit": [False, False],
        "word:比特币": [False, True],
    }.items():
        assert bind([parse(f"{sentence} at most 1")], facts, 10).most[0].members.tolist() == members, sentence


def test_a_share_of_a_list_is_at_least_one_item():
    assert parse("lang:zh at most 10%").items(5) == 1
    assert parse("lang:zh at most 30%").items(10) == 3
    assert parse("lang:zh at least 30%").items(4) == 2


def test_what_fits_a_quota_and_what_must_be_there_is_found_far_down():
    facts = [told("loud")] * 500 + [told("quiet")] * 50 + [told("rare", tags=("ai",))] * 2
    kept = in_hand([parse("source:loud at most 2")], facts.__getitem__, len(facts), 20, 10)
    assert np.isin(range(500, 514), kept).all()
    kept = in_hand([parse("tag:ai at least 1")], facts.__getitem__, len(facts), 20, 10)
    assert kept.tolist() == [*range(20), 550, 551]
    assert in_hand([], facts.__getitem__, len(facts), 20, 10).tolist() == list(range(20))
