"""`attention train`: learn from a log of many readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import AsJson, aside, print_json, progress, screen, settings, waiting

if TYPE_CHECKING:
    from attention_filter.training.ranking import Report

group = typer.Typer(help="Learn: a task from labels, the ranking from a log of readers.", no_args_is_help=True)


@group.callback()
def train() -> None:
    """Learn: a task from labels, the ranking from a log of readers."""


@group.command("ranking")
def ranking(
    items: Annotated[Path, typer.Option("--items", metavar="FILE", help="MIND's news.tsv.")],
    log: Annotated[Path, typer.Option("--train", metavar="FILE", help="behaviors.tsv to learn from.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.")],
    valid: Annotated[
        Path | None, typer.Option("--valid", metavar="FILE", help="behaviors.tsv that says when to stop.")
    ] = None,
    share: Annotated[
        float, typer.Option("--valid-share", min=0.01, max=0.9, help="Else: this part of --train, the latest.")
    ] = 0.2,
    rounds: Annotated[int, typer.Option("--rounds", min=0, max=100, help="At most so many.")] = 6,
    seed: Annotated[int, typer.Option("--seed", help="Of all chance.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train attention over many readers. Interrupted, the same command goes on where it was.

    Then: attention evaluate ranking --format mind … --model DIR
    """
    from attention_filter.models.encoder import load_encoder
    from attention_filter.training.ranking import Plan, train_ranking

    with waiting("Loading the language model"):
        encoder = load_encoder(settings().model)
    with progress() as show:
        report = train_ranking(
            items, log, encoder, out,
            valid=valid, valid_share=share, plan=Plan(rounds=rounds, seed=seed), progress=show,
        )  # fmt: skip
    if as_json:
        print_json(report.as_json())
    else:
        _draw(report)
    aside().print(f"The model is in {out}")


def _draw(report: Report) -> None:
    """The rounds, then what each term is worth."""
    from attention_filter.cli.tables import plain

    counts = report.impressions
    screen().print(f"{counts['train']:,} impressions to learn from, {counts['valid']:,} to validate")
    table = plain("round", "loss", "auc", "ndcg@10", "")
    for row in report.rounds:
        number, loss = int(row["round"]), row.get("loss")
        kept = "kept" if number == report.best else ""
        figures = f"{row['auc']:.4f}", f"{row['ndcg@10']:.4f}"
        table.add_row(str(number), "–" if loss is None else f"{loss:.4f}", *figures, kept)
    screen().print(table)
    content = report.content_only
    screen().print(f"By content alone: auc {content['auc']:.4f}, ndcg@10 {content['ndcg@10']:.4f}")
    terms = plain("term", "weight", "auc without it", "ndcg@10 without it")
    for name, row in report.terms.items():
        terms.add_row(name, f"{row['weight']:+.3f}", *(f"{row[f'{m} without it']:.4f}" for m in ("auc", "ndcg@10")))
    screen().print(terms)
