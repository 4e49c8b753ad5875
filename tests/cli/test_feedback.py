"""like, dislike, save, hide, skip, seen, undo, ask."""

import io
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from attention_filter.cli import feedback
from attention_filter.types import Entry, Item, Sign


@pytest.mark.parametrize("word", ["like", "dislike", "save", "hide", "skip", "seen"])
def test_an_act_takes_the_item_out_of_the_stream_and_undo_restores_the_ranking(attention, news, id_of, word):
    before = attention("read", "--json").json
    wind = id_of("turbines")
    assert "Offshore wind farm opens" in attention(word, wind).out
    after = attention("read", "--json").json
    assert wind not in [item["id"] for item in after["items"]]
    assert "Taken back" in attention("undo").out
    restored = attention("read", "--json").json
    assert [item["id"] for item in restored["items"]] == [item["id"] for item in before["items"]]
    for then, now in zip(before["items"], restored["items"], strict=True):
        assert now["score"] == pytest.approx(then["score"], abs=1e-4)  # it has aged by a second


def test_a_like_lifts_what_is_near(attention, news, id_of):
    sodium = id_of("lithium")
    scores = []
    for _ in range(2):
        scores.append(attention("why", sodium, "--no-words", "--json").json["score"])
        attention("like", id_of("turbines"))
    assert scores[1] > scores[0] + 0.1


def test_several_items_are_named_at_once_or_none_is(attention, news, id_of):
    wind, pie = id_of("turbines"), id_of("leeks")
    assert len(attention("like", wind, f"#{pie}").out.splitlines()) == 2
    assert attention("dislike", wind, 99).code == 2
    assert attention("profile", "--json").json["acts"] == {"like": 2}


def test_undo_says_when_there_is_nothing_left(attention, news):
    assert attention("undo").out == "Nothing to undo\n"


@pytest.fixture
def answers(monkeypatch):
    """What is piped into the command."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_ask_shows_why_and_records_each_answer(attention, news, answers):
    answers("y\nn\n\nperhaps\nYES\nq\n")
    done = attention("ask")
    assert done.code == 0
    assert done.out.count("I guess you want it with") == 5
    assert done.out.endswith("3 of 5 rated\n")
    assert "'perhaps' is no answer" in done.err
    assert attention("profile", "--json").json["acts"] == {"like": 2, "dislike": 1}


@pytest.mark.parametrize(("sign", "line"), [(Sign.LIKE, "  like · https://a.test/1\n"), (Sign.DISLIKE, "  dislike\n")])
def test_a_yes_says_where_to_read_what_has_left_the_stream(capsys, sign, line):
    filter, entry = Mock(), Entry("one", "Rates rise", url="https://a.test/1")
    assert feedback._record(filter, Item(7, 1, "news", entry, datetime(2026, 1, 1, tzinfo=UTC)), sign)
    filter.act.assert_called_once_with([7], sign)
    assert capsys.readouterr().out == line


def test_ask_keeps_what_was_answered_before_the_input_ended(attention, news, answers):
    answers("y\n")
    assert attention("ask", "-n", "3").out.endswith("1 of 3 rated\n")
    assert attention("profile", "--json").json["acts"] == {"like": 1}


def test_ask_as_a_list_or_json_waits_for_no_answer(attention, news, answers):
    answers("y\ny\n")
    listed = attention("ask", "--list", "-n", "2")
    document = attention("ask", "--json", "-n", "2").json
    assert document["unread"] == 10
    for question in document["questions"]:
        assert str(question["id"]) in listed.out
        assert 0 < question["chance"] < 1
        assert 0 < question["settles"] < 1
        assert question["doubt"] > 0
    assert attention("profile", "--json").json["acts"] == {}


def test_ask_says_when_there_is_nothing_to_ask(attention):
    assert "Nothing to ask" in attention("ask").out
    assert attention("ask", "--json").json == {"unread": 0, "questions": []}
