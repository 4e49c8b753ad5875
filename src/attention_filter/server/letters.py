"""Digests as letters: when one is due, and what it looks like. Pure; `post` sends them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from attention_filter.digest import Tongue, digest_html, digest_text
from attention_filter.errors import UsageError
from attention_filter.types import Ranked

TITLE = "What deserves your attention"


class Every(StrEnum):
    NEVER = "never"
    DAY = "day"
    WEEK = "week"


class Schedule(BaseModel):
    """When a reader wants a digest, in their own time zone, and how long."""

    model_config = ConfigDict(frozen=True)

    every: Every = Every.NEVER
    weekday: int = Field(default=0, ge=0, le=6)  # of a weekly one; 0 is Monday
    hour: int = Field(default=7, ge=0, le=23)
    zone: str = "UTC"
    size: int = Field(default=12, ge=1, le=50)
    only_news: bool = True  # send none when there is nothing

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"no time zone {zone!r}; write it as Europe/Berlin or Asia/Shanghai")
        return zone


def slot(schedule: Schedule, now: datetime) -> datetime | None:
    """The last moment (UTC) at or before now at which a digest was due; None when none is wanted.

    >>> daily = Schedule(every=Every.DAY, hour=7, zone="Asia/Shanghai")
    >>> slot(daily, datetime(2026, 11, 22, 12, tzinfo=UTC)).isoformat()
    '2026-11-21T23:00:00+00:00'
    """
    return next((one for one in reversed(_slots(schedule, now)) if one <= now), None)


def next_slot(schedule: Schedule, now: datetime) -> datetime | None:
    """The first moment (UTC) after now at which a digest is due."""
    return next((one for one in _slots(schedule, now) if one > now), None)


def _slots(schedule: Schedule, now: datetime) -> list[datetime]:
    """The moments of eight days before and after now, in order. An hour that a clock skips in spring counts as the one
    after, one that it shows twice in autumn as the first (PEP 495)."""
    zone = ZoneInfo(schedule.zone)
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=n) for n in range(-8, 9)] if schedule.every is not Every.NEVER else []
    return [
        datetime.combine(day, time(schedule.hour), zone).astimezone(UTC)
        for day in days
        if schedule.every is Every.DAY or day.weekday() == schedule.weekday
    ]


def mail_address(text: str) -> str:
    """The address as it can stand in a header; UsageError when it is none.

    >>> mail_address(" ann@example.org ")
    'ann@example.org'
    """
    text = text.strip()
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError, AttributeError, MessageError) as error:
        raise UsageError(f"{text!r} is no mail address; write it as name@example.org") from error
    plain = text.isascii() and text.isprintable() and not set(text) & set(' ,;<>"')
    if not plain or not found.username or "." not in found.domain.strip("."):
        raise UsageError(f"{text!r} is no mail address; write it as name@example.org")
    return text


def digest_letter(
    ranked: Sequence[Ranked], *, sender: str, to: str, slot: datetime, now: datetime, tongue: Tongue, stop: str
) -> EmailMessage:
    """A digest as a letter: plain text and HTML, one click to end them (RFC 8058).

    The Message-ID is the same for a slot however often it is tried, so that a mailbox can tell a doubled letter.
    """
    title = tongue.say(TITLE)
    letter = _letter(sender, to, f"{title} · {ranked[0].item.entry.title}" if ranked else title, slot.isoformat(), now)
    letter["List-Unsubscribe"] = f"<{stop}>"
    letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter["Content-Language"] = tongue.code
    letter.set_content(digest_text(ranked, now, tongue, stop) + "\n", cte="base64")
    html = digest_html(ranked, title=title, now=now, tongue=tongue, stop=stop)
    letter.add_alternative(html, subtype="html", cte="base64")
    return letter


def confirmation_letter(*, sender: str, to: str, link: str, now: datetime, tongue: Tongue) -> EmailMessage:
    """The letter that asks whether an address is the reader's."""
    letter = _letter(sender, to, tongue.say("Please confirm your address"), link, now)
    said = tongue.say("Somebody, hopefully you, asked Attention Filter to send digests to this address.")
    then = tongue.say("If it was you, open this within two days; otherwise do nothing, and nothing more comes:")
    letter.set_content(f"{said}\n{then}\n\n{link}\n", cte="base64")
    return letter


def _letter(sender: str, to: str, subject: str, about: str, now: datetime) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = to
    letter["Subject"] = " ".join(subject.split())[:200]
    letter["Date"] = format_datetime(now)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    letter["Message-ID"] = f"<{uuid5(NAMESPACE_URL, f'{to} {about}')}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers from absent people
    return letter
