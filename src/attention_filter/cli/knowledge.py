"""What words mean to a reader: their own graph of concepts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, aside, hint, opened, print_json, screen, waiting
from attention_filter.errors import UsageError

PANEL = "Teach"
group = typer.Typer(help="What words mean to you: other names, narrower and broader concepts, senses of one word.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML, one table a concept; attention knowledge example.")]
Label = Annotated[str | None, typer.Argument(metavar="CONCEPT", help="Only this one: its label or a name of it.")]


@group.callback(invoke_without_command=True)
def default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        show(ctx, None, False, as_json)


@group.command("show")
def show(
    ctx: typer.Context,
    concept: Label = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="Print the file, to be edited and added again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Your concepts, and what of them your interests care about (the same as `attention knowledge`)."""
    from attention_filter import concepts, documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found = filter.knowledge()
        if concept is not None:
            found = concepts.so_called(found, concept)
        text = filter.export_knowledge()
    if as_json:
        print_json(documents.knowledge(found))
    elif as_toml:
        print(text, end="")
    elif found:
        screen().print(tables.knowledge(found))
    else:
        screen().print("No concepts yet; attention knowledge example > mine.toml gives a file to edit and to add")


@group.command("add")
def add(ctx: typer.Context, file: File) -> None:
    """Add the concepts of a file; one that is there already is replaced."""
    text = _read(file)
    with opened(ctx) as filter:
        before = len(filter.knowledge())
        with waiting("Understanding the concepts"):
            doubts = filter.add_knowledge(text, str(file))
        screen().print(f"{len(filter.knowledge())} concepts, {before} before")
    for doubt in doubts:
        aside().print(f"note: {doubt}")


@group.command("check")
def check(file: File) -> None:
    """Look a file through without adding it. An error names the line."""
    from attention_filter.personal import graph

    found = graph.parse(_read(file), str(file))
    for doubt in graph.doubts(found):
        aside().print(f"note: {doubt}")
    screen().print(f"{file}: {len(found)} concepts, all well")


@group.command("example")
def example() -> None:
    """Print a file to start from."""
    from attention_filter.personal.graph import EXAMPLE

    print(EXAMPLE, end="")


@group.command("suggest")
def suggest(
    ctx: typer.Context,
    word: Annotated[str, typer.Argument(metavar='"WORD"', help="An English noun or name.")],
    accept: Annotated[int | None, typer.Option("--accept", metavar="N", help="Add sense N as what you mean.")] = None,
    wordnet: Annotated[Path | None, typer.Option("--wordnet", metavar="DIR", help="Folder of WordNet's files.")] = None,
    mine: Annotated[
        str | None, typer.Option("--mine", metavar='"TEXT"', help="Add what you mean in your words, as none of them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The senses of a word from WordNet, with what lies below each; --accept or --mine adds them."""
    from attention_filter import documents
    from attention_filter.cli import tables
    from attention_filter.sources.wordnet import Sense

    if accept is not None and mine is not None:
        raise UsageError("--accept takes a sense of WordNet, --mine your own; give one of them")
    with opened(ctx) as filter:
        senses = filter.suggest(word, wordnet)
        if mine is not None:
            senses, accept = [*senses, Sense((word,), mine, (), ())], len(senses) + 1
        added: list[str] = []
        if accept is not None:
            with waiting("Understanding the concepts"):
                added = filter.accept_sense(word, senses, accept)
    if as_json:
        print_json(documents.suggested(word, senses, added))
    elif added:
        screen().print(f"Added {added[accept - 1 if accept else 0]} and {len(added) - 1} concepts around it")
    else:
        screen().print(tables.senses(senses))
        hint(f'attention knowledge suggest "{word}" --accept N, or --mine "in your own words", adds what you mean')


@group.command("remove")
def remove(
    ctx: typer.Context,
    concept: Label = None,
    everything: Annotated[bool, typer.Option("--all", help="All concepts.")] = False,
) -> None:
    """Forget a concept, or --all of them."""
    if (concept is None) is not everything:
        raise UsageError("name one concept, or say --all")
    with opened(ctx) as filter:
        gone = filter.remove_knowledge(concept)
        screen().print("1 concept is forgotten" if gone == 1 else f"{gone} concepts are forgotten")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or 'not a text file'}") from error
