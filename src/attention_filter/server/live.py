"""What a page is told while it is open: how far the work is, and that there is a new ranking.

One look at the database serves all who listen. A listener keeps the last news of each kind only, so a slow one holds
nothing up and nothing piles up for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from attention_filter import standing
from attention_filter.errors import AttentionError, UsageError
from attention_filter.server.access import Visitor
from attention_filter.server.site import Me, back, is_fragment, render, site
from attention_filter.server.work import GATHER, ask
from attention_filter.store.jobs import Job, State
from attention_filter.store.store import Store

PERIOD = 0.5  # seconds between two looks
STEPS = 10  # that a job's progress is told in
FAILED = timedelta(days=1)  # that a failure is shown
MOST = 1_000  # jobs that are looked at, of all readers

router = APIRouter()


class Listener:
    """Who has a page open. Iterating gives the news as they come, until it is closed."""

    def __init__(self, reader: str) -> None:
        self.reader = reader
        self.told: dict[str, Any] = {}  # the last of each kind
        self._news: dict[str, Any] = {}
        self._woken = asyncio.Event()
        self._closed = False

    def tell(self, kind: str, data: Any) -> None:
        """Tell it, unless it knows."""
        if self.told.get(kind) != data:
            self.told[kind] = self._news[kind] = data
            self._woken.set()

    def close(self) -> None:
        self._closed = True
        self._woken.set()

    async def __aiter__(self) -> AsyncIterator[tuple[str, Any]]:
        while True:
            await self._woken.wait()
            self._woken.clear()
            news, self._news = self._news, {}
            for kind, data in news.items():
                yield kind, data
            if self._closed:
                return


class Live:
    """Looks at the database for all listeners. `stopping` says that the server wants to end, so that streams end."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._store, self._clock, self.stopping = store, clock, stopping
        self._listeners: set[Listener] = set()
        self._newest = 0

    @contextmanager
    def listening(self, reader: str) -> Iterator[Listener]:
        listener = Listener(reader)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def run(self) -> None:
        """Look every PERIOD for as long as somebody listens; runs until it is cancelled."""
        try:
            while not self.stopping():
                await asyncio.sleep(PERIOD)
                readers = {listener.reader for listener in self._listeners}
                if not readers:
                    continue
                try:
                    news = await run_in_threadpool(self._look, readers)
                except AttentionError:
                    continue  # the database is busy or gone: /healthz says so, here there is just no news
                for listener in self._listeners:
                    for kind, data in news.get(listener.reader, {}).items():
                        listener.tell(kind, data)
        finally:
            for listener in self._listeners:
                listener.close()

    def _look(self, readers: set[str]) -> dict[str, dict[str, Any]]:
        """{reader: {kind of news: data}}."""
        jobs = current(self._store, self._clock())
        heads = self._store.states_of(standing.HEAD, readers)
        newest = self._store.newest_item()
        came, self._newest = newest > self._newest > 0, newest
        out: dict[str, dict[str, Any]] = {}
        for reader in readers:
            out[reader] = {"work": told([replace(job, done=tenth(job)) for job in jobs], reader)}
            if reader in heads:
                head = standing.unpacked(heads[reader])
                out[reader]["ranked"] = {"standing": head.id}
                if came and self._store.for_reader(reader).newer(head.newest):
                    ask(self._store, "rank", reader, self._clock(), GATHER)
        return out


def tenth(job: Job) -> int:
    """How far it is, so that it changes STEPS times and not with every item.

    >>> [tenth(Job(1, "fetch", done=done, total=156)) for done in (0, 14, 15, 156)]
    [0, 0, 15, 156]
    """
    step = max(job.total // STEPS, 1)
    return job.done if job.done == job.total else job.done - job.done % step


def current(store: Store, now: datetime) -> list[Job]:
    """What runs, what waits to be tried again, and what failed of late."""
    jobs = store.jobs.listed([State.RUNNING, State.FAILED, State.QUEUED], MOST)
    return [
        job
        for job in jobs
        if job.state == State.RUNNING
        or (job.state == State.QUEUED and job.error)
        or (job.finished and now - job.finished < FAILED)
    ]


def told(jobs: list[Job], reader: str) -> dict[str, Any]:
    """What a reader is told of the jobs: those for everybody and their own, never another's."""
    mine = [job for job in jobs if job.reader in (None, reader)]
    return {
        "running": [
            {"id": job.id, "kind": job.kind, "what": job.what, "done": job.done, "total": job.total}
            for job in mine
            if job.state == State.RUNNING
        ],
        "failed": [{"id": job.id, "kind": job.kind} for job in mine if job.state == State.FAILED or job.error],
    }


def live(request: Request) -> Live:
    found: Live = request.app.state.live
    return found


@router.get("/events", response_class=EventSourceResponse)
async def events(who: Me, now: Annotated[Live, Depends(live)]) -> AsyncIterator[ServerSentEvent]:
    """News for the page that is open; FastAPI adds a heartbeat while there are none."""
    with now.listening(who.reader) as listener:
        async for kind, data in listener:
            yield ServerSentEvent(event=kind, data=data)


@router.get("/jobs")
def jobs(request: Request, who: Me) -> Response:
    """What is being done now and what went wrong: a part of a page for htmx, JSON otherwise."""
    here = site(request)
    mine = [job for job in current(here.store, here.clock()) if job.reader in (None, who.reader)]
    if is_fragment(request):
        return render(request, "jobs.html", jobs=mine)
    return JSONResponse(
        told(mine, who.reader) | {"errors": {job.id: job.error for job in mine if _may_retry(job, who)}}
    )


@router.post("/jobs/{id_}/retry")
def retry(request: Request, id_: int, who: Me) -> Response:
    """Try again what failed; the visitor's own jobs, and, for the owner, those that are done for everybody."""
    here = site(request)
    if not _may_retry(here.store.jobs.one(id_), who):
        raise UsageError(f"job {id_}: there is no such job")
    here.store.jobs.retry(id_, here.clock())
    return jobs(request, who) if is_fragment(request) else back(request, "/")


def _may_retry(job: Job, who: Visitor) -> bool:
    return job.reader == who.reader or (job.reader is None and who.is_owner)
