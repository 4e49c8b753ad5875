"""Moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from attention_filter.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")


def since(text: str, now: datetime) -> datetime:
    """The moment, in UTC: "2d", "12h", "1w" ago, "today", "yesterday", a date, or a date and time.

    Days begin at midnight in the zone of `now`, which is what a date without a zone means too.

    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> since("12h", noon).isoformat(), since("yesterday", noon).isoformat()
    ('2026-11-22T00:00:00+00:00', '2026-11-21T00:00:00+00:00')
    """
    words = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if words in ("today", "yesterday"):
        return (midnight - timedelta(days=words == "yesterday")).astimezone(UTC)
    try:
        if ago := _AGO.fullmatch(words):
            return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).astimezone(UTC)
        moment = datetime.fromisoformat(words.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text!r}: give 2d, 12h, yesterday or a date such as {now:%Y-%m-%d}") from None
