"""Secret feeds: a view of a reader's stream as Atom or JSON Feed, for whoever holds its address."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.digest import Head, atom_feed, json_feed
from attention_filter.server.access import own_origin
from attention_filter.server.site import Me, site
from attention_filter.server.views import items_of, view_of
from attention_filter.store.secrets import FEED

SIZE = 50  # items of a feed
KINDS = {"atom": (atom_feed, "application/atom+xml"), "json": (json_feed, "application/feed+json")}

router = APIRouter()


@router.get("/feed/{token}.{kind}")
def feed(request: Request, token: str, kind: str) -> Response:
    """The feed, or 304 when the program that asks has it already (RFC 9110, 13.1.2)."""
    here = site(request)
    found = here.store.accounts.by_secret(token, FEED, here.clock()) if kind in KINDS else None
    if found is None:
        raise HTTPException(404, "There is no such feed, or no longer.")
    write, media = KINDS[kind]
    origin = own_origin(request)
    head = Head(found.name, f"{origin}/feed/{token}.{kind}", f"{origin}/", f"urn:uuid:{uuid5(NAMESPACE_URL, token)}")
    body = write(items_of(here.filter(found.reader), view_of(found.view), SIZE), head).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=300", "X-Robots-Tag": "noindex"}
    if is_known(etag, request.headers.get("If-None-Match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=f"{media}; charset=utf-8", headers=headers)


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether the header names this version; weak comparison, as the RFC wants it here.

    >>> is_known('"a"', 'W/"b", W/"a"'), is_known('"a"', "*"), is_known('"a"', "")
    (True, True, False)
    """
    named = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in named or "*" in named


@router.post("/digest/feeds")
def make(
    request: Request,
    who: Me,
    name: Annotated[str, Form()] = "",
    view: Annotated[str, Form()] = "you",
    above: Annotated[str, Form()] = "",
) -> Response:
    """A new secret address. `view` is "you", "saved", "above" (with a score), "interest:3" or "source:7"."""
    here = site(request)
    kind, _, value = view.partition(":")
    chosen = view_of({"kind": kind, "value": above.replace(",", ".") if kind == "above" else value})
    here.store.accounts.make_secret(who.reader, FEED, name, now=here.clock(), view=chosen.model_dump(mode="json"))
    return RedirectResponse("/digest#feeds", 303)


@router.post("/digest/feeds/{id_}")
def rename(request: Request, who: Me, id_: int, name: Annotated[str, Form()] = "") -> Response:
    site(request).store.accounts.rename_secret(who.reader, id_, name)
    return RedirectResponse("/digest#feeds", 303)


@router.post("/digest/feeds/{id_}/revoke")
def revoke(request: Request, who: Me, id_: int) -> Response:
    """The address opens nothing from now on; a new one has to be made."""
    site(request).store.accounts.revoke(who.reader, id_)
    return RedirectResponse("/digest#feeds", 303)
