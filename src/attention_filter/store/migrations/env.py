"""Alembic's entry: how the revisions in versions/ reach a database. The store runs it when it opens one.

To add a revision: change schema.py, then `alembic revision` with this folder as its script_location.
"""

from __future__ import annotations

from alembic import context

from attention_filter.store.schema import metadata


def run() -> None:
    """Run the wanted revisions on the connection that the store handed over, inside its transaction."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name Alembic loads this file under; other imports run nothing
    run()
