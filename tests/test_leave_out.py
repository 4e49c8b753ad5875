"""What sources repeat, through the front door: learned at a fetch, left out of all that is told from a text."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from attention_filter import intake
from attention_filter.app import open_filter
from attention_filter.repeats import said
from attention_filter.settings import Settings
from attention_filter.store import schema
from attention_filter.types import SourceKind
from attention_filter.words import words

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PARAGRAPH = (
    "Members of the harbour club meet on Sundays to sail, to swim and to eat smoked fish on the old pier with friends. "
    "Boats, ropes and lanterns may be hired at the club house, where tea, soup and warm blankets wait for everybody."
)
NAMES = "copper violin orchard glacier pepper saddle tunnel mirror basket candle turbine meadow walnut chapel"
THINGS = NAMES.split()
TITLE = re.compile(r"(?:\w+ ){3}no \d+|Zig reaches its first stable standard library")


class HashedWords:
    """An encoder whose vector is the mean of one fixed random vector per word; counts what it encodes."""

    id, dim = "hashed-words", 64

    def __init__(self):
        self.read = []

    def encode(self, texts, *, progress=None):
        self.read += [text for text in texts if not TITLE.fullmatch(text)]  # titles alone are encoded first
        rows = np.array([np.mean([self._state(w) for w in words(t)] or [np.ones(self.dim)], axis=0) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _state(self, word):
        return np.random.default_rng(sum(map(ord, word)) * 7919 + len(word)).normal(size=self.dim)


@pytest.fixture
def mine(tmp_path):
    settings = Settings(exploration=0.0, variety=0.0)
    moments = (NOW + timedelta(seconds=n) for n in range(10_000))
    opened = open_filter(f"sqlite:///{tmp_path / 'a.db'}", settings=settings, clock=lambda: next(moments))
    opened.__dict__["encoder"] = HashedWords()
    with opened:
        yield opened


def write(path, count, repeated, start=0):
    """A table of `count` invented items, of which the first `repeated` end with the paragraph."""
    rng = np.random.default_rng(start)
    rows = []
    for n in range(start, start + count):
        title = f"{' '.join(rng.choice(THINGS, 3, replace=False))} no {n}"
        text = f"{' '.join(rng.choice(THINGS, 8))}."
        rows.append({"id": f"i{n}", "title": title, "text": f"{text}\n{PARAGRAPH}" if n - start < repeated else text})
    zig = {"title": "Zig reaches its first stable standard library", "text": "Zig, the language, is stable."}
    rows[0] |= zig | ({"text": f"{zig['text']}\n{PARAGRAPH}"} if repeated else {})
    with path.open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def follow(mine, path):
    mine.add(str(path))
    mine.add_interest("zig, a language with a stable library")
    mine.fetch(every=True)


def zig_of(mine):
    return next(item for item in mine.store.newest(1_000) if item.entry.title.startswith("Zig"))


def test_a_paragraph_in_60_of_120_items_does_not_hide_what_one_of_them_is_about(mine, tmp_path):
    write(tmp_path / "news.jsonl", 120, 60)
    follow(mine, tmp_path / "news.jsonl")
    assert [one.item.entry.title for one in mine.stream(1)] == ["Zig reaches its first stable standard library"]
    assert not any(PARAGRAPH[:20] in text for text in mine.encoder.read)


def test_words_and_vectors_are_those_of_the_texts_without_the_paragraph(mine, tmp_path):
    for name, repeated in (("news", 60), ("clean", 0)):
        write(tmp_path / f"{name}.jsonl", 120, repeated)
        mine.add(str(tmp_path / f"{name}.jsonl"))
    mine.fetch(every=True)
    news, clean = (next(mine.store.batches(mine.encoder.id, source=source.id)) for source in mine.store.sources())
    assert np.array_equal(news.vectors, clean.vectors)
    assert np.array_equal(news.term_ids, clean.term_ids)


def test_the_text_stays_as_it_came_and_leads_and_snippets_begin_with_what_is_said(mine, tmp_path):
    write(tmp_path / "news.jsonl", 40, 40)
    follow(mine, tmp_path / "news.jsonl")
    item = zig_of(mine)
    assert item.entry.text.endswith(PARAGRAPH)
    assert said(item.entry.text, item.left_out) == "Zig, the language, is stable."
    assert mine.store.glances([item.id])[0].lead == "Zig, the language, is stable."
    assert mine.search("stable")[0].snippet == "Zig, the language, is stable."
    assert "Sundays" in mine.search("sundays")[0].snippet  # it is searched, too


def test_what_becomes_known_later_changes_only_the_items_that_repeat_it(mine, tmp_path):
    write(tmp_path / "news.jsonl", 2, 2)
    follow(mine, tmp_path / "news.jsonl")
    assert all(one.left_out == () for one in mine.store.newest(9))
    write(tmp_path / "news.jsonl", 40, 20, start=100)
    mine.encoder.read.clear()
    mine.fetch(every=True)
    assert all(PARAGRAPH not in said(one.entry.text, one.left_out) for one in mine.store.newest(99))
    assert len(mine.encoder.read) == 41  # forty new ones, one of them like one of the two that said more before
    mine.encoder.read.clear()
    mine.fetch(every=True)
    assert mine.encoder.read == []
    assert mine.store.unread() == []


def test_an_item_that_changes_is_looked_at_again(mine, tmp_path):
    write(tmp_path / "news.jsonl", 40, 20)
    follow(mine, tmp_path / "news.jsonl")
    path = tmp_path / "news.jsonl"
    path.write_text(path.read_text().replace("Zig, the language, is stable.", "Zig is done at last."))
    mine.fetch(every=True)
    item = zig_of(mine)
    assert said(item.entry.text, item.left_out) == "Zig is done at last."


def test_an_old_database_is_looked_through_by_the_next_fetch_and_encodes_only_what_says_less(mine, tmp_path):
    write(tmp_path / "news.jsonl", 60, 20)
    mine.add(str(tmp_path / "news.jsonl"))
    intake.fetch(mine.store, mine.settings, mine.store.sources(), NOW, lambda *_: None)
    intake.encode(mine.store, mine.encoder, lambda *_: None)  # as it was done before anything was left out
    mine.encoder.read.clear()
    mine.understand()
    assert len(mine.encoder.read) == 20


def test_the_same_in_two_sources_with_other_footers_is_encoded_once(mine, tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.jsonl", 30, 30)
        path = tmp_path / f"{name}.jsonl"
        path.write_text(path.read_text().replace("harbour", name))
        mine.add(str(path))
    mine.fetch(every=True)
    assert len(mine.encoder.read) == 30


def test_code_in_markup_is_not_encoded_where_there_is_prose(mine):
    from attention_filter.sources.clean import make_entry

    source = mine.store.add_source("https://e.example/feed", SourceKind.FEED, now=NOW)
    html = (
        "<p>The parser now reads a megabyte in a millisecond, since it looks at many bytes at once.</p><pre>x = 1</pre>"
    )
    mine.store.add_entries(source.id, [make_entry(guid="g", title="Fast", url=None, html=html, now=NOW)], NOW)
    mine.understand()
    assert [text for text in mine.encoder.read if "x = 1" in text] == []


def test_what_is_left_out_is_kept_once_for_each_item(mine, tmp_path):
    write(tmp_path / "news.jsonl", 30, 10)
    follow(mine, tmp_path / "news.jsonl")
    with mine.store._engine.connect() as connection:
        rows = connection.execute(sa.select(schema.left_out.c.chars)).all()
    assert len(rows) == 30
    assert sum(chars > 0 for (chars,) in rows) == 10
