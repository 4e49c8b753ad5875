"""All that only SQLite knows: opening and locking, its pragmas, its errors in one line, its migrations' lock.

A write transaction begins with BEGIN IMMEDIATE, so two processes queue for the write lock instead of failing
half-way. WAL lets readers go on meanwhile. `synchronous=FULL` syncs every commit but those of jobs: an acknowledged
batch or feedback survives a power cut too, and with one transaction a batch the sync is not what takes the time (see
benchmarks/ingest.py).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from sqlalchemy import event

from attention_filter.errors import StoreError

APPLICATION_ID = 0x4154464C  # "ATFL", in the file's header: this database is ours
BUSY_SECONDS = 30.0
LOOK = 0.002  # seconds between two looks whether another process still writes


def database_path(url: str) -> Path:
    """The file of a `sqlite:///path` URL; StoreError for any other engine and for a database in memory.

    >>> database_path("sqlite:////home/me/attention.db").as_posix()
    '/home/me/attention.db'
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreError(f"{url}: not a database address; write sqlite:///path/to/attention.db") from error
    if parsed.get_backend_name() != "sqlite":
        name = parsed.get_backend_name()
        raise StoreError(f"{name}: only SQLite is supported yet; write sqlite:///path/to/attention.db")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"{url}: keeps nothing; name a file, e.g. sqlite:///attention.db")
    return Path(parsed.database).absolute()


def make_engine(path: Path) -> sa.Engine:
    """An engine on the file, which is made (0600, with its folder) when it is not there."""
    with one_line_errors(path):
        create_file(path)
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS},
        execution_options={"turn": Lock()},  # to write
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-16000")  # kB

    @event.listens_for(engine, "begin")
    def on_begin(connection: sa.Connection) -> None:
        level = connection.get_execution_options().get("synchronous")
        if level is None:
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_writing(connection, level)

    return engine


@contextmanager
def writing(engine: sa.Engine, *, synced: bool = True) -> Iterator[sa.Connection]:
    """A transaction that takes the write lock when it begins.

    Not `synced`, a power cut may undo it (a kill does not), and the lock is free again without waiting for the disk.
    The threads of one process wait for their turn at a lock of their own, which wakes them when it comes.
    """
    writes = engine.execution_options(synchronous="FULL" if synced else "NORMAL")
    with engine.get_execution_options()["turn"], writes.begin() as connection:
        yield connection


def _begin_writing(connection: sa.Connection, level: str) -> None:
    """Look for the write lock often: SQLite's own waiting sleeps longer each time, up to 100 ms."""
    give_up = time.monotonic() + BUSY_SECONDS
    connection.exec_driver_sql(f"PRAGMA synchronous={level}")
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except sa.exc.OperationalError as error:
                if (
                    getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY
                    or time.monotonic() > give_up
                ):
                    raise
            time.sleep(LOOK)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * BUSY_SECONDS)}")


def create_file(path: Path) -> None:
    """Make an empty file that only its owner can read; the WAL beside it gets the same mode from SQLite."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def prepare(engine: sa.Engine, path: Path) -> None:
    """Switch to WAL and stamp a new file as ours; StoreError for the database of another program."""
    with driver_connection(engine) as connection:
        (ours,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if ours != APPLICATION_ID:
            if tables:
                raise StoreError(f"{path}: is the database of another program; choose another file with --db")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def driver_connection(engine: sa.Engine) -> Iterator[sqlite3.Connection]:
    """The sqlite3 connection below the engine, outside any transaction."""
    pooled = engine.raw_connection()
    try:
        yield pooled.driver_connection  # type: ignore[misc]  # typed as Any | None, always there
    finally:
        pooled.close()


_BUSY = "another process is writing to it; wait for it or stop it, then run the command again"
_NEXT_STEP = {
    sqlite3.SQLITE_FULL: ("the disk is full; free some space and run the command again; nothing stored was lost"),
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_READONLY: "cannot be written; make it and its folder writable, or use another with --db",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that it is a file that you may read and write",
    sqlite3.SQLITE_NOTADB: "is not a database; choose another file with --db, or restore a backup",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore a backup with `attention restore`",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk, then run `attention doctor`",
}


@contextmanager
def one_line_errors(path: Path) -> Iterator[None]:
    """Turn what the engine and the operating system raise into a StoreError that says what to do."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
        raise StoreError(f"{path}: {_NEXT_STEP.get(code, cause)}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; choose another file with --db") from error


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the file, its references or its search index; empty when it is sound."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    found += [f"{row[0]}: a row points to a missing {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]
    if found:
        return found
    for what, table in (("its text", "contents"), ("its place in the search index", "item_search_docsize")):
        column = "item" if table == "contents" else "id"
        lost = f"SELECT count(*) FROM items WHERE id NOT IN (SELECT {column} FROM {table})"  # noqa: S608
        (count,) = connection.execute(lost).fetchone()
        found += [f"items: {count} without {what}"] if count else []
    return found
