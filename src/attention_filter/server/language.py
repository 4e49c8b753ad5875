"""The page in the visitor's language: messages from gettext catalogues, ages and numbers by Babel.

English is the language of the source; `locale/zh.po` translates it. A new language is a new .po file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from babel.core import Locale, negotiate_locale
from babel.dates import format_datetime, format_skeleton, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

ENGLISH = "en"


@dataclass(frozen=True)
class Language:
    """One language of the page. `say` translates a message and fills in its {names}.

    >>> language("zh").say("Tray"), language("en").say("{n} items", n=3)
    ('筛出箱', '3 items')
    """

    code: str  # ISO 639-1
    messages: dict[str, str | tuple[str, ...]]

    def say(self, message: str, **values: Any) -> str:
        found = self.messages.get(message) or message
        text = found if isinstance(found, str) else found[0]
        return text.format(**values) if values else text  # what is no message of ours may have braces: an error, say

    def count(self, one: str, many: str, n: int, **values: Any) -> str:
        """The message for n things: "{n} item", "{n} items"."""
        forms = self.messages.get(one, (one, many))
        text = forms if isinstance(forms, str) else forms[0] if n == 1 else forms[-1]
        return text.format(n=self.number(n), **values)

    def ago(self, then: datetime, now: datetime) -> str:
        """How long ago, in the largest fitting unit: "3 hr", "3小时"."""
        seconds = int((now - then).total_seconds())
        return _ago(self.code, seconds if seconds < 3600 else seconds // 60 * 60)

    def named(self, code: str) -> str:
        """What this language calls another: "Chinese", "中文"; the code when it has no name for it."""
        return _named(self.code, code)

    def moment(self, when: datetime) -> str:
        return format_datetime(when, "medium", locale=self.code)

    def day(self, when: datetime) -> str:
        """The day without its year: "Nov 25", "11月25日"."""
        return str(format_skeleton("MMMd", when, locale=self.code))

    def number(self, value: float, digits: int = 0) -> str:
        pattern = "#,##0" if digits == 0 else "#,##0." + "0" * digits
        return _decimal(self.code, value, pattern)

    def percent(self, share: float) -> str:
        return _percent(self.code, round(share, 4), "#,##0 %")

    def share(self, share: float) -> str:
        """A share with a digit after the point where there is one: "99.5 %"."""
        return format_percent(share, "#,##0.# %", locale=self.code)


# Babel takes 30 µs for a number, and a page may show hundreds, most of them small.
@lru_cache(4096)
def _decimal(locale: str, value: float, pattern: str) -> str:
    return format_decimal(value, pattern, locale=locale)


@lru_cache(4096)
def _percent(locale: str, share: float, pattern: str) -> str:
    return format_percent(share, pattern, locale=locale)


@lru_cache(4096)
def _ago(locale: str, seconds: int) -> str:
    return format_timedelta(timedelta(seconds=seconds), format="short", locale=locale)


@lru_cache(1024)
def _named(locale: str, code: str) -> str:
    return str(Locale(locale).languages.get(code, code))


@cache
def languages() -> tuple[str, ...]:
    """The codes that the page can be shown in."""
    found = [path.name.removesuffix(".po") for path in (files(__package__) / "locale").iterdir()]
    return (ENGLISH, *sorted(found))


@cache
def language(code: str) -> Language:
    """The language with this code; English for one we do not have."""
    if code == ENGLISH or code not in languages():
        return Language(ENGLISH, {})
    with (files(__package__) / "locale" / f"{code}.po").open("rb") as file:
        catalogue: Catalog = read_po(file, locale=code)
    said = {}
    for message in catalogue:
        if message.id and message.string:
            key = message.id if isinstance(message.id, str) else message.id[0]
            said[key] = message.string if isinstance(message.string, str) else tuple(message.string)
    return Language(code, said)


def wanted_by(accept_language: str, have: Sequence[str] | None = None) -> str:
    """The best of our languages for an Accept-Language header (RFC 9110, section 12.5.4).

    >>> wanted_by("fr;q=0.9, zh-CN;q=0.8, en;q=0.1"), wanted_by("")
    ('zh', 'en')
    """
    weighed = []
    for part in accept_language.split(",")[:20]:
        name, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        if name and name != "*":
            weighed.append((-weight, name.strip().partition("-")[0].lower()))
    names = [name for weight, name in sorted(weighed, key=lambda pair: pair[0]) if weight < 0]
    return negotiate_locale(names, have or languages()) or ENGLISH
