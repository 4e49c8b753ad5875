"""`attention demo`: the script of demo/walk.py, told and drawn."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import database_url, opened, progress, screen, session, settings
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from attention_filter.app import Filter
    from attention_filter.demo.walk import Scene, Taught

WHAT_NEXT = """\
attention add https://example.org/feed.xml      a feed, or any page that has one
attention interests add "what you care about"   in plain words, in any language
attention fetch; attention today                then attention why ID, like ID"""


def demo(
    ctx: typer.Context,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it behind as your own database.")] = False,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="Where the digest goes.")] = Path(
        "attention-demo-digest.html"
    ),
    yes: Annotated[bool, typer.Option("--yes", help="With --keep: also into a database that is in use.")] = False,
) -> None:
    """See it work on eight invented feeds, in a minute."""
    started = time.monotonic()
    from attention_filter.demo.server import serve
    from attention_filter.demo.walk import walk

    console = screen()
    if html.is_dir() or not html.absolute().parent.is_dir():
        raise UsageError(f"{html}: is no file that can be written; name one with --html")
    with serve(datetime.now(UTC)) as server, _filter(ctx, keep, yes, server.host) as filter:
        if not keep:
            console.print("A demo in a database of its own, which is thrown away at the end.")
        number = 0
        for scene in walk(filter, server, html, progress):
            if isinstance(scene, str):
                number += 1
                console.print(f"\n{number}. {scene}", style="bold reverse")
            else:
                for part in _draw(scene, filter, console):
                    console.print(part)
        if keep:
            _let_go(console, filter, server.host)
    console.print(f"\nThat took {time.monotonic() - started:.0f} seconds. Now with your own feeds:", style="bold")
    console.print(WHAT_NEXT)


@contextmanager
def _filter(ctx: typer.Context, keep: bool, yes: bool, host: str) -> Iterator[Filter]:
    """A filter that may read from the demo's server: in a temporary folder, or the reader's own. It does not explore,
    which draws lots anew each day: the demo is the same every day."""
    from attention_filter.app import open_filter

    usual = settings()
    allowed = usual.model_copy(update={"private_hosts": (*usual.private_hosts, host), "exploration": 0.0})
    if keep:
        with opened(ctx, allowed) as filter:
            if filter.store.sources() and not yes:
                raise UsageError(
                    f"{filter.store.path} is in use; add the demo to it with --yes, or name another with --db"
                )
            yield filter
    else:
        with (
            tempfile.TemporaryDirectory(prefix="attention-demo-") as folder,
            open_filter(database_url(f"{folder}/demo.db"), session(ctx).reader, settings=allowed) as filter,
        ):
            yield filter


def _let_go(console: Console, filter: Filter, host: str) -> None:
    """Mute the demo's feeds: their server is about to end."""
    for source in filter.store.sources():
        if f"//{host}/" in source.url:
            filter.store.set_muted(source.id, True)
    console.print(f"\nKept in {filter.store.path}", soft_wrap=True)
    console.print("The demo's feeds are muted there, since nobody serves them now.")


def _draw(scene: Scene, filter: Filter, console: Console) -> list[RenderableType]:
    """What a person sees of a scene."""
    from attention_filter.cli import pages, tables
    from attention_filter.cli.reading import own_language
    from attention_filter.demo import walk

    now, language = filter.clock(), own_language()
    match scene:
        case walk.Said(interests):
            return [f"  {interest.text}" for interest in interests]
        case walk.Read(done):
            return [
                ", ".join(f"{one.source.title} {one.new}" for one in sorted(done, key=lambda one: one.source.id)),
                tables.fetched(done),
            ]
        case walk.Page(today):
            return [pages.today(today, now, language)]
        case walk.Asked(explanation):
            return [pages.explanation(explanation, (), 0, now, pages.in_colour(console))]
        case walk.Taught():
            return [_taught(scene)]
        case walk.Tray(items, count):
            return [pages.ranked_list(items, now, language), pages.promise(count, len(items), filter.promised())]
        case walk.Digest(path, items):
            return [f"{items} items in {path}; open it in a browser"]


def _taught(scene: Taught) -> Text:
    """The act, and what it moved: place before and after, score before and after."""
    from rich.text import Text

    from attention_filter.cli.drawing import one_line, signed

    out = Text.assemble((f"{scene.sign}: {one_line(scene.item.entry.title)}", "bold"))
    for move in scene.moves:
        places = f"place {move.places[0]:>3} → {move.places[1]:<3}"
        scores = f"{signed(move.scores[0])} → {signed(move.scores[1])}"
        out.append(f"\n  {places}  {scores}  {one_line(move.item.entry.title, 44)}")
    return out
