"""What stands before every page: proxies, host names, forged requests, too large bodies, and the headers of answers.

Pure ASGI, so that answers stream through it. The decisions are functions; `Wall` asks them and answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attention_filter.errors import UsageError
from attention_filter.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Programs say no origin: one of mail in RFC 8058, or one that uses /api. No cookie opens these, only their token.
BY_TOKEN = ("/digest/stop/", "/api/")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"forwarded"})

ANSWER_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "manifest-src 'self'; worker-src 'self'",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would make browsers send "Origin: null" with our own forms (Fetch standard, 3.1).
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}

_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([^\s:/@?#\\\[\]]{1,253}))(?::(\d{1,5}))?", re.ASCII)


@dataclass(frozen=True)
class Rules:
    """Whom we answer and whom we believe; made once from the settings."""

    names: frozenset[str]
    proxies: tuple[IPv4Network | IPv6Network, ...]
    user_header: bytes  # lower case; empty: none
    origin: str  # of the setting base_url, or ""
    max_upload: int  # bytes


def rules_of(settings: Settings) -> Rules:
    """UsageError for a network or an address in the settings that cannot be read."""
    base = urlsplit(settings.base_url)
    if settings.base_url and (base.scheme not in ("http", "https") or not base.hostname or base.path.strip("/")):
        raise UsageError(f"base_url {settings.base_url!r}: write it as https://news.example.org")
    try:
        proxies = tuple(ip_network(network, strict=False) for network in settings.trusted_proxies)
    except ValueError as error:
        raise UsageError(f"trusted_proxies: {error}; write addresses or networks such as 10.0.0.0/8") from error
    names = {name.lower().removesuffix(".") for name in settings.hosts} | ({base.hostname} if base.hostname else set())
    return Rules(
        frozenset(names | (LOOPBACK_NAMES if is_loopback(settings.host) else set())),
        proxies,
        settings.user_header.lower().encode("latin-1"),
        f"{base.scheme}://{base.netloc}".lower() if base.netloc else "",
        settings.max_upload,
    )


def is_loopback(host: str) -> bool:
    """
    >>> is_loopback("127.0.0.2"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("news.example")
    (True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_name(header: str) -> str | None:
    """The name in a Host header, without its port; None when it is none (RFC 9110, section 7.2).

    >>> host_name("News.Example:8000"), host_name("[::1]:8000"), host_name("a@b"), host_name("")
    ('news.example', '::1', None, None)
    """
    found = _HOST.fullmatch(header.strip().lower())
    return (found[1] or found[2].removesuffix(".") or None) if found else None


def is_trusted(address: str, proxies: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether the address is one of the proxies'; an IPv4 address in IPv6 clothes counts as itself."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False  # no address (a Unix socket) or nonsense
    ip = (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
    return any(ip in network for network in proxies)


def client_behind(peer: str, forwarded_for: str, proxies: Iterable[IPv4Network | IPv6Network]) -> str:
    """The address nearest to us that is no trusted proxy: what stands left of it, the visitor may have made up.

    >>> client_behind("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", [ip_network("10.0.0.0/8")])
    '198.51.100.7'
    """
    proxies, found = tuple(proxies), peer
    for address in reversed([part.strip() for part in forwarded_for.split(",")]):
        if not is_trusted(found, proxies):
            break
        try:
            found = str(ip_address(address))
        except ValueError:
            break
    return found


def is_forged(method: str, headers: Mapping[str, str], ours: Iterable[str]) -> bool:
    """Whether another site may have made the browser send this: then it must change nothing.

    Browsers say where a request comes from, in Sec-Fetch-Site or in Origin, and a page cannot change what they say.

    >>> is_forged("POST", {"sec-fetch-site": "cross-site"}, ["https://a.example"])
    True
    >>> is_forged("POST", {"origin": "https://a.example"}, ["https://a.example"])
    False
    """
    if method in SAFE_METHODS:
        return False
    if "sec-fetch-site" in headers:
        return headers["sec-fetch-site"] not in ("same-origin", "none")
    return headers.get("origin", "").lower() not in {origin for origin in ours if origin}


def believe_proxies(scope: Scope, rules: Rules) -> Scope:
    """The request as the visitor made it. What a stranger says in a proxy's headers is taken out.

    `state` gets `forwarded` (somebody passed it on) and `proxy_user` (whom a trusted proxy signed in, or None).
    """
    said: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        said.setdefault(name, []).append(value)
    peer = (scope.get("client") or ("", 0))[0]
    trusted = is_trusted(peer, rules.proxies)
    drop = FORWARDED | ({rules.user_header} if rules.user_header else set())
    headers = [(name, value) for name, value in scope["headers"] if name not in drop]
    state = {**scope.get("state", {}), "forwarded": bool(FORWARDED & said.keys()), "proxy_user": None}
    if not trusted:
        return {**scope, "headers": headers, "state": state}

    def one(name: bytes) -> str:
        return b",".join(said.get(name, [])).decode("latin-1")

    if rules.user_header in said:
        (*_, user) = said[rules.user_header]
        state["proxy_user"] = user.decode("utf-8", "replace").strip() or None
    scheme = one(b"x-forwarded-proto").rpartition(",")[2].strip().lower()
    host = one(b"x-forwarded-host").partition(",")[0].strip()
    if host:
        headers = [pair for pair in headers if pair[0] != b"host"] + [(b"host", host.encode("latin-1"))]
    return {
        **scope,
        "headers": headers,
        "scheme": scheme if scheme in ("http", "https") else scope["scheme"],
        "client": (client_behind(peer, one(b"x-forwarded-for"), rules.proxies), 0),
        "state": state,
    }


def refusal(scope: Scope, rules: Rules) -> tuple[int, str] | None:
    """The status and sentence that a request is turned away with, or None when it may pass."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    name = host_name(headers.get("host", "")) if len(hosts) == 1 else None
    if name is None:
        return 400, "The request names no host."
    # The very address that the connection came to is safe to name: no other site's name leads to it (rebinding).
    here = (scope.get("server") or ("", 0))[0]
    if name not in rules.names and not (name == here and _is_address(here)):
        return 421, "This server does not go by that name; its owner can add it to the setting hosts."
    ours = (f"{scope['scheme']}://{headers['host'].lower()}", rules.origin)
    if not scope["path"].startswith(BY_TOKEN) and is_forged(scope["method"], headers, ours):
        return 403, "This request came from another site, so nothing was done."
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > rules.max_upload:
        return 413, f"That is more than {rules.max_upload:,} bytes."
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Wall:
    """The ASGI middleware: turns away what `refusal` says, counts bodies, adds `ANSWER_HEADERS`."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})  # we speak none
        scope = believe_proxies(scope, self._rules)
        send = _with_headers(send, https=scope["scheme"] == "https")
        refused = refusal(scope, self._rules)
        if refused is None:
            await _bounded(self._app, scope, receive, send, self._rules.max_upload)
        else:
            status, sentence = refused
            await PlainTextResponse(sentence + "\n", status)(scope, receive, send)


def _with_headers(send: Send, *, https: bool) -> Send:
    """Adds our headers to an answer; one that a page has set itself stays."""
    ours = {**ANSWER_HEADERS, **(HTTPS_ONLY if https else {})}
    encoded = [(name.lower().encode(), value.encode()) for name, value in ours.items()]

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            named = {name.lower() for name, _ in own}
            message = {**message, "headers": own + [pair for pair in encoded if pair[0] not in named]}
        await send(message)

    return add


async def _bounded(app: ASGIApp, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    """Runs the app; a body that grows over the limit ends for it, and 413 is answered whatever it made of that."""
    taken, started = 0, False

    async def count() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= limit else {"type": "http.disconnect"}

    async def pass_on(message: Message) -> None:
        nonlocal started
        if taken <= limit or started:
            started = True
            await send(message)

    try:
        await app(scope, count, pass_on)
    except Exception:
        if taken <= limit:
            raise
    if taken > limit and not started:
        await PlainTextResponse(f"That is more than {limit:,} bytes.\n", 413)(scope, receive, send)
