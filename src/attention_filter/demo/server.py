"""Eight invented feeds on a free port of 127.0.0.1, so that the demo reads them the way it reads real ones.

The feed files are Jinja templates only for their dates: the demo is always a few hours to nine days old.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import Environment, StrictUndefined

from attention_filter.errors import UsageError

RSS, ATOM, RDF = "application/rss+xml", "application/atom+xml", "application/rdf+xml"
JSON_FEED = "application/feed+json"


@dataclass(frozen=True, slots=True)
class Outlet:
    """One invented outlet: its file in feeds/, what it calls itself, how it is served and filed."""

    file: str
    title: str
    media_type: str
    folder: str


OUTLETS = (
    Outlet("circuit-gazette.rss", "The Circuit Gazette", RSS, "English"),
    Outlet("tidepool-science.atom", "Tidepool Science Weekly", ATOM, "English"),
    Outlet("harbourford-post.rss", "Harbourford Post: City and Transport", RSS, "English"),
    Outlet("lambda-lane.atom", "Planet Lambda Lane", ATOM, "English"),
    Outlet("meridian-newswire.rdf", "Meridian Newswire: World and Business", RDF, "English"),
    Outlet("qingyan-tech.rss", "青砚科技日报", RSS, "中文"),
    Outlet("baiqiao-finance.json", "白桥财经", JSON_FEED, "中文"),
    Outlet("wanfeng-life.atom", "晚风生活与健康", ATOM, "中文"),
)


@dataclass(frozen=True, slots=True)
class DemoServer:
    """Where the demo answers while its `with` block lasts."""

    url: str  # "http://127.0.0.1:PORT/", a page that names every feed

    @property
    def host(self) -> str:
        """ "127.0.0.1:PORT", for `Settings.private_hosts`."""
        return urlsplit(self.url).netloc

    @property
    def opml_url(self) -> str:
        return self.url + "feeds.opml"

    @property
    def feed_urls(self) -> tuple[str, ...]:
        return tuple(f"{self.url}feeds/{outlet.file}" for outlet in OUTLETS)


@dataclass(frozen=True, slots=True)
class _Page:
    body: bytes
    content_type: str
    etag: str


def feeds(now: datetime) -> dict[str, bytes]:
    """The eight feed documents by file name, dated relative to `now` (aware); the same for the same `now`.

    >>> from datetime import UTC, datetime
    >>> len(feeds(datetime(2025, 6, 1, tzinfo=UTC)))
    8
    """
    if now.tzinfo is None:
        raise UsageError("the demo's clock has no time zone; pass datetime.now(UTC)")

    def ago(hours: float, zone: int = 0) -> datetime:
        local = timezone(timedelta(hours=zone))
        return (now - timedelta(hours=hours)).astimezone(local).replace(microsecond=0)

    def rfc822(hours: float, zone: int = 0) -> str:
        return format_datetime(ago(hours, zone))

    def iso(hours: float, zone: int = 0) -> str:
        return ago(hours, zone).isoformat()

    def weekday(hours: float) -> str:
        names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        return names[ago(hours).weekday()]  # strftime would follow the machine's locale

    dates = {"rfc822": rfc822, "iso": iso, "weekday": weekday}
    jinja = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    folder = files("attention_filter.demo") / "feeds"
    return {
        outlet.file: jinja.from_string((folder / outlet.file).read_text("utf-8")).render(dates).encode()
        for outlet in OUTLETS
    }


@contextmanager
def serve(now: datetime) -> Iterator[DemoServer]:
    """Serve the feeds of `feeds(now)`, /index.html and /feeds.opml from a daemon thread until the block ends.

    >>> from datetime import UTC, datetime
    >>> with serve(datetime(2025, 6, 1, tzinfo=UTC)) as demo:
    ...     demo.host.startswith("127.0.0.1:"), len(demo.feed_urls)
    (True, 8)
    """
    pages: dict[str, _Page] = {}  # filled below: the OPML names the port, which the server chooses
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(pages, now))
    with server:
        demo = DemoServer(f"http://127.0.0.1:{server.server_port}/")
        pages |= _pages(demo, feeds(now))
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="demo-feeds", daemon=True
        )
        thread.start()
        try:
            yield demo
        finally:
            server.shutdown()
            thread.join()


def _pages(demo: DemoServer, rendered: Mapping[str, bytes]) -> dict[str, _Page]:
    index = _page(_index(), "text/html")
    pages = {"/": index, "/index.html": index, "/feeds.opml": _page(_opml(demo), "text/x-opml")}
    for outlet in OUTLETS:
        pages[f"/feeds/{outlet.file}"] = _page(rendered[outlet.file], outlet.media_type)
    return pages


def _page(body: bytes, media_type: str) -> _Page:
    return _Page(body, f"{media_type}; charset=utf-8", f'"{sha256(body).hexdigest()[:16]}"')


def _index() -> bytes:
    """A small page whose <link rel="alternate"> elements feed discovery can find."""
    links = "\n".join(
        f'<link rel="alternate" type="{o.media_type}" title="{escape(o.title)}" href="/feeds/{o.file}">'
        for o in OUTLETS
    )
    rows = "\n".join(f'<li><a href="/feeds/{o.file}">{escape(o.title)}</a></li>' for o in OUTLETS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Eight invented feeds</title>
{links}
</head><body><h1>Eight invented feeds</h1>
<p>Written for the demo of Attention Filter; nothing in them has happened.
All of them at once: <a href="/feeds.opml">feeds.opml</a>.</p>
<ul>
{rows}
</ul></body></html>
""".encode()


def _opml(demo: DemoServer) -> bytes:
    """The subscriptions as OPML 2.0, one folder per language."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<opml version="2.0">']
    lines += ["<head><title>Eight invented feeds</title></head>", "<body>"]
    for folder in dict.fromkeys(outlet.folder for outlet in OUTLETS):
        lines.append(f'<outline text="{escape(folder)}" title="{escape(folder)}">')
        for outlet, url in zip(OUTLETS, demo.feed_urls, strict=True):
            if outlet.folder == folder:
                title = escape(outlet.title)
                lines.append(f'<outline type="rss" text="{title}" title="{title}" xmlUrl="{escape(url)}"/>')
        lines.append("</outline>")
    return "\n".join([*lines, "</body>", "</opml>", ""]).encode()


def _handler(pages: Mapping[str, _Page], now: datetime) -> type[BaseHTTPRequestHandler]:
    rendered_at = now.astimezone(UTC).replace(microsecond=0)

    class Handler(BaseHTTPRequestHandler):
        server_version = "AttentionFilterDemo"
        sys_version = ""

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def answer(self, with_body: bool) -> None:
            page = pages.get(urlsplit(self.path).path)
            if page is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            unchanged = not_modified(
                self.headers["If-None-Match"], self.headers["If-Modified-Since"], page.etag, rendered_at
            )
            self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
            self.send_header("ETag", page.etag)
            self.send_header("Last-Modified", format_datetime(rendered_at, usegmt=True))
            if not unchanged:
                self.send_header("Content-Type", page.content_type)
                self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            if with_body and not unchanged:
                self.wfile.write(page.body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: the terminal belongs to the demo."""

    return Handler


def not_modified(if_none_match: str | None, if_modified_since: str | None, etag: str, at: datetime) -> bool:
    """Whether 304 is the answer for a page with this ETag, last changed `at` (RFC 9110, 13.1.2 and 13.1.3).

    If-None-Match decides alone when it is sent; entity tags are compared weakly.

    >>> not_modified('W/"a", "b"', None, '"b"', datetime(2025, 6, 1, tzinfo=UTC))
    True
    >>> not_modified('"a"', "Sun, 01 Jun 2025 00:00:00 GMT", '"b"', datetime(2025, 6, 1, tzinfo=UTC))
    False
    """
    if if_none_match is not None:
        tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        return "*" in tags or etag in tags
    if if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except ValueError:
        return False  # an unreadable date is ignored, says 13.1.3
    return at <= (since if since.tzinfo else since.replace(tzinfo=UTC))
