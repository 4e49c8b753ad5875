"""Every route, tried with another reader's ids and without a session. A new route has to be named in a table here.

A page that takes ids (in its path, its query or its form) says in `TAKES` which of Anna's to try; `fill` makes one of
each. Ben, who is signed in, must not see or change anything of Anna's, and who is not signed in gets nowhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.routing import BaseRoute, Mount

from attention_filter.store.schema import metadata
from attention_filter.store.secrets import API, FEED, INVITATION
from attention_filter.types import Entry, Rule, RuleAction, Sign, SourceKind

MARK = "only-anna-knows"  # stands in everything that is hers


@dataclass(frozen=True)
class Try:
    """What to send. Values in braces are ids of Anna's, by the names that `fill` gives them.

    `status`: what another reader gets; 303 for forms that act on the visitor alone.
    """

    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    status: tuple[int, ...] = (403, 404)


# Answer anybody, and say nothing of anybody.
PUBLIC = {
    "GET /sign-in", "POST /sign-in", "POST /sign-out",
    "GET /setup", "POST /setup",
    "GET /sign-in/oidc", "GET /sign-in/oidc/callback",
    "POST /passkeys/sign-in/options", "POST /passkeys/sign-in",
    "GET /manifest.webmanifest", "GET /sw.js", "GET /offline", "GET /share",
}  # fmt: skip

# The address is the secret: whoever holds it may come in, and nothing else opens it.
BY_TOKEN = {"GET /invitation/{token}", "POST /invitation/{token}"}

# Need a session and take no id: they act on the visitor's own.
OWN = {
    "GET /": Try(status=(200,)),
    "GET /saved": Try(status=(200,)),
    "GET /search": Try(query={"q": "only-anna-knows"[:4]}, status=(200,)),
    "GET /devices": Try(status=(200,)),
    "GET /image": Try(query={"u": "https://e.org/a.png", "s": "0"}, status=(404,)),
    "POST /undo": Try(form={"acts": "1"}, status=(303,)),
    "GET /account": Try(status=(200,)),
    "GET /account/oidc": Try(status=(404,)),  # no provider is set up
    "POST /account/name": Try(form={"name": "Ben 2"}, status=(303,)),
    "POST /account/password": Try(form={"current": "correct horse", "password": "battery staple"}, status=(303,)),
    "POST /account/sessions/end": Try(status=(303,)),
    "POST /account/delete": Try(form={"current": "correct horse"}, status=(303,)),
    "POST /account/invitations": Try(form={"name": "x"}, status=(403,)),  # Ben is not the owner
    "POST /passkeys/register/options": Try(status=(200,)),
    "POST /passkeys/register": Try(json={"credential": {}}, status=(400,)),
}

# Need a session and take ids: those of another reader do not exist for the visitor.
TAKES = {
    "GET /item/{item}": Try(path={"item": "{item}"}),
    "GET /item/{item}/why": Try(path={"item": "{item}"}),
    "POST /item/{item}/act": Try(path={"item": "{item}"}, form={"sign": "like"}),
    "POST /item/{item}/wish": Try(path={"item": "{item}"}, form={"what": "source", "how": "more"}),
    "POST /wish/undo": Try(form={"rule": "{rule}"}),
    "POST /mark": Try(form={"ids": "{item}"}),
    "POST /account/invitations/{id_}/revoke": Try(path={"id_": "{invitation}"}),
    "POST /account/people/{id_}/delete": Try(path={"id_": "{account}"}),
    "POST /account/identities/{id_}/delete": Try(path={"id_": "{identity}"}),
    "POST /passkeys/{id_}/delete": Try(path={"id_": "{passkey}"}),
}


def fill(place: Any, now: Any) -> dict[str, str]:
    """One of everything that is Anna's, and its ids by name."""
    anna = place.accounts.find("anna")
    store, accounts = place.store.for_reader(anna.reader), place.accounts
    source = store.add_source(f"https://e.org/{MARK}", SourceKind.FEED, title=MARK, folder=MARK, now=now).id
    (item,) = store.add_entries(source, [Entry("g", MARK, text=MARK)], now).new
    store.add_feedback(item, Sign.LIKE, now)
    accounts.add_passkey(anna.id, b"id", b"key", 0, MARK, now)
    accounts.add_identity(anna.id, f"https://{MARK}.example", MARK)
    tokens = {f"{purpose}_token": accounts.make_secret(anna.reader, purpose, MARK, now=now) for purpose in (FEED, API)}
    accounts.make_secret(anna.reader, INVITATION, MARK, now=now)
    made = {
        "source": source,
        "item": item,
        "interest": store.add_interest(MARK, 1.0, now).id,
        "rule": store.add_rule(Rule(0, RuleAction.BLOCK, words=(MARK,))).id,
        "account": anna.id,
        "passkey": accounts.passkeys(anna.id)[0].id,
        "identity": accounts.identities(anna.id)[0].id,
        "feed": accounts.secrets(anna.reader, FEED, now)[0].id,
        "api": accounts.secrets(anna.reader, API, now)[0].id,
        "invitation": accounts.secrets(anna.reader, INVITATION, now)[0].id,
    }
    return {name: str(id_) for name, id_ in made.items()} | tokens


def hers(place: Any) -> dict[str, list[Any]]:
    """All rows of Anna's, to be compared."""
    rows: dict[str, list[Any]] = {}
    with place.store._engine.connect() as connection:
        for table in metadata.sorted_tables:
            owner = next((table.c[name] for name in ("reader", "account") if name in table.c), None)
            if owner is not None:  # Anna came first: her reader and her account both have the id 1
                rows[table.name] = [tuple(row) for row in connection.execute(sa.select(table).where(owner == 1))]
    return rows


def walk(routes: list[BaseRoute]) -> Iterator[str]:
    """ "METHOD /path" of every route, also of the routers that FastAPI keeps nested."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from walk(inner.routes)
        elif not isinstance(route, Mount):
            yield from (f"{method} {route.path}" for method in route.methods - {"HEAD"})  # type: ignore[attr-defined]


def send(browser: Any, route: str, what: Try, ids: dict[str, str]) -> Any:
    method, path = route.split(" ", 1)
    filled = {name: value.format(**ids) for name, value in what.path.items()}
    query = {name: value.format(**ids) for name, value in what.query.items()}
    form = {name: value.format(**ids) for name, value in what.form.items()}
    body = {"json": what.json} if what.json is not None else {"data": form} if method != "GET" else {}
    return browser.request(method, path.format(**filled), params=query, **body)


@pytest.fixture
def tried(place: Any) -> Callable[[], tuple[Any, Any, dict[str, str]]]:
    """The place with two accounts, Ben's browser, and the ids of Anna's things."""

    def make() -> tuple[Any, Any, dict[str, str]]:
        place.account("anna")
        ben = place.member("ben")
        return place, ben, fill(place, place.clock())

    return make


def test_every_route_says_what_another_reader_gets(place: Any) -> None:
    known = PUBLIC | BY_TOKEN | OWN.keys() | TAKES.keys()
    found = set(walk(place.app.routes))
    assert found - known == set(), "new route: say in tests/server/test_scoping.py what another reader gets"
    assert known - found == set(), "this route is gone: take it out of the table"


@pytest.mark.parametrize("route", sorted(OWN.keys() | TAKES.keys()))
def test_without_a_session_nothing_is_seen_or_done(tried: Any, route: str) -> None:
    place, _, ids = tried()
    before = hers(place)
    answer = send(place.browser(), route, (OWN | TAKES)[route], ids)
    assert answer.status_code in (303, 401)
    assert answer.headers.get("Location", "/sign-in").startswith("/sign-in")
    assert MARK not in answer.text
    assert hers(place) == before


@pytest.mark.parametrize("route", sorted(OWN.keys() | TAKES.keys()))
def test_another_reader_sees_and_changes_nothing(tried: Any, route: str) -> None:
    place, ben, ids = tried()
    before, what = hers(place), (OWN | TAKES)[route]
    answer = send(ben, route, what, ids)
    assert answer.status_code in what.status
    assert MARK not in answer.text
    assert hers(place) == before


@pytest.mark.parametrize("route", sorted(TAKES.keys() - {"POST /account/people/{id_}/delete"}))  # never oneself
def test_the_same_ids_work_for_her(tried: Any, route: str) -> None:
    place, _, ids = tried()
    token = place.accounts.start_session(int(ids["account"]), place.clock())
    answer = send(place.browser(Cookie=f"attention-session={token}"), route, TAKES[route], ids)
    assert answer.status_code in (200, 204, 303)


@pytest.mark.parametrize("route", sorted(PUBLIC | BY_TOKEN))
def test_what_is_public_says_nothing_of_anybody(tried: Any, route: str) -> None:
    place, _, ids = tried()
    before = hers(place)
    for token in (ids["feed_token"], ids["api_token"], "wrong"):
        what = Try(path={"token": token} if "{token}" in route else {})
        answer = send(place.browser(), route, what, ids)
        assert answer.status_code in ((404,) if "{token}" in route else (200, 303, 400, 403, 404, 422))
        assert MARK not in answer.text
    assert hers(place) == before
