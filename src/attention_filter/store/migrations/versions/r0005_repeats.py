"""What sources repeat, where it stands in their items, and a hash of what is left, which vectors and labels go by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repeats",
        sa.Column("source", sa.Integer, sa.ForeignKey("sources.id"), primary_key=True),
        sa.Column("learned_from", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "left_out",
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("chars", sa.Integer, nullable=False),
    )
    op.add_column("items", sa.Column("said_hash", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE items SET said_hash = content_hash")
    op.create_index(op.f("ix_items_said_hash"), "items", ["said_hash"])
