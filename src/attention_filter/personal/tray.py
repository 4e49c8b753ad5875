"""What is filtered away: where the line lies below which an item goes to the tray."""

from __future__ import annotations

import numpy as np

KEEP = 0.95  # the promise: this share of what the reader would want stays in the stream
ENOUGH_LIKES = 20  # before that, the promise cannot be checked on the reader's own history
UNKNOWN_CUT = 0.25  # until then, this share of ordinary items goes to the tray


def line(ordinary: np.ndarray, liked: np.ndarray) -> float:
    """The score below which an item goes to the tray; −inf while nothing is known of the reader.

    `ordinary` are scores of background items. `liked` are scores of liked items, each held out of its own history.
    With enough likes the line is the one that would have kept KEEP of them in the stream, else the lowest
    UNKNOWN_CUT of ordinary items lies below, but never a liked item.

    >>> line(np.arange(100.0), np.array([]))
    24.75
    >>> line(np.arange(100.0), np.array([10.0, 60.0]))
    10.0
    """
    if not len(ordinary) or np.ptp(ordinary) == 0:
        return float("-inf")
    if len(liked) >= ENOUGH_LIKES:
        return float(np.quantile(liked, 1 - KEEP, method="lower"))
    return float(min([np.quantile(ordinary, UNKNOWN_CUT), *liked]))
