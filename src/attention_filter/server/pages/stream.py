"""The stream: two lanes of what came in, and what was saved."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from attention_filter.app import Filter
from attention_filter.server import lanes, wording
from attention_filter.server.site import Mine, is_fragment, preferences, render, site

router = APIRouter()


@router.get("/")
def stream(request: Request, mine: Mine) -> HTMLResponse:
    """Parameters: those of `lanes.Choice`, and `list` (its name), `start` and `upto` (the rows to show)."""
    return _show(request, mine, "you", preferences(mine.store).order)


@router.get("/saved")
def saved(request: Request, mine: Mine) -> HTMLResponse:
    return _show(request, mine, "saved", "time")


def _show(request: Request, mine: Filter, lane: str, usual_order: str) -> HTMLResponse:
    asked = request.query_params
    choice = lanes.choice_of(asked, lane, usual_order)
    standing = site(request).shelf.look(mine.store)
    lists, reader = site(request).lists, mine.store.reader
    kept = lists.find(reader, asked.get("list", ""))
    if kept is None or kept.choice != choice:
        kept = lists.keep(reader, choice, lanes.listed(mine, standing, choice))
    start = min(_number(asked.get("start")), len(kept.ids))
    end = min(max(start + lanes.SIZE, min(_number(asked.get("upto")), lanes.MOST)), len(kept.ids))

    def where(wanted: lanes.Choice, **more: object) -> str:
        return lanes.address(wanted, usual_order, **more)

    def only(**facet: object) -> str:
        """The same lane, narrowed to one thing."""
        free = replace(choice, source=None, folder=None, interest=None, lang=None)
        return where(replace(free, **facet))  # type: ignore[arg-type]

    rows = {
        "kept": kept,
        "choice": choice,
        "lines": lanes.lines(mine, standing, kept.ids[start:end]),
        "above": [*kept.ids[:end]],
        "end": end,
        "left": len(kept.ids) - end,
        "where": where,
        "only": only,
        "with_": replace,
        "wording": wording,
    }
    if is_fragment(request) and start:
        return render(request, "_rows.html", **rows)
    return render(
        request,
        "stream.html",
        **rows,
        start=start,
        standing=standing.head.id,
        lanes=_lanes(mine, standing, choice),
        facets=lanes.facets(mine, standing, choice),
        unread=_unread(mine, standing),
        followed=bool(mine.store.sources()),
    )


def _lanes(mine: Filter, standing: lanes.Standing, choice: lanes.Choice) -> list[tuple[lanes.Choice, int]]:
    """The two lanes and how many items lie in each."""
    both = [replace(choice, lane=lane) for lane in ("you", "rest")]
    return [(one, len(lanes.listed(mine, standing, one))) for one in both] if choice.lane != "saved" else []


def _unread(mine: Filter, standing: lanes.Standing) -> int:
    return len(lanes.listed(mine, standing, lanes.Choice()))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else 0
