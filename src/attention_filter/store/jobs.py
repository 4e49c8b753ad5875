"""Work to be done in the background, kept with the data: what was asked for survives a kill and is done once.

Whoever runs a job holds a lease: `run_at` of a running job says until when, and is moved on while it runs. A job whose
lease has ended belonged to a process that died, and is taken up again. `attempts` counts the takings and is the fence:
who was thought dead and is not can no longer write into a job that another has taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.store import readers, sqlite
from attention_filter.store.schema import jobs, moment, moment_or_none, seconds
from attention_filter.store.schema import readers as reader_rows

LEASE = timedelta(seconds=15)
TRIES = 5
FIRST_RETRY = timedelta(seconds=10)  # four times as long with every further one
KEPT = timedelta(days=7)  # that finished jobs are remembered
AGAIN = "again"  # in the payload of a running job that was asked for once more


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. `done` of `total` steps of `what` are behind it; `run_at`: not before."""

    id: int
    kind: str
    reader: str | None = None  # whom it is for; None: for everybody
    payload: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.QUEUED
    attempts: int = 0
    run_at: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    done: int = 0
    total: int = 0
    what: str = ""
    error: str | None = None
    key: str | None = None


class Jobs:
    """The jobs of a database. Each method is one short transaction."""

    def __init__(self, engine: sa.Engine, path: Path) -> None:
        self._engine, self._path = engine, path

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with sqlite.one_line_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with sqlite.one_line_errors(self._path), sqlite.writing(self._engine, synced=False) as connection:
            yield connection

    def enqueue(
        self,
        kind: str,
        now: datetime,
        *,
        reader: str | None = None,
        payload: Mapping[str, Any] | None = None,
        key: str | None = None,
        run_at: datetime | None = None,
    ) -> int:
        """Ask for work, at once or from `run_at` on; returns the job's id.

        Of one `key` only one job waits: asking again changes nothing, but that it starts at the earlier time. While it
        runs, asking again makes it run once more afterwards, since what it has read may be old.
        """
        at = seconds(run_at or now)
        there = sa.select(jobs).where(jobs.c.unique_key == key)
        if key is not None and not payload:
            with self._read() as connection:  # pages ask often for what is asked for already: that writes nothing
                old = connection.execute(there).one_or_none()
            if old is not None and at >= (old.run_at if old.state == State.QUEUED else old.payload.get(AGAIN, inf)):
                return int(old.id)
        with self._write() as connection:
            old = connection.execute(there).one_or_none() if key is not None else None
            if old is None:
                row = {"kind": kind, "payload": dict(payload or {}), "state": State.QUEUED, "attempts": 0}
                row |= {"run_at": at, "progress_done": 0, "progress_total": 0, "progress_what": "", "unique_key": key}
                row |= {"reader": readers.find_or_add(connection, reader) if reader is not None else None}
                added = connection.execute(sa.insert(jobs).values(row))
                (id_,) = added.inserted_primary_key or (0,)
                return int(id_)
            if old.state == State.RUNNING:
                change: dict[str, Any] = {"payload": {**old.payload, AGAIN: at}}
            else:
                change = {"run_at": min(old.run_at, at), "payload": {**old.payload, **(payload or {})}}
            connection.execute(sa.update(jobs).where(jobs.c.id == old.id).values(change))
            return int(old.id)

    def claim(self, kinds: Sequence[str], now: datetime) -> Job | None:
        """Take the job of these kinds that has waited longest, or one whose lease has ended; None when there is none.

        One that was taken TRIES times without an end is given up: it may be what kills the process.
        """
        due = sa.and_(jobs.c.kind.in_(kinds), jobs.c.run_at <= seconds(now))
        open_ = jobs.c.state.in_([State.QUEUED, State.RUNNING])
        first = sa.select(jobs.c.id, jobs.c.attempts).where(due, open_).order_by(jobs.c.run_at, jobs.c.id).limit(1)
        with self._read() as connection:  # an idle worker writes nothing
            if connection.execute(first).one_or_none() is None:
                return None
        with self._write() as connection:
            while (row := connection.execute(first).one_or_none()) is not None:
                here = sa.update(jobs).where(jobs.c.id == row.id)
                if row.attempts >= TRIES:
                    gave_up = f"ended {TRIES} times before it was done; see the log, then try again"
                    connection.execute(here.values(_ended(State.FAILED, now, gave_up)))
                    continue
                taken = {"state": State.RUNNING, "attempts": row.attempts + 1, "started": seconds(now)}
                connection.execute(here.values(**taken, run_at=seconds(now + LEASE)))
                return _job(connection.execute(_SELECT.where(jobs.c.id == row.id)).one())
        return None

    def renew(self, job: Job, now: datetime, done: int, total: int, what: str) -> bool:
        """Say how far it is, and keep it for another LEASE; False when it is no longer ours."""
        row = {"run_at": seconds(now + LEASE), "progress_done": done, "progress_total": total, "progress_what": what}
        return self._change(job, row)

    def finish(self, job: Job, now: datetime) -> bool:
        """It is done; asked for once more meanwhile, it is queued again. False when it is no longer ours."""
        with self._write() as connection:
            payload = connection.scalar(sa.select(jobs.c.payload).where(*_held(job)))
            if payload is None:
                return False
            row = _ended(State.DONE, now, None)
            if AGAIN in payload:
                row = {"state": State.QUEUED, "attempts": 0, "run_at": payload.pop(AGAIN), "payload": payload}
            connection.execute(sa.update(jobs).where(*_held(job)).values(row))
            old = (jobs.c.state.in_([State.DONE, State.FAILED]), jobs.c.finished < seconds(now - KEPT))
            connection.execute(sa.delete(jobs).where(*old))
            return True

    def fail(self, job: Job, now: datetime, error: str, *, final: bool = False) -> bool:
        """It went wrong: tried again later, unless trying is useless or was done TRIES times."""
        if final or job.attempts >= TRIES:
            return self._change(job, _ended(State.FAILED, now, error))
        again = now + FIRST_RETRY * 4 ** (job.attempts - 1)
        return self._change(job, {"state": State.QUEUED, "run_at": seconds(again), "error": error})

    def release(self, job: Job, now: datetime) -> bool:
        """Give it back unfinished, as when the program is stopped; that does not count as a try."""
        return self._change(job, {"state": State.QUEUED, "attempts": job.attempts - 1, "run_at": seconds(now)})

    def retry(self, id_: int, now: datetime) -> None:
        """Try a failed (or waiting) job again now; UsageError when there is none with this id."""
        with self._write() as connection:
            row = connection.execute(sa.select(jobs).where(jobs.c.id == id_)).one_or_none()
            if row is None or row.state in (State.DONE, State.RUNNING):
                raise UsageError(f"job {id_}: there is no such job that failed")
            fresh = {"state": State.QUEUED, "attempts": 0, "run_at": seconds(now), "finished": None, "error": None}
            connection.execute(sa.update(jobs).where(jobs.c.id == id_).values(fresh))

    def one(self, id_: int) -> Job:
        with self._read() as connection:
            row = connection.execute(_SELECT.where(jobs.c.id == id_)).one_or_none()
        if row is None:
            raise UsageError(f"job {id_}: there is no such job")
        return _job(row)

    def listed(self, states: Sequence[State], limit: int = 100, *, reader: str | None = None) -> list[Job]:
        """Jobs in one of these states, the newest first; with a reader, theirs and those for everybody."""
        chosen = _SELECT.where(jobs.c.state.in_(states)).order_by(jobs.c.id.desc()).limit(limit)
        if reader is not None:
            chosen = chosen.where(sa.or_(reader_rows.c.name == reader, jobs.c.reader.is_(None)))
        with self._read() as connection:
            return [_job(row) for row in connection.execute(chosen)]

    def counts(self) -> dict[tuple[str, str], int]:
        """{(kind, state): how many}."""
        chosen = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
        with self._read() as connection:
            return {(kind, state): n for kind, state, n in connection.execute(chosen)}

    def _change(self, job: Job, row: Mapping[str, Any]) -> bool:
        with self._write() as connection:
            return bool(connection.execute(sa.update(jobs).where(*_held(job)).values(row)).rowcount)


def _held(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    """True for the job as long as nobody else has taken it."""
    return jobs.c.id == job.id, jobs.c.state == State.RUNNING, jobs.c.attempts == job.attempts


def _ended(state: State, now: datetime, error: str | None) -> dict[str, Any]:
    return {"state": state, "finished": seconds(now), "error": error, "unique_key": None}


_SELECT = sa.select(jobs, reader_rows.c.name.label("reader_name")).outerjoin(
    reader_rows, reader_rows.c.id == jobs.c.reader
)


def _job(row: sa.Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        reader=row.reader_name,
        payload=row.payload,
        state=State(row.state),
        attempts=row.attempts,
        run_at=moment(row.run_at),
        started=moment_or_none(row.started),
        finished=moment_or_none(row.finished),
        done=row.progress_done,
        total=row.progress_total,
        what=row.progress_what,
        error=row.error,
        key=row.unique_key,
    )
