"""Interest Islands, the personal ranking of RSSMonster, re-stated from its documentation (docs/interest-islands.md).

What a reader did with an item adds up to its evidence: a bookmark or like +4, a deep read +3, a click +1.5 (two
count), a dislike −4, each fading with a half-life of 1,460 days down to a floor of .2. At each calibration the items
with evidence, the strongest first, join the nearest candidate island at a cosine of .64 or open one. A candidate that
is as near as .78 to an island of before becomes that island, whose centroid takes .35 of it; the ten islands of the
largest weights stay. An item's score is the best weighted cosine among the islands of what is liked,
plus the worst among those of what is disliked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LIKE, READ, CLICK, DISLIKE = 4.0, 3.0, 1.5, -4.0
JOIN, REUSE, BLEND, MOST = 0.64, 0.78, 0.35, 10
HALF_LIFE, FLOOR = 1_460.0, 0.2  # days; of an act


@dataclass(frozen=True)
class Island:
    """`centre` (d,), a unit vector, and `weight` in [−1, 1]."""

    centre: np.ndarray
    weight: float


def fade(evidence: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Evidence (n,) of acts that are `age` (n,) days old.

    >>> fade(np.array([4.0, 4.0, -4.0]), np.array([0.0, 1460.0, 1e6])).tolist()
    [4.0, 2.0, -0.8]
    """
    return evidence * np.maximum(0.5 ** (np.maximum(age, 0) / HALF_LIFE), FLOOR)


def calibrate(islands: Sequence[Island], vectors: np.ndarray, evidence: np.ndarray) -> list[Island]:
    """The islands after a calibration on unit `vectors` (n, d) with `evidence` (n,).

    >>> [island.weight for island in calibrate([], np.eye(3), np.array([4.0, -4.0, 0.0]))]
    [1.0, -1.0]
    """
    candidates: list[list[int]] = []
    centres = np.zeros((0, vectors.shape[1]))
    for row in np.argsort(-np.abs(evidence), kind="stable").tolist():
        if not evidence[row]:
            continue
        near = centres @ vectors[row]
        if len(near) and near.max() >= JOIN:
            candidates[int(near.argmax())].append(row)
        else:
            candidates.append([row])
        centres = np.array([_unit(np.abs(evidence[rows]) @ vectors[rows]) for rows in candidates])
    found = [
        Island(centre, float(np.clip(evidence[rows].mean() / LIKE, -1, 1)))
        for centre, rows in zip(centres, candidates, strict=True)
    ]
    kept = list(islands)
    for island in found:
        near = np.array([one.centre @ island.centre for one in kept])
        if len(near) and near.max() >= REUSE:
            place = int(near.argmax())
            kept[place] = Island(_unit((1 - BLEND) * kept[place].centre + BLEND * island.centre), island.weight)
        else:
            kept.append(island)
    return sorted(kept, key=lambda one: -abs(one.weight))[:MOST]


def score(islands: Sequence[Island], vectors: np.ndarray) -> np.ndarray | None:
    """Scores (n,) of unit `vectors` (n, d); None without an island."""
    if not islands:
        return None
    worth = np.maximum(vectors @ np.array([one.centre for one in islands]).T, 0) * [one.weight for one in islands]
    return np.asarray(np.maximum(worth.max(1), 0) + np.minimum(worth.min(1), 0))


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / (np.linalg.norm(vector) or 1.0))
