"""What the recipes share: the arguments, rows kept back, and training, measuring and saving in that order."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment
from attention_filter.training.resume import remove_saved


def arguments(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data set, as it is published")
    parser.add_argument("--out", type=Path, required=True, help="where the model goes")
    parser.add_argument("--method", choices=("probe", "tuned", "scratch"), default="probe")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def kept_back(rows: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Most of the rows, and a share of them drawn by chance."""
    order = random.Random(seed).sample(list(rows), len(rows))
    cut = round(len(rows) * share)
    return order[cut:], order[:cut]


def run(
    model: Classifier | Sentiment,
    train: Sequence[Example],
    held: Sequence[Example],
    out: Path,
    licence: str,
    unlabelled: Sequence[str] = (),
) -> dict[str, float]:
    """Train, save with a card, and measure on rows that had no part in it. A tuning that was stopped goes on."""
    unfinished = out.with_name(f"{out.name}.training")
    model.fit(train, unlabelled=unlabelled, folder=unfinished, progress=_show)
    model.save(out, licence)
    remove_saved(unfinished)
    figures = model.evaluate(held)
    print(f"\n{len(train)} rows to learn from, {len(held)} to measure on")
    for name, value in figures.items():
        print(f"{name:<10} {value:.4f}")
    print(f"The model and its card are in {out}")
    return figures


def _show(what: str, done: int, total: int) -> None:
    print(f"\r{what}: {done} of {total} ", end="", file=sys.stderr, flush=True)
