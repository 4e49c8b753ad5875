"""A ranked list as a page or a letter to read: plain text, or one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from attention_filter.types import Ranked

LEAD = 280  # characters of text under a title


def digest_html(ranked: Sequence[Ranked], *, title: str, now: datetime) -> str:
    """One HTML page without scripts, pictures or anything to load; every text is escaped."""
    pages = Environment(loader=PackageLoader("attention_filter"), autoescape=True, undefined=StrictUndefined)
    top = max((one.score for one in ranked), default=0.0)
    stories = [
        {
            "title": one.item.entry.title,
            "url": one.item.entry.url if (one.item.entry.url or "").startswith(("http://", "https://")) else None,
            "lang": one.item.entry.lang if one.item.entry.lang != "und" else "",
            "origin": _origin(one, now),
            "lead": _lead(one),
            "score": f"{one.score:+.2f}",
            "percent": round(100 * max(one.score, 0) / top) if top > 0 else 0,
            "why": _why(one),
        }
        for one in ranked
    ]
    moment = f"{now:%-d %B %Y, %H:%M} UTC"
    return pages.get_template("digest.html").render(title=title, stories=stories, now=moment)


def digest_text(ranked: Sequence[Ranked], now: datetime) -> str:
    """The same as plain text, for a terminal or a letter."""
    blocks = []
    for place, one in enumerate(ranked, 1):
        lines = [f"{place}. {one.item.entry.title}", f"   {_origin(one, now)} · {one.score:+.2f}"]
        lines += [f"   {_lead(one)}"] if _lead(one) else []
        lines += [f"   {_why(one)}"] if _why(one) else []
        lines += [f"   {one.item.entry.url}"] if one.item.entry.url else []
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) or "Nothing new that is worth your attention."


def age(then: datetime, now: datetime) -> str:
    """How long ago, in the largest fitting unit.

    >>> from datetime import UTC
    >>> age(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, 5, tzinfo=UTC))
    '2 d'
    """
    minutes = max((now - then).total_seconds() / 60, 0)
    if minutes < 60:
        return f"{minutes:.0f} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 1440:.0f} d"


def _origin(one: Ranked, now: datetime) -> str:
    others = f"{len(one.story)} more tell it" if one.story else ""
    return " · ".join(part for part in (one.item.source_title, age(one.item.date, now), others) if part)


def _lead(one: Ranked) -> str:
    text = " ".join(one.item.entry.text.split())
    return text if len(text) <= LEAD else text[: LEAD - 1].rstrip() + "…"


def _why(one: Ranked) -> str:
    if one.pinned:
        return "pinned by your rule"
    reasons = [f"for “{one.interest}”" if one.interest else "", one.moved or ""]
    return " · ".join(reason for reason in reasons if reason)
