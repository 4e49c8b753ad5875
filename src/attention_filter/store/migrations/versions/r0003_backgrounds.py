"""Backgrounds that readers share, and the meaning of items in context for each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backgrounds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stamp", sa.Text, nullable=False, unique=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("sources", sa.Text, nullable=False, index=True),
        sa.Column("marks", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "contexts",
        sa.Column("background", sa.Integer, sa.ForeignKey("backgrounds.id"), primary_key=True),
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("context", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    _move_what_was_kept_per_reader()


def _move_what_was_kept_per_reader() -> None:
    """Until now a reader's state held the whole background. Without marks it is learned anew at the next fetch."""
    state = sa.table("state", sa.column("reader"), sa.column("name"), sa.column("data"))
    backgrounds = sa.table("backgrounds", *map(sa.column, ("stamp", "model", "sources", "marks", "data")))
    connection = op.get_bind()
    kept = connection.execute(sa.select(state).where(state.c.name.in_(("background", "model")))).all()
    models = {row.reader: row.data.decode() for row in kept if row.name == "model"}
    for row in kept:
        if row.name == "background":
            stamp = f"reader {row.reader}"
            moved = {"stamp": stamp, "model": models.get(row.reader, ""), "sources": "", "marks": b"", "data": row.data}
            connection.execute(sa.insert(backgrounds).values(moved))
            mine = (state.c.reader == row.reader, state.c.name == "background")
            connection.execute(sa.update(state).where(*mine).values(data=stamp.encode()))
    connection.execute(sa.delete(state).where(state.c.name == "model"))
