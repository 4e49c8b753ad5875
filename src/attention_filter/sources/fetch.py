"""The one HTTP client: every request that leaves this program goes through `Client`.

Polite: says who it is, asks "has it changed?" (conditional GET, RFC 9110 §13), obeys Retry-After, holds one
connection per host at a time. Careful: follows redirects itself and checks every hop (see guard), limits the
time of the whole response and its size on the wire and unpacked, keeps no cookies and no credentials.
Whatever a server does, the answer is a `Response` or a `SourceError` of one line (see answers).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import Self

import httpcore2
import httpx2
import stamina

from attention_filter.errors import SourceError
from attention_filter.settings import Settings
from attention_filter.sources.answers import (
    REDIRECTS,
    PassingError,
    broken_answer,
    conditional_headers,
    max_age,
    no_answer,
    refuse,
    too_big,
    validator,
)
from attention_filter.sources.guard import GuardedTransport, Limits, Resolve, is_named, system_resolve

MAX_HOPS = 5
ATTEMPTS = 3  # for faults that are often gone a moment later
LONGEST_URL = 4_000  # characters
HEADROOM = 256 * 1024  # bytes for headers and chunk marks on top of max_bytes

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, text/html;q=0.6, */*;q=0.5"
)
# What httpx2, httpcore2, ssl and the idna codec raise for what a server or an address can do to them.
_FAULTS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    OSError,
    ValueError,
)

# stamina would print each retry to the terminal; what came of it is in the SourceError.
stamina.instrumentation.set_on_retry_hooks(())


@dataclass(frozen=True, slots=True)
class Response:
    """What a source answered. `body` is unpacked, and empty when the source has not changed."""

    status: int
    url: str  # where the redirects ended
    body: bytes
    not_modified: bool
    etag: str | None  # to be sent with the next request, as is last_modified
    last_modified: str | None
    content_type: str | None
    moved_to: str | None  # the source's new address, when it moved for good
    max_age: float | None  # seconds the server wants us to wait, from Cache-Control


@dataclass(frozen=True, slots=True)
class _Redirect:
    location: str
    permanent: bool


class Client:
    """Fetches addresses under the limits of `settings`; may be used by several threads at once.

    `resolve`, `network` and `now` are the world outside; `retry_wait` is the first wait between attempts, in
    seconds, which doubles and is jittered.

    >>> with Client(Settings(), resolve=lambda host, port: ["10.0.0.5"]) as client:
    ...     client.get("http://intranet.example/feed")
    Traceback (most recent call last):
    ...
    attention_filter.errors.SourceError: intranet.example: 10.0.0.5 is not a public address; \
only a source that you name in the setting private_hosts may be private
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve = system_resolve,
        network: httpcore2.NetworkBackend | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        retry_wait: float = 0.3,
    ) -> None:
        self._settings = settings
        self._now = now
        self._retry_wait = retry_wait
        self._turns: dict[str, Lock] = {}
        self._turns_lock = Lock()
        self._http = httpx2.Client(
            transport=GuardedTransport(resolve, network or httpcore2.SyncBackend()),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=settings.connect_timeout),
            headers={
                "User-Agent": "".join(c for c in settings.user_agent if c.isascii() and c.isprintable()),
                "Accept": ACCEPT,
                "Accept-Encoding": "gzip, deflate",
                "Connection": "close",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Response:
        """The source's answer: a fresh body, or `not_modified` when it still is what the validators name.

        The time limit covers everything from the first connection to the last byte, redirects and retries
        included; waiting for another request to the same host is not counted. Raises SourceError for
        everything else that can happen: with `gone` for 410, with `retry_after` (seconds) when the server
        said so.
        """
        target = _checked(url)
        validators = conditional_headers(etag, last_modified)
        left = self._settings.total_timeout
        moved_to: str | None = None
        permanent = named = True
        for _ in range(MAX_HOPS + 1):
            host = _host(target)
            # A stranger's redirect may not use the reader's opt-in: it holds while every hop was named.
            named = named and is_named(host, _port(target), self._settings.private_hosts)
            with self._turn(host):
                limits = Limits(
                    deadline=time.monotonic() + left,
                    seconds=self._settings.total_timeout,
                    wire_bytes=self._settings.max_bytes + HEADROOM,
                    named=named,
                )
                answer = self._patiently(target, validators, limits)
                left = limits.deadline - time.monotonic()
            if isinstance(answer, Response):
                return replace(answer, moved_to=moved_to)
            before, target = target, _joined(target, answer.location)
            permanent = permanent and answer.permanent and (before.scheme, target.scheme) != ("https", "http")
            moved_to = str(target) if permanent else moved_to
        raise SourceError(f"{_host(target)}: redirects more than {MAX_HOPS} times; check the address")

    def post_form(self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a form, sent once: it may have had an effect, so it is neither repeated nor redirected.

        Raises SourceError as `get` does; `headers` may hold credentials, which no error repeats.
        """
        target = _checked(url)
        host = _host(target)
        with self._turn(host):
            limits = Limits(
                deadline=time.monotonic() + self._settings.total_timeout,
                seconds=self._settings.total_timeout,
                wire_bytes=self._settings.max_bytes + HEADROOM,
                named=is_named(host, _port(target), self._settings.private_hosts),
            )
            answer = self._once(target, headers or {}, limits, form)
        if isinstance(answer, _Redirect):
            raise SourceError(f"{host}: redirects a form that was sent to it; check the address")
        return answer

    def _turn(self, host: str) -> Lock:
        """The lock that lets one request at a time go to a host."""
        with self._turns_lock:
            return self._turns.setdefault(host.removesuffix("."), Lock())

    def _patiently(self, target: httpx2.URL, validators: Mapping[str, str], limits: Limits) -> Response | _Redirect:
        """The answer of one hop, asked again when the fault may be a passing one."""
        attempts = stamina.retry_context(
            on=PassingError,
            attempts=ATTEMPTS,
            timeout=limits.left(_host(target)),
            wait_initial=self._retry_wait,
            wait_max=4 * self._retry_wait,
            wait_jitter=self._retry_wait,
        )
        for attempt in attempts:
            with attempt:
                return self._once(target, validators, limits)
        raise AssertionError("stamina ends with an answer or an exception")

    def _once(
        self, target: httpx2.URL, headers: Mapping[str, str], limits: Limits, form: Mapping[str, str] | None = None
    ) -> Response | _Redirect:
        host = _host(target)
        method = "GET" if form is None else "POST"
        try:
            request = self._http.build_request(
                method, target, headers=headers, data=form, extensions={"limits": limits}
            )
            answer = self._http.send(request, stream=True)
        except _FAULTS as exc:
            raise no_answer(host, exc) from exc
        with closing(answer):
            refuse(host, answer, form is None and bool(headers), self._now())
            if answer.status_code in REDIRECTS:
                return _Redirect(answer.headers["location"], REDIRECTS[answer.status_code])
            try:
                body = b"" if answer.status_code == 304 else _read(host, answer, self._settings.max_bytes)
            except _FAULTS as exc:
                raise broken_answer(host, exc) from exc
        said = answer.headers
        return Response(
            status=answer.status_code,
            url=str(target),
            body=body,
            not_modified=answer.status_code == 304,
            etag=validator(said.get("etag")),
            last_modified=validator(said.get("last-modified")),
            content_type=said.get("content-type"),
            moved_to=None,
            max_age=max_age(said.get("cache-control")),
        )


def _read(host: str, answer: httpx2.Response, max_bytes: int) -> bytes:
    """The unpacked body. httpx2 unpacks at most 1 MiB at a time, so a bomb ends soon after the limit."""
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_big(host, max_bytes)
    body = bytearray()
    try:
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise too_big(host, max_bytes)
        return bytes(body)
    finally:
        body.clear()  # the traceback of an error would hold it until the garbage collector comes


def _checked(url: str, redirected_by: str | None = None) -> httpx2.URL:
    """The address as a URL without its fragment, if it is one that we ask; SourceError if not.

    >>> _checked("HTTP://Example.org#top")
    URL('http://example.org')
    >>> _checked("file:///etc/passwd", redirected_by="example.org")
    Traceback (most recent call last):
    ...
    attention_filter.errors.SourceError: example.org: redirects to "file:///etc/passwd", which is not at \
http or https; addresses look like https://example.org/feed
    """
    try:
        target = httpx2.URL(url).copy_with(fragment=None) if len(url) <= LONGEST_URL else None
    except (httpx2.InvalidURL, ValueError):
        target = None
    if target is None:
        problem = "cannot be read as an address"
    elif target.scheme not in ("http", "https"):
        problem = "is not at http or https"
    elif not target.raw_host or not 0 < _port(target) < 65536:
        problem = "has no such host and port"
    elif target.userinfo:
        problem, url = "has a user name or password in it", f"{target.scheme}://…@{_host(target)}"
    else:
        return target
    shown = "".join(letter if letter.isprintable() else "?" for letter in url[:80])
    start = f'{redirected_by}: redirects to "{shown}", which' if redirected_by else f'"{shown}"'
    raise SourceError(f"{start} {problem}; addresses look like https://example.org/feed")


def _joined(target: httpx2.URL, location: str) -> httpx2.URL:
    """Where a redirect leads."""
    with suppress(httpx2.InvalidURL, ValueError):  # the check says what is wrong with it
        location = str(target.join(location))
    return _checked(location, redirected_by=_host(target))


def _host(target: httpx2.URL) -> str:
    """The host in ASCII. `URL.host` would decode "xn--" labels, which raises for bad ones."""
    return target.raw_host.decode("ascii")


def _port(target: httpx2.URL) -> int:
    return target.port if target.port is not None else {"http": 80, "https": 443}[target.scheme]
