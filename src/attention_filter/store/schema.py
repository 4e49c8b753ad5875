"""The tables. Times are seconds since 1970 in UTC.

Items and sources are shared by all readers of a database: two people who follow one feed store it once. What
a reader may see follows from `subscriptions` and `feedback` (`visible`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

REVISION = "0005"  # the newest migration; a test holds the two together

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

readers = sa.Table(
    "readers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("age_limit_days", sa.Double),
)

# What is read and how: the same table file with other columns is another source.
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("columns", sa.Text, nullable=False),  # JSON of Source.columns
    sa.Column("title", sa.Text, nullable=False),  # the source's own; a reader's stands in subscriptions
    sa.Column("etag", sa.Text),
    sa.Column("last_modified", sa.Text),
    sa.Column("last_fetched", sa.Double),
    sa.Column("last_success", sa.Double),
    sa.Column("next_try", sa.Double),
    sa.Column("last_error", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),  # it said so itself (410)
    sa.UniqueConstraint("url", "kind", "columns"),
)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("reader", sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("source", sa.ForeignKey("sources.id"), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("muted", sa.Boolean, nullable=False),
    sa.Column("added", sa.Double, nullable=False),
)

# Small rows that are scanned; the long texts stand in `contents`, so that a scan does not read them.
items = sa.Table(
    "items",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.ForeignKey("sources.id"), nullable=False),
    sa.Column("guid", sa.Text, nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("content_hash", sa.Text, nullable=False),  # of title and text as they came
    sa.Column("said_hash", sa.Text, nullable=False),  # of what they say: under it stand its vectors and labels
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),  # of all that a reader could see change
    sa.Column("lang", sa.Text, nullable=False),
    sa.Column("date", sa.Double, nullable=False),  # Item.date
    sa.Column("published", sa.Double),
    sa.Column("updated", sa.Double),
    sa.Column("fetched", sa.Double, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("image", sa.Text),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("terms", sa.LargeBinary, nullable=False),  # words.count_terms
    sa.UniqueConstraint("source", "guid"),
    sa.Index(None, "source", "url"),
    sa.Index(None, "content_hash", "source"),
    sa.Index(None, "said_hash"),
)

contents = sa.Table(
    "contents",
    metadata,
    sa.Column("item", sa.ForeignKey("items.id"), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("original", sa.Text, nullable=False),
    sa.Column("links", sa.JSON, nullable=False),
)

# What each source repeats, as learned from its items (repeats.py).
repeats = sa.Table(
    "repeats",
    metadata,
    sa.Column("source", sa.ForeignKey("sources.id"), primary_key=True),
    sa.Column("learned_from", sa.Integer, nullable=False),  # how many items the source had then
    sa.Column("data", sa.Text, nullable=False),  # repeats.Repeats.to_json
)

# The places of each item's text that say nothing of it. An item without a row was not looked at yet.
left_out = sa.Table(
    "left_out",
    metadata,
    sa.Column("item", sa.ForeignKey("items.id"), primary_key=True),
    sa.Column("places", sa.JSON, nullable=False),  # [[start, end, whether it is repeated], …]
    sa.Column("chars", sa.Integer, nullable=False),  # that they hold together, at most
)

models = sa.Table(
    "models",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("dim", sa.Integer, nullable=False),
)

vectors = sa.Table(
    "vectors",
    metadata,
    sa.Column("model", sa.ForeignKey("models.id"), primary_key=True),
    sa.Column("content_hash", sa.Text, primary_key=True),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # dim × float16
)

# What contents (`items.said_hash`) are about, how they feel: one label each, by whom it was told. An empty label says:
# not sure.
tellers = sa.Table(
    "tellers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),  # names the encoder, and a digest of what was learned from
)

# Clustered by its key, as `contexts`.
labels = sa.Table(
    "labels",
    metadata,
    sa.Column("teller", sa.ForeignKey("tellers.id"), primary_key=True),
    sa.Column("content_hash", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("value", sa.Double, nullable=False),  # of a topic how probable it is, of a feeling its polarity
    sqlite_with_rowid=False,
)

# Append-only. An act has a sign; an undo names the act it takes back. `undoes` is unique: undone once.
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.ForeignKey("readers.id"), nullable=False),
    sa.Column("item", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("sign", sa.Text),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("undoes", sa.ForeignKey("feedback.id"), unique=True),
    sa.Index(None, "reader", "item", "at"),
)

interests = sa.Table(
    "interests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.ForeignKey("readers.id"), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("weight", sa.Double, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.UniqueConstraint("reader", "text"),
)

rules = sa.Table(
    "rules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.ForeignKey("readers.id"), nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("words", sa.JSON, nullable=False),
    sa.Column("pattern", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("lang", sa.Text),
    sa.Column("older_than_days", sa.Double),
    sa.Column("newer_than_days", sa.Double),
    sa.Column("boost", sa.Double, nullable=False),
    sa.Column("topic", sa.Text),
    sa.Column("sentiment", sa.Text),
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("reader", sa.ForeignKey("readers.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# Who may sign in. A reader without an account is one that only the command line knows.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.ForeignKey("readers.id"), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),  # as it was typed
    sa.Column("name_key", sa.Text, nullable=False, unique=True),  # as it is compared: NFKC, case-folded
    sa.Column("password", sa.Text),  # argon2, or none: passkeys, OIDC or a proxy only
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("last_sign_in", sa.Double),
    sa.Column("is_owner", sa.Boolean, nullable=False),
)

passkeys = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),  # COSE, RFC 9052 §7
    sa.Column("sign_count", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.UniqueConstraint("issuer", "subject"),
)

# Only the hash of a token is kept: who reads the database, or a backup of it, cannot sign in with it.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # sha-256 of the token, in hex
    sa.Column("account", sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("last_seen", sa.Double, nullable=False),
    sa.Column("expires", sa.Double, nullable=False, index=True),
    sa.Column("user_agent", sa.Text, nullable=False),
)

# Addresses and tokens that let in whoever holds them, for one purpose of one reader.
secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reader", sa.ForeignKey("readers.id"), nullable=False, index=True),
    sa.Column("purpose", sa.Text, nullable=False),  # "feed", "api", "invitation"
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("view", sa.JSON, nullable=False),  # what a feed holds
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),  # sha-256, in hex
    sa.Column("token", sa.Text),  # in clear only where its address must be shown again
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("last_used", sa.Double),
    sa.Column("expires", sa.Double),
)

# What the server does by itself. `unique_key` is set while a job waits or runs, so that none stands twice.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reader", sa.ForeignKey("readers.id"), index=True),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # queued, running, done, failed
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("run_at", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("progress_done", sa.Integer, nullable=False),
    sa.Column("progress_total", sa.Integer, nullable=False),
    sa.Column("progress_what", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Column("unique_key", sa.Text, unique=True),
    sa.Index(None, "state", "run_at"),
)

# What streams look like without any feedback. The reader's state names (by its stamp) the one they are scored against;
# readers who follow the same sources share one.
backgrounds = sa.Table(
    "backgrounds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("stamp", sa.Text, nullable=False, unique=True),  # a digest of what it was learned from
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("sources", sa.Text, nullable=False, index=True),  # JSON of their ids, sorted
    sa.Column("marks", sa.LargeBinary, nullable=False),  # of the items it was learned from, uint64
    sa.Column("data", sa.LargeBinary, nullable=False),  # personal.background.to_bytes
)

# Clustered by its key: one background's contexts lie side by side, 768 bytes each at 384 dimensions.
contexts = sa.Table(
    "contexts",
    metadata,
    sa.Column("background", sa.ForeignKey("backgrounds.id"), primary_key=True),
    sa.Column("item", sa.ForeignKey("items.id"), primary_key=True),
    sa.Column("context", sa.LargeBinary, nullable=False),  # dim × float16
    sqlite_with_rowid=False,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(when: datetime) -> float:
    """Seconds since 1970; `moment` gives the very same microsecond back.

    >>> moment(seconds(datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))).microsecond
    678901
    """
    return (when - EPOCH).total_seconds()


def moment(value: float) -> datetime:
    return EPOCH + timedelta(seconds=value)


def seconds_or_none(when: datetime | None) -> float | None:
    return None if when is None else seconds(when)


def moment_or_none(value: float | None) -> datetime | None:
    return None if value is None else moment(value)


def subscribed(reader: int | sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """True for items of the sources that the reader follows."""
    return items.c.source.in_(sa.select(subscriptions.c.source).where(subscriptions.c.reader == reader))


def visible(reader: int | sa.BindParameter[int]) -> sa.ColumnElement[bool]:
    """True for items that the reader may see: of sources they follow, and those they ever acted on.

    So an item that was liked or saved outlives the subscription it came from.
    """
    acted = sa.select(feedback.c.item).where(feedback.c.reader == reader)
    return sa.or_(subscribed(reader), items.c.id.in_(acted))
