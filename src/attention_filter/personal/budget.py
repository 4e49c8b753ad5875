"""How many stories deserve the day, and who is sure of a place among them."""

from __future__ import annotations

import numpy as np
import regex

from attention_filter.personal.levels import WORTH
from attention_filter.personal.lists import AtLeast

LEAST = 10  # stories of a page, where there are so many
ENOUGH = 0.9  # the share of what is expected to be wanted at which a page ends
AT_FIRST, ONCE_KNOWN = 0.25, 0.2  # the share of what came that a page may be, where that is more than LEAST …
KNOWN = 20  # … before and after so many likes
PROMISING = 0.5  # of the page's median chance: an interest whose best item has less has nothing good today
EACH_INTEREST, NEW_SOURCE = "so that each interest has its place", "from a source that is new here"
WORDS_A_MINUTE, CHARACTERS_A_MINUTE = 230, 400  # of silent reading, English and Chinese
_CHINESE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


def minutes(text: str) -> float:
    """How long a text takes to read.

    >>> minutes("word " * 460), minutes("字" * 200)
    (2.0, 0.5)
    """
    characters = len(_CHINESE.findall(text))
    return len(_CHINESE.sub(" ", text).split()) / WORDS_A_MINUTE + characters / CHARACTERS_A_MINUTE


def most_of(came: int, likes: int, stories: int) -> int:
    """How many stories a page may hold of so many items that came, within a budget of `stories`.

    >>> most_of(1_000, 0, 30), most_of(60, 0, 30), most_of(60, 20, 30), most_of(12, 0, 30)
    (30, 15, 12, 10)
    """
    return min(stories, max(LEAST, int((ONCE_KNOWN if likes >= KNOWN else AT_FIRST) * came)))


def enough(chances: np.ndarray, beyond: float, most: int, takes: np.ndarray | None = None, time: float = 0.0) -> int:
    """How many of n stories with these `chances`, largest first, make a page.

    As many as hold ENOUGH of what is expected to be wanted, `beyond` of it in what is not listed here; at least LEAST
    and at most `most`, and never more than `takes` (n,) minutes each fit into a `time` above 0. Where nothing is known
    (NaN), as many as there may be.

    >>> enough(np.array([0.9] * 12 + [0.1] * 20), beyond=0.0, most=30), enough(np.full(50, 0.1), 0.0, most=30)
    (20, 30)
    >>> enough(np.full(50, 0.1), 0.0, most=30, takes=np.full(50, 4.0), time=20.0)
    5
    """
    known = chances.cumsum()
    share = known / (known[-1] + beyond) if len(known) else known
    reached = share < ENOUGH if not np.isnan(known).any() else np.ones(len(known), bool)
    places = min(max(int(reached.sum()) + 1, LEAST), most, len(chances))
    if time and takes is not None:
        places = min(places, max(int((takes.cumsum() <= time).sum()), 1))
    return places


def fair(chances: np.ndarray, claimed: np.ndarray, places: int) -> list[AtLeast]:
    """A place for each interest that has something good among n stories, the best first; `claimed` (n,) says which
    interest claims a story, −1 for none.

    >>> musts = fair(np.array([0.8, 0.7, 0.6, 0.5, 0.2]), np.array([4, 4, 4, 7, 9]), places=3)
    >>> [must.members.tolist().index(True) for must in musts]
    [0, 3]
    """
    if not places:
        return []
    good = chances >= min(WORTH, PROMISING * float(np.median(chances[:places])))
    _, first = np.unique(claimed, return_index=True)
    owners = [int(claimed[row]) for row in np.sort(first).tolist() if claimed[row] >= 0 and good[row]]
    return [
        AtLeast(f"interest {owner} at least 1", (claimed == owner) & good, 1, EACH_INTEREST)
        for owner in owners[: places // 2 + 1]
    ]
