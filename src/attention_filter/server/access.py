"""Who is asking: nobody has to sign in on their own machine while there is no account; otherwise everybody has to.

`install` puts the wall in front of the app and an `Access` into `app.state.access`. Pages depend on `visitor`, those
of the owner on `owner`, those that change an account on `signed_in`.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.responses import Response

from attention_filter.server.limits import Pending, RateLimit
from attention_filter.server.wall import LOOPBACK_NAMES, Wall, host_name, is_loopback, rules_of
from attention_filter.settings import Settings
from attention_filter.store.accounts import Account, Accounts, name_key

if TYPE_CHECKING:
    from attention_filter.server.oidc import Flow

COOKIE_AGE = 400 * 24 * 3600  # seconds, the most that browsers keep; when a session ends, the server decides
LONGEST_NEXT = 2_000  # characters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """Who is asking: an account, or whoever sits at this machine."""

    account: int | None
    name: str
    reader: str
    is_owner: bool = True


class Access:
    """What lets people in. `setup_code` is to be shown where only the owner of the machine sees it."""

    def __init__(
        self, settings: Settings, accounts: Accounts, reader: str, clock: Callable[[], datetime], setup_code: str
    ) -> None:
        self.accounts = accounts
        self.settings = settings
        self.setup_code = setup_code
        self.clock = clock
        self.rules = rules_of(settings)
        self.challenges: Pending[int] = Pending()  # of passkeys: the account that registers one, or NOBODY to sign in
        self.flows: Pending[Flow] = Pending(timedelta(minutes=10))  # of OpenID Connect, by state
        self._reader = reader
        self._at_home = is_loopback(settings.host) and self.rules.names <= LOOPBACK_NAMES
        self._addresses = RateLimit(burst=20, every=15)
        self._names = RateLimit(burst=10, every=30)

    def is_open(self, request: Request) -> bool:
        """Whether whoever asks sits at this machine and there is nobody yet to be told apart from.

        A proxy on this machine would make the whole world look like that, so a request that was passed on, or a
        server that goes by other names, never counts.
        """
        at_home = self._at_home and not self.settings.trusted_proxies and not request.state.forwarded
        return at_home and not self.accounts.any()

    def who(self, request: Request) -> Visitor | None:
        """The visitor, by session, by the proxy's word or as the one person at this machine."""
        token = request.cookies.get(cookie_name(request))
        found = self.accounts.by_session(token, self.clock()) if token else None
        if found is None and request.state.proxy_user:
            found = self.accounts.find(request.state.proxy_user)
        if found is not None:
            return Visitor(found.id, found.name, found.reader, found.is_owner)
        return Visitor(None, self._reader, self._reader) if self.is_open(request) else None

    def is_setup_code(self, given: str) -> bool:
        return hmac.compare_digest(given.strip().lower().encode(), self.setup_code.encode())

    def wait(self, request: Request, name: str = "") -> float:
        """Seconds to wait before this address, and who claims this name, may try again; 0.0 to go ahead."""
        now = self.clock()
        by_address = self._addresses.wait(network_of(request.client.host if request.client else ""), now)
        return by_address or (self._names.wait(name_key(name)[:64], now) if name else 0.0)

    def sign_in(self, request: Request, response: Response, account: Account, way: str) -> None:
        """A new session in the answer's cookie, in place of the one that the browser had (no fixation)."""
        if old := request.cookies.get(cookie_name(request)):
            self.accounts.end_session(old)
        self._names.forget(name_key(account.name))
        token = self.accounts.start_session(account.id, self.clock(), request.headers.get("User-Agent", ""))
        set_cookie(request, response, cookie_name(request), token, COOKIE_AGE)
        log.info("signed in: account %d by %s", account.id, way)

    def refused(self, way: str) -> None:
        """Write down that somebody was not let in; no name, for people type passwords there, too."""
        log.warning("sign-in refused: by %s", way)

    def sign_out(self, request: Request, response: Response) -> None:
        if token := request.cookies.get(cookie_name(request)):
            self.accounts.end_session(token)
        set_cookie(request, response, cookie_name(request), "", 0)


def install(
    app: FastAPI, settings: Settings, accounts: Accounts, *, reader: str, clock: Callable[[], datetime]
) -> Access:
    """Put the wall before every page of the app, and the one `Access` of this server into its state."""
    app.state.access = found = Access(settings, accounts, reader, clock, token_hex(6))
    app.add_middleware(Wall, rules=found.rules)
    return found


def access(request: Request) -> Access:
    found: Access = request.app.state.access
    return found


def visitor(request: Request) -> Visitor:
    """Who is asking. Browsers that are not signed in are sent where they can; programs get a 401."""
    found = access(request).who(request)
    if found is None:
        raise _sign_in_first(request)
    request.state.visitor = found
    return found


def owner(who: Annotated[Visitor, Depends(visitor)]) -> Visitor:
    """Who is asking, if this place is theirs."""
    if not who.is_owner:
        raise HTTPException(403, "only the owner of this server may do that")
    return who


def signed_in(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> Account:
    """The account that asks; whoever has none yet is led to make one."""
    if who.account is None:
        raise HTTPException(303, headers={"Location": "/setup"})
    return access(request).accounts.get(who.account)


def _sign_in_first(request: Request) -> HTTPException:
    here = access(request)
    if request.state.proxy_user and here.accounts.any():
        here.refused("proxy")
        return HTTPException(403, "you have no account here; its owner can invite you")
    page = "/sign-in" if here.accounts.any() else "/setup"
    if request.headers.get("HX-Request") == "true":
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        came_from = shown.path + (f"?{shown.query}" if shown.query else "")
        return HTTPException(401, headers={"HX-Redirect": f"{page}?next={quote(local_path(came_from))}"})
    if "text/html" not in request.headers.get("Accept", ""):
        return HTTPException(401, "sign in first")
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = local_path(request.url.path + query) if request.method == "GET" else "/"
    return HTTPException(303, headers={"Location": f"{page}?next={quote(wanted)}"})


def local_path(wanted: str) -> str:
    """The path on this server that a visitor asked to be led to, or "/" for anything else.

    Browsers read "\\\\" as "/" and skip tabs and line breaks, so "/\\\\evil" and "/<tab>/evil" lead away, too
    (WHATWG URL standard, 4.4).

    >>> local_path("/item/3?why=1"), local_path("//evil.example"), local_path("https:evil.example")
    ('/item/3?why=1', '/', '/')
    """
    fits = wanted.startswith("/") and not wanted.startswith("//") and len(wanted) <= LONGEST_NEXT
    return wanted if fits and "\\" not in wanted and wanted.isprintable() else "/"


def own_origin(request: Request) -> str:
    """Where this visitor sees us: scheme and (checked) host of the request, or base_url where it is that host."""
    base, host = access(request).rules.origin, request.headers["host"].lower()
    same = base and host_name(urlsplit(base).netloc) == host_name(host)
    return base if same else f"{request.url.scheme}://{host}"


def own_name(request: Request) -> str:
    """The host name in `own_origin`."""
    return host_name(urlsplit(own_origin(request)).netloc) or ""


def is_https(request: Request) -> bool:
    return own_origin(request).startswith("https://")


def cookie_name(request: Request) -> str:
    """With https a name that browsers let no other host or path set (RFC 6265bis, 4.1.3.2)."""
    return "__Host-session" if is_https(request) else "attention-session"


def set_cookie(request: Request, response: Response, name: str, value: str, max_age: int) -> None:
    """A cookie that no script sees and that comes along from no other site's forms."""
    response.set_cookie(name, value, max_age, path="/", secure=is_https(request), httponly=True, samesite="lax")


def network_of(address: str) -> str:
    """Whose address it is: of IPv6 its /64, which one household has all of.

    >>> network_of("192.0.2.7"), network_of("2001:db8::7"), network_of("")
    ('192.0.2.7', '2001:db8::/64', '')
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
