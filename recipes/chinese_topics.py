"""Which of 15 topics a Chinese news title has: TNEWS of FewCLUE (Xu et al. 2021; no licence stated, for research).

    python recipes/chinese_topics.py --data tnews --out topics-model [--method tuned]

`--data` is the folder with train_few_all.json, dev_few_all.json and unlabeled.json (one JSON object a line: sentence,
label_desc), as CLUEbenchmark/FewCLUE has them. A probe sees each title among the unlabelled ones.
"""

import json
from pathlib import Path

from recipe import arguments, run

from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example


def main(data: Path, out: Path, method: str, seed: int) -> dict[str, float]:
    train, held = (titles(data / f"{name}.json") for name in ("train_few_all", "dev_few_all"))
    more = [row["sentence"] for row in rows(data / "unlabeled.json")]
    return run(Classifier(method, seed=seed), train, held, out, "not stated, for research (FewCLUE TNEWS)", more)


def titles(path: Path) -> list[Example]:
    return [Example(row["sentence"], (row["label_desc"].removeprefix("news_"),)) for row in rows(path)]


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    options = arguments(__doc__)
    main(options.data, options.out, options.method, options.seed)
