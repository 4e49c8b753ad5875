"""One act learned or unlearned, without going through the whole history again.

A_kj depends on item j alone, so an act adds a column to A and its own rank-one part to U, O(K·d), and taking it back
takes the same away. The taste, which weighs all examples against each other, is corrected from the one before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import sparse

from attention_filter.personal import ranking
from attention_filter.personal.features import Features, one_word_row, stack
from attention_filter.personal.feedback import History
from attention_filter.personal.ranking import Head, Profile
from attention_filter.personal.threads import one_thread_each


@one_thread_each()
def with_act(profile: Profile, row: Features, weight: float, key: int) -> Profile:
    """The profile after one more act: item `key` with its features (1,) and the act's signed weight a_j.

    Equal to `ranking.make_profile` of the longer history at the same scale, up to rounding.
    """
    history = profile.history
    longer = History(
        stack([history.features, row]),
        np.append(history.weight, np.float32(weight)),
        np.append(history.statement, False),
        (*history.keys, key),
    )
    if not profile.heads:
        return ranking.make_profile(profile.background, longer, profile.scale, profile.wanted)
    heads = []
    for head in profile.heads:
        column = ranking.attention(head.prototypes, row.meaning, "queries")  # A_kj, (K, 1)
        heads.append(_moved(replace(head, a=np.hstack([head.a, column])), column * np.float32(weight), row))
    stood = np.append(np.arange(len(history)), -1)
    before = (profile.taste, stood) if profile.taste else None
    return ranking.with_taste(replace(profile, history=longer, heads=tuple(heads)), before)


@one_thread_each()
def without_act(profile: Profile, key: int) -> Profile:
    """The profile as if the act on item `key` had never been."""
    history = profile.history
    place = history.keys.index(key)
    shorter = history.without(key)
    if not len(shorter):
        return ranking.make_profile(profile.background, shorter, profile.scale, profile.wanted)
    row = history.features[[place]]
    heads = []
    for head in profile.heads:
        column = head.a[:, [place]]
        rest = replace(head, a=np.delete(head.a, place, axis=1))
        heads.append(_moved(rest, -column * history.weight[place], row))
    before = (profile.taste, np.delete(np.arange(len(history)), place)) if profile.taste else None
    return ranking.with_taste(replace(profile, history=shorter, heads=tuple(heads)), before)


def _moved(head: Head, weighted: np.ndarray, row: Features) -> Head:
    """The head with `weighted` (K, 1) times the row added to what it has learned."""
    words = head.words
    if words is not None:
        slots, said = one_word_row(row)
        rows = np.arange(len(weighted) + 1) * len(slots)
        outer = (weighted @ said[None]).ravel(), np.tile(slots, len(weighted)), rows
        words = sparse.csr_array(words + sparse.csr_array(outer, shape=words.shape))
    return replace(head, learned=(head.learned + weighted @ row.meaning).astype(np.float32), words=words)
