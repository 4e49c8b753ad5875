"""What leaves `clean` is safe, uniform and bounded, whatever went in."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from attention_filter.sources import clean, markup
from attention_filter.sources.clean import (
    canonical_url,
    content_hash,
    detect_language,
    make_entry,
    plain_text,
    sanitise,
)
from attention_filter.sources.dates import clean_date, parse_date

BASE = "https://e.org/blog/post"
NOW = datetime(2026, 7, 1, tzinfo=UTC)
NAMES = "href title cite src alt width height start colspan rowspan datetime lang dir rel"
ATTRIBUTES = set(NAMES.split())
_NOT = "script style iframe frame form input button object embed svg math base meta link template"
FORBIDDEN = set(_NOT.split())
URLS = {"href", "src", "cite"}

PAYLOADS = [
    "<script>alert(1)</script>",
    "<SCRIPT/SRC=//evil.org/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<img src="x"onerror=alert(1)//',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text y=20>x</text></a></svg>",
    "<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href=' &#14; javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='javascript&colon;alert(1)'>x</a>",
    "<a href='\u202ejavascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
    "<img src='mailto:a@e.org'>",
    "<iframe src='https://evil.org'></iframe><iframe srcdoc='<script>1</script>'>",
    "<object data=x></object><embed src=x><applet code=x>",
    "<form action=/steal><input name=q><button formaction=javascript:alert(1)>x</button></form>",
    "<p style='background:url(javascript:alert(1))'>x</p><style>p{}</style>",
    "<base href='javascript:/a/'><meta http-equiv=refresh content='0;javascript:alert(1)'><link rel=import href=x>",
    "<video src=x onerror=alert(1)><source onerror=alert(1)></video><audio autoplay src=x>",
    "<details open ontoggle=alert(1)>x</details>",
    "<template><script>1</script></template><textarea><script>1</script></textarea>",
    "<select><style></select><img src=x onerror=alert(1)></style>",
    "<table><td background='javascript:alert(1)'>x</td></table>",
    "<!--><script>1</script>--><!--[if IE]><script>1</script><![endif]-->",
    "<![CDATA[<script>1</script>]]><?php x ?><!DOCTYPE a [<!ENTITY b 'c'>]>",
    "<a title='<img src=x onerror=alert(1)>' href='/x'>y</a>",
    "<img src='https://e.org/a.png' srcset='javascript:alert(1) 2x' usemap=#x ismap>",
    "<xmp><p title='</xmp><script>1</script>'></xmp><plaintext><script>1</script>",
    "\x00<scr\x00ipt>alert(1)</scr\x00ipt>",
]
PIECES = """<p> </p> <b> <i> <a_href=/x> </a> <table> <tr> <td> </table> <div> </div> <h1> <pre> </pre> text &lt;
&amp;lt; <ul> <li> <dl> <dt> <ruby> <rt> <form> <button> <select> <math> <svg> <mtext> <style> </style> <!-- --> ]]>"""
PIECES_OF_HTML = [*PAYLOADS, "\n", "\ud800", *(piece.replace("_", " ") for piece in PIECES.split())]


def assert_harmless(html: str) -> None:
    """Parse again, as a browser would, and look at every element, attribute and address."""
    tree = LexborHTMLParser(f"<!doctype html><body>{html}</body>")
    for node in tree.css("*"):
        assert node.tag in markup._TAGS | {"html", "head", "body"}, node.tag
        assert node.tag not in FORBIDDEN, node.tag
        for name, value in node.attributes.items():
            assert name in ATTRIBUTES, (node.tag, name)
            if name in URLS:
                schemes = "https?://" if node.tag == "img" else "https?://|mailto:"
                assert re.match(schemes, value or "", re.I), (node.tag, name, value)
    assert not re.search("[\x00\u202e\ud800]", html)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("base", [BASE, None, "no address"])
def test_nothing_that_acts_survives(payload: str, base: str | None) -> None:
    assert_harmless(sanitise(f"<p>before {payload} after</p>", base))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES_OF_HTML), max_size=12))
def test_no_mixture_survives_and_sanitising_twice_changes_nothing(pieces: list[str]) -> None:
    once = sanitise("".join(pieces), BASE)
    assert_harmless(once)
    assert sanitise(once, BASE) == once


@pytest.mark.parametrize(
    "html",
    [
        "<a href=/1>x<table><a href=/2>y<td>z",  # a link in a link, which the second parse takes apart
        "<a href=/1><h1><form><h1>",  # headings in each other once the form is gone
        "<pre>\n\n\ntext</pre>",  # a line end is lost in each parse
        "a\r\xa0b > c",
    ],
)
def test_what_a_second_parse_would_rearrange_is_settled(html: str) -> None:
    once = sanitise(html, BASE)
    assert sanitise(once, BASE) == once


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_sanitised_and_read(text: str) -> None:
    assert sanitise(sanitise(text, None), None) == sanitise(text, None)
    assert not re.search("[\x00-\x08\u202a-\u202e\ud800-\udfff]", plain_text(text))


@pytest.mark.parametrize(
    "pixel",
    [
        "<img src='https://t.org/x.gif' width=1 height=1>",
        "<img src='https://t.org/x.gif' width='1px' height='1'>",
        "<img src='https://t.org/x.gif' height=0>",
        "<img src='https://t.org/x.gif' style='display:none'>",
        "<img src='https://t.org/x.gif' style='width:1px;height:1px'>",
        "<img src='https://pixel.wp.com/b.gif?host=a'>",
        "<img src='http://feeds.feedburner.com/~r/News/~4/abc' alt=''>",
        "<img src='https://us1.list-manage.com/track/open.php?u=1'>",
        "<img src='https://medium.com/_/stat?event=post.clientViewed'>",
        "<img src='https://e.org/piwik.php?idsite=1&amp;rec=1'>",
        "<img alt='no source'>",
    ],
)
def test_images_that_count_the_reader_are_dropped(pixel: str) -> None:
    assert sanitise(f"<p>a{pixel}</p>", BASE) == "<p>a</p>"


def test_pictures_are_kept_with_their_address_and_size_and_without_style() -> None:
    html = "<img src='/a.png?x=1&y=2' alt='A &quot;b&quot;' width=600 height=400 style='width:10px' srcset='b.png 2x'>"
    assert (
        sanitise(html, BASE)
        == '<img src="https://e.org/a.png?x=1&amp;y=2" alt="A &quot;b&quot;" width="600" height="400">'
    )


def test_relative_links_are_resolved_or_dropped_without_a_base() -> None:
    assert 'href="https://e.org/blog/b"' in sanitise("<a href='b'>x</a>", BASE)
    assert "href" not in sanitise("<a href='b'>x</a>", None)
    assert 'href="mailto:a@e.org"' in sanitise("<a href='mailto:a@e.org'>x</a>", None)


@pytest.mark.parametrize("piece", ["<a", "<!--", "<a <", "<a b='", "&", "<img ", "<![CDATA[", "</", '<p title="<'])
def test_endless_beginnings_take_no_endless_time(piece: str) -> None:
    began = time.process_time()
    assert_harmless(sanitise(piece * 60_000, BASE)[:1_000])
    plain_text(piece * 60_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("nest", ["<div>", "<b>", "<div></p>", "<table><td>", "<a><div>", "<blockquote>", "<svg><g>"])
def test_deep_nesting_neither_crashes_nor_stalls(nest: str) -> None:
    html = nest * 60_000 + "end"
    assert_harmless(sanitise(html, BASE)[:20_000])
    assert isinstance(plain_text(html), str)


def test_ordinary_long_documents_are_not_taken_for_deep_ones() -> None:
    html = "<ul>" + "<li><p>one<br>two <b>x</b> <img src=/a.png>" * 3_000 + "</ul>"
    assert not markup.too_deep(html)
    assert sanitise(html, BASE).count("<li>") == 3_000


def test_plain_text_has_a_line_per_block_and_no_markup() -> None:
    html = (
        "<title>T</title><h1>Head</h1><p>One\n two&nbsp;<b>th</b>ree<br>four</p><ul><li>a<li>b</ul>"
        "<table><tr><td>1<td>2<tr><td>3</table><script>x()</script><style>p{}</style><p>&lt;b&gt; &#x202e;end\x00"
    )
    assert plain_text(html) == "Head\nOne two three\nfour\na\nb\n1 2\n3\n<b> end"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The committee said that it was ready to vote for the plan this week", "en"),
        ("Der Bundestag hat am Donnerstag ein neues Gesetz beschlossen", "de"),
        ("Le gouvernement annonce de nouvelles mesures pour les écoles", "fr"),
        ("人工智能正在改变世界", "zh"),
        ("使用 Rust 编写的全新 Linux 内核驱动程序发布", "zh"),
        ("東京で新しい図書館がオープンしました", "ja"),
        ("서울에서 새로운 도서관이 문을 열었다", "ko"),
        ("Правительство объявило о новых мерах поддержки", "ru"),
        ("Visiting 北京 was the best part of the whole journey for all of us", "en"),
        ("", "und"),
        ("42 — 17:3", "und"),
        ("https://e.org/the/and/with/for", "und"),
    ],
)
def test_language_is_told_or_left_open(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_the_hint_decides_only_what_the_text_does_not() -> None:
    assert detect_language("OK", "pt-BR") == "pt"
    assert detect_language("人工智能正在改变世界", "en") == "zh"
    assert detect_language("OK", "not a language") == "und"


def test_the_english_shortcut_agrees_with_the_model() -> None:
    from attention_filter.sources import language

    text = "The minister said that the plan was ready and would go to the vote this week"
    assert detect_language(text) == "en" == language._identifier().classify(text)[0]


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://E.org:80", "http://e.org/"),
        ("https://e.org:8443/a?b=2&a=1", "https://e.org:8443/a?b=2&a=1"),
        ("https://user:pw@e.org/a#part", "https://e.org/a"),
        ("https://e.org/a?utm_source=x&id=7&UTM_medium=y&gclid=1&mc_cid=2", "https://e.org/a?id=7"),
        ("https://e.org/?spmx=1&ref=2&utm=3", "https://e.org/?spmx=1&ref=2&utm=3"),
        ("https://e.org/#/page/7", "https://e.org/#/page/7"),
        ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
        (" https://e.org/a\nb ", "https://e.org/ab"),
        ("mailto:A@e.org", "mailto:A@e.org"),
        ("http://[broken", "http://[broken"),
        ("http://e.org:99999/", "http://e.org:99999/"),
    ],
)
def test_the_same_page_has_one_address(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"https?://[a-zA-Z.]{1,9}(:\d{1,3})?/[a-z?&=#/._%~]{0,20}", fullmatch=True))
def test_canonical_addresses_stay_as_they_are(url: str) -> None:
    assert canonical_url(canonical_url(url)) == canonical_url(url)
    assert clean.web_url(canonical_url(url), None) in (canonical_url(url), None)


def test_the_hash_sees_words_not_spacing_or_composition() -> None:
    assert content_hash("Café  a", "b\n\nc") == content_hash("Cafe\u0301 a", "b c")
    assert content_hash("a", "b c") != content_hash("a b", "c")


def test_dates_become_utc_and_absurd_ones_none() -> None:
    naive = datetime(2026, 1, 1, 12)
    assert clean_date(naive, NOW) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert clean_date(naive.replace(tzinfo=timezone(timedelta(hours=8))), NOW) == datetime(2026, 1, 1, 4, tzinfo=UTC)
    assert clean_date(NOW + timedelta(days=30), NOW) == NOW + timedelta(days=30)
    for absurd in (datetime(1, 1, 1), datetime(1970, 1, 1), datetime(2107, 1, 1), datetime.min.replace(tzinfo=UTC)):
        assert clean_date(absurd, NOW) is None
    assert clean_date(datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04T05:06:07Z",
        "2026-03-04 05:06:07",
        "Wed, 04 Mar 2026 05:06:07 GMT",
        "4 Mar 2026 06:06:07 +0100",
        1772600767,
        1772600767000,
        "1772600767",
        "2026/03/04 05:06:07",
        "03/04/2026 05:06:07",
    ],
)
def test_dates_are_read_in_the_forms_people_use(text: object) -> None:
    assert parse_date(text) == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.none(), st.booleans()))
def test_no_date_raises(value: object) -> None:
    date = parse_date(value)
    assert date is None or date.tzinfo is UTC


def test_an_entry_is_bounded_and_fit_to_be_stored() -> None:
    entry = make_entry(
        guid="g\x00\ud800" * 2_000,
        title="T\ud800\n" * 2_000,
        url="https://e.org/a?utm_source=x",
        html="<p>\ud800word</p>" * 200_000,
        authors=["Ann", "ann ", "Bob", ""],
        links=["https://e.org/f.mp3", "javascript:x", "https://e.org/a"],
        tags=["x"] * 500,
        now=NOW,
    )
    assert len(entry.guid) <= clean.MAX_GUID
    assert len(entry.title) <= clean.MAX_TITLE
    assert len(entry.original) <= clean.MAX_ORIGINAL
    assert len(entry.html) <= 2 * markup.MAX_HTML
    assert len(entry.text) <= markup.MAX_TEXT
    assert entry.authors == ("Ann", "Bob")
    assert entry.links == ("https://e.org/f.mp3",)
    assert entry.tags == ("x",)
    for value in (entry.guid, entry.title, entry.original, entry.text, entry.html):
        value.encode()  # lone surrogates would raise
        assert "\x00" not in value


def test_long_guids_that_differ_only_at_their_end_stay_different() -> None:
    guids = {make_entry(guid="x" * 3_000 + end, title="t", url=None, now=NOW).guid for end in "ab"}
    assert len(guids) == 2


def test_what_is_missing_is_made_up_in_a_stable_way() -> None:
    first = make_entry(guid=None, title="", url=None, text="Some words that say it.\nMore.", now=NOW)
    assert first.title == "Some words that say it."
    assert first.html == "<p>Some words that say it.<br>More.</p>"
    assert first.guid == make_entry(guid="", title="", url=None, text="Some words that say it.\nMore.", now=NOW).guid
    assert make_entry(guid=None, title="x", url="https://e.org/1#a", now=NOW).guid == "https://e.org/1"
    assert make_entry(guid=None, title="", url=None, now=NOW).title == "Untitled"


def test_the_first_picture_stands_for_the_entry_and_links_are_collected() -> None:
    html = "<img src=/p.gif width=1><img src=/a.png?x=1&y=2><a href='/b?x=1&amp;y=2#c'>b</a>"
    entry = make_entry(guid="1", title="t", url="https://e.org/1", html=html, base_url=BASE, now=NOW)
    assert entry.image == "https://e.org/a.png?x=1&y=2"
    assert entry.links == ("https://e.org/b?x=1&y=2#c",)
