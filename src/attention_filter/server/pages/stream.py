"""The stream: two lanes of what came in, and what was saved."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.server import lanes, wording
from attention_filter.server.desk import facets, lines, listed, make_desk, rows
from attention_filter.server.pages import welcome
from attention_filter.server.preferences import preferences
from attention_filter.server.site import Mine, is_fragment, render, site

router = APIRouter()


@router.get("/")
def stream(request: Request, mine: Mine) -> Response:
    """Parameters: those of `lanes.Choice`, and `list` (its name), `start` and `upto` (the rows to show)."""
    if welcome.is_new(mine.store):
        return RedirectResponse("/welcome", 303)
    return _show(request, mine, "you", preferences(mine.store).order)


@router.get("/saved")
def saved(request: Request, mine: Mine) -> Response:
    return _show(request, mine, "saved", "time")


def _show(request: Request, mine: Filter, lane: str, usual_order: str) -> Response:
    asked = request.query_params
    choice = lanes.choice_of(asked, lane, usual_order)
    desk = make_desk(mine.store, site(request).shelf.look(mine.store))
    lists, reader = site(request).lists, mine.store.reader
    kept = lists.find(reader, asked.get("list", ""))
    if kept is None or kept.choice != choice:
        kept = lists.keep(reader, choice, desk.standing.head.id, listed(desk, choice))
    start = min(_number(asked.get("start")), len(kept.ids))
    end = min(max(start + lanes.SIZE, min(_number(asked.get("upto")), lanes.MOST)), len(kept.ids))

    def where(wanted: lanes.Choice, **more: object) -> str:
        return lanes.address(wanted, usual_order, **more)

    def only(**facet: object) -> str:
        """The same lane, narrowed to one thing."""
        free = {"source": None, "folder": None, "interest": None, "lang": None}
        return where(choice.but(**free | facet))

    shown: dict[str, Any] = {
        "kept": kept,
        "choice": choice,
        "lines": lines(desk, kept.ids[start:end]),
        "above": [*kept.ids[:end]],
        "end": end,
        "left": len(kept.ids) - end,
        "where": where,
        "only": only,
        "wording": wording,
    }
    if is_fragment(request) and start:
        return render(request, "_rows.html", **shown)
    both = [choice.but(lane=one) for one in ("you", "rest")]
    return render(
        request,
        "stream.html",
        **shown,
        start=start,
        lanes=[(one, len(rows(desk, one))) for one in both] if lane == "you" else [],
        facets=facets(desk, choice),
        unread=len(rows(desk, lanes.Choice())),
        followed=bool(desk.sources),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0
