"""When a source is asked again."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import SourceError
from attention_filter.sources.schedule import next_try
from attention_filter.types import Source, SourceKind

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR, DAY = 3600.0, 86400.0


def wait(*, failures=0, error=None, retry_after=None, max_age=None, seed=0) -> float:
    """Seconds until the next try."""
    source = Source(1, "https://example.org/feed", SourceKind.FEED, failures=failures)
    at = next_try(source, NOW, error=error, retry_after=retry_after, max_age=max_age, jitter=Random(seed))
    assert at.tzinfo is not None
    return (at - NOW).total_seconds()


FAILED = SourceError("example.org: timed out")


def test_a_success_is_followed_up_after_about_an_hour():
    waits = [wait(seed=seed) for seed in range(200)]
    assert 0.9 * HOUR <= min(waits) < 0.92 * HOUR
    assert 1.08 * HOUR < max(waits) <= 1.1 * HOUR


def test_old_failures_are_forgotten_after_a_success():
    assert wait(failures=9) <= 1.1 * HOUR


@given(st.floats(0, 1e9), st.integers())
def test_a_source_is_never_asked_before_its_max_age_which_counts_up_to_a_day(max_age, seed):
    assert min(max_age, DAY) <= wait(max_age=max_age, seed=seed) <= 1.1 * max(HOUR, min(max_age, DAY))


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 15), (1, 30), (2, 60), (3, 120), (6, 960), (7, 1440), (10_000, 1440)]
)
def test_failures_back_off_from_a_quarter_of_an_hour_to_a_day(failures, minutes):
    for seed in range(20):
        assert 0.9 <= wait(failures=failures, error=FAILED, seed=seed) / (60 * minutes) <= 1.1


@given(st.floats(0, 1e9), st.integers(0, 50), st.integers())
def test_retry_after_is_obeyed_up_to_a_week(retry_after, failures, seed):
    capped = min(retry_after, 7 * DAY)
    seconds = wait(failures=failures, error=FAILED, retry_after=retry_after, seed=seed)
    assert capped <= seconds <= 1.1 * max(capped, DAY)


def test_the_errors_own_retry_after_counts():
    error = SourceError("example.org: asks us to wait", retry_after=5 * HOUR)
    assert wait(error=error) >= 5 * HOUR
    assert wait(error=error, retry_after=2 * HOUR) < 3 * HOUR


def test_max_age_does_not_hold_up_a_retry():
    assert wait(error=FAILED, max_age=DAY) <= 1.1 * 15 * 60


def test_the_same_random_numbers_give_the_same_time():
    assert wait(seed=3) == wait(seed=3) != wait(seed=4)
