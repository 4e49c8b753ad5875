"""The stream: what deserves attention, the best first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from attention_filter.server.site import Mine, render

router = APIRouter()


@router.get("/")
def stream(request: Request, mine: Mine) -> HTMLResponse:
    return render(request, "stream.html", items=mine.stream(20))
