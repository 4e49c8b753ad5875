"""The feeds that a web page offers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from attention_filter.sources.clean import web_url
from attention_filter.sources.decoding import decode
from attention_filter.sources.markup import one_line, too_deep

MAX_PAGE = 600_000  # characters of a page that are read
MAX_FOUND = 50
_KINDS = {
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/feed+json": "json",
    "application/json": "json",
    "application/rdf+xml": "rdf",
    "application/xml": "xml",
    "text/xml": "xml",
}
_LOOKS_LIKE_FEED = re.compile(
    r"(?:^|/)(?:rss|atom|feed|feeds|rdf)(?:\.(?:xml|rss|rdf|atom|json|php))?/?(?:\?|$)|"
    r"(?:^|/)index\.(?:xml|rdf|atom)$|\.(?:rss|atom|rdf)(?:\?|$)|feeds?[./].*\.xml$|[?&]feed=(?:rss2?|atom)\b|"
    r"feeds\.feedburner\.com/",
    re.I,
)
_USUAL_PATHS = ("/feed", "/rss.xml", "/atom.xml", "/feed.xml", "/index.xml", "/rss", "/feed.json")


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that a page offers. `kind` is rss, atom, json, rdf, xml, or "link" and "guess" for mere candidates."""

    url: str
    title: str
    kind: str


def discover(html: bytes, url: str) -> list[FoundFeed]:
    """The feeds of a page, the likeliest first: those it declares, links that look like feeds, usual paths.

    Declared means `<link rel="alternate" type="application/rss+xml">` and its kin (HTML Living Standard,
    4.6.7.1); a feed of comments comes after the others. What is only a "guess" has to be tried.

    >>> page = b'<link rel=alternate type="application/atom+xml" title=News href=/atom><a href="/rss.xml">RSS</a>'
    >>> [(feed.url, feed.kind) for feed in discover(page, "https://e.org/blog/")][:2]
    [('https://e.org/atom', 'atom'), ('https://e.org/rss.xml', 'link')]
    """
    text = decode(html)[0][:MAX_PAGE]
    if too_deep(text):
        text = "".join(re.findall(r"<(?:link|a|base)\s[^<>]{1,2000}>", text, re.I)[:5_000])
    tree = LexborHTMLParser(text)
    base = _base(tree, url)
    found: dict[str, FoundFeed] = {}
    for feed in (*_declared(tree, base), *_linked(tree, base), *_guessed(url)):
        if feed.url not in found and len(found) < MAX_FOUND:
            found[feed.url] = feed
    return list(found.values())


def _base(tree: LexborHTMLParser, url: str) -> str:
    node = tree.css_first("base[href]")
    return (web_url(node.attributes.get("href"), url) if node else None) or url


def _declared(tree: LexborHTMLParser, base: str) -> list[FoundFeed]:
    feeds = []
    for node in tree.css("link[href]"):
        rel = (node.attributes.get("rel") or "").lower().split()
        mime = (node.attributes.get("type") or "").split(";")[0].strip().lower()
        if not {"alternate", "feed"} & set(rel) or "stylesheet" in rel or (mime not in _KINDS and "feed" not in rel):
            continue
        # Plain JSON and XML are declared for oEmbed and WordPress' API as well: there the address must tell.
        address = web_url(node.attributes.get("href"), base)
        generic = mime in ("application/json", "text/xml", "application/xml")
        if address and not (generic and ("oembed" in address or "/wp-json/" in address)):
            feeds.append(FoundFeed(address, _title(node, "title"), _KINDS.get(mime, "xml")))
    return sorted(feeds, key=lambda feed: "comment" in f"{feed.url} {feed.title}".lower())


def _linked(tree: LexborHTMLParser, base: str) -> list[FoundFeed]:
    feeds = []
    for node in tree.css("a[href]"):
        href = node.attributes.get("href") or ""
        mime = (node.attributes.get("type") or "").strip().lower()
        address = web_url(href, base)
        if address and (mime in _KINDS or _LOOKS_LIKE_FEED.search(address)):
            feeds.append(FoundFeed(address, one_line(node.text(deep=True), 200), "link"))
    return feeds


def _guessed(url: str) -> list[FoundFeed]:
    addresses = (web_url(urljoin(url, path)) for path in _USUAL_PATHS)
    return [FoundFeed(address, "", "guess") for address in addresses if address]


def _title(node: LexborNode, name: str) -> str:
    return one_line(node.attributes.get(name) or "", 200)
