"""The worker: what is asked for gets done once, whatever dies on the way."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from attention_filter import intake, standing
from attention_filter.errors import SourceError, UsageError
from attention_filter.server import work
from attention_filter.server.work import KINDS, Kind, ask
from attention_filter.server.worker import NICE, Worker, WorkerProcess, told
from attention_filter.settings import Settings
from attention_filter.store.jobs import LEASE, State
from attention_filter.store.store import open_store
from attention_filter.types import SourceKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'a.db'}"


@pytest.fixture
def store(url):
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "notes"
    path.mkdir()
    for number in range(30):
        (path / f"note{number}.txt").write_text(f"Note {number}\n\nabout things of number {number}")
    return path


def worker_for(store, clock, **kinds):
    return Worker(store, Settings(), clock, {name: Kind(run, "lane") for name, run in kinds.items()})


def test_a_job_is_done_and_says_how_far_it_is(store, clock):
    seen = []

    def count(job):
        for step in range(3):
            clock.now += timedelta(seconds=1)
            job.progress("Counting", step, 3)
            seen.append(store.jobs.one(job.job.id).done)

    id_ = ask(store, "count", "me", NOW)
    worker = worker_for(store, clock, count=count)
    assert worker.run_one().id == id_
    assert seen == [0, 1, 2]
    assert store.jobs.one(id_).state == State.DONE
    assert worker.run_one() is None


def test_a_failure_is_told_and_tried_again_and_a_wrong_wish_is_not(store, clock):
    def fails(job):
        raise SourceError("example.org: timed out")

    def wrong(job):
        raise UsageError("no such thing")

    first, second = ask(store, "fails", None, NOW), ask(store, "wrong", None, NOW)
    worker = worker_for(store, clock, fails=fails, wrong=wrong)
    assert worker.run_one()
    assert worker.run_one()
    assert (store.jobs.one(first).state, store.jobs.one(first).error) == (State.QUEUED, "example.org: timed out")
    assert (store.jobs.one(second).state, store.jobs.one(second).error) == (State.FAILED, "no such thing")


def test_what_nobody_foresaw_is_told_without_its_words(store, clock, capsys):
    def breaks(job):
        raise ValueError("a title that is nobody's business")

    id_ = ask(store, "breaks", None, NOW)
    worker_for(store, clock, breaks=breaks).run_one()
    told = capsys.readouterr()
    assert store.jobs.one(id_).error.startswith("ValueError")
    assert "nobody's business" not in store.jobs.one(id_).error + told.out + told.err


def test_a_stopped_worker_gives_its_job_back_at_the_next_step(store, clock):
    def long(job):
        worker.stopping.set()
        job.progress("Working", 0, 9)
        raise AssertionError("it went on")

    id_ = ask(store, "long", None, NOW)
    worker = worker_for(store, clock, long=long)
    worker.run_one()
    assert (store.jobs.one(id_).state, store.jobs.one(id_).attempts) == (State.QUEUED, 0)


def test_who_lost_its_job_ends_at_the_next_step_and_writes_nothing(store, clock):
    def slow(job):
        clock.now += LEASE + timedelta(seconds=1)
        assert store.jobs.claim(["slow"], clock.now).attempts == 2
        job.progress("Working", 0, 9)
        raise AssertionError("it went on")

    id_ = ask(store, "slow", None, NOW)
    worker_for(store, clock, slow=slow).run_one()
    assert store.jobs.one(id_).state == State.RUNNING


def test_each_source_is_fetched_once_for_all_who_follow_it(store, folder, clock):
    readers = [store.for_reader(name) for name in ("ann", "ben")]
    for reader in readers:
        source = reader.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    assert store.due_everywhere(NOW) == [("ann", source.id)]
    work.plan(store, Settings(), NOW)
    work.plan(store, Settings(), NOW)
    Worker(store, Settings(), clock, {"fetch": KINDS["fetch"]}).run_one()
    assert [reader.count_items() for reader in readers] == [30, 30]
    assert store.due_everywhere(NOW) == []
    waiting = {(job.kind, job.reader) for job in store.jobs.listed([State.QUEUED])}
    assert waiting == {("understand", "ann"), ("understand", "ben")}


def test_what_a_source_brings_is_handed_on_while_others_are_awaited(store, folder, clock, tmp_path, monkeypatch):
    other = tmp_path / "more.csv"
    other.write_text("title,text\nOne,more text\n")
    for path, kind in ((folder, SourceKind.FOLDER), (other, SourceKind.TABLE)):
        store.add_source(str(path), kind, columns=(("title", "title"), ("text", "text")), now=NOW)
    waiting, store_file = [], intake._store_file

    def slow(*args):
        waiting.append({job.kind for job in store.jobs.listed([State.QUEUED])})
        return store_file(*args)

    monkeypatch.setattr(intake, "_store_file", slow)
    ask(store, "fetch", "me", NOW)
    Worker(store, Settings(), clock, {"fetch": KINDS["fetch"]}).run_one()
    assert waiting == [{"load"}, {"load", "understand", "first look"}]


def test_a_first_list_waits_for_the_model_for_three_seconds_only(store, folder, clock):
    store.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    worker = Worker(store, Settings(), clock, {name: KINDS[name] for name in ("fetch", "first look")})  # it never comes
    ask(store, "fetch", "me", NOW)
    assert worker.run_one().kind == "fetch"
    assert worker.run_one() is None
    clock.now += work.BY_WORDS
    assert worker.run_one().kind == "first look"
    assert len(standing.kept(store)) == 30


def test_the_titles_are_ranked_before_the_texts_and_what_comes_meanwhile_has_its_turn(
    store, folder, clock, monkeypatch
):
    monkeypatch.setattr(work, "PART", 20)
    store.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    said = []

    def asked(store, kind, *args, **more):
        said.append((kind, len(store.missing_titles("m", 100)), len(store.missing_vectors("m"))))

    class Model:
        id, dim = "m", 4

        def encode(self, texts, *, progress=None):
            if len(said) == 1:
                (folder / "late.txt").write_text("Late news\n\nabout it all")
                intake.fetch(store, Settings(), store.sources(), NOW, lambda *_: None)
            return np.random.default_rng(len(texts)).normal(size=(len(texts), 4)).astype(np.float32)

    ask(store, "understand", "me", NOW)
    store_of = store.for_reader("me")
    intake.fetch(store_of, Settings(), store_of.sources(), NOW, lambda *_: None)
    monkeypatch.setattr(work, "ask", asked)
    Worker(store, Settings(), clock, {"understand": KINDS["understand"]}, encoder=Model).run_one()
    assert said == [("rank", 0, 30), ("rank", 1, 11), ("rank", 0, 0)]


def test_a_source_that_its_only_follower_muted_is_not_due(store, folder):
    source = store.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    store.set_muted(source.id, True)
    assert store.due_everywhere(NOW) == []


def test_a_ranking_that_would_change_nothing_is_not_made(store, folder, clock):
    store.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    worker = Worker(store, Settings(), clock, {name: KINDS[name] for name in ("fetch", "rank")})
    ask(store, "fetch", None, NOW)
    ask(store, "rank", "me", NOW)
    while worker.run_one():
        pass
    first = standing.kept_head(store)
    assert len(standing.kept(store)) == 30
    ask(store, "rank", "me", NOW)
    worker.run_one()
    assert standing.kept_head(store) == first


DIES = """
import sys
from threading import Event
from attention_filter.server.work import KINDS, Kind
from attention_filter.server.worker import Worker
from attention_filter.settings import Settings
from attention_filter.store.store import open_store

def fetch_and_hang(job):
    KINDS["fetch"].run(job)
    print("fetched", flush=True)
    Event().wait()

Worker(open_store(sys.argv[1]), Settings(), kinds={"fetch": Kind(fetch_and_hang, "network")}).run_one()
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_job_killed_in_its_midst_is_finished_once_after_a_restart(store, url, folder, clock):
    store.add_source(str(folder), SourceKind.FOLDER, now=NOW)
    id_ = ask(store, "fetch", None, datetime.now(UTC))
    process = subprocess.Popen([sys.executable, "-c", DIES, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "fetched\n"
    process.kill()
    process.communicate()
    assert store.jobs.one(id_).state == State.RUNNING
    clock.now = datetime.now(UTC) + LEASE
    restarted = Worker(store, Settings(), clock, {"fetch": KINDS["fetch"]})
    assert restarted.run_one().id == id_
    assert restarted.run_one() is None
    assert (store.jobs.one(id_).state, store.jobs.one(id_).attempts) == (State.DONE, 2)
    assert store.count_items() == 30
    assert len({item.entry.guid for item in store.items(store.outline(100).ids.tolist())}) == 30


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_the_child_is_started_again_when_it_dies_and_ends_with_the_server(store, url):
    store.add_interest("anything", 1.0, NOW)
    child = WorkerProcess(Settings(db=url), restart_after=0.01)
    child.start()
    try:
        wait_until(child.is_alive)
        child._process.kill()
        id_ = ask(store, "rank", "me", datetime.now(UTC))
        wait_until(lambda: store.jobs.one(id_).state == State.DONE)
    finally:
        began = time.monotonic()
        child.stop()
    assert time.monotonic() - began < 2
    assert not child.is_alive()


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_the_child_gives_way_to_the_pages_and_is_not_reached_by_ctrl_c(url):
    child = WorkerProcess(Settings(db=url))
    child.start()
    try:
        wait_until(child.is_alive)
        pid = child._process.pid
        wait_until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == min(os.nice(0) + NICE, 19))
        assert os.getpgid(pid) != os.getpgid(0)
        # Linux shares a processor between sessions first: in another session, being nice would be of no effect.
        assert os.getsid(pid) == os.getsid(0)
    finally:
        child.stop()


def test_the_child_is_told_every_setting_with_its_passwords():
    given = Settings(db="sqlite:///x.db", smtp_password="geheim", hosts=("nas",), trusted_proxies=("10.0.0.0/8",))
    assert Settings.model_validate_json(told(given)) == given
