from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from attention_filter.errors import StoreError, UsageError
from attention_filter.store import sqlite
from attention_filter.store.migrate import FOLDER, _config, current_revision
from attention_filter.store.schema import REVISION, metadata
from attention_filter.store.store import Store, open_store


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store._engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        assert [d for d in differences if "item_search" not in str(d)] == []
        assert current_revision(connection) == REVISION


def test_the_newest_migration_is_the_revision_we_expect() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_constraints_carry_names_that_a_later_migration_can_drop(store: Store) -> None:
    found = sa.inspect(store._engine)
    names = [unique["name"] for table in metadata.tables for unique in found.get_unique_constraints(table)]
    assert "uq_items_source_guid" in names
    assert None not in names


def test_a_path_with_odd_characters_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "100% of mine #1" / "a b.db"
    with open_store(f"sqlite:///{path}") as store:
        assert store.count_items() == 0
    assert path.exists()


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A database as the first version made it, with one reader."""
    path = tmp_path / "attention.db"
    engine = sqlite.make_engine(path)
    sqlite.prepare(engine, path)
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("INSERT INTO readers (id, name) VALUES (1, 'me')")
    engine.dispose()
    return path


def test_an_upgrade_keeps_a_copy_of_the_database_as_it_was(first_version: Path) -> None:
    with open_store(f"sqlite:///{first_version}") as store:
        assert store.readers() == ["me"]
        assert not store.accounts.any()
    kept = first_version.with_name(f"attention.db.before-{REVISION}")
    with sa.create_engine(f"sqlite:///{kept}").connect() as connection:
        assert current_revision(connection) == "0001"
        assert connection.exec_driver_sql("SELECT name FROM readers").scalars().all() == ["me"]


def test_a_database_of_today_is_opened_without_a_copy(first_version: Path) -> None:
    for _ in range(2):
        open_store(f"sqlite:///{first_version}").close()
    open_store(f"sqlite:///{first_version.with_name('new.db')}").close()
    assert len(list(first_version.parent.glob("*.before-*"))) == 1


def test_without_a_copy_nothing_is_upgraded(first_version: Path) -> None:
    first_version.with_name(f"attention.db.before-{REVISION}").mkdir()
    with pytest.raises((StoreError, UsageError)):
        open_store(f"sqlite:///{first_version}")
    with sa.create_engine(f"sqlite:///{first_version}").connect() as connection:
        assert current_revision(connection) == "0001"


def test_a_background_that_was_kept_per_reader_is_moved_and_still_used(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    engine = sqlite.make_engine(path)
    sqlite.prepare(engine, path)
    with sqlite.writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text("INSERT INTO readers (id, name) VALUES (1, 'me'), (2, 'new')"))
        kept = [
            {"name": "background", "data": b"old"},
            {"name": "model", "data": b"m"},
            {"name": "scale", "data": b"{}"},
        ]
        connection.execute(sa.text("INSERT INTO state (reader, name, data) VALUES (1, :name, :data)"), kept)
    engine.dispose()
    with open_store(f"sqlite:///{path}") as store:
        moved = store.background()
        assert moved is not None
        assert (moved.model, moved.data, len(moved.marks), store.get_state("scale")) == ("m", b"old", 0, b"{}")
        assert store.get_state("model") is None
    with open_store(f"sqlite:///{path}", "new") as store:
        assert store.background() is None
