"""Why an item has its score: the past items, the statements and the words that carried it, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from attention_filter.personal.context import pull_back
from attention_filter.personal.features import SLOTS, Features, Floats, Ints, dense_words, one_word_row, unit
from attention_filter.personal.feedback import History
from attention_filter.personal.ranking import NEIGHBOURS, Profile, near_weights, nearest, read_outs
from attention_filter.personal.threads import one_thread_each
from attention_filter.words import occurrences, term_id, units


@dataclass(frozen=True)
class Seen:
    """How one candidate sees the m past items: what each head makes of them, a_j Σ_k h_k A_kj by name, and their
    products with its `meaning` and with its `words`, each (m,)."""

    looked: dict[str, np.ndarray]
    meaning: np.ndarray
    words: np.ndarray


class Tokens(Protocol):
    """An encoder's view of a text of T tokens: `spans` (start, end) in it, `states` (T, d), whose mean, normalised, is
    the text's vector, and what each token brought to that mean along a direction."""

    @property
    def spans(self) -> Sequence[tuple[int, int]]: ...

    @property
    def states(self) -> Floats: ...

    def carried(self, toward: np.ndarray) -> np.ndarray: ...


@one_thread_each()
def shares(profile: Profile, candidate: Features) -> dict[str, np.ndarray]:
    """Each past item's part of each term of one candidate, {term: float64 (m,)}, before standardising.

    The rows of a term sum to `raw_terms`. For the attention heads a share is the item's leave-one-out effect and
    its Shapley value; for `near` and `said` it is exact for the neighbours and the statement that were chosen, and for
    `taste` the rest is what told the candidate from ordinary items.
    """
    return _shares(profile, _see(profile, candidate))


def _see(profile: Profile, candidate: Features) -> Seen:
    history = profile.history
    heads, looked = {head.name: head for head in profile.heads}, {}
    for name, h in read_outs(profile, candidate).items():
        looked[name] = h[0].astype(np.float64) @ heads[name].a.astype(np.float64) * history.weight
    meaning = history.features.meaning @ candidate.meaning[0].astype(np.float64)
    words = history.features.words @ dense_words(candidate).astype(np.float64)
    return Seen(looked, meaning, words)


def _shares(profile: Profile, seen: Seen) -> dict[str, np.ndarray]:
    history, word_weight = profile.history, profile.background.word_weight
    kernel = seen.meaning + word_weight * seen.words
    counts_words = {head.name: head.words is not None for head in profile.heads}
    out = {name: looked * (kernel if counts_words[name] else seen.meaning) for name, looked in seen.looked.items()}
    _, index = nearest(kernel.astype(np.float32)[None])
    chosen = index[0]
    out["near"] = np.zeros(len(history))
    out["near"][chosen] = kernel[chosen] * near_weights(history)[chosen] / NEIGHBOURS
    if history.statement.any():
        out["said"] = _said_shares(kernel, history)
    if profile.taste:
        out["taste"] = profile.taste.alpha * kernel
    return out


@dataclass(frozen=True)
class Carried:
    """What carried the part of a score that comes from the history.

    `by_item` {key of the history: score units}, `ordinary` (what tells it from ordinary items, which taste knows)
    and `baseline` (what an average background item would have lost or gained) sum to that part.
    """

    by_item: dict[int, float]
    ordinary: float
    baseline: float


@dataclass(frozen=True)
class WordShares:
    """`words` are (start, end, value): a word's place in the text and the score it carried; `rest` is what lies
    outside them (punctuation, marks of the encoder, words of the item beyond this text)."""

    words: tuple[tuple[int, int, float], ...]
    rest: float


def carried_by_items(profile: Profile, candidate: Features) -> Carried:
    """Each past item's and statement's part of the candidate's score, in score units, summed over the terms."""
    total = np.zeros(len(profile.history))
    ordinary = baseline = 0.0
    if not len(profile.history):
        return Carried({}, 0.0, 0.0)
    of_terms = shares(profile, candidate)
    for term, parts in of_terms.items():
        worth = _worth(profile, term)
        total += worth * parts
        baseline -= worth * profile.scale.mean.get(term, 0.0)
    if profile.taste:
        rest = profile.taste.of(candidate)[0] - profile.taste.constant - of_terms["taste"].sum()
        ordinary = _worth(profile, "taste") * float(rest)
        baseline += _worth(profile, "taste") * profile.taste.constant
    by_item = {key: float(value) for key, value in zip(profile.history.keys, total, strict=True)}
    return Carried(by_item, ordinary, baseline)


@one_thread_each()
def carried_by_words(profile: Profile, candidate: Features, text: str, lang: str, tokens: Tokens) -> WordShares:
    """Each word's part of the candidate's score: what its meaning carried plus what the word itself carried.

    `tokens` are the encoder's for `text`. With the read-outs, the chosen neighbours and the lengths of the vectors held
    fixed, the score is linear in the text's mean state, to which each token brought its part, and in its words (whose
    length, too, is shared out). What no token brought is shared equally; what the text's neighbours in the stream
    carried goes to the words that drew them. The shares and `rest` sum to `by_item` and `ordinary` of
    `carried_by_items`.
    """
    slots, said = one_word_row(candidate)
    toward_meaning, toward_words = _direction(profile, candidate, slots)
    mean = tokens.states.mean(0, dtype=np.float64)
    length = np.linalg.norm(mean)
    about = mean / length - profile.background.centre(lang)  # the text's own vector before it is made a unit
    alone = unit(about[None])
    toward = pull_back(toward_meaning, Features(alone, candidate.words), profile.background.bank)
    parts = tokens.carried(toward / (np.linalg.norm(about) * length or 1.0))
    parts = parts + (toward @ alone[0] - parts.sum()) / len(parts)  # the centre and biases, which no token brought
    letters = np.zeros(len(text) + 1)  # the last one collects what has no place
    for (start, end), value in zip(tokens.spans, parts.tolist(), strict=True):
        _spread(letters, start, end, value)
    places: dict[int, list[tuple[int, int]]] = {slot: [] for slot in slots.tolist()}
    for start, end, term in occurrences(text):
        places.get(term_id(term) % SLOTS, []).append((start, end))
    # Slots are at right angles; a row where two words share one is a little longer or shorter than one.
    of_words = np.linalg.norm(said) * shapley_in_unit(said * toward_words, said**2, said**2)
    for found, value in zip(places.values(), of_words.tolist(), strict=True):
        for start, end in found or [(0, 0)]:
            _spread(letters, start, end, value / max(len(found), 1))
    cuts = [start for start, end in tokens.spans if end > start]
    words = tuple((start, end, float(letters[start:end].sum())) for start, end in units(text, cuts))
    return WordShares(words, float(letters.sum()) - sum(value for _, _, value in words))


def _spread(letters: np.ndarray, start: int, end: int, value: float) -> None:
    """Add `value` in equal parts to the letters of [start, end), to the last slot when that is empty."""
    if end > start:
        letters[start:end] += value / (end - start)
    else:
        letters[-1] += value


def _direction(profile: Profile, candidate: Features, slots: Ints) -> tuple[np.ndarray, np.ndarray]:
    """g, (d,) and at the candidate's own slots (slots,): score = g_meaning·meaning + g_words·words + baseline."""
    history, seen = profile.history, _see(profile, candidate)
    on_meaning, on_both = np.zeros(len(history)), np.zeros(len(history))
    for head in profile.heads:
        into = on_meaning if head.words is None else on_both
        into += seen.looked[head.name] * _worth(profile, head.name)
    parts = _shares(profile, seen)
    for term in ("near", "said"):
        if term in parts:
            on_both += _chosen(profile, term, parts[term]) * _worth(profile, term)
    meaning = history.features.meaning.T @ (on_meaning + on_both)
    words = (history.features.words.T @ (profile.background.word_weight * on_both))[slots]
    if profile.taste:
        meaning = meaning + _worth(profile, "taste") * profile.taste.meaning
        words = words + _worth(profile, "taste") * profile.taste.words[slots]
    return meaning, words


def _said_shares(kernel: np.ndarray, history: History) -> np.ndarray:
    largest = np.abs(history.weight[history.statement]).max()
    parts = np.where(history.statement, kernel * (history.weight / largest), 0)
    out = np.zeros(len(kernel))
    wants = np.flatnonzero(history.statement & (history.weight > 0))
    unwanted = np.flatnonzero(history.statement & (history.weight < 0))
    if len(wants):
        best = wants[parts[wants].argmax()]
        out[best] = parts[best]
    if len(unwanted):
        worst = unwanted[parts[unwanted].argmin()]
        out[worst] = min(parts[worst], 0)
    return out


def _worth(profile: Profile, term: str) -> float:
    """What one unit of a term adds to the score."""
    deviation = profile.scale.deviation.get(term, 0.0)
    return profile.weights.get(term, 0.0) / deviation if deviation else 0.0


def _chosen(profile: Profile, term: str, parts: np.ndarray) -> np.ndarray:
    """The factor of v_j·c in the rows that `near` or `said` chose, zero elsewhere (m,)."""
    history = profile.history
    if term == "near":
        return np.where(parts != 0, near_weights(history) / NEIGHBOURS, 0)
    largest = np.abs(history.weight[history.statement]).max()
    return np.where(parts != 0, history.weight / largest, 0)


def shapley_in_unit(toward: np.ndarray, along: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The Shapley value of each part u_t (n,) in g·unit(Σ u), from `toward` g·u_t, `along` u_t·Σu and `own` u_t·u_t.

    A part does not only add what it says, it also takes from the length that the others share: an idle word has a
    negative value, for the score would rise without it. By Owen's multilinear extension (1972) the value is the mean
    over p in [0, 1] of what u_t adds to parts that are each there with probability p, whose squared length is taken
    as its expectation, p² A + p (1 − p) B with A = ‖Σ u‖² and B = Σ u_t·u_t. The values sum to g·unit(Σ u).

    >>> shapley_in_unit(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.5, 0.5])).round(9).tolist()
    [1.5, -0.5]
    """
    whole, apart = along.sum(), own.sum()
    if whole <= 0 or apart <= 0:
        return np.zeros(len(toward))
    q = (np.arange(256) + 0.5) / 256  # √p, in which the integrand is smooth
    falls = float((2 * q**2 / (q**2 * (whole - apart) + apart) ** 1.5).mean())
    rises = falls * (whole - apart) + 2 / np.sqrt(whole)
    values: np.ndarray = toward * rises - toward.sum() * ((along - own) * falls + own / (apart * np.sqrt(whole)))
    return values
