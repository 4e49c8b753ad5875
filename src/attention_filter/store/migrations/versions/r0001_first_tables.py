"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    readers()
    sources()
    items()
    vectors()
    reader_rows()
    if op.get_bind().dialect.name == "sqlite":
        # Contentless: it keeps the index only, the text stands in `contents`. Stemming and accents are
        # FTS5's, CJK arrives as bigrams (search.index_text).
        op.execute(
            "CREATE VIRTUAL TABLE item_search USING fts5("
            "title, text, content='', tokenize='porter unicode61 remove_diacritics 2')"
        )


def readers() -> None:
    op.create_table(
        "readers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("age_limit_days", sa.Double),
    )


def sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("columns", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("last_fetched", sa.Double),
        sa.Column("last_success", sa.Double),
        sa.Column("next_try", sa.Double),
        sa.Column("last_error", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.UniqueConstraint("url", "kind", "columns"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("source", sa.Integer, sa.ForeignKey("sources.id"), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("added", sa.Double, nullable=False),
    )


def items() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.Integer, sa.ForeignKey("sources.id"), nullable=False),
        sa.Column("guid", sa.Text, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("content_hash", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("date", sa.Double, nullable=False),
        sa.Column("published", sa.Double),
        sa.Column("updated", sa.Double),
        sa.Column("fetched", sa.Double, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("image", sa.Text),
        sa.Column("authors", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("source", "guid"),
    )
    op.create_index(op.f("ix_items_source_url"), "items", ["source", "url"])
    op.create_index(op.f("ix_items_content_hash_source"), "items", ["content_hash", "source"])
    op.create_table(
        "contents",
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("links", sa.JSON, nullable=False),
    )


def vectors() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("dim", sa.Integer, nullable=False),
    )
    op.create_table(
        "vectors",
        sa.Column("model", sa.Integer, sa.ForeignKey("models.id"), primary_key=True),
        sa.Column("content_hash", sa.Text, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )


def reader_rows() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False),
        sa.Column("item", sa.Integer, sa.ForeignKey("items.id"), nullable=False),
        sa.Column("sign", sa.Text),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("undoes", sa.Integer, sa.ForeignKey("feedback.id"), unique=True),
    )
    op.create_index(op.f("ix_feedback_reader_item_at"), "feedback", ["reader", "item", "at"])
    op.create_table(
        "interests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.UniqueConstraint("reader", "text"),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("words", sa.JSON, nullable=False),
        sa.Column("pattern", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("author", sa.Text),
        sa.Column("lang", sa.Text),
        sa.Column("older_than_days", sa.Double),
        sa.Column("newer_than_days", sa.Double),
        sa.Column("boost", sa.Double, nullable=False),
    )
    op.create_table(
        "state",
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
