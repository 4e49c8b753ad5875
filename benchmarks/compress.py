"""What compression of a tuned classifier wins and costs: size, speed and score of each way, in one run.

    python benchmarks/compress.py --data DIR [--sets smp2019 financial_phrasebank] [--work DIR] [--seed 0] [--json FILE]

A model is tuned on each set (split as in benchmarks/tasks.py; `--work` keeps it), then made smaller in each way.
Nothing is chosen on the rows it is measured on. Speeds are texts a second of one core's processor time, medians of
five runs in turn, beside the tuned model as it is loaded (float32, without padding).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from tasks import SETS, Set

from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.compress import distil, prune, round_to, size, speeds
from attention_filter.tasks.examples import Example

Rows = list[Example]
Make = Callable[[Classifier, Rows, Rows, Path], Classifier]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=["smp2019", "financial_phrasebank"], choices=list(SETS))
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--work", type=Path, default=Path("compress-work"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print("| set | way | MB | texts a second | of float32 | accuracy | lost | seconds |\n" + "|---" * 8 + "|")
    for name in options.sets:
        data = SETS[name](options.data, options.seed)
        teacher = tuned(name, data, options.seed, options.work)
        train, held = teacher.split(data.train)
        texts = [one.text for one in data.valid]
        before = teacher.evaluate(data.valid)["accuracy"]
        for way in ("tuned", *options.ways):
            started = time.perf_counter()
            model = teacher if way == "tuned" else kept(way, teacher, train, held, options.work / f"{name}-{way}")
            seconds = time.perf_counter() - started
            plain, speed = speeds([teacher, model], texts)
            accuracy = model.evaluate(data.valid)["accuracy"]
            row = {"set": name, "way": way, "bytes": size(model), "texts_a_second": speed, "ratio": speed / plain,
                   "accuracy": accuracy, "lost": before - accuracy, "seconds": seconds}  # fmt: skip
            rows.append(row)
            print(
                f"| {name} | {way} | {row['bytes'] / 1e6:.1f} | {speed:.0f} | {speed / plain:.2f} | {accuracy:.1%} "
                f"| {100 * row['lost']:+.1f} points | {seconds:.0f} |",
                flush=True,
            )
            if options.json:
                options.json.write_text(json.dumps({"seed": options.seed, "rows": rows}, indent=1), "utf-8")


def tuned(name: str, data: Set, seed: int, work: Path) -> Classifier:
    done = work / f"{name}-tuned"
    if (done / "model.json").exists():
        return Classifier.load(done)
    model = Classifier("tuned", seed=seed).fit(data.train, folder=work / f"{name}-tuned.training")
    model.save(done)
    return Classifier.load(done)


def kept(way: str, teacher: Classifier, train: Rows, held: Rows, folder: Path) -> Classifier:
    if not (folder / "model.json").exists():
        WAYS[way](teacher, train, held, folder.with_name(f"{folder.name}.training")).save(folder)
    return Classifier.load(folder)


def pruned(keep: float) -> Make:
    return lambda teacher, train, held, folder: prune(teacher, train, held, keep=keep, folder=folder)


def half_and_int8(teacher: Classifier, train: Rows, held: Rows, folder: Path) -> Classifier:
    return round_to(prune(teacher, train, held, keep=0.5, folder=folder), "int8", held)


WAYS: dict[str, Make] = {
    "bfloat16": lambda teacher, _, held, __: round_to(teacher, "bfloat16", held),
    "int8": lambda teacher, _, held, __: round_to(teacher, "int8", held),
    "pruned": pruned(0.5),
    "distilled": lambda teacher, train, held, folder: distil(teacher, train, held, layers=6, folder=folder),
    "pruned-int8": half_and_int8,
}

if __name__ == "__main__":
    main()
