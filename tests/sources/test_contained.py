"""A parse that hangs, crashes or swells harms only its own source."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from attention_filter.errors import SourceError
from attention_filter.sources.contained import Children, parse_contained
from attention_filter.sources.feeds import parse_feed

NOW = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
URL = "https://e.org/feed"
FEED = """<rss><channel><title>新闻</title><item><title>One</title><link>https://e.org/1</link><author>Ann</author>
<pubDate>Wed, 01 Jul 2026 00:00:00 GMT</pubDate><description>&lt;img src="/a.png"&gt; a &lt;a href="/b"&gt;b&lt;/a&gt;
</description><category>x</category></item><item><title>Two</title></item></channel></rss>""".encode()

# A child that does what the body says, in place of the parser.
OBEDIENT = """
import os, sys, time
from attention_filter.sources.contained import serve
from attention_filter.sources.document import Feed

def parse(body, url, content_type, now, max_entries):
    print("a stray word")
    if body == b"hang":
        while True: pass
    if body == b"sleep": time.sleep(3600)
    if body == b"swell": bytearray(2 ** 33)
    if body == b"slowly": [bytes(2 ** 20) for _ in range(2000)]
    if body == b"crash": os.abort()
    if body == b"exit": os._exit(3)
    if body == b"rubbish": os.write(answers, b"\\x00" * 7 + b"\\x05hello")
    return Feed(body.decode() if body.isdigit() else str(os.getpid()), None, ())

answers = os.dup(1)
serve(parse)
"""

Ask = Callable[[str], str]


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children([sys.executable, "-P", "-c", OBEDIENT], most=2)
    yield children
    children.close()


@pytest.fixture
def ask(children: Children) -> Ask:
    return lambda body: (
        children.parse(body.encode(), URL, None, NOW, 10, 0.5 if body in ("hang", "sleep") else 20, 256).title
    )


def test_the_same_comes_out_as_without_the_child() -> None:
    assert parse_contained(FEED, URL, "text/xml", NOW, 10, 20, 512) == parse_feed(FEED, URL, "text/xml", NOW, 10)


def test_the_parsers_own_errors_come_through() -> None:
    with pytest.raises(SourceError, match="the feed is empty"):
        parse_contained(b"", URL, None, NOW, 10, 20, 512)


def test_one_child_parses_feed_after_feed(ask: Ask) -> None:
    assert ask("a") == ask("b")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("hang", "took longer than 0.5 s"),
        ("sleep", "took longer than 0.5 s"),
        ("swell", "more than 256 MB"),
        ("slowly", "more than 256 MB"),
        ("crash", "signal 6"),
        ("exit", "exit code 3"),
        ("rubbish", "ended the parser"),
    ],
)
def test_misbehaviour_is_one_error_and_the_next_feed_is_read(ask: Ask, body: str, says: str) -> None:
    before = ask("well")
    with pytest.raises(SourceError, match=says) as caught:
        ask(body)
    assert URL in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ask("well") != before


def test_a_child_that_was_killed_while_idle_is_replaced(children: Children, ask: Ask) -> None:
    before = ask("well")
    children._idle[0]._process.kill()
    children._idle[0]._process.wait()
    assert ask("well") != before


def test_threads_share_the_children_and_do_not_mix_their_answers(children: Children, ask: Ask) -> None:
    got: dict[int, list[str]] = {}

    def read(number: int) -> None:
        got[number] = [ask(str(number)) for _ in range(20)]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: [str(number)] * 20 for number in range(6)}
    assert len(children._idle) <= 2


def test_a_child_that_does_not_start_is_an_error() -> None:
    with pytest.raises(SourceError, match="does not start"):
        Children([sys.executable, "-c", "pass"]).parse(b"", URL, None, NOW, 10, 5, 256)
    with pytest.raises(SourceError, match="does not start"):
        Children(["/no/such/program"]).parse(b"", URL, None, NOW, 10, 5, 256)


def test_a_hostile_document_is_stopped_in_time() -> None:
    body = b"<rss><channel><item><description>" + b"<a" * 3_000_000
    began = time.monotonic()
    with contextlib.suppress(SourceError):
        parse_contained(body, URL, None, NOW, 10, 1.0, 512)
    assert time.monotonic() - began < 8


def test_the_child_is_light() -> None:
    code = (
        "import sys, attention_filter.sources.contained, attention_filter.sources.feeds;"
        "sys.exit(bool({'torch', 'transformers', 'sklearn', 'scipy', 'sqlalchemy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
