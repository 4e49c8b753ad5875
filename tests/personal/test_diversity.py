import numpy as np
import pytest
from scipy import sparse

from attention_filter.personal.diversity import Spread, Volume, fold_stories
from attention_filter.personal.features import Features, similarity, word_cosines
from attention_filter.personal.lists import arrange


def test_a_story_is_led_by_its_best_item_and_like_stands_under_like(world):
    rows = [0, 1, 2, 0, 1]
    stories = fold_stories(np.array([1.0, 2.0, 3.0, 4.0, 0.0]), world.features[rows], np.zeros(5))
    told = {story.lead: story.others for story in stories if story.others}
    assert told.items() >= {3: (0,), 1: (4,)}.items()


def test_folding_block_by_block_does_as_folding_one_by_one(world, monkeypatch):
    monkeypatch.setattr("attention_filter.personal.diversity.AT_ONCE", 7)
    scores, dates = world.rng.normal(size=len(world.features)), np.zeros(len(world.features))
    alike = word_cosines(world.features, world.features) >= 0.5
    alike |= similarity(world.features, world.features, 0.0) >= 0.85
    told = {}
    for row in np.argsort(-scores, kind="stable").tolist():
        told.setdefault(next((lead for lead in told if alike[row, lead]), row), []).append(row)
    assert [[story.lead, *story.others] for story in fold_stories(scores, world.features, dates)] == list(told.values())


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
