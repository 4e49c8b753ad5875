"""Who scrolls meets every item of the list they began once, whatever is done, fetched and ranked anew meanwhile."""

import re
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from attention_filter import standing
from attention_filter.server.app import create_app
from attention_filter.standing import View
from attention_filter.types import Entry, Sign, SourceKind

HTMX = {"HX-Request": "true"}
WORDS = ("rust compiler crate", "solar battery grid", "football goal match", "tea garden soil")
SIGNS = st.sampled_from([Sign.LIKE, Sign.DISLIKE, Sign.SKIP, Sign.SAVE, Sign.HIDE, Sign.READ])
DEED = st.one_of(
    st.just(("turn",)),
    st.tuples(st.just("act"), st.integers(1, 70), SIGNS),
    st.sampled_from([("undo",), ("mark",), ("fetch",), ("other tab",), ("later",)]),
)


def entries(first, many, now):
    return [
        Entry(f"g{n}", f"{WORDS[n % 4]} number{n}", text=f"{WORDS[n % 4]} word{n} other{n}", lang="en",
              published=now - timedelta(minutes=n % 90))
        for n in range(first, first + many)
    ]  # fmt: skip


@pytest.fixture
def anew(app, mine, clock, tmp_path):
    """Makes a server on a new copy of a database with 70 items, an interest and a like, and a browser."""
    source = mine.store.add_source("https://a.example/feed", SourceKind.FEED, title="Alpha", now=clock())
    mine.store.add_entries(source.id, entries(0, 70, clock()), clock())
    mine.understand()
    mine.add_interest("rust compiler")
    mine.act([9], Sign.LIKE)
    here, copies = app.state.site, iter(range(10_000))

    def make():
        path = tmp_path / f"copy{next(copies)}.db"
        mine.store.backup(path)
        made = create_app(here.settings.model_copy(update={"db": f"sqlite:///{path}"}), worker=False, clock=clock)
        made.state.site.__dict__["_encoder"] = here.encoder()
        return made.state.site, TestClient(made, base_url="http://127.0.0.1", client=("127.0.0.1", 50000))

    return make


def rows(page):
    return [int(id_) for id_ in re.findall(r'<li class="item" id="item-(\d+)"', page.text)]


def turn(page):
    """The address of the next rows, or None at the end of the list."""
    found = re.search(r'hx-get="([^"]*start=[^"]*)"', page.text)
    return found[1].replace("&amp;", "&") if found else None


def do(deed, here, browser, page, clock):
    mine = here.filter("me")
    if deed[0] == "act":
        browser.post(f"/item/{deed[1]}/act", data={"sign": deed[2]}, headers={"Origin": "http://127.0.0.1"})
    elif deed[0] == "undo":
        browser.post("/undo", headers={"Origin": "http://127.0.0.1"})
    elif deed[0] == "mark":
        ids = re.search(r'name="ids" value="([\d,]+)"', page.text)
        browser.post("/mark", data={"ids": ids[1] if ids else "1"}, headers={"Origin": "http://127.0.0.1"})
    elif deed[0] == "fetch":
        mine.store.add_entries(mine.store.sources()[0].id, entries(mine.store.total_items(), 5, clock()), clock())
        mine.understand()
    elif deed[0] == "other tab":
        browser.get("/all")
        browser.get("/all?order=time&show=all")
    else:
        clock.now += timedelta(minutes=31)  # a ranking of then is old


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEED, min_size=3, max_size=8), st.sampled_from(["/all", "/all?order=time", "/all?lane=rest"]))
def test_nothing_comes_twice_and_nothing_above_the_line_is_passed_over(anew, clock, deeds, where):
    here, browser = anew()
    page = browser.get(where)
    made = standing.kept(here.store)
    view = View(lane="rest" if "rest" in where else "for you", order="time" if "time" in where else "rank")
    order, wanted = standing.rows_in(made, view, here.store.acts())
    there = made.ids[order[wanted]].tolist()
    assert there or "rest" in where
    seen = rows(page)
    for deed in [*deeds, *[("turn",)] * 10]:
        clock.now += timedelta(seconds=1)
        if deed != ("turn",):
            do(deed, here, browser, page, clock)
        elif address := turn(page):
            page = browser.get(address, headers=HTMX)
            seen += rows(page)
    here.store.close()
    assert seen == there
