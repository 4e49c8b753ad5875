"""For programs: the stream, the tray, a search, one item with its reasons, acts; and the tokens that let them in.

A token stands in the header, `Authorization: Bearer …` (RFC 6750), and no cookie is looked at: so no web page can make
a browser use it. The answers are those of `--json` (`documents`); a mistake is answered by {"error": …}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel

from attention_filter import documents
from attention_filter.app import Filter
from attention_filter.server import lanes
from attention_filter.server.desk import listed, make_desk
from attention_filter.server.pages import settings
from attention_filter.server.site import Me, Mine, site
from attention_filter.standing import Standing
from attention_filter.store.secrets import API
from attention_filter.types import Ranked, Sign

MOST = 200  # items of one answer

router = APIRouter()


def is_for(path: str) -> bool:
    """Whether this path is a program's."""
    return path.startswith("/api/")


def by_token(request: Request) -> Filter:
    """The filter of the reader whose token is shown; 401 without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    here = site(request)
    found = here.store.accounts.by_secret(token, API, here.clock()) if scheme.lower() == "bearer" else None
    if found is None:
        raise HTTPException(401, "show a token of yours: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    return here.filter(found.reader)


Theirs = Annotated[Filter, Depends(by_token)]


class Act(BaseModel):
    sign: Sign


@router.get("/api/items")
def items(
    request: Request,
    mine: Theirs,
    lane: Literal["stream", "tray", "saved"] = "stream",
    q: str = "",
    start: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
) -> JSONResponse:
    """A part of a lane, narrowed as the page is (`source`, `folder`, `interest`, `lang`, `order=time`, `show=all`), and
    how many there are in all; or, with `q`, what a search finds."""
    if q:
        return JSONResponse(documents.found(q, mine.search(q, limit)))
    asked = dict(request.query_params) | {"lane": "rest" if lane == "tray" else ""}
    choice = lanes.choice_of(asked, "saved" if lane == "saved" else "you", "rank")
    table = site(request).shelf.spread(mine.store)
    with mine.store.snapshot() as now:
        ids = listed(make_desk(now, table), choice)
    found = [_placed(one, table.standing) for one in mine.rank(ids[start : start + limit].tolist())]
    return JSONResponse({"count": len(ids), **documents.stream(found)})


def _placed(one: Ranked, standing: Standing) -> Ranked:
    """The item as it stands in the list: what is folded under it, and what the quotas did with it."""
    place = standing.place_of.get(one.item.id)
    return replace(one, story=place.story, moved=place.moved, held_back=place.held_back) if place else one


@router.get("/api/today")
def today(mine: Theirs) -> JSONResponse:
    """The page of the day, made when it is first asked for, what was done with it, and what waits beside it."""
    return JSONResponse(documents.today(mine.today()))


@router.get("/api/items/{item}")
def item(mine: Theirs, item: int) -> JSONResponse:
    """All of an item, its score, and the reasons that sum to it; `act` is what was done with it last."""
    (ranked,) = mine.rank([item])
    acts = mine.store.acts_on([item])
    return JSONResponse(documents.whole_item(ranked.item, acts[-1].sign if acts else None) | documents.ranked(ranked))


@router.post("/api/items/{item}/acts")
def act(request: Request, mine: Theirs, item: int, wanted: Act) -> JSONResponse:
    """Do it; answers {"act": its id}, by which it can be taken back."""
    (added,) = mine.act([item], wanted.sign)
    site(request).shelf.look(mine.store)  # asks for a new ranking
    return JSONResponse({"act": added.id}, 201)


@router.delete("/api/acts/{act_id}")
def take_back(request: Request, mine: Theirs, act_id: int) -> JSONResponse:
    """Undo an act; {"act": its id}."""
    taken = mine.take_back([act_id])
    if not taken:
        raise HTTPException(404, f"act {act_id}: no such act of yours, or it was taken back already")
    site(request).shelf.look(mine.store)
    return JSONResponse({"act": act_id})


@router.get("/api/interests")
def interests(mine: Theirs) -> JSONResponse:
    return JSONResponse(documents.interests(mine.interests()))


@router.get("/api/sources")
def sources(mine: Theirs) -> JSONResponse:
    return JSONResponse(documents.sources(mine.store.sources()))


# The tokens, made and revoked on the page of settings


@router.post("/settings/tokens")
def make(request: Request, mine: Mine, who: Me, name: Annotated[str, Form()] = "") -> HTMLResponse:
    """A new token, shown this once: only its hash is kept."""
    here = site(request)
    token = here.store.accounts.make_secret(who.reader, API, name, now=here.clock())
    return settings.page(request, mine, who, token=token)


@router.post("/settings/tokens/{id_}/revoke")
def revoke(request: Request, who: Me, id_: int) -> Response:
    site(request).store.accounts.revoke(who.reader, id_)
    return RedirectResponse("/settings#tokens", 303)
