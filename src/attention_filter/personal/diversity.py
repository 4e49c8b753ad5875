"""From scores to a list: near-duplicates become one story, and the top is varied."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Features, similarity, word_cosines

SAME_WORDS = 0.5  # cosine of TF-IDF above which two items tell one story …
SAME_MEANING = 0.85  # … or cosine of centred meaning
SAME_DAYS = 4.0  # within this time of each other


@dataclass(frozen=True)
class Story:
    """Row of the item that leads and the rows folded under it, best first."""

    lead: int
    others: tuple[int, ...]


def fold_stories(scores: np.ndarray, features: Features, dates: np.ndarray) -> list[Story]:
    """Fold near-duplicates under their best-scored one. `dates` (n,) are in seconds. Best story first.

    A row joins the first story whose lead it resembles, so no chain of small steps joins unlike items.
    """
    order = np.lexsort((np.arange(len(scores)), -scores))
    alike = (word_cosines(features, features) >= SAME_WORDS) | (similarity(features, features, 0.0) >= SAME_MEANING)
    alike &= np.abs(dates[:, None] - dates[None, :]) <= SAME_DAYS * 86_400
    leads: list[int] = []
    folded: dict[int, list[int]] = {}
    for row in order:
        lead = next((lead for lead in leads if alike[row, lead]), None)
        if lead is None:
            leads.append(int(row))
        else:
            folded.setdefault(lead, []).append(int(row))
    return [Story(lead, tuple(folded.get(lead, ()))) for lead in leads]


def vary(scores: np.ndarray, features: Features, limit: int, variety: float) -> list[int]:
    """Rows of the first `limit` places by maximal marginal relevance (Carbonell & Goldstein 1998).

    Each place goes to the row with the largest (1 − x)·relevance − x·(closeness to a row already placed), where
    x = variety / 2 and relevance is the score in deviations. `variety` 0 gives the order of the scores.

    >>> import numpy as np
    >>> from scipy import sparse
    >>> meaning = np.array([[1, 0], [1, 0], [0, 1], [0, -1]], np.float32)
    >>> twins_first = Features(meaning, sparse.csr_array((4, 9), dtype=np.float32))
    >>> vary(np.array([3.0, 2.9, 2.8, 0.0]), twins_first, 3, variety=1.0)
    [0, 2, 1]
    """
    x = variety / 2
    relevance = (1 - x) * scores / (scores.std() or 1.0)
    closeness = np.full(len(scores), -np.inf)
    left = np.ones(len(scores), bool)
    placed: list[int] = []
    while len(placed) < min(limit, len(scores)):
        value = relevance - x * closeness if placed and x else relevance
        row = int(np.where(left, value, -np.inf).argmax())
        placed.append(row)
        left[row] = False
        if x:
            closeness = np.maximum(closeness, similarity(features, features[[row]], 1.0).ravel())
    return placed
