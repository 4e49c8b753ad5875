"""Items as the feeds of invented sources, clean or with what real feeds append, served on loopback.

A source has its own habits: a footer, a block of links to its other items, lines to share, a teaser, a paragraph that
stands in every one of its items, a newsletter, tracking text; some also code, a table or a ticker. The pieces are in
data/clutter.json, invented for this, by language; `first_week.py --clutter FILE` takes others of the same form. What
a source appends to an item depends on the seed, the source and the item alone, so readers share the texts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zlib import crc32

import numpy as np

from attention_filter.logs import LogItem

CLUTTER = Path(__file__).parent / "data" / "clutter.json"
# The parts of an item in their order, and the share of the sources that have each.
BEFORE = {"tracking": 0.6}
AFTER = {"teaser": 0.6, "paragraph": 0.6, "share": 0.6, "related": 0.7, "newsletter": 0.5, "footer": 1.0}
EXTRAS, HAS_EXTRA = ("code", "table", "ticker"), 0.4
COPIED = 0.12  # of the items another source has a copy, too
RELATED = (3, 6)  # links in a block: at least, below

Clutter = Mapping[str, Mapping[str, Sequence[str]]]  # {language: {part: pieces}}


@dataclass(frozen=True)
class Source:
    """An invented outlet. `habits` are the pieces that it puts around its items: {part: piece}."""

    number: int
    name: str
    lang: str
    atom: bool
    habits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Post:
    """An entry of a feed. `item` is the row of what it tells; a `copy` tells it after another source."""

    item: int
    copy: bool
    source: int
    title: str
    html: str
    published: datetime

    @property
    def guid(self) -> str:
        return f"{self.item}{'-copy' if self.copy else ''}@{self.source}"


def read_clutter(path: Path = CLUTTER) -> Clutter:
    clutter: Clutter = json.loads(path.read_text(encoding="utf-8"))
    return clutter


def make_sources(lang: str, count: int, clutter: Clutter, seed: int) -> list[Source]:
    """`count` sources that speak `lang` (Chinese, or else English), no two by one name as far as the names go."""
    rng = np.random.default_rng([seed, count])
    pieces = clutter["zh" if lang == "zh" else "en"]
    names = rng.permutation(np.array(pieces["names"], object)).tolist()
    sources = []
    for number in range(count):
        habits = {
            part: str(rng.choice(np.array(pieces[part], object)))
            for part, share in (BEFORE | AFTER).items()
            if rng.random() < share
        }
        if rng.random() < HAS_EXTRA:
            part = str(rng.choice(EXTRAS))
            habits[part] = str(rng.choice(np.array(pieces[part], object)))
        name = names[number % len(names)] + ("" if number < len(names) else f" {number // len(names) + 1}")
        # What a whole site repeats is the same in every item: its names and numbers are filled in once.
        filled = {
            part: fill(text, name, pieces, rng) if part in ("paragraph", "newsletter") else text
            for part, text in habits.items()
        }
        sources.append(Source(number, name, lang, bool(number % 2), filled))
    return sources


def fill(
    piece: str, source: str, pieces: Mapping[str, Sequence[str]], rng: np.random.Generator, title: str = ""
) -> str:
    """A piece with names and numbers in their places; each place is drawn by itself.

    >>> fill("{title}, {source}", "The Mail", {"people": [], "places": []}, np.random.default_rng(0), "Rain")
    'Rain, The Mail'
    """
    text = piece.replace("{source}", source).replace("{year}", "2026").replace("{{", "{").replace("}}", "}")
    for place, drawn in (("{person}", pieces["people"]), ("{place}", pieces["places"])):
        while place in text:
            text = text.replace(place, str(drawn[int(rng.integers(len(drawn)))]), 1)
    while "{n}" in text:
        text = text.replace("{n}", str(int(rng.integers(2, 60))), 1)
    return text.replace("{title}", title)  # last: a title may have braces of its own


class Press:
    """The sources of one set of items, and what each makes of an item."""

    def __init__(self, items: Sequence[LogItem], lang: str, clutter: Clutter, seed: int, messy: bool) -> None:
        self.items, self.seed, self.messy = items, seed, messy
        count = int(np.random.default_rng([seed, len(items)]).integers(6, 13))
        self.sources = make_sources(lang, count, clutter, seed)
        self.pieces = clutter["zh" if lang == "zh" else "en"]
        self.dealt = np.random.default_rng([seed, 1]).integers(count, size=len(items))

    def posts(self, item: int, published: datetime, copied: datetime) -> list[Post]:
        """The post of an item, and for some items the copy in another source, from the time `copied` on."""
        one, rng = self.items[item], self._rng(item, "copy")
        source = self.sources[int(self.dealt[item])]
        posts = [self._post(item, False, source, one.title, one.text, published)]
        if rng.random() < COPIED:
            other = self.sources[(source.number + 1 + int(rng.integers(len(self.sources) - 1))) % len(self.sources)]
            title, text = self.retell(one.title, one.text, other, rng)
            posts.append(self._post(item, True, other, title, text, copied))
        return posts

    def retell(self, title: str, text: str, source: Source, rng: np.random.Generator) -> tuple[str, str]:
        """Title and text as a second source has them: slightly changed."""
        named = fill(str(rng.choice(np.array(self.pieces["retold"], object))), source.name, self.pieces, rng, title)
        opening = fill(str(rng.choice(np.array(self.pieces["told_by"], object))), source.name, self.pieces, rng)
        return named, opening + text if text else ""

    def _post(self, item: int, copy: bool, source: Source, title: str, text: str, published: datetime) -> Post:
        html = paragraphs(text)
        if self.messy:
            html = self._mess(html, title, source, self._rng(item, f"mess {source.number}"))
        return Post(item, copy, source.number, title, html, published)

    def _mess(self, html: str, title: str, source: Source, rng: np.random.Generator) -> str:
        parts = {part: fill(text, source.name, self.pieces, rng, title) for part, text in source.habits.items()}
        before = [f'<p class="{part}">{escape(parts[part])}</p>' for part in BEFORE if part in parts]
        after = []
        for part in (*EXTRAS, *AFTER):
            if part not in parts:
                continue
            if part == "related":
                own = np.flatnonzero(self.dealt == source.number)
                drawn = rng.choice(own, min(int(rng.integers(*RELATED)), len(own)), replace=False)
                links = "".join(f'<li><a href="/{row}">{escape(self.items[row].title)}</a></li>' for row in drawn)
                after.append(f"<h3>{escape(parts[part])}</h3><ul>{links}</ul>")
            elif part == "table":
                cells = "".join(
                    "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line.split("|")) + "</tr>"
                    for line in parts[part].splitlines()
                )
                after.append(f"<table>{cells}</table>")
            elif part == "code":
                after.append(f"<pre><code>{escape(parts[part])}</code></pre>")
            else:
                after.append(f'<p class="{part}">{escape(parts[part])}</p>')
        return "".join([*before, html, *after])

    def _rng(self, item: int, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, item, crc32(purpose.encode())])


def paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line.strip())


def document(source: Source, posts: Sequence[Post], url: str) -> bytes:
    """The feed of a source as RSS 2.0 or Atom, the newest first."""
    newest = sorted(posts, key=lambda post: post.published, reverse=True)
    entry, whole = (_atom_entry, _ATOM) if source.atom else (_rss_item, _RSS)
    entries = "".join(entry(post, f"{url}{source.number}/{post.item}{'c' if post.copy else ''}") for post in newest)
    return whole.format(name=escape(source.name), url=url, entries=entries).encode()


_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_RSS = _HEAD + '<rss version="2.0"><channel><title>{name}</title><link>{url}</link>{entries}</channel></rss>'
_ATOM = _HEAD + '<feed xmlns="http://www.w3.org/2005/Atom"><title>{name}</title><id>{url}</id>{entries}</feed>'


def _rss_item(post: Post, link: str) -> str:
    return (
        f"<item><title>{escape(post.title)}</title><link>{link}</link><guid isPermaLink='false'>{post.guid}</guid>"
        f"<pubDate>{format_datetime(post.published)}</pubDate><description>{escape(post.html)}</description></item>"
    )


def _atom_entry(post: Post, link: str) -> str:
    return (
        f"<entry><title>{escape(post.title)}</title><link href='{link}'/><id>{post.guid}</id>"
        f"<updated>{post.published.isoformat()}</updated><content type='html'>{escape(post.html)}</content></entry>"
    )


@dataclass
class FeedServer:
    """Feeds on a free port of 127.0.0.1. `bodies` {path: document} is what stands there now."""

    url: str
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """For `Settings.private_hosts`."""
        return self.url.split("/")[2]

    def publish(self, sources: Sequence[Source], posts: Sequence[Post]) -> list[str]:
        """Let these posts be what the feeds hold; returns the feeds' addresses."""
        for source in sources:
            own = [post for post in posts if post.source == source.number]
            self.bodies[f"/{source.number}.xml"] = document(source, own, self.url)
        return [f"{self.url}{source.number}.xml" for source in sources]


@contextmanager
def serve() -> Iterator[FeedServer]:
    """A server of feeds, until the block ends."""
    bodies: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path)
            self.send_response(HTTPStatus.NOT_FOUND if body is None else HTTPStatus.OK)
            self.send_header("Content-Type", "application/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: the terminal shows the progress."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield FeedServer(f"http://127.0.0.1:{server.server_port}/", bodies)
        finally:
            server.shutdown()
            thread.join()
