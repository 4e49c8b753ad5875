"""What contents are about and how they feel, as different tellers tell it; and rules that ask for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tellers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "labels",
        sa.Column("teller", sa.Integer, sa.ForeignKey("tellers.id"), primary_key=True),
        sa.Column("content_hash", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("rules", sa.Column("topic", sa.Text))
    op.add_column("rules", sa.Column("sentiment", sa.Text))
