"""How fast one reader's stream is ranked: 10,000 candidates against 500 feedbacks, and how the time grows.

    python benchmarks/rank.py [--data DIR] [--json FILE] [--rounds 7] [--seed 0]

The words are those of DIR's profiles-reuters items (drawn again and again for more candidates), or drawn by Zipf's law
without DIR; the vectors are drawn, since only their shape (384 dimensions) matters for the time. Goals: the attention
terms under 20 ms with cached read-outs, the whole blend under 80 ms after loading.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from attention_filter.personal import ranking
from attention_filter.personal.background import make_background
from attention_filter.personal.features import Counts, stack
from attention_filter.personal.feedback import History
from attention_filter.personal.updating import with_act
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
    background = replace(background, word_weight=4.0)  # drawn words tell nothing; real ones do, and then taste counts
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

    exact = {term: weight for term, weight in ranking.WEIGHTS.items() if term != "taste"}
    tasteless = ranking.make_profile(background, history, profile.scale, exact)
    return {
        "candidates": candidates,
        "feedbacks": feedbacks,
        "one_act_ms": median_ms(lambda: with_act(profile, rows[[0]], 1.0, -1_000), rounds),
        "one_act_attention_ms": median_ms(lambda: with_act(tasteless, rows[[0]], 1.0, -1_000), rounds),
        "profile_ms": median_ms(lambda: ranking.make_profile(background, history, profile.scale), rounds),
        "read_outs_ms": median_ms(lambda: ranking.read_outs(profile, rows), rounds),
        "attention_ms": median_ms(lambda: ranking.attention_terms(profile, rows, cached), rounds),
        "blend_ms": median_ms(whole, rounds),
    }


_shared: dict[str, object] = {}  # what the processes of `many_readers` have from their parent


def many_readers(words: list[np.ndarray], readers: int, candidates: int, seed: int) -> tuple[float, float]:
    """Seconds to rank all candidates for each of many readers with 50 feedbacks, and the peak MiB of all processes."""
    rng = np.random.default_rng(seed)
    background = make_background("drawn", *draw(5_000, words, rng), ["en"] * 5_000, rng.integers(0, 40, 5_000))
    background = replace(background, word_weight=4.0)
    rows = background.features(*draw(candidates, words, rng), ["en"] * candidates)
    empty = History(rows[:1], np.ones(1, np.float32), np.zeros(1, bool), (0,))
    cached = ranking.read_outs(ranking.make_profile(background, empty), rows)
    del cached["interests"]  # that head is the reader's own
    _shared.update(background=background, rows=rows, cached=cached)
    processes = os.cpu_count() or 1
    start = time.perf_counter()
    with get_context("fork").Pool(processes) as pool:
        best = pool.map(_rank_one, range(readers), chunksize=10)
    took = time.perf_counter() - start
    assert len(best) == readers
    usage = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return took, usage[0] + processes * usage[1]


def _rank_one(seed: int) -> int:
    background, rows, cached = _shared["background"], _shared["rows"], _shared["cached"]
    rng = np.random.default_rng(seed)
    past = rng.permutation(len(rows))[:50]
    weight = np.where(rng.random(50) < 0.3, -0.25, 1.0).astype(np.float32)
    history = History(rows[past], weight, np.zeros(50, bool), tuple(past.tolist()))
    profile = ranking.make_profile(background, history)
    interests = np.ones((len(rows), 1), np.float32)  # one prototype that looks everywhere
    return int(ranking.score(profile, rows, cached=cached | {"interests": interests}).total.argmax())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder with profiles-reuters")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", type=int, default=1_000)
    args = parser.parse_args()
    words = word_rows(args.data, np.random.default_rng(args.seed))
    print(f"{torch.get_num_threads()} threads, median of {args.rounds} rounds, seed {args.seed}")
    print("candidates feedbacks  one act ms (attention)  profile ms  read-outs ms  attention ms  blend ms")
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
            f"{candidates:>10} {feedbacks:>9} {row['one_act_ms']:>11.1f} {row['one_act_attention_ms']:>11.2f} "
            f"{row['profile_ms']:>11.1f} {row['read_outs_ms']:>13.1f} "
            f"{row['attention_ms']:>13.1f} {row['blend_ms']:>9.1f}",
            flush=True,
        )
    for what, few, many in (("candidates", 1, 2), ("feedback", 4, 5)):
        for part in ("attention_ms", "blend_ms"):
            growth = np.log(out[many][part] / out[0 if few == 1 else few][part])
            times = 5 if what == "candidates" else 100
            print(f"{part} grows with {what} as n^{growth / np.log(times):.2f}")
    seconds, mib = many_readers(words, args.readers, 10_000, args.seed)
    print(f"{args.readers} readers with 50 feedbacks x 10,000 items: {seconds:.1f} s, at most {mib:.0f} MiB in all")
    if args.json:
        args.json.write_text(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
