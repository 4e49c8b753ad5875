"""Today: a page with an end. The stories that deserve the day, chosen once and kept, so that nothing moves under the
reader; what is done stays in its place, and what was on one day's page is on no later one.

`docs/today.md` tells how the chance, the line of the tray and the reader's budget are one model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from math import ceil

import numpy as np

from attention_filter.listing import Hand, Place, best_first, hand_of, is_shown, places_of, rank_items
from attention_filter.personal import budget, interests
from attention_filter.personal.levels import HIGH
from attention_filter.personal.lists import AtLeast
from attention_filter.reading import Placed, Reading, Selection, place
from attention_filter.settings import Settings
from attention_filter.store.store import Store
from attention_filter.types import Ranked, Sign

TODAY = "today"  # the name of the state that the page is kept in
DAYS = 60  # whose pages are remembered
LATELY = timedelta(days=7)  # what the first page is made of, if that is enough
KEEPS_ITS_PLACE = "keeps its place"


@dataclass(frozen=True)
class Today:
    """The page of a `day`: its stories in their places, and what was done with them.

    Of what is unread beside it, `waiting` lie above the line, of these `new` came after the page was made; of what came
    since the page before, `away` were filtered away. `minutes` is what is left to read of it.
    """

    day: date
    page: tuple[Ranked, ...]
    acts: Mapping[int, Sign]
    waiting: int
    new: int
    away: int
    minutes: int

    @property
    def done(self) -> bool:
        """Whether something was done with every story; an empty page is done."""
        return all(one.item.id in self.acts for one in self.page)

    def __str__(self) -> str:
        """How the page ends."""
        left = len(self.page) - len(self.acts)
        takes = "a minute" if self.minutes == 1 else f"{self.minutes} minutes"
        end = "You are done." if self.done else f"{left} of {len(self.page)} to look at, about {takes}."
        wait, were = "waits" if self.waiting == 1 else "wait", "was" if self.away == 1 else "were"
        return f"{end} {self.waiting} more {wait} in All, {self.away} {were} filtered away."


@dataclass(frozen=True)
class Page:
    """What is kept: the places of the page of a `day`, `made` then (in seconds) of what came since the page before
    (None: of all) for a budget of `stories` and `minutes`, `asked` for that day or the usual one; the items of earlier
    days' pages, and the sources that had a place on these."""

    day: str = ""
    made: float = 0.0
    since: float | None = None
    stories: int = 0
    minutes: float = 0.0
    asked: bool = False
    places: tuple[Place, ...] = ()
    shown: Mapping[str, Sequence[int]] = field(default_factory=dict)
    sources: tuple[int, ...] = ()

    @property
    def items(self) -> list[int]:
        """All that is on the page, also what is folded."""
        return [item for place in self.places for item in (place.item, *place.story)]


def kept(store: Store) -> Page:
    """The page that was made last; an empty one before the first."""
    stored = json.loads(store.get_state(TODAY) or b"{}")
    places = tuple(Place(**one | {"story": tuple(one["story"])}) for one in stored.pop("places", ()))
    return Page(**stored | {"places": places, "sources": tuple(stored.get("sources", ()))})


def keep(store: Store, page: Page) -> None:
    store.put_state(TODAY, json.dumps(asdict(page)).encode())


def today(reading: Reading, *, more: bool = False, stories: int | None = None, minutes: float | None = None) -> Today:
    """The page of the day, made when it is first asked for and kept.

    `more` adds the next stories at its end. Another budget, of `stories` or `minutes`, makes it anew, and so does what
    came since, as long as it is short and nothing was done with it.
    """
    placed = place(reading, Selection())
    before = kept(reading.store)
    page = of_the_day(before, reading.now, reading.settings)
    if page.day != before.day:
        sources = {one.source for one in reading.store.glances([place.item for place in before.places])}
        page = replace(page, sources=tuple(sorted({*before.sources, *sources})))
    if stories is not None or minutes is not None:
        time = page.minutes if minutes is None else minutes
        page = replace(page, stories=stories or page.stories, minutes=time, asked=stories is not None)
        page = _made(reading, placed, page)
    elif len(page.places) < min(budget.LEAST, page.stories) and not page.minutes and not _is_begun(reading, page):
        page = _made(reading, placed, page)
    if more:
        added = _chosen(reading, placed, page) or _chosen(reading, placed, page, everything=True)
        page = replace(page, places=(*page.places, *added), made=reading.now.timestamp())
    if page != before and page.places:
        keep(reading.store, page)
    return _shown(reading, placed, page)


def of_the_day(page: Page, now: datetime, settings: Settings) -> Page:
    """The page itself on its day; on a later one an empty page that remembers it."""
    day = now.astimezone().date().isoformat()
    if page.day == day:
        return page
    shown = {**page.shown, page.day: page.items} if page.day else {}
    return Page(
        day=day,
        since=page.made if page.day else None,
        stories=settings.today_stories,
        minutes=settings.today_minutes,
        shown=dict(sorted(shown.items())[-DAYS:]),
    )


def _made(reading: Reading, placed: Placed, page: Page) -> Page:
    """The page made now, whatever was on it."""
    empty = replace(page, places=(), made=reading.now.timestamp())
    return replace(empty, places=_chosen(reading, placed, empty))


def _is_begun(reading: Reading, page: Page) -> bool:
    return bool(set(page.items) & set(reading.store.acts()))


def _chosen(reading: Reading, placed: Placed, page: Page, everything: bool = False) -> tuple[Place, ...]:
    """The stories that deserve the day of what may be on the page and is not yet: what came since the page before and
    what is HIGH, or `everything` above the line."""
    earlier = [item for items in page.shown.values() for item in items]
    free = is_shown(reading, placed) & ~np.isin(placed.ids, [*earlier, *page.items])
    came = np.ones(len(placed.ids), bool) if page.since is None else placed.fetched > page.since
    if page.since is None and not everything:
        lately = placed.dates >= (reading.now - LATELY).timestamp()
        came = lately if (free & lately).sum() >= budget.LEAST else came
    history = reading.profile.history
    likes = int((~history.statement & (history.weight > 0)).sum())
    most = budget.most_of(int(came.sum()), likes, page.stories) if not page.asked else page.stories
    with np.errstate(invalid="ignore"):  # NaN: nothing is known
        high = reading.chances(placed.scores) >= HIGH
    order = best_first(placed)
    order = order[(free & (came | high | everything))[order]]
    if not len(order):
        return ()
    hand = hand_of(reading, placed, order, most)
    chances = reading.chances(hand.scores)
    unlisted = ~np.isin(
        placed.ids[order], [*hand.batch.ids.tolist(), *(one for story in hand.stories for one in story)]
    )
    beyond = float(reading.chances(placed.scores[order[unlisted]]).sum())
    takes = _minutes(reading, hand.batch.ids[:most].tolist()) if page.minutes else None
    places = budget.enough(chances, beyond, most, takes, page.minutes)
    claimed = interests.claims(reading.profile, hand.rows)
    musts = [*budget.fair(chances, claimed, places), *_new_sources(reading, page, hand)]
    return tuple(places_of(reading, hand, places, musts=musts, screen=places))


def _new_sources(reading: Reading, page: Page, hand: Hand) -> list[AtLeast]:
    """A place for a source that had none yet and of which nothing was read, once others had one."""
    acted = reading.acted.articles.sources.tolist() if reading.acted else []
    new = ~np.isin(hand.batch.sources, [*page.sources, *acted])
    return [AtLeast("a new source at least 1", new, 1, budget.NEW_SOURCE)] if page.sources and new.any() else []


def _minutes(reading: Reading, ids: Sequence[int]) -> np.ndarray:
    """How long each of the items takes to read (n,)."""
    entries = [item.entry for item in reading.store.items(ids)]
    return np.array([budget.minutes(f"{entry.title} {entry.text}") for entry in entries])


def _shown(reading: Reading, placed: Placed, page: Page) -> Today:
    """The page as it is now, with the chances of now; what stands above a better one for being there first says so."""
    visible = {one.id for one in reading.store.glances([place.item for place in page.places])}
    places = [place for place in page.places if place.item in visible]
    ranked = rank_items(reading, [place.item for place in places])
    acts = _done(reading, [place.item for place in places])
    out, best = [], float("-inf")
    for there, one in zip(reversed(places), reversed(ranked), strict=True):
        moved = there.moved
        if one.item.id in acts:
            one = replace(one, probability=None, level=None)  # nobody asks any more whether it is wanted
        elif not moved and not one.pinned:
            moved = KEEPS_ITS_PLACE if one.score < best - 1e-9 else None
            best = max(best, one.score)
        out.append(replace(one, story=there.story, moved=moved, held_back=there.held_back))
    unread = ~np.isin(placed.ids, page.items)
    shown = is_shown(reading, placed)
    came = np.ones(len(placed.ids), bool) if page.since is None else placed.fetched > page.since
    left = sum(
        budget.minutes(f"{one.item.entry.title} {one.item.entry.text}") for one in ranked if one.item.id not in acts
    )
    return Today(
        day=date.fromisoformat(page.day),
        page=tuple(reversed(out)),
        acts=acts,
        waiting=int((unread & shown).sum()),
        new=int((unread & shown & (placed.fetched > page.made)).sum()),
        away=int((~shown & came).sum()),
        minutes=ceil(left),
    )


def _done(reading: Reading, ids: Sequence[int]) -> dict[int, Sign]:
    """What was done with these items, or with copies of theirs."""
    if not ids:
        return {}
    acts, batch = reading.store.acts(), reading.batch_of(ids)
    repeats, _ = reading.retold(batch, reading.features_of(batch))
    both = zip(ids, repeats.tolist(), strict=True)
    return {item: acts[item if item in acts else other] for item, other in both if item in acts or other in acts}
