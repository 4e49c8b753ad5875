"""Today: the front page, with an end. It stays as it was made, and what is done stays in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter import today
from attention_filter.server import daily
from attention_filter.server.desk import Desk, Line, lines, listed, make_desk
from attention_filter.server.lanes import Choice
from attention_filter.server.pages import welcome
from attention_filter.server.site import Mine, render, site

PAGE, ALL, REST = Choice(lane="today"), Choice(), Choice(lane="rest")

router = APIRouter()


@dataclass(frozen=True)
class Day:
    """The page of the day that was `made` then (in seconds) as it is now: its rows, how many of them are `done`; beside
    it, `waiting` unread above the line, of these `new` since it was made, and `away`, of what came since the page
    before, filtered away. `is_sorted`: by the chances of now, but for the rows that say why they stand elsewhere;
    `is_coming`: it is still to be made."""

    made: float
    lines: tuple[Line, ...]
    done: int
    waiting: int
    new: int
    away: int
    is_sorted: bool
    is_coming: bool

    @property
    def left(self) -> int:
        return len(self.lines) - self.done


@router.get("/")
def front(request: Request, mine: Mine) -> Response:
    """Today's page. The addresses that the stream had here lead to where it is."""
    if request.query_params:
        return RedirectResponse(f"/all?{urlencode(request.query_params.multi_items())}", 303)
    with mine.store.snapshot() as now:
        new = welcome.is_new(now)
    if new:
        return RedirectResponse("/welcome", 303)
    here = site(request)
    here.shelf.look(mine.store)
    here.make_page(mine)
    page = daily.page_of(mine)
    with mine.store.snapshot() as now:
        desk = make_desk(now, here.shelf.table(now))
        shown = day_of(desk, page, daily.shown(now))
        kept = here.lists.keep(
            now.reader, PAGE, desk.standing.head.id, np.array([one.glance.id for one in shown.lines], np.int64)
        )
        said = bool(desk.interests) or bool(now.acts())
    return render(request, "today.html", day=shown, kept=kept, followed=bool(desk.sources), said=said, other=False)


@router.get("/today/end")
def end(request: Request, mine: Mine) -> Response:
    """How far one is and how the page ends, and whether another was `made` than the one that is shown; a part of it."""
    page = daily.page_of(mine)
    with mine.store.snapshot() as now:
        desk = make_desk(now, site(request).shelf.table(now))
        day = day_of(desk, page, daily.shown(now))
    asked = request.query_params.get("made")
    if asked == "0.0" and day.lines:
        return Response(headers={"HX-Refresh": "true"})  # there was no page yet
    other = asked != str(day.made)
    return render(request, "_today_end.html", day=day, followed=bool(desk.sources), other=other, part=True)


@router.post("/today/more")
def more(mine: Mine) -> Response:
    """The next stories, at the end of the page."""
    before = len(daily.page_of(mine).places)
    mine.today(more=True)
    daily.refresh(mine, mine.store.newest_item())
    return RedirectResponse(f"/#place-{before + 1}", 303)


def day_of(desk: Desk, page: today.Page, shown: daily.Shown) -> Day:
    """The page with the chances of now."""
    places = {place.item: place for place in page.places}
    told = _told(desk, list(places))
    found, best, is_sorted = [], float("-inf"), True
    for line in reversed(lines(desk, list(places), places)):
        id_ = line.glance.id
        if line.score is not None and not line.moved and not line.pinned:
            is_sorted = is_sorted and line.score >= best - 1e-6
            best = max(best, line.score)
        why, adds_to = shown.because.get(id_), shown.adds_to.get(id_)
        found.append(replace(line, because=why, adds_to=adds_to, told=id_ in told))
    above, away = listed(desk, ALL), listed(desk, REST)
    waiting = above[~np.isin(above, page.items)]
    return Day(
        page.made,
        tuple(reversed(found)),
        sum(line.done.acted or line.told for line in found),
        len(waiting),
        int((waiting > shown.newest).sum()),
        int((away > shown.since).sum()),
        is_sorted,
        not page.places and shown.day != page.day and len(desk.standing) > 0,
    )


def _told(desk: Desk, ids: Sequence[int]) -> set[int]:
    """Those of the items whose story is known from a copy that something was done with."""
    standing = desk.standing
    rows = standing.rows_of(ids)
    acted = desk.store.acts_on(np.unique(standing.repeats[rows]).tolist())
    return set(standing.ids[rows[np.isin(standing.repeats[rows], [act.item for act in acted])]].tolist())
