"""What a server's answer means, and what its faults are called: pure, one line each."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpcore2
import httpx2

from attention_filter.errors import SourceError

REDIRECTS = {301: True, 302: False, 303: False, 307: False, 308: True}  # status: permanent?
_UNREADABLE = {"br", "zstd", "compress", "x-compress", "x-gzip", "dcb", "dcz"}  # encodings we never ask for
_ENCODINGS = _UNREADABLE | {
    "gzip",
    "deflate",
}  # anything else ("utf-8", "none") is a mistake and packs nothing
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,10})(?!\d)", re.IGNORECASE | re.ASCII)


class PassingError(SourceError):
    """A fault that is worth a second try."""


def refuse(host: str, answer: httpx2.Response, conditional: bool, now: datetime) -> None:
    """Raises the SourceError that a status or an encoding stands for, if it stands for one."""
    status, headers = answer.status_code, answer.headers
    wait = retry_after(headers.get("retry-after"), now)
    if status == 410:
        raise SourceError(f"{host}: gone for good (HTTP 410); remove the source", gone=True)
    if status == 429 or (status == 503 and wait is not None):
        when = "later" if wait is None else f"in {wait:.0f} s"
        raise SourceError(f"{host}: asks us to come back {when} (HTTP {status})", retry_after=wait)
    if 500 <= status < 600:
        raise PassingError(f"{host}: has a fault of its own (HTTP {status}); it will be tried again later")
    if status in (401, 403):
        raise SourceError(f"{host}: refuses us (HTTP {status}); does the address need a login?")
    if status in REDIRECTS and "location" not in headers:
        raise SourceError(f"{host}: redirects to nowhere (HTTP {status}); check the address")
    expected = 200 <= status < 300 or status in REDIRECTS or (status == 304 and conditional)
    if not expected:
        raise SourceError(f"{host}: nothing to read there (HTTP {status}); check the address")
    packed = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    packed = [name for name in packed if name in _ENCODINGS]
    # One layer at most: the size between two layers is out of our sight, and nobody packs twice in earnest.
    if len(packed) > 1 or not _UNREADABLE.isdisjoint(packed):
        how = " in ".join(packed)
        raise SourceError(f"{host}: sent data packed as {how} although we accept gzip; tell its owner")


def too_big(host: str, limit: int) -> SourceError:
    return SourceError(f"{host}: sent more than {limit:,} bytes; raise the setting max_bytes to get it all")


def no_answer(host: str, fault: Exception) -> SourceError:
    """The one line for a fault before the first byte of an answer."""
    # httpcore2 drops __cause__ but keeps the system's own exception as the first argument.
    cause = fault.args[0] if fault.args and isinstance(fault.args[0], Exception) else fault
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SourceError(f"{host}: its certificate is not valid ({cause.verify_message})")
    if isinstance(cause, ssl.SSLError):
        return SourceError(f"{host}: no secure connection (TLS); does the address need http:// instead?")
    if isinstance(fault, httpcore2.ConnectError):
        reason = (cause.strerror if isinstance(cause, OSError) else None) or "no connection"
        return PassingError(f"{host}: {reason.lower()}; it will be tried again later")
    if isinstance(fault, httpcore2.NetworkError | httpcore2.RemoteProtocolError):
        return PassingError(f"{host}: no answer that is HTTP; it will be tried again later")
    return SourceError(f"{host}: cannot be asked ({type(fault).__name__}); check the address")


def broken_answer(host: str, fault: Exception) -> SourceError:
    """The one line for a fault in the middle of an answer."""
    if isinstance(fault, httpx2.DecodingError):
        return SourceError(f"{host}: sent packed data that cannot be unpacked; it will be tried again later")
    return SourceError(f"{host}: broke off in the middle of its answer; it will be tried again later")


def validator(value: str | None) -> str | None:
    """An ETag or date that can be stored and sent back as it is, or None."""
    fits = value is not None and 0 < len(value) <= 1_000 and value.isascii() and value.isprintable()
    return value if fits else None


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """The headers that ask "has it changed since?", for the validators that we have.

    >>> conditional_headers('"a1"', None), conditional_headers("two\\r\\nlines", None)
    ({'If-None-Match': '"a1"'}, {})
    """
    values = {"If-None-Match": validator(etag), "If-Modified-Since": validator(last_modified)}
    return {name: value for name, value in values.items() if value is not None}


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait as a Retry-After header says it: a number or a date (RFC 9110 §10.2.3).

    >>> now = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
    >>> retry_after("120", now), retry_after("Thu, 01 Jan 2026 12:10:00 GMT", now), retry_after("soon", now)
    (120.0, 600.0, None)
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def max_age(value: str | None) -> float | None:
    """Seconds that a Cache-Control header calls the answer fresh.

    >>> max_age("public, max-age=3600"), max_age("no-cache"), max_age("s-maxage=5")
    (3600.0, None, None)
    """
    found = _MAX_AGE.search(value or "")
    return float(found.group(1)) if found else None
