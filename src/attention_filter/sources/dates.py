"""Dates as people and programs write them, to aware UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_PLAIN = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y年%m月%d日",
    "%Y年%m月%d日 %H:%M",
)
_AMERICAN = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y")
_WORDY = ("%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d-%b-%Y %H:%M:%S")
_MAIL = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?\d{1,2}[\s-]+[A-Za-z]{3,9}\.?[\s-]+\d{2,4}\s+\d{1,2}:\d\d")  # RFC 5322
_NUMBER = re.compile(r"-?\d{9,19}(?:\.\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_date(value: object) -> datetime | None:
    """A date from ISO 8601, RFC 5322, Unix time (s, ms, µs or ns) or a common plain form; naive means UTC.

    "03/04/2026" is read as March 4th. None when it cannot be read.

    >>> parse_date("2026-03-04T05:06:07.5+02:00"), parse_date(1772600000000)
    (datetime.datetime(2026, 3, 4, 3, 6, 7, 500000, tzinfo=datetime.timezone.utc), \
datetime.datetime(2026, 3, 4, 4, 53, 20, tzinfo=datetime.timezone.utc))
    """
    text = str(value).strip()[:64] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not text:
        return None
    try:
        if _NUMBER.fullmatch(text):
            return _from_number(float(text))
        date = _from_text(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _from_number(number: float) -> datetime:
    while abs(number) > 1e11:  # beyond the year 5138 in seconds: a finer unit
        number /= 1000
    return _EPOCH + timedelta(seconds=number)


def _from_text(text: str) -> datetime:
    if _MAIL.match(text):
        return parsedate_to_datetime(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in (*_PLAIN, *_AMERICAN, *_WORDY):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return parsedate_to_datetime(text)


def clean_date(date: datetime | None, now: datetime) -> datetime | None:
    """In UTC; None for no date and for what is none: the Unix epoch, before 1900, over ten years ahead.

    A naive date counts as UTC. A date in the near future stays: `Item.date` knows what to do.
    """
    if date is None:
        return None
    try:
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return None if date.year < 1900 or date.year > now.year + 10 or date == _EPOCH else date
