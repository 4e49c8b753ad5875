import numpy as np
import pytest
from scipy import sparse

from attention_filter.personal.diversity import Spread, Volume
from attention_filter.personal.features import Features, similarity
from attention_filter.personal.lists import arrange


@pytest.mark.filterwarnings("error")
def test_volume_finds_what_greedy_determinants_find(world):
    rows, relevance = world.features[list(range(30))], world.rng.normal(size=30)
    kernel = similarity(rows, rows, 1.0).astype(float) / 2
    np.fill_diagonal(kernel, 1.0)
    kernel *= np.exp(relevance)[:, None] * np.exp(relevance)[None, :]
    best: list[int] = []
    for _ in range(8):
        left = [row for row in range(30) if row not in best]
        best.append(max(left, key=lambda row: np.linalg.slogdet(kernel[np.ix_([*best, row], [*best, row])])[1]))
    assert arrange(relevance, 8, [Volume(rows, 0.5, 8)]).rows == best


def test_what_repeats_the_top_is_placed_later():
    meaning = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    words = sparse.csr_array(np.eye(3, dtype=np.float32)[[0, 0, 1]])
    assert arrange(np.array([1.0, 0.9, 0.8]), 3, [Volume(Features(meaning, words), 0.1, 3)]).rows == [0, 2, 1]


def test_a_source_that_speaks_two_hundred_times_as_much_leaves_room_for_the_rare_ones():
    sources = np.concatenate([np.zeros(2_000, int), np.repeat(np.arange(1, 11), 10)])

    def rare(strength):
        heard = []
        for seed in range(20):
            score = np.random.default_rng(seed).normal(size=len(sources))
            rows = arrange(score, 20, [Spread(sources, strength)]).rows
            heard.append(len(set(sources[rows].tolist()) - {0}))
        return np.mean(heard)

    assert rare(0.0) < 1.3
    assert rare(0.1) > 1.5 * rare(0.0)
