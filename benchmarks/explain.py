"""Do explanations add up, are they fair, and do they name the words that matter? On profiles of Reuters readers.

    python benchmarks/explain.py --data DIR [--json FILE] [--items 40] [--longest 60] [--seed 0] [--peers DIR]

Pairs of a reader of `DIR/profiles-reuters` (each in one of the reader's situations, drawn by the seed) and one of the
ten candidates on top of that reader's list, of at most `--longest` words: readers without one are left out, and the
peers' time grows with the words. Three proofs:

1. Sums: the largest difference between a score and the sum of its item shares, and of its word shares.
2. Items: for histories of at most ten rows, shares of the attention terms against what the terms lose without the
   row, and against the Shapley value by all coalitions. A row left out is out of the history; a statement is muted
   (weight 0), since as a prototype it is also what the others are seen through.
3. Words: the text's words are deleted, the most important first, a tenth of them at a time, and the rest goes the
   product's real way: encoded, counted, compared, scored. Deletion AUC (lower is better) is the area under what is
   left of the score, from 1 with all words to 0 with none; insertion AUC (higher is better) adds the words instead.
   AOPC is the mean loss while deleting, normalised between the worst and the best of all the orders tried, forward
   and backward (after Edin et al. 2025, "Normalized AOPC", whose limits come from a beam search).

The peers explain the same score. SHAP's PartitionExplainer (its text tree, 500 evaluations, its default) deletes
words the real way. Captum's integrated gradients (50 steps, its default) go through the float32 encoder and the score
restated in torch, from padding and no words to the text. "One word out" deletes each word by itself. `--peers DIR` is
a folder where `pip install --target DIR captum shap pandas` put the first two; without it they are left out.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from attention_filter import evaluation
from attention_filter.logs import LogItem, read_profiles
from attention_filter.models.encoder import Encoder, TokenStates, load_encoder
from attention_filter.models.passages import passage
from attention_filter.personal import context, ranking
from attention_filter.personal.explain import carried_by_items, carried_by_words, shares
from attention_filter.personal.features import SLOTS, Counts, Features
from attention_filter.personal.feedback import History
from attention_filter.personal.ranking import Profile, make_profile, score
from attention_filter.words import count_terms, occurrences, term_id, units

TOP = 10  # of a reader's list: what is explained
STEPS = 10  # of a curve
CLEAR = 0.5  # of the score must hang on the words, or there is nothing to share out
PLAYERS = 10  # rows of a history that all coalitions are tried of
PROFILES = 8  # such histories
Explain = Callable[["Case"], np.ndarray]  # each word's importance (w,)


@dataclass(frozen=True)
class Case:
    """One pair to explain: the passage the encoder reads, and its words as (start, end)."""

    profile: Profile
    encoder: Encoder
    item: LogItem
    text: str
    words: tuple[tuple[int, int], ...]

    def scores(self, kept: np.ndarray) -> np.ndarray:
        """The scores with only the `kept` words, bool (n, w): encoded, counted and compared as the product does."""
        return score(self.profile, self.features(kept)).total

    def features(self, kept: np.ndarray) -> Features:
        texts = [self._without(row) for row in ~kept]
        found = [self._counts(row) for row in ~kept]
        start = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
        together = np.concatenate(found)
        counts = Counts(start, together["id"].copy(), together["count"].copy())
        return self.profile.background.features(self.encoder.encode(texts), counts, [self.item.lang] * len(texts))

    def _without(self, dropped: np.ndarray) -> str:
        left = list(self.text)
        for word in np.flatnonzero(dropped):
            start, end = self.words[word]
            left[start:end] = [""] * (end - start)
        return " ".join("".join(left).split())

    def _counts(self, dropped: np.ndarray) -> np.ndarray:
        """The item's term counts less those of the dropped words, which count double in the title."""
        counts = count_terms(self.item.text[: evaluation.COUNTED], self.item.title)
        title = len(" ".join(self.item.title.split()))
        left = counts["count"].astype(int)
        for word in np.flatnonzero(dropped):
            start, end = self.words[word]
            for _, _, term in occurrences(self.text[start:end]):
                at = np.searchsorted(counts["id"], term_id(term))
                if at < len(counts) and counts["id"][at] == term_id(term):
                    left[at] -= 2 if start < title else 1
        counts["count"] = left.clip(0)
        return counts[left > 0]

    @cached_property
    def row(self) -> Features:
        return self.features(np.ones((1, len(self.words)), bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--items", type=int, default=40, help="pairs of a reader and a candidate")
    parser.add_argument("--longest", type=int, default=60, help="words of a text: the peers' time grows with them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", type=Path, help="where captum and shap are")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    encoder = load_encoder()
    rng = np.random.default_rng(args.seed)
    drawn = draw(args.data / "profiles-reuters", encoder, args.longest, rng)
    cases, report = [], {"longest": args.longest, "seed": args.seed, "encoder": encoder.id}
    small: list[Case] = []
    for case in drawn:
        if len(cases) < args.items:
            cases.append(case)
        if len(small) < PROFILES and 1 < len(case.profile.history) <= PLAYERS:
            small.append(case)
    report["pairs"] = len(cases)
    report["sums"] = sums(cases)
    report["items"] = fair(small)
    methods = methods_of(args.peers, rng)
    for case in cases:
        case.row  # noqa: B018  a candidate that has a score has its features: no part of explaining it
    report["words"], report["seconds"] = faithful(cases, methods, len(cases))
    report["seconds"]["ours, given the encoding"] = float(np.mean([_given(case) for case in cases]))
    show(report)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


def draw(folder: Path, encoder: Encoder, longest: int, rng: np.random.Generator) -> Iterator[Case]:
    """One case for each reader, in random order."""
    data = read_profiles(folder)
    texts = evaluation.encode_items(data.items, encoder, None)
    statements = evaluation.statements_of(data)
    said = evaluation.encode_statements(statements, texts, encoder)
    for free, numbers in evaluation.backgrounds(data):
        ground = evaluation.make_ground(encoder.id, texts, free, seed=0)
        interests = ground.background.features(said.vectors, said.counts, said.langs)
        readers = defaultdict(list)
        for number in numbers:
            readers[data.situations[number].reader].append(number)
        for reader in rng.permutation(sorted(readers)):
            situation = data.situations[rng.choice(readers[reader])]
            asked = [statements.index(one) for one in situation.interests]
            history = evaluation.history_of(situation, ground.features, interests[asked])
            profile = make_profile(ground.background, history)
            scores = score(profile, ground.features[situation.candidates.astype(np.int64)]).total
            top = [data.items[row] for row in situation.candidates[np.argsort(-scores)[:TOP]]]
            cases = [case_of(profile, encoder, item) for item in top if len(units(_text(item))) <= longest]
            if cases:
                yield cases[rng.integers(len(cases))]


def case_of(profile: Profile, encoder: Encoder, item: LogItem) -> Case:
    text = _text(item)
    return Case(profile, encoder, item, text, tuple(units(text)))


def _text(item: LogItem) -> str:
    return passage(item.title, item.text)


def sums(cases: list[Case]) -> dict[str, float]:
    """The largest |score − sum of the shares| over the cases."""
    items, words = [0.0], [0.0]
    for case in cases:
        row, tokens = case.row, case.encoder.token_states(case.text)
        total = score(case.profile, row).total[0]
        carried = carried_by_items(case.profile, row)
        shared = carried_by_words(case.profile, row, case.text, case.item.lang, tokens)
        items.append(abs(total - sum(carried.by_item.values()) - carried.ordinary - carried.baseline))
        words.append(abs(total - sum(value for _, _, value in shared.words) - shared.rest - carried.baseline))
    return {"items": max(items), "words": max(words)}


def fair(cases: list[Case]) -> dict[str, float]:
    """The largest differences of the attention terms' item shares from leaving one out and from Shapley's values."""
    leave, shapley, largest, coalitions = [0.0], [0.0], [0.0], 0
    for case in cases:
        row, m = case.row, len(case.profile.history)
        names = [head.name for head in case.profile.heads]
        parts = shares(case.profile, row)
        share = sum(_worth(case.profile, name) * parts[name] for name in names)
        worth = {held: _attention(case.profile, held, row) for n in range(m + 1) for held in combinations(range(m), n)}
        coalitions += len(worth)
        everyone = tuple(range(m))
        for j in everyone:
            others = [i for i in everyone if i != j]
            leave.append(abs(share[j] - worth[everyone] + worth[tuple(others)]))
            value = 0.0
            for n in range(m):
                for held in combinations(others, n):
                    gain = worth[tuple(sorted((*held, j)))] - worth[held]
                    value += gain / (m * math.comb(m - 1, n))
            shapley.append(abs(share[j] - value))
        largest.append(float(np.abs(share).max()))
    return {
        "histories": len(cases),
        "coalitions": coalitions,
        "largest share": max(largest),
        "leave one out": max(leave),
        "Shapley": max(shapley),
    }


def _attention(profile: Profile, held: tuple[int, ...], row: Features) -> float:
    """The attention terms in score units for a profile made of the `held` rows, as the product makes it."""
    history = profile.history
    here = np.isin(np.arange(len(history)), held)
    left = np.flatnonzero(here | history.statement)
    some = History(
        history.features[left],
        np.where(here, history.weight, 0)[left].astype(np.float32),
        history.statement[left],
        tuple(history.keys[i] for i in left),
    )
    if not len(some):
        return 0.0
    without_taste = {term: weight for term, weight in ranking.WEIGHTS.items() if term != "taste"}
    other = make_profile(profile.background, some, profile.scale, without_taste)
    return float(sum(_worth(profile, name) * s[0] for name, s in ranking.attention_terms(other, row).items()))


def _worth(profile: Profile, term: str) -> float:
    deviation = profile.scale.deviation.get(term, 0.0)
    return profile.weights.get(term, 0.0) / deviation if deviation else 0.0


def methods_of(peers: Path | None, rng: np.random.Generator) -> dict[str, Explain]:
    """Everything that says how important each word is."""
    methods: dict[str, Explain] = {
        "ours": ours,
        "random": lambda case: rng.random(len(case.words)),
        "one word out": one_word_out,
    }
    if peers is None:
        print("Without --peers DIR, captum and SHAP are left out.\n", file=sys.stderr)
        return methods
    sys.path.append(str(peers))
    twin = load_encoder(precision="float32")
    return methods | {
        "integrated gradients (captum)": lambda case: integrated_gradients(case, twin),
        "partition SHAP": partition_shap,
    }


def ours(case: Case) -> np.ndarray:
    return word_shares(case, case.encoder.token_states(case.text))


def word_shares(case: Case, tokens: TokenStates) -> np.ndarray:
    shares = carried_by_words(case.profile, case.row, case.text, case.item.lang, tokens)
    return np.array([value for _, _, value in shares.words])


def one_word_out(case: Case) -> np.ndarray:
    n = len(case.words)
    scores = case.scores(np.vstack([np.ones((1, n), bool), ~np.eye(n, dtype=bool)]))
    return np.asarray(scores[0] - scores[1:])


def partition_shap(case: Case) -> np.ndarray:
    import shap
    from shap.maskers._text import partition_tree

    n = len(case.words)
    tree = partition_tree(np.array([case.text[start:end] + " " for start, end in case.words]), [])
    masker = shap.maskers.Partition(np.zeros((1, n)), clustering=tree)
    explainer = shap.PartitionExplainer(lambda kept: case.scores(np.asarray(kept) > 0), masker)
    return np.asarray(explainer(np.ones((1, n)), silent=True).values[0])


def integrated_gradients(case: Case, twin: Encoder) -> np.ndarray:
    """Over the tokens' embeddings and the row of word weights at once; a word has what its tokens and terms have."""
    from captum.attr import IntegratedGradients

    states = twin.token_states(case.text)
    ids = twin.tokenizer.encode(twin.prefix + case.text).ids
    table = twin.body.words  # type: ignore[attr-defined]
    pad = twin.tokenizer.token_to_id("<pad>")
    marks = [i if end == start else pad for i, (start, end) in zip(ids, states.spans, strict=True)]
    embedded, padded = table(torch.tensor(ids))[None], table(torch.tensor(marks))[None]
    slots, restated = restate(case)
    given = torch.from_numpy(case.row.words[:, slots].toarray())

    def forward(embedded: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        body = replace(twin.body, words=lambda _: embedded.flatten(0, 1))  # type: ignore[type-var]
        pooled = torch.stack([twin.pool(one, ids) for one in body.states([ids] * len(embedded))])
        return restated(F.normalize(pooled, dim=-1), given)

    parts, counted = IntegratedGradients(forward).attribute(
        (embedded, given), (padded, torch.zeros_like(given)), n_steps=50, internal_batch_size=10
    )
    letters = np.zeros(len(case.text))
    for (start, end), value in zip(states.spans, parts[0].sum(-1).tolist(), strict=True):
        letters[start:end] += value / max(end - start, 1)
    places = defaultdict(list)
    for start, end, term in occurrences(case.text):
        places[term_id(term) % SLOTS].append((start, end))
    for slot, value in zip(slots.tolist(), counted[0].tolist(), strict=True):
        for start, end in places[slot]:
            letters[start:end] += value / len(places[slot]) / (end - start)
    return np.array([letters[start:end].sum() for start, end in case.words])


def restate(case: Case) -> tuple[np.ndarray, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]:
    """The score in torch, of uncentred unit vectors (n, d) and word weights (n, s) at the text's own s slots."""
    profile, background, history = case.profile, case.profile.background, case.profile.history
    slots = np.unique(case.row.words.indices)

    def dense(words: Any) -> torch.Tensor:
        return torch.from_numpy(words[:, slots].toarray().T.astype(np.float32))

    tensor = torch.from_numpy
    bank, bank_words = tensor(background.bank.meaning), dense(background.bank.words)
    past, past_words = tensor(history.features.meaning), dense(history.features.words)
    near = tensor(ranking.near_weights(history))
    amount = min(context.NEAREST, len(bank) // context.CROWD)
    share = context.SHARE * amount / context.NEAREST
    wants = tensor(np.flatnonzero(history.statement & (history.weight > 0)))

    def seen(alone: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        close = alone @ bank.T
        looked = torch.where(close > context.SAME, -1.0, close + context.WORDS * words @ bank_words)
        best, index = looked.topk(amount, dim=1)
        around = torch.einsum("nk,nkd->nd", (best / context.TEMPERATURE).softmax(1), bank[index])
        return F.normalize((1 - share) * alone + share * F.normalize(around, dim=1), dim=1)

    def restated(vectors: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        v = seen(F.normalize(vectors - tensor(background.centre(case.item.lang)), dim=1), words)
        raw = {}
        for head in profile.heads:
            reply = v @ tensor(head.learned).T
            if head.words is not None:
                reply = reply + background.word_weight * words @ dense(head.words)
            raw[head.name] = ((v @ tensor(head.prototypes).T / ranking.TEMPERATURE).softmax(1) * reply).sum(1)
        kernel = v @ past.T + background.word_weight * words @ past_words
        best, index = kernel.topk(min(ranking.NEIGHBOURS, kernel.shape[1]), dim=1)
        raw["near"] = (best * near[index]).sum(1) / ranking.NEIGHBOURS
        if len(wants):  # all statements of these readers are wishes of one weight
            raw["said"] = kernel[:, wants].amax(1)
        if profile.taste:
            toward = tensor(profile.taste.meaning.astype(np.float32)), tensor(profile.taste.words[slots]).float()
            raw["taste"] = v @ toward[0] + words @ toward[1] + profile.taste.constant
        parts = [_worth(profile, term) * (values - profile.scale.mean[term]) for term, values in raw.items()]
        return torch.stack(parts).sum(0)

    return slots, restated


def faithful(
    cases: Iterable[Any], methods: dict[str, Callable[[Any], np.ndarray]], most: int
) -> tuple[dict[str, Any], dict[str, float]]:
    """The curves of every method over the first `most` cases whose score hangs on their `words`, by their `scores`,
    summed up as {method: {measure: [each case]}}, and mean seconds."""
    marks: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in methods}
    seconds: dict[str, list[float]] = defaultdict(list)
    done = 0
    for case in cases:
        n = len(case.words)
        none, whole = case.scores(np.array([[False] * n, [True] * n]))
        if whole - none < CLEAR:
            continue
        curves = {}
        for name, explain in methods.items():
            began = time.perf_counter()
            importance = explain(case)
            seconds[name].append(time.perf_counter() - began)
            curves[name] = curve(case, importance, none, whole)
        for name in methods:
            for measure, value in summed_up(name, curves).items():
                marks[name][measure].append(value)
        done += 1
        print(f"\r{done} of {most} explained", end="", file=sys.stderr)
        if done == most:
            break
    print(file=sys.stderr)
    return marks, {name: float(np.mean(values)) for name, values in seconds.items()}


def curve(case: Case, importance: np.ndarray, none: float, whole: float) -> np.ndarray:
    """What is left of the score, 1 with all words and 0 with none: deleting and inserting, (2, STEPS + 1)."""
    n = len(importance)
    rank = np.empty(n, int)
    rank[np.argsort(-importance, kind="stable")] = np.arange(n)
    cuts = np.round(np.linspace(0, n, STEPS + 1)).astype(int)[1:-1]
    kept = np.vstack([rank >= cut for cut in cuts] + [rank < cut for cut in cuts])
    left = ((case.scores(kept) - none) / (whole - none)).reshape(2, -1)
    ends = np.array([[1.0, 0.0], [0.0, 1.0]])
    return np.hstack([ends[:, :1], left, ends[:, 1:]])


def summed_up(name: str, curves: dict[str, np.ndarray]) -> dict[str, float]:
    """Areas under the curves and the normalised AOPC. Inserting best first is deleting worst first, read backward."""
    losses = [1 - line[1:].mean() for curve in curves.values() for line in (curve[0], curve[1][::-1])]
    deleted = 1 - curves[name][0][1:].mean()
    return {
        "deletion": float(np.trapezoid(curves[name][0], dx=1 / STEPS)),
        "insertion": float(np.trapezoid(curves[name][1], dx=1 / STEPS)),
        "normalised AOPC": float((deleted - min(losses)) / (max(losses) - min(losses))),
    }


def _given(case: Case) -> float:
    """Seconds of our word shares when the text's token states are at hand, as they are after it was encoded."""
    states = case.encoder.token_states(case.text)
    began = time.perf_counter()
    word_shares(case, states)
    return time.perf_counter() - began


def show(report: dict[str, Any]) -> None:
    def error(values: np.ndarray) -> str:
        return f"{values.mean():+.3f} ± {values.std(ddof=1) / math.sqrt(len(values)):.3f}"

    words, seconds, items = report["words"], report["seconds"], report["items"]
    n = len(words["ours"]["deletion"])
    print(f"Sums, {report['pairs']} pairs: items {report['sums']['items']:.1e}, words {report['sums']['words']:.1e}")
    print(
        f"Attention's item shares, {items['histories']} histories, {items['coalitions']} coalitions, the largest "
        f"{items['largest share']:.2f}: leave one out {items['leave one out']:.1e}, Shapley {items['Shapley']:.1e}\n"
    )
    print(f"Words, {n} pairs (mean ± standard error; the last two columns: ours minus it, paired)\n")
    print("| method | deletion AUC ↓ | insertion AUC ↑ | normalised AOPC ↑ | s each | ours: AOPC | ours: insertion |")
    print("|---|---|---|---|---|---|---|")
    for name, marks in words.items():
        of = {measure: np.array(values) for measure, values in marks.items()}
        cells = [error(of[measure]).lstrip("+") for measure in ("deletion", "insertion", "normalised AOPC")]
        gains = [error(np.array(words["ours"][m]) - of[m]) for m in ("normalised AOPC", "insertion")]
        print(f"| {name} | {' | '.join(cells)} | {seconds[name]:.4f} | {' | '.join(gains)} |")
    print(f"\nOurs takes {seconds['ours, given the encoding']:.4f} s when the text's encoding is at hand.")


if __name__ == "__main__":
    main()
