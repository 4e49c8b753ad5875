"""Reading sources while the reader looks at a page: one thread a reader, and how far it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock, Thread

from attention_filter.app import Filter
from attention_filter.errors import AttentionError
from attention_filter.types import Source

FIRST = 4  # sources in the first part; each further part is twice as large

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """How far the reading is: `done` of `total` steps of `what`, after `read` of `sources` sources."""

    sources: int
    read: int = 0
    what: str = ""
    done: int = 0
    total: int = 0
    ended: bool = False
    problem: str = ""


class Background:
    """What is being read for whom. What a kill interrupts is due again at the next start: nothing is lost."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._work: dict[str, Work] = {}
        self._threads: dict[str, Thread] = {}

    def fetch(self, mine: Filter, sources: Sequence[Source]) -> bool:
        """Read these sources and rank what they bring; False when something is being read for this reader already."""
        reader = mine.store.reader
        with self._lock:
            if not self.of(reader).ended:
                return False
            self._work[reader] = Work(len(sources))
            thread = self._threads[reader] = Thread(target=self._run, args=(mine, sources), daemon=True)
        thread.start()
        return True

    def of(self, reader: str) -> Work:
        """How far the reading for this reader is; ended when there was none."""
        return self._work.get(reader, Work(0, ended=True))

    def wait(self, reader: str, seconds: float | None = None) -> None:
        """Until the reading for this reader has ended."""
        if thread := self._threads.get(reader):
            thread.join(seconds)

    def _run(self, mine: Filter, sources: Sequence[Source]) -> None:
        reader = mine.store.reader

        def tell(what: str, done: int, total: int) -> None:
            self._work[reader] = replace(self.of(reader), what=what, done=done, total=total)

        problem = ""
        try:
            for part in parts(sources):
                mine.fetch(sources=part, progress=tell)
                self._work[reader] = replace(self.of(reader), read=self.of(reader).read + len(part))
        except AttentionError as error:
            problem = str(error)
        except Exception:
            _log.exception("reading sources in the background")
            problem = "reading the sources broke off; see the log"
        finally:
            self._work[reader] = replace(self.of(reader), ended=True, problem=problem)


def parts(sources: Sequence[Source], first: int = FIRST) -> Iterator[Sequence[Source]]:
    """Small parts first, so that there is something to read soon; each is twice as large as the one before.

    >>> [len(part) for part in parts([None] * 15, first=4)]
    [4, 8, 3]
    """
    start, size = 0, first
    while start < len(sources):
        yield sources[start : start + size]
        start, size = start + size, 2 * size
