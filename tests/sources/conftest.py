"""A real HTTP server on loopback that tests script down to the byte, and a small make-believe internet.

    def test_x(server, fetcher):
        server.answer("/feed", b"<rss/>", headers={"ETag": '"1"'})       # a whole answer
        server.answer_by("/slow", lambda asked, wire: wire.drip(b"x"))   # or raw bytes of one's own
        response = fetcher().get(server.url("/feed"))
        assert server.asked[0].headers["user-agent"]

`internet` gives names addresses; whatever address is connected to, the loopback server answers.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpcore2
import pytest

from attention_filter.errors import SourceError
from attention_filter.settings import Settings
from attention_filter.sources.fetch import Client


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]


@dataclass
class Wire:
    """The server's end of one connection."""

    connection: socket.socket
    stopped: threading.Event
    sent: int = 0

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self.sent += len(data)

    def answer(self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] = {}) -> None:
        lines = {"Content-Length": str(len(body)), "Connection": "close", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1") + body)

    def drip(self, piece: bytes, pause: float = 0.01) -> None:
        """Sends the piece again and again until the client goes away."""
        while not self.stopped.wait(pause):
            self.send(piece)


Handler = Callable[[Asked, Wire], None]


@dataclass
class LoopbackServer:
    """Answers by path; what nobody scripted is a 404. `asked` and `wires` keep what happened, in order."""

    port: int
    stopped: threading.Event
    routes: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    @property
    def host(self) -> str:
        """For the setting private_hosts."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def answer(
        self,
        path: str,
        body: bytes = b"",
        status: int = 200,
        headers: Mapping[str, str] = {},
    ) -> None:
        self.routes[path] = lambda asked, wire: wire.answer(body, status, headers)

    def answer_by(self, path: str, handler: Handler) -> None:
        self.routes[path] = handler

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


class _Connection(socketserver.StreamRequestHandler):
    script: LoopbackServer

    def handle(self) -> None:
        try:
            first = self.rfile.readline().decode("latin-1").split(" ")
            headers = {}
            while (line := self.rfile.readline().decode("latin-1").strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            if len(first) < 2:
                return
            asked, wire = Asked(first[1], headers), Wire(self.connection, self.script.stopped)
            self.script.asked.append(asked)
            self.script.wires.append(wire)
            self.script.routes.get(asked.path, lambda _, wire: wire.answer(status=404))(asked, wire)
        except OSError:
            pass  # the client went away, as some tests want it to


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    handler = type("Connection", (_Connection,), {})
    with _Listener(("127.0.0.1", 0), handler) as listener:
        script = LoopbackServer(listener.server_address[1], threading.Event())
        handler.script = script
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield script
        script.stopped.set()
        listener.shutdown()


class Internet(httpcore2.NetworkBackend):
    """Names and their addresses; `connected` are the addresses that were really connected to."""

    def __init__(self, port: int) -> None:
        self.names: dict[str, list[str]] = {}
        self.connected: list[tuple[str, int]] = []
        self._port = port
        self._real = httpcore2.SyncBackend()

    def resolve(self, host: str, port: int) -> list[str]:
        return self.names.get(host, [])

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.connected.append((host, port))
        return self._real.connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)


@pytest.fixture
def internet(server: LoopbackServer) -> Internet:
    return Internet(server.port)


def _settings(changes: Mapping[str, object]) -> Settings:
    return Settings(**{"connect_timeout": 2.0, "total_timeout": 5.0, "max_bytes": 1_000_000, **changes})


@pytest.fixture
def fetcher(server: LoopbackServer) -> Callable[..., Client]:
    """Makes clients that may ask the loopback server and wait for nothing between attempts."""

    def make(**changes: object) -> Client:
        return Client(_settings({"private_hosts": (server.host,), **changes}), retry_wait=0.0)

    return make


@pytest.fixture
def surfer(internet: Internet) -> Callable[..., Client]:
    """Makes clients that live in the make-believe internet, where nothing private is allowed."""

    def make(**changes: object) -> Client:
        return Client(
            _settings({"private_hosts": (), **changes}),
            resolve=internet.resolve,
            network=internet,
            retry_wait=0.0,
        )

    return make


@pytest.fixture
def refusal() -> Callable[..., SourceError]:
    """The error that a request ends with, after a look whether it is one short line."""

    def ask(client: Client, url: str, **validators: str) -> SourceError:
        with client, pytest.raises(SourceError) as caught:
            client.get(url, **validators)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 250
        assert "Traceback" not in message
        return caught.value

    return ask
