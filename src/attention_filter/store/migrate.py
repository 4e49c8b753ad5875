"""Bring a database to the newest revision, with Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from attention_filter.errors import StoreError
from attention_filter.store.schema import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).with_name("migrations")


def migrate(connection: sa.Connection, path: Path) -> None:
    """Run the revisions that the database lacks, in the caller's transaction: all of them or none.

    Alembic is imported only when there is something to do, for it takes longer than opening a database.
    """
    revision = current_revision(connection)
    if revision == REVISION:
        return
    check_known(revision, path)

    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def current_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    version = sa.table("alembic_version", sa.column("version_num", sa.Text))
    return connection.scalar(sa.select(version.c.version_num))


def check_known(revision: str | None, path: Path) -> None:
    """StoreError for a database that a newer version of this program has written."""
    if revision is None or revision == REVISION:
        return
    from alembic.script import ScriptDirectory

    if revision not in {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise StoreError(f"{path}: was written by a newer version; update with pip install -U attention-filter")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
