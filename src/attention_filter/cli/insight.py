"""How well do I know you? As a person reads it in a terminal."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from attention_filter.cli.drawing import bar
from attention_filter.cli.pages import percent
from attention_filter.cli.tables import plain
from attention_filter.insight import Insight, stage_name, verdict
from attention_filter.personal.evaluate import FILTER
from attention_filter.personal.ranking import LABELS
from attention_filter.personal.replay import GAIN

if TYPE_CHECKING:
    from attention_filter.insight import Trust

SHORT = {FILTER: "filter", "newest first": "newest", "TF-IDF and SVM": "SVM", "mean of likes": "mean"}


def report(one: Insight) -> Group:
    """The verdict first, then what it rests on."""
    parts: list[RenderableType] = [Text("How well do I know you?", "bold"), Text(verdict(one))]
    if not one.enough:
        return Group(*parts)
    parts.append(
        Text(
            f"\n{one.likes} of your {one.liked} likes, saves and reads were predicted, each from what came before it, "
            "among what lay unread then. You could only like what you were shown, which favours the ranking you had.",
            "dim",
        )
    )
    parts += _section("Where what you liked stood", _methods(one))
    parts += _section("What it learns: gain by the number of your acts", _curve(one))
    parts += _section("What each part of the score adds (gain with it, less without)", _terms(one))
    if one.trust is not None:
        parts += _section("Do the percentages hold?", _trust(one.trust))
    parts += _section("The promise, looking back", _promise(one))
    return Group(*parts)


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(f"\n{title}", "bold"), Padding(body, (0, 0, 0, 2))]


def _methods(one: Insight) -> Group:
    table = plain("", "", "gain", "AUC", "MRR", "nDCG@10", "filter better by")
    for column in table.columns[2:]:
        column.justify = "right"
    for method in one.methods:
        better = method.filter_is_better_by
        by = f"{better.mean:+.3f} ± {better.error:.3f}" if better else ""
        figures = [_figure(method.means[measure]) for measure in (GAIN, "auc", "mrr", "ndcg@10")]
        style = "bold" if method.name == FILTER else ""
        table.add_row(Text(method.name, style), Text(bar(method.means[GAIN], 1.0, 10), "green"), *figures, by)
    return Group(
        table, Text("gain: 1 for the first place, .63 for the second, .5 for the third … (1 / log2(1 + place))")
    )


def _curve(one: Insight) -> Table:
    names = [method.name for method in one.methods]
    table = plain("after", "likes", "", *(SHORT.get(name, name) for name in names))
    for column in (table.columns[1], *table.columns[3:]):
        column.justify = "right"
    for stage in one.curve:
        figures = [_figure(stage.gain[name]) for name in names]
        drawn = Text(bar(stage.gain[FILTER], 1.0, 10), "green")
        table.add_row(stage_name(stage), str(stage.likes), drawn, *figures)
    return table


def _terms(one: Insight) -> Table:
    table = Table.grid(padding=(0, 1))
    largest = max((abs(term.adds.mean) for term in one.terms), default=0.0)
    for term in one.terms:
        drawn = Text(bar(term.adds.mean, largest, 10), "green")
        table.add_row(LABELS.get(term.name, term.name), drawn, f"{term.adds.mean:+.3f} ± {term.adds.error:.3f}")
    return table


def _trust(one: Trust) -> Group:
    table = plain("said", "came true", "", "items")
    for column in (table.columns[0], table.columns[1], table.columns[3]):
        column.justify = "right"
    for part in one.bins:
        drawn = Text(bar(part.observed, 1.0, 20), "green")
        table.add_row(percent(part.predicted), percent(part.observed), drawn, str(part.count))
    return Group(
        table,
        Text(
            f"Of {one.judged} items you read {one.read}. Brier score {one.brier:.4f} (always saying the mean: "
            f"{one.brier_of_the_mean:.4f}), calibration error {percent(one.error)}"
        ),
    )


def _promise(one: Insight) -> Text:
    return Text(
        f"{percent(one.kept)} of what you liked lay above your line at that time (promised: {percent(one.promise)}), "
        f"and {percent(one.away)} of everything else below it."
    )


def _figure(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"
