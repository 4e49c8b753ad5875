"""The web application: `create_app` wires the parts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from attention_filter import __version__
from attention_filter.errors import AttentionError, StoreError, UsageError
from attention_filter.server import access, accounts, live, oidc, passkeys, watch
from attention_filter.server.pages import (
    acts,
    attention,
    digest,
    feeds,
    images,
    install,
    interests,
    item,
    knowledge,
    profile,
    rules,
    search,
    sources,
    stream,
    tray,
    trends,
    welcome,
    you,
)
from attention_filter.server.pages import settings as settings_page
from attention_filter.server.site import Site, render
from attention_filter.server.work import ask
from attention_filter.server.worker import WorkerProcess
from attention_filter.settings import Settings
from attention_filter.store.store import open_store

WARM = 4.0  # seconds after the start that the model is loaded: the first pages come before it


def create_app(
    settings: Settings,
    *,
    reader: str = "me",
    worker: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The whole application on one database. Without `worker` nothing is fetched or ranked in the background."""
    app = FastAPI(
        title="Attention Filter",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_alive,
    )
    here = Site(open_store(settings.db, reader), settings, reader, clock)
    app.state.site = here
    app.state.registry = CollectorRegistry()
    app.add_middleware(watch.Watch, registry=app.state.registry)  # within the wall, which hides what was asked
    access.install(app, settings, here.store.accounts, reader=reader, clock=clock)
    app.state.live = live.Live(here.store, clock)
    app.state.worker = WorkerProcess(settings) if worker else None
    if worker:
        here.shelf.renew = lambda store: ask(store, "rank", store.reader, clock())
    app.state.registry.register(watch.Stored(here.store, clock))
    app.mount("/static", StaticFiles(directory=str(files(__package__) / "static")), name="static")
    read = (welcome, stream, acts, item, search, images, install, tray)
    know = (interests, attention, you, trends, sources, rules, knowledge, digest, feeds, profile, settings_page)
    for page in (accounts, passkeys, oidc, live, watch, *read, *know):
        app.include_router(page.router)
    app.exception_handler(AttentionError)(_failed)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unread)
    return app


@asynccontextmanager
async def _alive(app: FastAPI) -> AsyncIterator[None]:
    """While the application runs, so do its worker and the look-out for news."""
    if app.state.worker is not None:
        app.state.worker.start()
        asyncio.get_running_loop().call_later(WARM, _warm, app.state.site)
    looking = asyncio.create_task(app.state.live.run())
    try:
        yield
    finally:
        looking.cancel()
        if app.state.worker is not None:
            await run_in_threadpool(app.state.worker.stop)


def _warm(here: Site) -> None:
    """Load the model, so that the first "why" need not; a problem with it is told by whoever needs it."""

    def load() -> None:
        with contextlib.suppress(AttentionError):
            here.encoder()

    Thread(target=load, daemon=True).start()


async def _failed(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, UsageError) else 503 if isinstance(error, StoreError) else 502
    return render(request, "error.html", status=status, problem=str(error))


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code < 400 or "HX-Redirect" in (error.headers or {}):
        return Response(status_code=error.status_code, headers=error.headers)
    return render(request, "error.html", status=error.status_code, problem=error.detail)


async def _unread(request: Request, error: RequestValidationError) -> Response:
    """An address or a form that no page of ours makes; what was typed is not repeated."""
    problem = "This address or form is not complete, so nothing was done. Go back and try again."
    return render(request, "error.html", status=422, problem=problem, known=True)
