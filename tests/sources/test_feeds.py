"""Feeds as they are found: well written, sloppy, damaged and hostile."""

import contextlib
import json
import socket
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.sources.feeds import Feed, parse_feed
from attention_filter.types import Entry

URL = "https://e.org/feeds/main.xml"
NOW = datetime(2026, 7, 1, tzinfo=UTC)

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">
<channel><title>News &amp; more</title><link>https://e.org/</link><language>en-gb</language>
<item><title>First &lt;b&gt;one&lt;/b&gt;</title><link>/a?utm_source=rss&amp;id=1</link>
<guid isPermaLink="false">a-1</guid>
<pubDate>Wed, 01 Jul 2026 02:00:00 +0200</pubDate><dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator>
<category>Tech</category><description>Short</description><media:thumbnail url="/t.jpg"/>
<content:encoded><![CDATA[<p onclick="x()">Long <a href="b">text</a><script>1</script></p>]]></content:encoded></item>
<item><title>Second</title><link>https://e.org/2</link><itunes:author>Cat</itunes:author>
<enclosure url="https://e.org/2.mp3" type="audio/mpeg" length="1"/>
<description>Plain &amp;amp; simple</description></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://e.org/blog/" xml:lang="de"><title>Blog</title>
<link href="./"/><link rel="self" href="feed"/><id>urn:feed</id><author><name>Dora</name></author>
<entry><title type="html">A &lt;i&gt;b&lt;/i&gt;</title><id>urn:1</id><link href="1"/>
<updated>2026-06-01T00:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>X <a href="y">y</a></p></div></content></entry>
<entry xml:base="https://other.org/"><title>2 &lt; 3</title><id>urn:2</id><link href="2"/>
<author><name>Eve</name></author>
<content type="text">a &lt;b&gt; c</content></entry>
<entry><title>T</title><id>urn:3</id><link rel="enclosure" type="image/png" href="p.png"/>
<summary type="html">&lt;a href="z"&gt;z&lt;/a&gt;</summary></entry></feed>"""

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://e.org/"><title>R</title><link>https://e.org/</link></channel>
<item rdf:about="https://e.org/r1"><title>One</title><link>https://e.org/r1</link><dc:date>2026-05-01</dc:date></item></rdf:RDF>"""

JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "J",
        "home_page_url": "https://e.org",
        "authors": [{"name": "Fay"}],
        "items": [
            {"id": 7, "title": "N", "url": "/n", "content_html": "<p>x<script>1</script>", "tags": ["a", "b"]},
            "rubbish",
            {
                "id": "8",
                "content_text": "a < b",
                "date_published": "2026-01-02T03:04:05+01:00",
                "author": {"name": "Gus"},
            },
            {"attachments": [None]},
        ],
    }
)


def parse(document: str | bytes, content_type: str | None = None, max_entries: int = 1000) -> Feed:
    return parse_feed(document.encode() if isinstance(document, str) else document, URL, content_type, NOW, max_entries)


def items(*parts: str) -> str:
    inside = "".join(f"<item>{part}</item>" for part in parts)
    return f"<rss version='2.0'><channel><title>T</title>{inside}</channel></rss>"


def only(document: str | bytes) -> Entry:
    (entry,) = parse(document).entries
    return entry


def test_rss_is_read_whole() -> None:
    feed = parse(RSS)
    assert (feed.title, feed.home_url, feed.problems) == ("News & more", "https://e.org/", ())
    first, second = feed.entries
    assert (first.guid, first.title, first.url) == ("a-1", "First one", "https://e.org/a?id=1")
    assert first.html == '<p>Long <a href="https://e.org/feeds/b" rel="noopener noreferrer nofollow">text</a></p>'
    assert "<script>" in first.original
    assert first.text == "Long text"
    assert first.published == datetime(2026, 7, 1, tzinfo=UTC)
    assert (first.authors, first.tags, first.image) == (("Ann", "Bob"), ("Tech",), "https://e.org/t.jpg")
    assert (second.guid, second.authors, second.published) == ("https://e.org/2", ("Cat",), None)
    assert second.text == "Plain & simple"
    assert second.links == ("https://e.org/2.mp3",)


def test_atom_content_types_and_bases_are_respected() -> None:
    feed = parse(ATOM)
    one, two, three = feed.entries
    assert (feed.title, feed.home_url, feed.guid, feed.authors) == (
        "Blog",
        "https://e.org/blog/",
        "urn:feed",
        ("Dora",),
    )
    assert (one.title, one.url, one.authors) == ("A b", "https://e.org/blog/1", ("Dora",))
    assert one.html == '<p>X <a href="https://e.org/blog/y" rel="noopener noreferrer nofollow">y</a></p>'
    assert (two.title, two.url, two.authors) == ("2 < 3", "https://other.org/2", ("Eve",))
    assert (two.text, two.html) == ("a <b> c", "<p>a &lt;b&gt; c</p>")
    assert three.image == "https://e.org/blog/p.png"
    assert three.links[-1] == "https://e.org/blog/z"


def test_rdf_is_read() -> None:
    entry = only(RDF)
    assert (entry.guid, entry.title, entry.updated) == ("https://e.org/r1", "One", datetime(2026, 5, 1, tzinfo=UTC))


def test_json_feed_is_read_and_its_bad_items_named() -> None:
    feed = parse(JSON)
    one, two = feed.entries
    assert (one.guid, one.url, one.html, one.tags, one.authors) == (
        "7",
        "https://e.org/n",
        "<p>x</p>",
        ("a", "b"),
        ("Fay",),
    )
    assert (two.text, two.authors) == ("a < b", ("Gus",))
    assert two.published == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert [problem[:14] for problem in feed.problems] == ["item 2 skipped", "item 4 skipped"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!DOCTYPE html><html><head><title>x</title></head></html>", "web page"),
        (b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'a' 'b'><html xmlns='x'><body/></html>", "web page"),
        (b"<html><body>Not found", "web page"),
        (b"<opml><body/></opml>", "import"),
        (b"<note><to>x</to></note>", "<note>"),
        (b"hello", "no elements"),
        (b"{", "JSON"),
        (b"[1, 2]", "JSON"),
        (b'{"a": 1}', "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no elements"),
    ],
)
def test_what_is_no_feed_is_refused_with_a_reason(body: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        parse(body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [0.4, 0.7, 0.95])
def test_a_torn_feed_gives_what_was_readable_and_says_so(cut: float) -> None:
    document = items(*(f"<title>Item {i}</title><link>https://e.org/{i}</link>" for i in range(50)))
    feed = parse(document[: int(len(document) * cut)])
    assert len(feed.entries) >= 50 * cut - 2
    assert feed.entries[0].title == "Item 0"
    assert "not well-formed" in feed.problems[0]


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha">{}]>'.format(
    "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
)


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        "<?xml version='1.0'?>" + BOMB,
        "<?xml version='1.0'?>\n\n" + BOMB.replace("<!ENTITY", "\n<!ENTITY"),
        "<!-- x --><?pi?>" + BOMB,
        "<!DOCTYPE a <!-- >" + BOMB,
        '<!DOCTYPE a [<!ENTITY x "<rss>">]>' + BOMB,
        "<!DOCTYPE a [<!ENTITY % p \"<!ENTITY i 'boom'>\"> %p;]>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entity_bombs_do_not_go_off(head: str, encoding: str) -> None:
    began = time.monotonic()
    document = head + items("<title>Title &i; end</title><description>&i;&i;&i;</description>")
    feed = parse(document.encode(encoding))
    assert "haha" not in str(feed)
    assert "boom" not in str(feed)
    assert "end" in feed.entries[-1].title
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "declared", ['<!ENTITY x SYSTEM "file:///etc/hostname">', '<!ENTITY x SYSTEM "http://127.0.0.1:9/">']
)
def test_nothing_is_fetched_or_opened(declared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a parser opened something")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    document = f'<!DOCTYPE rss [{declared}]><?xml-stylesheet href="http://127.0.0.1:9/x"?>' + items(
        "<title>a &x; b</title>"
    )
    assert only(document).title == "a &x; b"
    with pytest.raises(SourceError):
        parse_feed(b"http://127.0.0.1:9/feed", URL, None, NOW, 10)
    with pytest.raises(SourceError):
        parse_feed(b"/etc/hostname", URL, None, NOW, 10)


@pytest.mark.parametrize(
    ("encoding", "declared", "content_type"),
    [
        ("utf-8", "gb2312", None),
        ("utf-8", "utf-8", "text/xml"),
        ("utf-8", "utf-8", "text/xml; charset=iso-8859-1"),
        ("gb18030", "gb2312", None),
        ("gb18030", "", "text/xml; charset=GBK"),
        ("gb18030", "utf-8", None),
        ("big5", "big5", None),
        ("utf-16", "utf-16", None),
        ("utf-8-sig", "", "text/html"),
    ],
)
def test_chinese_is_read_in_every_usual_encoding(encoding: str, declared: str, content_type: str | None) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    feed = parse((declaration + items("<title>人工智能的新聞</title>")).encode(encoding), content_type)
    assert (feed.entries[0].title, feed.entries[0].lang, feed.problems) == ("人工智能的新聞", "zh", ())


def test_sloppy_xml_is_still_read_strictly() -> None:
    document = "\n\n" + items(
        "<title>A&nbsp;b &eacute;&#0;&#xD800;\x0b\x01</title><media:thumbnail url='https://e.org/t.png'/><dc:creator>Ann</dc:creator>"
    )
    feed = parse(document)
    assert feed.problems == ()
    assert (feed.entries[0].title, feed.entries[0].image, feed.entries[0].authors) == (
        "A b é",
        "https://e.org/t.png",
        ("Ann",),
    )


def test_a_servers_complaint_before_the_feed_is_passed_over() -> None:
    assert only("<br />\n<b>Warning</b>: foo in x.php<br />" + items("<title>A</title>")).title == "A"


def test_guids_stay_as_written_when_the_feed_moves() -> None:
    document = items("<title>A</title><guid>abc</guid>").encode()
    guids = {parse_feed(document, url, None, NOW, 9).entries[0].guid for url in (URL, "https://new.org/f")}
    assert guids == {"abc"}
    assert parse(document).entries[0].url is None


def test_versions_of_one_entry_leave_the_newest() -> None:
    date = "<pubDate>Wed, 0{} Jul 2026 00:00:00 GMT</pubDate>"
    same = "<guid isPermaLink='false'>g</guid><link>https://e.org/1</link>"
    entry = only(items(f"<title>old</title>{same}{date.format(1)}", f"<title>new</title>{same}{date.format(2)}"))
    assert (entry.guid, entry.title) == ("g", "new")


def test_one_guid_for_different_things_is_told_apart_the_same_way_each_time() -> None:
    parts = [f"<guid isPermaLink='false'>g</guid><title>{i}</title><link>https://e.org/{i}</link>" for i in range(3)]
    guids = {entry.title: entry.guid for entry in parse(items(*parts)).entries}
    assert len(set(guids.values())) == 3
    assert {entry.title: entry.guid for entry in parse(items(*reversed(parts))).entries} == guids


def test_entries_on_one_page_keep_their_fragments() -> None:
    feed = parse(items(*(f"<title>{i}</title><link>https://e.org/log#v{i}</link>" for i in range(2))))
    assert [entry.url for entry in feed.entries] == ["https://e.org/log#v0", "https://e.org/log#v1"]
    assert only(items("<title>x</title><link>https://e.org/log#v1</link>")).url == "https://e.org/log"


def test_odd_dates_are_none_and_future_ones_stay() -> None:
    for odd in ("0000-00-00", "yesterday", "Mon, 45 Foo 99999 99:99:99", "1970-01-01T00:00:00Z", "9999999999999-01-01"):
        assert only(items(f"<title>x</title><pubDate>{odd}</pubDate>")).published is None
    assert only(items("<title>x</title><pubDate>Fri, 01 Jan 2027 00:00:00 GMT</pubDate>")).published == datetime(
        2027, 1, 1, tzinfo=UTC
    )


@pytest.mark.parametrize("kind", ["rss", "json"])
def test_of_a_hundred_thousand_entries_the_newest_are_read_in_bounded_time(kind: str) -> None:
    began = time.process_time()
    days = [f"2026-{1 + i % 6:02}-{1 + i % 28:02}T00:00:00Z" for i in range(100_000)]
    if kind == "rss":
        document = items(*(f"<title>{i}</title><pubDate>{day}</pubDate>" for i, day in enumerate(days)))
    else:
        document = json.dumps(
            {"items": [{"id": i, "title": str(i), "date_published": day} for i, day in enumerate(days)]}
        )
    feed = parse(document, max_entries=50)
    assert len(feed.entries) == 50
    assert {str(entry.published)[:7] for entry in feed.entries} == {"2026-06"}
    assert "100000" in feed.problems[0]
    assert time.process_time() - began < 10


def test_without_dates_the_first_entries_are_kept() -> None:
    feed = parse(items(*(f"<title>{i}</title>" for i in range(30))), max_entries=5)
    assert [entry.title for entry in feed.entries] == list("01234")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(st.sampled_from([RSS, ATOM, RDF, JSON])).encode())
    splices = [
        b"&#xD800;",
        b"&#99999999999;",
        b"<![CDATA[",
        b"]]>",
        b"<!",
        b"<?",
        b"\x00",
        b"\xff\xfe",
        b"<image>",
        b"</link>",
    ]
    splices += [
        b"<source>",
        b"<title>",
        b"<textinput>",
        b" xml:base='http://[::1'",
        b"99999999999-13-40T99:99",
        b"<media:rating>",
    ]
    for _ in range(draw(st.integers(1, 5))):
        i, j = sorted(draw(st.tuples(st.integers(0, len(body)), st.integers(0, len(body)))))
        match draw(st.integers(0, 4)):
            case 0:
                del body[j:]
            case 1:
                body[i : i + 1] = bytes([draw(st.integers(0, 255))])
            case 2:
                body[i:i] = draw(st.sampled_from(splices))
            case 3:
                body[i:i] = body[i : min(j, i + 400)]
            case _:
                del body[i : min(j, i + 60)]
    return bytes(body)


@settings(max_examples=400, deadline=None)
@given(damaged(), st.sampled_from([None, "text/xml", "text/html; charset=big5", "application/feed+json"]))
def test_damage_never_raises_anything_but_a_source_error(body: bytes, content_type: str | None) -> None:
    with contextlib.suppress(SourceError):
        feed = parse(body, content_type)
        assert all(entry.guid and entry.title and "<script" not in entry.html for entry in feed.entries)
        assert len({entry.guid for entry in feed.entries}) == len(feed.entries)
