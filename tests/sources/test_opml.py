"""Subscription lists survive the way out and in again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.errors import DataError
from attention_filter.sources.opml import Outline, read_opml, write_opml
from attention_filter.types import Source, SourceKind

LIST = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<opml version="1.0"><head><title>Mine</title></head><body>
<outline text="A" xmlUrl="https://a.org/f" type="rss"/>
<outline text="News"><outline title="B &amp; C" text="x" XMLURL="https://b.org/f?a=1&b=2"/>
  <outline text="Deep/er"><outline text="\xe9" xmlUrl="https://c.org/f#x"/></outline>
  <outline text="A again" xmlUrl="https://a.org/f"/></outline>
<outline text="" xmlUrl="https://d.org/f" category="/Tech/Linux,/Other"/>
<outline text="bad" xmlUrl="javascript:alert(1)"/><outline text="no feed" htmlUrl="https://e.org"/>
</body></opml>"""


def test_lists_as_other_programs_write_them_are_read() -> None:
    assert read_opml(LIST) == (
        Outline("https://a.org/f", "A", ""),
        Outline("https://b.org/f?a=1&b=2", "B & C", "News"),
        Outline("https://c.org/f#x", "é", "News/Deep∕er"),
        Outline("https://d.org/f", "https://d.org/f", "Tech/Linux"),
    )


NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cf", "Cn", "Co"]), min_size=1, max_size=8
)
FOLDERS = st.lists(NAMES.map(lambda name: name.replace("/", "∕")), max_size=3).map("/".join)


@settings(max_examples=100)
@given(st.lists(st.tuples(NAMES, FOLDERS), max_size=6))
def test_what_is_written_is_read_again(rows: list[tuple[str, str]]) -> None:
    feeds = [
        Source(i, f"https://e.org/{i}?a=1&b=2", SourceKind.FEED, title, folder)
        for i, (title, folder) in enumerate(rows)
    ]
    others = [Source(99, "/home/notes", SourceKind.FOLDER, "Notes")]
    outlines = read_opml(write_opml([*others, *feeds], "Mine & yours").encode())
    assert sorted(outlines, key=lambda o: o.url) == [Outline(s.url, s.title, s.folder) for s in feeds]


@pytest.mark.parametrize("title", ["a\x00b\ud800", "<script>", '"quoted"'])
def test_odd_titles_make_a_list_that_can_be_read(title: str) -> None:
    written = write_opml([Source(1, "https://e.org/f", SourceKind.FEED, title, "x\x01/ /y")], "t\x00")
    assert read_opml(written.encode())[0].folder == "x/y"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b" \n", "the file is empty"),
        (b"<rss/>", "<rss>"),
        (b"<opml><body>", "no OPML"),
        (b'<!DOCTYPE o [<!ENTITY a "b">]><opml><body/></opml>', "entities"),
        (b'<!DOCTYPE o [<!ENTITY a SYSTEM "file:///etc/hostname">]><opml><body/></opml>', "entities"),
        (b"\xff\xfe\x00\x01", "no OPML"),
    ],
)
def test_what_is_no_list_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_opml(body)


def test_a_list_nested_without_end_is_read_without_recursion() -> None:
    body = (
        b"<opml><body>" + b"<outline text='a'>" * 3_000 + b"<outline xmlUrl='https://a.org/f'/>" + b"</outline>" * 3_000
    )
    (outline,) = read_opml(body + b"</body></opml>")
    assert outline.url == "https://a.org/f"
    assert outline.folder.count("/") < 20
