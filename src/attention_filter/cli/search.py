"""`attention plan TASK`: search the plan that trains a task best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from attention_filter.cli.session import AsJson, aside, print_json, progress, screen, settings
from attention_filter.cli.tasks import Data, LabelColumn, Rounds, Seed, Several, TextColumn

group = typer.Typer(help="Search how a task is trained best: rate, batch, layers.", no_args_is_help=True)


@group.callback()
def plan() -> None:
    """Search how a task is trained best: rate, batch, layers."""


@group.command("classify")
def plan_classify(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the plan goes.")] = Path("plan.json"),
    method: Annotated[Literal["tuned", "scratch"], typer.Option(help="A probe chooses by itself.")] = "tuned",
    trials: Annotated[int, typer.Option("--trials", min=1, help="So many plans are tried.")] = 20,
    rounds: Rounds = None,
    several: Several = False,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Try plans on a held-out tenth of the rows. Interrupted, or with more --trials, the same command goes on.

    Then: attention train classify --plan FILE …
    """
    from dataclasses import asdict

    from attention_filter.tasks.examples import read_examples
    from attention_filter.tasks.search import search

    examples = read_examples(data, text=text, label=label, several=several)
    with progress() as show:
        found = search(
            examples, method=method, several=several, encoder=settings().model, trials=trials, rounds=rounds,
            seed=seed, journal=out.with_name(f"{out.name}.trials"), progress=show,
        )  # fmt: skip
    found.plan.write(out)
    if as_json:
        print_json(asdict(found))
    else:
        given_up = sum(value is None for value in found.trials)
        screen().print(f"{len(found.trials)} plans tried, {given_up} given up after a round or more")
        screen().print(f"usual plan  {found.usual:.4f}\nbest plan   {found.best:.4f}  (held-out rows)")
        fit, layers = found.plan.fit, f", the upper {found.plan.layers} layers" if method == "tuned" else ""
        screen().print(
            f"rate {fit.rate:.2g}, batches of {fit.tokens_at_once} tokens, decay {fit.decay:.2g}, "
            f"warm-up {fit.warm_up:.2g}, {fit.rounds} rounds at most{layers}"
        )
    columns = "".join(f" --{name} {value}" for name, value in (("text", text), ("label", label)) if value != name)
    more = " --several" if several else ""
    aside().print(f"Train by it: attention train classify --data {data}{columns}{more} --plan {out} --out DIR")
