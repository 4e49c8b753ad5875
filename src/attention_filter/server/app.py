"""The web application: `create_app` wires the parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from attention_filter import __version__
from attention_filter.errors import AttentionError, StoreError, UsageError
from attention_filter.server import access, accounts, oidc, passkeys
from attention_filter.server.pages import (
    digest,
    feeds,
    knowledge,
    profile,
    rules,
    sources,
    stream,
    welcome,
)
from attention_filter.server.pages import settings as settings_page
from attention_filter.server.site import Site, render
from attention_filter.settings import Settings
from attention_filter.store.store import open_store


def create_app(
    settings: Settings,
    *,
    reader: str = "me",
    worker: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The whole application on one database. Without `worker` nothing is fetched or ranked in the background."""
    app = FastAPI(title="Attention Filter", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = site = Site(open_store(settings.db, reader), settings, reader, clock)
    access.install(app, settings, site.store.accounts, reader=reader, clock=clock)
    app.mount("/static", StaticFiles(directory=str(files(__package__) / "static")), name="static")
    mine = (welcome, sources, rules, knowledge, digest, feeds, profile, settings_page)
    for page in (accounts, passkeys, oidc, stream, *mine):
        app.include_router(page.router)
    app.exception_handler(AttentionError)(_failed)
    app.exception_handler(HTTPException)(_refused)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, UsageError) else 503 if isinstance(error, StoreError) else 502
    return render(request, "error.html", status=status, problem=str(error))


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code < 400 or "HX-Redirect" in (error.headers or {}):
        return Response(status_code=error.status_code, headers=error.headers)
    return render(request, "error.html", status=error.status_code, problem=error.detail)
