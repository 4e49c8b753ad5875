"""The HTTP client against servers that are slow, endless, or lie."""

import gzip
import time
import tracemalloc
import zlib

import httpcore2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.settings import Settings
from attention_filter.sources.fetch import MAX_HOPS, Client

MANY = 100 * 2**20  # bytes that no test wants to hold in memory


def slow_header(asked, wire):
    wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    wire.drip(b"x")


def slow_body(asked, wire):
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    wire.drip(b"x")


def silence(asked, wire):
    wire.stopped.wait(10)


def endless_promises(asked, wire):
    wire.drip(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


@pytest.mark.parametrize("handler", [slow_header, slow_body, silence, endless_promises])
def test_a_slow_server_is_left_when_the_time_is_up(handler, server, fetcher, refusal):
    server.answer_by("/feed", handler)
    started = time.monotonic()
    error = refusal(fetcher(total_timeout=0.15), server.url("/feed"))
    assert str(error) == "127.0.0.1: timed out after 0.15 s; it will be tried again later"
    assert time.monotonic() - started < 2
    assert len(server.asked) == 1


def test_the_time_limit_covers_redirects_together(server, fetcher, refusal):
    def late(asked, wire):
        wire.stopped.wait(0.08)
        wire.answer(status=302, headers={"Location": asked.path + "a"})

    for hop in range(MAX_HOPS + 1):
        server.answer_by("/" + "a" * hop, late)
    assert "timed out after 0.2 s" in str(refusal(fetcher(total_timeout=0.2), server.url("/")))
    assert len(server.asked) < 4


def test_an_endless_body_is_left_soon(server, fetcher, refusal):
    def endless(asked, wire):
        wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(MANY // 2**16):
            wire.send(bytes(2**16))

    server.answer_by("/feed", endless)
    tracemalloc.start()
    error = refusal(fetcher(max_bytes=300_000), server.url("/feed"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(error).startswith("127.0.0.1: sent more than 300,000 bytes")
    assert peak < 4e6
    assert server.wires[0].sent < 20e6  # what the sockets of the system can hold


def test_a_body_that_announces_to_be_huge_is_not_read(server, fetcher, refusal):
    server.answer("/feed", b"x", headers={"Content-Length": "2000000000"})
    assert "sent more than 1,000,000 bytes" in str(refusal(fetcher(), server.url("/feed")))


def packed_zeros(size: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    piece = bytes(2**20)
    return b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
def test_a_bomb_stops_early_and_stays_small(encoding, wbits, server, fetcher, refusal):
    bomb = packed_zeros(MANY, wbits)
    assert len(bomb) < 200_000
    server.answer("/feed", bomb, headers={"Content-Encoding": encoding})
    tracemalloc.start()
    error = refusal(fetcher(max_bytes=3_000_000), server.url("/feed"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "sent more than 3,000,000 bytes" in str(error)
    assert peak < 12e6


def test_a_bomb_in_a_bomb_is_refused(server, fetcher, refusal):
    server.answer("/feed", gzip.compress(b"x"), headers={"Content-Encoding": "gzip, gzip"})
    assert "packed as gzip in gzip" in str(refusal(fetcher(), server.url("/feed")))


def test_rubbish_after_a_packed_body_counts_too(server, fetcher, refusal):
    def rubbish(asked, wire):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"news"))
        for _ in range(MANY // 2**16):
            wire.send(bytes(2**16))

    server.answer_by("/feed", rubbish)
    assert "sent more than" in str(refusal(fetcher(max_bytes=100_000), server.url("/feed")))
    assert server.wires[0].sent < 20e6


def test_endless_headers_are_left_soon(server, fetcher, refusal):
    def endless(asked, wire):
        wire.send(b"HTTP/1.1 200 OK\r\n")
        for _ in range(MANY // 2**16):
            wire.send(b"X-More: " + b"x" * 2**16 + b"\r\n")

    server.answer_by("/feed", endless)
    refusal(fetcher(), server.url("/feed"))
    assert sum(wire.sent for wire in server.wires) < 40e6


def test_an_encoding_we_did_not_ask_for_is_named(server, fetcher, refusal):
    server.answer("/feed", b"\x1b\x03", headers={"Content-Encoding": "br"})
    assert "packed as br" in str(refusal(fetcher(), server.url("/feed")))


def test_a_body_that_is_not_packed_as_it_says_is_one_line(server, fetcher, refusal):
    server.answer("/feed", b"<rss/>", headers={"Content-Encoding": "gzip"})
    assert "cannot be unpacked" in str(refusal(fetcher(), server.url("/feed")))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n",
    ],
)
def test_a_server_that_closes_in_the_middle_is_one_line(raw, server, fetcher, refusal):
    server.answer_by("/feed", lambda asked, wire: wire.send(raw))
    assert "broke off in the middle" in str(refusal(fetcher(), server.url("/feed")))


def test_more_than_the_content_length_is_not_read(server, fetcher):
    server.answer("/feed", b"news and much more", headers={"Content-Length": "4"})
    assert fetcher().get(server.url("/feed")).body == b"news"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nnews",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
    ],
)
def test_what_is_not_http_is_one_line(raw, server, fetcher, refusal):
    server.answer_by("/feed", lambda asked, wire: wire.send(raw))
    assert "no answer that is HTTP" in str(refusal(fetcher(), server.url("/feed")))


def test_a_closed_port_is_one_line(server, fetcher, refusal):
    client = Client(Settings(private_hosts=("127.0.0.1",)), retry_wait=0.0)
    message = str(refusal(client, "http://127.0.0.1:1/"))
    assert message == "127.0.0.1: connection refused; it will be tried again later"


@settings(max_examples=300, deadline=None)
@given(
    st.binary(),
    st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 301 X\r\nLocation: ", b"HTTP/1.1 200 OK\r\nETag: "]),
    st.sampled_from([b"", b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08"]),
)
def test_any_bytes_as_an_answer_are_a_response_or_one_line(middle, first, last):
    network = httpcore2.MockBackend([first + middle + last])
    client = Client(Settings(), resolve=lambda h, p: ["1.1.1.1"], network=network, retry_wait=0.0)
    try:
        said = repr(client.get("http://fuzz.example/").body)
    except SourceError as error:
        said = str(error)
    assert said.isprintable()


def test_refusals_of_big_bodies_do_not_pile_up_in_memory(server, fetcher):
    server.answer_by("/feed", lambda asked, wire: wire.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1_400_000)))
    tracemalloc.start()
    client = fetcher(max_bytes=1_300_000)
    for _ in range(10):
        with pytest.raises(SourceError, match="sent more than"):
            client.get(server.url("/feed"))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 4e6
