from datetime import timedelta

import feedparser
import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter.server import post
from attention_filter.store.secrets import FEED
from attention_filter.types import Sign


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def test_the_page_shows_the_digest_as_it_would_be_sent(browser, stocked):
    page = page_of(browser.get("/digest"))
    assert len(page.css("#preview .item")) == 12, "as many as a letter holds"
    assert page.css_first("#preview pre").text().startswith("1. ")


def test_a_schedule_is_kept_and_a_wrong_one_refused(browser, mine, clock):
    form = {"every": "day", "hour": "7", "zone": "Asia/Shanghai", "size": "5", "only_news": "true"}
    page = page_of(browser.post("/digest/schedule", data=form))
    assert "The next one comes in 11 hr" in page.css_first("#schedule").text()
    kept = post.subscription(mine.store)
    assert (kept.schedule.zone, kept.schedule.size, kept.home, kept.since) == (
        "Asia/Shanghai",
        5,
        "http://127.0.0.1",
        clock(),
    )
    for wrong in ({"zone": "Mars"}, {"size": "900"}, {"hour": "x"}):
        assert page_of(browser.post("/digest/schedule", data=form | wrong), 422).css_first(".problem")
    assert post.subscription(mine.store) == kept


def test_without_a_mail_server_the_page_says_who_can_help(browser, mine):
    assert "smtp_host" in page_of(browser.get("/digest")).css_first("#mail").text()
    assert browser.post("/digest/mail", data={"address": "ann@example.org"}).status_code == 422
    assert not post.subscription(mine.store).address


@pytest.fixture
def address(browser, stocked, clock):
    """Of a feed of a view."""

    def make(view="you", **more):
        browser.post("/digest/feeds", data={"name": "My feed", "view": view, **more})
        return f"/feed/{stocked.store.accounts.secrets('me', FEED, clock())[-1].token}"

    return make


def test_a_secret_feed_is_read_by_feed_programs_and_asked_for_conditionally(browser, address):
    path = address()
    atom = browser.get(f"{path}.atom")
    read = feedparser.parse(atom.content)
    assert (read.bozo, read.feed.title, len(read.entries)) == (False, "My feed", 20)
    assert atom.headers["content-type"] == "application/atom+xml; charset=utf-8"
    again = browser.get(f"{path}.atom", headers={"If-None-Match": atom.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", atom.headers["etag"])
    json = browser.get(f"{path}.json")
    assert json.headers["content-type"].startswith("application/feed+json")
    assert json.json()["version"] == "https://jsonfeed.org/version/1.1"
    assert {one["id"] for one in json.json()["items"]} == {one.id for one in read.entries}


def test_each_view_holds_what_it_says(browser, stocked, address):
    source = stocked.store.sources()[0]
    interest = stocked.add_interest("solar battery grid")
    saved = stocked.store.newest(1, source=source.id)[0]
    stocked.act([saved.id], Sign.SAVE)

    def titles(path):
        return [one["title"] for one in browser.get(f"{path}.json").json()["items"]]

    assert titles(address("saved")) == [saved.entry.title]
    of_source = browser.get(f"{address(f'source:{source.id}')}.json").json()["items"]
    assert {one["authors"][0]["name"] for one in of_source} == {source.title}
    claimed = titles(address(f"interest:{interest.id}"))
    assert claimed
    assert len(claimed) < 20
    scores = sorted(one.score for one in stocked.stream(100))
    assert len(titles(address("above", above=f"{scores[-3] - 1e-6:.9f}"))) == 3
    stocked.remove_interest(interest.id)
    assert titles(address(f"interest:{interest.id}")) == []


def test_a_feed_is_renamed_and_revoked_by_its_owner_alone(browser, stocked, address, strange, clock):
    path = address()
    (feed,) = stocked.store.accounts.secrets("me", FEED, clock())
    assert (
        page_of(browser.post(f"/digest/feeds/{feed.id}", data={"name": "Other"}))
        .css_first(".feed input")
        .attributes["value"]
        == "Other"
    )
    assert stocked.store.accounts.secrets("me", FEED, clock())[0].last_used is None
    browser.get(f"{path}.atom")
    assert stocked.store.accounts.secrets("me", FEED, clock())[0].last_used == clock()
    strange()
    assert browser.post(f"/digest/feeds/{feed.id}", data={"name": "Mine"}).status_code == 404
    assert browser.post(f"/digest/feeds/{feed.id}/revoke").status_code == 404
    assert browser.get(f"{path}.atom").status_code == 200
    stocked.store.accounts.revoke("me", feed.id)
    assert browser.get(f"{path}.atom").status_code == 404


@pytest.mark.parametrize(
    "path", ["/feed/wrong.atom", "/feed/wrong.json", "/feed/x.exe", "/digest/stop/x", "/digest/confirm/x"]
)
def test_a_wrong_token_opens_nothing(browser, stocked, path):
    assert browser.get(path).status_code == 404


def test_a_view_that_does_not_exist_makes_no_feed(browser, stocked, clock):
    assert browser.post("/digest/feeds", data={"name": "x", "view": "everything"}).status_code == 404
    assert not stocked.store.accounts.secrets("me", FEED, clock() + timedelta(days=1))
