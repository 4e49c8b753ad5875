"""How fast one reader's stream is ranked: 10,000 candidates against 500 feedbacks, and how the time grows.

    python benchmarks/rank.py [--data DIR] [--json FILE] [--rounds 7] [--seed 0]

The words are those of DIR's profiles-reuters items (drawn again and again for more candidates), or drawn by Zipf's law
without DIR; the vectors are drawn, since only their shape (384 dimensions) matters for the time. Goals: the attention
terms under 20 ms with cached read-outs, the whole blend under 80 ms after loading.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from attention_filter.personal import ranking
from attention_filter.personal.background import make_background
from attention_filter.personal.features import Counts, stack
from attention_filter.personal.feedback import History
from attention_filter.words import COUNTS, count_terms

DIM, WORDS, VOCABULARY, INTERESTS = 384, 56, 60_000, 3


def word_rows(data: Path | None, rng: np.random.Generator) -> list[np.ndarray]:
    """Term counts of real items, or drawn ones of about the same size."""
    items = data / "profiles-reuters" / "items.jsonl" if data else None
    if items and items.exists():
        with items.open(encoding="utf-8") as lines:
            return [count_terms(one["text"], one["title"]) for one in map(json.loads, lines)]
    terms = np.unique(rng.zipf(1.3, size=(4_000, 3 * WORDS)) % VOCABULARY, axis=1)
    rows = [np.unique(row)[-WORDS:] for row in terms]
    return [np.array([(int(t) * 2654435761 % 2**32, 1) for t in row], COUNTS) for row in rows]


def draw(n: int, words: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, Counts]:
    """n unit vectors and n rows of words."""
    vectors = rng.normal(size=(n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [words[i] for i in rng.integers(0, len(words), n)]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    both = np.concatenate(rows) if rows else np.zeros(0, COUNTS)
    return vectors, Counts(start, both["id"].copy(), both["count"].copy())


def median_ms(job: Callable[[], object], rounds: int) -> float:
    job()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        job()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def measure(words: list[np.ndarray], candidates: int, feedbacks: int, rounds: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    vectors, counts = draw(5_000, words, rng)
    langs = ["en"] * 5_000
    background = make_background("drawn", vectors, counts, langs, rng.integers(0, 40, 5_000))
    rows = background.features(*draw(candidates, words, rng), ["en"] * candidates)
    past = stack([background.features(*draw(n, words, rng), ["en"] * n) for n in (feedbacks, INTERESTS) if n])
    weight = np.where(rng.random(len(past)) < 0.3, -0.25, 1.0).astype(np.float32)
    statement = np.arange(len(past)) >= feedbacks
    weight[statement] = 2.0
    history = History(past, weight, statement, tuple(range(len(past))))
    profile = ranking.make_profile(background, history)
    cached = ranking.read_outs(profile, rows)
    freshness, sources = np.ones(candidates), rng.integers(0, 40, candidates)

    def whole() -> ranking.Scores:
        return ranking.score(profile, rows, freshness=freshness, sources=sources, cached=cached)

    return {
        "candidates": candidates,
        "feedbacks": feedbacks,
        "profile_ms": median_ms(lambda: ranking.make_profile(background, history, profile.scale), rounds),
        "read_outs_ms": median_ms(lambda: ranking.read_outs(profile, rows), rounds),
        "attention_ms": median_ms(lambda: ranking.attention_terms(profile, rows, cached), rounds),
        "blend_ms": median_ms(whole, rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder with profiles-reuters")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    words = word_rows(args.data, np.random.default_rng(args.seed))
    print(f"{torch.get_num_threads()} threads, median of {args.rounds} rounds, seed {args.seed}")
    print("candidates feedbacks  profile ms  read-outs ms  attention ms  blend ms")
    out = []
    for candidates, feedbacks in [
        (10_000, 500),
        (1_000, 500),
        (50_000, 500),
        (10_000, 0),
        (10_000, 50),
        (10_000, 5_000),
    ]:
        row = measure(words, candidates, feedbacks, args.rounds, args.seed)
        out.append(row)
        print(
            f"{candidates:>10} {feedbacks:>9} {row['profile_ms']:>11.1f} {row['read_outs_ms']:>13.1f} "
            f"{row['attention_ms']:>13.1f} {row['blend_ms']:>9.1f}",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
