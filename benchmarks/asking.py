"""How many votes does a new reader save when the filter chooses what to ask? Learning curves of simulated readers.

    python benchmarks/asking.py --data DIR [--sets profiles-reuters] [--seeds 2] [--readers N] [--json FILE]

A reader of `DIR/profiles-reuters` answers truthfully about the items with known relevance. Half of the reader's
candidates, drawn by the seed, are the test; the other half, with the dislikes of the reader's largest situation and
as many of its likes as keep the candidates' share of wanted items, is the pool that questions are chosen from, five
at a time. Every answer goes into the history as a like or a dislike and the profile is made anew, as the product
does. With statements the reader has said what they want; without, the first question comes before anything is known.
Four ways of choosing, all on the same ranking: `asking` (ours, personal/asking.py), `random`, `uncertain` (the item
whose chance of being wanted is nearest to one half, under the same posterior) and `top` (the best scores first).
Shown are means over readers and seeds with the standard error over readers, and by how much `asking` is better than
each, paired over readers. "Votes for random's 20" is where a curve first reaches what random has after 20 votes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention_filter.encodings import encode_cached
from attention_filter.logs import ProfileSet, Situation, read_profiles
from attention_filter.models.encoder import Encoder, load_encoder
from attention_filter.models.passages import passage
from attention_filter.personal.asking import questions
from attention_filter.personal.background import Background, make_background
from attention_filter.personal.evaluate import auc, ndcg
from attention_filter.personal.features import Counts, Features, stack, take
from attention_filter.personal.feedback import STATEMENT, History, act_weight
from attention_filter.personal.posterior import Gaussian, believe, chances, rows_of
from attention_filter.personal.ranking import Profile, make_profile, score
from attention_filter.settings import cache_folder
from attention_filter.types import Sign
from attention_filter.words import count_terms

AT_ONCE = 5
VOTES = tuple(range(0, 45, AT_ONCE))
SHOWN = (5, 10, 20, 40)
LIKE, DISLIKE = act_weight(Sign.LIKE), act_weight(Sign.DISLIKE)
COUNTED = 4_000  # characters of a text whose words are counted
MEASURES = ("auc", "ndcg@10")


@dataclass(frozen=True)
class Pool:
    """What a way of choosing may see: the profile so far, what it leaves open, and the items left (n)."""

    profile: Profile
    known: Gaussian
    rows: np.ndarray
    features: Features
    scores: np.ndarray


Choice = Callable[[Pool, np.random.Generator], np.ndarray]  # rows of AT_ONCE items


def ours(pool: Pool, rng: np.random.Generator) -> np.ndarray:
    return np.array([one.row for one in questions(pool.known, pool.rows, pool.features, AT_ONCE)], np.int64)


def at_random(pool: Pool, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(len(pool.rows))[:AT_ONCE]


def uncertain(pool: Pool, rng: np.random.Generator) -> np.ndarray:
    return np.lexsort((rng.random(len(pool.rows)), np.abs(chances(pool.known, pool.rows) - 0.5)))[:AT_ONCE]


def top(pool: Pool, rng: np.random.Generator) -> np.ndarray:
    return np.lexsort((rng.random(len(pool.rows)), -pool.scores))[:AT_ONCE]


CHOICES: Mapping[str, Choice] = {"asking": ours, "random": at_random, "uncertain": uncertain, "top": top}


@dataclass(frozen=True)
class World:
    """A set of readers, ready to rank."""

    data: ProfileSet
    background: Background
    items: Features
    said: Features
    stated: Mapping[str, int]


def world(folder: Path, encoder: Encoder) -> World:
    """Read and encode the set; the background is learned from items that are nobody's candidates."""
    data = read_profiles(folder)
    vectors = encode_cached(
        encoder, [passage(i.title, i.text) for i in data.items], cache_folder() / "encodings", progress
    )
    counts = counts_of([count_terms(item.text[:COUNTED], item.title) for item in data.items])
    langs = [item.lang for item in data.items]
    shown = np.unique(np.concatenate([s.candidates for s in data.situations]))
    free = np.setdiff1d(np.arange(len(data.items)), shown)
    background = make_background(
        encoder.id, vectors[free], take(counts, free), [langs[i] for i in free], np.zeros(len(free), np.int64)
    )
    texts = list(dict.fromkeys(text for s in data.situations for text in s.interests))
    said = background.features(
        encode_cached(encoder, texts, cache_folder() / "encodings"),
        counts_of([count_terms(text) for text in texts]),
        [langs[0]] * len(texts),
    )
    items = background.features(vectors, counts, langs)
    return World(data, background, items, said, {text: row for row, text in enumerate(texts)})


def counts_of(rows: list[np.ndarray]) -> Counts:
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    together = np.concatenate(rows)
    return Counts(start, together["id"].copy(), together["count"].copy())


def split(one: Situation, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(pool, its labels, test, its labels), item rows."""
    order = rng.permutation(len(one.candidates))
    asked, tested = order[::2], order[1::2]
    share = one.labels.mean()
    likes = rng.permutation(one.likes)[: round(len(one.dislikes) * share / (1 - share))]
    pool = np.concatenate([one.candidates[asked], one.dislikes, likes]).astype(np.int64)
    labels = np.concatenate([one.labels[asked], np.zeros(len(one.dislikes), bool), np.ones(len(likes), bool)])
    return pool, labels, one.candidates[tested].astype(np.int64), one.labels[tested]


def curve(here: World, one: Situation, said: Features, choose: Choice, seed: tuple[int, int]) -> np.ndarray:
    """AUC and nDCG@10 on the test half after each of VOTES, and the likes among the votes: (len(VOTES), 3)."""
    pool, labels, test, wanted = split(one, np.random.default_rng(seed))
    rng = np.random.default_rng((*seed, 1))
    left, votes, answers = np.arange(len(pool)), np.zeros(0, np.int64), np.zeros(0, bool)
    out = []
    for count in VOTES:
        history = History(
            stack([here.items[votes], said]),
            np.concatenate([np.where(answers, LIKE, DISLIKE), np.full(len(said), STATEMENT)]).astype(np.float32),
            np.repeat([False, True], [len(votes), len(said)]),
            (*votes.tolist(), *range(-1, -1 - len(said), -1)),
        )
        profile = make_profile(here.background, history)
        total = score(profile, here.items[test]).total
        out.append((auc(wanted, total), ndcg(wanted, total, 10), answers.sum()))
        if count < VOTES[-1]:
            rest = here.items[pool[left]]
            scores = score(profile, rest)
            chosen = choose(Pool(profile, believe(profile), rows_of(profile, rest, scores), rest, scores.total), rng)
            votes = np.concatenate([votes, pool[left[chosen]]])
            answers = np.concatenate([answers, labels[left[chosen]]])
            left = np.delete(left, chosen)
    return np.array(out, np.float64)


def simulate(here: World, stated: bool, seeds: int, most: int) -> dict[str, np.ndarray]:
    """{choice: (readers, len(VOTES), 3)}, each reader's mean over the seeds."""
    largest: dict[str, Situation] = {}
    for one in sorted(here.data.situations, key=lambda s: (s.with_statements, s.k)):
        largest[one.reader] = one
    chosen = [largest[name] for name in sorted(largest)][:: max(len(largest) // most, 1)][:most]
    out: dict[str, list[np.ndarray]] = {name: [] for name in CHOICES}
    for number, one in enumerate(chosen):
        asked = [here.stated[text] for text in one.interests] if stated else []
        for name, choose in CHOICES.items():
            curves = [curve(here, one, here.said[asked], choose, (seed, number)) for seed in range(seeds)]
            out[name].append(np.nanmean(curves, 0))
        progress(f"asking {len(VOTES) - 1} rounds", number + 1, len(chosen))
    return {name: np.array(curves) for name, curves in out.items()}


def votes_for(goal: float, curve_: np.ndarray) -> float:
    """Where a curve over VOTES first reaches the goal, between two votes by a straight line; inf when never."""
    above = np.flatnonzero(curve_ >= goal)
    if not len(above):
        return float("inf")
    first = above[0]
    if first == 0:
        return 0.0
    low, high = curve_[first - 1], curve_[first]
    return float(VOTES[first - 1] + AT_ONCE * (goal - low) / (high - low))


def report(curves: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Means, standard errors, differences and votes needed, as plain data."""
    at = [VOTES.index(count) for count in SHOWN]
    out: dict[str, object] = {}
    for name, values in curves.items():
        mean, error = values.mean(0), values.std(0, ddof=1) / len(values) ** 0.5
        entry: dict[str, object] = {"likes found": dict(zip(SHOWN, mean[at, 2].tolist(), strict=True))}
        for column, measure in enumerate(MEASURES):
            behind = (curves["asking"] - values)[:, 1:, column].mean(1)  # over all votes, a number a reader
            entry[measure] = {
                "mean": dict(zip(SHOWN, mean[at, column].tolist(), strict=True)),
                "error": dict(zip(SHOWN, error[at, column].tolist(), strict=True)),
                "votes for random's 20": votes_for(curves["random"].mean(0)[at[2], column], mean[:, column]),
                "asking is better by": [float(behind.mean()), float(behind.std(ddof=1) / len(behind) ** 0.5)],
            }
        out[name] = entry
    return out


def show(title: str, found: Mapping[str, object]) -> None:
    print(f"\n### {title}\n")
    votes = "".join(f" {count} votes |" for count in SHOWN)
    print(f"| measure | choice |{votes} votes for random's 20 | asking better by |")
    print("|---|---|" + "---|" * (len(SHOWN) + 2))
    for measure in MEASURES:
        for name, entry in found.items():
            one = entry[measure]  # type: ignore[index]
            cells = "".join(f" {one['mean'][count]:.3f} ± {one['error'][count]:.3f} |" for count in SHOWN)
            needed = one["votes for random's 20"]
            better, error = one["asking is better by"]
            by = "–" if name == "asking" else f"{better:+.3f} ± {error:.3f}"
            print(f"| {measure} | {name} |{cells} {f'{needed:.0f}' if needed < np.inf else 'more than 40'} | {by} |")
    for name, entry in found.items():
        likes = ", ".join(f"{count}: {value:.1f}" for count, value in entry["likes found"].items())  # type: ignore[index]
        print(f"\nwanted items among the votes of {name}: {likes}" if name == "asking" else f"… of {name}: {likes}")


def progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage} {done:,} of {total:,}  ", end="" if done < total else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["profiles-reuters"], help="folders in DIR, in its format")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--readers", type=int, default=1_000, help="at most so many of each set, evenly taken")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    encoder = load_encoder()
    found: dict[str, object] = {}
    for name in args.sets:
        here = world(args.data / name, encoder)
        for stated, section in ((True, "with statements"), (False, "from nothing")):
            curves = simulate(here, stated, args.seeds, args.readers)
            result = report(curves)
            show(f"{name}, {section}: {len(curves['asking'])} readers × {args.seeds} seeds", result)
            found[f"{name}, {section}"] = result
    if args.json:
        args.json.write_text(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
