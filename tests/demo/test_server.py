import json
import socket
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import feedparser
import pytest

from attention_filter.demo.server import OUTLETS, DemoServer, feeds, serve
from attention_filter.errors import UsageError

NOW = datetime(2025, 3, 2, 9, 30, 15, tzinfo=UTC)
NO_DATE = {"hp-20263", "bq-6918"}  # one nonsense, one missing
FUTURE = "tag:tidepool-science.example,2024:open-night"
SAME_URL = "https://circuit-gazette.example/open-source/quillstore-licence"


def entries(now: datetime = NOW) -> list[SimpleNamespace]:
    """Every item of the eight feeds as the standard parsers see it, without our own sources package."""
    out = []
    rendered = feeds(now)
    for outlet in OUTLETS:
        body = rendered[outlet.file]
        if outlet.file.endswith(".json"):
            for item in json.loads(body)["items"]:
                date = item.get("date_published")
                out.append(
                    SimpleNamespace(
                        outlet=outlet,
                        guid=item["id"],
                        title=item["title"],
                        url=item["url"],
                        html=item["content_html"],
                        date=date and datetime.fromisoformat(date),
                    )
                )
            continue
        for item in feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False).entries:
            # dict.get, because feedparser's own falls back between the two with a warning
            when = dict.get(item, "published_parsed") or dict.get(item, "updated_parsed")
            html = item.content[0].value if "content" in item else item.summary
            out.append(
                SimpleNamespace(
                    outlet=outlet,
                    guid=item.get("id"),
                    title=item.title,
                    url=item.link,
                    html=html,
                    date=when and datetime(*when[:6], tzinfo=UTC),
                )
            )
    return out


ITEMS = entries()
ALL_HTML = "\n".join(item.html for item in ITEMS)


def get(server: DemoServer, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(server.host, timeout=5)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def server():
    with serve(NOW) as running:
        yield running


@pytest.mark.parametrize("outlet", OUTLETS, ids=lambda o: o.file)
def test_every_feed_is_well_formed_and_says_its_own_title(outlet):
    body = feeds(NOW)[outlet.file]
    assert b"{{" not in body
    if outlet.file.endswith(".json"):
        feed = json.loads(body)
        assert feed["version"].startswith("https://jsonfeed.org/version/")
        assert feed["title"] == outlet.title
    else:
        parsed = feedparser.parse(body)
        assert not parsed.bozo, parsed.bozo_exception
        assert parsed.feed.title == outlet.title
        assert parsed.version == {"rss": "rss20", "atom": "atom10", "rdf": "rss10"}[outlet.file[-4:].strip(".")]


def test_every_feed_file_in_the_package_is_served():
    import attention_filter.demo

    folder = Path(attention_filter.demo.__file__).parent / "feeds"
    assert {path.name for path in folder.iterdir()} == {outlet.file for outlet in OUTLETS}


def test_there_are_about_150_items_in_two_languages():
    assert 140 <= len(ITEMS) <= 170
    share = Counter(item.outlet.folder for item in ITEMS)
    assert set(share) == {"English", "中文"}
    assert min(share.values()) >= 0.35 * len(ITEMS)


@pytest.mark.parametrize("now", [NOW, datetime(2031, 12, 31, 23, 59, tzinfo=UTC)])
def test_items_are_hours_to_nine_days_old_whatever_the_day(now):
    items = entries(now)
    dated = [item for item in items if item.date is not None and item.guid != FUTURE]
    assert all(now - timedelta(days=10) <= item.date <= now for item in dated)
    days = {(now - item.date).days for item in dated}
    assert days >= set(range(9))


def test_the_deliberate_defects_are_there():
    assert [item.guid for item in ITEMS if item.date and item.date > NOW] == [FUTURE]
    assert {item.guid for item in ITEMS if item.date is None} == NO_DATE
    assert [item.title for item in ITEMS if item.guid is None] == [
        "Three e-ink notebooks for people who still think on paper"
    ]
    assert b'<link href="/ocean/lagoon-coral"/>' in feeds(NOW)["tidepool-science.atom"]  # under xml:base
    for mark in (
        "<script>",
        "onclick=",
        "javascript:",
        "onload=",
        'width="1" height="1"',
        "<img src",
        'href="/',
    ):
        assert mark in ALL_HTML


def test_a_guid_is_used_twice_once_and_on_purpose():
    twice = {guid: n for guid, n in Counter(item.guid for item in ITEMS).items() if n > 1 and guid}
    assert twice == {"hp-roadworks": 2}
    assert len({item.title for item in ITEMS if item.guid == "hp-roadworks"}) == 2


def test_the_same_article_comes_with_and_without_tracking_parameters():
    with_it = [item.url for item in ITEMS if item.url.partition("?")[0] == SAME_URL]
    assert len(with_it) == 2
    assert sum("utm_source" in url for url in with_it) == 1


def test_the_index_page_names_every_feed_for_discovery(server):
    for path in ("/", "/index.html"):
        response, body = get(server, path)
        assert response.status == 200
        assert response.headers.get_content_type() == "text/html"
        assert body.count(b'<link rel="alternate"') == len(OUTLETS)


def test_the_opml_lists_the_feeds_in_two_folders(server):
    _, body = get(server, urlsplit(server.opml_url).path)
    root = ET.fromstring(body)
    folders = {f.get("text"): [o.get("xmlUrl") for o in f] for f in root.findall("./body/outline")}
    assert {name: len(urls) for name, urls in folders.items()} == {"English": 5, "中文": 3}
    assert sorted(url for urls in folders.values() for url in urls) == sorted(server.feed_urls)


def test_feeds_are_served_with_their_own_type_and_bytes(server):
    for outlet, url in zip(OUTLETS, server.feed_urls, strict=True):
        response, body = get(server, urlsplit(url).path)
        assert response.status == 200
        assert response.headers.get_content_type() == outlet.media_type
        assert body == feeds(NOW)[outlet.file]


def test_an_unchanged_feed_answers_304_without_a_body(server):
    path = urlsplit(server.feed_urls[0]).path
    first, body = get(server, path)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    assert body
    for headers in (
        {"If_None_Match": etag},
        {"If_None_Match": f'"old", W/{etag}'},
        {"If_Modified_Since": modified},
        {"If_None_Match": etag, "If_Modified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        response, body = get(server, path, **headers)
        assert (response.status, body, response.headers["ETag"]) == (304, b"", etag)


def test_a_changed_feed_is_sent_again(server):
    path = urlsplit(server.feed_urls[0]).path
    for headers in (
        {"If_None_Match": '"old"'},
        {"If_None_Match": '"old"', "If_Modified_Since": format_datetime(NOW, usegmt=True)},
        {"If_Modified_Since": format_datetime(NOW - timedelta(seconds=16), usegmt=True)},
        {"If_Modified_Since": "the day before yesterday"},
    ):
        response, body = get(server, path, **headers)
        assert response.status == 200
        assert body


def test_head_sends_the_headers_only_and_an_unknown_path_is_404(server):
    response, body = get(server, "/feeds.opml", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 100
    assert get(server, "/feeds/../server.py")[0].status == 404


def test_nothing_is_printed_and_nothing_is_left_behind(capfd):
    before = set(threading.enumerate())
    with serve(NOW) as running:
        assert len(set(threading.enumerate()) - before) == 1
        get(running, "/nowhere")
        get(running, "/")
    assert capfd.readouterr() == ("", "")
    assert not [t for t in set(threading.enumerate()) - before if t.name == "demo-feeds"]
    port = urlsplit(running.url).port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_server_closes_when_the_block_raises():
    before = set(threading.enumerate())
    with pytest.raises(KeyError), serve(NOW):
        raise KeyError
    assert not set(threading.enumerate()) - before


def test_a_clock_without_time_zone_is_refused():
    with pytest.raises(UsageError, match="time zone"):
        feeds(datetime(2025, 3, 2))
