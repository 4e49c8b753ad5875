"""A folder of text, Markdown and HTML files as a source."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from attention_filter.errors import SourceError
from attention_filter.sources.clean import first_words, make_entry, plain_text
from attention_filter.sources.decoding import decode
from attention_filter.sources.markup import one_line
from attention_filter.types import Entry

MAX_FILE = 5_000_000  # bytes
MAX_FILES = 100_000
_TEXT = frozenset({".txt", ".text", ".md", ".markdown", ".mdown", ".rst", ".org", ".adoc", ".log"})
_MARKDOWN = frozenset({".md", ".markdown", ".mdown"})
_HTML = frozenset({".html", ".htm", ".xhtml"})
_FRONT = re.compile(r"\A---\s*\n(.{0,5000}?)\n(?:---|\.\.\.)\s*(?:\n|\Z)", re.S)
_FRONT_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.M)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+)$|^([^\s#>*\-].*)\n(?:=+|-{3,})[ \t]*$", re.M)
_MARKUP = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read, and why; the rest of the source goes on."""

    where: str  # "notes/a.txt", "tickets.jsonl line 7"
    message: str


def read_folder(path: Path, now: datetime) -> Iterator[Entry | Problem]:
    """An entry per readable file, in the order of their names; the guid is the path within the folder.

    Hidden, binary and other files are passed over silently, too large and unreadable ones with a Problem.
    Symbolic links are followed only to files within the folder. Raises SourceError when `path` is no folder.
    """
    if not path.is_dir():
        raise SourceError(f"{path}: no such folder")
    root = path.resolve()
    count = 0
    for file in _files(root):
        name = file.relative_to(root).as_posix()
        count += 1
        if count > MAX_FILES:
            yield Problem(str(path), f"more than {MAX_FILES} files; the rest was left out")
            return
        try:
            real = file.resolve(strict=True)
            if not real.is_relative_to(root):
                yield Problem(name, "a link that leaves the folder; left out")
                continue
            entry = _read_file(real, name, now)
        except OSError as error:
            yield Problem(name, f"cannot be read: {error.strerror or error}")
            continue
        if entry is not None:
            yield entry


def _files(root: Path) -> Iterator[Path]:
    """Files of kinds we read, in order; linked folders are not entered, which also keeps loops out."""
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in _TEXT | _HTML:
                yield Path(folder, name)


def _read_file(file: Path, name: str, now: datetime) -> Entry | Problem | None:
    # Without waiting: a pipe in the folder must not hold us.
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as handle:
        state = os.fstat(handle.fileno())
        if not stat.S_ISREG(state.st_mode):
            return None
        if state.st_size > MAX_FILE:
            return Problem(name, f"larger than {MAX_FILE // 1_000_000} MB; left out")
        body = handle.read(MAX_FILE)
    text = decode(body)[0]
    if _binary(text) or not text.strip():
        return None
    try:
        changed = datetime.fromtimestamp(state.st_mtime, UTC)
    except (ValueError, OverflowError, OSError):
        changed = None
    kind = file.suffix.lower()
    title, content = _html_parts(text) if kind in _HTML else _text_parts(text, kind in _MARKDOWN)
    return make_entry(
        guid=name,
        title=title or file.stem,
        url=None,
        html=content if kind in _HTML else "",
        text=None if kind in _HTML else content,
        original=text,
        published=changed,
        now=now,
    )


def _binary(text: str) -> bool:
    """More than a few control or undecodable characters at its beginning: no text."""
    start = text[:4000]
    odd = sum(1 for c in start if (c < " " and c not in "\t\n\r\f\x1b") or c == "\ufffd")
    return odd * 50 > len(start)


def _html_parts(text: str) -> tuple[str, str]:
    """Title (<title>, else the first heading) and content of a page."""
    heading = LexborHTMLParser(text[:20_000])
    for selector in ("title", "h1", "h2"):
        node = heading.css_first(selector)
        if node and (title := one_line(node.text(deep=True), 500)):
            return title, text
    return first_words(plain_text(text)), text


def _text_parts(text: str, markdown: bool) -> tuple[str, str]:
    """Title (front matter, first heading, else the first line) and content of a text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front = _FRONT.match(text) if markdown else None
    if front:
        text = text[front.end() :]
        if named := _FRONT_TITLE.search(front[1]):
            return one_line(named[1], 500), text
    heading = _HEADING.search(text[:20_000]) if markdown else None
    title = (heading[1] or heading[2]) if heading else first_words(text.strip())
    title = title[:1_000].rstrip(" \t#")
    return one_line(_MARKUP.sub(r"\1", title) if markdown else title, 500), text
