"""The worker: takes jobs from the database and does them, in a process of its own beside the one that answers.

Ranking 50,000 items and counting the words of new ones is Python and NumPy work that holds the interpreter's lock: in a
thread of the server, pages would wait for it. So the server starts one child with the same code, at a lower priority.
The two share nothing but the database: a job asked for by a page is found there by the child, its progress there by
the page.

`Worker` itself knows no process: tests run it in theirs, one job at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, TypeVar, cast

import structlog

from attention_filter.errors import AttentionError, UsageError
from attention_filter.server import logs
from attention_filter.server.work import KINDS, Kind, Work, ask, plan
from attention_filter.settings import Settings
from attention_filter.store.jobs import LEASE, Job
from attention_filter.store.store import Store, open_store

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

IDLE = 0.25  # seconds between two looks for work
PLAN = 5.0  # seconds between two looks at the clock
SHOWN = timedelta(seconds=0.5)  # between two writes of how far a job is
GRACE = 0.5  # seconds that jobs have to end in when the worker is stopped
NICE = 10  # the child gives way to the pages
# It is nice before it imports anything, or it would hold up the first page.
START = f"import os; os.name != 'posix' or os.nice({NICE}); from attention_filter.server.worker import main; main()"

_log = structlog.get_logger()
T = TypeVar("T")


class Stopped(BaseException):
    """The worker is to stop, or the job is no longer its own. Not an Exception: no job may swallow it."""


class Worker:
    """Does the jobs of one database. Several workers may share it: each job is done by one of them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        kinds: Mapping[str, Kind] = KINDS,
        encoder: Callable[[], Encoder] | None = None,
    ) -> None:
        self.store, self.settings, self.clock, self.kinds = store, settings, clock, kinds
        self.stopping = Event()
        self._encoder = encoder or _loader(settings)
        self._running: dict[int, _Running] = {}
        self._lock = Lock()

    def run_one(self, lane: str | None = None) -> Job | None:
        """Take a job (of the lane) that is due and do it; returns it, or None when there was none."""
        kinds = [name for name, kind in self.kinds.items() if lane in (None, kind.lane)]
        job = self.store.jobs.claim(kinds, self.clock())
        if job is None:
            return None
        running = _Running(self, job)
        with self._lock:
            self._running[job.id] = running
        began = time.monotonic()
        try:
            work = Work(job, self.store, self.settings, self.clock, self._encoder, running.progress)
            self.kinds[job.kind].run(work)
            self.store.jobs.finish(job, self.clock())
            _log.info("job done", job=job.id, kind=job.kind, seconds=round(time.monotonic() - began, 3))
        except Stopped:
            self.store.jobs.release(job, self.clock())
        except Exception as error:
            self._failed(job, error)
        finally:
            with self._lock:
                del self._running[job.id]
        return job

    def _failed(self, job: Job, error: Exception) -> None:
        told = (
            str(error) if isinstance(error, AttentionError) else f"{type(error).__name__}; the server's log says where"
        )
        # Where it happened, without the message: that could hold a title or a name.
        where = [] if isinstance(error, AttentionError) else traceback.format_tb(error.__traceback__)[-3:]
        _log.error(
            "job failed", job=job.id, kind=job.kind, attempt=job.attempts, error=type(error).__name__, where=where
        )
        with contextlib.suppress(AttentionError):  # without a database its lease ends, and it is taken up again
            self.store.jobs.fail(job, self.clock(), told, final=isinstance(error, UsageError))

    def run(self) -> None:
        """Work until `stopping` is set, each lane in a thread of its own; then give back what is not finished."""
        threads = [
            Thread(target=self._lane, args=(lane,), daemon=True) for lane in {kind.lane for kind in self.kinds.values()}
        ]
        for thread in threads:
            thread.start()
        self._guarded(lambda: ask(self.store, "catch up", None, self.clock()))
        planned = -PLAN
        while not self.stopping.wait(min(LEASE.total_seconds() / 3, PLAN)):
            self._guarded(self._renew)
            if time.monotonic() - planned >= PLAN:
                planned = time.monotonic()
                self._guarded(lambda: plan(self.store, self.settings, self.clock()))
        end = time.monotonic() + GRACE
        for thread in threads:
            thread.join(max(end - time.monotonic(), 0))
        with self._lock:
            unfinished = [one.job for one in self._running.values()]
        for job in unfinished:
            self.store.jobs.release(job, self.clock())

    def _lane(self, lane: str) -> None:
        while not self.stopping.is_set():
            if self._guarded(lambda: self.run_one(lane)) is None:
                self.stopping.wait(IDLE)

    def _renew(self) -> None:
        with self._lock:
            running = list(self._running.values())
        for one in running:
            one.renew()

    def _guarded(self, what: Callable[[], T]) -> T | None:
        """What it returns; a database in trouble is logged, and tried again at the next turn."""
        try:
            return what()
        except AttentionError as error:
            _log.error("worker in trouble", error=type(error).__name__)
            return None


class _Running:
    """A job in hand: how far it is, and whether it is still ours."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self.job = job
        self._worker = worker
        self._so_far = (0, 0, "")
        self._written = datetime.min.replace(tzinfo=UTC)
        self._lost = False

    def progress(self, what: str, done: int, total: int) -> None:
        if self._lost or self._worker.stopping.is_set():
            raise Stopped
        new_part = what != self._so_far[2]
        self._so_far = (done, total, what)
        if new_part or self._worker.clock() - self._written >= SHOWN:
            self.renew()
            if self._lost:
                raise Stopped

    def renew(self) -> None:
        self._written = self._worker.clock()
        self._lost = not self._worker.store.jobs.renew(self.job, self._written, *self._so_far)


def _loader(settings: Settings) -> Callable[[], Encoder]:
    @cache
    def load() -> Encoder:
        from attention_filter.models.encoder import load_encoder

        return load_encoder(settings.model)

    return load


class WorkerProcess:
    """The child in which the worker runs: started again when it dies, and ended with the server, however that ends."""

    def __init__(self, settings: Settings, restart_after: float = 1.0) -> None:
        self._settings = settings
        self._restart_after = restart_after
        self._stopping = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = Thread(target=self._keep_alive, daemon=True)

    def start(self) -> None:
        self._watch.start()

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it, at the latest after twice GRACE; what was not finished is done by the next one."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            _stdin(process).close()
        try:
            process.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _keep_alive(self) -> None:
        wait = self._restart_after
        while not self._stopping.is_set():
            began = time.monotonic()
            # Its own process group: Ctrl-C at a terminal reaches the server alone, which then ends the child. But not
            # a session of its own: Linux weighs sessions alike (sched(7), autogroup), so being nice would not help.
            self._process = subprocess.Popen(  # noqa: S603  our own words
                [sys.executable, "-P", "-c", START],
                stdin=subprocess.PIPE,
                process_group=0 if os.name == "posix" else None,
                env={"OMP_NUM_THREADS": str(max((os.cpu_count() or 1) - 1, 1)), **os.environ},  # a core for the pages
            )
            with contextlib.suppress(OSError):
                _stdin(self._process).write(told(self._settings))
                _stdin(self._process).flush()
            code = self._process.wait()
            if self._stopping.is_set():
                return
            wait = self._restart_after if time.monotonic() - began > 60 else min(wait * 2, 60.0)
            _log.error("worker died", code=code, again_in=wait)
            self._stopping.wait(wait)


def told(settings: Settings) -> bytes:
    """The settings as the line that the child reads, passwords in clear: pydantic's own JSON hides them.

    >>> "geheim" in told(Settings(db="sqlite:///x.db", smtp_password="geheim")).decode()
    True
    """
    return json.dumps(settings.model_dump(), default=lambda secret: secret.get_secret_value()).encode() + b"\n"


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)  # always there: it was asked for


def main() -> None:
    """The child: settings as one line of JSON on standard input, whose end is the sign to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure()
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    worker = Worker(open_store(settings.db), settings)
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        worker.stopping.set()

    Thread(target=wait_for_the_end, daemon=True).start()
    worker.run()
    # A job in the midst of its numbers would not let go: what it has not stored is not there.
    os._exit(0)
