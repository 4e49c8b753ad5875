"""Why an item has its score: the past items, the statements and the words that carried it, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attention_filter.personal.context import pull_back
from attention_filter.personal.features import SLOTS, Features, Floats, unit
from attention_filter.personal.feedback import History
from attention_filter.personal.ranking import NEIGHBOURS, Profile, near_weights, nearest, read_outs
from attention_filter.personal.threads import one_thread_each
from attention_filter.words import occurrences, term_id, units


@one_thread_each()
def shares(profile: Profile, candidate: Features) -> dict[str, np.ndarray]:
    """Each past item's part of each term of one candidate, {term: float64 (m,)}, before standardising.

    The rows of a term sum to `raw_terms`. For the attention heads a share is the item's leave-one-out effect and
    its Shapley value; for `near` and `said` it is exact for the neighbours and the statement that were chosen, and for
    `taste` the rest is what told the candidate from ordinary items.
    """
    history, word_weight = profile.history, profile.background.word_weight
    weight = history.weight.astype(np.float64)
    meaning = (history.features.meaning.astype(np.float64) @ candidate.meaning[0].astype(np.float64)).ravel()
    words = (history.features.words @ candidate.words.T).toarray().ravel().astype(np.float64)
    out = {}
    for name, h in read_outs(profile, candidate).items():
        head = next(head for head in profile.heads if head.name == name)
        looked = h[0].astype(np.float64) @ head.a.astype(np.float64)  # Σ_k h_k A_kj
        out[name] = looked * weight * (meaning + (word_weight * words if head.words is not None else 0))
    kernel = meaning + word_weight * words
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
    for term, parts in shares(profile, candidate).items():
        worth = _worth(profile, term)
        total += worth * parts
        baseline -= worth * profile.scale.mean.get(term, 0.0)
    if profile.taste:
        rest = profile.taste.of(candidate)[0] - profile.taste.constant - shares(profile, candidate)["taste"].sum()
        ordinary = _worth(profile, "taste") * float(rest)
        baseline += _worth(profile, "taste") * profile.taste.constant
    by_item = {key: float(value) for key, value in zip(profile.history.keys, total, strict=True)}
    return Carried(by_item, ordinary, baseline)


def carried_by_words(
    profile: Profile,
    candidate: Features,
    text: str,
    lang: str,
    token_spans: Sequence[tuple[int, int]],
    token_states: np.ndarray,
) -> WordShares:
    """Each word's part of the candidate's score: what its meaning carried plus what the word itself carried.

    `token_spans` (T) and `token_states` (T, d) are the encoder's for `text`; the states' mean, normalised, is the
    text's vector. With the read-outs and the chosen neighbours held fixed the score is linear in both unit vectors,
    each of which is shared out by `shapley_in_unit`, so the shares and `rest` sum to `by_item` and `ordinary` of
    `carried_by_items`. What the text's neighbours in the stream
    carried goes to the words that drew them.
    """
    toward_meaning, toward_words = _direction(profile, candidate)
    background = profile.background
    alone = _alone(background.centre(lang), token_states)
    toward_meaning = pull_back(toward_meaning, Features(alone[None], candidate.words), background.bank)
    letters = np.zeros(len(text) + 1)  # the last one collects what has no place
    for (start, end), value in zip(
        token_spans, _token_shares(background.centre(lang), token_states, toward_meaning), strict=True
    ):
        _spread(letters, start, end, value)
    row = candidate.words.tocoo()
    said = row.data.astype(np.float64)
    values = shapley_in_unit(said * toward_words[row.coords[1]], said**2, said**2)  # slots are at right angles
    worth = dict(zip(row.coords[1].tolist(), values.tolist(), strict=True))
    places: dict[int, list[tuple[int, int]]] = {slot: [] for slot in worth}
    for start, end, term in occurrences(text):
        places.get(term_id(term) % SLOTS, []).append((start, end))
    for slot, value in worth.items():
        for start, end in places[slot] or [(0, 0)]:
            _spread(letters, start, end, value / max(len(places[slot]), 1))
    cuts = [start for start, end in token_spans if end > start]
    words = tuple((start, end, float(letters[start:end].sum())) for start, end in units(text, cuts))
    return WordShares(words, float(letters.sum()) - sum(value for _, _, value in words))


def _spread(letters: np.ndarray, start: int, end: int, value: float) -> None:
    """Add `value` in equal parts to the letters of [start, end), to the last slot when that is empty."""
    if end > start:
        letters[start:end] += value / (end - start)
    else:
        letters[-1] += value


def _direction(profile: Profile, candidate: Features) -> tuple[np.ndarray, np.ndarray]:
    """The two vectors g, (d,) and (SLOTS,), with score = g_meaning·meaning + g_words·words + baseline."""
    history = profile.history
    on_meaning, on_both = np.zeros(len(history)), np.zeros(len(history))
    heads = {head.name: head for head in profile.heads}
    for name, h in read_outs(profile, candidate).items():
        looked = (h[0] @ heads[name].a) * history.weight * _worth(profile, name)
        if heads[name].words is None:
            on_meaning += looked
        else:
            on_both += looked
    parts = shares(profile, candidate)
    for term in ("near", "said"):
        if term in parts:
            on_both += _chosen(profile, term, parts[term]) * _worth(profile, term)
    meaning = history.features.meaning.T.astype(np.float64) @ (on_meaning + on_both)
    words = np.asarray(history.features.words.T @ (profile.background.word_weight * on_both)).ravel()
    if profile.taste:
        meaning += _worth(profile, "taste") * profile.taste.meaning
        words = words + _worth(profile, "taste") * profile.taste.words
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


def _alone(centre: Floats, states: np.ndarray) -> Floats:
    """The text's own vector: its mean state about the centre of its language, (d,)."""
    mean = states.astype(np.float64).mean(0)
    alone: Floats = unit((mean / np.linalg.norm(mean) - centre)[None])[0]
    return alone


def _token_shares(centre: Floats, states: np.ndarray, toward: np.ndarray) -> np.ndarray:
    """g·meaning split over the tokens: meaning = the unit vector of (mean state / its norm − centre)."""
    length = np.linalg.norm(states.astype(np.float64).mean(0))
    parts = states.astype(np.float64) / length - centre
    return shapley_in_unit(parts @ toward, parts @ parts.sum(0), (parts**2).sum(1))


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
