"""The score: attention 2.0 over a reader's history at several resolutions, plus near, said, taste and the moment.

    s(c) = Σ_heads w_h z(s_h(c)) + w_near z(s_near(c)) + w_said z(s_said(c)) + w_taste z(s_taste(c))
           + fresh + source + knowledge + rules + popularity

Head h has K prototypes p_k. Past item j has vector v_j and signed weight a_j.

    A_kj = softmax over k (p_k·v_j / τ)        the prototypes compete for past item j
    U_k  = Σ_j A_kj a_j v_j                    what prototype k has learned
    h_k(c) = softmax over k (p_k·c / τ)        the candidate is a query over the prototypes
    s_h(c) = Σ_k h_k(c) U_k·c

A_kj depends on item j alone, so item j's share (Σ_k h_k A_kj) a_j (v_j·c) is its leave-one-out effect and its
Shapley value. z standardises a term by its mean and deviation over background items, frozen with the profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse

from attention_filter.personal.background import Background
from attention_filter.personal.features import Features, Floats, Ints, add_words, similarity
from attention_filter.personal.feedback import History
from attention_filter.personal.taste import Taste, learn
from attention_filter.personal.threads import in_parts, one_thread_each

TEMPERATURE = 0.1  # τ
NEIGHBOURS = 3  # past items that `near` looks at

# Weights of the standardised terms, in σ. Chosen on seven sets of profiles (English and Chinese; news, titles,
# reviews, requests, papers' abstracts), where each was left out in turn: the optimum is flat and the same for all.
WEIGHTS = {"interests": 1 / 3, "themes": 1 / 3, "topics": 1 / 3, "near": 0.5, "said": 0.5, "taste": 2.0}
TRUSTED = 20  # likes after which a taste has earned half of its weight
POPULAR = 0.3  # weight of the popularity, in σ
FRESH = 0.3  # what an item loses as it grows old; one published this moment loses nothing
RARE = 0.2  # score of an item from a source that hardly ever speaks

LABELS = {
    "interests": "attention: your interests",
    "themes": "attention: 32 themes",
    "topics": "attention: 128 topics",
    "near": "close to what you liked",
    "said": "what you said",
    "taste": "your taste",
    "fresh": "age",
    "source": "rare source",
    "popular": "popular with readers",
    "knowledge": "your concepts",
    "rules": "your rules",
    "fallback": "a simple ranking that knew you better",
}


@dataclass(frozen=True)
class Head:
    """One attention head: `prototypes` (K, d), `a` (K, m), `learned` U (K, d), and U's words where it counts them."""

    name: str
    prototypes: Floats
    a: Floats
    learned: Floats
    words: sparse.csr_array | None  # (K, SLOTS)


@dataclass(frozen=True)
class Scale:
    """Mean and deviation of each term over background items; a term without deviation says nothing."""

    mean: Mapping[str, float]
    deviation: Mapping[str, float]

    def standardise(self, term: str, values: np.ndarray) -> np.ndarray:
        deviation = self.deviation.get(term, 0.0)
        return (values - self.mean[term]) / deviation if deviation else np.zeros(len(values))


@dataclass(frozen=True)
class Profile:
    """All that is needed to score: background, history, the heads and the taste made of them, scale, weights."""

    background: Background
    history: History
    heads: tuple[Head, ...]
    taste: Taste | None
    scale: Scale
    wanted: Mapping[str, float]  # the weights of the terms that the history carries, as given
    weights: Mapping[str, float]  # the same as the history has earned them


@dataclass(frozen=True)
class Scores:
    """Scores of n candidates, float64 (n,), and the additive terms they are the sum of."""

    total: np.ndarray
    terms: Mapping[str, np.ndarray]


@one_thread_each()
def make_profile(
    background: Background,
    history: History,
    scale: Scale | None = None,
    weights: Mapping[str, float] = WEIGHTS,
) -> Profile:
    """The profile of a reader. Without `scale`, it is measured on the background's sample and frozen.

    `weights` name the terms of the score and what one deviation of each is worth; a term left out is worth nothing.
    """
    heads = _heads(background, history)
    profile = with_taste(Profile(background, history, heads, None, scale or Scale({}, {}), weights, weights))
    if scale is None:
        return replace(profile, scale=_scale_of(raw_terms(profile, background.sample)))
    return profile


def with_taste(profile: Profile, before: tuple[Taste, Ints] | None = None) -> Profile:
    """The profile with the taste that its history teaches, which has earned its weight or is None.

    A taste is drawn anew by every vote, so its scale is its own and never a frozen one. `before` as in `taste.learn`.
    """
    background, history, scale = profile.background, profile.history, profile.scale
    others = {term: weight for term, weight in profile.wanted.items() if term != "taste"}
    earned = _earned(background, history, profile.wanted.get("taste", 0.0))
    given = history.features, history.weight, background.ordinary, background.word_weight
    taste = learn(*given, before) if earned else None
    if taste is None:
        return replace(profile, taste=None, weights=others)
    own = _scale_of({"taste": taste.of(background.sample)})
    scale = Scale({**scale.mean, **own.mean}, {**scale.deviation, **own.deviation})
    return replace(profile, taste=taste, scale=scale, weights=others | {"taste": earned})


@one_thread_each()
def read_outs(profile: Profile, candidates: Features) -> dict[str, Floats]:
    """h_k(c) of each head, {name: (n, K)}. Those of the finer heads depend on the background alone: cache them."""
    return {head.name: attention(candidates.meaning, head.prototypes, "keys") for head in profile.heads}


def score(
    profile: Profile,
    candidates: Features,
    *,
    freshness: np.ndarray | None = None,
    sources: np.ndarray | None = None,
    popularity: np.ndarray | None = None,
    knowledge: np.ndarray | None = None,
    rules: np.ndarray | None = None,
    cached: Mapping[str, Floats] | None = None,
) -> Scores:
    """Score n candidates. A candidate's score depends on no other candidate.

    `freshness` (n,) is 2^(-age / half-life), `sources` (n,) are source ids, `popularity` (n,) is already
    standardised, `knowledge` (n,) is what the reader's concepts add, `rules` (n,) is the sum of the boosts that hold,
    `cached` what `read_outs` returned.
    """
    raw = raw_terms(profile, candidates, cached)
    terms = {
        term: profile.weights[term] * profile.scale.standardise(term, values)
        for term, values in raw.items()
        if profile.weights.get(term)
    }
    if freshness is not None:
        terms["fresh"] = FRESH * (freshness.astype(np.float64) - 1)
    if sources is not None:
        terms["source"] = RARE * _rarity(profile.background, sources)
    if popularity is not None:
        terms["popular"] = POPULAR * popularity
    if knowledge is not None:
        terms["knowledge"] = knowledge.astype(np.float64)
    if rules is not None:
        terms["rules"] = rules.astype(np.float64)
    total = np.sum(list(terms.values()), axis=0) if terms else np.zeros(len(candidates))
    return Scores(total, terms)


@one_thread_each()
def raw_terms(
    profile: Profile, candidates: Features, cached: Mapping[str, Floats] | None = None
) -> dict[str, np.ndarray]:
    """The terms that the history carries, before they are standardised: {term: float64 (n,)}."""
    history = profile.history
    if not len(history):
        return {}
    short = len(history) < candidates.meaning.shape[1]  # a longer one is quicker asked by what the heads have learned

    def part(rows: slice) -> dict[str, np.ndarray]:
        some = candidates[rows]
        kernel = some.meaning @ history.features.meaning.T  # (n, m)
        if short:
            terms = _attend_by_items(profile, some, rows, cached, kernel, words=False)
            add_words(kernel, some, history.features, profile.background.word_weight)
            terms = _attend_by_items(profile, some, rows, cached, kernel, words=True) | terms
        else:
            terms = _attention(profile, some, rows, cached)
            add_words(kernel, some, history.features, profile.background.word_weight)
        terms["near"] = _near(kernel, near_weights(history))
        if history.statement.any():
            terms["said"] = _said(kernel[:, history.statement], history.weight[history.statement])
        if profile.taste:
            terms["taste"] = profile.taste.of(some)
        return terms

    return in_parts(part, len(candidates))


@one_thread_each()
def attention_terms(
    profile: Profile, candidates: Features, cached: Mapping[str, Floats] | None = None
) -> dict[str, np.ndarray]:
    """s_h(c) of each head, {name: float64 (n,)}; `cached` is what `read_outs` returned for these candidates."""
    return in_parts(lambda rows: _attention(profile, candidates[rows], rows, cached), len(candidates))


def near_weights(history: History) -> Floats:
    """How much a neighbour counts, in [-1, 1]: likes and statements in full, milder acts less (m,)."""
    return np.clip(2 * history.weight, -1, 1).astype(np.float32)


def held_out(profile: Profile) -> np.ndarray:
    """What each row of the history would score if it were not in it: float64 (m,), the scale held."""
    return weighed(profile, held_out_terms(profile))


def weighed(profile: Profile, raw: Mapping[str, np.ndarray]) -> np.ndarray:
    """The weighted sum of the standardised terms, {term: (m,)} to float64 (m,)."""
    total = np.zeros(len(profile.history))
    for term, values in raw.items():
        total += profile.weights.get(term, 0.0) * profile.scale.standardise(term, values)
    return total


@one_thread_each()
def held_out_terms(profile: Profile) -> dict[str, np.ndarray]:
    """`raw_terms` of each row of the history, as they would be if that row were not in it: {term: float64 (m,)}."""
    history = profile.history
    own = np.arange(len(history))
    kernel = similarity(history.features, history.features, profile.background.word_weight)
    raw = raw_terms(profile, history.features)
    for head in profile.heads:
        looked = (read_outs(profile, history.features)[head.name] * head.a.T).sum(1)  # Σ_k h_k(j) A_kj
        itself = kernel[own, own] if head.words is not None else (history.features.meaning**2).sum(1)
        raw[head.name] = raw[head.name] - looked * history.weight * itself
    np.fill_diagonal(kernel, -np.inf)
    raw["near"] = _near(kernel, near_weights(history)) if len(history) > 1 else np.zeros(len(history))
    if profile.taste:
        without = profile.taste.left_out()
        raw["taste"] = np.where(np.isnan(without), raw["taste"], without)
    return raw


def _scale_of(raw: Mapping[str, np.ndarray]) -> Scale:
    mean = {term: float(values.mean()) if len(values) else 0.0 for term, values in raw.items()}
    deviation = {term: float(values.std()) if len(values) else 0.0 for term, values in raw.items()}
    return Scale(mean, {term: value if value > 1e-6 else 0.0 for term, value in deviation.items()})


def _earned(background: Background, history: History, weight: float) -> float:
    """What a taste is worth: more from vote to vote, and nothing where words do not tell what belongs together."""
    likes = int((history.weight[history.statement == 0] > 0).sum())
    return weight * likes / (likes + TRUSTED) * min(1.0, (background.word_weight - 1) / 3)


def _heads(background: Background, history: History) -> tuple[Head, ...]:
    if not len(history):
        return ()
    stated = history.features.meaning[history.statement]
    # Without statements the coarsest head has one prototype that looks everywhere: the mean of the history.
    interests = stated if len(stated) else np.zeros((1, history.features.meaning.shape[1]), np.float32)
    fine = zip(("themes", "topics"), background.prototypes, strict=False)
    return (
        _head("interests", interests, history, count_words=True),
        *(_head(name, prototypes, history, count_words=False) for name, prototypes in fine if len(prototypes)),
    )


def _head(name: str, prototypes: Floats, history: History, *, count_words: bool) -> Head:
    meaning = history.features.meaning
    a = attention(prototypes, meaning, "queries")  # (K, m)
    weighted = (a * history.weight).astype(np.float32)
    words = sparse.csr_array(sparse.csr_array(weighted) @ history.features.words) if count_words else None
    if words is not None:
        words.sort_indices()  # then one act more is added in its place
    return Head(name, prototypes, a, weighted @ meaning, words)


def _attention(
    profile: Profile, some: Features, rows: slice, cached: Mapping[str, Floats] | None
) -> dict[str, np.ndarray]:
    """s_h(c) of `some` candidates, which are `rows` of the cached read-outs."""
    out = {}
    for head in profile.heads:
        read_out = cached[head.name][rows] if cached else attention(some.meaning, head.prototypes, "keys")
        reply = some.meaning @ head.learned.T  # U_k·c, (n, K)
        if head.words is not None:
            reply = reply + profile.background.word_weight * (some.words @ head.words.T).toarray()
        out[head.name] = np.asarray(np.einsum("nk,nk->n", read_out, reply), np.float64)
    return out


def _attend_by_items(
    profile: Profile, some: Features, rows: slice, cached: Mapping[str, Floats] | None, kernel: Floats, *, words: bool
) -> dict[str, np.ndarray]:
    """The same for the heads that count words (or do not), Σ_j (Σ_k h_k A_kj) a_j k(v_j, c): where the `kernel` (n, m)
    is at hand, that is d / m times cheaper than by U."""
    out = {}
    for head in profile.heads:
        if (head.words is not None) == words:
            read_out = cached[head.name][rows] if cached else attention(some.meaning, head.prototypes, "keys")
            looked = read_out @ (head.a * profile.history.weight)  # (n, m)
            out[head.name] = np.asarray(np.einsum("nm,nm->n", looked, kernel), np.float64)
    return out


def attention(query: Floats, key: Floats, normalize: Literal["keys", "queries"]) -> Floats:
    """A ("queries") or H ("keys") of unit rows at temperature τ, (Q, K)."""
    import torch  # here, so that commands that rank nothing start without it

    from attention_filter.attention.core import attend

    q, k = torch.from_numpy(np.ascontiguousarray(query)), torch.from_numpy(np.ascontiguousarray(key))
    _, weights = attend(q, k, k[:, :0], scale=1 / TEMPERATURE, normalize=normalize, return_weights=True)
    return np.asarray(weights.numpy())


def _near(kernel: Floats, weight: Floats) -> np.ndarray:
    """The signed sum of the largest similarities over NEIGHBOURS; −inf stands for a row that is not there."""
    values, index = nearest(kernel)
    signed = np.where(np.isinf(values), 0, values * weight[index])
    return np.asarray(signed.sum(1, dtype=np.float64) / NEIGHBOURS)


def nearest(kernel: Floats) -> tuple[Floats, np.ndarray]:
    """The NEIGHBOURS largest similarities of each row (n, ≤ NEIGHBOURS) and where they stand."""
    import torch

    values, index = torch.from_numpy(kernel).topk(min(NEIGHBOURS, kernel.shape[1]), dim=1)
    return values.numpy(), index.numpy()


def _said(kernel: Floats, weight: Floats) -> np.ndarray:
    """The best wanted statement minus the closest unwanted one (never less than 0)."""
    parts = kernel * (weight / np.abs(weight).max())
    wants, unwanted = parts[:, weight > 0], parts[:, weight < 0]
    out = np.zeros(len(kernel))
    if wants.shape[1]:
        out += wants.max(1)
    if unwanted.shape[1]:
        out += np.minimum(unwanted.min(1), 0)
    return out


def _rarity(background: Background, sources: np.ndarray) -> np.ndarray:
    """1 for a source never heard, 0 for the one that speaks most; by the logarithm of their items."""
    most = np.log1p(max(background.source_counts.values(), default=0))
    found, place = np.unique(sources, return_inverse=True)
    counts = np.array([background.source_counts.get(s, 0) for s in found.tolist()], np.float64)[place]
    return 1 - np.log1p(counts) / most if most else np.zeros(len(counts))
