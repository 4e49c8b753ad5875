"""What items are about and how they feel: the topics in use, and both over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, find_source, hint, opened, print_json, progress, screen
from attention_filter.errors import UsageError

topics = typer.Typer(help="The topics that items are sorted into: yours, or those that come with the program.")

Days = Annotated[int, typer.Option("--days", min=1, help="How far to look back; beyond 35, week by week.")]


@topics.callback(invoke_without_command=True)
def topics_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_topics(ctx, as_json)


@topics.command("list")
def list_topics(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The topics in use, and how many items of the last 30 days each has (the same as `attention topics`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        choice, found = filter.topics(), filter.trends()
    if as_json:
        print_json(documents.topics(choice, found))
    else:
        screen().print(tables.topics(choice, found))
        hint("attention topics use FILE has other topics; attention read --topic NAME shows one")


@topics.command("use")
def use_topics(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|FOLDER|usual",
            help='A list ("chess: an endgame; blitz" a line), a model that train classify made, or "usual".',
        ),
    ],
) -> None:
    """Have other topics, and sort what is there into them."""
    from attention_filter.labelling import Choice, read_choice

    choice = Choice() if what == "usual" else read_choice(Path(what).expanduser())
    with opened(ctx) as filter:
        with progress() as show:
            filter.choose_topics(choice, progress=show)
        screen().print(f"{len(choice.names)} topics: {', '.join(choice.names)}")


@topics.command("export")
def export_topics(ctx: typer.Context) -> None:
    """Print the list of topics, to be changed and given to `attention topics use`; the program's by name alone."""
    from attention_filter.tasks.topics import usual, write

    with opened(ctx) as filter:
        choice = filter.topics()
    if choice.model:
        raise UsageError(f"your topics are those of the classifier in {choice.model}, which has no list")
    print(write(choice.own or usual()), end="")


def trends(
    ctx: typer.Context,
    days: Days = 30,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source.")] = None,
    interest: Annotated[
        int | None, typer.Option("--interest", metavar="ID", help="Only what this interest claims.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Topics and feelings over time: what is written about more, and in which tone."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        wanted = find_source(filter.store.sources(), source).id if source else None
        found = filter.trends(days, source=wanted, interest=interest)
    if as_json:
        print_json(documents.trends(found))
    elif found.total:
        screen().print(tables.trends(found))
    else:
        screen().print("Nothing came in that time; attention trends --days 90 looks further back")
