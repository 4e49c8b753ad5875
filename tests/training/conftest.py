"""A small log of readers who each like one of four topics, with vectors that say the topic."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from attention_filter.logs import ClickLog, Impression, LogItem

TOPICS, DIM, ITEMS = 4, 16, 120
START = datetime(2026, 1, 1, tzinfo=UTC)
torch.set_num_threads(1)


def made_log(impressions=80, *, seed=0, follows_topic=True):
    """(log, vectors (ITEMS, DIM)): clicks go to the reader's topic, or to nobody's when `follows_topic` is False."""
    rng = np.random.default_rng(seed)
    topic = np.arange(ITEMS) % TOPICS
    directions = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0][:TOPICS]
    vectors = directions[topic] + 0.12 * rng.standard_normal((ITEMS, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    items = tuple(LogItem(f"i{row}", f"item {row}", category=f"c{topic[row] // 2}") for row in range(ITEMS))
    shown = []
    for number in range(impressions):
        likes = int(rng.integers(TOPICS))
        past = rng.choice(np.flatnonzero(topic == likes), int(rng.integers(1, 8)), replace=False)
        candidates = rng.choice(ITEMS, int(rng.integers(4, 9)), replace=False)
        if likes not in topic[candidates]:
            candidates[0] = rng.choice(np.flatnonzero(topic == likes))
        labels = topic[candidates] == likes if follows_topic else rng.random(len(candidates)) < 0.3
        shown.append(
            Impression(
                id=str(number),
                user=f"u{number}",
                time=START + timedelta(minutes=10 * number),
                history=past.astype(np.int32),
                candidates=candidates.astype(np.int32),
                labels=labels,
            )
        )
    cut = impressions * 3 // 4
    return ClickLog(items, tuple(shown[:cut]), tuple(shown[cut:])), vectors


@pytest.fixture
def make_log():
    return made_log
