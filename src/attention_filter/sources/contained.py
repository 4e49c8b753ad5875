"""`parse_feed` in a child process that may hang, crash or swell without harm to ours.

The child is started once and parses one feed after another. Both sides speak frames: eight bytes of length,
then JSON (and the body as it is). The child handles hostile input, so nothing it sends is ever executed:
no pickle. One child serves one caller at a time; callers in several threads get one each.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import IO, Any

from attention_filter.errors import SourceError
from attention_filter.sources.document import Feed
from attention_filter.types import Entry

try:
    import resource
except ImportError:  # Windows has no such limits: there only time is bounded
    resource = None  # type: ignore[assignment]

Parse = Callable[[bytes, str, "str | None", datetime, int], Feed]

_COMMAND = (sys.executable, "-P", "-m", "attention_filter.sources.contained")  # -P: nothing of the current folder
_START_SECONDS = 60.0  # for importing and warming up, before any hostile byte is seen
_USES = 200  # then a child is replaced, whatever it has gathered
_MAX_FRAME = 1 << 30
_ENTRY = tuple(field.name for field in fields(Entry))


def parse_contained(
    body: bytes,
    url: str,
    content_type: str | None,
    now: datetime,
    max_entries: int,
    seconds: float,
    megabytes: int,
) -> Feed:
    """The same as `parse_feed`, within `seconds` of wall time and `megabytes` of memory beyond an idle child's.

    Raises SourceError when the feed cannot be read, and when reading it hangs, crashes or swells.
    """
    return _children.parse(body, url, content_type, now, max_entries, seconds, megabytes)


class Children:
    """At most `most` children, which `command` starts; a caller waits for one to be free."""

    def __init__(self, command: Sequence[str] = _COMMAND, most: int = min(max(os.cpu_count() or 1, 2), 4)) -> None:
        self._command = command
        self._most = most
        self.forget()

    def forget(self) -> None:
        """Begin without children: at first, and after a fork, when they belong to the other process."""
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(self._most)

    def parse(
        self,
        body: bytes,
        url: str,
        content_type: str | None,
        now: datetime,
        max_entries: int,
        seconds: float,
        megabytes: int,
    ) -> Feed:
        request = {
            "url": url,
            "content_type": content_type,
            "now": now.isoformat(),
            "max_entries": max_entries,
            "seconds": seconds,
            "megabytes": megabytes,
        }
        with self._free:
            child = self._take(url)
            try:
                answer = child.ask(json.dumps(request).encode(), body, seconds)
            except (OSError, EOFError, ValueError):
                died = child.kill()
                reason = f"took longer than {seconds:g} s" if child.timed_out else f"ended the parser ({died})"
                raise SourceError(f"{url}: reading the feed {reason}; it was stopped") from None
            except BaseException:  # interrupted with an answer outstanding: the child is of no more use
                child.kill()
                raise
            if answer.get("swollen"):
                child.kill()
                raise SourceError(f"{url}: reading the feed needs more than {megabytes} MB; it was stopped")
            self._put_back(child)
        if "error" in answer:
            raise SourceError(str(answer["error"]))
        return _feed_from(answer)

    def _take(self, url: str) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive():
                    return child
        try:
            return _Child(self._command)
        except (OSError, EOFError, ValueError) as error:
            raise SourceError(f"{url}: the feed parser's process does not start ({error})") from error

    def _put_back(self, child: _Child) -> None:
        with self._lock:
            if child.uses < _USES:
                self._idle.append(child)
                return
        child.kill()

    def close(self) -> None:
        """End every idle child."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()


class _Child:
    """One child process; `ask` sends a request and waits for its answer."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.uses = 0
        self.timed_out = False
        try:
            with self._deadline(_START_SECONDS):
                _read(self._stdout)
        except BaseException:
            self.kill()
            raise

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        return self._process.stdout

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        return self._process.stdin

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: bytes, body: bytes, seconds: float) -> dict[str, Any]:
        """Raises OSError or EOFError when the child is gone, `timed_out` telling whether by our hand."""
        self.uses += 1
        with self._deadline(seconds):
            _write(self._stdin, request)
            _write(self._stdin, body)
            answer = json.loads(_read(self._stdout))
        if not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer

    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Any:
        """Kill the child when the time is up, which wakes whoever reads from it or writes to it."""

        def stop() -> None:
            self.timed_out = True
            self._process.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def kill(self) -> str:
        """End it now; how it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that is dying by itself may tell of what
            self._process.wait(0.05)
        self._process.kill()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _write(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(len(frame).to_bytes(8, "big"))
    pipe.write(frame)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    """The next frame; EOFError when the other side is gone."""
    size = int.from_bytes(_exactly(pipe, 8), "big")
    if size > _MAX_FRAME:
        raise ValueError("the frame is too large")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _feed_to(feed: Feed) -> dict[str, Any]:
    record: dict[str, Any] = {field.name: getattr(feed, field.name) for field in fields(Feed)}
    return record | {"entries": [[getattr(entry, name) for name in _ENTRY] for entry in feed.entries]}


def _feed_from(record: dict[str, Any]) -> Feed:
    entries = tuple(_entry_from(dict(zip(_ENTRY, values, strict=True))) for values in record["entries"])
    lists = {name: tuple(record[name]) for name in ("problems", "authors")}
    return Feed(**{**record, **lists, "entries": entries, "updated": _date(record["updated"])})


def _entry_from(record: dict[str, Any]) -> Entry:
    lists = {name: tuple(record[name]) for name in ("authors", "links", "tags")}
    return Entry(**{**record, **lists, "published": _date(record["published"]), "updated": _date(record["updated"])})


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# The child's side -----------------------------------------------------------------------------------------


def serve(parse: Parse) -> None:
    """Answer requests on stdin with feeds on stdout until stdin ends. Runs in the child."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not land between the frames
    resting = _address_space()
    _write(answers, b"{}")
    while True:
        try:
            request, body = json.loads(_read(questions)), _read(questions)
        except EOFError:
            return
        _limit(resting, request["megabytes"], request["seconds"])
        answer = _answer(parse, request, body)
        _write(answers, answer)
        if answer == _SWOLLEN:
            return


_SWOLLEN = b'{"swollen": true}'


def _answer(parse: Parse, request: dict[str, Any], body: bytes) -> bytes:
    try:
        now = datetime.fromisoformat(request["now"])
        feed = parse(body, request["url"], request["content_type"], now, request["max_entries"])
        return json.dumps(_feed_to(feed), ensure_ascii=False, default=datetime.isoformat).encode()
    except SourceError as error:
        return json.dumps({"error": str(error)}).encode()
    except MemoryError:
        return _SWOLLEN


def _address_space() -> int:
    """Bytes of address space this process has; 0 where that cannot be told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _limit(resting: int, megabytes: int, seconds: float) -> None:
    """Bound the address space, and the processor time too, in case the parent is no longer there to do it."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, value in (
        (resource.RLIMIT_AS, resting + megabytes * 2**20),
        (resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 2),
    ):
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # some systems refuse RLIMIT_AS
            resource.setrlimit(kind, (bound, hard))


_children = Children()
atexit.register(_children.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_children.forget)


def _main() -> None:
    from attention_filter.sources.feeds import parse_feed
    from attention_filter.sources.language import detect_language

    detect_language("so that its model is loaded before the limits hold")
    serve(parse_feed)


if __name__ == "__main__":
    _main()
