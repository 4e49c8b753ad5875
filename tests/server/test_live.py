"""News for open pages, what a footer shows of the work, health and figures: each for whom it concerns."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from attention_filter import standing
from attention_filter.server import app as app_module
from attention_filter.server.access import Visitor, visitor
from attention_filter.server.app import create_app
from attention_filter.server.live import Live, told
from attention_filter.server.watch import is_local
from attention_filter.server.work import GATHER, ask
from attention_filter.settings import Settings
from attention_filter.store.jobs import State
from attention_filter.store.store import open_store
from attention_filter.types import Entry, SourceKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def app(tmp_path):
    made = create_app(Settings(db=f"sqlite:///{tmp_path / 'a.db'}"), worker=False, clock=Clock())
    yield made
    made.state.site.store.close()


@pytest.fixture
def store(app):
    return app.state.site.store


@pytest.fixture
def client(app):
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5000))


def heard(app, reader, looks, rounds=1):
    """All that a listener of the reader is told in so many looks; `looks` is done before each."""

    async def listen():
        news = []
        now = app.state.live
        with now.listening(reader) as listener:
            for number in range(rounds):
                looks(number)
                for kind, data in now._look({reader})[reader].items():
                    listener.tell(kind, data)
            listener.close()
            async for one in listener:
                news.append(one)
        return news

    return asyncio.run(listen())


def test_a_page_hears_of_the_work_and_of_a_new_ranking_and_what_comes_is_ranked(app, store):
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=NOW).id

    def looks(number):
        if number == 0:
            store.add_entries(source, [Entry("a", "A")], NOW)
            standing.refresh(store, Settings(), NOW)
            ask(store, "rank", "me", NOW)
            store.jobs.claim(["rank"], NOW)
        else:
            store.add_entries(source, [Entry("b", "B"), Entry("c", "C")], NOW)

    news = dict(heard(app, "me", looks, rounds=2))
    assert news["work"]["running"] == [{"id": 1, "kind": "rank", "what": "", "done": 0, "total": 0}]
    assert news["ranked"] == {"standing": standing.kept_head(store).id}
    again = store.jobs.listed([State.RUNNING])
    assert [(job.kind, job.payload["again"]) for job in again] == [("rank", (NOW + GATHER).timestamp())], "and waits"


def test_nothing_is_told_twice_and_a_slow_listener_keeps_only_the_last(app, store):
    ask(store, "count", "me", NOW)
    job = store.jobs.claim(["count"], NOW)
    news = heard(app, "me", lambda number: store.jobs.renew(job, NOW, number // 2, 50, "Counting"), rounds=101)
    assert [(kind, data["running"][0]["done"]) for kind, data in news] == [("work", 50)]


def test_a_page_hears_of_a_job_in_ten_steps_not_with_each_item(app, store):
    ask(store, "count", "me", NOW)
    job, told_of = store.jobs.claim(["count"], NOW), []
    for number in range(156):
        store.jobs.renew(job, NOW, number, 156, "Counting")
        told_of.append(app.state.live._look({"me"})["me"]["work"]["running"][0]["done"])
    assert len(set(told_of)) == 11


def test_nobody_is_told_of_anothers_work(app, store):
    ask(store, "rank", "ann", NOW)
    store.jobs.claim(["rank"], NOW)
    assert dict(heard(app, "ben", lambda _: None))["work"] == {"running": [], "failed": []}
    assert dict(heard(app, "ann", lambda _: None))["work"]["running"]
    assert told(store.jobs.listed([State.RUNNING]), "ben")["running"] == []


def test_listeners_are_let_go_when_the_server_stops():
    async def stopping():
        live = Live(store=None, clock=Clock(), stopping=lambda: True)  # type: ignore[arg-type]
        with live.listening("me") as listener:
            await live.run()
            return [one async for one in listener]

    assert asyncio.run(asyncio.wait_for(stopping(), 5)) == []


def failed_job(store, reader):
    id_ = ask(store, "fetch", reader, NOW)
    store.jobs.fail(store.jobs.claim(["fetch"], NOW), NOW, "example.org: timed out", final=True)
    return id_


def test_what_failed_is_shown_and_tried_again_at_a_press(app, store, client):
    id_ = failed_job(store, "me")
    assert client.get("/jobs").json()["errors"] == {str(id_): "example.org: timed out"}
    page = client.get("/jobs", headers={"HX-Request": "true"}).text
    assert f"/jobs/{id_}/retry" in page
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert client.post(f"/jobs/{id_}/retry", headers=headers, follow_redirects=False).status_code == 303
    assert store.jobs.one(id_).state == State.QUEUED


@pytest.mark.parametrize("reader", ["ann", None])
def test_who_is_not_the_owner_neither_sees_nor_retries_what_is_not_theirs(app, store, client, reader):
    id_ = failed_job(store, reader)
    app.dependency_overrides[visitor] = lambda: Visitor(2, "Ben", "ben", is_owner=False)
    assert client.get("/jobs").json()["errors"] == {}
    assert client.post(f"/jobs/{id_}/retry", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 404
    assert store.jobs.one(id_).state == State.FAILED


def test_health_says_whether_the_database_and_the_worker_are_there(app, client):
    assert client.get("/healthz").json() == {"database": True, "worker": None}

    class Dead:
        def is_alive(self):
            return False

    app.state.worker = Dead()
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"database": True, "worker": False})


def test_the_figures_name_routes_and_kinds_and_nothing_else(app, store, client):
    source = store.add_source("https://secret.example/feed", SourceKind.FEED, now=NOW - timedelta(hours=1)).id
    (item,) = store.add_entries(source, [Entry("a", "A private title")], NOW).new
    store.record_success(source, now=NOW - timedelta(minutes=5), next_try=NOW)
    ask(store, "rank", "me", NOW)
    client.get(f"/item/{item}")
    client.get("/nowhere/at-all?q=private")
    told = client.get("/metrics").text
    assert 'attention_requests_total{method="GET",route="/item/{item}",status="200"} 1.0' in told
    assert 'attention_jobs{kind="rank",state="queued"} 1.0' in told
    assert "attention_items 1.0" in told
    assert "attention_last_fetch_age_seconds 300.0" in told
    for private in ("private", "secret", "nowhere", f"/item/{item}"):
        assert private not in told


@pytest.mark.parametrize("peer", [("10.0.0.7", 5000), ("testclient", 5000)])
def test_the_figures_are_for_this_machine_alone(app, peer):
    outside = TestClient(app, base_url="http://127.0.0.1", client=peer)
    assert outside.get("/metrics").status_code >= 400


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_what_came_through_a_proxy_is_not_of_this_machine(header):
    headers = [(header.lower().encode(), b"10.0.0.7")]
    scope = {"type": "http", "client": ("127.0.0.1", 5000), "headers": headers}
    assert not is_local(Request(scope))
    assert is_local(Request(scope | {"headers": []}))
    assert not is_local(Request(scope | {"headers": [], "state": {"forwarded": True}}))


def test_the_figures_are_not_given_to_a_proxy_on_this_machine(client):
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.7"}).status_code >= 400


def test_a_page_does_not_wait_for_whoever_writes(tmp_path):
    """It wishes for a ranking, which has to be written down; and it comes although another process is writing."""
    served = create_app(Settings(db=f"sqlite:///{tmp_path / 'a.db'}"))  # with a worker, which is never started
    here = served.state.site.store
    here.add_interest("bees", 1.0, NOW)
    with open_store(f"sqlite:///{tmp_path / 'a.db'}") as other, other._write():
        assert TestClient(served, "http://127.0.0.1", client=("127.0.0.1", 1)).get("/").status_code == 200
        assert not here.jobs.listed([State.QUEUED])
    served.state.asking.shutdown()
    assert [job.kind for job in here.jobs.listed([State.QUEUED])] == ["rank"]
    here.close()


def test_the_model_is_loaded_when_nobody_has_asked_for_a_while(tmp_path, monkeypatch):
    served = create_app(Settings(db=f"sqlite:///{tmp_path / 'a.db'}"))
    loaded = Event()
    monkeypatch.setattr(served.state.site, "encoder", loaded.set)
    monkeypatch.setattr(app_module, "QUIET", 0.0)
    TestClient(served, "http://127.0.0.1", client=("127.0.0.1", 1)).get("/healthz")
    assert 0 <= time.monotonic() - served.state.asked < 60
    asyncio.run(app_module._warm(served))
    assert loaded.wait(10)
    served.state.site.store.close()


@pytest.mark.parametrize(("few", "ranked"), [(20, True), (19, False)])
def test_a_small_stream_that_was_never_ranked_is_ranked_for_its_first_page(stocked, monkeypatch, few, ranked):
    """The worker is never started: what the command line made is not shown by its time alone; much of it is."""
    monkeypatch.setattr("attention_filter.server.app.SOON", few)
    served = create_app(Settings(db=f"sqlite:///{stocked.store.path}"), clock=lambda: NOW)
    assert TestClient(served, "http://127.0.0.1", client=("127.0.0.1", 1)).get("/").status_code == 200
    served.state.asking.shutdown()
    assert (standing.kept_head(stocked.store) is not None) == ranked
    assert [job.kind for job in stocked.store.jobs.listed([State.QUEUED])] == ([] if ranked else ["rank"])
    served.state.site.store.close()
