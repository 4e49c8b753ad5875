"""An item's text made ready to be read: sanitised once more, its words marked by what they carried."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from hashlib import sha256
from html import escape
from html.parser import HTMLParser

from attention_filter.sources.clean import sanitise
from attention_filter.why import Word

CLASSES = 4  # of intensity
WORTH_MARKING = 0.25  # of the largest share
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_RASTER = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def dress(html: str, *, marks: Sequence[str] = (), text: str = "", picture: Callable[[str], str] | None = None) -> str:
    """Markup of ours, from markup that a source sent: safe, links in a new tab, pictures through `picture` or left out.

    `marks` has the class of each character of `text` ("" for none); the text of the markup is followed along it,
    white space aside, and marked as long as the two agree.

    >>> dress('<p onclick=x()>a <a href="https://e.org/">b</a><img src="https://e.org/c.png" alt="c">')
    '<p>a <a href="https://e.org/" rel="noopener noreferrer nofollow" target="_blank">b</a></p>'
    >>> dress("<p>up <i>and</i> down</p>", text="up and down", marks=[""] * 3 + ["for-1"] * 3 + [""] * 5)
    '<p>up <i><mark class="for-1">and</mark></i> down</p>'
    """
    writer = _Writer(_letters(text, marks), picture)
    writer.feed(sanitise(html, None))
    writer.close()
    return "".join(writer.out)


def dress_plain(text: str, marks: Sequence[str]) -> str:
    """Plain text as markup, marked.

    >>> dress_plain("a < b", ["", "", "", "", "not-2"])
    'a &lt; <mark class="not-2">b</mark>'
    """
    return _runs(list(zip(text, [*marks, *[""] * len(text)], strict=False)))


def classes(length: int, words: Sequence[Word]) -> list[str]:
    """The class of each of `length` characters: "for-1" to "for-4", "not-1" to "not-4", or none.

    >>> classes(5, [Word(0, 2, 1.0), Word(3, 5, -0.5)])
    ['for-4', 'for-4', '', 'not-2', 'not-2']
    """
    out = [""] * length
    largest = max((abs(word.value) for word in words), default=0.0)
    for word in words:
        share = abs(word.value) / largest if largest else 0.0
        if share >= WORTH_MARKING:
            step = min(max(round(share * CLASSES), 1), CLASSES)
            out[word.start : word.end] = [f"{'for' if word.value > 0 else 'not'}-{step}"] * (word.end - word.start)
    return out


def along(marks: Sequence[str], passage: str, pieces: Sequence[str], text: str) -> list[str]:
    """The marks of a passage, which is made of some pieces of a text in their order, as marks of the text.

    >>> along(["a", "a", "", "b", "b"], "ab cd", ["ab", "xx", "cd"], "ab xx cd")
    ['a', 'a', '', '', '', '', 'b', 'b']
    """
    out, at, place = [""] * len(text), 0, 0
    for piece in pieces:
        there, here = passage.find(piece, at), text.find(piece, place)
        if there >= 0 and here >= 0:
            out[here : here + len(piece)] = marks[there : there + len(piece)]
            at = there + len(piece)
        place = max(place, here + len(piece)) if here >= 0 else place
    return out


def pictures_in(html: str) -> int:
    """How many pictures the markup shows."""
    return sanitise(html, None).count("<img ")


def signed(secret: bytes, url: str) -> str:
    """The signature (hex) without which the picture at this address is not fetched."""
    return hmac.new(secret, url.encode(), sha256).hexdigest()[:32]


def is_signed(secret: bytes, url: str, signature: str) -> bool:
    return hmac.compare_digest(signed(secret, url).encode(), signature.encode())


def raster_type(body: bytes) -> str | None:
    """The type of a picture by its first bytes; None for all that is no PNG, JPEG, GIF, WebP or AVIF, such as SVG.

    >>> raster_type(b"GIF89a..."), raster_type(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    ('image/gif', None)
    """
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    if body[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return next((kind for start, kind in _RASTER if body.startswith(start)), None)


def _letters(text: str, marks: Sequence[str]) -> list[tuple[str, str]]:
    """The characters that are no white space, each with its class."""
    return [(letter, mark) for letter, mark in zip(text, marks, strict=False) if not letter.isspace()]


def _runs(letters: Sequence[tuple[str, str]]) -> str:
    """Escaped text with a <mark> around each run of one class; spaces between two words are left bare."""
    out, now = [], ""
    for letter, mark in letters:
        if mark != now:
            out.append(("</mark>" if now else "") + (f'<mark class="{mark}">' if mark else ""))
            now = mark
        out.append(escape(letter))
    return "".join(out) + ("</mark>" if now else "")


class _Writer(HTMLParser):
    """Writes canonical, sanitised markup anew; nothing of it is copied, every name is known and every value escaped."""

    def __init__(self, letters: list[tuple[str, str]], picture: Callable[[str], str] | None) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._letters = letters
        self._at = 0
        self._picture = picture

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            if self._picture is None:
                return
            given = {name: value for name, value in given.items() if name in ("alt", "title", "width", "height")} | {
                "src": self._picture(given.get("src", "")),
                "loading": "lazy",
                "decoding": "async",
            }
        if tag == "a" and "href" in given:
            given |= {"rel": "noopener noreferrer nofollow", "target": "_blank"}
        written = "".join(f' {name}="{escape(value)}"' for name, value in given.items())
        self.out.append(f"<{tag}{written}>")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._at >= len(self._letters):  # nothing is marked from here on
            self.out.append(_runs([(data, "")]))
            return
        marked = []
        for letter in data:
            mark = ""
            if not letter.isspace() and self._at < len(self._letters):
                expected, mark = self._letters[self._at]
                if letter == expected:
                    self._at += 1
                else:  # the two texts part here: better no mark than a wrong one
                    mark, self._at = "", len(self._letters)
            marked.append((letter, mark))
        self.out.append(_runs(marked))
