"""The web application: `create_app` wires the parts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from attention_filter import __version__, learned, standing
from attention_filter.errors import AttentionError, StoreError, UsageError
from attention_filter.server import access, accounts, live, oidc, passkeys, watch
from attention_filter.server.pages import (
    acts,
    api,
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
    today,
    tray,
    trends,
    welcome,
    you,
)
from attention_filter.server.pages import settings as settings_page
from attention_filter.server.site import SOON, Site, render
from attention_filter.server.work import ask
from attention_filter.server.worker import WorkerProcess
from attention_filter.settings import Settings
from attention_filter.store.jobs import State
from attention_filter.store.store import Store, open_store

QUIET = 2.0  # seconds without a request after which the model is loaded: meanwhile pages would take long


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
        # A page does not wait for its turn to write that it wishes for a new ranking; it will look again.
        app.state.asking = asking = ThreadPoolExecutor(1)

        def renew(store: Store) -> None:
            if standing.kept_head(store) is None and learned.model_of(store) and store.count_items() <= SOON:
                here.rank(store)  # what the command line made is not shown by its time alone, not for a moment
            else:
                asking.submit(ask, store, "rank", store.reader, clock())

        here.shelf.renew = renew
        here.leave_page = lambda store: asking.submit(ask, store, "rank", store.reader, clock(), payload={"anew": True})
    app.state.registry.register(watch.Stored(here.store, clock))
    app.mount("/static", StaticFiles(directory=str(files(__package__) / "static")), name="static")
    read = (welcome, today, stream, acts, item, search, images, install, tray)
    know = (interests, attention, you, trends, sources, rules, knowledge, digest, feeds, api, profile, settings_page)
    for page in (accounts, passkeys, oidc, live, watch, *read, *know):
        app.include_router(page.router)
    app.exception_handler(AttentionError)(_failed)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_unread)
    return app


@asynccontextmanager
async def _alive(app: FastAPI) -> AsyncIterator[None]:
    """While the application runs, so do its worker and the look-out for news."""
    app.state.asked = time.monotonic()
    tasks = [asyncio.create_task(app.state.live.run())]
    if app.state.worker is not None:
        app.state.worker.start()
        tasks.append(asyncio.create_task(_warm(app)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        if app.state.worker is not None:
            app.state.asking.shutdown(wait=False, cancel_futures=True)
            await run_in_threadpool(app.state.worker.stop)


async def _warm(app: FastAPI) -> None:
    """Load the model when nobody waits for a page or for work, so that the first "why" need not; whoever needs it is
    told what is wrong."""
    while (rest := app.state.asked + QUIET - time.monotonic()) > 0 or await run_in_threadpool(_is_at_work, app):
        await asyncio.sleep(max(rest, QUIET))

    def load() -> None:
        with contextlib.suppress(AttentionError):
            app.state.site.encoder()

    Thread(target=load, daemon=True).start()  # not of the pool: the server does not wait for it to end


def _is_at_work(app: FastAPI) -> bool:
    try:
        return bool(app.state.site.store.jobs.listed([State.RUNNING], 1))
    except AttentionError:
        return True  # the database is busy or gone: a bad moment


async def _failed(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, UsageError) else 503 if isinstance(error, StoreError) else 502
    return _told(request, status, str(error))


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code < 400 or "HX-Redirect" in (error.headers or {}):
        return Response(status_code=error.status_code, headers=error.headers)
    return _told(request, error.status_code, error.detail, error.headers)


def _told(request: Request, status: int, problem: str, headers: Mapping[str, str] | None = None) -> Response:
    """What went wrong: a page for people, JSON for programs."""
    if api.is_for(request.url.path):
        return JSONResponse({"error": problem}, status, headers)
    return render(request, "error.html", status=status, problem=problem)


async def _unread(request: Request, error: RequestValidationError) -> Response:
    """An address or a form that no page of ours makes; what was typed is not repeated."""
    problem = "This address or form is not complete, so nothing was done. Go back and try again."
    return _told(request, 422, problem)
