"""What was filtered away: look at it, audit it at random, and say how much must never be lost."""

from __future__ import annotations

from typing import Annotated

import typer

from attention_filter.cli.reading import From, Lang, Since, own_language, selection
from attention_filter.cli.session import AsJson, Limit, hint, item_ids, opened, print_json, screen
from attention_filter.errors import UsageError

group = typer.Typer(help="What was filtered away, and why; a random audit; the promise.")


@group.callback(invoke_without_command=True)
def tray(
    ctx: typer.Context,
    limit: Limit = 15,
    source: From = None,
    since: Since = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """What was filtered away, and why; the closest call first."""
    from attention_filter import documents
    from attention_filter.cli import pages

    if ctx.invoked_subcommand is not None:
        return
    with opened(ctx) as filter:
        items, count = filter.tray(limit, selection(filter, source, since, lang))
        promised = filter.promised()
        if as_json:
            print_json(documents.tray(items, count, promised))
        elif items:
            screen().print(pages.ranked_list(items, filter.clock(), own_language()))
            screen().print(f"\n{pages.promise(count, len(items), promised)}")
        else:
            screen().print("The tray is empty: nothing was filtered away")


@group.command("audit")
def audit(
    ctx: typer.Context,
    count: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="So many items this week.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Random items of the tray, the same all week: should any of them have been shown?"""
    from attention_filter import documents
    from attention_filter.cli import pages

    with opened(ctx) as filter:
        found, promised = filter.audit(count), filter.promise()
        if as_json:
            print_json(documents.audit(found, promised))
            return
        if found.to_look:
            screen().print(pages.ranked_list(found.to_look, filter.clock(), own_language()))
            screen().print()
            hint("attention tray should ID… names those that should have been shown; attention tray should none: none")
        elif found.looked:
            screen().print(f"You looked at all {found.looked} of this week; attention tray audit -n draws more")
        else:
            screen().print("The tray is empty: there is nothing to audit")
        screen().print(pages.promise_state(promised))


@group.command("should")
def should(
    ctx: typer.Context,
    which: Annotated[list[str], typer.Argument(metavar="ID…|none", help="The numbers before their titles, or none.")],
    as_json: AsJson = False,
) -> None:
    """You looked through this week's audit, and these should have been shown (each counts as a like)."""
    from attention_filter import documents
    from attention_filter.cli import pages

    with opened(ctx) as filter:
        promised = filter.should_have_shown([] if which == ["none"] else item_ids(which))
        if as_json:
            print_json(documents.promise(promised))
        else:
            screen().print(pages.promise_state(promised))


@group.command("promise")
def promise(
    ctx: typer.Context,
    share: Annotated[str | None, typer.Argument(metavar="[PERCENT]", help="50 to 99.9; 95 if you never say.")] = None,
    as_json: AsJson = False,
) -> None:
    """The share of what you would read that stays out of the tray: show it, or set it."""
    from attention_filter import documents
    from attention_filter.cli import pages

    with opened(ctx) as filter:
        if share is not None:
            try:
                filter.set_promise(float(share.removesuffix("%")) / 100)
            except ValueError as error:
                raise UsageError(f"{share!r}: give a number of percent, e.g. attention tray promise 90") from error
        promised = filter.promise()
        if as_json:
            print_json(documents.promise(promised))
        else:
            screen().print(pages.promise_state(promised))
