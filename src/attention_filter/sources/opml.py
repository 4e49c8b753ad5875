"""Subscription lists in and out: OPML 1.0 and 2.0 (opml.org), folders as nested outlines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from attention_filter.errors import DataError
from attention_filter.sources.clean import web_url
from attention_filter.sources.decoding import decode
from attention_filter.sources.markup import one_line
from attention_filter.types import Source, SourceKind

MAX_OUTLINES = 100_000
MAX_FOLDERS = 20  # deep
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")


@dataclass(frozen=True, slots=True)
class Outline:
    """One subscription. `folder` is "a/b" when nested; a "/" in a folder's own name is written "∕"."""

    url: str
    title: str
    folder: str


def read_opml(body: bytes) -> tuple[Outline, ...]:
    """Every feed of the list, in order, each address once (the first time counts).

    Raises DataError when it is no OPML. Entities are refused (defusedxml), so no bomb goes off.

    >>> read_opml(b'<opml><body><outline text="News"><outline text="A" xmlUrl="https://a.org/f"/></outline></body></opml>')
    (Outline(url='https://a.org/f', title='A', folder='News'),)
    """
    if not body.strip():
        raise DataError("no OPML: the file is empty; export it again from the other reader")
    text = _BARE_AMPERSAND.sub("&amp;", _NOT_XML.sub("", decode(body)[0]))
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)  # its encoding no longer holds
    try:
        root = fromstring(text.strip())
    except DefusedXmlException as error:
        raise DataError(f"the OPML declares XML entities ({type(error).__name__}); they are refused") from error
    except ParseError as error:
        raise DataError(f"no OPML: {error}") from error
    if root.tag.lower() != "opml":
        raise DataError(f"no OPML: the document is <{one_line(root.tag, 40)}>")
    body_element = next((child for child in root if isinstance(child.tag, str) and child.tag.lower() == "body"), root)
    found: dict[str, Outline] = {}
    for outline in _outlines(body_element):
        found.setdefault(outline.url, outline)
    return tuple(found.values())


def _outlines(body: Element) -> Iterator[Outline]:
    """Depth first, without recursion: a hostile list can be nested thousands deep."""
    stack: list[tuple[Element, tuple[str, ...]]] = [(child, ()) for child in reversed(body)]
    seen = 0
    while stack and seen < MAX_OUTLINES:
        element, folders = stack.pop()
        seen += 1
        attributes = {name.lower(): value for name, value in element.attrib.items()}
        title = one_line(attributes.get("title") or attributes.get("text") or "", 300)
        url = web_url(attributes.get("xmlurl"), keep_fragment=True)
        if url:
            # Some lists have no nesting but a category, "/News/Tech,/Other"; its first counts.
            category = attributes.get("category", "").split(",")[0].strip("/ ")
            yield Outline(url, title or url, "/".join(folders) or one_line(category, 300))
        inside = (*folders, title.replace("/", "∕")) if title and not url else folders
        stack += [(child, inside[:MAX_FOLDERS]) for child in reversed(element)]


def write_opml(sources: Sequence[Source], title: str) -> str:
    """The feeds among the sources as OPML 2.0, in their folders; `read_opml` gives them back.

    >>> read_opml(write_opml([Source(1, "https://a.org/f", SourceKind.FEED, "A & B", "x/y")], "Mine").encode())
    (Outline(url='https://a.org/f', title='A & B', folder='x/y'),)
    """
    root = Element("opml", version="2.0")
    SubElement(SubElement(root, "head"), "title").text = _NOT_XML.sub("", title)
    folders: dict[str, Element] = {"": SubElement(root, "body")}
    for source in sources:
        if source.kind is not SourceKind.FEED:
            continue
        name = _NOT_XML.sub("", source.title) or source.url
        parent = _folder(folders, "/".join(part for part in _NOT_XML.sub("", source.folder).split("/") if part.strip()))
        SubElement(parent, "outline", type="rss", text=name, title=name, xmlUrl=_NOT_XML.sub("", source.url))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _folder(folders: dict[str, Element], path: str) -> Element:
    if path not in folders:
        above, _, name = path.rpartition("/")
        folders[path] = SubElement(_folder(folders, above), "outline", text=name, title=name)
    return folders[path]
