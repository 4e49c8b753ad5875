"""A small world drawn from a seed: vectors in clumps, words that go with the clumps."""

import numpy as np
import pytest

from attention_filter.personal.background import make_background
from attention_filter.personal.features import Counts
from attention_filter.personal.feedback import History
from attention_filter.words import count_terms

DIM, TOPICS = 16, 5


class World:
    def __init__(self, seed=0, items=200):
        self.rng = np.random.default_rng(seed)
        self.topics = self.rng.normal(size=(TOPICS, DIM))
        self.topic = self.rng.integers(0, TOPICS, items)
        vectors = self.topics[self.topic] + 0.7 * self.rng.normal(size=(items, DIM)) + 3.0
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.texts = [" ".join([f"topic{t}word{w}" for w in self.rng.integers(0, 20, 12)]) for t in self.topic.tolist()]
        self.counts = counts_of(self.texts)
        self.background = make_background(
            "test", self.vectors, self.counts, ["en"] * items, self.topic.astype(np.int64)
        )
        self.features = self.background.features(self.vectors, self.counts, ["en"] * items)

    def history(self, items, weights, statements=()):
        """Feedback on `items`, then one statement (weight 2) about each topic in `statements`."""
        vectors = np.concatenate([self.vectors[items], unit(self.topics[list(statements)] + 3.0)]).astype(np.float32)
        texts = [self.texts[i] for i in items] + [f"topic{t}word1 topic{t}word2" for t in statements]
        return History(
            features=self.background.features(vectors, counts_of(texts), ["en"] * len(texts)),
            weight=np.array([*weights, *[2.0] * len(statements)], np.float32),
            statement=np.array([False] * len(items) + [True] * len(statements), bool),
            keys=(*map(int, items), *[-1 - t for t in statements]),
        )


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)


def counts_of(texts):

    rows = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    both = np.concatenate(rows) if rows else count_terms("")
    return Counts(start, both["id"].copy(), both["count"].copy())


@pytest.fixture(scope="session")
def world():
    return World()


@pytest.fixture(scope="session")
def count():
    """The term counts of texts."""
    return counts_of
