"""A folder of files is a source; what is not text stays out, and nothing outside is read."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attention_filter.errors import SourceError
from attention_filter.sources import files
from attention_filter.sources.files import Problem, read_folder
from attention_filter.types import Entry

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def entries(folder: Path) -> dict[str, Entry]:
    return {entry.guid: entry for entry in read_folder(folder, NOW) if isinstance(entry, Entry)}


def problems(folder: Path) -> list[Problem]:
    return [problem for problem in read_folder(folder, NOW) if isinstance(problem, Problem)]


@pytest.mark.parametrize(
    ("name", "content", "title"),
    [
        ("a.txt", "First line\nmore", "First line"),
        ("a.md", "intro\n\n## The *Head* [x](https://e.org) ##\ntext", "The Head x"),
        ("e.md", "# " + " " * 15_000 + "x #", "x"),
        ("b.md", "Underlined\n====\ntext", "Underlined"),
        ("c.md", '---\ntitle: "From the front"\ntags: x\n---\n# Other\n', "From the front"),
        ("d.markdown", "Only words here", "Only words here"),
        ("a.html", "<html><head><title>The &amp; title</title></head><body><h1>H</h1></body></html>", "The & title"),
        ("b.htm", "<p>x</p><h1>The <b>head</b></h1>", "The head"),
        ("c.html", "<p>Words of a paragraph</p>", "Words of a paragraph"),
    ],
)
def test_the_title_is_what_a_reader_would_call_it(tmp_path: Path, name: str, content: str, title: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert entries(tmp_path)[name].title == title


def test_an_entry_has_the_path_as_guid_and_the_files_time_as_date(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    file = tmp_path / "sub" / "note.html"
    file.write_text("<p onclick=x()>Hi <script>1</script><a href='/x'>there</a></p>")
    os.utime(file, (1_767_225_600, 1_767_225_600))
    entry = entries(tmp_path)["sub/note.html"]
    assert entry.published == datetime(2026, 1, 1, tzinfo=UTC)
    assert entry.html == '<p>Hi <a rel="noopener noreferrer nofollow">there</a></p>'
    assert (entry.text, entry.url) == ("Hi there", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
def test_every_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    body = "人工智能的新闻，今天 the day".encode(encoding)
    (tmp_path / "a.txt").write_bytes(b"\xfe\xff" + body if encoding == "utf-16-be" else body)
    assert entries(tmp_path)["a.txt"].text == "人工智能的新闻，今天 the day"


def test_latin_1_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Café déjà vu".encode("latin-1"))
    assert entries(tmp_path)["a.txt"].text == "Café déjà vu"


def test_hidden_binary_empty_and_other_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    for name, body in {
        ".hidden/a.txt": b"x",
        ".secret.txt": b"x",
        "b.txt": bytes(range(256)) * 10,
        "c.txt": b" \n",
        "d.png": b"text",
        "noname": b"text",
        "z.txt": b"read me",
    }.items():
        (tmp_path / name).write_bytes(body)
    assert list(entries(tmp_path)) == ["z.txt"]
    assert problems(tmp_path) == []


def test_huge_files_are_named_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILE", 10)
    (tmp_path / "a.txt").write_text("more than ten letters")
    (tmp_path / "b.txt").write_text("short")
    assert list(entries(tmp_path)) == ["b.txt"]
    assert [problem.where for problem in problems(tmp_path)] == ["a.txt"]


def test_links_do_not_leave_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (inside / "real.txt").write_text("real")
    (inside / "same.txt").symlink_to(inside / "real.txt")
    (inside / "leak.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "dead.txt").symlink_to(inside / "nothing")
    assert list(entries(inside)) == ["real.txt", "same.txt"]
    assert [problem.where for problem in problems(inside)] == ["dead.txt", "leak.txt"]


def test_a_pipe_does_not_hold_us(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert list(read_folder(tmp_path, NOW)) == []


def test_one_unreadable_file_does_not_stop_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    real_open = os.open

    def refuse(path: Path, *arguments: int) -> int:
        if Path(path).name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return real_open(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    assert list(entries(tmp_path)) == ["b.txt"]
    assert problems(tmp_path) == [Problem("a.txt", "cannot be read: Permission denied")]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        list(read_folder(tmp_path / "none", NOW))
