"""Do the percentages and the promise hold for readers the filter has never seen, and how often does it fall back?

Measured on profiles (`logs.read_profiles`), whose candidates are later than every like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention_filter.encodings import TextEncoder
from attention_filter.evaluation import (
    Ground,
    Progress,
    Scores,
    Texts,
    backgrounds,
    encode_items,
    encode_statements,
    history_of,
    make_ground,
    rank_profiles,
    statements_of,
)
from attention_filter.logs import ProfileSet, Situation, read_profiles
from attention_filter.personal import calibration, fallback, tray
from attention_filter.personal.evaluate import FILTER, MEASURES
from attention_filter.personal.features import Ints, take
from attention_filter.personal.feedback import STATEMENT, act_weight
from attention_filter.personal.ranking import make_profile, score
from attention_filter.personal.replay import KEYWORDS, MEAN, WORDS, Acts, Pool, Said, judge, replay, spread
from attention_filter.personal.threads import one_thread_each
from attention_filter.types import Sign

RIVALS = 600  # items that the likes of a profile are compared with when its fall-back is decided
SIMPLE = {KEYWORDS: "BM25 of the statements", WORDS: "TF-IDF + linear SVM per reader", MEAN: "mean of liked embeddings"}


@dataclass(frozen=True)
class Trust:
    """What the situations with `likes` likes showed, with statements or without.

    `brier`, `error` (ECE) and `bins` of the probabilities that all candidates were given, of which `share` were
    wanted; `kept`, the mean share of a reader's wanted candidates above the line, `worst`, the share of readers who
    kept less than promised, and `away`, the mean share of all candidates below it.
    """

    statements: bool
    likes: int
    situations: int
    share: float
    brier: float
    brier_of_the_mean: float
    error: float
    bins: tuple[calibration.Bin, ...]
    kept: float
    worst: float
    away: float


@dataclass(frozen=True)
class FallBack:
    """How often a simple ranking took over, and a measure's means over all situations without and with it."""

    statements: bool
    likes: int
    situations: int
    acted: dict[str, int]
    without: dict[str, float]
    with_it: dict[str, float]


def evaluate_trust(
    folder: Path, encoder: TextEncoder, *, keep: float = tray.KEEP, progress: Progress | None = None, seed: int = 0
) -> tuple[list[Trust], list[FallBack]]:
    """Both, for each number of likes. The share that is read is taken as usual: no likes tell it beforehand."""
    data = read_profiles(folder)
    texts = encode_items(data.items, encoder, progress)
    said = encode_statements(statements_of(data), texts, encoder)
    trust = trust_profiles(data, texts, said, encoder.id, keep=keep, seed=seed)
    chosen = fall_backs(data, texts, said, encoder.id, progress=progress, seed=seed)
    scores = rank_profiles(data, texts, said, encoder.id, progress=progress, seed=seed)
    return trust, measure_fall_backs(data, scores, chosen)


def measure_fall_backs(data: ProfileSet, scores: Sequence[Scores], chosen: Sequence[str | None]) -> list[FallBack]:
    """What `fall_backs` chose for each situation, measured on what `rank_profiles` scored."""
    falls = [_fall_back(data, *group, scores, chosen) for group in _groups(data)]
    return [fall for fall in falls if fall.likes >= fallback.ENOUGH]


def _fall_back(
    data: ProfileSet,
    statements: bool,
    likes: int,
    numbers: Sequence[int],
    scores: Sequence[Scores],
    chosen: Sequence[str | None],
) -> FallBack:
    def means(methods: dict[int, str | None]) -> dict[str, float]:
        given = {n: scores[n][SIMPLE[method] if method else FILTER] for n, method in methods.items()}
        return {
            name: float(np.mean([MEASURES[name](data.situations[n].labels, one) for n, one in given.items()]))
            for name in ("auc", "ndcg@10")
        }

    acted = Counter(one for n in numbers if (one := chosen[n]) is not None)
    without, with_it = means(dict.fromkeys(numbers)), means({n: chosen[n] for n in numbers})
    return FallBack(statements, likes, len(numbers), dict(acted), without, with_it)


@one_thread_each()
def trust_profiles(
    data: ProfileSet, texts: Texts, said: Texts, model: str, *, keep: float = tray.KEEP, seed: int = 0
) -> list[Trust]:
    """Probabilities and line learned from each situation's history, measured on its candidates."""
    stated = {text: row for row, text in enumerate(statements_of(data))}
    chances: dict[int, np.ndarray] = {}
    above: dict[int, np.ndarray] = {}
    for free, numbers in backgrounds(data):
        ground = make_ground(model, texts, free, seed)
        interests = ground.background.features(said.vectors, said.counts, said.langs)
        for number in numbers:
            situation = data.situations[number]
            asked = np.array([stated[text] for text in situation.interests], np.int64)
            profile = make_profile(ground.background, history_of(situation, ground.features, interests[asked]))
            curve, line = judge(profile, keep)
            scores = score(profile, ground.features[situation.candidates.astype(np.int64)]).total
            chances[number] = curve.probability(scores) if curve else np.full(len(scores), calibration.USUAL)
            above[number] = scores >= line
    return [_trust(data, *group, chances, above, keep) for group in _groups(data)]


def _trust(
    data: ProfileSet,
    statements: bool,
    likes: int,
    numbers: Sequence[int],
    chances: dict[int, np.ndarray],
    above: dict[int, np.ndarray],
    keep: float,
) -> Trust:
    labels = [data.situations[number].labels.astype(bool) for number in numbers]
    wanted, given = np.concatenate(labels), np.concatenate([chances[number] for number in numbers])
    kept = np.array([above[number][own].mean() for number, own in zip(numbers, labels, strict=True) if own.any()])
    return Trust(
        statements=statements,
        likes=likes,
        situations=len(numbers),
        share=float(wanted.mean()),
        brier=calibration.brier(wanted, given),
        brier_of_the_mean=calibration.brier(wanted, np.full(len(wanted), wanted.mean())),
        error=calibration.calibration_error(calibration.reliability(wanted, given)),
        bins=calibration.reliability(wanted, given),
        kept=float(kept.mean()),
        worst=float((kept < keep).mean()),
        away=float(np.mean([1 - above[number].mean() for number in numbers])),
    )


def _groups(data: ProfileSet) -> list[tuple[bool, int, list[int]]]:
    """(with statements?, likes, numbers of the situations), those with statements first."""
    keys = sorted({(not one.with_statements, one.k) for one in data.situations})
    return [
        (not without, k, [i for i, s in enumerate(data.situations) if (not s.with_statements, s.k) == (without, k)])
        for without, k in keys
    ]


@one_thread_each()
def fall_backs(
    data: ProfileSet, texts: Texts, said: Texts, model: str, *, progress: Progress | None = None, seed: int = 0
) -> list[str | None]:
    """Which simple ranking would order each situation's candidates, as its own history decides; None for the filter.

    The likes, with two dislikes after each, are lived through again among RIVALS items that are free to use.
    """
    stated = {text: row for row, text in enumerate(statements_of(data))}
    out: list[str | None] = [None] * len(data.situations)
    for free, numbers in backgrounds(data):
        ground = make_ground(model, texts, free, seed)
        interests = ground.background.features(said.vectors, said.counts, said.langs)
        for done, number in enumerate(numbers):
            situation = data.situations[number]
            if len(situation.likes) < fallback.ENOUGH:
                continue
            asked = np.array([stated[text] for text in situation.interests], np.int64)
            lived = _lived(situation, ground, texts, np.random.default_rng((seed, number)).permutation(free)[:RIVALS])
            wanted = Said(interests[asked], take(said.counts, asked), np.full(len(asked), STATEMENT), asked * 0.0)
            seen = replay(ground.background, *lived, wanted, spread(lived[1]), half_life_days=3.0, seed=seed)
            out[number] = fallback.decide(seen.marks).method
            if progress:
                progress("deciding on the fall-back", done + 1, len(numbers))
    return out


def _lived(situation: Situation, ground: Ground, texts: Texts, rivals: Ints) -> tuple[Pool, Acts]:
    """The history of a situation in a stream that was there from the start; a like a second, dislikes in between."""
    own = np.concatenate([situation.likes, situation.dislikes]).astype(np.int64)
    rows = np.concatenate([own, np.setdiff1d(rivals, own)])
    likes, dislikes = len(situation.likes), len(situation.dislikes)
    at = np.concatenate([np.arange(1.0, likes + 1), 1.3 + np.arange(dislikes) * likes / max(dislikes, 1)])
    weight = np.repeat([act_weight(Sign.LIKE), act_weight(Sign.DISLIKE)], [likes, dislikes])
    order = np.argsort(at, kind="stable")
    never = np.zeros(len(rows))
    return (
        Pool(ground.features[rows], take(texts.counts, rows), never, never, never.astype(np.int64)),
        Acts(order, weight[order], at[order]),
    )
