"""What a list must be, in the reader's own short sentences: quotas."""

from __future__ import annotations

from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, hint, opened, print_json, screen

group = typer.Typer(help="What a list must be: at most, at least, never together; add, remove.")


@group.callback(invoke_without_command=True)
def quotas_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_quotas(ctx, as_json)


@group.command("list")
def list_quotas(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Your quotas (the same as `attention quotas`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found = filter.quotas()
    if as_json:
        print_json(documents.quotas(found))
    elif found:
        screen().print(tables.quotas(found))
    else:
        screen().print("No quotas yet; e.g. attention quotas add 'each source at most 3'")


@group.command("add")
def add_quota(
    ctx: typer.Context, sentences: Annotated[list[str], typer.Argument(metavar="'QUOTA'", help="In quotes.")]
) -> None:
    """Say what a list must be. It moves items, never scores: what it holds back comes further down, marked.

    At most so many of a list, or that share of it:

      source:"Daily Noise" at most 2     each source at most 20%

    At least so many, when there are any:

      interest:climate at least 1        lang:zh at least 30%

    Not in one list, or not one after the other:

      source:Post never with source:Mail     word:bitcoin never next to word:bitcoin

    What can be named: source, folder, interest, lang, topic, sentiment, tag, author, word.
    """
    with opened(ctx) as filter:
        for sentence in sentences:
            added = filter.add_quota(sentence)
            screen().print(f"Quota {len(filter.quotas())}: {added}")
    hint("attention read shows what it holds back or lifts")


@group.command("remove")
def remove_quota(
    ctx: typer.Context, number: Annotated[int, typer.Argument(metavar="NUMBER", help="The number before it.")]
) -> None:
    """Forget a quota; those after it move up by one."""
    with opened(ctx) as filter:
        screen().print(f"Forgotten: {filter.remove_quota(number)}")
