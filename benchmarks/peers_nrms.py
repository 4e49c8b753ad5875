"""NRMS, the news recommender that papers on MIND compare with, trained on the log that the filter is measured on.

    python benchmarks/peers_nrms.py --data DIR [--sets mind_small_train_5k] [--seeds 3] [--json FILE]

Wu et al. 2019, "Neural News Recommendation with Multi-Head Self-Attention": a reader is the news they clicked, under
multi-head self-attention and additive attention; a candidate scores by its dot product with the reader; the loss is a
softmax over each click and K news of the same impression that were not clicked. Padding is masked in both attentions,
and dropout acts before and after the first. Two news encoders:

    over the same vectors   a linear layer on the frozen vectors that every other ranking here compares, in the place
                            of the paper's word encoder: what NRMS makes of a language model
    over words              the paper's: titles by self- and additive attention over word embeddings, which are
                            learned from this log alone (the paper starts from GloVe); stemmed, without stop words

Trained until the last day of the training log ranks best by nDCG@10; that day is not trained on. `attention`'s heads
have an output projection, the paper's have none. benchmarks/ranking.py shows both beside the filter.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_filter.attention.core import attend
from attention_filter.attention.multihead import MultiHeadAttention
from attention_filter.errors import DataError
from attention_filter.evaluation import encode_items
from attention_filter.logs import ClickLog, Impression, LogItem, only_what_is_read, read_mind
from attention_filter.models.encoder import load_encoder
from attention_filter.models.readers import pad
from attention_filter.personal.evaluate import auc, ndcg
from attention_filter.personal.threads import one_thread_each
from attention_filter.training.examples import centred
from attention_filter.training.loop import FitConfig, fit
from attention_filter.words import words

VECTORS, WORDS = "NRMS over the same vectors", "NRMS over words"
AT_ONCE = 64  # impressions scored together
RARE = 2  # a word of fewer titles is unknown


@dataclass(frozen=True)
class Plan:
    """The model's sizes and how it is trained: the paper's K, dropout and longest; sizes for a small log."""

    dim: int = 128
    heads: int = 8
    query: int = 128  # width of the additive attention
    dropout: float = 0.2
    negatives: int = 4  # K
    longest: int = 50  # past news that are looked at, the latest
    title: int = 30  # words
    rate: float = 1e-3
    rounds: int = 10


class Summary(nn.Module):
    """Rows (b, n, dim) as one vector each (b, dim): self-attention, then additive attention (Wu et al., eq. 1–6).

    `here` (b, n) is False at padding, which neither attention sees. Where nothing is here, zeros come out.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.among = MultiHeadAttention(plan.dim, plan.heads)
        self.project = nn.Linear(plan.dim, plan.query)
        self.query = nn.Parameter(torch.randn(1, plan.query) * plan.query**-0.5)
        self.dropout = nn.Dropout(plan.dropout)

    def forward(self, rows: Tensor, here: Tensor) -> Tensor:
        mixed = self.dropout(self.among(self.dropout(rows), mask=here[:, None, None]))  # (b, n, dim)
        keys = self.project(mixed).tanh()
        return attend(self.query.expand(len(rows), 1, -1), keys, mixed, here[:, None], scale=1.0).squeeze(1)


class FromVectors(nn.Module):
    """News by their frozen `vectors` (items, d): rows of items (n,) in, (n, dim) out."""

    def __init__(self, vectors: Tensor, plan: Plan) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors * vectors.size(1) ** 0.5)  # entries of about one
        self.project = nn.Linear(vectors.size(1), plan.dim)
        self.dropout = nn.Dropout(plan.dropout)

    def forward(self, rows: Tensor) -> Tensor:
        out: Tensor = self.project(self.dropout(self.get_buffer("vectors")[rows]))
        return out


class FromWords(nn.Module):
    """News by the words of their titles, (items, t) in a vocabulary, −1 after the end of each."""

    def __init__(self, titles: Tensor, vocabulary: int, plan: Plan) -> None:
        super().__init__()
        self.register_buffer("titles", titles)
        self.embedding = nn.Embedding(vocabulary, plan.dim)
        self.summary = Summary(plan)

    def forward(self, rows: Tensor) -> Tensor:
        title = self.get_buffer("titles")[rows]
        title = title[:, : max(1, int((title >= 0).sum(1).max()))]  # no further than the longest of these
        out: Tensor = self.summary(self.embedding(title.clamp(min=0)), title >= 0)
        return out


class Nrms(nn.Module):
    """Scores (b, n) of `candidates` (b, n) for readers of `history` (b, m): rows of items, −1 is padding."""

    def __init__(self, news: nn.Module, plan: Plan) -> None:
        super().__init__()
        self.news, self.reader = news, Summary(plan)

    def forward(self, history: Tensor, candidates: Tensor) -> Tensor:
        both = torch.cat([history.flatten(), candidates.flatten()])
        used, place = torch.unique(both.clamp(min=0), return_inverse=True)
        past, asked = self.news(used)[place].split([history.numel(), candidates.numel()])
        reader = self.reader(past.view(*history.shape, -1), history >= 0)
        out: Tensor = (asked.view(*candidates.shape, -1) @ reader.unsqueeze(-1)).squeeze(-1)
        return out


@dataclass(frozen=True)
class Clicks:
    """What the training loop asks of a model and impressions to learn from."""

    module: Nrms
    plan: Plan

    def length(self, example: Impression) -> int:
        return min(len(example.history), self.plan.longest) + self.plan.negatives + 1

    def loss(self, examples: Sequence[Impression]) -> Tensor:
        """−log softmax of each click among itself and K drawn from the impression's unclicked news."""
        history, candidates = [], []
        for one in examples:
            unclicked = one.candidates[~one.labels]
            for clicked in one.candidates[one.labels]:
                drawn = unclicked[torch.randperm(len(unclicked))[: self.plan.negatives].numpy()]
                history.append(self.latest(one))
                candidates.append([int(clicked), *drawn.tolist()])
        if not candidates:
            raise DataError("NRMS: a batch of impressions without a click; leave them out")
        asked = pad(candidates)
        scores = self.module(pad(history), asked).masked_fill(asked < 0, float("-inf"))
        return F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))

    def measure(self, examples: Sequence[Impression]) -> dict[str, float]:
        return figures(examples, self.scores(examples))

    def scores(self, impressions: Sequence[Impression]) -> list[np.ndarray]:
        """Of each impression's candidates (n,)."""
        out = []
        with torch.inference_mode():
            for start in range(0, len(impressions), AT_ONCE):
                some = impressions[start : start + AT_ONCE]
                found = self.module(pad([self.latest(one) for one in some]), pad([one.candidates for one in some]))
                out += [row[: len(one.candidates)].double().numpy() for row, one in zip(found, some, strict=True)]
        return out

    def latest(self, impression: Impression) -> list[int]:
        rows: list[int] = impression.history[-self.plan.longest :].tolist()
        return rows


def figures(impressions: Sequence[Impression], scores: Sequence[np.ndarray]) -> dict[str, float]:
    """Means over the impressions where both measures exist."""
    marks = [(auc(one.labels, s), ndcg(one.labels, s, 10)) for one, s in zip(impressions, scores, strict=True)]
    mean = np.nanmean(np.array(marks), axis=0)
    return {"auc": float(mean[0]), "ndcg@10": float(mean[1])}


@one_thread_each()
def train_nrms(log: ClickLog, news: str, vectors: np.ndarray, plan: Plan, seed: int) -> tuple[Clicks, dict[str, float]]:
    """The model with its news encoder, VECTORS or WORDS, and its figures on the last day of `log.train`."""
    days = last_day_apart(log)
    train, valid = [one for one in days.train if one.labels.any()], days.test
    read = np.unique(np.concatenate([rows for one in train for rows in (one.history, one.candidates)]))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if news == VECTORS:
            encoder: nn.Module = FromVectors(centred(vectors, torch.from_numpy(vectors[read].mean(0))), plan)
        else:
            known = vocabulary([log.items[row] for row in read])
            encoder = FromWords(titles(log.items, known, plan.title), len(known), plan)
        learner = Clicks(Nrms(encoder, plan), plan)
        config = FitConfig(rounds=plan.rounds, rate=plan.rate, tokens_at_once=2048, metric="ndcg@10", seed=seed)
        fitted = fit(learner, train, valid, config)
    return learner, {**fitted.rounds[fitted.best], "rounds": fitted.best + 1}


def read_log(folder: Path) -> ClickLog:
    return only_what_is_read(read_mind(folder / "news.tsv", folder / "train.behaviors.tsv", None))


def last_day_apart(log: ClickLog) -> ClickLog:
    """The last day of `log.train` as the test, the days before it as the training log."""
    last = log.train[-1].time.date()
    before, after = ([one for one in log.train if (one.time.date() == last) is apart] for apart in (False, True))
    return replace(log, train=tuple(before), test=tuple(after))


def rank_by_nrms(log: ClickLog, vectors: np.ndarray, *, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Scores of both variants for the candidates of each impression of `log.test`; `vectors` (items, d)."""
    found = {news: train_nrms(log, news, vectors, PLANS[news], seed)[0].scores(log.test) for news in PLANS}
    return [{news: rows[number] for news, rows in found.items()} for number in range(len(log.test))]


def vocabulary(items: Sequence[LogItem]) -> dict[str, int]:
    """The words of these titles that are in at least RARE of them, numbered."""
    often = Counter(word for item in items for word in set(words(item.title)))
    return {word: number for number, word in enumerate(sorted(w for w, n in often.items() if n >= RARE))}


def titles(items: Sequence[LogItem], known: Mapping[str, int], longest: int) -> Tensor:
    """The known words of each title in order, (items, t), −1 after the end of each."""
    return pad([[known[word] for word in words(item.title) if word in known][:longest] for item in items])


PLANS = {VECTORS: Plan(), WORDS: Plan(dim=64, heads=4, query=64, rounds=4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["mind_small_train_5k"], help="folders in DIR, in MIND's format")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    encoder, report = load_encoder(), {}
    for name in args.sets:
        log = last_day_apart(read_log(args.data / name))
        vectors = encode_items(log.items, encoder, None).vectors
        print("| | seed | rounds | last training day, AUC / nDCG@10 | test day | s |\n|---|---|---|---|---|---|")
        for news, seed in [(news, seed) for news in PLANS for seed in range(args.seeds)]:
            began = time.perf_counter()
            learner, valid = train_nrms(log, news, vectors, PLANS[news], seed)
            test, seconds = figures(log.test, learner.scores(log.test)), time.perf_counter() - began
            cells = [f"{one['auc']:.4f} / {one['ndcg@10']:.4f}" for one in (valid, test)]
            print(f"| {news} | {seed} | {valid['rounds']} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)
            report[f"{name}, {news}, {seed}"] = {"valid": valid, "test": test, "seconds": seconds}
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
