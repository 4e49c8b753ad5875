"""Whether a Chinese hotel review is good or bad: ChnSentiCorp (Tan Songbo; no licence stated, for research).

    python recipes/chinese_reviews.py --data ChnSentiCorp_htl_all.csv --out reviews-model [--method tuned]

`--data` is the file (columns label, 1 or 0, and review), as SophonPlus/ChineseNlpCorpus has it. A tenth of the rows is
kept to measure on.
"""

import csv
from pathlib import Path

from recipe import arguments, kept_back, run

from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment


def main(data: Path, out: Path, method: str, seed: int) -> dict[str, float]:
    with data.open(encoding="utf-8-sig", newline="") as file:
        found = [(row["review"].strip(), row["label"]) for row in csv.DictReader(file)]
    reviews = [Example(text, (label,)) for text, label in dict.fromkeys(found) if text]
    train, held = kept_back(reviews, 0.1, seed)
    return run(Sentiment(method, seed=seed), train, held, out, "not stated, for research (ChnSentiCorp)")


if __name__ == "__main__":
    options = arguments(__doc__)
    main(options.data, options.out, options.method, options.seed)
