"""Search: what came in, wherever it lies by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.server import lanes
from attention_filter.server.site import Mine, render, site
from attention_filter.standing import Standing
from attention_filter.store.search import Hit

router = APIRouter()
MOST = 200  # hits that are looked at
SIZE = 30  # that are shown at once
PLACES = ("stream", "rest", "tray", "saved", "read")


@dataclass(frozen=True)
class Found:
    """A hit and where it lies: one of PLACES."""

    hit: Hit
    place: str
    done: lanes.Done

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The snippet in pieces, and whether each was looked for."""
        return cut(self.hit.snippet, self.hit.marks)


def cut(text: str, marks: tuple[tuple[int, int], ...]) -> list[tuple[str, bool]]:
    """The text in pieces, and whether each is marked.

    >>> cut("one two", ((4, 7), (5, 7)))
    [('one ', False), ('two', True)]
    """
    out, at = [], 0
    for start, end in sorted(marks):
        if start >= at:
            out += [(text[at:start], False), (text[start:end], True)]
            at = end
    return [(piece, marked) for piece, marked in [*out, (text[at:], False)] if piece]


@router.get("/search")
def search(
    request: Request, mine: Mine, q: str = "", where: str = "", source: str = "", lang: str = "", start: str = ""
) -> HTMLResponse:
    """`q` as `store.search.parse` takes it; the rest narrows what was found, `start` turns the page."""
    problem, found = "", list[Found]()
    if q.strip():
        try:
            found = _placed(mine, site(request).shelf.latest(mine.store), mine.search(q[:500], MOST))
        except UsageError:
            problem = q
    chosen = {"where": where, "source": source, "lang": lang}
    tests: dict[str, Callable[[Found], str]] = {
        "where": lambda one: one.place,
        "source": lambda one: str(one.hit.item.source),
        "lang": lambda one: one.hit.item.entry.lang,
    }

    def left(but: str = "") -> list[Found]:
        return [
            one
            for one in found
            if all(not value or name == but or tests[name](one) == value for name, value in chosen.items())
        ]

    def link(**change: object) -> str:
        said = {"q": q, **chosen, **change}
        return "/search?" + urlencode({name: value for name, value in said.items() if value})

    shown, first = left(), int(start) if start.isdecimal() and len(start) < 6 else 0
    return render(
        request,
        "search.html",
        q=q,
        problem=problem,
        found=shown[first : first + SIZE],
        count=len(shown),
        many=len(found) == MOST,
        chosen=chosen,
        counts={name: Counter(tests[name](one) for one in left(name)).most_common() for name in tests},
        sources={str(one.hit.item.source): one.hit.item.source_title for one in found},
        link=link,
        after=first + SIZE if first + SIZE < len(shown) else 0,
        places=PLACES,
    )


def _placed(mine: Filter, standing: Standing, hits: list[Hit]) -> list[Found]:
    """Each hit with where it lies: what was done with it counts first, then the line."""
    ids = [hit.item.id for hit in hits]
    done = lanes.done_with(mine.store.acts_on(ids))
    row_of = {int(standing.ids[row]): int(row) for row in standing.rows_of(ids)}

    def place(id_: int) -> str:
        acts = done.get(id_, lanes.Done())
        if acts.acted:
            return "saved" if acts.saved else "read"
        row = row_of.get(id_)
        if row is None:  # newer than the ranking
            return "stream"
        return "tray" if standing.blocked[row] else "rest" if standing.away[row] else "stream"

    return [Found(hit, place(hit.item.id), done.get(hit.item.id, lanes.Done())) for hit in hits]
