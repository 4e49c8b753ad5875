"""The feeds of a page are found, the likeliest first."""

import pytest

from attention_filter.sources.web import FoundFeed, discover

URL = "https://e.org/blog/index.html"
PAGE = """<!doctype html><html><head><title>Blog</title>
<link rel="stylesheet" href="/s.css"><link rel="alternate" hreflang="de" href="/de/">
<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed/">
<link rel="Alternate Home" type="application/rss+xml; charset=utf-8" title="Posts &amp; more" href="feed.xml">
<link rel="alternate" type="application/feed+json" href="https://cdn.e.org/feed.json">
<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">
<link rel="alternate" type="application/json+oembed" href="/oembed?url=x">
<link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
</head><body><a href="/atom.xml">Subscribe</a> <a href="feed.xml">again</a> <a href="/about">About</a>
<a href="/feedback">Feedback</a></body></html>"""


def test_declared_feeds_come_first_then_links_then_guesses() -> None:
    found = discover(PAGE.encode(), URL)
    assert found[:4] == [
        FoundFeed("https://e.org/blog/feed.xml", "Posts & more", "rss"),
        FoundFeed("https://cdn.e.org/feed.json", "", "json"),
        FoundFeed("https://e.org/comments/feed/", "Comments", "rss"),
        FoundFeed("https://e.org/atom.xml", "Subscribe", "link"),
    ]
    assert {feed.kind for feed in found[4:]} == {"guess"}
    assert len({feed.url for feed in found}) == len(found)


def test_the_pages_base_counts() -> None:
    html = b"<base href='https://cdn.org/x/'><link rel=alternate type=application/atom+xml href=a>"
    assert discover(html, URL)[0].url == "https://cdn.org/x/a"


@pytest.mark.parametrize(
    "html", [b"", b"\xff\xfe\x00", b"<" * 100_000, b"<div>" * 100_000, b"<link rel=alternate href>"]
)
def test_a_page_that_is_none_leaves_the_usual_places(html: bytes) -> None:
    assert {feed.kind for feed in discover(html, URL)} == {"guess"}


def test_a_page_in_another_encoding_is_read() -> None:
    html = "<meta charset=gbk><link rel=alternate type=application/rss+xml title=新闻 href=/f>"
    assert discover(html.encode("gbk"), URL)[0].title == "新闻"


def test_a_deeply_nested_page_still_tells_its_feeds() -> None:
    html = b"<div>" * 50_000 + b"<link rel=alternate type=application/rss+xml href=/f>"
    assert discover(html, URL)[0].url == "https://e.org/f"
