"""The one place where a raw entry of any source becomes a clean `Entry`: `make_entry`.

Its parts stand alone: `sanitise`, `plain_text` (markup.py), `detect_language` (language.py),
`canonical_url` and `content_hash` (here).
"""

from __future__ import annotations

import html as entities
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote_plus, urljoin, urlsplit, urlunsplit

from attention_filter.sources.dates import clean_date
from attention_filter.sources.language import detect_language as detect_language
from attention_filter.sources.markup import MAX_TEXT, html_of, one_line, spaced, unspoiled
from attention_filter.sources.markup import plain_text as plain_text
from attention_filter.sources.markup import sanitise as sanitise
from attention_filter.types import Entry

MAX_TITLE = 500  # characters, as are all the bounds here
MAX_ORIGINAL = 1_000_000
MAX_URL = 2_000
MAX_GUID = 500
MAX_NAME = 200  # an author, a tag
MAX_MANY = 100  # authors, tags, links of one entry

_HREF = re.compile(r'<a (?:[a-z-]+="[^"]*" )*?href="([^"]*)"')
_IMAGE_SOURCE = re.compile(r'<img (?:[a-z-]+="[^"]*" )*?src="([^"]*)"')
_URL_SPACE = re.compile(r"[\s\x00-\x1f]+")
_PLAIN_URL = re.compile(r"https?://[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9]))*/(?:[\w/~,;:@+=%-]|\.(?=\w))*", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_TRACKING = re.compile(
    r"""(?:utm_\w+|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|mc_cid|mc_eid|
    mkt_tok|_hsenc|_hsmi|vero_id|vero_conv|oly_anon_id|oly_enc_id|wickedid|ref_src|ref_url|ncid|cmpid|ito|
    at_medium|at_campaign|at_bbc_team|ns_mchannel|ns_campaign|ns_source|ns_linkname|ns_fee|s_cid|
    guccounter|guce_referrer|guce_referrer_sig|spm|pk_\w+|mtm_\w+|_ga|_gl)""",
    re.X | re.I,
)


def canonical_url(url: str) -> str:
    """An address in the form under which the same page is recognised again.

    Scheme and host in lower case; no default port, user, fragment (but "#/…" and "#!…", which name a page)
    or tracking parameter; the other parameters keep their order. What is no http(s) address stays.

    >>> canonical_url("HTTPS://Example.org:443/a?utm_source=rss&b=2&fbclid=x#top")
    'https://example.org/a?b=2'
    """
    return _canonical(url, keep_fragment=False)


def _canonical(url: str, keep_fragment: bool) -> str:
    url = _URL_SPACE.sub("", unspoiled(url))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host:
        return url
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _PORTS[scheme]:
        host = f"{host}:{port}"
    query = parts.query
    if query:
        kept = (p for p in query.split("&") if p and not _TRACKING.fullmatch(unquote_plus(p.split("=", 1)[0])))
        query = "&".join(kept)
    fragment = parts.fragment if keep_fragment or parts.fragment.startswith(("/", "!")) else ""
    return urlunsplit((scheme, host, parts.path or "/", query, fragment))


@lru_cache(maxsize=2048)
def web_url(url: str | None, base_url: str | None = None, *, keep_fragment: bool = False) -> str | None:
    """The canonical absolute http(s) address, or None when it is no such thing.

    >>> web_url("/b", "https://e.org/a"), web_url("javascript:alert(1)", "https://e.org/")
    ('https://e.org/b', None)
    """
    if not url:
        return None
    if _PLAIN_URL.fullmatch(url) and len(url) <= MAX_URL:  # canonical already, as most are
        return url
    if not (url := _URL_SPACE.sub("", unspoiled(url))):
        return None
    try:
        url = _canonical(urljoin(base_url or "", url), keep_fragment)
    except ValueError:
        return None
    return url if re.match(r"https?://[^/?#]", url) and len(url) <= MAX_URL else None


def content_hash(title: str, text: str) -> str:
    """SHA-256 (hex) of title and text, the same however they are spaced or composed (NFC).

    >>> content_hash("A  b", "c\\n") == content_hash("A b", "c")
    True
    """
    parts = (" ".join(unicodedata.normalize("NFC", part).split()) for part in (title, text))
    return sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def make_entry(
    *,
    guid: str | None,
    title: str,
    url: str | None,
    html: str = "",
    text: str | None = None,
    base_url: str | None = None,
    original: str | None = None,
    published: datetime | None = None,
    updated: datetime | None = None,
    authors: Iterable[str] = (),
    links: Iterable[str] = (),
    tags: Iterable[str] = (),
    image: str | None = None,
    lang_hint: str | None = None,
    keep_fragment: bool = False,
    now: datetime,
) -> Entry:
    """A clean, bounded entry from raw parts.

    `title` is plain text; the content is `html`, or `text` when the source sends plain text; `original` is
    what it sent, if that is neither. Relative addresses are resolved against `base_url`. Without a title the
    text's first words serve, without a guid the address, else the content hash.

    >>> from datetime import datetime, UTC
    >>> entry = make_entry(guid=None, title="", url="/1?utm_source=x", html="<p onclick=x>Hello <i>you",
    ...                    base_url="https://e.org/feed", now=datetime(2026, 1, 1, tzinfo=UTC))
    >>> entry.guid, entry.title, entry.html
    ('https://e.org/1', 'Hello you', '<p>Hello <i>you</i></p>')
    """
    url = web_url(url, base_url, keep_fragment=keep_fragment)
    raw = html if text is None or html else html_of(text)
    safe = sanitise(raw, base_url)
    plain = plain_text(safe) if text is None or html else spaced(unspoiled(text))
    title = one_line(title, MAX_TITLE) or first_words(plain) or url or "Untitled"
    digest = content_hash(title, plain)
    guid = one_line(guid or "", 10 * MAX_GUID) or url or f"sha256:{digest}"
    if len(guid) > MAX_GUID:
        guid = f"{guid[: MAX_GUID - 65]}#{sha256(guid.encode()).hexdigest()}"
    found = (web_url(entities.unescape(link), keep_fragment=True) for link in _HREF.findall(safe))
    given = (web_url(link, base_url, keep_fragment=True) for link in links)
    inside = _IMAGE_SOURCE.search(safe)
    return Entry(
        guid=guid,
        title=title,
        url=url,
        html=safe,
        original=unspoiled(original if original is not None else text if text and not html else html)[:MAX_ORIGINAL],
        text=plain[:MAX_TEXT],
        lang=detect_language(f"{title}\n{plain}" if not plain.startswith(title) else plain, lang_hint),
        published=clean_date(published, now),
        updated=clean_date(updated, now),
        authors=_distinct(one_line(author, MAX_NAME) for author in authors),
        links=_distinct(link for link in (*given, *found) if link != url),
        tags=_distinct(one_line(tag, MAX_NAME) for tag in tags),
        image=_image_url(image, base_url) or (entities.unescape(inside[1])[:MAX_URL] if inside else None),
        content_hash=digest,
    )


def first_words(text: str, limit: int = 80) -> str:
    """The beginning of a text as a title, cut between words.

    >>> first_words("one two three", 9)
    'one two…'
    """
    line = one_line(text.split("\n", 1)[0], limit + 1)
    if len(line) <= limit:
        return line
    cut = line[:limit].rfind(" ")
    return f"{line[: cut if cut > limit // 2 else limit].rstrip()}…"


def _image_url(url: str | None, base_url: str | None) -> str | None:
    """An image's address as given, parameters and all: they may be a signature."""
    if not url:
        return None
    try:
        url = urljoin(base_url or "", _URL_SPACE.sub("", unspoiled(url)))
    except ValueError:
        return None
    return url if re.match(r"https?://[^/?#]", url) and len(url) <= MAX_URL else None


def _distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    """Each value once (whatever its case), in order, no empty ones, at most MAX_MANY."""
    kept: dict[str, str] = {}
    for value in values:
        if value and value.casefold() not in kept:
            kept[value.casefold()] = value
            if len(kept) == MAX_MANY:
                break
    return tuple(kept.values())
