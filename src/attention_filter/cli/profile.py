"""What the filter knows of a reader: interests, rules, profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, aside, opened, print_json, screen, session, waiting, write
from attention_filter.errors import UsageError

PANEL = "Teach"
interests = typer.Typer(help="What you care about, in plain words: add, remove, weight.")
rules = typer.Typer(help="Your own rules, which pin, block or boost: add, remove.")
profile = typer.Typer(help="What was learned about you: show, export, import, delete.")

Id = Annotated[int, typer.Argument(metavar="ID", help="The number before it in the list.")]


@interests.callback(invoke_without_command=True)
def interests_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_interests(ctx, as_json)


@interests.command("list")
def list_interests(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Your interests and their weights (the same as `attention interests`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found = filter.interests()
    if as_json:
        print_json(documents.interests(found))
    elif found:
        screen().print(tables.interests(found))
    else:
        screen().print('No interests yet; attention interests add "what you care about"')


@interests.command("add")
def add_interest(
    ctx: typer.Context,
    texts: Annotated[list[str], typer.Argument(metavar='"TEXT"', help="In plain words, in any language.")],
    weight: Annotated[float, typer.Option("--weight", help="How much; 1 is usual.")] = 1.0,
    unwanted: Annotated[bool, typer.Option("--not", help="You do not want this.")] = False,
) -> None:
    """Say what you care about, or with --not what you do not."""
    if weight <= 0:
        raise UsageError(f"--weight {weight:g}: give a number above 0; --not says that you do not want it")
    with opened(ctx) as filter:
        for text in texts:
            with waiting("Understanding the interest"):
                added = filter.add_interest(text, -weight if unwanted else weight)
            screen().print(f"Interest {added.id} ({added.weight:+g}): {added.text}")


@interests.command("remove")
def remove_interest(ctx: typer.Context, number: Id) -> None:
    """Forget an interest."""
    with opened(ctx) as filter:
        filter.remove_interest(number)
        screen().print(f"Interest {number} is forgotten")


@interests.command("edit")
def edit_interest(
    ctx: typer.Context,
    number: Id,
    text: Annotated[str, typer.Argument(metavar='"TEXT"', help="The same in other words.")],
) -> None:
    """Say an interest in other words; what you did is kept and looked at anew."""
    with opened(ctx) as filter:
        with waiting("Understanding the interest"):
            filter.edit_interest(number, text)
        screen().print(f"Interest {number}: {text}")


# Without this setting a weight such as -1 would be taken for an option.
@interests.command("weight", context_settings={"ignore_unknown_options": True})
def weigh_interest(
    ctx: typer.Context,
    number: Id,
    weight: Annotated[float, typer.Argument(help="1 is usual, 2 twice as much, below 0 unwanted.")],
) -> None:
    """Change how much an interest counts."""
    with opened(ctx) as filter:
        filter.weigh_interest(number, weight)
        screen().print(f"Interest {number} counts {weight:+g}")


@rules.callback(invoke_without_command=True)
def rules_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_rules(ctx, as_json)


@rules.command("list")
def list_rules(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Your rules (the same as `attention rules`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found = filter.rules()
    if as_json:
        print_json(documents.rules(found))
    elif found:
        screen().print(tables.rules(found))
    else:
        screen().print("No rules yet; e.g. attention rules add --block --word horoscope")


@rules.command("add")
def add_rule(
    ctx: typer.Context,
    pin: Annotated[bool, typer.Option("--pin", help="Always on top.")] = False,
    block: Annotated[bool, typer.Option("--block", help="Always into the tray.")] = False,
    boost: Annotated[float | None, typer.Option("--boost", metavar="N", help="Add N to the score; may be -N.")] = None,
    word: Annotated[list[str] | None, typer.Option("--word", help="Has this word (repeat: or that one).")] = None,
    pattern: Annotated[str | None, typer.Option("--pattern", help="Matches this regular expression.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Comes from a source so called.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Is by this author.")] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="Is in this language: en, zh, …")] = None,
    older: Annotated[float | None, typer.Option("--older-than", metavar="DAYS", help="Is older than this.")] = None,
    newer: Annotated[float | None, typer.Option("--newer-than", metavar="DAYS", help="Is newer than this.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="Is about this: see attention topics.")] = None,
    sentiment: Annotated[str | None, typer.Option("--sentiment", help="Is negative, neutral or positive.")] = None,
) -> None:
    """Add a rule: one of --pin, --block, --boost N, and conditions that must all hold."""
    from attention_filter.types import Rule, RuleAction

    if pin + block + (boost is not None) != 1:
        raise UsageError("a rule does one thing; give one of --pin, --block and --boost N")
    action = RuleAction.PIN if pin else RuleAction.BLOCK if block else RuleAction.BOOST
    wanted = Rule(
        0, action, tuple(word or ()), pattern, source, author, lang, older, newer, boost or 0.0, topic, sentiment
    )
    with opened(ctx) as filter:
        added = filter.add_rule(wanted)
        screen().print(f"Rule {added.id}: {added}")


@rules.command("remove")
def remove_rule(ctx: typer.Context, number: Id) -> None:
    """Forget a rule."""
    with opened(ctx) as filter:
        filter.remove_rule(number)
        screen().print(f"Rule {number} is forgotten")


@profile.callback(invoke_without_command=True)
def profile_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        show_profile(ctx, as_json)


@profile.command("show")
def show_profile(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What was learned: your interests with the words of your history (the same as `attention profile`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found = filter.profile()
    if as_json:
        print_json(documents.profile(found))
    else:
        screen().print(tables.profile(found))


@profile.command("export")
def export_profile(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there instead of stdout.")] = None,
) -> None:
    """Print interests, rules, quotas, concepts and feedback as JSON, to be carried to another machine."""
    with opened(ctx) as filter:
        text = filter.export_profile()
    if out is None:
        print(text)
    else:
        write(out, text + "\n")
        aside().print(f"Wrote {out}")


@profile.command("import")
def import_profile(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="An exported profile.")]
) -> None:
    """Add an exported profile to yours."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or 'not a text file'}") from error
    with opened(ctx) as filter:
        with waiting("Understanding the interests"):
            done = filter.import_profile(text)
        screen().print(f"{done.interests} interests, {done.rules} new rules, {done.feedback} acts")
        if done.missing:
            aside().print(f"{done.missing} acts are on items that are not here; fetch their sources and import again")


@profile.command("age-limit")
def age_limit(ctx: typer.Context, days: Annotated[str, typer.Argument(metavar="DAYS|off")]) -> None:
    """Hide items older than this from stream and tray; nothing is deleted, saved items stay. "off" lifts it."""
    with opened(ctx) as filter:
        try:
            limit = None if days == "off" else float(days)
        except ValueError as error:
            raise UsageError(f'{days!r}: give a number of days, or "off"') from error
        filter.set_age_limit(limit)
        screen().print("No age limit" if limit is None else f"Items older than {limit:g} days are hidden")


@profile.command("delete")
def delete_profile(ctx: typer.Context, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Forget you: what you follow, did and said, and all that was learned. This cannot be undone."""
    reader = session(ctx).reader
    with opened(ctx) as filter:
        if not yes and not aside().is_terminal:
            raise UsageError("deleting a profile cannot be undone; attention backup FILE first, then say --yes")
        if not yes and not typer.confirm(f"Forget all about reader {reader!r}? This cannot be undone.", err=True):
            raise UsageError("nothing was deleted")
        filter.delete_profile()
        screen().print(f"All about reader {reader!r} is forgotten")
