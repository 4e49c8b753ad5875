"""Where does the filter lose? The situations cut by number of likes, number of interests and language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attention_filter.personal.evaluate import FILTER, READERS, Difference, Section, paired_bootstrap

WORSE = -0.005  # an interval of the AUC's difference that lies below this is a loss
MOST = 0.5  # of the situations must be a rival's, too
FEWEST = 5  # readers, below which a bootstrap over them says nothing


@dataclass(frozen=True)
class Facets:
    """What a situation is sorted by. An empty text: not known."""

    likes: int
    interests: str = ""
    lang: str = ""


@dataclass(frozen=True)
class Slice:
    """The situations of a section that share some facets; None: whatever that facet is, with at least one like.

    `rival` {measure: the simple method that did best in this very slice}, `filter_is_better_by` {measure: the paired
    difference to it}; a rival chosen by the answers of the slice is flattered. `means` are the filter's own.
    """

    section: str
    likes: int | None
    interests: str | None
    lang: str | None
    situations: int
    readers: int
    means: dict[str, float]
    rival: dict[str, str]
    filter_is_better_by: dict[str, Difference]

    @property
    def lost(self) -> bool:
        """Whether the 95 % interval of the AUC lies below WORSE: the filter is worse beyond doubt."""
        return "auc" in self.filter_is_better_by and self.filter_is_better_by["auc"].high < WORSE


def cut(section: Section, facets: Sequence[Facets], *, seed: int = 0) -> list[Slice]:
    """The whole section, each value of one facet, then every combination of all three; `facets` of its n situations.

    Slices of fewer than FEWEST readers are left out, and those that hold the same situations as one before.
    """
    out: list[Slice] = []
    seen: set[bytes] = set()
    for likes, interests, lang in _choices(facets):
        rows = np.array([_within(one, likes, interests, lang) for one in facets])
        readers = len(np.unique(section.clusters[rows]))
        if readers < FEWEST or rows.tobytes() in seen:
            continue
        seen.add(rows.tobytes())
        measured = [m for m, values in section.marks[FILTER].items() if not np.isnan(values[rows]).all()]
        marks = {m: {method: marks[m][rows] for method, marks in section.marks.items()} for m in measured}
        groups, clusters = section.groups[rows], section.clusters[rows]
        rival = {m: best for m, one in marks.items() if (best := best_rival(one, groups)) is not None}
        better = {m: paired_bootstrap(marks[m][FILTER], marks[m][rival[m]], clusters, groups, seed=seed) for m in rival}
        means = {m: mean_of_groups(one[FILTER], groups) for m, one in marks.items()}
        out.append(Slice(section.name, likes, interests, lang, int(rows.sum()), readers, means, rival, better))
    return out


def best_rival(marks: Mapping[str, np.ndarray], groups: np.ndarray) -> str | None:
    """The simple method that the filter is better than by the least, of those that ranked most of what it ranked.

    `marks` {method: (n,)}, compared where both ranked; `groups` (n,) as in `paired_bootstrap`.
    """
    differences = {
        method: marks[FILTER] - values
        for method, values in marks.items()
        if not method.startswith(FILTER) and not method.startswith(READERS)
    }
    most = (~np.isnan(marks[FILTER])).sum() * MOST
    ahead = {m: mean_of_groups(one, groups) for m, one in differences.items() if (~np.isnan(one)).sum() > most}
    return min(ahead, key=lambda method: ahead[method], default=None)


def _choices(facets: Sequence[Facets]) -> Iterator[tuple[int | None, str | None, str | None]]:
    likes = sorted({one.likes for one in facets})
    interests, langs = sorted({one.interests for one in facets}), sorted({one.lang for one in facets})
    yield None, None, None
    yield from ((one, None, None) for one in likes)
    yield from ((None, one, None) for one in interests)
    yield from ((None, None, one) for one in langs)
    yield from ((k, n, lang) for k in likes for n in interests for lang in langs)


def _within(one: Facets, likes: int | None, interests: str | None, lang: str | None) -> bool:
    return (
        (one.likes == likes or (likes is None and one.likes >= 1))
        and interests in (None, one.interests)
        and lang in (None, one.lang)
    )


def mean_of_groups(values: np.ndarray, groups: np.ndarray) -> float:
    """The mean over the groups of the means within a group, of what was measured."""
    known = ~np.isnan(values)
    return float(np.mean([values[known & (groups == group)].mean() for group in np.unique(groups[known])]))
