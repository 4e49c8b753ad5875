"""What a new person waits for: from the press that begins the reading to the first list, and to the final one.

    python benchmarks/first_look.py [--rounds N]

`attention serve` runs on a new database; somebody says three interests, brings eight feeds along (156 invented items
in English and Chinese, on loopback) and presses "Read". Counted from that press: when the first feed was stored, when
the page first shows a list, when all is encoded and ranked, and the processor seconds of the server with its worker,
which say more where other programs run. `changes` counts how often the list on the page became another one.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import httpx2

from attention_filter.demo import server
from attention_filter.demo.walk import INTERESTS
from attention_filter.store.store import open_store

LOOK = 0.1  # seconds between two looks at the page


def measure(limit: float = 300.0) -> dict[str, float]:
    """Seconds: first_feed, first_list, final, processor; and items, changes."""
    with (
        tempfile.TemporaryDirectory() as home,
        server.serve(datetime.now(UTC)) as demo,
        running(Path(home), demo.host) as (process, url),
        httpx2.Client(base_url=url, headers={"Origin": url}, timeout=60) as browser,
        open_store(f"sqlite:///{home}/attention.db") as store,
    ):
        browser.get("/welcome/interests")
        browser.post("/welcome/interests", data={"said": list(INTERESTS)})
        with urlopen(demo.opml_url) as answer:
            browser.post("/welcome/import", files={"file": ("feeds.opml", answer.read())})
        began, found, shown = time.monotonic(), dict[str, float](), list[tuple[str, ...]]()
        browser.post("/welcome/sources")
        page = browser.get("/welcome/reading").text
        while "final" not in found and time.monotonic() - began < limit:
            time.sleep(LOOK)
            # As the page does: the whole part until there is a list, then only how far the work is.
            what = "work" if "first_list" in found else "reading"
            page = browser.get(f"/welcome/{what}", headers={"HX-Request": "true"}).text
            now = time.monotonic() - began
            if store.count_items():
                found.setdefault("first_feed", now)
            if titles := tuple(re.findall(r'class="to" href="/item/(\d+)', page)):
                found.setdefault("first_list", now)
                shown.append(titles)
            if "data-live" not in page:
                found["final"] = now
        return {**found, "processor": seconds_of(process), "items": store.count_items(), "changes": len(set(shown)) - 1}


@contextmanager
def running(home: Path, private_host: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`attention serve` on a database of its own, and its address."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ATTENTION_", "XDG_"))}
    env |= {
        "HOME": str(home),
        "ATTENTION_DB": f"sqlite:///{home}/attention.db",
        "ATTENTION_PRIVATE_HOSTS": private_host,
    }
    command = [sys.executable, "-c", "from attention_filter.cli import main; main()", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    url = next(found[0] for line in said if (found := re.search(r"http://[\d.:]+", line)))
    Thread(target=lambda: list(said), daemon=True).start()
    try:
        yield process, url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def seconds_of(process: subprocess.Popen[str]) -> float:
    """Processor seconds of the process and all below it so far; Linux only, 0 elsewhere."""
    if not Path("/proc/self/stat").exists():
        return 0.0
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    ours = {process.pid}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used[pid] for pid in ours)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="ignored: the feeds are invented")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args(argv)
    for _ in range(args.rounds):
        found = measure()
        print("  ".join(f"{name} {value:.4g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
