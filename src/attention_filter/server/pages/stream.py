"""The stream: two lanes of what came in, and what was saved."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.server import lanes
from attention_filter.server.desk import Desk, count, facets, lines, listed, make_desk, news_of
from attention_filter.server.pages import welcome
from attention_filter.server.site import Mine, is_fragment, render, site

router = APIRouter()


@router.get("/all")
def stream(request: Request, mine: Mine) -> Response:
    """All there is. Parameters: those of `lanes.Choice`, `list` (its name), `start` and `upto` (the rows to show)."""
    with mine.store.snapshot() as now:
        new = welcome.is_new(now)
    if new:
        return RedirectResponse("/welcome", 303)
    return _show(request, mine, "you", request.state.wishes.order)


@router.get("/saved")
def saved(request: Request, mine: Mine) -> Response:
    return _show(request, mine, "saved", "time")


@router.get("/fresh")
def fresh(request: Request, mine: Mine) -> Response:
    """Whether the `list` whose first `upto` rows are shown would be another by now; a part of a page."""
    here, asked = site(request), request.query_params
    kept = here.lists.find(mine.store.reader, asked.get("list", ""))
    if kept is None:
        return Response(status_code=204)  # after a restart: the page stays as it is
    with mine.store.snapshot() as now:
        desk = make_desk(now, here.shelf.table(now))
    to = lanes.address(kept.choice, request.state.wishes.order)
    return render(request, "_fresh.html", news=news_of(desk, kept, _number(asked.get("upto")), "/fresh", to))


def _show(request: Request, mine: Filter, lane: str, usual_order: str) -> Response:
    choice = lanes.choice_of(request.query_params, lane, usual_order)
    table = site(request).shelf.spread(mine.store)
    with mine.store.snapshot() as now:
        shown = _page(request, make_desk(now, table), choice, usual_order)
    part = is_fragment(request) and shown["start"]
    return render(request, "_rows.html" if part else "stream.html", **shown)


def _page(request: Request, desk: Desk, choice: lanes.Choice, usual_order: str) -> dict[str, Any]:
    """What the page shows; of a turn of the page, the rows only."""
    asked = request.query_params
    lists, reader = site(request).lists, desk.store.reader
    kept = lists.find(reader, asked.get("list", ""))
    if kept is None or kept.choice != choice:
        kept = lists.keep(reader, choice, desk.standing.head.id, listed(desk, choice))
    start = min(_number(asked.get("start")), len(kept.ids))
    end = min(max(start + lanes.SIZE, min(_number(asked.get("upto")), lanes.MOST)), len(kept.ids))

    def where(wanted: lanes.Choice, **more: object) -> str:
        return lanes.address(wanted, usual_order, **more)

    def only(**facet: object) -> str:
        """The same lane, narrowed to one thing."""
        free = dict.fromkeys(lanes.NARROWS)
        return where(choice.but(**free | facet))

    shown: dict[str, Any] = {
        "kept": kept,
        "choice": choice,
        "lines": lines(desk, kept.ids[start:end].tolist()),
        "above": kept.ids[:end].tolist(),
        "start": start,
        "end": end,
        "left": len(kept.ids) - end,
        "where": where,
        "only": only,
    }
    if is_fragment(request) and start:
        return shown
    both = [choice.but(lane=one) for one in ("you", "rest")]
    return shown | {
        "lanes": [(one, count(desk, one)) for one in both] if choice.lane != "saved" else [],
        "facets": facets(desk, choice),
        "news": news_of(desk, kept, end, "/fresh", where(choice)),
        "unread": count(desk, lanes.Choice()),
        "followed": bool(desk.sources),
    }


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0
