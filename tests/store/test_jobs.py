"""Jobs: each is done by one worker, survives a death, and is tried again when it fails."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from attention_filter.errors import UsageError
from attention_filter.store.jobs import FIRST_RETRY, LEASE, TRIES, State

KINDS = ["rank", "fetch"]
LATER = LEASE + timedelta(seconds=1)


def test_the_job_that_waited_longest_is_taken_first_and_each_once(store, now):
    second = store.jobs.enqueue("rank", now, run_at=now)
    first = store.jobs.enqueue("rank", now, run_at=now - timedelta(minutes=1))
    store.jobs.enqueue("fetch", now, run_at=now + timedelta(hours=1))
    assert [store.jobs.claim(KINDS, now).id for _ in range(2)] == [first, second]
    assert store.jobs.claim(KINDS, now) is None


def test_a_worker_takes_only_the_kinds_it_can_do(store, now):
    store.jobs.enqueue("digest", now)
    assert store.jobs.claim(KINDS, now) is None


def test_of_one_key_one_job_waits_and_the_earlier_time_counts(store, now):
    late = now + timedelta(minutes=5)
    assert store.jobs.enqueue("rank", now, key="rank me", run_at=late) == store.jobs.enqueue(
        "rank", now, key="rank me", run_at=now
    )
    assert store.jobs.claim(KINDS, now) is not None
    assert store.jobs.claim(KINDS, late) is None or late - now >= LEASE


def test_what_is_asked_for_while_it_runs_is_done_once_more(store, now):
    store.jobs.enqueue("rank", now, key="rank me")
    job = store.jobs.claim(KINDS, now)
    for _ in range(3):
        store.jobs.enqueue("rank", now, key="rank me")
    assert store.jobs.claim(KINDS, now) is None
    assert store.jobs.finish(job, now)
    again = store.jobs.claim(KINDS, now)
    assert again.id == job.id
    assert store.jobs.finish(again, now)
    assert store.jobs.one(job.id).state == State.DONE
    assert store.jobs.enqueue("rank", now, key="rank me") != job.id


def test_a_job_whose_lease_ended_is_taken_again_and_its_first_taker_can_no_longer_write(store, now):
    store.jobs.enqueue("rank", now, key="k")
    dead = store.jobs.claim(KINDS, now)
    assert store.jobs.claim(KINDS, now) is None
    taken = store.jobs.claim(KINDS, now + LATER)
    assert (taken.id, taken.attempts) == (dead.id, 2)
    assert not store.jobs.renew(dead, now, 1, 2, "Ranking")
    assert not store.jobs.finish(dead, now)
    assert not store.jobs.fail(dead, now, "late")
    assert store.jobs.finish(taken, now)


def test_who_says_how_far_it_is_keeps_the_job(store, now):
    store.jobs.enqueue("rank", now)
    job = store.jobs.claim(KINDS, now)
    assert store.jobs.renew(job, now + LEASE / 2, 3, 10, "Ranking")
    assert store.jobs.claim(KINDS, now + LEASE * 1.2) is None
    seen = store.jobs.one(job.id)
    assert (seen.done, seen.total, seen.what) == (3, 10, "Ranking")


def test_what_fails_is_tried_again_ever_later_and_in_the_end_shown_as_failed(store, now):
    id_ = store.jobs.enqueue("fetch", now, key="fetch")
    waits = []
    for _ in range(TRIES):
        job = store.jobs.claim(KINDS, now)
        assert store.jobs.fail(job, now, "no network")
        after = store.jobs.one(id_)
        assert after.error == "no network"
        waits.append(after.run_at - now)
        now = after.run_at
    assert waits[:3] == [FIRST_RETRY, 4 * FIRST_RETRY, 16 * FIRST_RETRY]
    assert store.jobs.one(id_).state == State.FAILED
    assert store.jobs.enqueue("fetch", now, key="fetch") != id_
    store.jobs.retry(id_, now)
    assert {store.jobs.claim(KINDS, now).id, store.jobs.claim(KINDS, now).id} >= {id_}


def test_what_cannot_succeed_is_not_tried_again(store, now):
    id_ = store.jobs.enqueue("fetch", now)
    store.jobs.fail(store.jobs.claim(KINDS, now), now, "no such source", final=True)
    assert store.jobs.one(id_).state == State.FAILED


def test_a_job_that_kills_whoever_takes_it_is_given_up(store, now):
    id_ = store.jobs.enqueue("rank", now)
    for _ in range(TRIES):
        assert store.jobs.claim(KINDS, now).id == id_
        now += LATER
    assert store.jobs.claim(KINDS, now) is None
    assert store.jobs.one(id_).state == State.FAILED


def test_a_stop_gives_the_job_back_and_does_not_count_as_a_try(store, now):
    id_ = store.jobs.enqueue("rank", now)
    for _ in range(2 * TRIES):
        assert store.jobs.release(store.jobs.claim(KINDS, now), now)
    assert store.jobs.one(id_).state == State.QUEUED


def test_a_job_that_did_not_fail_cannot_be_retried(store, now):
    id_ = store.jobs.enqueue("rank", now)
    store.jobs.finish(store.jobs.claim(KINDS, now), now)
    for wrong in (id_, 99):
        with pytest.raises(UsageError, match="no such job"):
            store.jobs.retry(wrong, now)


def test_a_forgotten_reader_leaves_no_jobs(store, now):
    store.jobs.enqueue("rank", now, reader="me")
    store.delete_reader()
    assert store.jobs.counts() == {}


TAKER = """
import sys
from datetime import UTC, datetime
from attention_filter.store.store import open_store

with open_store(sys.argv[1]) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    now = datetime(2025, 3, 1, 12, tzinfo=UTC)
    while (job := store.jobs.claim(["rank"], now)) is not None:
        print(job.id, flush=True)
        store.jobs.finish(job, now)
"""


def test_two_processes_on_one_database_never_take_one_job_twice(store, url, now):
    ids = {store.jobs.enqueue("rank", now) for _ in range(60)}
    start = [sys.executable, "-c", TAKER, url]
    takers = [subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("go\n")
        taker.stdin.flush()
    taken = [int(line) for taker in takers for line in taker.communicate()[0].split()]
    assert sorted(taken) == sorted(ids)


def test_asking_for_what_is_asked_for_already_writes_nothing(store, now):
    first = store.jobs.enqueue("rank", now, reader="me", key="rank me")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write
        assert store.jobs.enqueue("rank", now, reader="me", key="rank me") == first
        other.execute("ROLLBACK")
    store.jobs.claim(["rank"], now)
    store.jobs.enqueue("rank", now, reader="me", key="rank me")  # to be run once more
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.jobs.enqueue("rank", now, reader="me", key="rank me") == first
        other.execute("ROLLBACK")
