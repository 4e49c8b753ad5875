"""Teaching the filter: like, dislike, save, hide, skip, seen, undo."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import AsJson, aside, hint, item_ids, opened, print_json, screen
from attention_filter.types import Item, Sign

if TYPE_CHECKING:
    from attention_filter.app import Filter

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


ANSWERS = {
    "y": Sign.LIKE, "yes": Sign.LIKE, "like": Sign.LIKE,
    "n": Sign.DISLIKE, "no": Sign.DISLIKE, "dislike": Sign.DISLIKE,
    "": None, "s": None, "skip": None,
}  # fmt: skip


def ask(
    ctx: typer.Context,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=100, help="At most so many questions.")] = 5,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show the questions, to be answered with like and dislike.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rate these five: the unread items whose rating teaches the filter most.

    Answer y (like), n (dislike), Enter or s (skip: nothing is recorded), q (stop); from a terminal or a pipe.
    """
    from attention_filter import documents
    from attention_filter.cli import pages
    from attention_filter.cli.reading import own_language

    with opened(ctx) as filter:
        asked = filter.ask(number)
        if as_json:
            print_json(documents.asked(asked))
            return
        if not asked:
            screen().print("Nothing to ask: there is no unread item; attention fetch looks for more")
            return
        rated = 0
        for place, one in enumerate(asked, 1):
            screen().print(pages.question(one, f"{place} of {len(asked)}", filter.clock(), own_language()))
            if not only_list:
                answer = _answer()
                if answer == "q":
                    break
                rated += _record(filter, one.ranked.item, ANSWERS[answer])
        if not only_list:
            screen().print(f"\n{rated} of {len(asked)} rated")
    hint(
        "attention like ID or dislike ID rates an item · attention read shows the order · attention undo takes it back"
    )


def _answer() -> str:
    """What the reader says to a question, until it is understood; q at the end of the input."""
    console = aside()
    while True:
        console.print("  worth your attention? y, n, Enter to skip, q to stop: ", end="")
        line = sys.stdin.readline()
        said = line.strip().casefold()
        if not line or said in ("q", "quit"):
            return "q"
        if said in ANSWERS:
            return said
        console.print(f"  {said[:20]!r} is no answer")


def _record(filter: Filter, item: Item, sign: Sign | None) -> bool:
    from attention_filter.cli.drawing import clean

    if sign is not None:
        filter.act([item.id], sign)
        # What was rated has left the stream: where to read it stands here.
        where = f" · {clean(item.entry.url)}" if sign is Sign.LIKE and item.entry.url else ""
        screen().print(f"  {sign}{where}", soft_wrap=True, markup=False, highlight=False)
    return sign is not None


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
