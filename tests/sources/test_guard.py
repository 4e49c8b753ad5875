"""The network under the client: which addresses it refuses, and that it connects to the one it checked."""

import contextlib
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from ipaddress import IPv4Network, IPv6Network

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.settings import Settings
from attention_filter.sources.fetch import Client
from attention_filter.sources.guard import GuardedNetwork, Limits, is_named, is_public

REFUSED = {
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "private 10": "10.0.0.5",
    "private 172": "172.31.255.254",
    "private 192": "192.168.1.1",
    "loopback": "127.0.0.1",
    "all of loopback": "127.99.1.1",
    "link-local, cloud metadata": "169.254.169.254",
    "carrier-grade NAT": "100.64.0.1",
    "protocol assignments": "192.0.0.8",
    "documentation": "203.0.113.9",
    "benchmarks": "198.19.0.1",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.251",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "unspecified 6": "::",
    "loopback 6": "::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped public": "::ffff:8.8.8.8",
    "IPv4-compatible": "::7f00:1",
    "NAT64": "64:ff9b::7f00:1",
    "NAT64 of a public address": "64:ff9b::808:808",
    "local NAT64": "64:ff9b:1::a00:1",
    "6to4 of loopback": "2002:7f00:1::1",
    "Teredo": "2001:0:53aa:64c::1",
    "ORCHID": "2001:20::1",
    "documentation 6": "2001:db8::1",
    "new documentation 6": "3fff::1",
    "unique local": "fd12:3456::1",
    "link-local 6": "fe80::1",
    "link-local with a zone": "fe80::1%eth0",
    "public with a zone": "2606:4700::1%eth0",
    "site-local": "fec0::1",
    "multicast 6": "ff02::1",
    "global multicast 6": "ff0e::1",
    "discard": "100::1",
    "segment routing": "5f00::1",
    "never given out": "4000::1",
}
PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "2001:200::1", "2001:4860:4860::8888"]


@pytest.mark.parametrize("address", REFUSED.values(), ids=REFUSED.keys())
def test_an_address_that_is_not_public_is_refused_before_any_connection(address, internet, surfer):
    internet.names["trap.example"] = [address]
    with pytest.raises(SourceError, match=r"^trap\.example: .* is not a public address") as caught:
        surfer().get("http://trap.example/feed")
    assert address in str(caught.value)
    assert internet.connected == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_connected_to(address, server, internet, surfer):
    server.answer("/feed", b"news")
    internet.names["good.example"] = [address]
    assert surfer().get("http://good.example/feed").body == b"news"
    assert internet.connected == [(address, 80)]
    assert server.asked[0].headers["host"] == "good.example"


def test_one_bad_address_among_good_ones_refuses_the_name(internet, surfer):
    internet.names["mixed.example"] = ["93.184.215.14", "2606:4700::1111", "192.168.1.1"]
    with pytest.raises(SourceError, match=r"192\.168\.1\.1 is not a public address"):
        surfer().get("http://mixed.example/feed")
    assert internet.connected == []


def test_the_checked_address_is_used_even_when_the_name_server_changes_its_mind(server, internet):
    server.answer("/feed", b"news")
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])
    client = Client(Settings(private_hosts=()), resolve=lambda host, port: next(answers), network=internet)
    assert client.get("http://rebinding.example/feed").body == b"news"
    with pytest.raises(SourceError, match=r"127\.0\.0\.1 is not a public address"):
        client.get("http://rebinding.example/feed")  # the next request is checked anew
    assert internet.connected == [("93.184.215.14", 80)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "localhost.", "2130706433", "0x7f000001", "0177.1", "127.1"]
)
def test_this_machine_is_refused_however_it_is_spelled(host, server):
    server.answer("/", b"secret")
    with pytest.raises(SourceError), Client(Settings(private_hosts=()), retry_wait=0.0) as client:
        client.get(f"http://{host}:{server.port}/")
    assert server.asked == []


def test_a_named_host_may_be_private(server, fetcher):
    server.answer("/feed", b"news")
    assert fetcher(private_hosts=(server.host,)).get(server.url("/feed")).body == b"news"
    assert fetcher(private_hosts=("127.0.0.1",)).get(server.url("/feed")).body == b"news"
    with pytest.raises(SourceError, match="private_hosts"):
        fetcher(private_hosts=(f"127.0.0.1:{server.port + 1}", "localhost")).get(server.url("/feed"))


def test_a_named_ipv6_host_is_recognised_in_every_spelling():
    assert is_named("::1", 8080, ["::1"])
    assert is_named("::1", 8080, ["[::1]:8080"])
    assert not is_named("::1", 80, ["[::1]:8080"])


def ipaddress_twin(text: str) -> bool:
    """What is_public means, said slowly with the words of the standard library."""
    ip = ipaddress.ip_address(text)
    if ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast:
        return False
    if ip.is_reserved or ip.is_unspecified or not ip.is_global:
        return False
    if ip.version == 6:
        if ip.is_site_local or ip.ipv4_mapped or ip.sixtofour or ip.teredo or ip.scope_id:
            return False
        others = ["64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16"]
        return not any(ip in IPv6Network(network) for network in others)
    return not any(ip in IPv4Network(network) for network in ["192.0.0.0/24", "192.88.99.0/24"])


NETWORKS = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
::/128 ::1/128 ::ffff:0:0/96 ::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2000::/3 2001::/32 2001::/23 2001:db8::/32
2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"""


@pytest.mark.parametrize("network", NETWORKS.split())
def test_the_edges_of_a_special_network_are_where_the_standard_library_sees_them(network):
    net = ipaddress.ip_network(network)
    first, last = int(net.network_address), int(net.broadcast_address)
    for number in {first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1}:
        if 0 <= number < 2**net.max_prefixlen:
            address = str(type(net.network_address)(number))
            assert is_public(address) == ipaddress_twin(address), address


@given(st.ip_addresses().map(str))
def test_is_public_agrees_with_the_standard_library(address):
    assert is_public(address) == ipaddress_twin(address)


def test_what_is_no_address_is_not_public():
    assert not any(map(is_public, ["", "example.org", "1.2.3", "01.2.3.4", "1.2.3.4/32", "::g"]))


@pytest.mark.parametrize("port", [1, 22, 25, 53, 445, 1023])
def test_ports_of_other_services_are_refused(port, internet, surfer):
    internet.names["mail.example"] = ["93.184.215.14"]
    with pytest.raises(SourceError, match=rf"mail\.example: port {port} is not one of the web"):
        surfer().get(f"http://mail.example:{port}/")
    assert internet.connected == []


def test_ports_above_1023_are_asked(server, internet, surfer):
    server.answer("/", b"ok")
    internet.names["dev.example"] = ["93.184.215.14"]
    assert surfer().get("http://dev.example:8080/").body == b"ok"
    assert internet.connected == [("93.184.215.14", 8080)]


def test_unix_sockets_are_refused():
    network = GuardedNetwork(lambda host, port: [], httpcore2.SyncBackend(), Limits(0.0, 1.0, 1))
    with pytest.raises(SourceError, match="Unix socket"):
        network.connect_unix_socket("/var/run/docker.sock")


class DeadAddresses(httpcore2.NetworkBackend):
    """Fails for every address but the good one; keeps how long each was given."""

    def __init__(self, good, error=httpcore2.ConnectTimeout):
        self.good, self.error, self.tried = good, error, []

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.tried.append((host, timeout))
        if host != self.good:
            raise self.error("dead")
        return httpcore2.MockStream([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])


def test_a_dead_address_leaves_time_for_the_next_family():
    network = DeadAddresses(good="1.1.1.1")
    resolve = lambda host, port: ["2606::1", "2606::2", "2606::1", "1.1.1.1"]  # noqa: E731
    with Client(Settings(connect_timeout=4.0, total_timeout=9.0), resolve=resolve, network=network) as client:
        assert client.get("http://two.example/").body == b"ok"
    (first, first_time), (second, _) = network.tried
    assert (first, second) == ("2606::1", "1.1.1.1")
    assert 1.0 < first_time < 1.5  # a third of the four seconds


def test_the_number_of_addresses_tried_is_limited():
    network = DeadAddresses(good=None)
    addresses = [f"1.1.1.{n}" for n in range(50)]
    client = Client(Settings(), resolve=lambda host, port: addresses, network=network)
    with pytest.raises(SourceError, match=r"^many\.example: no connection within 10 s"):
        client.get("http://many.example/")
    assert len(network.tried) == 4


def test_a_silent_name_server_is_given_up():
    never = threading.Event()
    client = Client(Settings(connect_timeout=0.1), resolve=lambda host, port: never.wait(20) or [])
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"^silent\.example: the name server did not answer in 0\.1 s"):
        client.get("http://silent.example/")
    assert time.monotonic() - started < 5
    never.set()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such host; check the address"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "are you online?"),
        (UnicodeError("label too long"), "no such host; check the address"),
    ],
)
def test_a_name_that_cannot_be_resolved_is_one_line(error, says):
    def resolve(host, port):
        raise error

    with pytest.raises(SourceError) as caught:
        Client(Settings(), resolve=resolve).get("http://nowhere.example/")
    assert str(caught.value).startswith("nowhere.example: ")
    assert str(caught.value).endswith(says)


class Rerouted(httpcore2.SyncBackend):
    """Whatever address is connected to, a port of this machine answers."""

    def __init__(self, port):
        self.port, self.connected = port, []

    def connect_tcp(self, host, port, *others):
        self.connected.append((host, port))
        return super().connect_tcp("127.0.0.1", self.port, *others)


def ask_over_tls(serve) -> tuple[str, list[tuple[str, int]]]:
    """The error of a client for https://feeds.example, whose one connection goes to `serve`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        network = Rerouted(listener.getsockname()[1])
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]))
        thread.start()
        client = Client(
            Settings(connect_timeout=5),
            resolve=lambda h, p: ["93.184.215.14"],
            network=network,
            retry_wait=0.0,
        )
        with pytest.raises(SourceError) as caught:
            client.get("https://feeds.example/feed")
        thread.join()
    return str(caught.value), network.connected


def test_tls_asks_for_the_name_not_the_address():
    heard = []

    def serve(connection):
        with connection:
            heard.append(connection.recv(4096))
            connection.sendall(b"SSH-2.0-none of your business\r\n")

    message, connected = ask_over_tls(serve)
    assert message.startswith("feeds.example: no secure connection (TLS)")
    assert connected == [("93.184.215.14", 443)]
    assert b"feeds.example" in heard[0]
    assert b"93.184.215.14" not in heard[0]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -keyout key -out cert"
    names = ["-subj", "/CN=feeds.example", "-addext", "subjectAltName=DNS:feeds.example"]
    try:
        subprocess.run([*make.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl command to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def serve(connection):
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    message, connected = ask_over_tls(serve)
    assert message.startswith("feeds.example: its certificate is not valid (self")
    assert len(connected) == 1  # asking again would not help
