from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter.digest import Head, age, atom_feed, digest_html, digest_text, json_feed
from attention_filter.sources.feeds import parse_feed
from attention_filter.types import Entry, Item, Ranked

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def ranked(title, url="https://a.example/1", score=1.0, **more):
    entry = Entry(guid=title, title=title, url=url, text="Some text.", lang="en", published=NOW - timedelta(hours=5))
    return Ranked(Item(1, 1, "Gazette", entry, NOW), score, (), **more)


def test_a_hostile_title_and_link_stay_text():
    html = digest_html([ranked('<script>alert(1)</script>"', url="javascript:alert(1)")], title="News", now=NOW)
    page = LexborHTMLParser(html)
    assert not page.css("script")
    assert not page.css("a")
    assert page.css_first("h2").text() == '<script>alert(1)</script>"'


def test_the_page_loads_nothing_from_outside():
    page = LexborHTMLParser(digest_html([ranked("A")], title="News", now=NOW))
    assert not page.css("img, link, script, iframe, object")
    assert [a.attributes["href"] for a in page.css("a")] == ["https://a.example/1"]


def test_the_longest_bar_belongs_to_the_best_score():
    page = LexborHTMLParser(digest_html([ranked("A", score=2.0), ranked("B", score=1.0)], title="N", now=NOW))
    assert [i.attributes["style"] for i in page.css(".bar i")] == ["width: 100%", "width: 50%"]


def test_scores_at_or_below_zero_have_no_bar_and_an_empty_list_says_so():
    assert "width: 0%" in digest_html([ranked("A", score=-1.0)], title="N", now=NOW)
    assert "Nothing new" in digest_html([], title="N", now=NOW)
    assert "Nothing new" in digest_text([], NOW)


def test_the_text_names_source_age_story_and_interest():
    text = digest_text([ranked("A", interest="energy", story=(7, 8))], NOW)
    assert "Gazette · 5 h · 2 more tell it" in text
    assert "for “energy”" in text


@pytest.mark.parametrize(("hours", "said"), [(0.5, "30 min"), (47, "47 h"), (49, "2 d"), (-3, "0 min")])
def test_ages_use_the_largest_fitting_unit(hours, said):
    assert age(NOW - timedelta(hours=hours), NOW) == said


HEAD = Head("For 我 & you", "https://me.example/feed/x.atom", "https://me.example/", "urn:uuid:1")


def rich():
    entry = Entry(
        guid="g",
        title="A <b> & 中文\x00",
        url="https://a.example/1?x=1&y=2",
        html="<p>Hello &amp; <em>you</em></p>",
        text="Hello & you",
        lang="zh",
        published=NOW - timedelta(hours=5),
        updated=NOW - timedelta(hours=4),
        authors=("Ann", "王"),
        tags=("one", "two"),
    )
    return Ranked(Item(1, 1, "Gazette", entry, NOW), 1.0, (), interest="energy")


@pytest.mark.parametrize(("write", "kind"), [(atom_feed, "application/atom+xml"), (json_feed, "application/feed+json")])
def test_our_own_parser_reads_a_feed_back(write, kind):
    made = write([rich(), ranked("Plain", url=None)], HEAD)
    read = parse_feed(made.encode(), "https://me.example/feed", kind, NOW, max_entries=10)
    first, second = read.entries
    assert read.title == HEAD.title
    assert (first.url, first.authors, first.tags) == ("https://a.example/1?x=1&y=2", ("Ann", "王"), ("one", "two"))
    assert first.published == NOW - timedelta(hours=5)
    assert first.text.split() == ["Hello", "&", "you"]
    assert second.title == "Plain"
    assert first.guid != second.guid


def test_an_atom_feed_has_what_rfc_4287_demands_of_feed_and_entry():
    read = feedparser.parse(atom_feed([rich()], HEAD), sanitize_html=False)
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.id == HEAD.id
    assert {(link.rel, link.href) for link in read.feed.links} == {("self", HEAD.address), ("alternate", HEAD.home)}
    (entry,) = read.entries
    assert entry.id.startswith("urn:uuid:")
    assert entry.updated == "2026-11-22T05:00:00+00:00"
    assert entry.content[0].type == "text/html"


def test_a_feed_is_the_same_text_when_only_scores_changed_and_hides_odd_addresses():
    assert atom_feed([ranked("A", score=1.0)], HEAD) == atom_feed([ranked("A", score=2.0)], HEAD)
    for write in (atom_feed, json_feed):
        assert "javascript:" not in write([ranked("A", url="javascript:alert(1)")], HEAD)
