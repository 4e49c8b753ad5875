"""A database that the first version made (`attention add, interests add, fetch, like, dislike, rules add, quotas add`),
opened by this one. tests/data/first-version.db.gz holds ten invented items with their real vectors."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from attention_filter.app import open_filter
from attention_filter.server.app import create_app
from attention_filter.settings import Settings
from attention_filter.store.migrate import current_revision
from attention_filter.store.schema import REVISION
from attention_filter.types import Sign

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)  # the morning after it was made
MADE = Path(__file__).parent / "data" / "first-version.db.gz"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "attention.db"
    path.write_bytes(gzip.decompress(MADE.read_bytes()))
    return path


@pytest.fixture
def settings(old: Path) -> Settings:
    return Settings(db=f"sqlite:///{old}", exploration=0.0, variety=0.0)


def revision_of(path: Path) -> str | None:
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        return current_revision(connection)


def test_all_that_was_stored_said_and_done_is_still_there(old, settings):
    assert revision_of(old) == "0001"
    with open_filter(settings=settings, clock=lambda: NOW) as filter:
        assert [one.text for one in filter.interests()] == ["compilers of programming languages", "horoscopes"]
        assert [one.weight for one in filter.interests()] == [1.0, -1.0]
        assert {act.item: act.sign for act in filter.store.acts_on(range(1, 11))} == {1: Sign.LIKE, 9: Sign.DISLIKE}
        assert [rule.words for rule in filter.store.rules()] == [("tram",)]
        assert len(filter.quotas()) == 1
        assert [hit.item.entry.title for hit in filter.search("电池")] == ["电池工厂开始发货"]
        assert filter.stream(1)[0].item.entry.title == "A garbage collector in a cache"
        assert len(filter.stream(20)) + filter.tray()[1] == 8  # ten, without those that were acted on
    assert revision_of(old) == REVISION


def test_vectors_of_before_still_belong_to_their_items(settings):
    with open_filter(settings=settings, clock=lambda: NOW) as filter:
        model = filter.store.background().model
        assert filter.store.missing_vectors(model) == []
        assert [one.waiting for one in filter.store.unread()] == [one.items for one in filter.store.sources()]


def test_a_copy_from_before_is_kept_and_can_be_opened_again(old, settings):
    open_filter(settings=settings, clock=lambda: NOW).store.close()
    kept = old.with_name(f"attention.db.before-{REVISION}")
    assert revision_of(kept) == "0001"
    with open_filter(f"sqlite:///{kept}", settings=settings, clock=lambda: NOW) as filter:
        assert filter.store.count_items() == 10


def test_the_server_starts_on_it_and_shows_the_stream(settings):
    app = create_app(settings, worker=False, clock=lambda: NOW)
    with TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 50_000)) as browser:
        page = browser.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, "A garbage collector in a cache" in page.text) == (200, True)
        assert browser.get("/healthz").json()["database"]
    app.state.site.store.close()
