"""What a reader did and said, as the signed weights that the ranking attends with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from attention_filter.personal.features import Features, Floats
from attention_filter.types import Sign

# Signed weight a_j of each act. Dislikes weigh little: what a person rejects says less about what they want.
# Fitted by hand on Reuters profiles and Chinese titles, 2026-11; the optimum is flat from 0 to -0.5.
WEIGHTS = {
    Sign.LIKE: 1.0,
    Sign.SAVE: 1.2,
    Sign.READ: 0.5,
    Sign.SKIP: -0.1,
    Sign.DISLIKE: -0.25,
    Sign.HIDE: -0.25,
}
STATEMENT = 2.0  # a statement is a strong like
HALF_LIFE_DAYS = 180.0  # of an act; statements do not age


@dataclass(frozen=True)
class History:
    """m rows: past items and stated interests. `weight` (m,) is a_j, `statement` (m,) marks the statements.

    `keys` names the rows: an item's id, or minus an interest's id.
    """

    features: Features
    weight: Floats
    statement: np.ndarray  # bool (m,)
    keys: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.keys)

    def without(self, key: int) -> History:
        """The same history as if the act on `key` had never been."""
        keep = np.array([k != key for k in self.keys], bool)
        kept = tuple(k for k in self.keys if k != key)
        return replace(
            self,
            features=self.features[keep],
            weight=self.weight[keep],
            statement=self.statement[keep],
            keys=kept,
        )


def act_weight(sign: Sign, age_days: float = 0.0) -> float:
    """a_j of one act: sign × weight × time decay.

    >>> act_weight(Sign.LIKE), act_weight(Sign.LIKE, age_days=180)
    (1.0, 0.5)
    """
    return float(WEIGHTS[sign] * 0.5 ** (max(age_days, 0.0) / HALF_LIFE_DAYS))
