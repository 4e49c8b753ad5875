"""The level of an item: its chance as a word, the same wherever an item is shown."""

from __future__ import annotations

from attention_filter.types import Level

HIGH, WORTH = 0.6, 0.3  # chances from which on an item is wanted probably, and often enough to look
NAMES = {Level.HIGH: "High", Level.WORTH: "Worth a look", Level.MAYBE: "Maybe", Level.NO: "Not for you"}


def level_of(chance: float, away: bool) -> Level:
    """The level of an item with this chance; what lies `away` in the tray is not for the reader, whatever its chance.

    >>> level_of(0.7, away=False), level_of(0.1, away=False), level_of(0.1, away=True)
    (<Level.HIGH: 'high'>, <Level.MAYBE: 'maybe'>, <Level.NO: 'no'>)
    """
    if away:
        return Level.NO
    return Level.HIGH if chance >= HIGH else Level.WORTH if chance >= WORTH else Level.MAYBE
