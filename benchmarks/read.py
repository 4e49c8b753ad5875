"""What `attention read` costs with many items: time and peak memory of the whole process.

    python benchmarks/read.py [--items 50000] [--json FILE] [--rounds 3] [--seed 0]

A database is filled with drawn items and vectors (30 sources, 200 likes, 3 interests); then the command itself runs as
a new process. Goal: under 500 MB at 50,000 items.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from attention_filter import learned
from attention_filter.store.store import open_store
from attention_filter.types import Entry, Sign, SourceKind

SOURCES, LIKES, DIM, MODEL = 30, 200, 384, "drawn"
INTERESTS = ("open-source software", "climate and energy", "medicine")


def fill(url: str, items: int, seed: int) -> None:
    """A reader with many items, each of about 120 words."""
    rng = np.random.default_rng(seed)
    now = datetime.now(UTC)
    vocabulary = np.array([f"word{i}" for i in range(40_000)])
    with open_store(url) as store:
        for number in range(SOURCES):
            source = store.add_source(f"https://s{number}.example/feed", SourceKind.FEED, title=f"S{number}", now=now)
            entries = []
            for i in range(number, items, SOURCES):
                words = vocabulary[rng.zipf(1.2, 120) % len(vocabulary)].tolist()
                published = now - timedelta(minutes=i)
                text = " ".join(words)
                entries.append(
                    Entry(f"g{i}", " ".join(words[:8]), text=text, lang="en", published=published, content_hash=str(i))
                )
            store.add_entries(source.id, entries, now)
        keys = [key for key, _, _ in store.missing_vectors(MODEL)]
        for start in range(0, len(keys), 5_000):
            part = keys[start : start + 5_000]
            rows = rng.normal(size=(len(part), DIM)).astype(np.float32)
            store.put_vectors(MODEL, part, rows / np.linalg.norm(rows, axis=1, keepdims=True))
        for text in INTERESTS:
            store.add_interest(text, 1.0, now)
        store.put_text_vectors(MODEL, INTERESTS, rng.normal(size=(len(INTERESTS), DIM)).astype(np.float32))
        for item in rng.choice(items, min(LIKES, items // 2), replace=False):
            store.add_feedback(int(item) + 1, Sign.LIKE, now)
        learned.refresh_background(store, MODEL, now)
        learned.see_in_context(store, lambda *_: None)
        learned.freeze_scale(store, now)


def run(url: str) -> tuple[float, float]:
    """Wall seconds and peak resident megabytes of one `attention read`."""
    command = [str(Path(sys.executable).with_name("attention")), "--db", url, "read", "--json"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"attention read ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="not needed; taken so that all benchmarks are called alike")
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print(f"median of {args.rounds} runs, seed {args.seed}")
    print(f"{'items':>8} {'seconds':>8} {'peak MB':>8}")
    out = []
    for items in sorted({1_000, args.items}):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/read.db"
            fill(url, items, args.seed)
            runs = [run(url) for _ in range(args.rounds)]
        seconds, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
        out.append({"items": items, "seconds": seconds, "peak_mb": megabytes})
        print(f"{items:>8} {seconds:>8.1f} {megabytes:>8.0f}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
