"""An item's text made ready to be read: sanitised once more, its words marked by what they carried."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from html.parser import HTMLParser

from attention_filter.sources.clean import sanitise
from attention_filter.types import LeftOut
from attention_filter.why import Word

CLASSES = 4  # of intensity
WORTH_MARKING = 0.25  # of the largest share
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_BLOCK_NAMES = "address blockquote div dl figure h1 h2 h3 h4 h5 h6 ol p pre section table ul"
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_FOLD_END = "</details>"
_RASTER = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True)
class Fold:
    """What a reader sees closed, under a label: blocks that hold nothing but what their source repeats."""

    label: str
    places: Sequence[LeftOut]


def dress(
    html: str,
    *,
    marks: Sequence[str] = (),
    text: str = "",
    picture: Callable[[str], str] | None = None,
    fold: Fold | None = None,
) -> str:
    """Markup of ours, from markup that a source sent: safe, links in a new tab, pictures through `picture` or left out.

    `marks` has the class of each character of `text` ("" for none); the text of the markup is followed along it,
    white space aside, and marked as long as the two agree. Blocks that hold only what `fold` names are closed.

    >>> dress('<p onclick=x()>a <a href="https://e.org/">b</a><img src="https://e.org/c.png" alt="c">')
    '<p>a <a href="https://e.org/" rel="noopener noreferrer nofollow" target="_blank">b</a></p>'
    >>> dress("<p>Up</p><p>Buy</p>", text="Up\\nBuy", fold=Fold("Again", [LeftOut(3, 6, True)]))
    '<p>Up</p><details class="repeated"><summary>Again</summary><p>Buy</p></details>'
    >>> dress("<p>up <i>and</i> down</p>", text="up and down", marks=[""] * 3 + ["for-1"] * 3 + [""] * 5)
    '<p>up <i><mark class="for-1">and</mark></i> down</p>'
    """
    safe = sanitise(html, None)
    writer = _Writer(_letters(text, marks), picture, fold.label if fold else "", _folded(safe, text, fold))
    writer.feed(safe)
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


def _folded(html: str, text: str, fold: Fold | None) -> frozenset[int]:
    """The blocks to be closed, as numbers among all elements; none within another, and none after a point where markup
    and text part."""
    repeated = [place for place in fold.places if place.repeated] if fold else []
    if not repeated:
        return frozenset()
    said = [""] * len(text)
    for place in repeated:
        said[place.start : place.end] = ["repeated"] * (place.end - place.start)
    blocks = _Blocks(_letters(text, said))
    blocks.feed(html)
    blocks.close()
    return frozenset(blocks.folded)


class _Blocks(HTMLParser):
    """Finds the outermost blocks of canonical markup all of whose letters are marked."""

    def __init__(self, letters: list[tuple[str, str]]) -> None:
        super().__init__(convert_charrefs=True)
        self.folded: set[int] = set()
        self._letters = letters
        self._at = self._number = 0
        self._open: list[tuple[str, int, int]] = []  # tag, number, first letter

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append((tag, self._number, self._at))
        self._number += 1

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            return
        _, number, first = self._open.pop()
        held = self._letters[first : self._at]
        if tag in _BLOCKS and held and all(mark for _, mark in held):
            self.folded = {one for one in self.folded if one < number} | {number}

    def handle_data(self, data: str) -> None:
        letters = [letter for letter in data if not letter.isspace()]
        expected = [letter for letter, _ in self._letters[self._at : self._at + len(letters)]]
        self._at += len(letters)
        if letters != expected:
            self._letters = []  # the two texts part here: what is open or follows stays as it is


class _Writer(HTMLParser):
    """Writes canonical, sanitised markup anew; nothing of it is copied, every name is known and every value escaped."""

    def __init__(
        self,
        letters: list[tuple[str, str]],
        picture: Callable[[str], str] | None,
        label: str,
        folded: frozenset[int],
    ) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._label, self._folded = label, folded
        self._number = self._depth = 0
        self._fold_ends: int | None = None  # the depth at which what is closed ends
        self._letters = letters
        self._at = 0
        self._picture = picture

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._number in self._folded:
            self._fold()
        self._number += 1
        self._depth += tag not in _VOID
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
            self._depth -= 1
            if self._depth == self._fold_ends:
                self._fold_ends = None
                self.out.append(_FOLD_END)

    def _fold(self) -> None:
        self._fold_ends = self._depth
        if self.out and self.out[-1] == _FOLD_END:  # go on with the one before
            self.out.pop()
        else:
            self.out.append(f'<details class="repeated"><summary>{escape(self._label)}</summary>')

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
