from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal.lists import (
    TO_LEARN,
    AtLeast,
    AtMost,
    Bounds,
    Never,
    arrange,
    by_relevance,
    usual_wishes,
)

N = 12
SCORES = np.arange(N, 0, -1.0)
GROUPS = st.lists(st.booleans(), min_size=N, max_size=N).map(np.array)
SCORED = st.lists(st.floats(-3, 3), min_size=N, max_size=N).map(np.array)


def some(*rows):
    return np.isin(np.arange(N), rows)


def test_without_wishes_the_order_is_that_of_the_scores():
    assert arrange(np.array([1.0, 4.0, 2.0, 3.0]), 4).rows == [1, 3, 2, 0]
    assert arrange(np.zeros(0), 5).rows == []


def test_without_exploration_there_are_no_wishes(world):
    history = world.history([], [], statements=(0, 1))
    assert usual_wishes(history, world.features, np.zeros(200), 0.0, 10) == []
    assert len(usual_wishes(history, world.features, np.zeros(200), 0.1, 10)) == 3


@given(SCORED, GROUPS, GROUPS, st.integers(1, 4), st.integers(1, 4))
def test_quotas_hold_and_nothing_is_lost(scores, few, must, most, least):
    bounds = Bounds((AtMost("few", few, most),), (AtLeast("must", must, least),))
    whole = arrange(scores, N, bounds=bounds)
    assert sorted(whole.rows) == list(range(N))
    assert few[whole.rows[: whole.fitting]].sum() <= most
    list_ = arrange(scores, 5, bounds=bounds)
    assert few[list_.rows[: list_.fitting]].sum() <= most
    there = must[list_.rows[: list_.fitting]].sum()
    assert there >= min(least, must.sum()) or list_.problems


@given(SCORED, GROUPS, GROUPS)
def test_what_may_not_stand_together_does_not(scores, one, other):
    together = arrange(scores, N, bounds=Bounds(never=(Never("apart", one, other),)))
    kept = together.rows[: together.fitting]
    assert not any((one[a] and other[b]) for a in kept for b in kept if a != b)
    beside = arrange(scores, N, bounds=Bounds(never=(Never("apart", one, other, next_to=True),)))
    kept = beside.rows[: beside.fitting]
    assert not any((one[a] and other[b]) or (one[b] and other[a]) for a, b in pairwise(kept))


def test_what_a_quota_holds_back_follows_at_the_end_and_says_so():
    arranged = arrange(SCORES, N, bounds=Bounds(most=(AtMost("A at most 2", some(0, 1, 2, 3), 2),)))
    assert arranged.rows == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
    assert arranged.fitting == 10
    assert arranged.moved == dict.fromkeys((2, 3), "held back: A at most 2")


def test_what_must_be_there_takes_the_last_place_and_says_so():
    arranged = arrange(SCORES, 3, bounds=Bounds(least=(AtLeast("B at least 1", some(8, 11), 1),)))
    assert arranged.rows == [0, 1, 8]
    assert arranged.moved == {8: "lifted: B at least 1"}


def test_what_is_there_anyway_is_not_lifted():
    arranged = arrange(SCORES, 3, bounds=Bounds(least=(AtLeast("B at least 1", some(1), 1),)))
    assert (arranged.rows, arranged.moved) == ([0, 1, 2], {})


def test_an_item_that_two_bounds_ask_for_saves_a_place():
    least = (AtLeast("B", some(9, 11), 1), AtLeast("C", some(10, 11), 1))
    assert arrange(SCORES, 1, bounds=Bounds(least=least)).rows == [11]


def test_a_must_is_reserved_before_a_quota_is_used_up():
    bounds = Bounds((AtMost("A at most 1", some(0, 1, 5), 1),), (AtLeast("B at least 1", some(5), 1),))
    arranged = arrange(SCORES, 3, bounds=bounds)
    assert arranged.rows == [2, 3, 5]
    assert arranged.moved == {5: "lifted: B at least 1"}


def test_what_cannot_be_had_is_told_in_a_sentence():
    bounds = Bounds((AtMost("A at most 1", some(4, 5), 1),), (AtLeast("B at least 2", some(4, 5), 2),))
    arranged = arrange(SCORES, 6, bounds=bounds)
    assert arranged.problems == ("B at least 2: 1 of 2 in this list, since other bounds leave no room",)
    least = (AtLeast("B", some(9), 1), AtLeast("C", some(10), 1))
    assert "only 1 places" in arrange(SCORES, 1, bounds=Bounds(least=least)).problems[0]


def test_pinned_items_come_first_and_count():
    bounds = Bounds((AtMost("A at most 1", some(0, 1, 6), 1),))
    assert arrange(SCORES, 3, bounds=bounds, first=[6]).rows == [6, 2, 3]
    assert arrange(SCORES, 3, bounds=bounds, first=[1, 6]).rows == [1, 6, 2]


def test_the_same_kind_is_not_placed_twice_in_a_row():
    ads = some(0, 1, 2)
    arranged = arrange(SCORES, 5, bounds=Bounds(never=(Never("ads apart", ads, ads, next_to=True),)))
    assert arranged.rows == [0, 3, 1, 4, 2]
    assert arranged.moved == dict.fromkeys((1, 2), "held back: ads apart")


def test_the_last_places_of_a_screen_go_to_what_the_draw_ranks_highest():
    drawn = np.where(some(11), 99.0, SCORES)
    arranged = arrange(SCORES, 10, drawn=drawn, explore=0.1)
    assert (arranged.rows[-1], arranged.moved) == (11, {11: TO_LEARN})
    assert arrange(SCORES, 10, drawn=drawn, explore=0.0).rows == list(range(10))
    assert arrange(SCORES, 10, drawn=SCORES, explore=0.5).rows == list(range(10))  # nothing is unsure
    bounds = Bounds((AtMost("one of them", some(0, 11), 1),))
    assert 11 not in arrange(SCORES, 10, bounds=bounds, drawn=drawn, explore=0.1).rows


class Price:
    """A wish that some rows stand as late as can be."""

    says = "too dear"

    def __init__(self, rows, cost):
        self.costs = np.where(rows, cost, 0.0)

    def cost(self):
        return self.costs

    def place(self, row):
        pass


def settled(arranged, pinned=0):
    return by_relevance(arranged, SCORES, pinned)


def test_what_is_looked_at_together_stands_by_its_score_and_what_passed_a_better_one_says_why():
    within = settled(arrange(SCORES, 10, [Price(some(0), 5.5)]))
    assert (within.rows, within.moved) == (list(range(10)), {})
    pushed_out = settled(arrange(SCORES, 12, [Price(some(3), 99.0)]))
    assert pushed_out.rows == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 3, 11]
    assert pushed_out.moved == dict.fromkeys((4, 5, 6, 7, 8, 9, 10), "too dear")
    left_out = settled(arrange(SCORES, 2, [Price(some(1), 99.0)]))
    assert (left_out.rows, left_out.moved) == ([0, 2], {2: "too dear"})


@given(SCORED, GROUPS, GROUPS, st.integers(1, N))
def test_what_is_not_moved_is_sorted_whatever_the_bounds(scores, few, dear, places):
    bounds = Bounds((AtMost("few", few, 2),))
    made = arrange(scores, places, [Price(dear, 2.0)], bounds, first=[4], drawn=-scores, explore=0.3, screen=3)
    listed = by_relevance(made, scores, pinned=1, screen=3)
    assert sorted(listed.rows) == sorted(made.rows)
    assert (listed.rows[0], listed.rows[made.fitting :]) == (4, made.rows[made.fitting :])
    unmoved = [scores[row] for row in listed.rows[1:] if row not in listed.moved]
    assert unmoved == sorted(unmoved, reverse=True)
