"""`attention compress TASK`: a tuned model made smaller and faster, with what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attention_filter.cli.session import AsJson, aside, print_json, progress, screen, waiting
from attention_filter.cli.tasks import LabelColumn, Model, Out, Rounds, TextColumn
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.tasks.classify import Classifier
    from attention_filter.tasks.examples import Example

How = Literal["int8", "bfloat16", "prune", "distil"]
group = typer.Typer(help="Make a tuned model smaller and faster.", no_args_is_help=True)

HowOption = Annotated[
    How, typer.Option("--how", help="int8, bfloat16: rounded; prune, distil: trained again, smaller.")
]
Data = Annotated[Path | None, typer.Option("--data", metavar="FILE", help="prune, distil: what it was trained on.")]
Valid = Annotated[Path | None, typer.Option("--valid", metavar="FILE", help="To measure on; else a tenth of --data.")]
Keep = Annotated[float, typer.Option("--keep", min=0.05, max=0.95, help="prune: this share of heads and units.")]
Layers = Annotated[int, typer.Option("--layers", min=1, max=12, help="distil: so many layers.")]


@group.command("classify")
def compress_classify(
    model: Model,
    out: Out,
    how: HowOption = "int8",
    data: Data = None,
    valid: Valid = None,
    keep: Keep = 0.5,
    layers: Layers = 6,
    rounds: Rounds = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    as_json: AsJson = False,
) -> None:
    """A classifier made smaller. Size, speed and score before and after; what is made can be compressed again."""
    _compress("classify", model, out, how, data, valid, keep, layers, rounds, text, label, as_json)


@group.command("sentiment")
def compress_sentiment(
    model: Model,
    out: Out,
    how: HowOption = "int8",
    data: Data = None,
    valid: Valid = None,
    keep: Keep = 0.5,
    layers: Layers = 6,
    rounds: Rounds = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    as_json: AsJson = False,
) -> None:
    """A model of feelings made smaller; see `attention compress classify`."""
    _compress("sentiment", model, out, how, data, valid, keep, layers, rounds, text, label, as_json)


def _compress(
    task: Literal["classify", "sentiment"],
    model: Path,
    out: Path,
    how: How,
    data: Path | None,
    valid: Path | None,
    keep: float,
    layers: int,
    rounds: int | None,
    text: str,
    label: str,
    as_json: bool,
) -> None:
    """Compress, write, and say what was won and lost."""
    from attention_filter.models.checkpoint import check_folder, load_about
    from attention_filter.tasks.classify import Classifier
    from attention_filter.training.resume import remove_saved

    check_folder(out)
    licence = load_about(model, task).licence
    with waiting("Loading the model"):
        before = Classifier.load(model, task=task)
    train, held, asked = _rows(task, before, data, valid, text, label, trains=how in ("prune", "distil"))
    after = _made(before, how, train, held, keep, layers, rounds, out)
    after.save(out, licence, task=task)
    remove_saved(out.absolute().with_name(f"{out.name}.training"))
    with waiting("Measuring"):
        report = _report(before, after, asked)
    if as_json:
        print_json(report)
    else:
        _draw(report)
    aside().print(f"The model is in {out}; try: attention predict {task} --model {out} 'some text'")


def _rows(
    task: str, model: Classifier, data: Path | None, valid: Path | None, text: str, label: str, *, trains: bool
) -> tuple[list[Example], list[Example], list[Example]]:
    """What to learn from, what to stop and calibrate by, and what to measure on."""
    from attention_filter.tasks.examples import read_examples
    from attention_filter.tasks.sentiment import feelings

    if data is None and (trains or valid is None):
        other = "" if trains else ", or --valid FILE: others to measure on"
        raise UsageError(f"give --data FILE: the rows that the model was trained on{other}")

    def rows(path: Path | None) -> list[Example]:
        some = read_examples(path, text=text, label=label, several=model.several) if path else []
        return feelings(some) if task == "sentiment" else some

    asked = rows(valid)
    train, held = model.split(rows(data)) if data else ([], asked)
    return train, held, asked or held


def _made(
    model: Classifier,
    how: How,
    train: list[Example],
    held: list[Example],
    keep: float,
    layers: int,
    rounds: int | None,
    out: Path,
) -> Classifier:
    from dataclasses import replace

    from attention_filter.tasks import compress
    from attention_filter.training.tracking import tracking

    if how in ("int8", "bfloat16"):
        with waiting("Rounding the weights"):
            return compress.round_to(model, how, held)
    plan = replace(compress.PLAN, rounds=rounds or compress.PLAN.rounds)
    folder = out.absolute().with_name(f"{out.name}.training")
    with tracking(out.absolute().with_name(f"{out.name}.log"), {"how": how}) as track, progress() as show:
        if how == "prune":
            return compress.prune(model, train, held, keep=keep, plan=plan, folder=folder, progress=show, track=track)
        return compress.distil(model, train, held, layers=layers, plan=plan, folder=folder, progress=show, track=track)


def _report(before: Classifier, after: Classifier, held: list[Example]) -> dict[str, dict[str, float]]:
    """Size in bytes, texts a second of one core, and the figures, of both."""
    from attention_filter.tasks.compress import size, speeds

    fast = speeds([before, after], [one.text for one in held])
    return {
        name: {"bytes": size(model), "texts_a_second": speed, **model.evaluate(held)}
        for name, model, speed in zip(("before", "after"), (before, after), fast, strict=True)
    }


def _draw(report: dict[str, dict[str, float]]) -> None:
    from attention_filter.cli.tables import plain

    table = plain("", "weights", "texts a second", *[name.replace("_", " ") for name in list(report["after"])[2:]])
    for name, (size, speed, *figures) in ((name, row.values()) for name, row in report.items()):
        table.add_row(name, f"{size / 1e6:.1f} MB", f"{speed:.0f}", *(f"{value:.4f}" for value in figures))
    screen().print(table)
    before, after = report["before"], report["after"]
    smaller, faster = before["bytes"] / after["bytes"], after["texts_a_second"] / before["texts_a_second"]
    screen().print(f"{smaller:.1f} times smaller, {faster:.1f} times as fast (one core)")
