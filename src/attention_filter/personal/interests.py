"""The stated interests over items: which one claims an item, and where each of them looks."""

from __future__ import annotations

import numpy as np

from attention_filter.personal.features import Features, Floats, similarity
from attention_filter.personal.ranking import Profile, attention
from attention_filter.personal.threads import one_thread_each


@one_thread_each()
def claims(profile: Profile, candidates: Features) -> np.ndarray:
    """Which stated interest claims each candidate: its row in the history, or -1 (n,).

    That is A's largest entry in the candidate's column over the interests as queries. An interest claims only
    what lies closer to it than background items do, by one deviation.
    """
    rows = np.flatnonzero(profile.history.statement)
    if not len(rows) or not len(candidates):
        return np.full(len(candidates), -1)
    interests = profile.history.features[rows]
    word_weight = profile.background.word_weight
    kernel = similarity(candidates, interests, word_weight)
    usual = similarity(profile.background.sample, interests, word_weight)
    best = attention(interests.meaning, candidates.meaning, "queries").argmax(0)
    best = np.where((candidates.meaning == 0).all(1), kernel.argmax(1), best)
    bar = usual.mean(0) + usual.std(0) if len(usual) else np.zeros(len(rows))
    wanted = profile.history.weight[rows[best]] > 0
    return np.where(wanted & (kernel[np.arange(len(best)), best] > bar[best]), rows[best], -1)


@one_thread_each()
def matrices(profile: Profile, items: Features) -> tuple[Floats, Floats]:
    """A and H over the stated interests (K) and n items, both (K, n): who claims an item, where an interest looks."""
    interests = profile.history.features[profile.history.statement].meaning
    return attention(interests, items.meaning, "queries"), attention(interests, items.meaning, "keys")
