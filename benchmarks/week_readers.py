"""Readers for the first week: from folders of profiles, and from labelled titles in the same spirit.

A folder with items.jsonl, readers.jsonl and meta.json is a set of profiles: their statements, candidates, likes and
dislikes are what is wanted and what is not. Labelled titles become readers of one to three topics, each with a plain
statement, who want a tenth of what they are sent.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention_filter.evaluation import backgrounds
from attention_filter.logs import LogItem, Situation, read_profiles

ENOUGH = 120  # titles that a topic needs to be somebody's interest
LOOKED_AT, WEEK = 200, 460  # labelled items of a reader of titles: at the first look, in the week
WANTED, MOST_WANTED = 0.1, 0.15  # of the items of a reader of titles; at most, of those of a profile
BACKGROUND, OTHERS = 4_000, 2_000  # items of the mature stream; further items that a large stream is filled with
TOPICS = (3, 2, 3, 1, 3, 2)  # of one reader of titles after the other

STATEMENTS: Mapping[str, str] = {
    # THUCNews
    "finance": "理财产品、基金、银行和保险",
    "realty": "房价、楼盘和房地产市场",
    "stocks": "股票行情、上市公司和大盘走势",
    "education": "考试、招生、留学和学校教育",
    "science": "数码产品、手机、电脑和科学发现",
    "society": "社会新闻、案件和普通人的故事",
    "politics": "时政、外交和国际局势",
    "sports": "体育比赛、球队和运动员",
    "game": "电子游戏、网络游戏和玩家",
    "entertainment": "明星、电影、电视剧和综艺节目",
    # TNEWS
    "news_story": "民间故事和小说",
    "news_culture": "文化、历史文物和文学",
    "news_entertainment": "明星、电影和综艺节目",
    "news_sports": "体育比赛和运动员",
    "news_finance": "财经、投资和经济形势",
    "news_house": "房价、买房和装修",
    "news_car": "汽车、新车和驾驶",
    "news_edu": "教育、考试和孩子的学习",
    "news_tech": "科技公司、手机和互联网",
    "news_military": "军事、武器和军队",
    "news_travel": "旅游、景点和酒店",
    "news_world": "国际新闻和各国局势",
    "news_stock": "股票和股市行情",
    "news_agriculture": "农业、农村和种植养殖",
    "news_game": "电子游戏和游戏玩家",
    # MIND, its categories
    "en:sports": "sports: games, teams, players and results",
    "en:finance": "personal finance, companies and the markets",
    "en:foodanddrink": "recipes, cooking and restaurants",
    "en:lifestyle": "lifestyle, royals and life at home",
    "en:travel": "travel destinations, flights and holidays",
    "en:weather": "the weather: storms, snow and forecasts",
    "en:health": "health, diets and medicine",
    "en:autos": "cars: new models, tests and repairs",
    "en:tv": "television series and their actors",
    "en:music": "music: singers, songs and concerts",
    "en:movies": "movies: new films, actors and directors",
    # arXiv, its archives
    "en:math": "mathematics: proofs and theorems",
    "en:astro-ph": "stars, galaxies and the universe",
    "en:cond-mat": "solids, superconductors and materials",
    "en:hep": "particles and quantum field theory",
}


@dataclass(frozen=True)
class Reader:
    """Somebody with stated interests. All rows are rows of the set's items.

    `looked_at` (m,) with the answers `looked_wanted` (m,) are measured at the first look. `rows` (n,) with `wanted`
    (n,) come in during the week; `about` (n,) is the interest that an item is about, −1 where that is not known.
    `free` are unlabelled, for the mature stream; `others` fill a large stream.
    """

    name: str
    interests: tuple[str, ...]
    looked_at: np.ndarray
    looked_wanted: np.ndarray
    rows: np.ndarray
    wanted: np.ndarray
    about: np.ndarray
    free: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class ReaderSet:
    name: str
    lang: str
    items: tuple[LogItem, ...]
    readers: tuple[Reader, ...]


def find_sets(data: Path) -> dict[str, Callable[[int, int], ReaderSet]]:
    """{name of the folder: what makes so many readers of it, by a seed}."""
    found: dict[str, Callable[[int, int], ReaderSet]] = {}
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        names = {path.name for path in folder.iterdir()}
        if {"items.jsonl", "readers.jsonl", "meta.json"} <= names:
            found[folder.name] = lambda count, seed, at=folder: profile_readers(at, count, seed)
        elif (titles := next((titles for needs, titles in TITLES.items() if set(needs) <= names), None)) is not None:
            found[folder.name] = lambda count, seed, at=folder, read=titles: title_readers(
                at.name, list(read(at)), count, seed
            )
    return found


def profile_readers(folder: Path, count: int, seed: int) -> ReaderSet:
    """Readers of a set of profiles, those of at most three interests first."""
    data, rng = read_profiles(folder), np.random.default_rng(seed)
    richest: dict[str, Situation] = {}  # of each reader with statements: with the most likes
    free_of: dict[str, np.ndarray] = {}
    for free, numbers in backgrounds(data):
        for number in numbers:
            one = data.situations[number]
            free_of[one.reader] = free
            if one.with_statements and one.k >= (richest[one.reader].k if one.reader in richest else 0):
                richest[one.reader] = one
    order = sorted(rng.permutation(sorted(richest)).tolist(), key=lambda name: len(richest[name].interests) > 3)
    readers = []
    scrambled = rng.permutation(len(data.items))  # the same for all, so that readers share texts
    for name in order[:count]:
        one, free = richest[name], scrambled[np.isin(scrambled, free_of[name])]
        rows = np.concatenate([one.candidates, one.likes, one.dislikes])
        wanted = np.concatenate([one.labels, np.ones(len(one.likes), bool), np.zeros(len(one.dislikes), bool)])
        keep = spare(wanted, MOST_WANTED, fixed=len(one.candidates))
        rows, wanted = rows[keep], wanted[keep]
        order_of_week = rng.permutation(len(rows))
        rows, wanted = rows[order_of_week].astype(np.int64), wanted[order_of_week]
        readers.append(
            Reader(
                name,
                one.interests,
                one.candidates.astype(np.int64),
                one.labels,
                rows,
                wanted,
                np.full(len(rows), 0 if len(one.interests) == 1 else -1),
                free[:BACKGROUND],
                free[~np.isin(free, rows)][:OTHERS],
            )
        )
    shown = Counter(data.items[row].lang for reader in readers for row in reader.looked_at)
    return ReaderSet(folder.name, shown.most_common(1)[0][0], data.items, tuple(readers))


def spare(wanted: np.ndarray, most: float, fixed: int) -> np.ndarray:
    """Which rows stay (n,) so that about `most` are wanted; of the first `fixed` none goes.

    >>> spare(np.array([True, False, False, True, True]), 0.5, 2).tolist()
    [True, True, True, True, False]
    """
    room = round(most / (1 - most) * int((~wanted).sum())) - int(wanted[:fixed].sum())
    late = wanted & (np.arange(len(wanted)) >= fixed)
    return np.asarray(~late | (np.cumsum(late) <= room))


def title_readers(name: str, titles: Sequence[tuple[str, str, str]], count: int, seed: int) -> ReaderSet:
    """Readers of (topic, title, language)."""
    rng = np.random.default_rng(seed)
    titles = list({title: (topic, title, lang) for topic, title, lang in titles}.values())
    topics = np.array([topic for topic, _, _ in titles], object)
    items = tuple(
        LogItem(str(row), title, lang=lang, category=topic) for row, (topic, title, lang) in enumerate(titles)
    )
    usable = [topic for topic, n in sorted(Counter(topics.tolist()).items()) if n >= ENOUGH and topic in STATEMENTS]
    everything = rng.permutation(len(titles))
    free, rest = everything[:BACKGROUND], everything[BACKGROUND:]
    if len(rest) < WEEK:  # a small set: half of it is the background
        free, rest = np.array_split(everything, 2)
    readers = []
    for number in range(count):
        own = rng.permutation(np.array(usable, object))[: min(TOPICS[number % len(TOPICS)], len(usable))].tolist()
        good = rest[np.isin(topics[rest], own)]
        bad = rest[~np.isin(topics[rest], own)]  # nearly the same for all: readers share texts
        by_topic = [good[topics[good] == topic].tolist() for topic in own]
        fair = [row for turn in zip(*by_topic, strict=False) for row in turn]  # of each topic equally many
        size = min(WEEK, len(bad))
        share = min(round(WANTED * size), len(fair))
        rows = np.concatenate([np.array(fair[:share], np.int64), bad[: size - share]])
        wanted = np.arange(len(rows)) < share
        first = stratified(wanted, min(LOOKED_AT, len(rows)), rng)
        looked_at, looked_wanted = rows[first], wanted[first]
        order = rng.permutation(len(rows))
        rows, wanted = rows[order], wanted[order]
        liked = np.isin(topics[free], own)
        others = free[~liked | (np.cumsum(liked) <= WANTED * np.arange(1, len(free) + 1))]
        readers.append(
            Reader(
                f"{name}-{number}",
                tuple(STATEMENTS[topic] for topic in own),
                looked_at,
                looked_wanted,
                rows,
                wanted,
                np.array([own.index(topic) if topic in own else -1 for topic in topics[rows]]),
                free,
                others[:OTHERS],
            )
        )
    return ReaderSet(name, Counter(item.lang for item in items).most_common(1)[0][0], items, tuple(readers))


def stratified(wanted: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """`size` places of `wanted` (n,), in random order, with the share wanted as it is, and at least three of them.

    >>> rows = stratified(np.arange(100) < 10, 20, np.random.default_rng(0))
    >>> len(set(rows.tolist())), int((rows < 10).sum())
    (20, 3)
    """
    good, bad = rng.permutation(np.flatnonzero(wanted)), rng.permutation(np.flatnonzero(~wanted))
    many = min(max(round(len(good) / len(wanted) * size), 3), len(good), size)
    return np.asarray(rng.permutation(np.concatenate([good[:many], bad[: size - many]])))


def _thucnews(folder: Path) -> Iterator[tuple[str, str, str]]:
    topics = (folder / "class.txt").read_text(encoding="utf-8").split()
    for line in (folder / "dev.txt").read_text(encoding="utf-8").splitlines():
        title, _, topic = line.rpartition("\t")
        yield topics[int(topic)], title, "zh"


def _tnews(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(folder.glob("*_few_all.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield record["label_desc"], record["sentence"], "zh"


def _mind(folder: Path) -> Iterator[tuple[str, str, str]]:
    for line in (folder / "news.tsv").read_text(encoding="utf-8").splitlines():
        _, category, _, title = line.split("\t")[:4]
        yield f"en:{category}", title, "en"


def _arxiv(folder: Path) -> Iterator[tuple[str, str, str]]:
    with next(folder.glob("arxiv_*.tsv")).open(encoding="utf-8", newline="") as file:
        for record in csv.DictReader(file, delimiter="\t"):
            archive = record["categories"].split()[0].split(".")[0]
            yield f"en:{'hep' if archive.startswith('hep') else archive}", record["title"], "en"


# The files by which a folder of labelled titles is known, and what reads it.
TITLES: Mapping[tuple[str, ...], Callable[[Path], Iterator[tuple[str, str, str]]]] = {
    ("class.txt", "dev.txt"): _thucnews,
    ("train_few_all.json", "label_index2en2zh.json"): _tnews,
    ("news.tsv",): _mind,
    ("arxiv_2007.tsv",): _arxiv,
}
