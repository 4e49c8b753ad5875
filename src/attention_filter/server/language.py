"""The page in the visitor's language: messages from gettext catalogues, ages and numbers by Babel.

English is the language of the source; `locale/zh.po` translates it. A new language is a new .po file.
"""

from __future__ import annotations

import re
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
ERROR = "error"  # the context (msgctxt) of messages that are made below the server, with values in them
LONGEST = 500  # characters of an error that is looked for: what somebody typed may stand in it, however long
_VALUE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Language:
    """One language of the page. `say` translates a message and fills in its {names}; `told` an error, which is made
    where no language is known.

    >>> language("zh").say("Tray"), language("en").say("{n} items", n=3)
    ('筛出箱', '3 items')
    """

    code: str  # ISO 639-1
    messages: dict[str, str | tuple[str, ...]]
    errors: tuple[tuple[re.Pattern[str], str], ...] = ()

    def say(self, message: str, **values: Any) -> str:
        found = self.messages.get(message) or message
        text = found if isinstance(found, str) else found[0]
        return text.format(**values) if values else text  # what is no message of ours may have braces: an error, say

    def count(self, one: str, many: str, n: int, **values: Any) -> str:
        """The message for n things: "{n} item", "{n} items"."""
        forms = self.messages.get(one, (one, many))
        text = forms if isinstance(forms, str) else forms[0] if n == 1 else forms[-1]
        return text.format(n=self.number(n), **values)

    def told(self, problem: str) -> str:
        """An error of the parts below, found again by its pattern; one without a translation stays as it is.

        >>> language("zh").told("x.example: no such host; check the address")
        'x.example：没有这个主机；请检查地址'
        """
        if problem not in self.messages and len(problem) <= LONGEST:
            for pattern, text in self.errors:
                if found := pattern.fullmatch(problem):
                    return text.format(**{name: self.told(value) for name, value in found.groupdict().items()})
        return self.say(problem)

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
    said, errors = {}, []
    for message in catalogue:
        if message.context == ERROR:
            errors.append((str(message.id), str(message.string)))
        elif message.id and message.string:
            key = message.id if isinstance(message.id, str) else message.id[0]
            said[key] = message.string if isinstance(message.string, str) else tuple(message.string)
    # What says more comes first: "{host}: refuses us (HTTP {status})" before "{host}: {problem}".
    errors.sort(key=lambda error: -len(_VALUE.sub("", error[0])))
    return Language(code, said, tuple((pattern_of(error), text) for error, text in errors))


def pattern_of(error: str) -> re.Pattern[str]:
    """What a message made from "{host}: no such host" looks like; its values are the groups.

    >>> pattern_of("{host}: no such host").fullmatch("x.example: no such host")["host"]
    'x.example'
    """
    parts = _VALUE.split(error)  # text and names by turns
    names = [f"(?P<{name}>.+?)" for name in parts[1::2]] + [""]
    return re.compile(
        "".join(re.escape(t.format()) + name for t, name in zip(parts[::2], names, strict=True)), re.DOTALL
    )


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
