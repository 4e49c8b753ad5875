"""The passage keeps what the item is about, in order, within its budget."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.models.passages import passage, sentences, tokens

STORY = (
    "Cocoa prices rose in Bahia. The weather was mild. Dealers went home early. "
    "A cat sat on the roof. Nobody knew why. The mayor opened a bridge. "
    "Cocoa exporters in Bahia expect prices of cocoa to rise further."
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("价格上涨。为什么？没人知道！", ["价格上涨。", "为什么？", "没人知道！"]),
        ("他说：“走吧。”她笑了。", ["他说：“走吧。”", "她笑了。"]),
        ("It cost 3.5 mln dlrs. OK.", ["It cost 3.5 mln dlrs.", "OK."]),
        ("Mr. Smith met J. Doe. They left.", ["Mr. Smith met J. Doe.", "They left."]),
        ("A heading\nThen a line", ["A heading", "Then a line"]),
        ("新版 released today. 大家很高兴。Good.", ["新版 released today.", "大家很高兴。", "Good."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_short_item_comes_back_whole() -> None:
    assert passage("Title", "All of it. Every word.") == "Title. All of it. Every word."
    assert passage("标题", "全部。") == "标题。 全部。"
    assert passage("", "Only text.") == "Only text."
    assert passage("Only a title", "") == "Only a title"


def test_the_best_sentence_beats_earlier_ones() -> None:
    found = passage("Cocoa prices", STORY, 40)
    assert found.startswith("Cocoa prices. Cocoa prices rose in Bahia.")
    assert found.endswith("to rise further.")
    assert "cat" not in found


def test_sentences_keep_their_order() -> None:
    found = sentences(passage("Cocoa", STORY, 45))[1:]
    assert found == sorted(found, key=STORY.index)


def test_a_title_repeated_by_the_text_is_said_once() -> None:
    assert passage("Cocoa prices rose", "Cocoa prices rose. So it was.") == "Cocoa prices rose. So it was."


def test_one_endless_sentence_is_cut() -> None:
    found = passage("", "word " * 1000, 50)
    assert 40 <= tokens(found) <= 50
    assert not found.endswith(" ")
    assert 40 <= tokens(passage("", "无标点的长文" * 300, 50)) <= 50


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=400), st.integers(0, 60))
def test_any_text_stays_within_the_budget(title: str, text: str, budget: int) -> None:
    found = passage(title, text, budget)
    assert tokens(found) <= budget + 1  # the stop put behind the title
    assert found == passage(title, text, budget)
