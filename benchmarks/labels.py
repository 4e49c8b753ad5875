"""How often are the topic and the tone right that the filter shows beside every item, and what does telling them cost?

    python benchmarks/labels.py --data DIR [--rows 3000] [--seed 0] [--json FILE]

Topics: titles of MIND, THUCNews and TNEWS whose category is one of the program's topics (`MEANT`); what has another
category is left out, so "shown" is of the rest. Tone: SST-2 dev, Financial PhraseBank and Chinese hotel reviews as
`benchmarks/tasks.py` splits them; where a set has no neutral, a neutral answer counts as wrong among what is shown, and
accuracy is by the sign of the polarity. Nothing was learned from these sets; the temperature of the topics was fitted
on the three of them together. Cost: processor time of telling both, beside that of encoding the same titles.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import tasks as sets

from attention_filter.models.encoder import Encoder, load_encoder
from attention_filter.tasks import heads, topics
from attention_filter.tasks.heads import SURE, Head

Rows = list[tuple[str, str]]
MEANT = {
    "mind": {
        "sports": "sports", "finance": "business", "foodanddrink": "food", "travel": "travel", "weather": "environment",
        "health": "health", "autos": "cars", "tv": "entertainment", "music": "entertainment",
        "movies": "entertainment", "entertainment": "entertainment", "lifestyle": "style",
    },
    "thucnews": {
        "finance": "business", "realty": "housing", "stocks": "business", "education": "education",
        "science": "technology", "society": "crime", "politics": "politics", "sports": "sports", "game": "games",
        "entertainment": "entertainment",
    },
    "tnews": {
        "culture": "culture", "entertainment": "entertainment", "sports": "sports", "finance": "business",
        "house": "housing", "car": "cars", "edu": "education", "tech": "technology", "military": "military",
        "travel": "travel", "world": "politics", "stock": "business", "game": "games",
    },
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=3000, help="of a set, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    encoder = load_encoder()
    about, felt = head_of(encoder, topics.usual_pairs()), head_of(encoder, heads.feeling_pairs())
    print("| set | texts | accuracy | shown | right of what is shown | encoding, ms | telling, ms |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name, found in read(options.data, options.rows, options.seed).items():
        row = {"set": name, **measure(encoder, about if name in MEANT else felt, found, name in MEANT)}
        rows.append(row)
        shown = [f"{row[key]:.1%}" for key in ("accuracy", "shown", "right")]
        print(
            f"| {name} | {row['texts']} | {' | '.join(shown)} | {row['encode_ms']:.2f} | {row['tell_ms']:.4f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, "rows": rows}, indent=1), "utf-8")


def read(data: Path, most: int, seed: int) -> dict[str, Rows]:
    """(text, label) of each set; topics by the program's names."""
    news = [line.split("\t") for line in sets.lines(data / "mind_small_train_5k/news.tsv")]
    names = sets.lines(data / "thucnews_titles/class.txt")
    titles = [line.split("\t") for line in sets.lines(data / "thucnews_titles/dev.txt")]
    tnews = sets.tnews(data, seed)
    found = {
        "mind": [(row[3], row[1]) for row in news],
        "thucnews": [(title, names[int(label)]) for title, label in titles],
        "tnews": [(one.text, one.labels[0]) for one in (*tnews.valid, *tnews.train)],
    }
    known = {
        name: [(text, MEANT[name][label]) for text, label in some if label in MEANT[name]]
        for name, some in found.items()
    }
    for name in sets.SENTIMENT:
        known[name] = [(one.text, one.labels[0]) for one in sets.SETS[name](data, seed).valid]
    draw = random.Random(seed)
    return {name: draw.sample(some, min(most, len(some))) for name, some in known.items()}


def head_of(encoder: Encoder, pairs: list[tuple[str, str]]) -> Head:
    found = heads.shipped(heads.digest(pairs), encoder.id)
    assert found is not None, "python -m attention_filter.tasks.heads was not run after the last change"
    return found


def measure(encoder: Encoder, head: Head, rows: Rows, is_topic: bool) -> dict[str, Any]:
    """Over all texts, and over those whose label is sure enough to be shown; milliseconds of processor time a text."""
    began = time.process_time()
    vectors = encoder.encode([text for text, _ in rows]).astype(np.float16).astype(np.float32)  # as they are stored
    encoded = time.process_time()
    chances = head.probabilities(vectors)
    told = time.process_time()
    said, wanted = np.array(head.labels)[chances.argmax(1)], np.array([label for _, label in rows])
    right, sure = said == wanted, chances.max(1) >= SURE
    accuracy = right.mean()
    if not is_topic and "neutral" not in wanted:
        polarity = chances[:, head.labels.index("positive")] - chances[:, head.labels.index("negative")]
        accuracy = ((polarity > 0) == (wanted == "positive")).mean()
    return {
        "texts": len(rows),
        "accuracy": float(accuracy),
        "shown": float(sure.mean()),
        "right": float(right[sure].mean()),
        "encode_ms": 1000 * (encoded - began) / len(rows),
        "tell_ms": 1000 * (told - encoded) / len(rows),
    }


if __name__ == "__main__":
    main()
