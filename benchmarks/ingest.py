"""How fast items come in: a feed document is parsed, cleaned, its language told, and its entries are stored.

    python benchmarks/ingest.py [--data DIR] [--json FILE] [--items N] [--rounds 5]

The feeds are made here (RSS with HTML content, 100 entries each) from real text: DIR/profiles-reuters/items.jsonl and
DIR/thucnews_titles/dev.txt, ten headlines an item; without --data from the feeds of the package's demo. Each stage
runs alone over all items, medians over the rounds. Goal: 800 items/s from documents to stored items (ALL), without
encoding.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html import escape
from importlib import resources
from itertools import cycle, islice
from pathlib import Path

from attention_filter.sources.clean import content_hash, detect_language, plain_text, sanitise
from attention_filter.sources.contained import parse_contained
from attention_filter.sources.feeds import parse_feed
from attention_filter.store.search import index_text
from attention_filter.store.store import open_store
from attention_filter.types import Entry, SourceKind
from attention_filter.words import count_terms

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PER_FEED = 100
CHILDREN = 2
Text = tuple[str, str]  # title, body


def real_texts(data: Path | None) -> list[Text]:
    """English and Chinese in turn."""
    if data is None:
        files = resources.files("attention_filter.demo").joinpath("feeds").iterdir()
        feeds = [parse_feed(file.read_bytes(), "https://demo.invalid/", None, NOW, 1000) for file in files]
        return [(entry.title, entry.text) for feed in feeds for entry in feed.entries]
    with (data / "profiles-reuters" / "items.jsonl").open(encoding="utf-8") as file:
        english = [(item["title"], item["text"]) for item in map(json.loads, file) if item["text"]]
    lines = (data / "thucnews_titles" / "dev.txt").read_text(encoding="utf-8").splitlines()
    headlines = [line.split("\t")[0] for line in lines]
    chinese = [(headlines[n], "。".join(headlines[n : n + 10])) for n in range(0, len(headlines) - 10, 3)]
    return [text for pair in zip(english, chinese, strict=False) for text in pair]


def content(text: Text, number: int) -> str:
    """A body as feeds send it, with markup, links, an image and things to be cleaned away."""
    title, body = escape(text[0]), escape(text[1])
    half = len(body) // 2
    return (
        f'<div class="post"><p onclick="x()">{body[:half]} <a href="/a/{number}?utm_source=rss">{title}</a></p>'
        f'<img src="/i/{number}.jpg" alt="" width="600"><p>{body[half:]} ({number})</p>'
        f'<script>track({number})</script><img src="https://t.invalid/p?{number}" width="1" height="1"></div>'
    )


def document(number: int, texts: Iterable[tuple[int, Text]]) -> bytes:
    """A feed whose content stands in CDATA, as most blogs send it, or escaped (every other feed)."""
    as_sent = escape if number % 2 else "<![CDATA[{}]]>".format
    items = "".join(
        f"<item><title>{escape(text[0])}</title><link>https://e.invalid/{n}?utm_medium=feed</link>"
        f"<guid isPermaLink='false'>tag:{n}</guid><author>a@e.invalid (Ann)</author><category>news</category>"
        f"<pubDate>{NOW - timedelta(minutes=n):%a, %d %b %Y %H:%M:%S} GMT</pubDate>"
        f"<description>{as_sent(content(text, n))}</description></item>"
        for n, text in texts
    )
    head = "<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Feed</title>"
    return f"{head}<link>https://e.invalid/</link>{items}</channel></rss>".encode()


def parse(body: bytes) -> tuple[Entry, ...]:
    return parse_feed(body, "https://e.invalid/feed", "application/rss+xml", NOW, PER_FEED).entries


def parse_in_child(body: bytes) -> tuple[Entry, ...]:
    return parse_contained(body, "https://e.invalid/feed", "application/rss+xml", NOW, PER_FEED, 20.0, 512).entries


def store_all(feeds: Iterable[tuple[Entry, ...]], rounds: int, check: int) -> float:
    """Seconds to store the feeds in a new database, the last of so many times."""
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{folder}/x.db") as store:
        for _ in range(rounds):
            start = time.perf_counter()
            for n, entries in enumerate(feeds):
                source = store.add_source(f"https://e.invalid/{n}", SourceKind.FEED, now=NOW)
                store.add_entries(source.id, entries, NOW)
            seconds = time.perf_counter() - start
        stored = store.count_items()
        assert stored == check, f"{stored} of {check} items were stored"
        return seconds


def ingest(bodies: list[bytes], check: int) -> float:
    """Seconds from documents to stored items as `attention fetch` works: children parse while we store."""
    with ThreadPoolExecutor(CHILDREN) as pool:
        return store_all(pool.map(parse_in_child, bodies), 1, check)


def timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure(texts: list[Text], items: int, rounds: int) -> dict[str, float]:
    """Items per second of each stage, the median over the rounds."""
    numbered = list(enumerate(islice(cycle(texts), items)))
    bodies = [document(n // PER_FEED, numbered[n : n + PER_FEED]) for n in range(0, items, PER_FEED)]
    contents = [content(text, n) for n, text in numbered]
    feeds = [parse(body) for body in bodies]
    entries = [entry for feed in feeds for entry in feed]
    assert len(entries) == items, f"{len(entries)} of {items} entries were parsed"
    ingest(bodies[:CHILDREN], sum(map(len, feeds[:CHILDREN])))  # starts the children
    stages: dict[str, Callable[[], float]] = {
        "parse a feed (with all cleaning)": lambda: timed(lambda: [parse(body) for body in bodies]),
        "  of it: sanitise": lambda: timed(lambda: [sanitise(one, "https://e.invalid/") for one in contents]),
        "  of it: plain text": lambda: timed(lambda: [plain_text(entry.html) for entry in entries]),
        "  of it: language": lambda: timed(lambda: [detect_language(f"{e.title}\n{e.text}") for e in entries]),
        "  of it: content hash": lambda: timed(lambda: [content_hash(e.title, e.text) for e in entries]),
        "parse in a child process": lambda: timed(lambda: [parse_in_child(body) for body in bodies]),
        "store new entries": lambda: store_all(feeds, 1, items),
        "  of it: count terms": lambda: timed(lambda: [count_terms(e.text[:4000], e.title) for e in entries]),
        "  of it: text for the search index": lambda: timed(lambda: [index_text(e.text) for e in entries]),
        "see stored entries again": lambda: store_all(feeds, 2, items),
        "ALL: parse in children, store": lambda: ingest(bodies, items),
    }
    seconds: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name, stage in stages.items():
            seconds[name].append(stage())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rates = {name: items / median for name, median in medians.items()}
    one_after_the_other = medians["parse a feed (with all cleaning)"] + medians["store new entries"]
    rates["ALL: in one process"] = items / one_after_the_other
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--items", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    texts = real_texts(options.data)
    mean = statistics.mean(len(body) for _, body in texts)
    print(f"{options.items} items, {len(texts)} different texts of {mean:.0f} characters in the mean")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    rates = measure(texts, options.items, options.rounds)
    for name, rate in rates.items():
        print(f"{name:<38}{rate:>10,.0f} items/s")
    if options.json:
        report = {"items": options.items, "mean_characters": mean, "items_per_second": rates}
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
