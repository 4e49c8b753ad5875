"""Bytes to text, when what the source says about its encoding is missing or wrong."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

# The WHATWG Encoding Standard reads these labels as their supersets; so do browsers, hence so do writers.
_SUPERSET = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "tis-620": "cp874",
}
# Escape-sequence encodings are valid ASCII, so they must be tried before UTF-8.
_ESCAPED = ("iso2022", "hz")
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16 LE, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)""",
    re.I,
)
_DOUBLE = re.compile(rb"[\xa1-\xfe][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")


def decode(body: bytes, labels: Iterable[str | None] = ()) -> tuple[str, bool]:
    """The text of `body`, and whether every byte was understood.

    Tried in order: byte-order mark, UTF-16 told by its zero bytes, UTF-8 (text that is valid UTF-8 by chance
    hardly exists, wrong labels do), the given `labels` (of the transport), what the document declares,
    GB18030 when the bytes come in pairs, Windows-1252.

    >>> decode("é".encode("utf-8"), ["latin-1"]), decode("新闻网站".encode("gbk"))[0]
    (('é', True), '新闻网站')
    """
    for mark, marked in _BOMS:
        if body.startswith(mark):
            return _leniently(body[len(mark) :], marked)
    if unmarked := _by_zeros(body[:200]):
        return _leniently(body, unmarked)
    declared = _DECLARED.search(body[:2048])
    inside = (declared[1] or declared[2]).decode("ascii", "ignore") if declared else None
    names = [codec for label in (*labels, inside) if (codec := _codec(label))]
    for name in [*(n for n in names if n.startswith(_ESCAPED)), "utf-8", *names]:
        if (text := _strictly(body, name)) is not None:
            return text, True
    return _best_of_damaged(body, names)


def _best_of_damaged(body: bytes, names: list[str]) -> tuple[str, bool]:
    """No encoding fits every byte: the first under which only few bytes are lost, else a guess."""
    high = len(_HIGH.findall(body))
    for name in ["utf-8", *names]:
        partly = body.decode(name, "replace")
        if partly.count("\ufffd") * 10 <= high:
            return partly, False
    if len(_DOUBLE.findall(body)) * 2 >= 0.7 * high:
        return _leniently(body, "gb18030")
    text = _strictly(body, "cp1252")
    return body.decode("latin-1") if text is None else text, True


def _strictly(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        return None


def _leniently(body: bytes, name: str) -> tuple[str, bool]:
    text = _strictly(body, name)
    return (text, True) if text is not None else (body.decode(name, "replace"), False)


def _codec(label: str | None) -> str | None:
    """Python's name of the text encoding that a label means; None for unknown ones and UTF-7.

    >>> _codec("GB2312"), _codec("rot13"), _codec("no such")
    ('gb18030', None, None)
    """
    if not label:
        return None
    try:
        info = codecs.lookup(label.strip())
        info.decode(b"", "strict")
    except (LookupError, ValueError, TypeError, UnicodeError):
        return None
    # Transforms (hex, zip, rot13) are no text encodings; UTF-7 hides markup; UTF-16 without marks was seen above.
    known = getattr(info, "_is_text_encoding", True) and not info.name.startswith(("utf-7", "utf-16", "utf-32"))
    usable = known and info.name not in ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")
    return _SUPERSET.get(info.name, info.name) if usable else None


def _by_zeros(start: bytes) -> str | None:
    """UTF-16 without a mark shows as zero bytes in every other place of its ASCII part."""
    if len(start) < 4 or start.count(0) < len(start) // 3:
        return None
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) * 4 > max(even, odd):
        return None  # zeros everywhere: binary, or UTF-32 without a mark
    return "utf-16-be" if even > odd else "utf-16-le"
