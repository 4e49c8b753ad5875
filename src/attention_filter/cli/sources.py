"""What is followed: add, import, export, fetch, sources."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import (
    AsJson,
    aside,
    find_source,
    hint,
    opened,
    print_json,
    progress,
    screen,
    waiting,
    write,
)
from attention_filter.errors import SourceError, UsageError

if TYPE_CHECKING:
    from attention_filter.intake import Fetched
    from attention_filter.types import Source

PANEL = "Follow"
group = typer.Typer(help="What you follow and how it is doing; remove, mute, unmute.", no_args_is_help=False)
Named = Annotated[str, typer.Argument(metavar="SOURCE", help="Its id, or a part of its title.")]


def add(
    ctx: typer.Context,
    targets: Annotated[list[str], typer.Argument(metavar="URL|FILE|FOLDER", help="What to follow.")],
    folder: Annotated[str, typer.Option("--folder", help="Put it in this folder of yours, e.g. news/tech.")] = "",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="FIELD=NAME", help="In a table: the column NAME is the item's FIELD."),
    ] = None,
) -> None:
    """Follow a feed, a web page, a folder, or a JSONL or CSV file.

    Columns of a table are guessed by their names (id, subject, description, created, …) unless given.
    """
    columns = _columns(column or [])
    with opened(ctx) as filter:
        for target in targets:
            if Path(target).suffix.lower() == ".opml" and Path(target).is_file():
                raise UsageError(f"{target}: a list of feeds; attention import {target} follows them")
            with waiting(f"Looking at {target}"):
                source = filter.add(target, folder=folder, columns=columns)
            screen().print(f"Following {source.id} {source.title or source.url}")
    hint("attention fetch reads it")


def _columns(pairs: list[str]) -> dict[str, str]:
    from attention_filter.sources.tables import COLUMN_NAMES

    columns = {}
    for pair in pairs:
        field, equals, name = pair.partition("=")
        if not equals or field not in (*COLUMN_NAMES, "html") or not name:
            raise UsageError(f"--column {pair!r}: give FIELD=NAME, where FIELD is one of {', '.join(COLUMN_NAMES)}")
        columns[field] = name
    return columns


def import_opml(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An OPML file from any feed reader.")],
) -> None:
    """Follow every feed of an OPML file."""
    with opened(ctx) as filter:
        before = len(filter.store.sources())
        found = filter.import_opml(file)
        new = len(filter.store.sources()) - before
        screen().print(f"{len(found)} feeds in {file}, {new} of them new")
    hint("attention fetch reads them")


def export_opml(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of stdout.")] = None,
) -> None:
    """Print what you follow as OPML, for any feed reader."""
    with opened(ctx) as filter:
        text = filter.export_opml()
    if out is None:
        print(text, end="")
    else:
        write(out, text)
        aside().print(f"Wrote {out}")


def fetch(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE", help="Only these: ids or parts of titles.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are not due yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read what is due, store what is new and understand it.

    A source that fails is named and the rest goes on. Ends with 3 when nothing could be read at all.
    """
    from attention_filter import documents

    with opened(ctx) as filter:
        followed = filter.store.sources()
        if not followed:
            raise UsageError("nothing to fetch yet; attention add URL follows something")
        wanted = [find_source(followed, name) for name in names] if names else None
        with progress() as show:
            done = filter.fetch(sources=wanted, every=every, progress=show)
        if as_json:
            print_json(documents.fetched(done))
        else:
            _report(done, filter.store.sources())
    if done and all(one.error for one in done):
        raise typer.Exit(SourceError.exit_code)


def _report(done: list[Fetched], followed: list[Source]) -> None:
    from attention_filter.cli import tables
    from attention_filter.cli.drawing import one_line

    if not done:
        all_muted = all(source.muted for source in followed)
        advice = "attention sources unmute SOURCE" if all_muted else "attention fetch --all reads them now"
        screen().print(f"{'All sources are muted' if all_muted else 'No source is due yet'}; {advice}")
        return
    now_muted = {source.id for source in followed if source.muted}
    for one in done:
        if one.error is not None:
            muted = " (it is gone for good: muted)" if one.source.id in now_muted else ""
            aside().print(f"! {one_line(one.source.title or one.source.url)}: {one_line(one.error)}{muted}")
    screen().print(tables.fetched(done))
    hint("attention read shows what deserves your attention")


@group.callback(invoke_without_command=True)
def sources(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_sources(ctx, as_json)


@group.command("list")
def list_sources(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What you follow: health, last error, when it is read next (the same as `attention sources`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found, now = filter.store.sources(), filter.clock()
    if as_json:
        print_json(documents.sources(found))
    elif found:
        screen().print(tables.sources(found, now))
    else:
        screen().print("You follow nothing yet; attention add URL follows something")


@group.command("remove")
def remove_source(ctx: typer.Context, name: Named) -> None:
    """Follow it no longer. Its items stay stored; those you acted on stay visible."""
    with opened(ctx) as filter:
        source = find_source(filter.store.sources(), name)
        filter.store.remove_source(source.id)
        screen().print(f"No longer following {source.title or source.url}")


@group.command("mute")
def mute_source(ctx: typer.Context, name: Named) -> None:
    """Fetch it no longer, keep its items."""
    _set_muted(ctx, name, True)


@group.command("unmute")
def unmute_source(ctx: typer.Context, name: Named) -> None:
    """Fetch it again."""
    _set_muted(ctx, name, False)


def _set_muted(ctx: typer.Context, name: str, muted: bool) -> None:
    with opened(ctx) as filter:
        source = find_source(filter.store.sources(), name)
        filter.store.set_muted(source.id, muted)
        screen().print(f"{source.title or source.url} is {'muted' if muted else 'fetched again'}")
