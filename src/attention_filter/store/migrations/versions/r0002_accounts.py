"""Work in the background. (Stands in for the revision of branch `access`, which has this table too.)"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id")),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("run_at", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("finished", sa.Double),
        sa.Column("progress_done", sa.Integer, nullable=False),
        sa.Column("progress_total", sa.Integer, nullable=False),
        sa.Column("progress_what", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("unique_key", sa.Text, unique=True),
    )
    op.create_index(op.f("ix_jobs_reader"), "jobs", ["reader"])
    op.create_index(op.f("ix_jobs_state_run_at"), "jobs", ["state", "run_at"])
