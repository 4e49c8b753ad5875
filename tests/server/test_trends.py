"""Topics and tone on the page: facets, marks, rules, and how they change over time."""

from datetime import timedelta

import pytest

from attention_filter import standing
from attention_filter.server.work import KINDS, ask
from attention_filter.server.worker import Worker
from attention_filter.store import tellers


@pytest.fixture
def worker(app):
    here = app.state.site
    return Worker(here.store, here.settings, here.clock, KINDS, here.encoder)


@pytest.fixture
def told(stocked, clock):
    """The stocked reader, of whose best items three have a topic and two a feeling."""
    store = stocked.store
    hashes = {item.id: item.entry.content_hash for item in store.newest(100)}
    topics, feelings = dict.fromkeys(hashes.values(), ("", 0.3)), dict.fromkeys(hashes.values(), ("", 0.0))
    first, second, third = [place.item for place in standing.refresh(store, stocked.settings, clock()).listed[:3]]
    topics |= {hashes[one]: ("sports", 0.9) for one in (first, second)} | {hashes[third]: ("my own", 0.8)}
    feelings |= {hashes[first]: ("negative", -0.7), hashes[second]: ("positive", 0.6)}
    store.put_labels("t", topics)
    store.put_labels("f", feelings)
    store.use_tellers("t", "f")
    standing.refresh(store, stocked.settings, clock())
    return stocked


def test_a_row_names_topic_and_tone_in_the_visitors_language(told, browser):
    page = browser.get("/all").text
    assert 'topic=sports"' in page
    assert 'class="soft tone negative"' in page
    chinese = browser.get("/all", headers={"Accept-Language": "zh"}).text
    for said in ("体育", "my own", "负面", "话题", "语气"):
        assert said in chinese


def test_the_stream_is_narrowed_by_topic_and_by_tone(told, browser):
    def rows(address):
        """In both lanes."""
        pages = (browser.get(f"/all?lane={lane}&{address}").text for lane in ("you", "rest"))
        return sum(page.count('<li class="item"') for page in pages)

    assert rows("topic=sports") == 2
    assert rows("topic=sports&feeling=positive") == 1
    assert rows("topic=nothing") == 0
    assert rows("feeling=nonsense") == rows("")


def test_an_item_says_both(told, browser):
    item = next(one.id for one in told.store.newest(100) if one.sentiment == "negative")
    page = browser.get(f"/item/{item}").text
    assert 'href="/all?topic=sports"' in page
    assert "Tone, from −1 to 1: -0.70" in page


def test_a_rule_by_topic_and_tone_is_shown_before_it_is_kept(told, browser):
    form = {"action": "block", "topic": "sports", "sentiment": "negative"}
    assert "1 item" in browser.post("/rules/preview", data=form, headers={"HX-Request": "true"}).text
    page = browser.post("/rules", data=form).text  # follows to the list
    assert "Never show: about sports, in a negative tone" in page


def test_the_trends_are_drawn_with_a_table_behind(told, browser):
    page = browser.get("/trends").text
    assert page.count('<rect class="negative"') == 2  # the column and the key
    assert "sports" in page
    assert "my own" in page
    assert page.count("As a table") == 2
    assert "<script>" not in page


def test_trends_of_a_source_that_one_does_not_follow_are_empty(told, browser):
    assert "Nothing came in that time." in browser.get("/trends?source=999").text
    assert browser.get("/trends?days=x&interest=y").status_code == 200


def test_other_topics_are_told_in_the_background(told, browser, worker, clock):
    assert browser.post("/trends/topics", data={"text": "chess: an endgame; blitz\npolitics"}).url.path == "/trends"
    while worker.run_one() is not None:
        clock.now += timedelta(minutes=1)
    assert told.topics().names == ("chess", "politics")
    assert "sports" not in {item.topic for item in told.store.newest(100)}
    assert "chess: an endgame; blitz\npolitics" in browser.get("/trends").text


def test_a_list_with_a_slip_keeps_what_was_typed(told, browser):
    answer = browser.post("/trends/topics", data={"text": "one topic alone"})
    assert answer.status_code == 422
    assert "give between 2 and 100" in answer.text
    assert "one topic alone</textarea>" in answer.text
    assert told.topics().own == ()


def test_a_database_of_an_older_version_is_told_when_the_server_starts(stocked, worker, clock):
    stocked.store.put_state(tellers.NAME, b"{}")  # as if nobody had told anything yet
    assert stocked.store.tellers() == {}
    ask(stocked.store, "catch up", None, clock())
    while worker.run_one() is not None:
        clock.now += timedelta(minutes=1)
    assert set(stocked.store.tellers()) == {"topic", "sentiment"}
    assert all(item.polarity is not None for item in stocked.store.newest(100))
