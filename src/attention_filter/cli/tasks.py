"""`attention train|evaluate|predict|explain TASK`: the tasks on texts, all in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attention_filter.cli.session import AsJson, aside, print_json, progress, screen, settings, waiting
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.tasks.classify import Classifier

PANEL = "Tasks"
Method = Literal["probe", "tuned", "scratch"]
predict_group = typer.Typer(help="Use a trained model: labels for texts.", no_args_is_help=True)
explain_group = typer.Typer(help="Why a trained model says what it says, word by word.", no_args_is_help=True)


Data = Annotated[Path, typer.Option("--data", metavar="FILE", help="JSONL, CSV or TSV with named columns.")]
Model = Annotated[Path, typer.Option("--model", metavar="DIR", help="What `attention train` wrote.")]
TextColumn = Annotated[str, typer.Option("--text", metavar="COLUMN", help="The column with the text.")]
LabelColumn = Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column with the label.")]


def train_classify(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.")],
    valid: Annotated[
        Path | None, typer.Option("--valid", metavar="FILE", help="To check on; else a tenth of --data.")
    ] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    method: Annotated[
        Method, typer.Option(help="probe: seconds; tuned: the encoder too, the best; scratch: a small model.")
    ] = "probe",
    several: Annotated[
        bool, typer.Option("--several", help="A text may have several labels, parted by ; or |.")
    ] = False,
    rank: Annotated[int, typer.Option(min=0, help="tuned: by LoRA of this rank; 0 trains the layers themselves.")] = 0,
    layers: Annotated[int, typer.Option(min=1, max=12, help="tuned: so many of the upper layers.")] = 12,
    rounds: Annotated[int | None, typer.Option(min=1, help="At most so many passes over the data.")] = None,
    wandb: Annotated[str, typer.Option("--wandb", metavar="PROJECT", help="Send figures to Weights & Biases.")] = "",
    licence: Annotated[str, typer.Option(help="Of the data; stands in the model's card.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of all chance.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Learn which label a text has. Interrupted, the same command goes on where it was."""
    from attention_filter.tasks.classify import Classifier
    from attention_filter.tasks.examples import read_examples

    examples = read_examples(data, text=text, label=label, several=several)
    checked = read_examples(valid, text=text, label=label, several=several) if valid else []
    model = Classifier(
        method, several=several, encoder=settings().model, rank=rank, layers=layers, seed=seed
    )  # fmt: skip
    with (
        _tracked(method, out, wandb, {"data": str(data), "method": method, "seed": seed}) as track,
        progress() as show,
    ):
        model.fit(
            examples, checked, plan=_plan(method, rank, rounds), folder=out.with_name(f"{out.name}.training"),
            progress=show, track=track,
        )  # fmt: skip
    model.save(out, licence)
    figures = {"examples": len(examples), "labels": len(model.labels), **model.metrics}
    _figures(figures, as_json)
    aside().print(f"The model is in {out}; try: attention predict classify --model {out} 'some text'")


def evaluate_classify(
    model: Model, data: Data, text: TextColumn = "text", label: LabelColumn = "label", as_json: AsJson = False
) -> None:
    """How often a trained classifier is right, and whether its probabilities are."""
    from attention_filter.tasks.examples import read_examples

    classifier = _loaded(model)
    examples = read_examples(data, text=text, label=label, several=classifier.several)
    with waiting("Reading the texts"):
        figures = classifier.evaluate(examples)
    _figures({"examples": len(examples), **figures}, as_json)


def predict_classify(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT…")] = None,
    model: Annotated[Path | None, typer.Option("--model", metavar="DIR", help="What `attention train` wrote.")] = None,
    names: Annotated[
        str, typer.Option("--names", metavar="A,B,…", help="No model: tell apart by these names alone.")
    ] = "",
    data: Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Texts from a file.")] = None,
    text: TextColumn = "text",
    scope: Annotated[bool, typer.Option("--scope", help="Say when a text is like nothing that was learned.")] = False,
    as_json: AsJson = False,
) -> None:
    """The label of each text, with its probability."""
    from attention_filter.tasks.examples import read_texts

    wanted = [*(texts or []), *(read_texts(data, text=text) if data else [])]
    if not wanted:
        raise UsageError("no text: name some, or give --data FILE")
    if (model is None) == (not names):
        raise UsageError("give --model DIR, or --names A,B,… to do without one")
    classifier = _loaded(model) if model else _by_names(names, wanted)
    with waiting("Reading the texts"):
        labels, chances = classifier.predict(wanted, scope=scope), classifier.predict_proba(wanted)
    rows: list[dict[str, Any]] = [
        {"text": one, "labels": list(said), "probabilities": dict(zip(classifier.labels, map(float, row), strict=True))}
        for one, said, row in zip(wanted, labels, chances, strict=True)
    ]
    if as_json:
        print_json({"predictions": rows})
        return
    from attention_filter.cli.drawing import one_line
    from attention_filter.cli.tables import plain

    table = plain("label", "probability", "text")
    for row in rows:
        best = max(row["probabilities"].values())
        table.add_row(", ".join(row["labels"]) or "out of scope", f"{best:.0%}", one_line(row["text"], 80))
    screen().print(table)


def explain_classify(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    model: Model,
    label: Annotated[str | None, typer.Option("--label", help="Why this label; else the most probable one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Which words spoke for a label; their numbers and the rest sum to its logit."""
    reasons = _loaded(model).explain(text, label)
    if as_json:
        words = [
            {"word": text[w.start : w.end], "start": w.start, "end": w.end, "value": w.value} for w in reasons.words
        ]
        print_json({"label": reasons.label, "logit": reasons.logit, "rest": reasons.rest, "words": words})
        return
    from attention_filter.cli.drawing import highlighted, signed
    from attention_filter.cli.pages import in_colour

    screen().print(highlighted(text, [(w.start, w.end, w.value) for w in reasons.words], in_colour(screen())))
    carried = sum(word.value for word in reasons.words)
    screen().print(f"{reasons.label}: {signed(reasons.logit)} = words {signed(carried)} + rest {signed(reasons.rest)}")


predict_group.command("classify")(predict_classify)
explain_group.command("classify")(explain_classify)


def _loaded(folder: Path) -> Classifier:
    from attention_filter.tasks.classify import Classifier

    with waiting("Loading the model"):
        return Classifier.load(folder)


def _by_names(names: str, texts: list[str]) -> Classifier:
    from attention_filter.tasks.classify import Classifier

    with waiting("Loading the language model"):
        return Classifier(encoder=settings().model).from_names([name.strip() for name in names.split(",")], texts)


def _plan(method: Method, rank: int, rounds: int | None) -> Any:
    """The usual plan of a method with another number of rounds; None leaves it as it is."""
    from dataclasses import replace

    from attention_filter.tasks.classify import usual_plan

    return replace(usual_plan(method, rank), rounds=rounds) if rounds and method != "probe" else None


def _tracked(method: Method, out: Path, wandb: str, plan: dict[str, Any]) -> Any:
    """Where the figures of a training go; a probe is not trained step by step."""
    from contextlib import nullcontext

    silent: Callable[[int, dict[str, float]], None] = lambda *_: None  # noqa: E731
    if method == "probe":
        return nullcontext(silent)
    from attention_filter.training.tracking import tracking

    return tracking(out.with_name(f"{out.name}.log"), plan, wandb_project=wandb)


def _figures(figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        screen().print(f"{name.replace('_', ' '):<10} {value if isinstance(value, int) else f'{value:.4f}'}")
