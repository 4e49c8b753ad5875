"""The tray: what was filtered away and why, the promise and what it means, the weekly audit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.server.site import Mine, is_fragment, render, site
from attention_filter.standing import Standing
from attention_filter.types import Ranked, Sign

router = APIRouter()
SIZE = 20  # rows that are added at once
SEARCHED = 1_000  # best matches that are looked for in the tray
KEEPS = tuple(percent / 100 for percent in range(50, 100))
IN_SHORT = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
A_WEEK = 20  # items of an audit

Asked = Annotated[str, Query(max_length=200)]


@router.get("/tray")
def tray(
    request: Request,
    mine: Mine,
    q: Asked = "",
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    acts: Annotated[str, Query(max_length=40_000)] = "",
) -> HTMLResponse:
    """`acts` are those that brought items back a moment ago, to be undone."""
    ids, total = _away(mine, site(request).shelf.look(mine.store), q)
    page = ids[start : start + SIZE]
    rows: dict[str, Any] = {
        "rows": _ranked(mine, page),
        "q": q,
        "end": start + len(page),
        "left": len(ids) - start - len(page),
    }
    if is_fragment(request) and start:
        return render(request, "_tray_rows.html", **rows)
    undo = ",".join(one for one in acts.split(",") if one.isdecimal())
    return render(
        request,
        "tray.html",
        **rows,
        found=len(ids),
        total=total,
        promised=mine.promised(),
        undo=undo,
        brought=undo.count(",") + 1 if undo else 0,
    )


@router.post("/tray/shown")
def shown(request: Request, mine: Mine, ids: Annotated[list[int], Form(max_length=1_000)]) -> Response:
    """These should have been shown: each counts as a like."""
    acts = mine.act(list(dict.fromkeys(ids)), Sign.LIKE)
    if is_fragment(request) and len(acts) == 1:
        return render(request, "_tray_shown.html", item=mine.item(acts[0].item), act=acts[0])
    return RedirectResponse(f"/tray?acts={','.join(str(act.id) for act in acts)}", 303)


@router.post("/tray/back")
def back_again(request: Request, mine: Mine, acts: Annotated[str, Form(max_length=40_000)]) -> Response:
    """They are rightly in the tray: take the likes back."""
    taken = mine.take_back([int(one) for one in acts.split(",") if one.isdecimal()])
    if is_fragment(request) and len(taken) == 1:
        (one,) = mine.rank([taken[0].item])
        return render(request, "_tray_row.html", one=one)
    return RedirectResponse("/tray", 303)


@router.get("/tray/promise")
def promise(request: Request, mine: Mine) -> HTMLResponse:
    offers = {round(100 * one.keep): one for one in mine.promises(KEEPS)}
    return render(
        request,
        "_promise.html" if is_fragment(request) else "promise.html",
        offers=offers,
        in_short=[round(100 * keep) for keep in IN_SHORT],
        state=mine.promise(),
    )


@router.post("/tray/promise")
def set_promise(mine: Mine, keep: Annotated[float, Form()]) -> Response:
    """`keep` is in percent."""
    mine.set_promise(keep / 100)
    return RedirectResponse("/tray", 303)


@router.get("/tray/audit")
def audit(request: Request, mine: Mine) -> HTMLResponse:
    """One item at a time; when all were looked at, what they tell."""
    drawn = mine.audit(A_WEEK)
    return render(
        request,
        "_audit.html" if is_fragment(request) else "audit.html",
        audit=drawn,
        one=drawn.to_look[0] if drawn.to_look else None,
        of=drawn.looked + len(drawn.to_look),
        state=None if drawn.to_look else mine.promise(),
    )


@router.post("/tray/audit")
def answer(
    mine: Mine, item: Annotated[int, Form()], answer: Annotated[Literal["fine", "shown", "back"], Form()]
) -> Response:
    mine.answer_audit(item, {"fine": False, "shown": True, "back": None}[answer])
    return RedirectResponse("/tray/audit", 303)


def _away(mine: Filter, standing: Standing, query: str) -> tuple[list[int], int]:
    """Ids of the tray that match, the closest call first and what a rule blocks last; and how many lie there in all."""
    away = standing.away.copy()
    away[standing.rows_of(list(mine.store.acts()))] = False
    total = int(away.sum())
    if query.strip():
        found = np.zeros(len(away), bool)
        found[standing.rows_of([hit.item.id for hit in mine.search(query, SEARCHED)])] = True
        away &= found
    order = np.lexsort((-standing.ids, -standing.interest, standing.blocked))
    return standing.ids[order[away[order]]].tolist(), total


def _ranked(mine: Filter, ids: list[int]) -> list[Ranked]:
    """With their reasons of now; one that came out of the tray since it was last ranked is left out."""
    return [one for one in mine.rank(ids) if one.tray is not None]
