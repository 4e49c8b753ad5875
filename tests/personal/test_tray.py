import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal.tray import KEEP, line

SCORES = st.lists(st.floats(-5, 5), min_size=20, max_size=60).map(np.array)


def test_a_reader_we_know_nothing_of_has_an_empty_tray():
    assert line(np.zeros(100), np.array([])) == float("-inf")


@given(SCORES)
def test_the_line_keeps_the_promised_share_of_what_was_liked(liked):
    assert (liked >= line(np.arange(100.0), liked)).mean() >= KEEP


@given(st.lists(st.floats(-5, 5), max_size=19).map(np.array))
def test_with_few_likes_none_of_them_lies_below_the_line(liked):
    cut = line(np.linspace(-1, 1, 100), liked)
    assert (liked >= cut).all()
    assert (np.linspace(-1, 1, 100) < cut).mean() <= 0.25
