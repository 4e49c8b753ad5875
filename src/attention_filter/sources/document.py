"""A feed document after reading: what `parse_feed` returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from attention_filter.types import Entry


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as read. `problems` are one-line texts about what could not be read or had to be left out."""

    title: str
    home_url: str | None
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    guid: str = ""  # the feed's own id (Atom)
    updated: datetime | None = None
    authors: tuple[str, ...] = ()
