"""Processes that die or compete: what was acknowledged is there, once."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attention_filter.store.store import open_store

WRITER = """
import sys
from datetime import UTC, datetime
from attention_filter.store.store import open_store
from attention_filter.types import Entry, Sign, SourceKind

url, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
now = datetime(2025, 3, 1, tzinfo=UTC)
print("ready", flush=True)
sys.stdin.readline()
with open_store(url) as store:
    source = store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id
    for n in range(rounds):
        entries = [Entry(f"{name}-{n}-{k}", f"Title {name} {n} {k}", text="words " * 50) for k in range(5)]
        added = store.add_entries(source, entries, now)
        print("items", *(entry.guid for entry in entries), flush=True)
        store.add_feedback(added.new[0], Sign.LIKE, now)
        print("liked", added.new[0], flush=True)
"""


def start(url: str, name: str, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(rounds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_after_a_kill_every_acknowledged_item_and_feedback_is_there_once(url: str) -> None:
    chance = random.Random(1)
    guids, liked = set(), set()
    for attempt in range(4):
        process = start(url, f"p{attempt}", 10_000)
        go(process)
        heard: list[str] = []
        for _ in range(chance.randint(1, 25)):
            heard.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        heard += process.communicate()[0].splitlines()  # acknowledged before the signal arrived
        for line in heard:
            kind, *what = line.split()
            (guids if kind == "items" else liked).update(what)
    assert guids
    with open_store(url) as store:
        assert store.check() == []
        ids = [int(id_) for batch in store.batches("m", seen=True) for id_ in batch.ids]
        stored = [item.entry.guid for item in store.items(ids)]
        assert len(set(stored)) == len(stored)
        assert guids <= set(stored)
        acts = [act.item for act in store.feedback()]
        assert len(set(acts)) == len(acts)
        assert {int(one) for one in liked} <= set(acts)


def test_two_processes_create_and_write_one_database_at_once(url: str) -> None:
    processes = [start(url, name, 20) for name in ("a", "b", "c")]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    with open_store(url) as store:
        assert store.count_items() == 300
        assert len(store.feedback()) == 60
        assert store.check() == []


def test_a_backup_while_another_process_writes_is_consistent(url: str, tmp_path: Path) -> None:
    process = start(url, "a", 10_000)
    go(process)
    for _ in range(4):
        process.stdout.readline()
    with open_store(url) as store:
        store.backup(tmp_path / "copy.db")
    process.kill()
    process.communicate()
    with open_store(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert copy.count_items() >= 10
        assert copy.count_items() % 5 == 0
        assert copy.check() == []
