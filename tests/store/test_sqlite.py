import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from attention_filter.errors import StoreError
from attention_filter.store import sqlite
from attention_filter.store.store import Store, open_store
from attention_filter.types import Entry, SourceKind


def test_the_file_is_made_for_its_owner_only_with_its_folder(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "a" / "b" / "x.db"
    with open_store(f"sqlite:///{path}") as store:
        store.add_source("https://e.org", SourceKind.FEED, now=now)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes) == {"x.db", "x.db-wal", "x.db-shm"}
    assert set(modes.values()) == {0o600}


def test_the_connection_keeps_the_promises(store: Store) -> None:
    with sqlite.driver_connection(store._engine) as connection:
        pragma = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite://", "keeps nothing; name a file"),
        ("sqlite:///:memory:", "keeps nothing; name a file"),
        ("postgresql://localhost/x", "only SQLite is supported yet"),
        ("attention.db", "not a database address"),
    ],
)
def test_an_address_that_cannot_be_says_what_to_write(url: str, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint):
        open_store(url)


def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(f"sqlite:///{path}")
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    assert "is not a database" in refusal(path)
    assert path.read_text() == "not a database " * 100


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
    before = path.read_bytes()
    assert "another program" in refusal(path)
    assert path.read_bytes() == before


def test_a_newer_schema_asks_for_an_update(store: Store) -> None:
    with sqlite.driver_connection(store._engine) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    assert "newer version; update" in refusal(store.path)


def test_a_folder_and_a_file_in_the_way_are_named(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(tmp_path)
    (tmp_path / "file").touch()
    assert "--db" in refusal(tmp_path / "file" / "x.db")


def test_a_damaged_database_points_to_the_backup(store: Store, feed: int, now: datetime) -> None:
    store.add_entries(feed, [Entry(f"g{n}", f"T{n}", text="x" * 3000) for n in range(100)], now)
    store.close()
    damaged = bytearray(store.path.read_bytes())
    damaged[4096:] = os.urandom(len(damaged) - 4096)
    store.path.write_bytes(damaged)
    assert "restore a backup" in refusal(store.path)


def test_a_read_only_database_says_so(store: Store, feed: int, now: datetime) -> None:
    with sqlite.driver_connection(store._engine) as connection:
        connection.execute("PRAGMA query_only=ON")  # file modes do not stop root
    with pytest.raises(StoreError, match="cannot be written; make it and its folder writable"):
        store.add_entries(feed, [Entry("g", "T")], now)


def test_a_locked_database_says_so(
    opened: Callable[..., Store], url: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.0)
    hasty = opened()
    with store._write(), pytest.raises(StoreError, match="another process is writing to it"):
        hasty.put_state("x", b"")
    hasty.put_state("x", b"")


def test_threads_that_write_at_once_take_turns_and_lose_nothing(opened: Callable[..., Store]) -> None:
    store, other = opened(), opened()  # `other` has a lock of its own, as another process would

    def write(n: int) -> None:
        (store if n % 2 else other).put_state(f"number {n}", b"x")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(64)))
    assert all(store.get_state(f"number {n}") == b"x" for n in range(64))


def test_acts_are_synced_and_how_far_a_job_is_need_not_be(store: Store) -> None:
    def level(connection: sa.Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    with store.jobs._write() as connection:
        assert level(connection) == 1  # NORMAL
    with store._write() as (connection, _):
        assert level(connection) == 2  # FULL, also on a connection that a job has had before


def test_a_full_disk_says_so_and_loses_nothing(store: Store, feed: int, now: datetime) -> None:
    before = store.add_entries(feed, [Entry("first", "First", text="kept")], now).new
    with sqlite.driver_connection(store._engine) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 20}")
    many = [Entry(f"g{n}", f"T{n}", text=f"{n} " * 2000) for n in range(50)]
    with pytest.raises(StoreError, match="disk is full; free some space and run the command again"):
        store.add_entries(feed, many, now)
    assert store.count_items() == 1
    assert store.check() == []
    assert [hit.item.id for hit in store.search("kept")] == list(before)
    with sqlite.driver_connection(store._engine) as connection:
        connection.execute("PRAGMA max_page_count=1000000")
    assert len(store.add_entries(feed, many, now).new) == 50


def test_check_finds_what_is_lost(store: Store, feed: int, now: datetime) -> None:
    store.add_entries(feed, [Entry("a", "A", text="one"), Entry("b", "B", text="two")], now)
    assert store.check() == []
    with sqlite.driver_connection(store._engine) as connection:
        connection.execute("DELETE FROM contents WHERE item = 1")
        connection.execute("INSERT INTO item_search (item_search) VALUES ('delete-all')")
    found = store.check()
    assert found == ["items: 1 without its text", "items: 2 without its place in the search index"]
