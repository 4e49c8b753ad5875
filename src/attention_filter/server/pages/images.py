"""Pictures of items, fetched by this server, so that no source learns who reads what."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from attention_filter.app import Filter
from attention_filter.server.dress import is_signed, raster_type, signed
from attention_filter.server.site import Mine, site
from attention_filter.settings import Settings

router = APIRouter()
STATE = "image key"  # the name of the state that the reader's key is kept in
MAX_BYTES = 5_000_000
SECONDS = 10.0
AT_ONCE = anyio.CapacityLimiter(4)  # threads of their own: slow picture servers never hold up a page


def address(mine: Filter, url: str) -> str:
    """Where this reader, and nobody else, gets the picture."""
    return "/image?" + urlencode({"u": url, "s": signed(_secret(mine), url)})


@router.get("/image")
async def image(request: Request, mine: Mine, u: str = "", s: str = "") -> Response:
    """The picture at `u`, if an item of this reader's showed it: `s` proves that."""
    if not is_signed(await run_sync(_secret, mine), u, s):
        raise HTTPException(404, "No such picture.")
    body = await run_sync(_fetch, u, site(request).settings, limiter=AT_ONCE)
    kind = raster_type(body)
    if kind is None:
        raise HTTPException(415, "That is no picture.")
    policy = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type=kind, headers=policy | {"Cache-Control": "private, max-age=86400"})


def _fetch(url: str, settings: Settings) -> bytes:
    from attention_filter.sources.fetch import Client  # the HTTP client, which most pages never need

    # A private host that the reader named for a source is not open to whatever a text links to.
    narrow = {"max_bytes": MAX_BYTES, "total_timeout": SECONDS, "private_hosts": ()}
    with Client(settings.model_copy(update=narrow)) as client:
        return client.get(url).body


def _secret(mine: Filter) -> bytes:
    """The reader's own key, made when it is first needed."""
    kept = mine.store.get_state(STATE)
    if kept is None:
        kept = secrets.token_bytes(32)
        mine.store.put_state(STATE, kept)
    return kept
