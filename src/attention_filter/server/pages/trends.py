"""Topics and tone over time, drawn as SVG with a table behind; and the topics that items are sorted into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter import labelling, trends
from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.server import wording
from attention_filter.server.site import Mine, render, site, spoken
from attention_filter.server.work import ask
from attention_filter.tasks import topics
from attention_filter.trends import Trends

PERIODS = (30, 90, 365)  # days
WIDTH, HEIGHT, LEFT, TOP, FOOT = 640, 180, 34, 8, 22  # of the drawing; the axes lie at LEFT and above FOOT
SMALL, LOW = 120, 20  # width and height of a topic's own
LABELS = 6  # days named along the axis

router = APIRouter()


@dataclass(frozen=True)
class Shown:
    """What the address asks for; a source or an interest that is not the reader's leaves nothing."""

    days: int = PERIODS[0]
    source: int | None = None
    interest: int | None = None

    def address(self, **change: int | None) -> str:
        """Where this is shown, with some of it changed."""
        said = {"days": self.days, "source": self.source, "interest": self.interest} | change
        kept = {name: value for name, value in said.items() if value is not None and (name, value) != ("days", 30)}
        return f"/trends{'?' if kept else ''}{urlencode(kept)}"


@router.get("/trends")
def show(request: Request, mine: Mine) -> HTMLResponse:
    """Parameters: `days`, one of PERIODS, and the ids of a `source` or an `interest`."""
    asked = {name: int(value) for name, value in request.query_params.items() if value.isdecimal() and len(value) < 9}
    days = asked.get("days", 0)
    shown = Shown(days if days in PERIODS else PERIODS[0], asked.get("source"), asked.get("interest"))
    return _page(request, mine, shown)


@router.post("/trends/topics")
def use(request: Request, mine: Mine, text: Annotated[str, Form(max_length=200_000)] = "") -> Response:
    """Other topics, as `tasks.topics` reads them; an empty list brings back the program's. Told in the background."""
    try:
        choice = labelling.Choice(own=topics.parse(text)) if text.strip() else labelling.Choice()
    except UsageError as error:
        return _page(request, mine, Shown(), 422, text=text, problem=str(error))
    labelling.choose(mine.store, choice)
    ask(site(request).store, "understand", mine.store.reader, mine.clock(), payload={"awaited": True})
    return RedirectResponse("/trends#topics", 303)


def _page(request: Request, mine: Filter, shown: Shown, status: int = 200, **more: Any) -> HTMLResponse:
    table = site(request).shelf.look(mine.store)
    with mine.store.snapshot() as now:
        starts, step = trends.periods(mine.clock(), shown.days)
        found = now.labelled(starts[0])
        sources, interests = now.followed(), {one.id: one.text for one in now.interests()}
        choice = labelling.chosen(now)
    wanted = np.ones(len(found.ids), bool)
    if shown.source is not None:
        wanted &= found.sources == shown.source
    if shown.interest is not None:
        wanted &= np.isin(found.ids, table.ids[table.claimed == -shown.interest])
    made = trends.count(found, starts, step, wanted)
    tongue = spoken(request, request.state.wishes)
    text = topics.write([replace(one, name=wording.topic(tongue, one.name)) for one in choice.own or topics.usual()])
    context = {"text": text, "problem": "", **more}
    return render(
        request,
        "trends.html",
        status=status,
        shown=shown,
        periods=PERIODS,
        sources={id_: one.name for id_, one in sources.items()},
        interests=interests,
        trends=made,
        drawn=drawing(made),
        choice=choice,
        **context,
    )


def drawing(made: Trends) -> dict[str, Any]:
    """The numbers that the template draws: a column a period, of three parts from the bottom up, and each topic's."""
    bottom, most = HEIGHT - FOOT, max(made.items, default=0)
    wide = (WIDTH - LEFT) / len(made.starts)
    high = (bottom - TOP) / (most or 1)
    columns = []
    for number, count in enumerate(made.items):
        parts, y = [], float(bottom)
        negative, positive = made.feelings["negative"][number], made.feelings["positive"][number]
        for name, many in (("negative", negative), ("rest", count - negative - positive), ("positive", positive)):
            y -= many * high
            parts += [(name, round(y, 1), round(many * high, 1))] if many else []
        columns.append({"x": round(LEFT + wide * number + 0.1 * wide, 1), "parts": parts})
    every = max(-(-len(made.starts) // LABELS), 1)
    named = [number for number in range(len(made.starts)) if (len(made.starts) - 1 - number) % every == 0]
    return {
        "frame": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "bottom": bottom, "top": TOP},
        "column": round(0.8 * wide, 1),
        "columns": columns,
        "most": most,
        "named": [(number, round(min(LEFT + wide * (number + 0.5), WIDTH - 24), 1)) for number in named],
        "small": [SMALL, LOW],
        "skylines": [_skyline(line.counts) for line in made.topics],
    }


def _skyline(counts: tuple[int, ...]) -> list[tuple[float, float, float, float]]:
    """(x, y, width, height) of a bar for each period in which there was something."""
    wide, most = SMALL / len(counts), max(counts)
    bars = [(number, LOW * count / most) for number, count in enumerate(counts) if count]
    return [
        (round(number * wide, 1), round(LOW - high, 1), round(0.8 * wide, 1), round(high, 1)) for number, high in bars
    ]
