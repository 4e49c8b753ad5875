"""One server on a database in a temporary folder, and browsers that visit it.

def test_x(place):
    anna = place.member("anna")            # a browser that is signed in; the first one is the owner
    assert anna.get("/account").status_code == 200
    place.clock.go(minutes=5)
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from attention_filter.models.encoder import TokenStates
from attention_filter.server.access import Access
from attention_filter.server.app import create_app
from attention_filter.server.passwords import hash_password
from attention_filter.server.worker import Worker
from attention_filter.settings import Settings
from attention_filter.store.accounts import Account, Accounts
from attention_filter.store.secrets import INVITATION
from attention_filter.store.store import Store, open_store
from attention_filter.types import Entry, SourceKind
from attention_filter.words import occurrences, words

PASSWORD = "correct horse"


@cache
def hashed() -> str:
    """The hash of PASSWORD: argon2 is slow on purpose, so the tests make it once."""
    return hash_password(PASSWORD)


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def go(self, **span: float) -> None:
        self.now += timedelta(**span)


class Place:
    """A running server without a worker."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.app: FastAPI = create_app(settings, worker=False, clock=self.clock)
        self.app.state.site.__dict__["_encoder"] = HashedWords()
        self.store: Store = self.app.state.site.store
        self.accounts: Accounts = self.store.accounts
        self.access: Access = self.app.state.access

    def browser(self, origin: str = "http://localhost:8000", address: str = "127.0.0.1", **headers: str) -> TestClient:
        """A browser that shows a page of ours; it follows no redirect by itself."""
        said = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        return TestClient(self.app, origin, headers=said, client=(address, 50_000), follow_redirects=False)

    def account(self, name: str) -> Account:
        """A new account; the first is the owner's and has the reader of the command line."""
        now = self.clock()
        owner = next(iter(self.accounts.all()), None)
        invitation = self.accounts.make_secret(owner.reader, INVITATION, name, now=now) if owner else None
        return self.accounts.create(name, hashed(), adopt="me", invitation=invitation, now=now)

    def member(self, name: str) -> TestClient:
        """A browser that is signed in to a new account."""
        token = self.accounts.start_session(self.account(name).id, self.clock())
        browser = self.browser()
        browser.cookies.set("attention-session", token, domain="localhost.local")  # what cookie jars call localhost
        return browser


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was just made: copying it is quicker than migrating anew for each test."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def place_with(tmp_path: Path, empty_database: Path) -> Iterator[Callable[..., Place]]:
    """Makes servers with other settings, each on a database of its own."""
    places: list[Place] = []

    def make(**changes: object) -> Place:
        database = shutil.copy(empty_database, tmp_path / f"{len(places)}.db")
        # A folder without WordNet's files, whatever the machine has.
        own = {"db": f"sqlite:///{database}", "wordnet": str(database.parent)}
        places.append(Place(Settings(**{**own, **changes})))
        return places[-1]

    yield make
    for place in places:
        place.store.close()


@pytest.fixture
def place(place_with: Callable[..., Place]) -> Place:
    return place_with()


# A person at home: no account, an encoder made of hashed words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class HashedWords:
    """An encoder whose vector is the mean of one fixed random vector per word."""

    id, dim = "hashed-words", 32

    def _state(self, word):
        return np.random.default_rng(sum(map(ord, word)) * 7919 + len(word)).normal(size=self.dim) + 1.0

    def encode(self, texts, *, progress=None):
        rows = np.array([np.mean([self._state(w) for w in words(t)] or [np.ones(self.dim)], axis=0) for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def token_states(self, text, depth=0):
        found = occurrences(text)
        return TokenStates([(s, e) for s, e, _ in found], np.array([self._state(w) for _, _, w in found]))


@pytest.fixture
def clock():
    clock = Clock()
    clock.now = NOW
    return clock


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
def worker(app, clock):
    """Does what was asked for, in this process."""
    here = app.state.site
    return Worker(here.store, here.settings, clock, encoder=HashedWords)


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
                text=f"{' '.join(list(permutations(said.split()))[n])} {n}",  # alike, and no two the same
                lang="en",
                published=NOW - timedelta(hours=n),
            )
            for n in range(10)
        ]
        mine.store.add_entries(source.id, entries, NOW)
    mine.understand()
    return mine
