"""HTML from anywhere, made safe to show, and its plain text.

Nothing here trusts its input. The HTML is parsed and written anew by nh3 (ammonia), which keeps only what
the lists below name; the rules on images run on that canonical output.
"""

from __future__ import annotations

import html as entities
import re
from functools import lru_cache

import nh3
from selectolax.lexbor import LexborHTMLParser

MAX_HTML = 300_000  # characters of one entry that are read
MAX_TEXT = 200_000  # characters of its plain text
MAX_DEPTH = 200  # elements within each other: parsers take time quadratic in it

_TAGS_NAMES = """
    a abbr article b bdi blockquote br caption cite code col colgroup dd del details dfn div dl dt em
    figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small
    span strong sub summary sup table tbody td tfoot th thead time tr u ul var wbr
"""
_TAGS = frozenset(_TAGS_NAMES.split())
_DROPPED_NAMES = """
    applet audio button canvas embed frame frameset head iframe math noembed noframes noscript object
    plaintext script select style svg template textarea title video xmp
"""
_DROPPED_WITH_CONTENT = frozenset(_DROPPED_NAMES.split())
_ATTRIBUTES = {
    "*": {"lang", "dir"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height", "style"},  # style is read, then dropped: see _image
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "time": {"datetime"},
}
_IMG = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|(?:width|height)\s*:\s*[012](?:px)?(?![\w.%])")
_BEACON = re.compile(
    r"""//pixel[.-]|//(?:www\.)?google-analytics\.|[./]doubleclick\.net/|/feeds\.feedburner\.com/~|
    //stats\.wordpress\.com/|feedsportal\.com/|/__utm\.gif|/__ptq\.gif|/wf/open\b|/track/open|/open\.(?:aspx|php)|
    medium\.com/_/stat|[/_-](?:pixel|beacon|1x1|blank|spacer|clear)\.(?:gif|png)|/(?:pixel|beacon)(?:[/?]|$)|
    //(?:b|sb)\.scorecardresearch\.|//(?:www\.)?facebook\.com/tr\b|/piwik\.php|/matomo\.php|[?&]rec=1\b""",
    re.X | re.I,
)
# Control characters, bidirectional overrides and isolates, marks and soft hyphens, surrogates, non-characters.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SPACE = re.compile(r"[^\S\n]+")
_BREAK = re.compile(
    r"<(?=/?(?:address|article|aside|blockquote|br|caption|dd|details|div|dl|dt|fieldset|figcaption|figure|"
    r"footer|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|summary|table|tr|ul)\b)",
    re.I,
)
_ASIDE = re.compile("<(?:pre|table|figcaption)[ >]")
_CELL = re.compile(r"<(?=t[dh]\b)", re.I)
# None of these may look for an end that is not there from each of many beginnings: that is quadratic.
_TAG = re.compile(r"</?[a-z][^<>]*>?", re.I)
_TAG_NAME = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.I)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_UNNESTED_NAMES = "area base br col dd dt hr img input li link meta option p source td th tr wbr"
_UNNESTED = frozenset(_UNNESTED_NAMES.split())


def unspoiled(text: str) -> str:
    """The text without characters that have no business in it: controls, bidi overrides, surrogates."""
    return _UNWANTED.sub("", text)


def sanitise(html: str, base_url: str | None) -> str:
    """HTML that is safe to show: only listed elements and attributes, http(s) and mailto links.

    Relative addresses are resolved against `base_url`; without one they are dropped. Images keep only an
    http(s) source, and those that count the reader (1×1, hidden, known beacons) go. Applying it twice
    changes nothing.

    >>> sanitise('<p onclick=x()>Hi<script>1</script> <a href="/b">b</a>', "https://e.org/a")
    '<p>Hi <a href="https://e.org/b" rel="noopener noreferrer nofollow">b</a></p>'
    """
    html = unspoiled(html)[:MAX_HTML].replace("\r\n", "\n").replace("\r", "\n")
    if "<" not in html and "&" not in html:
        return html.replace("\xa0", "&nbsp;").replace(">", "&gt;")
    if too_deep(html):
        html = entities.escape(_TAG.sub(" ", html), quote=False)
    cleaner = _cleaner(base_url if base_url and base_url.startswith(("http://", "https://")) else None)
    # Misnested markup can come out in a form that a browser parses differently once more: repeat until it does not.
    for _ in range(6):
        cleaned = _IMG.sub(_image, unspoiled(cleaner.clean(html))).replace("<pre>\n", "<pre>")
        if cleaned == html:
            return cleaned
        html = cleaned
    return entities.escape(plain_text(html), quote=False)


def too_deep(html: str) -> bool:
    """Whether more than MAX_DEPTH elements are open at once somewhere; cheap, and exact for honest HTML."""
    if html.count("<") <= MAX_DEPTH:
        return False
    still_open: dict[str, int] = {}
    depth = 0
    for closing, name in _TAG_NAME.findall(_COMMENT.sub("", html)):
        name = name.lower()
        if name in _UNNESTED:
            continue
        now = still_open.get(name, 0) + (-1 if closing else 1)
        if now < 0:
            continue
        still_open[name] = now
        depth += -1 if closing else 1
        if depth > MAX_DEPTH:
            return True
    return False


@lru_cache(maxsize=64)
def _cleaner(base_url: str | None) -> nh3.Cleaner:
    def build(relative: nh3.UrlRelative) -> nh3.Cleaner:
        return nh3.Cleaner(
            tags=_TAGS,
            clean_content_tags=_DROPPED_WITH_CONTENT,
            attributes=_ATTRIBUTES,
            link_rel="noopener noreferrer nofollow",
            url_schemes={"http", "https", "mailto"},
            filter_style_properties={"display", "visibility", "width", "height"},
            url_relative=relative,
        )

    try:
        return build(("rewrite_with_base", base_url) if base_url else "deny")
    except ValueError:  # the base is no address after all
        return build("deny")


def _image(match: re.Match[str]) -> str:
    """An <img> of canonical HTML with only what it may carry; "" when it counts readers or shows nothing."""
    given = {name: value for name, value in _ATTRIBUTE.findall(match[1])}
    source = entities.unescape(given.get("src", ""))
    if not source.lower().startswith(("http://", "https://")) or _BEACON.search(source):
        return ""
    if any(_pixels(given.get(side)) <= 2 for side in ("width", "height")) or _HIDDEN.search(given.get("style", "")):
        return ""
    return "<img" + "".join(f' {name}="{value}"' for name, value in given.items() if name != "style") + ">"


def _pixels(value: str | None) -> float:
    found = re.match(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*(?:px)?\s*$", value or "")
    return float(found[1]) if found else float("inf")


def plain_text(html: str) -> str:
    """The visible text: one line per block, single spaces, entities decoded, no controls.

    >>> plain_text("<p>Tom &amp; <b>Jer</b>ry</p><ul><li>one<li>two</ul><script>x</script>")
    'Tom & Jerry\\none\\ntwo'
    """
    html = unspoiled(html)[:MAX_HTML]
    if "<" in html or "&" in html:
        if too_deep(html):
            html = _TAG.sub("\n", html)
        html = _CELL.sub(" <", _BREAK.sub("\n<", html.replace("\n", " ").replace("\r", " ")))
        tree = LexborHTMLParser(html)
        tree.strip_tags(sorted(_DROPPED_WITH_CONTENT - {"frameset", "head"}), recursive=True)
        html = unspoiled(tree.root.text(deep=True) if tree.root else "")
    return spaced(html)


def asides(html: str) -> list[str]:
    """The plain texts of code blocks, tables and captions in sanitised markup, in order, none within another.

    A table that holds most of the text is how a letter is laid out, not one of its parts.

    >>> asides("<p>So:</p><pre>x = 1</pre><figure><figcaption>A cat</figcaption></figure><p>That is all.</p>")
    ['x = 1', 'A cat']
    """
    if not _ASIDE.search(html) or too_deep(html):
        return []
    tree = LexborHTMLParser(html[:MAX_HTML])
    whole = len(plain_text(html))
    out, within = [], ""
    for node in tree.css("pre, table, figcaption"):
        markup = node.html or ""
        text = plain_text(markup)
        if text and markup not in within and not (node.tag == "table" and 2 * len(text) > whole):
            out.append(text)
            within = markup
    return out


def spaced(text: str) -> str:
    """Single spaces, no empty lines, nothing at the ends of lines."""
    lines = (line.strip() for line in _SPACE.sub(" ", text).split("\n"))
    return "\n".join(line for line in lines if line)[:MAX_TEXT]


def one_line(text: str, limit: int) -> str:
    """Plain text as one line of at most `limit` characters."""
    return " ".join(unspoiled(text[: 4 * limit]).split())[:limit].strip()


def html_of(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, line ends stay.

    >>> html_of("a < b\\n\\nc\\nd")
    '<p>a &lt; b</p><p>c<br>d</p>'
    """
    text = unspoiled(text.replace("\r\n", "\n").replace("\r", "\n"))[:MAX_TEXT]
    paragraphs = (p.strip("\n") for p in re.split(r"\n[^\S\n]*\n", text))
    return "".join(
        f"<p>{entities.escape(p, quote=False).replace(chr(10), '<br>')}</p>" for p in paragraphs if p.strip()
    )
