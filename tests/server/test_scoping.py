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

from attention_filter import audit
from attention_filter.server.post import CONFIRM, STOP
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
    "GET /healthz", "GET /metrics",
}  # fmt: skip

# The address is the secret: whoever holds one made for this may come in, and nothing else opens it.
BY_TOKEN = {
    "GET /invitation/{token}": INVITATION,
    "POST /invitation/{token}": INVITATION,
    "GET /feed/{token}.{kind}": FEED,
    "GET /digest/confirm/{token}": CONFIRM,
    "POST /digest/confirm/{token}": CONFIRM,
    "GET /digest/stop/{token}": STOP,
    "POST /digest/stop/{token}": STOP,
}

# Never ends for who may listen; test_live.py says who hears what.
ENDLESS = {"GET /events"}

# Need a session and take no id: they act on the visitor's own.
OWN = {
    "GET /": Try(status=(303,)),  # to the first run
    "GET /saved": Try(status=(200,)),
    "GET /all": Try(status=(303,)),  # to the first run
    "GET /search": Try(query={"q": "only-anna-knows"[:4]}, status=(200,)),
    "GET /devices": Try(status=(200,)),
    "GET /image": Try(query={"u": "https://e.org/a.png", "s": "0"}, status=(404,)),
    "POST /undo": Try(form={"acts": "{act}"}, status=(303,)),
    "GET /jobs": Try(status=(200,)),
    "GET /welcome": Try(status=(303,)),
    "POST /welcome/skip": Try(status=(303,)),
    "GET /welcome/interests": Try(status=(200,)),
    "POST /welcome/interests": Try(form={"said": "bees"}, status=(303,)),
    "GET /welcome/sources": Try(status=(200,)),
    "POST /welcome/sources": Try(form={"chosen": "{url}"}, status=(422,)),  # not of the starter set
    "POST /welcome/import": Try(status=(422,)),  # no file
    "POST /welcome/read": Try(status=(303,)),
    "GET /welcome/reading": Try(status=(200,)),
    "GET /welcome/fresh": Try(status=(204,)),
    "GET /welcome/work": Try(status=(200,)),
    "GET /fresh": Try(status=(204,)),
    "GET /today/end": Try(status=(200,)),
    "POST /today/more": Try(status=(303,)),
    "GET /sources": Try(query={"added": "1"}, status=(200,)),
    "POST /sources": Try(form={"address": ""}, status=(422,)),
    "GET /add": Try(query={"url": "https://e.org/"}, status=(200,)),
    "POST /sources/restore": Try(form={"url": "https://e.org/other", "kind": "feed"}, status=(303,)),
    "GET /sources/opml": Try(status=(200,)),
    "POST /sources/opml": Try(status=(422,)),  # no file
    "POST /sources/read": Try(status=(303,)),
    "GET /sources/work": Try(status=(200,)),
    "GET /interests": Try(status=(200,)),
    "POST /interests": Try(form={"text": "bees"}, status=(303,)),
    "GET /interests/suggested": Try(status=(200,)),
    "POST /interests/undo": Try(status=(404,)),  # there is nothing to take back
    "GET /interests/attention": Try(query={"of": "acts"}, status=(200,)),
    "GET /interests/attention.csv": Try(query={"of": "acts"}, status=(200,)),
    "GET /interests/attention.json": Try(query={"of": "acts"}, status=(200,)),
    "GET /you": Try(status=(200,)),
    "POST /you": Try(status=(303,)),
    "GET /trends": Try(query={"source": "{source}", "interest": "{interest}"}, status=(200,)),
    "POST /trends/topics": Try(form={"text": "bees: a hive; honey\npolitics"}, status=(303,)),
    "GET /ask": Try(status=(200,)),
    "GET /ask/changed": Try(status=(200,)),
    "POST /ask/undo": Try(status=(303,)),
    "GET /tray": Try(query={"q": MARK[:4], "acts": "{act}"}, status=(200,)),
    "GET /tray/promise": Try(status=(200,)),
    "POST /tray/promise": Try(form={"keep": "90"}, status=(303,)),
    "GET /tray/audit": Try(status=(200,)),
    "GET /rules": Try(status=(200,)),
    "POST /rules": Try(form={"words": "golf"}, status=(303,)),
    "POST /rules/preview": Try(form={"words": MARK[:4]}, status=(200,)),
    "POST /rules/quotas": Try(form={"sentence": "each source at most 20%"}, status=(303,)),
    "POST /rules/quotas/{number}/remove": Try(path={"number": "1"}, status=(404,)),  # places in one's own list
    "GET /knowledge": Try(status=(200,)),
    "POST /knowledge": Try(form={"text": ""}, status=(303,)),
    "POST /knowledge/accept": Try(form={"word": "bees", "sense": "1"}, status=(404,)),  # there is no WordNet
    "POST /knowledge/remove": Try(form={"label": MARK[:4]}, status=(404,)),
    "GET /digest": Try(query={"sent": "sent"}, status=(200,)),
    "POST /digest/schedule": Try(form={"every": "day"}, status=(303,)),
    "POST /digest/mail": Try(form={"address": "ben@example.org"}, status=(422,)),  # there is no mail server
    "POST /digest/mail/stop": Try(status=(303,)),
    "POST /digest/send": Try(status=(422,)),
    "POST /digest/feeds": Try(form={"name": "x", "view": "source:{source}"}, status=(303,)),  # of nothing he follows
    "GET /profile": Try(query={"before": "{act}"}, status=(200,)),
    "GET /profile/export": Try(status=(200,)),
    "POST /profile/preview": Try(status=(422,)),  # no file
    "POST /profile/import": Try(form={"text": "x"}, status=(422,)),
    "POST /profile/delete": Try(form={"typed": "x"}, status=(422,)),
    "GET /settings": Try(status=(200,)),
    "GET /settings/effect": Try(status=(200,)),
    "POST /settings": Try(form={"theme": "dark"}, status=(303,)),
    "POST /settings/backup": Try(status=(403,)),  # Ben is not the owner
    "POST /settings/tokens": Try(form={"name": "x"}, status=(200,)),
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
    "POST /jobs/{id_}/retry": Try(path={"id_": "{job}"}),
    "POST /tray/shown": Try(form={"ids": "{item}"}),
    "POST /tray/back": Try(form={"acts": "{act}"}, status=(303,)),
    "POST /tray/audit": Try(form={"item": "{item}", "answer": "fine"}),
    "POST /ask": Try(form={"{item}": "like"}),
    "GET /sources/{id_}": Try(path={"id_": "{source}"}),
    "POST /sources/{id_}": Try(path={"id_": "{source}"}, form={"title": "x"}),
    "POST /sources/{id_}/mute": Try(path={"id_": "{source}"}),
    "POST /sources/{id_}/read": Try(path={"id_": "{source}"}),
    "POST /sources/{id_}/remove": Try(path={"id_": "{source}"}),
    "POST /interests/merge": Try(form={"first": "{interest}", "second": "{other_interest}", "text": "x"}),
    "POST /interests/{interest}/edit": Try(path={"interest": "{interest}"}, form={"text": "x"}),
    "POST /interests/{interest}/weigh": Try(path={"interest": "{interest}"}, form={"weight": "2"}),
    "POST /interests/{interest}/remove": Try(path={"interest": "{interest}"}),
    "GET /interests/{interest}/split": Try(path={"interest": "{interest}"}),
    "POST /interests/{interest}/split": Try(path={"interest": "{interest}"}, form={"first": "x", "second": "y"}),
    "POST /rules/{id_}/remove": Try(path={"id_": "{rule}"}),
    "POST /profile/acts/{id_}/undo": Try(path={"id_": "{act}"}),
    "POST /profile/items/{id_}/forget": Try(path={"id_": "{item}"}),
    "POST /digest/feeds/{id_}": Try(path={"id_": "{feed}"}, form={"name": "x"}),
    "POST /digest/feeds/{id_}/revoke": Try(path={"id_": "{feed}"}),
    "POST /settings/tokens/{id_}/revoke": Try(path={"id_": "{api}"}),
    "POST /account/invitations/{id_}/revoke": Try(path={"id_": "{invitation}"}),
    "POST /account/people/{id_}/delete": Try(path={"id_": "{account}"}),
    "POST /account/identities/{id_}/delete": Try(path={"id_": "{identity}"}),
    "POST /passkeys/{id_}/delete": Try(path={"id_": "{passkey}"}),
}

# For programs: a token opens these, and never a session. `status` is what another reader's token gets.
PROGRAMS = {
    "GET /api/items": Try(query={"q": MARK[:4], "show": "all"}, status=(200,)),
    "GET /api/items/{item}": Try(path={"item": "{item}"}),
    "POST /api/items/{item}/acts": Try(path={"item": "{item}"}, json={"sign": "like"}),
    "DELETE /api/acts/{act_id}": Try(path={"act_id": "{act}"}),
    "GET /api/today": Try(status=(200,)),
    "GET /api/interests": Try(status=(200,)),
    "GET /api/sources": Try(status=(200,)),
}


def fill(place: Any, now: Any) -> dict[str, str]:
    """One of everything that is Anna's, and its ids by name."""
    anna = place.accounts.find("anna")
    store, accounts = place.store.for_reader(anna.reader), place.accounts
    url = f"https://e.org/{MARK}"
    source = store.add_source(url, SourceKind.FEED, title=MARK, folder=MARK, now=now).id
    (item,) = store.add_entries(source, [Entry("g", MARK, text=MARK)], now).new
    act = store.add_feedback(item, Sign.LIKE, now).id
    accounts.add_passkey(anna.id, b"id", b"key", 0, MARK, now)
    accounts.add_identity(anna.id, f"https://{MARK}.example", MARK)
    purposes = (FEED, API, INVITATION, CONFIRM, STOP)
    tokens = {f"{purpose} token": accounts.make_secret(anna.reader, purpose, MARK, now=now) for purpose in purposes}
    job = store.jobs.enqueue("measure", now, reader=anna.reader, payload={"word": MARK})
    store.jobs.fail(store.jobs.claim(["measure"], now), now, MARK, final=True)
    made = {
        "source": source,
        "item": item,
        "act": act,
        "url": url,
        "job": job,
        "interest": store.add_interest(MARK, 1.0, now).id,
        "other_interest": store.add_interest(f"not {MARK}", 1.0, now).id,
        "rule": store.add_rule(Rule(0, RuleAction.BLOCK, words=(MARK,))).id,
        "account": anna.id,
        "passkey": accounts.passkeys(anna.id)[0].id,
        "identity": accounts.identities(anna.id)[0].id,
        "feed": accounts.secrets(anna.reader, FEED, now)[0].id,
        "api": accounts.secrets(anna.reader, API, now)[0].id,
        "invitation": accounts.secrets(anna.reader, INVITATION, now)[0].id,
    }
    audit._keep(store, audit.week_of(now), {"items": [item], "looked": [], "found": []})
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
    form = {name.format(**ids): value.format(**ids) for name, value in what.form.items()}
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
    known = PUBLIC | ENDLESS | BY_TOKEN.keys() | OWN.keys() | TAKES.keys() | PROGRAMS.keys()
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


@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_what_is_public_says_nothing_of_anybody(tried: Any, route: str) -> None:
    place, _, ids = tried()
    before = hers(place)
    answer = send(place.browser(), route, Try(), ids)
    assert answer.status_code in (200, 303, 400, 403, 404, 422)
    assert MARK not in answer.text
    assert hers(place) == before


@pytest.mark.parametrize("route", sorted(BY_TOKEN))
def test_no_token_opens_what_it_was_not_made_for(tried: Any, route: str) -> None:
    place, _, ids = tried()
    before = hers(place)
    others = {token for name, token in ids.items() if name.endswith(" token") and name != f"{BY_TOKEN[route]} token"}
    for token in others | {"wrong"}:
        answer = send(place.browser(), route, Try(path={"token": token, "kind": "atom"}), ids)
        assert answer.status_code == 404
        assert MARK not in answer.text
    assert hers(place) == before


@pytest.mark.parametrize("route", sorted(PROGRAMS))
def test_a_program_with_a_token_of_its_reader_gets_in_and_sees_nothing_of_another(tried: Any, route: str) -> None:
    place, ben, ids = tried()
    before, what = hers(place), PROGRAMS[route]
    token = place.accounts.make_secret(place.accounts.find("ben").reader, API, "ben's", now=place.clock())
    others = {token for name, token in ids.items() if name.endswith(" token") and name != f"{API} token"}
    for stranger in (place.browser(), ben, *(bearer(place, one) for one in others | {"wrong"})):
        assert send(stranger, route, what, ids).status_code == 401
    answer = send(bearer(place, token), route, what, ids)
    assert answer.status_code in what.status
    assert MARK not in answer.text
    assert hers(place) == before
    assert send(bearer(place, ids[f"{API} token"]), route, what, ids).status_code in (200, 201)


def bearer(place: Any, token: str) -> Any:
    return place.browser(Authorization=f"Bearer {token}")
