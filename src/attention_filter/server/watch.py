"""For whoever runs the server: is it well (/healthz), how is it doing (/metrics), and a line of log for each request.

All of it is numbers: routes stand as templates, no name, item or query is told. /metrics answers this machine only,
and nothing that came through a proxy, so that it does not stand open to the world by accident.
"""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attention_filter.errors import AttentionError
from attention_filter.server.site import site
from attention_filter.store.store import Store

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
ENDLESS = frozenset({"/events"})  # as long as a page is open, which says nothing of speed
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

router = APIRouter()
_log = structlog.get_logger()


class Stored(Collector):
    """What the database knows, read when it is asked for."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("attention_jobs", "Jobs by kind and state", labels=["kind", "state"])
        for (kind, state), count in self._store.jobs.counts().items():
            jobs.add_metric([kind, state], count)
        yield jobs
        yield GaugeMetricFamily("attention_items", "Items stored", value=self._store.total_items())
        last = self._store.last_fetch()
        if last is not None:
            age = (self._clock() - last).total_seconds()
            yield GaugeMetricFamily("attention_last_fetch_age_seconds", "Since a source was last asked", value=age)


class Watch:
    """ASGI middleware: counts and times each request, gives it a number in the log, and writes its line."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        self._requests = Counter(
            "attention_requests", "Requests by route", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "attention_request_seconds", "Time to answer", ["route"], buckets=BUCKETS, registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        number = secrets.token_hex(8)

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            await send(message)

        scope["app"].state.asked = began = time.monotonic()
        with structlog.contextvars.bound_contextvars(request=number):
            try:
                await self.app(scope, receive, note)
            finally:
                self._told(scope, status, time.monotonic() - began)

    def _told(self, scope: Scope, status: int, seconds: float) -> None:
        # A path that no route knows could be anything, and could be made up without end.
        route = getattr(scope.get("route"), "path", "") or (
            "/static" if scope["path"].startswith("/static/") else "none"
        )
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE") else "other"
        self._requests.labels(method, route, str(status)).inc()
        if route not in ENDLESS:
            self._seconds.labels(route).observe(seconds)
        _log.info("request", method=method, route=route, status=status, ms=round(1000 * seconds, 1))


@router.get("/healthz")
def healthz(request: Request) -> JSONResponse:
    """200 when the database can be read and the worker lives, or else 503."""
    try:
        site(request).store.newest_item()
        database = True
    except AttentionError:
        database = False
    process: Any = request.app.state.worker
    worker = process is None or process.is_alive()
    state = {"database": database, "worker": worker if process is not None else None}
    return JSONResponse(state, 200 if database and worker else 503)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """The figures in Prometheus' text format, for this machine."""
    if not is_local(request):
        raise HTTPException(404, "There is no such page.")
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


def is_local(request: Request) -> bool:
    """Whether the request comes from this machine and from no proxy on it."""
    passed_on = getattr(request.state, "forwarded", False)  # so the wall says, which takes the headers away
    if request.client is None or passed_on or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
