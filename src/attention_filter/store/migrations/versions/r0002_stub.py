"""A place held for the accounts, which another branch adds at the same time: drop this file when the two are merged."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing."""
