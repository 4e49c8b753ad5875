"""`attention evaluate`: how good the filter is, beside simple baselines, on logs of what people read."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import aside, opened, print_json, progress, screen, settings, waiting, write
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from attention_filter.personal.evaluate import Result, Row, Section

group = typer.Typer(help="How good is it? Measured beside simple baselines.", no_args_is_help=True)
SURE = "ndcg@10"  # the measure whose difference is shown with its error


class Format(StrEnum):
    MIND = "mind"
    PROFILES = "profiles"


@group.callback()
def evaluate() -> None:
    """How good is it? Measured beside simple baselines."""


@group.command("ranking")
def ranking(
    form: Annotated[Format, typer.Option("--format", help="mind: MIND's files; profiles: a folder of profiles.")],
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="Of the profiles.")] = None,
    items: Annotated[Path | None, typer.Option("--items", metavar="FILE", help="MIND's news.tsv.")] = None,
    train: Annotated[Path | None, typer.Option("--train", metavar="FILE", help="behaviors.tsv to learn from.")] = None,
    test: Annotated[Path | None, typer.Option("--test", metavar="FILE", help="behaviors.tsv to rank.")] = None,
    readers: Annotated[
        Path | None, typer.Option("--model", metavar="DIR", help="A ranking made by attention train ranking.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there, too.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all chance.")] = 0,
) -> None:
    """Rank what people were shown, and see how far up stands what they wanted.

    With --format mind: --items, --train and --test, and --model for a trained ranking beside the filter. With
    --format profiles: the folder.
    """
    from attention_filter.evaluation import evaluate_mind, evaluate_profiles
    from attention_filter.models.encoder import load_encoder

    measure: Callable[..., Result]
    if form is Format.MIND:
        if items is None or train is None or test is None or folder is not None:
            raise UsageError("--format mind needs --items news.tsv --train behaviors.tsv --test behaviors.tsv")
        measure = partial(evaluate_mind, items, train, test, readers=readers)
    else:
        if folder is None or items or train or test or readers:
            raise UsageError("--format profiles needs the folder with items.jsonl and readers.jsonl, and nothing else")
        measure = partial(evaluate_profiles, folder)
    with waiting("Loading the language model"):
        encoder = load_encoder(settings().model)
    with progress() as show:
        result = measure(encoder, progress=show, seed=seed)
    with waiting("Drawing again for the errors"):
        shown = _draw(result)
    for part in shown:
        screen().print(part)
    if out is not None:
        write(out, json.dumps(result.as_json(), indent=2) + "\n")
        aside().print(f"Wrote {out}")


@group.command("me")
def me(
    ctx: typer.Context,
    out: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write all figures there.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures.")] = None,
) -> None:
    """How well do I know you? Every like of yours predicted from what came before it, beside simple rankings.

    When a simple ranking did better beyond chance, it orders your stream until the filter is no longer behind.
    """
    from attention_filter import documents
    from attention_filter.cli import insight
    from attention_filter.insight_page import insight_html

    with opened(ctx) as filter, progress() as show:
        found, now = filter.know_me(progress=show), filter.clock()
    if out == "-":
        print_json(documents.insight(found))
    else:
        screen().print(insight.report(found))
    if out not in (None, "-"):
        write(Path(str(out)), json.dumps(documents.insight(found), indent=2, allow_nan=False) + "\n")
        aside().print(f"Wrote {out}")
    if html is not None:
        write(html, insight_html(found, now=now))
        aside().print(f"Wrote {html}")


def _draw(result: Result) -> list[RenderableType]:
    """For each section its table, and for profiles another by the number of likes."""
    rows = result.rows()
    parts: list[RenderableType] = []
    for section in result.sections:
        name = section.name.replace("_", " ")
        parts.append(_overall(name, [row for row in rows if row.section == section.name]))
        if section.name:
            parts.append(_by_likes(name, section))
    parts.append("± is the standard error of the paired difference (bootstrap).")
    return parts


def _overall(name: str, rows: list[Row]) -> RenderableType:
    """Means of each method, and by how much the filter is better."""
    from attention_filter.cli.tables import plain

    measures = list(rows[0].means) if rows else []
    table = plain(name or "method", *measures, f"filter better by ({SURE})")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        better = row.filter_is_better_by
        difference = f"{better[SURE].mean:+.4f} ± {better[SURE].error:.4f}" if better else ""
        table.add_row(row.method, *(_figure(row.means[measure]) for measure in measures), difference)
    return table


def _by_likes(name: str, section: Section) -> RenderableType:
    """The measure by the number of likes that the reader had given."""
    from attention_filter.cli.tables import plain

    likes = sorted({int(k) for k in section.groups})
    table = plain(f"{SURE} by likes, {name}", *map(str, likes))
    for column in table.columns[1:]:
        column.justify = "right"
    for method in section.marks:
        means = section.means(method)
        table.add_row(method, *(_figure(means[k][SURE]) if k in means else "" for k in likes))
    return table


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
