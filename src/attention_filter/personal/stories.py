"""Which items tell the same story: in another feed, in almost the same words, or under the same title.

What was read of a story is read of all its copies. What comes later and clearly adds to it is shown again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attention_filter.personal.features import Features, similarity, word_cosines

SAME_WORDS = 0.5  # cosine of TF-IDF above which two items tell one story …
FEW_WORDS = 4  # different words of a text that tell something; fewer may be shared by chance
SAME_MEANING = 0.85  # … or cosine of centred meaning
SAME_PAGE = 0.2  # cosine of TF-IDF that is enough when both link to the same page
COPY_WORDS, COPY_MEANING = 0.8, 0.95  # the same of copies: one has no place in any list once another is read
SAME_DAYS = 4.0  # within this time of each other
TITLE_BYTES = 20  # letters and digits of a title that two sources hardly choose by chance: 7 Chinese characters
AT_ONCE = 256  # items compared with all others at once, to bound the memory

TOLD_ENOUGH = 20  # different words of a text that can be added to; of a shorter one nobody knows what was read
LONGER, MUCH_NEW = 1.5, 0.4  # times the words, and the share of their weight that is new, of what adds to a text …
LATER, MOSTLY_NEW = 12 * 3600.0, 0.6  # … or seconds later and mostly new


@dataclass(frozen=True)
class Articles:
    """n items as they are compared: `dates` (n,) in seconds, `sources` (n,), and numbers int64 (n,) that are the same
    for the same title and for the same link, 0 for none."""

    features: Features
    dates: np.ndarray
    sources: np.ndarray
    titles: np.ndarray
    links: np.ndarray

    def __len__(self) -> int:
        return len(self.dates)

    def __getitem__(self, rows: np.ndarray) -> Articles:
        return Articles(self.features[rows], self.dates[rows], self.sources[rows], self.titles[rows], self.links[rows])


def make_articles(
    features: Features, dates: np.ndarray, sources: np.ndarray, titles: Sequence[str], urls: Sequence[str | None]
) -> Articles:
    """The articles with these features, titles and links; a title too short to tell a story by counts as none."""
    plain = ("".join(filter(str.isalnum, title.casefold())) for title in titles)
    said = [hash(title) if len(title.encode()) >= TITLE_BYTES else 0 for title in plain]
    links = [hash(url) if url else 0 for url in urls]
    return Articles(features, dates, sources, np.array(said, np.int64), np.array(links, np.int64))


@dataclass(frozen=True)
class Story:
    """Row of the item that leads and the rows folded under it, best first."""

    lead: int
    others: tuple[int, ...]


@dataclass(frozen=True)
class Retold:
    """What n new items are to what was read: the row of what each `repeats` or `adds` to, −1 for none; never both."""

    repeats: np.ndarray
    adds: np.ndarray


def alike(some: Articles, others: Articles) -> np.ndarray:
    """Which of the others tell the same story as each of `some`, bool (n, m)."""
    return _compared(some, others)[0]


def _compared(some: Articles, others: Articles) -> tuple[np.ndarray, np.ndarray]:
    """Which of the others tell the same story as each of `some`, and which are copies, both bool (n, m).

    Two items of one source are compared by what they say alone: a series has one title, a list of changes one link.
    """
    words, meaning = word_cosines(some.features, others.features), similarity(some.features, others.features, 0.0)
    words *= (_lengths(some) >= FEW_WORDS)[:, None] & (_lengths(others) >= FEW_WORDS)
    titles, links = some.titles[:, None], some.links[:, None]
    named = (titles != 0) & (titles == others.titles)
    named |= (links != 0) & (links == others.links) & (words >= SAME_PAGE)
    named &= some.sources[:, None] != others.sources
    near = np.abs(some.dates[:, None] - others.dates) <= SAME_DAYS * 86_400
    same = near & (named | (words >= SAME_WORDS) | (meaning >= SAME_MEANING))
    return same, same & (named | (words >= COPY_WORDS) | (meaning >= COPY_MEANING))


def _lengths(articles: Articles) -> np.ndarray:
    """How many words of each text tell something (n,)."""
    return np.diff(articles.features.words.indptr)


def fold_stories(scores: np.ndarray, articles: Articles) -> list[Story]:
    """Fold near-duplicates under their best-scored one. Best story first.

    A row joins the first story whose lead it resembles, so no chain of small steps joins unlike items.
    """
    order = np.lexsort((np.arange(len(scores)), -scores))
    free = np.ones(len(scores), bool)
    stories = []
    for start in range(0, len(order), AT_ONCE):
        block = order[start : start + AT_ONCE]
        block = block[free[block]]
        for row, like in zip(block.tolist(), alike(articles[block], articles), strict=True):
            if free[row]:
                others = order[(like & free)[order] & (order != row)]
                free[others] = False
                free[row] = False
                stories.append(Story(row, tuple(others.tolist())))
    return stories


def one_each(priority: np.ndarray, articles: Articles) -> np.ndarray:
    """Which rows (n,) speak for their story: of copies the one with the highest `priority`.

    Any number of items will do: each is compared with what came within SAME_DAYS of it alone.
    """
    like = [set[int]() for _ in range(len(articles))]
    for rows, window, _, copies in _windows(articles, articles):
        for place, other in np.argwhere(copies).tolist():
            like[rows[place]].add(int(window[other]))
    kept, free = np.zeros(len(articles), bool), np.ones(len(articles), bool)
    for row in np.lexsort((np.arange(len(priority)), -priority)).tolist():
        if free[row]:
            kept[row] = True
            free[list(like[row])] = False
    return kept


def retold(new: Articles, came: np.ndarray, read: Articles, at: np.ndarray) -> Retold:
    """What of `new`, which `came` (n,) at these seconds, repeats or adds to what was read `at` (m,) these.

    A copy of what was read repeats it, but where it came later and says clearly more. What tells the same story in
    other words repeats nothing, and adds to it only then.
    """
    repeats, adds = np.full(len(new), -1), np.full(len(new), -1)
    for rows, window, same, copies in _windows(new, read):
        for place in np.flatnonzero(same.any(1)).tolist():
            row = int(rows[place])
            for other in window[same[place]].tolist():
                if came[row] > at[other] and _adds(new, row, read, other):
                    adds[row] = other
                elif copies[place, np.searchsorted(window, other)]:
                    repeats[row], adds[row] = other, -1
                    break
    return Retold(repeats, adds)


def _windows(some: Articles, others: Articles) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Rows of `some`, the rows of `others` that came within SAME_DAYS of any of them, and how they compare."""
    order, theirs = np.argsort(some.dates, kind="stable"), np.argsort(others.dates, kind="stable")
    dates = others.dates[theirs]
    for start in range(0, len(order), AT_ONCE):
        rows = order[start : start + AT_ONCE]
        near = SAME_DAYS * 86_400
        first = np.searchsorted(dates, some.dates[rows[0]] - near)
        last = np.searchsorted(dates, some.dates[rows[-1]] + near, side="right")
        window = np.sort(theirs[first:last])
        if len(window):
            yield rows, window, *_compared(some[rows], others[window])


def _adds(new: Articles, row: int, read: Articles, other: int) -> bool:
    """Whether a text is clearly longer than one that was read, or later and mostly new."""
    words, known = new.features.words[[row]], read.features.words[[other]].indices
    many, before = len(np.unique(words.indices)), len(np.unique(known))
    if before < TOLD_ENOUGH or many < TOLD_ENOUGH:
        return False
    fresh = float((words.data[~np.isin(words.indices, known)] ** 2).sum())  # rows are unit vectors
    later = new.dates[row] - read.dates[other]
    return (many >= LONGER * before and fresh >= MUCH_NEW and later >= 0) or (later >= LATER and fresh >= MOSTLY_NEW)
