"""The network under the client: it checks every address before it connects, and connects to what it checked.

A source is whatever a stranger typed or a server redirected to, so a name may resolve to the reader's router,
to a cloud's metadata service or to this machine (server-side request forgery, CWE-918). The name is resolved
here, once; one address that is not public refuses it; the connection goes to the checked address itself, so a
second, different answer of the name server (DNS rebinding) is never asked for. TLS and the Host header keep
the name. Each connection carries the limits of one response and is never shared.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import zip_longest
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpcore2
import httpx2

from attention_filter.errors import SourceError
from attention_filter.sources.answers import too_big

Resolve = Callable[[str, int], Sequence[str]]  # host, port → addresses; OSError when there is none

# The IANA special-purpose registries (RFC 6890 and what was added since), written out because
# `ipaddress.is_global` answers differently from one Python release to the next.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # IETF protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Global unicast is 2000::/3 and nothing else (RFC 4291), which leaves out at one stroke: unspecified,
# loopback, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local, link-local,
# site-local, multicast.
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
_MAX_ADDRESSES = 4  # tried for one connection


def is_public(address: str) -> bool:
    """Whether an address is global unicast: one machine that anybody on the internet may reach.

    >>> is_public("93.184.215.14"), is_public("2606:2800:21f::1")
    (True, True)
    >>> is_public("169.254.169.254"), is_public("::ffff:8.8.8.8"), is_public("fe80::1%eth0"), is_public("x")
    (False, False, False, False)
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        return ip.scope_id is None and ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)
    return not any(ip in network for network in _NOT_PUBLIC_4)


def is_named(host: str, port: int, private_hosts: Collection[str]) -> bool:
    """Whether the reader named this place in `private_hosts`, as "host" or as "host:port".

    >>> is_named("nas", 8080, ["NAS:8080"]), is_named("nas", 80, ["nas:8080"]), is_named("::1", 80, ["[::1]"])
    (True, False, True)
    """
    bracketed = f"[{host}]" if ":" in host else host
    return not {host, bracketed, f"{bracketed}:{port}"}.isdisjoint(name.lower() for name in private_hosts)


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of a name as the operating system knows them, best first (RFC 6724)."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one response may take, and whether the reader named its host as a private one."""

    deadline: float  # on time.monotonic()
    seconds: float  # the limit behind the deadline, for the message
    wire_bytes: int  # received, before decompression
    named: bool = False

    def left(self, host: str) -> float:
        """Seconds left, more than 0; SourceError when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self.too_slow(host)
        return left

    def too_slow(self, host: str) -> SourceError:
        return SourceError(f"{host}: timed out after {self.seconds:g} s; it will be tried again later")


class GuardedTransport(httpx2.BaseTransport):
    """An httpx2 transport whose requests carry their `Limits` in `extensions["limits"]`.

    One pool per request: no connection is kept, so its limits and its checked address belong to one response.
    """

    def __init__(self, resolve: Resolve, network: httpcore2.NetworkBackend) -> None:
        self._resolve = resolve
        self._network = network

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx2.create_ssl_context(trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        limits: Limits = request.extensions["limits"]
        url = request.url
        pool = httpcore2.ConnectionPool(
            ssl_context=self._tls if url.scheme == "https" else None,
            max_keepalive_connections=0,
            network_backend=GuardedNetwork(self._resolve, self._network, limits),
        )
        answer = pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        # Cookies are dropped before anything could parse or return them.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"set-cookie"]
        return httpx2.Response(answer.status, headers=headers, stream=_Body(answer))


class _Body(httpx2.SyncByteStream):
    """The pool's answer as httpx2 wants to see it."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class GuardedNetwork(httpcore2.NetworkBackend):
    """Resolves, checks and pins the address of one connection, then hands it to `network`."""

    def __init__(self, resolve: Resolve, network: httpcore2.NetworkBackend, limits: Limits) -> None:
        self._resolve = resolve
        self._network = network
        self._limits = limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A connection to a checked address of `host`; `timeout` covers the name and all the addresses."""
        left = self._limits.left(host)
        seconds = left if timeout is None else min(timeout, left)
        deadline = time.monotonic() + seconds
        addresses = self._checked(host, port, seconds)
        failure: Exception | None = None
        for tried, address in enumerate(addresses):
            # A dead first address leaves the others their share of the time.
            share = (deadline - time.monotonic()) / (len(addresses) - tried)
            if share <= 0:
                break
            try:
                stream = self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                failure = exc
            else:
                return LimitedStream(stream, host, self._limits)
        if isinstance(failure, httpcore2.ConnectError):
            raise failure
        raise SourceError(f"{host}: no connection within {seconds:g} s; it will be tried again later")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        raise SourceError("a Unix socket is no source; give an http or https address")

    def _checked(self, host: str, port: int, seconds: float) -> list[str]:
        named = self._limits.named
        if not (named or port in (80, 443) or port >= 1024):
            # Ports of mail, shells and name servers: an HTTP request there is an attack or a mistake.
            raise SourceError(f"{host}: port {port} is not one of the web; use 80, 443 or one above 1023")
        addresses = _resolve_within(seconds, self._resolve, host, port)
        refused = None if named else next((a for a in addresses if not is_public(a)), None)
        if refused is not None:
            raise SourceError(
                f"{host}: {refused} is not a public address; "
                f"only a source that you name in the setting private_hosts may be private"
            )
        return _by_turns(addresses)[:_MAX_ADDRESSES]


class LimitedStream(httpcore2.NetworkStream):
    """A connection that ends at its deadline, however slowly the other side drips, and at its byte limit."""

    def __init__(self, stream: httpcore2.NetworkStream, host: str, limits: Limits) -> None:
        self._stream = stream
        self._host = host
        self._limits = limits
        self._received = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            data = self._stream.read(max_bytes, self._seconds(timeout))
        except httpcore2.ReadTimeout:
            raise self._limits.too_slow(self._host) from None
        self._received += len(data)
        if self._received > self._limits.wire_bytes:
            raise too_big(self._host, self._limits.wire_bytes)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._stream.write(buffer, self._seconds(timeout))
        except httpcore2.WriteTimeout:
            raise self._limits.too_slow(self._host) from None

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            secured = self._stream.start_tls(ssl_context, server_hostname, self._seconds(timeout))
        except httpcore2.ConnectTimeout:
            raise SourceError(f"{self._host}: no TLS handshake in time; it will be tried again later") from None
        return LimitedStream(secured, self._host, self._limits)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _seconds(self, timeout: float | None) -> float:
        left = self._limits.left(self._host)
        return left if timeout is None else min(timeout, left)


def _resolve_within(seconds: float, resolve: Resolve, host: str, port: int) -> list[str]:
    """The addresses of a name, at least one; SourceError when there is none or no answer in time."""
    answer: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolve(host, port))
        except (OSError, ValueError) as exc:  # ValueError: labels that the idna codec refuses
            answer.put(exc)

    # getaddrinfo has no time limit of its own; the thread may be left behind.
    Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        raise SourceError(f"{host}: the name server did not answer in {seconds:g} s; try again later") from None
    if isinstance(found, socket.gaierror) and found.errno == socket.EAI_AGAIN:
        raise SourceError(f"{host}: the name server did not answer; are you online?")
    if isinstance(found, Exception) or not found:
        raise SourceError(f"{host}: no such host; check the address")
    return list(found)


def _by_turns(addresses: Sequence[str]) -> list[str]:
    """Each address once, the two families by turns, so that a broken IPv6 costs one try.

    >>> _by_turns(["2606::1", "2606::2", "93.184.215.14", "2606::1"])
    ['2606::1', '93.184.215.14', '2606::2']
    """
    once = list(dict.fromkeys(addresses))
    like_first = [address for address in once if (":" in address) == (":" in once[0])]
    others = [address for address in once if address not in like_first]
    return [address for pair in zip_longest(like_first, others) for address in pair if address]
