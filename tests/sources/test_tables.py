"""Tables give an entry per line; a bad line is named and the rest goes on."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.sources.files import Problem
from attention_filter.sources.tables import guess_columns, read_table
from attention_filter.types import Entry

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def read(path: Path, **columns: str) -> tuple[list[Entry], list[Problem]]:
    read = list(read_table(path, columns, NOW))
    return [e for e in read if isinstance(e, Entry)], [p for p in read if isinstance(p, Problem)]


def table(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("id,title,text", {"guid": "id", "title": "title", "text": "text"}),
        ("Key,Summary,Description,Reporter,Created", {
            "guid": "Key", "title": "Summary", "text": "Description", "authors": "Reporter", "published": "Created",
        }),
        ("Ticket ID,Subject,Body,From,Labels", {
            "guid": "Ticket ID", "title": "Subject", "text": "Body", "authors": "From", "tags": "Labels",
        }),
        ("标题,正文,日期,Mood", {"title": "标题", "text": "正文", "published": "日期"}),
        ("mood,colour", {}),
    ],
)  # fmt: skip
def test_columns_are_guessed_from_their_names(header: str, fields: dict[str, str]) -> None:
    assert guess_columns(header.split(",")) == fields


def test_tickets_in_jsonl_are_read_and_the_bad_line_7_named(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"id": i, "subject": f"Ticket {i}", "description": "It fails <b>often</b>", "requester": {"name": "Ann"},
             "created_at": "2026-06-01T08:00:00+02:00", "labels": ["bug", "ui"], "mood": "bad"}
        )
        for i in range(1, 10)
    ]  # fmt: skip
    lines[6] = '{"id": 7, "subject": '
    entries, problems = read(table(tmp_path, "tickets.jsonl", "\n".join(lines)))
    assert [entry.guid for entry in entries] == [str(i) for i in (1, 2, 3, 4, 5, 6, 8, 9)]
    assert [problem.where for problem in problems] == ["tickets.jsonl line 7"]
    first = entries[0]
    assert (first.title, first.authors, first.tags) == ("Ticket 1", ("Ann",), ("bug", "ui"))
    assert first.published == datetime(2026, 6, 1, 6, tzinfo=UTC)
    assert first.html == "<p>It fails &lt;b&gt;often&lt;/b&gt;</p>"


@pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.csv", ";"), ("a.tsv", "\t"), ("a.csv", "|")])
def test_csv_is_read_with_whatever_delimiter(tmp_path: Path, name: str, delimiter: str) -> None:
    rows = [["id", "title", "text"], ["1", '"A ""quoted"" one"', '"two\nlines"'], ["2", "B", ""]]
    entries, problems = read(table(tmp_path, name, "\r\n".join(delimiter.join(row) for row in rows)))
    assert [(entry.guid, entry.title, entry.text) for entry in entries] == [
        ("1", 'A "quoted" one', "two\nlines"),
        ("2", "B", ""),
    ]
    assert problems == []


def test_a_broken_quote_costs_one_line_only(tmp_path: Path) -> None:
    content = 'id,title,text\n1,A,a\n2,"B,b\n3,C,c\n4,D,d,too,many\n5,E "x" y,e\n\n6,"F" f,f\n'
    entries, problems = read(table(tmp_path, "t.csv", content))
    assert [entry.guid for entry in entries] == ["1", "3", "5", "6"]
    assert [problem.where for problem in problems] == ["t.csv line 3", "t.csv line 5"]


def test_named_columns_go_before_guessed_ones_and_must_exist(tmp_path: Path) -> None:
    path = table(tmp_path, "t.csv", "id,title,headline\n1,x,y\n")
    assert read(path, title="headline")[0][0].title == "y"
    with pytest.raises(SourceError, match="no column nothing"):
        read(path, title="nothing")
    with pytest.raises(SourceError, match="no field is called heading"):
        read(path, heading="title")


def test_lines_without_an_id_get_the_same_one_on_every_reading(tmp_path: Path) -> None:
    first = read(table(tmp_path, "a.csv", "title\nA\nB\nA\n"))
    again = read(table(tmp_path, "b.csv", "title\nB\nA\n"))
    assert {entry.guid for entry in first[0]} == {entry.guid for entry in again[0]}
    assert [problem.where for problem in first[1]] == ["a.csv line 4"]


def test_different_lines_with_one_id_are_both_kept(tmp_path: Path) -> None:
    entries, problems = read(table(tmp_path, "a.csv", "id,title\n1,A\n1,B\n1,A\n"))
    assert [entry.title for entry in entries] == ["A", "B"]
    assert len({entry.guid for entry in entries}) == 2
    assert [problem.where for problem in problems] == ["a.csv line 4"]


def test_huge_fields_zero_bytes_and_encodings_are_borne(tmp_path: Path) -> None:
    entries, _ = read(table(tmp_path, "a.csv", f"id,title,text\n1,A\x00B,{'x ' * 300_000}\n2,C,c\n"))
    assert [entry.title for entry in entries] == ["AB", "C"]
    assert len(entries[0].text) <= 200_000
    entries, _ = read(table(tmp_path, "b.csv", "编号,标题\n1,人工智能的新闻\n".encode("gb18030")))
    assert (entries[0].guid, entries[0].title) == ("1", "人工智能的新闻")


def test_html_has_its_own_column_and_is_sanitised(tmp_path: Path) -> None:
    path = table(tmp_path, "a.jsonl", json.dumps({"title": "T", "page": "<p onclick=x>y</p><script>1</script>"}))
    assert read(path, html="page")[0][0].html == "<p>y</p>"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "mood,colour\n1,2\n", "no column looks like"),
        ("a.json", "[1, ", "broken JSON"),
    ],
)
def test_a_table_of_no_use_is_refused_with_a_reason(tmp_path: Path, name: str, content: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(table(tmp_path, name, content))
    with pytest.raises(SourceError, match="no such file"):
        read(tmp_path / "none.csv")


def test_lines_that_say_nothing_are_named(tmp_path: Path) -> None:
    lines = ["[1]", '{"id": 1}', '{"title": "A"}', "", "[" * 100_000, "7"]
    entries, problems = read(table(tmp_path, "a.jsonl", "\n".join(lines)))
    assert [entry.title for entry in entries] == ["A"]
    assert [problem.where[-6:] for problem in problems] == ["line 1", "line 2", "line 5", "line 6"]
    _, (broken,) = read(table(tmp_path, "b.jsonl", '{"title": "A"}\n{"title": "B'))
    assert (broken.where, broken.message) == (
        "b.jsonl line 2",
        "broken JSON: Unterminated string starting at, column 11",
    )


def test_an_array_in_a_json_file_is_a_table_too(tmp_path: Path) -> None:
    assert read(table(tmp_path, "a.json", '[{"title": "A"}, {"title": "B"}]'))[0][1].title == "B"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), name=st.sampled_from(["a.csv", "a.jsonl", "a.tsv", "a.json"]))
def test_no_file_raises_anything_but_a_source_error(tmp_path: Path, body: bytes, name: str) -> None:
    for content in (body, b"id,title,text\n1," + body + b"\n2,B,b\n"):
        with contextlib.suppress(SourceError):
            read(table(tmp_path, name, content))
