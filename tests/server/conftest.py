"""A server on a database in a temporary folder, as a browser on the same machine sees it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from attention_filter.models.encoder import TokenStates
from attention_filter.server.app import create_app
from attention_filter.settings import Settings
from attention_filter.types import Entry, SourceKind
from attention_filter.words import occurrences, words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class HashedWords:
    """An encoder whose vector is the mean of one fixed random vector per word."""

    id, dim = "hashed-words", 32

    def _state(self, word):
        return np.random.default_rng(sum(map(ord, word)) * 7919 + len(word)).normal(size=self.dim) + 1.0

    def encode(self, texts, *, progress=None):
        rows = np.array([np.mean([self._state(w) for w in words(t)] or [np.ones(self.dim)], axis=0) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def token_states(self, text):
        found = occurrences(text)
        return TokenStates([(s, e) for s, e, _ in found], np.array([self._state(w) for _, _, w in found]))


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(tmp_path, clock):
    settings = Settings(db=f"sqlite:///{tmp_path / 'page.db'}", exploration=0.0, variety=0.0, wordnet=str(tmp_path))
    made = create_app(settings, worker=False, clock=clock)
    made.state.site.__dict__["_encoder"] = HashedWords()
    yield made
    made.state.site.store.close()


@pytest.fixture
def browser(app):
    said = {"Origin": "http://127.0.0.1", "Accept": "text/html"}
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000), headers=said)


@pytest.fixture
def strange(app):
    """From now on it is somebody else who looks."""
    return lambda: setattr(app.state.access, "_reader", "stranger")


@pytest.fixture
def mine(app):
    return app.state.site.filter("me")


@pytest.fixture
def stocked(mine):
    """The reader's filter with two feeds, ten items each, all encoded; nobody need be asked for them."""
    topics = {"Rust Weekly": "rust compiler borrow crate", "Green Post": "solar battery wind grid"}
    for name, said in topics.items():
        source = mine.store.add_source(
            f"https://{name.split()[0].lower()}.example/feed", SourceKind.FEED, title=name, now=NOW
        )
        entries = [
            Entry(
                f"{name}-{n}",
                f"{said.split()[n % 4]} story {n}",
                f"https://e.example/{name[0]}{n}",
                text=f"{said} {n}",
                lang="en",
                published=NOW - timedelta(hours=n),
            )
            for n in range(10)
        ]
        mine.store.add_entries(source.id, entries, NOW)
    mine.understand(changed=True)
    return mine
