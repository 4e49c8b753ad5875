"""The HTTP client against a real server on loopback: what it asks, follows and refuses."""

import gzip
import threading
import zlib

import httpcore2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.settings import Settings
from attention_filter.sources.fetch import MAX_HOPS, Client, Response

# What a good server answers


def test_a_body_comes_with_all_that_the_next_request_needs(server, fetcher):
    headers = {
        "ETag": 'W/"1"',
        "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "Content-Type": "application/rss+xml; charset=utf-8",
        "Cache-Control": "public, max-age=1800",
    }
    server.answer("/feed", b"<rss/>", headers=headers)
    assert fetcher().get(server.url("/feed#top")) == Response(
        status=200,
        url=server.url("/feed"),
        body=b"<rss/>",
        not_modified=False,
        etag='W/"1"',
        last_modified="Thu, 01 Jan 2026 00:00:00 GMT",
        content_type="application/rss+xml; charset=utf-8",
        moved_to=None,
        max_age=1800.0,
    )


def test_the_server_learns_who_asks_and_what_for(server, fetcher):
    server.answer("/feed")
    fetcher(contact="https://reader.example\r\nX-Bad: ü").get(server.url("/feed"))
    headers = server.asked[0].headers
    assert headers["user-agent"].startswith("AttentionFilter/")
    assert "(+https://reader.example" in headers["user-agent"]
    assert headers["accept"].startswith("application/atom+xml, application/rss+xml")
    assert headers["accept-encoding"] == "gzip, deflate"
    assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_an_unchanged_source_is_not_sent_again(server, fetcher):
    server.answer("/feed", status=304, headers={"ETag": '"2"'})
    response = fetcher().get(server.url("/feed"), etag='"1"', last_modified="Thu, 01 Jan 2026 00:00:00 GMT")
    assert (response.status, response.not_modified, response.body, response.etag) == (304, True, b"", '"2"')
    assert server.asked[0].headers["if-none-match"] == '"1"'
    assert server.asked[0].headers["if-modified-since"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_not_modified_without_a_question_is_an_error(server, fetcher, refusal):
    server.answer("/feed", status=304)
    assert "HTTP 304" in str(refusal(fetcher(), server.url("/feed")))


@pytest.mark.parametrize("bad", ['"1"\r\nX-Evil: 1', '"ü"', "x" * 5000, ""])
def test_a_validator_that_cannot_be_sent_is_left_out(bad, server, fetcher):
    server.answer("/feed", b"news")
    assert fetcher().get(server.url("/feed"), etag=bad).body == b"news"
    assert "if-none-match" not in server.asked[0].headers
    assert "x-evil" not in server.asked[0].headers


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_a_packed_body_is_unpacked(pack, server, fetcher):
    name = "gzip" if pack is gzip.compress else "deflate"
    server.answer("/feed", pack(b"news " * 1000), headers={"Content-Encoding": name})
    assert fetcher().get(server.url("/feed")).body == b"news " * 1000


def test_an_encoding_that_is_none_is_ignored(server, fetcher):
    server.answer("/feed", b"news", headers={"Content-Encoding": "UTF-8"})
    assert fetcher().get(server.url("/feed")).body == b"news"


def test_a_chunked_body_is_put_together(server, fetcher):
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nne\r\n2\r\nws\r\n0\r\n\r\n"
    server.answer_by("/feed", lambda asked, wire: wire.send(raw))
    assert fetcher().get(server.url("/feed")).body == b"news"


def test_cookies_and_proxies_of_the_environment_are_left_alone(server, fetcher, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.answer("/a", status=302, headers={"Location": "/b", "Set-Cookie": "id=1"})
    server.answer("/b", b"news")
    client = fetcher()
    assert client.get(server.url("/a")).body == b"news"
    assert client.get(server.url("/b")).body == b"news"
    assert all("cookie" not in asked.headers for asked in server.asked)
    assert all("authorization" not in asked.headers for asked in server.asked)


# Redirects


def redirect(server, path, location, status=301):
    server.answer(path, status=status, headers={"Location": location})


def test_redirects_are_followed_and_the_end_is_reported(server, fetcher):
    redirect(server, "/old", "/new?page=1#top", 302)
    server.answer("/new?page=1", b"news")
    response = fetcher().get(server.url("/old"))
    assert (response.body, response.url) == (b"news", server.url("/new?page=1"))
    assert response.moved_to is None


@pytest.mark.parametrize(
    ("statuses", "moved_to"),
    [
        ((301,), "/1"),
        ((308, 301), "/2"),
        ((301, 302), "/1"),
        ((302, 301), None),
        ((307, 303), None),
        ((301, 302, 301), "/1"),
    ],
)
def test_only_what_is_permanent_all_along_is_a_move(statuses, moved_to, server, fetcher):
    for hop, status in enumerate(statuses):
        redirect(server, f"/{hop}", f"/{hop + 1}", status)
    server.answer(f"/{len(statuses)}", b"news")
    assert fetcher().get(server.url("/0")).moved_to == (moved_to and server.url(moved_to))


def test_a_move_that_loses_the_encryption_is_none(server, fetcher):
    pages = [b"HTTP/1.1 301 Moved\r\nLocation: http://a.example/\r\nContent-Length: 0\r\n\r\n"]
    pages += [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews"]

    class Pages(httpcore2.MockBackend):
        def connect_tcp(self, *where, **how):
            return httpcore2.MockStream([pages.pop(0)])

    response = Client(Settings(), resolve=lambda h, p: ["1.1.1.1"], network=Pages([])).get("https://a.example/")
    assert (response.url, response.moved_to) == ("http://a.example/", None)


def test_not_modified_after_a_permanent_redirect_is_a_move(server, fetcher):
    redirect(server, "/old", "/new")
    server.answer("/new", status=304)
    response = fetcher().get(server.url("/old"), etag='"1"')
    assert (response.not_modified, response.moved_to) == (True, server.url("/new"))


def test_a_redirect_loop_ends(server, fetcher, refusal):
    redirect(server, "/a", "/b")
    redirect(server, "/b", "/a")
    assert f"redirects more than {MAX_HOPS} times" in str(refusal(fetcher(), server.url("/a")))
    assert len(server.asked) == MAX_HOPS + 1


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://example.org/feed",
        "gopher://127.0.0.1:70/_x",
        "javascript:alert(1)",
        "data:text/xml,<rss/>",
        "http://user:secret@127.0.0.1/",
        "http://[::1",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://xn--iñvalid.example/",
        "//" + "a" * 5000,
        "http://\x7f/",
    ],
)
def test_a_redirect_to_no_web_address_is_refused(location, server, fetcher, refusal):
    redirect(server, "/feed", location)
    refusal(fetcher(private_hosts=("127.0.0.1",)), server.url("/feed"))
    assert server.paths() == ["/feed"]


def test_a_redirect_without_a_target_is_refused(server, fetcher, refusal):
    server.answer("/feed", status=302)
    assert "redirects to nowhere" in str(refusal(fetcher(), server.url("/feed")))


def test_a_redirect_into_the_private_network_is_refused(server, internet, surfer, refusal):
    internet.names = {"outside.example": ["93.184.215.14"], "inside.example": ["192.168.1.1"]}
    redirect(server, "/feed", "http://inside.example/admin")
    assert "192.168.1.1 is not a public address" in str(refusal(surfer(), "http://outside.example/feed"))
    redirect(server, "/feed", f"http://127.0.0.1:{server.port}/admin")
    internet.names["127.0.0.1"] = ["127.0.0.1"]
    assert "127.0.0.1 is not a public address" in str(refusal(surfer(), "http://outside.example/feed"))
    assert server.paths() == ["/feed", "/feed"]


def test_a_stranger_cannot_redirect_to_a_named_private_host(server, internet, surfer, refusal):
    internet.names = {"outside.example": ["93.184.215.14"], "nas": ["192.168.1.7"]}
    redirect(server, "/feed", "http://nas/delete-everything")
    client = surfer(private_hosts=("nas",))
    assert "192.168.1.7 is not a public address" in str(refusal(client, "http://outside.example/feed"))
    assert server.paths() == ["/feed"]
    server.answer("/news", b"news")
    assert surfer(private_hosts=("nas",)).get("http://nas/news").body == b"news"


# Addresses that are none


@pytest.mark.parametrize(
    "url",
    [
        "",
        "feed",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://example.org/",
        "unix:///var/run/docker.sock",
        "http://",
        "http://:80/",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://example.org/\r\nX-Evil: 1",
        "http://example.org\r\nX-Evil: 1/",
        "http://example.org/ HTTP/1.1\nHost: evil",
        "http://example.org:65536/",
        "http://example.org:0/",
        "http://example.org:http/",
        "http://example.org:" + "9" * 3000,
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://1.2.3.4.5.6:99999999/",
        "http://256.1.1.1/",
        "http://a..b/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "ü" * 64 + ".example/",
        "http://①②⑦.0.0.1/",
        "http://exam ple.org/",
        "http://\u202egro.elpmaxe/",
        "http://xn--a/",
        "http://\ud800.example/",
        "http://example.org/" + "a" * 100_000,
        "\x00",
    ],
)
def test_an_address_that_is_none_is_one_line(url, server, refusal):
    def resolve(host, port):
        return [] if host.isascii() else ["1.1.1.1"]

    refusal(Client(Settings(), resolve=resolve, retry_wait=0.0), url)
    assert server.asked == []


def test_a_password_in_an_address_is_neither_sent_nor_shown(server, fetcher, refusal):
    error = refusal(fetcher(), f"http://me:secret@{server.host}/feed")
    assert "has a user name or password in it" in str(error)
    assert "secret" not in str(error)
    assert server.asked == []


def test_a_host_that_is_not_ascii_is_asked_by_its_idna_name(server, internet, surfer):
    internet.names["xn--bcher-kva.example"] = ["93.184.215.14"]
    server.answer("/%E6%96%B0%E9%97%BB?q=%C3%BC", b"news")
    assert surfer().get("http://bücher.example/新闻?q=ü").body == b"news"
    assert server.asked[0].headers["host"] == "xn--bcher-kva.example"


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text().map("http://{}".format), st.from_regex(r"https?://[^/]*/.*")))
@example("http://xn--0/")
@example("https://[v1.x]/")
def test_any_text_as_an_address_is_an_answer_or_one_line(url):
    network = httpcore2.MockBackend([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    with Client(Settings(), resolve=lambda h, p: ["1.1.1.1"], network=network, retry_wait=0.0) as client:
        try:
            said = client.get(url).body.decode()
        except SourceError as error:
            said = str(error)
    assert said == "ok" or (said.isprintable() and len(said) < 1000)


# Manners


def overlap_watcher():
    """A handler, and the greatest number of its requests that were under way at one time."""
    lock, second, now, most = threading.Lock(), threading.Event(), [0], [0]

    def handler(asked, wire):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] > 1:
                second.set()
        second.wait(0.1)  # leaves another one the time to come
        with lock:
            now[0] -= 1
        wire.answer(b"news")

    return handler, most


def in_parallel(*calls):
    results = []
    threads = [threading.Thread(target=lambda call=call: results.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    return results


def test_two_threads_never_ask_one_host_at_the_same_time(server, fetcher):
    handler, most = overlap_watcher()
    server.answer_by("/a", handler)
    server.answer_by("/b", handler)
    redirect(server, "/moved", "/a")
    client = fetcher()
    paths = ["/a", "/b", "/moved"]
    results = in_parallel(*(lambda path=path: client.get(server.url(path)) for path in paths))
    assert [response.body for response in results] == [b"news"] * 3
    assert most == [1]


def test_two_hosts_are_asked_at_the_same_time(server, internet, surfer):
    both = threading.Barrier(2, timeout=5)

    def meet(asked, wire):
        both.wait()
        wire.answer(b"news")

    server.answer_by("/feed", meet)
    internet.names = {"a.example": ["1.1.1.1"], "b.example": ["1.1.1.2"]}
    client = surfer()
    results = in_parallel(*(lambda n=n: client.get(f"http://{n}.example/feed") for n in "ab"))
    assert [response.body for response in results] == [b"news"] * 2


def test_waiting_for_ones_turn_does_not_use_up_the_time(server, fetcher):
    def late(asked, wire):
        wire.stopped.wait(0.2)
        wire.answer(b"news")

    server.answer_by("/feed", late)
    client = fetcher(total_timeout=0.45)
    results = in_parallel(*[lambda: client.get(server.url("/feed"))] * 3)
    assert len(results) == 3


# Forms


def test_a_form_is_sent_once_with_its_headers_and_its_answer_comes_back(server, fetcher):
    server.answer("/token", b"{}", headers={"Content-Type": "application/json"})
    answer = fetcher().post_form(server.url("/token"), {"code": "a b"}, headers={"Authorization": "Basic x"})
    assert (answer.status, answer.body, answer.content_type) == (200, b"{}", "application/json")
    (asked,) = server.asked
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (asked.headers["content-length"], asked.headers["authorization"]) == ("8", "Basic x")


@pytest.mark.parametrize("status", [302, 307, 400, 401, 500, 503])
def test_a_form_is_never_repeated_or_sent_on(server, fetcher, status):
    server.answer("/token", b"", status, {"Location": "/other", "Retry-After": "1"})
    with pytest.raises(SourceError):
        fetcher().post_form(server.url("/token"), {"code": "x"}, headers={"Authorization": "secret"})
    assert server.paths() == ["/token"]


def test_a_form_is_not_sent_to_a_private_address(surfer, internet):
    internet.names = {"id.example": ["10.0.0.1"]}
    with pytest.raises(SourceError, match="not a public address"):
        surfer().post_form("https://id.example/token", {"code": "x"})
    assert internet.connected == []
