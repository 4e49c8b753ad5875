"""The stream: what deserves attention, the best first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.server.pages import welcome
from attention_filter.server.site import Mine, render

router = APIRouter()


@router.get("/")
def stream(request: Request, mine: Mine) -> Response:
    if welcome.is_new(mine.store):
        return RedirectResponse("/welcome", 303)
    return render(request, "stream.html", items=mine.stream(20))
