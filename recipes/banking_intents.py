"""Which of 77 things a bank's customer wants: BANKING77 (Casanueva et al. 2020, CC BY 4.0), English.

    python recipes/banking_intents.py --data banking77 --out banking-model [--method tuned]

`--data` is the folder with train.csv and, when it is there, test.csv (columns text and category), as
PolyAI-LDN/task-specific-datasets has them. Without test.csv a tenth of the rows is kept to measure on.
"""

from pathlib import Path

from recipe import arguments, kept_back, run

from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import read_examples


def main(data: Path, out: Path, method: str, seed: int) -> dict[str, float]:
    train = read_examples(data / "train.csv", label="category")
    test = data / "test.csv"
    train, held = (train, read_examples(test, label="category")) if test.exists() else kept_back(train, 0.1, seed)
    return run(Classifier(method, seed=seed), train, held, out, licence="CC BY 4.0 (BANKING77)")


if __name__ == "__main__":
    options = arguments(__doc__)
    main(options.data, options.out, options.method, options.seed)
