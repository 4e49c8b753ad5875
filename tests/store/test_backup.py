import os
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from attention_filter.errors import StoreError, UsageError
from attention_filter.store import backup as backup_module
from attention_filter.store.store import Store, open_store, restore
from attention_filter.types import Entry


@pytest.fixture
def item(store: Store, feed: int, now: datetime) -> int:
    return store.add_entries(feed, [Entry("g", "Kept", text="words")], now).new[0]


def test_a_backup_holds_everything_in_one_private_file(store: Store, item: int, tmp_path: Path) -> None:
    target = tmp_path / "new" / "copy.db"
    store.backup(target)
    assert [file.name for file in target.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with open_store(f"sqlite:///{target}") as copy:
        assert copy.item(item) == store.item(item)
        assert [hit.item.id for hit in copy.search("words")] == [item]


def test_a_backup_replaces_an_older_one_only_when_it_is_whole(
    store: Store, item: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copy.db"
    target.write_text("older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            store.backup(target)
    assert target.read_text() == "older"
    assert not list(tmp_path.glob("*.part"))
    store.backup(target)
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_a_backup_while_another_thread_writes_is_consistent(
    store: Store, feed: int, now: datetime, tmp_path: Path
) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            n = len(written)
            store.add_entries(feed, [Entry(f"w{n}-{k}", f"T{n}-{k}") for k in range(10)], now)
            written.append(n)

    writer = threading.Thread(target=write)
    writer.start()
    while len(written) < 3:
        pass
    store.backup(tmp_path / "copy.db")
    stop.set()
    writer.join()
    with open_store(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert copy.count_items() % 10 == 0
        assert copy.count_items() >= 30


def test_the_backup_cannot_be_the_database_or_a_folder(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the database itself"):
        store.backup(store.path)
    with pytest.raises(UsageError, match="is a folder"):
        store.backup(tmp_path)


def test_restore_brings_the_backup_back_and_keeps_the_old_database(
    store: Store, item: int, url: str, feed: int, now: datetime, tmp_path: Path
) -> None:
    store.backup(tmp_path / "copy.db")
    store.add_entries(feed, [Entry("later", "Later")], now)
    store.close()
    kept = restore(url, tmp_path / "copy.db", now=now)
    assert kept == tmp_path / "attention.before-restore-20250301T120000Z.db"
    with open_store(url) as restored, open_store(f"sqlite:///{kept}") as old:
        assert (restored.count_items(), old.count_items()) == (1, 2)
        assert restored.item(item).entry.title == "Kept"
    assert stat.S_IMODE((tmp_path / "attention.db").stat().st_mode) == 0o600


def test_restore_makes_a_database_where_none_was(store: Store, item: int, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy.db")
    elsewhere = f"sqlite:///{tmp_path / 'other' / 'new.db'}"
    assert restore(elsewhere, tmp_path / "copy.db") is None
    with open_store(elsewhere) as restored:
        assert restored.count_items() == 1


def test_restore_replaces_a_damaged_database(store: Store, item: int, url: str, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy.db")
    store.close()
    store.path.write_bytes(b"rubbish" * 1000)
    kept = restore(url, tmp_path / "copy.db")
    assert kept is not None
    assert kept.read_bytes() == b"rubbish" * 1000
    with open_store(url) as restored:
        assert restored.count_items() == 1


def test_restore_refuses_a_database_in_use(store: Store, item: int, url: str, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreError, match="is in use; stop the other process"):
        restore(url, tmp_path / "copy.db")
    assert store.count_items() == 1
    assert sorted(file.name for file in tmp_path.glob("*.db")) == ["attention.db", "copy.db"]


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (y)")


def lossy(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM contents")
        connection.commit()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path: Path) -> None:
    path.write_text("dear diary " * 100)


@pytest.mark.parametrize("spoil", [newer, foreign, lossy, cut, text])
def test_restore_refuses_a_bad_backup_and_changes_nothing(
    store: Store, item: int, url: str, tmp_path: Path, spoil: object
) -> None:
    copy = tmp_path / "copy.db"
    store.backup(copy)
    spoil(copy)
    store.close()
    with pytest.raises(StoreError) as caught:
        restore(url, copy)
    assert str(copy) in str(caught.value)
    with open_store(url) as same:
        assert same.count_items() == 1
    assert not list(tmp_path.glob("*before-restore*"))
    assert not list(tmp_path.glob(".*"))


def test_restore_names_a_backup_that_is_not_there(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        backup_module.restore(url, tmp_path / "none.db")
