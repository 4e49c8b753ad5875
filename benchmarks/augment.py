"""Does augmentation help a probe that has few examples? Each way, on several draws, in one run.

    python benchmarks/augment.py --data DIR --wordnet DIR [--sets banking77 tnews] [--each 20] [--draws 3] [--json FILE]

A draw is so many training rows of each label, by its seed; checked are the development rows of benchmarks/tasks.py.
`--wordnet` is the folder of WordNet's files; Chinese data is that of the extra `augment`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from tasks import SETS

from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.training.augment import changes_named

WAYS = ("", "synonyms", "typos", "drop", "swap", "synonyms,typos,drop,swap")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--sets", nargs="*", default=["banking77", "tnews"], choices=list(SETS))
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: dict[str, dict[str, list[float]]] = {}
    print("| set | examples | way | accuracy, mean of the draws | beside none |\n|---|---|---|---|---|")
    for name in options.sets:
        found = rows.setdefault(name, {})
        for way in options.ways:
            found[way] = []
            for seed in range(options.draws):
                data = SETS[name](options.data, 0)
                train = few(data.train, options.each, seed)
                names = [one for one in way.split(",") if one]
                changes = changes_named(names, [one.text for one in train], options.wordnet)
                model = Classifier("probe", seed=seed).fit(train, changes=changes)
                found[way].append(model.evaluate(data.valid)["accuracy"])
            gain = 100 * (np.array(found[way]) - np.array(found[options.ways[0]]))
            error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else float("nan")
            print(
                f"| {name} | {len(train)} | {way or 'none'} | {np.mean(found[way]):.1%} "
                f"| {gain.mean():+.1f} ± {error:.1f} points |",
                flush=True,
            )
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1), "utf-8")


def few(rows: Iterable[Example], each: int, seed: int) -> list[Example]:
    """So many rows of each label, by chance."""
    rows = list(rows)
    taken = dict[tuple[str, ...], list[Example]]()
    for one in random.Random(seed).sample(rows, len(rows)):
        some = taken.setdefault(one.labels, [])
        if len(some) < each:
            some.append(one)
    return [one for some in taken.values() for one in some]


if __name__ == "__main__":
    main()
