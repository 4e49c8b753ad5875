"""A database in a temporary folder with one reader who follows one feed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attention_filter.store.store import Store, open_store
from attention_filter.types import SourceKind


@pytest.fixture
def now() -> datetime:
    return datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'attention.db'}"


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., Store]]:
    """Open the database for a reader; closed when the test ends."""
    stores: list[Store] = []

    def open_for(reader: str = "me") -> Store:
        stores.append(open_store(url, reader))
        return stores[-1]

    yield open_for
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()


@pytest.fixture
def feed(store: Store, now: datetime) -> int:
    return store.add_source("https://e.org/feed", SourceKind.FEED, now=now).id
