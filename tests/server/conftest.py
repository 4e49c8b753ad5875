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
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from attention_filter.server.access import Access
from attention_filter.server.app import create_app
from attention_filter.server.passwords import hash_password
from attention_filter.settings import Settings
from attention_filter.store.accounts import Account, Accounts
from attention_filter.store.secrets import INVITATION
from attention_filter.store.store import Store, open_store

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
        places.append(Place(Settings(**{"db": f"sqlite:///{database}", **changes})))
        return places[-1]

    yield make
    for place in places:
        place.store.close()


@pytest.fixture
def place(place_with: Callable[..., Place]) -> Place:
    return place_with()
