from datetime import UTC, datetime, timedelta

import pytest

from attention_filter.types import Entry, Item

NOW = datetime(2026, 11, 22, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=2), NOW + timedelta(days=2)


@pytest.mark.parametrize(
    ("published", "updated", "date"),
    [(EARLIER, NOW, EARLIER), (None, EARLIER, EARLIER), (None, None, NOW), (LATER, EARLIER, NOW), (None, LATER, NOW)],
)
def test_an_item_is_dated_by_what_its_source_says_but_never_in_the_future(published, updated, date):
    assert Item(1, 1, "", Entry("g", "T", published=published, updated=updated), NOW).date == date
