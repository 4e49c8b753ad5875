"""The page as an app: manifest, service worker, what it shows without a network, sharing and bookmarking to it."""

from __future__ import annotations

import re
from importlib.resources import files
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from attention_filter.server.preferences import preferences
from attention_filter.server.site import Mine, render, spoken

router = APIRouter()
_ADDRESS = re.compile(r"https?://\S+")


@router.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a browser needs to install the page (W3C Web Application Manifest)."""
    icons = [
        {"src": f"/static/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"}
        for size in (192, 512)
    ]
    content = {
        "id": "/",
        "name": "Attention Filter",
        "short_name": "Attention",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#fbfaf7",
        "theme_color": "#2f6f9f",
        "icons": icons,
        "share_target": {
            "action": "/share",
            "method": "GET",
            "params": {"title": "title", "text": "text", "url": "url"},
        },
    }
    return JSONResponse(content, media_type="application/manifest+json")


@router.get("/sw.js")
def worker() -> Response:
    """The service worker; it must lie at the root to answer for every page."""
    return FileResponse(str(files("attention_filter.server") / "static" / "sw.js"), media_type="text/javascript")


@router.get("/offline")
def offline(request: Request) -> HTMLResponse:
    """What is shown without a network: nobody's, so that it may be kept on the device."""
    return render(request, "offline.html")


@router.get("/share")
def share(title: str = "", text: str = "", url: str = "") -> Response:
    """A page that another app shared: to be followed. Some apps put the address into the text."""
    found = next((match[0] for part in (url, text, title) if (match := _ADDRESS.search(part))), "")
    return RedirectResponse(f"/add?{urlencode({'url': found})}" if found else "/add", 303)


@router.get("/devices")
def devices(request: Request, mine: Mine) -> HTMLResponse:
    """How to have it at hand: as an app, as a bookmark that adds the page one is on, by keys."""
    here = str(request.base_url)
    tongue = spoken(request, preferences(mine.store))
    bookmark = f"javascript:location.href='{here}add?url='+encodeURIComponent(location.href)"
    return render(request, "devices.html", bookmark=bookmark, bookmark_name=tongue.say("Follow this page"))
