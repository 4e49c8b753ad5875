"""The demo's script: what a newcomer does in the first minutes, on the eight invented feeds.

It goes through the same door as everyone (`app.Filter`) and yields its headings and what there is to see; how
that looks is the command line's part. Items are named by their titles, since ids depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from attention_filter.app import Filter
from attention_filter.demo.server import DemoServer
from attention_filter.digest import digest_html
from attention_filter.errors import UsageError
from attention_filter.intake import Fetched, Progress, subscribe_opml
from attention_filter.reading import Selection, open_reading, place
from attention_filter.sources.fetch import Client
from attention_filter.today import Today
from attention_filter.types import Interest, Item, Ranked, Sign
from attention_filter.why import Explanation

INTERESTS = (
    "open-source software and programming languages",
    "climate, energy and batteries",
    "人工智能在医疗中的应用",
)
ACTS = (
    (Sign.LIKE, "How a python doubles its heart after lunch"),
    (Sign.LIKE, "Register allocation on one page"),
    (Sign.DISLIKE, "电池概念股午后集体拉升，七只涨停"),
)
MOVES = 2  # shown of each act
AWAY = 3  # shown of the tray
STORIES = 8  # on the page of the day
DIGEST = 20  # items in the digest


@dataclass(frozen=True)
class Said:
    interests: tuple[Interest, ...]


@dataclass(frozen=True)
class Read:
    done: tuple[Fetched, ...]


@dataclass(frozen=True)
class Page:
    today: Today


@dataclass(frozen=True)
class Asked:
    explanation: Explanation


@dataclass(frozen=True)
class Move:
    """An item's place among all unread items and its score, before and after an act."""

    item: Item
    places: tuple[int, int]
    scores: tuple[float, float]


@dataclass(frozen=True)
class Taught:
    """One act and what it alone moved most."""

    sign: Sign
    item: Item
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Tray:
    items: tuple[Ranked, ...]
    count: int


@dataclass(frozen=True)
class Digest:
    path: Path
    items: int


Scene = Said | Read | Page | Asked | Taught | Tray | Digest


def walk(
    filter: Filter, server: DemoServer, digest: Path, progress: Callable[[], AbstractContextManager[Progress]]
) -> Iterator[str | Scene]:
    """Say, subscribe, fetch, read, ask, teach, look again: a heading, then what there is to see, and so on.

    The filter's settings must allow the server's host.
    """
    yield "Three interests, in plain words and two languages"
    with progress() as show:
        show("Loading the language model", 0, 1)
        interests = tuple(filter.add_interest(text) for text in INTERESTS)
        show("Loading the language model", 1, 1)
    yield Said(interests)

    yield "Eight invented feeds (RSS, Atom, JSON), imported as OPML and read over HTTP"
    with Client(filter.settings) as client:
        outlines = client.get(server.opml_url).body
    sources = subscribe_opml(filter.store, outlines, filter.clock())
    with progress() as show:
        done = filter.fetch(sources=sources, progress=show)
    yield Read(tuple(done))

    yield "Today: a page with an end, before you have done anything"
    today = filter.today(stories=STORIES)
    yield Page(today)

    yield "Why is the first one first? The numbers add up to its score"
    yield Asked(filter.why(today.page[0].item.id))

    yield "Teach it: two likes and a dislike, and what each of them alone moved most"
    places = _places(filter)
    for sign, title in ACTS:
        item = find(filter, title)
        filter.act([item.id], sign)
        before, places = places, _places(filter)
        yield Taught(sign, item, _moves(filter, sign, before, places))

    yield "The tray: what was filtered away, the closest calls first"
    away, count = filter.tray(AWAY)
    yield Tray(tuple(away), count)

    yield "The digest: the new order as a page to read or send"
    items = filter.stream(DIGEST)
    digest.write_text(digest_html(items, title="What deserves your attention", now=filter.clock()), "utf-8")
    yield Digest(digest, len(items))


def find(filter: Filter, title: str) -> Item:
    """The demo's item of this title."""
    for hit in filter.search(f'"{title}"'):
        if hit.item.entry.title == title:
            return hit.item
    raise UsageError(f"the demo's item {title!r} is not there; run attention demo without --keep")


def _places(filter: Filter) -> dict[int, tuple[int, float]]:
    """Place and score of every unread item, by its id."""
    placed = place(open_reading(filter.store, filter.settings, filter.clock()), Selection())
    order = (-placed.scores).argsort(kind="stable")
    return {int(placed.ids[row]): (rank, float(placed.scores[row])) for rank, row in enumerate(order, 1)}


def _moves(
    filter: Filter, sign: Sign, before: dict[int, tuple[int, float]], after: dict[int, tuple[int, float]]
) -> tuple[Move, ...]:
    """What climbed most after a like, what fell most after a dislike; nothing else happened in between."""
    change = {id_: after[id_][1] - before[id_][1] for id_ in after if id_ in before}
    most = sorted(change, key=lambda id_: change[id_], reverse=sign is Sign.LIKE)[:MOVES]
    return tuple(
        Move(filter.item(id_), (before[id_][0], after[id_][0]), (before[id_][1], after[id_][1])) for id_ in most
    )
