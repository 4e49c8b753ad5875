"""What statuses and headers mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attention_filter.settings import Settings
from attention_filter.sources import answers
from attention_filter.sources.fetch import Client

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


# What an error status means


def test_gone_says_so(server, fetcher, refusal):
    server.answer("/feed", status=410)
    error = refusal(fetcher(), server.url("/feed"))
    assert error.gone
    assert str(error) == "127.0.0.1: gone for good (HTTP 410); remove the source"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120.0), ("Thu, 01 Jan 2026 12:10:00 GMT", 600.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)],
)
def test_retry_after_is_passed_on_and_not_asked_again(status, header, seconds, server, refusal):
    server.answer("/feed", status=status, headers={"Retry-After": header})
    client = Client(Settings(private_hosts=(server.host,)), now=lambda: NOW, retry_wait=0.0)
    error = refusal(client, server.url("/feed"))
    assert error.retry_after == seconds
    assert len(server.asked) == 1


def test_too_many_requests_is_not_asked_again_even_without_a_time(server, fetcher, refusal):
    server.answer("/feed", status=429)
    assert refusal(fetcher(), server.url("/feed")).retry_after is None
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_fault_is_tried_three_times(status, server, fetcher, refusal):
    server.answer("/feed", status=status)
    assert f"HTTP {status}" in str(refusal(fetcher(), server.url("/feed")))
    assert len(server.asked) == 3


def test_a_passing_fault_is_not_noticed(server, fetcher):
    def second_time_lucky(asked, wire):
        wire.answer(b"news", status=200 if len(server.asked) > 1 else 500)

    server.answer_by("/feed", second_time_lucky)
    assert fetcher().get(server.url("/feed")).body == b"news"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 451, 300, 999])
def test_other_statuses_are_final(status, server, fetcher, refusal):
    server.answer("/feed", b"<rss/>", status=status)
    assert f"HTTP {status}" in str(refusal(fetcher(), server.url("/feed")))
    assert len(server.asked) == 1


def test_retries_print_nothing(server, fetcher, capfd, refusal):
    server.answer("/feed", status=500)
    refusal(fetcher(), server.url("/feed"))
    assert capfd.readouterr() == ("", "")


# The pure parts


@given(st.one_of(st.none(), st.text(), st.from_regex(r"[0-9A-Za-z,: +-]{0,40}")))
@example("9" * 5000)
@example("Thu, 01 Jan 99999999999999999999 00:00:00 GMT")
@example("Thu, 01 Jan 2026 00:00:00 -0000")
def test_retry_after_never_raises_and_is_never_negative(text):
    seconds = answers.retry_after(text, NOW)
    assert seconds is None or seconds >= 0
    assert answers.max_age(text) is None or answers.max_age(text) >= 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ('private, Max-Age="60"', 60),
        ("max-age=0", 0),
        ("s-maxage=60", None),
        ("max-age=-1", None),
        ("max-age=" + "9" * 40, None),
        (None, None),
    ],
)
def test_max_age_is_read_as_written(header, seconds):
    assert answers.max_age(header) == seconds
