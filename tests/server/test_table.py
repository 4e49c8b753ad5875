"""The table answers what pages ask from what it kept; the twin goes through all rows each time."""

from collections import Counter
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pytest

from attention_filter import standing
from attention_filter.listing import Place
from attention_filter.server.table import KEPT, Table
from attention_filter.standing import Head, Standing, View


@pytest.fixture
def made():
    """200 items of four sources and three languages; some are pinned, blocked, in the tray, folded under another."""
    rng, n = np.random.default_rng(0), 200
    ids = rng.permutation(1_000)[:n].astype(np.int64)
    blocked = rng.random(n) < 0.1
    return Standing(
        Head("h", datetime(2026, 1, 1, tzinfo=UTC), "s", 1_000),
        (Place(int(ids[3]), tuple(ids[20:24].tolist())), Place(int(ids[0])), Place(int(ids[7]), (int(ids[150]),))),
        ids=ids,
        scores=np.sort(rng.normal(size=n))[::-1].astype(np.float32),
        interest=rng.normal(size=n).astype(np.float32),
        chance=np.full(n, np.nan, np.float32),
        pinned=np.zeros(n, bool),
        repeats=np.where(rng.random(n) < 0.1, ids[rng.integers(0, n, n)], 0).astype(np.int64),
        blocked=blocked,
        away=blocked | (rng.random(n) < 0.3),
        sources=rng.integers(1, 5, n).astype(np.int32),
        langs=rng.choice(["en", "zh", "und"], n),
        dates=rng.random(n),
        claimed=rng.integers(-3, 1, n).astype(np.int32),
        reason=np.zeros(n, np.uint8),
        worth=np.zeros(n, np.float32),
        topics=rng.integers(0, 3, n).astype(np.uint8),
        topic_names=np.array(["", "politics", "tea"]),
        feelings=rng.integers(0, 4, n).astype(np.uint8),
    )


VIEWS = [
    View(lane, order, sources, lang, claimed, topic, feeling, unread=unread)
    for lane, order, sources, lang, claimed, unread, (topic, feeling) in product(
        ("for you", "rest"), ("rank", "time"), (None, frozenset({1, 3})), (None, "zh"), (None, -2), (True, False),
        ((None, None), ("tea", None), ("politics", "negative")),
    )
]  # fmt: skip


def column_of(made, name):
    """The values of a column (n,)."""
    if name == "topics":
        return made.topic_names[made.topics]
    return np.array(standing.FEELINGS)[made.feelings] if name == "feelings" else getattr(made, name)


def test_what_is_kept_is_what_going_through_all_rows_gives(made):
    acted = made.ids[::3].tolist()
    table = Table(made, acted)
    assert len(VIEWS) > KEPT
    for view in [*VIEWS, *VIEWS]:
        order, wanted = standing.rows_in(made, view, acted)
        rows = [row for row in order[wanted].tolist() if not made.blocked[row]]
        assert table.ids(view).tolist() == made.ids[rows].tolist()
        assert table.count(view) == len(rows)
        for column in ("sources", "langs", "claimed", "topics", "feelings"):
            counted = table.counts(view, column)
            assert dict(counted) == Counter(column_of(made, column)[rows].tolist())
            assert [many for _, many in counted] == sorted((many for _, many in counted), reverse=True)


def test_an_empty_table_has_nothing(made):
    empty = Table(Standing(made.head, (), **{name: getattr(made, name)[:0] for name in standing._ARRAYS}), [1, 2])
    assert empty.ids(View()).tolist() == []
    assert empty.counts(View(), "sources") == []
