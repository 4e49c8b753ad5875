"""How far the reading for one reader is: what is fetched, encoded and ranked for them, as the jobs say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from attention_filter.store.jobs import Job, State

STEPS = ("load", "fetch", "understand", "rank")
SOON = timedelta(minutes=1)  # what waits for longer is nothing to wait for
LATELY = timedelta(minutes=10)


@dataclass(frozen=True)
class Progress:
    """`going` runs or is about to, `failed` went wrong; `read` sources were read a moment ago, if `ended`."""

    going: tuple[Job, ...] = ()
    failed: tuple[Job, ...] = ()
    read: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself; a failure may wait for its next try."""
        return not any(job.state in (State.RUNNING, State.QUEUED) for job in (*self.going, *self.failed))


def progress_of(jobs: Sequence[Job], reader: str, now: datetime) -> Progress:
    """Of jobs in any state, the newest first."""
    own = sorted((job for job in jobs if job.reader == reader and job.kind in STEPS), key=_step)
    done = [job for job in own if job.state == State.DONE and job.finished]
    read = [job.total for job in done if job.kind == "fetch" and job.finished and now - job.finished < LATELY]
    return Progress(
        going=tuple(job for job in own if _is_going(job, now)),
        failed=tuple(job for job in own if _is_failed(job) and not any(_made_up(job, other) for other in done)),
        read=read[0] if read else 0,
    )


def _step(job: Job) -> int:
    return STEPS.index(job.kind)


def _is_going(job: Job, now: datetime) -> bool:
    due = job.state == State.QUEUED and not job.error and job.run_at is not None and job.run_at - now < SOON
    return job.state == State.RUNNING or due


def _is_failed(job: Job) -> bool:
    return job.state == State.FAILED or (job.state == State.QUEUED and bool(job.error))


def _made_up(failed: Job, done: Job) -> bool:
    """Whether what failed was done since by another job of its kind."""
    return failed.kind == done.kind and failed.payload == done.payload and failed.id < done.id
