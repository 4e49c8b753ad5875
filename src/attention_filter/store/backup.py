"""Backup and restore of a SQLite database. Every file appears whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from attention_filter.errors import StoreError, UsageError
from attention_filter.store import sqlite
from attention_filter.store.migrate import check_known, current_revision
from attention_filter.store.schema import REVISION


def backup(database: Path, target: Path) -> None:
    """Write a consistent copy of `database`, in use or not, to `target`, in place of what was there.

    The copy is checked and synced before it takes the name. StoreError when it cannot be written or checked.
    """
    target = target.absolute()
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name a file in it, e.g. {target / 'attention-backup.db'}")
    if target.exists() and target.samefile(database):
        raise UsageError(f"{target}: is the database itself; choose another name for the backup")
    with sqlite.one_line_errors(target), _whole_file(target) as temporary:
        _copy(database, temporary)
        _check(temporary, database)


def before_upgrade(connection: sa.Connection, database: Path) -> None:
    """Keep a copy of an older database beside it, as `<name>.before-<new revision>`, before it is migrated.

    The caller holds the write lock on `connection`, so the copy is what the migration will start from.
    """
    revision = current_revision(connection)
    if revision not in (None, REVISION):
        check_known(revision, database)
        backup(database, database.with_name(f"{database.name}.before-{REVISION}"))


def restore(url: str, path: Path, *, now: datetime | None = None) -> Path | None:
    """Put the backup at `path` in place of the database at `url`; returns where the old one now is, if any.

    The backup is checked first (sound, ours, not newer than this program); an older one is migrated when it
    is next opened. StoreError when it fails the check, or when a process has the database open.
    """
    database = sqlite.database_path(url)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a backup written by `attention backup`")
    if database.exists() and path.samefile(database):
        raise UsageError(f"{path}: is the database itself; name a backup of it")
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    kept = database.with_name(f"{database.stem}.before-restore-{stamp}{database.suffix}")
    with sqlite.one_line_errors(path), _whole_file(database) as temporary:
        _copy(path, temporary)
        _check(temporary, path)
        if not database.exists():
            return None
        _settle(database)
        _keep(database, kept)
    return kept


@contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    """A temporary file that becomes `target` (synced, atomically) unless the block raises."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    sqlite.create_file(temporary)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _copy(database: Path, target: Path) -> None:
    """Copy with SQLite's online backup, which sees one consistent state and whatever the WAL holds."""
    with (
        closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL that could be left behind


def _check(copy: Path, origin: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        if connection.execute("PRAGMA application_id").fetchone() != (sqlite.APPLICATION_ID,):
            raise StoreError(f"{origin}: is not a database of Attention Filter; nothing was changed")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        check_known(row[0] if row else None, origin)
        found = sqlite.problems(connection)
    if found:
        raise StoreError(f"{origin}: is damaged ({found[0]}); nothing was changed; try another backup")


def _settle(database: Path) -> None:
    """Fold the WAL into the file, which works only when no other connection is open anywhere."""
    with closing(sqlite3.connect(database, timeout=1.0)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise StoreError(f"{database}: is in use; stop the other process and run the command again") from error
        except sqlite3.DatabaseError:
            return  # too damaged to be opened, which is why it is being replaced


def _keep(database: Path, kept: Path) -> None:
    """Give the old database its second name; it keeps the first until the new one takes it."""
    for end in ("-wal", "-shm"):  # only a damaged one still has them
        if (beside := database.with_name(database.name + end)).exists():
            os.replace(beside, kept.with_name(kept.name + end))
    try:
        os.link(database, kept)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.replace(database, kept)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where folders can be synced (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
