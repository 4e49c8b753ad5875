"""What every command shares: the opened filter, progress on stderr, JSON on stdout, names of sources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from attention_filter.app import Filter
    from attention_filter.intake import Progress
    from attention_filter.settings import Settings
    from attention_filter.types import Source

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")]


@dataclass(frozen=True)
class Session:
    """The global options: which database, which reader."""

    db: str | None = None
    reader: str = "me"


def settings() -> Settings:
    """The settings; UsageError that names the wrong one."""
    from attention_filter.settings import load_settings

    try:
        return load_settings()
    except ValueError as error:  # pydantic's and tomllib's errors are among them
        lines = [line.strip() for line in str(error).splitlines()]
        what = " ".join(lines[1:3]) if len(lines) > 2 else lines[0]
        raise UsageError(f"settings: {what}; mend config.toml or the ATTENTION_* variable") from error


def database_url(name: str) -> str:
    """A database's address; the path of a file is one too.

    >>> database_url("/tmp/news.db"), database_url("sqlite:///news.db")
    ('sqlite:////tmp/news.db', 'sqlite:///news.db')
    """
    return name if "://" in name else f"sqlite:///{Path(name).expanduser().absolute()}"


def url_of(ctx: typer.Context) -> str:
    """The address of the database that the command works on."""
    return database_url(session(ctx).db or settings().db)


def session(ctx: typer.Context) -> Session:
    found = ctx.find_object(Session)
    return found if found is not None else Session()


def opened(ctx: typer.Context, wanted: Settings | None = None) -> Filter:
    """The reader's filter, to be used in a `with`."""
    from attention_filter.app import open_filter

    return open_filter(url_of(ctx), session(ctx).reader, settings=wanted or settings())


def screen() -> Console:
    """Where answers go: stdout. Text from a source is never read as markup."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


def aside() -> Console:
    """Where progress, hints and errors go: stderr."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def hint(text: str) -> None:
    """What one could do next, for a person at a terminal."""
    console = aside()
    if console.is_terminal:
        console.print(text, style="dim")


def print_json(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars on stderr, one a phase; nothing when stderr is not a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = aside()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner on stderr for what takes a moment, such as loading the model."""
    console = aside()
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def find_source(sources: Sequence[Source], name: str) -> Source:
    """The source with this id, or the only one whose title (or a feed's address) has these letters in it."""
    by_id = [source for source in sources if name.isascii() and name.isdigit() and source.id == int(name)]
    letters = name.casefold().strip()
    whole = [source for source in sources if letters and letters == source.title.casefold()]
    part = [source for source in sources if letters and letters in _known_as(source)]
    found = by_id or whole or part
    if not found:
        raise UsageError(f"no source {name!r}; see attention sources")
    if len(found) > 1:
        names = ", ".join(f"{source.id} {source.title or source.url}" for source in found[:3])
        more = ", …" if len(found) > 3 else ""
        raise UsageError(f"{name!r} fits {len(found)} sources ({names}{more}); give the id")
    return found[0]


def _known_as(source: Source) -> str:
    # The path of a file says nothing: all files of a folder would fit the folder's name.
    return f"{source.title}\n{source.url if '://' in source.url else ''}".casefold()


def item_ids(names: Sequence[str]) -> list[int]:
    """Items are named by the number before their title, with or without a #.

    >>> item_ids(["#37", "4"])
    [37, 4]
    """
    numbers = [name.removeprefix("#") for name in names]
    for name, number in zip(names, numbers, strict=True):
        if not (number.isascii() and number.isdigit()):
            raise UsageError(f"{name!r} is no item; give the number before its title, see attention read")
    return list(dict.fromkeys(map(int, numbers)))


def write(path: Path, text: str) -> None:
    """Write a file that a person asked for; UsageError when that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
