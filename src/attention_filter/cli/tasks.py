"""`attention train|evaluate|predict|explain TASK`: the tasks on texts, all in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attention_filter.cli.session import AsJson, aside, print_json, progress, screen, settings, waiting
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.tasks.classify import Classifier, Reasons
    from attention_filter.tasks.examples import Example
    from attention_filter.tasks.sentiment import Sentiment
    from attention_filter.training.augment import Change

    Task = Classifier | Sentiment

PANEL = "Tasks"
Method = Literal["probe", "tuned", "scratch"]
predict_group = typer.Typer(help="Use a trained model: labels for texts.", no_args_is_help=True)
explain_group = typer.Typer(help="Why a trained model says what it says, word by word.", no_args_is_help=True)


Data = Annotated[Path, typer.Option("--data", metavar="FILE", help="JSONL, CSV or TSV with named columns.")]
Model = Annotated[Path, typer.Option("--model", metavar="DIR", help="What `attention train` wrote.")]
TextColumn = Annotated[str, typer.Option("--text", metavar="COLUMN", help="The column with the text.")]
LabelColumn = Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column with the label.")]


Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model goes.")]
Valid = Annotated[Path | None, typer.Option("--valid", metavar="FILE", help="To check on; else a part of --data.")]
Unlabelled = Annotated[
    Path | None, typer.Option("--unlabelled", metavar="FILE", help="probe: more texts of the kind, without labels.")
]
Augment = Annotated[
    str,
    typer.Option("--augment", metavar="A,B,…", help="Each text once more with synonyms, typos, drop, swap (of words)."),
]
How = Annotated[
    Method, typer.Option(help="probe: soon done; tuned: the encoder too, the best; scratch: a small model.")
]
EncoderName = Annotated[
    str, typer.Option("--encoder", metavar="NAME", help="probe, tuned: a model's folder, package or hub name.")
]
Rank = Annotated[int, typer.Option(min=0, help="tuned: by LoRA of this rank; 0 trains the layers themselves.")]
Layers = Annotated[int, typer.Option(min=1, help="tuned: so many of the upper layers.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="At most so many passes over the data.")]
Several = Annotated[bool, typer.Option("--several", help="A text may have several labels, parted by ; or |.")]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", metavar="FILE", help="Trained as `attention plan` found best.")
]
Wandb = Annotated[str, typer.Option("--wandb", metavar="PROJECT", help="Send figures to Weights & Biases.")]
Licence = Annotated[str, typer.Option(help="Of the data; stands in the model's card.")]
Seed = Annotated[int, typer.Option("--seed", help="Of all chance.")]
ModelOrNot = Annotated[Path | None, typer.Option("--model", metavar="DIR", help="What `attention train` wrote.")]
Texts = Annotated[list[str] | None, typer.Argument(metavar="TEXT…")]
FromFile = Annotated[Path | None, typer.Option("--data", metavar="FILE", help="Texts from a file.")]
Scope = Annotated[bool, typer.Option("--scope", help="Say when a text is like nothing that was learned.")]


def train_classify(
    data: Data,
    out: Out,
    valid: Valid = None,
    unlabelled: Unlabelled = None,
    augment: Augment = "",
    text: TextColumn = "text",
    label: LabelColumn = "label",
    method: How = "probe",
    encoder: EncoderName = "",
    several: Several = False,
    rank: Rank = 0,
    layers: Layers = 8,
    rounds: Rounds = None,
    planned: PlanFile = None,
    wandb: Wandb = "",
    licence: Licence = "",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn which label a text has. Interrupted, the same command goes on where it was."""
    from attention_filter.tasks.classify import Classifier
    from attention_filter.tasks.examples import read_examples

    examples = read_examples(data, text=text, label=label, several=several)
    checked = read_examples(valid, text=text, label=label, several=several) if valid else []
    plan = _plan(method, rank, rounds)
    if planned:
        from attention_filter.tasks.search import read_plan

        found = read_plan(planned)
        method, rank, layers, plan = found.method, found.rank, found.layers, found.fit
    model = Classifier(
        method, several=several, encoder=encoder or settings().model, rank=rank, layers=layers, seed=seed
    )
    more, changes = _texts(unlabelled, text), _changes(augment, examples)
    _train(model, examples, checked, more, changes, plan, out, data, wandb, licence, as_json, "classify")


def train_sentiment(
    data: Data,
    out: Out,
    valid: Valid = None,
    unlabelled: Unlabelled = None,
    augment: Augment = "",
    text: TextColumn = "text",
    label: LabelColumn = "label",
    method: How = "probe",
    encoder: EncoderName = "",
    rank: Rank = 0,
    layers: Layers = 8,
    rounds: Rounds = None,
    wandb: Wandb = "",
    licence: Licence = "",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn how texts feel; labels as negative, neutral, positive, or 差评, 好评, or -1, 0, 1."""
    from attention_filter.tasks.examples import read_examples
    from attention_filter.tasks.sentiment import Sentiment

    examples = read_examples(data, text=text, label=label)
    checked = read_examples(valid, text=text, label=label) if valid else []
    model = Sentiment(method, encoder=encoder or settings().model, rank=rank, layers=layers, seed=seed)
    plan = _plan(method, rank, rounds)
    more, changes = _texts(unlabelled, text), _changes(augment, examples)
    _train(model, examples, checked, more, changes, plan, out, data, wandb, licence, as_json, "sentiment")


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


def evaluate_sentiment(
    data: Data,
    model: ModelOrNot = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    as_json: AsJson = False,
) -> None:
    """How often the feeling is right; without --model, that of the sentences which come with the program."""
    from attention_filter.tasks.examples import read_examples

    sentiment = _sentiment(model)
    examples = read_examples(data, text=text, label=label)
    with waiting("Reading the texts"):
        figures = sentiment.evaluate(examples)
    _figures({"examples": len(examples), **figures}, as_json)


@predict_group.command("classify")
def predict_classify(
    texts: Texts = None,
    model: ModelOrNot = None,
    names: Annotated[
        str, typer.Option("--names", metavar="A,B,…", help="No model: tell apart by these names alone.")
    ] = "",
    data: FromFile = None,
    text: TextColumn = "text",
    scope: Scope = False,
    as_json: AsJson = False,
) -> None:
    """The label of each text, with its probability."""
    wanted = _wanted(texts, data, text)
    if (model is None) == (not names):
        raise UsageError("give --model DIR, or --names A,B,… to do without one")
    classifier = _loaded(model) if model else _by_names(names, wanted)
    with waiting("Reading the texts"):
        rows = _predictions(classifier, wanted, scope)
    _show(rows, as_json)


@predict_group.command("sentiment")
def predict_sentiment(
    texts: Texts = None,
    model: ModelOrNot = None,
    entity: Annotated[
        str, typer.Option("--toward", metavar="NAME", help="How the texts feel about this, which they name.")
    ] = "",
    data: FromFile = None,
    text: TextColumn = "text",
    scope: Scope = False,
    as_json: AsJson = False,
) -> None:
    """How each text feels; without --model, by the sentences which come with the program."""
    wanted = _wanted(texts, data, text)
    sentiment = _sentiment(model)
    with waiting("Reading the texts"):
        if entity:
            about = [sentiment.toward(one, entity) for one in wanted]
            rows = [
                {"text": one, "toward": entity, "labels": [found.label], "polarity": found.polarity}
                for one, found in zip(wanted, about, strict=True)
            ]
        else:
            felt = sentiment.polarity(wanted).tolist()
            rows = [
                {**row, "polarity": polarity}
                for row, polarity in zip(_predictions(sentiment, wanted, scope), felt, strict=True)
            ]
    _show(rows, as_json)


Text = Annotated[str, typer.Argument(metavar="TEXT")]
Which = Annotated[str | None, typer.Option("--label", help="Why this label; else the most probable one.")]


@explain_group.command("classify")
def explain_classify(text: Text, model: Model, label: Which = None, as_json: AsJson = False) -> None:
    """Which words spoke for a label; their numbers and the rest sum to its logit."""
    _tell(text, _loaded(model).explain(text, label), as_json)


@explain_group.command("sentiment")
def explain_sentiment(
    text: Text,
    model: ModelOrNot = None,
    entity: Annotated[str, typer.Option("--toward", metavar="NAME", help="About this, which the text names.")] = "",
    label: Which = None,
    as_json: AsJson = False,
) -> None:
    """Which words carry the feeling; their numbers and the rest sum to its logit."""
    if entity and label:
        raise UsageError("give --toward or --label, not both")
    sentiment = _sentiment(model)
    _tell(text, sentiment.toward(text, entity).reasons if entity else sentiment.explain(text, label), as_json)


def _train(
    model: Task,
    examples: list[Example],
    checked: list[Example],
    unlabelled: list[str],
    changes: list[Change],
    plan: Any,
    out: Path,
    data: Path,
    wandb: str,
    licence: str,
    as_json: bool,
    task: str,
) -> None:
    """Train, write, and say how good it is."""
    from attention_filter.models.checkpoint import check_folder
    from attention_filter.training.resume import remove_saved

    check_folder(out)  # before hours are spent
    out = out.absolute()
    unfinished = out.with_name(f"{out.name}.training")
    with _tracked(plan is not None, out, wandb, {"data": str(data), "task": task}) as track, progress() as show:
        model.fit(
            examples, checked, unlabelled=unlabelled, changes=changes, plan=plan,
            folder=unfinished, progress=show, track=track,
        )  # fmt: skip
    model.save(out, licence)
    remove_saved(unfinished)
    _figures({"examples": len(examples), "labels": len(model.labels), **model.metrics}, as_json)
    aside().print(f"The model is in {out}; try: attention predict {task} --model {out} 'some text'")


def _texts(path: Path | None, column: str) -> list[str]:
    from attention_filter.tasks.examples import read_texts

    return [one for one in read_texts(path, text=column) if one.strip()] if path else []


def _changes(augment: str, examples: list[Example]) -> list[Change]:
    from attention_filter.training.augment import changes_named

    names = [name.strip() for name in augment.split(",") if name.strip()]
    return changes_named(names, [one.text for one in examples], Path(settings().wordnet))


def _wanted(texts: list[str] | None, data: Path | None, column: str) -> list[str]:
    """The texts that were named, and those of the file. UsageError without any, DataError for an empty one."""
    from attention_filter.tasks.examples import read_texts

    wanted = [*(texts or []), *(read_texts(data, text=column) if data else [])]
    if not wanted:
        raise UsageError("no text: name some, or give --data FILE")
    return wanted


def _predictions(model: Task, texts: list[str], scope: bool) -> list[dict[str, Any]]:
    labels, chances = model.predict(texts, scope=scope), model.predict_proba(texts)
    return [
        {"text": one, "labels": list(said), "probabilities": dict(zip(model.labels, map(float, row), strict=True))}
        for one, said, row in zip(texts, labels, chances, strict=True)
    ]


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """A table of predictions, or all that is known as JSON."""
    if as_json:
        print_json({"predictions": rows})
        return
    from attention_filter.cli.drawing import one_line
    from attention_filter.cli.tables import plain

    felt = "polarity" in rows[0]
    table = plain("label", "polarity" if felt else "probability", "text")
    for row in rows:
        sure = f"{row['polarity']:+.2f}" if felt else f"{max(row['probabilities'].values()):.0%}"
        table.add_row(", ".join(row["labels"]) or "out of scope", sure, one_line(row["text"], 80))
    screen().print(table)


def _tell(text: str, reasons: Reasons, as_json: bool) -> None:
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


def _loaded(folder: Path) -> Classifier:
    from attention_filter.tasks.classify import Classifier

    with waiting("Loading the model"):
        return Classifier.load(folder)


def _sentiment(folder: Path | None) -> Sentiment:
    from attention_filter.tasks.sentiment import Sentiment

    with waiting("Loading the model"):
        return Sentiment.load(folder) if folder else Sentiment(encoder=settings().model).from_prototypes()


def _by_names(names: str, texts: list[str]) -> Classifier:
    from attention_filter.tasks.classify import Classifier

    with waiting("Loading the language model"):
        return Classifier(encoder=settings().model).from_names([name.strip() for name in names.split(",")], texts)


def _plan(method: Method, rank: int, rounds: int | None) -> Any:
    """The usual plan of a method, with another number of rounds when given; None of a probe."""
    from dataclasses import replace

    if method == "probe":
        return None
    from attention_filter.tasks.classify import usual_plan

    plan = usual_plan(method, rank)
    return replace(plan, rounds=rounds) if rounds else plan


def _tracked(in_steps: bool, out: Path, wandb: str, notes: dict[str, Any]) -> Any:
    """Where the figures of a training go; a probe is not trained step by step."""
    from contextlib import nullcontext

    silent: Callable[[int, dict[str, float]], None] = lambda *_: None  # noqa: E731
    if not in_steps:
        return nullcontext(silent)
    from attention_filter.training.tracking import tracking

    return tracking(out.with_name(f"{out.name}.log"), notes, wandb_project=wandb)


def _figures(figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    for name, value in figures.items():
        screen().print(f"{name.replace('_', ' '):<10} {value if isinstance(value, int) else f'{value:.4f}'}")
