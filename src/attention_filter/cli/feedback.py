"""Teaching the filter: like, dislike, save, hide, skip, seen, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from attention_filter.cli.session import hint, item_ids, opened, screen
from attention_filter.types import Sign

PANEL = "Teach"
Which = Annotated[list[str], typer.Argument(metavar="ID", help="The numbers before their titles.")]

SAYS = {
    Sign.LIKE: "More like this.",
    Sign.DISLIKE: "Less like this.",
    Sign.SAVE: "Keep it: it never expires, and counts as a strong like.",
    Sign.HIDE: "Out of my sight; counts as a dislike.",
    Sign.SKIP: "Passed over; counts a little against it.",
    Sign.READ: "Mark as read; counts as half a like.",
}


def act(sign: Sign) -> Callable[[typer.Context, Which], None]:
    """The command that records `sign`."""

    def command(ctx: typer.Context, which: Which) -> None:
        from attention_filter.cli.drawing import one_line

        numbers = item_ids(which)
        with opened(ctx) as filter:
            filter.act(numbers, sign)
            for item in filter.store.items(numbers):
                screen().print(f"{sign}: {item.id} {one_line(item.entry.title)}", soft_wrap=True)
        hint("attention read shows the new order · attention undo takes it back")

    command.__doc__ = SAYS[sign]
    return command


def undo(ctx: typer.Context) -> None:
    """Take back what you did last; again for the one before."""
    from attention_filter.cli.drawing import one_line

    with opened(ctx) as filter:
        taken = filter.undo()
        if taken is None:
            screen().print("Nothing to undo")
        else:
            title = one_line(filter.item(taken.item).entry.title)
            screen().print(f"Taken back: {taken.sign} of {taken.item} {title}", soft_wrap=True)
