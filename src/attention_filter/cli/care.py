"""Looking after it: backup, restore, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, opened, print_json, screen, url_of, waiting

PANEL = "Look after"
VITAL = ("database", "disk", "model")  # a failing source is everyday life, these are not


def backup(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")]
) -> None:
    """Copy the database, also while it is in use."""
    with opened(ctx) as filter:
        filter.store.backup(file)
        screen().print(f"Wrote {file}")


def restore(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="What attention backup wrote.")]
) -> None:
    """Put a backup in the database's place; the old one is kept."""
    from attention_filter.store.store import restore as put_back

    kept = put_back(url_of(ctx), file)
    screen().print(f"Restored {file}" + (f"; the database before it is {kept}" if kept else ""))


def doctor(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Is everything in order?

    Ends with 1 when the database, the disk or the model is in trouble.
    """
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter, waiting("Looking"):
        checks = filter.doctor()
    if as_json:
        print_json(documents.doctor(checks))
    else:
        screen().print(tables.doctor(checks))
    if any(check.advice and check.name in VITAL for check in checks):
        raise typer.Exit(1)
