"""Copies of a story: told apart from other stories, read once, and shown again only when they add something."""

import numpy as np
import pytest
from scipy import sparse

from attention_filter.personal.features import SLOTS, Features, similarity, word_cosines
from attention_filter.personal.stories import alike, fold_stories, make_articles, one_each, retold

HOUR, DAY = 3_600.0, 86_400.0


def articles(features, **more):
    n = len(features)
    usual = {"dates": np.zeros(n), "sources": np.zeros(n, int), "titles": [""] * n, "urls": [None] * n}
    return make_articles(features, **usual | more)


def texts(*words, first=0):
    """Items of these words (numbers), each a unit row, all of different meaning (the first of this number)."""
    rows = sparse.lil_array((len(words), SLOTS), dtype=np.float32)
    for row, some in enumerate(words):
        rows[row, list(some)] = 1 / np.sqrt(len(some))
    return Features(np.eye(64, dtype=np.float32)[first : first + len(words)], sparse.csr_array(rows))


def test_a_story_is_led_by_its_best_item_and_like_stands_under_like(world):
    rows = [0, 1, 2, 0, 1]
    stories = fold_stories(np.array([1.0, 2.0, 3.0, 4.0, 0.0]), articles(world.features[rows]))
    told = {story.lead: story.others for story in stories if story.others}
    assert told.items() >= {3: (0,), 1: (4,)}.items()


def test_folding_block_by_block_does_as_folding_one_by_one(world, monkeypatch):
    monkeypatch.setattr("attention_filter.personal.stories.AT_ONCE", 7)
    scores = world.rng.normal(size=len(world.features))
    same = word_cosines(world.features, world.features) >= 0.5
    same |= similarity(world.features, world.features, 0.0) >= 0.85
    told = {}
    for row in np.argsort(-scores, kind="stable").tolist():
        told.setdefault(next((lead for lead in told if same[row, lead]), row), []).append(row)
    folded = fold_stories(scores, articles(world.features))
    assert [[story.lead, *story.others] for story in folded] == list(told.values())


def test_a_title_or_a_link_tells_a_story_in_another_source_only():
    said = texts(range(0, 30), range(100, 103), range(200, 230), range(20, 50))
    title, link = "Ferry strike ends after nine days", "https://paper.example/0"
    given = {
        "titles": [title, title.upper() + "!", title, "Morning news"],
        "urls": [link, None, None, link],
    }
    elsewhere = articles(said, sources=np.arange(4), **given)
    assert alike(elsewhere, elsewhere)[0].tolist() == [True, True, True, True]
    at_home = articles(said, **given)
    assert alike(at_home, at_home)[0].tolist() == [True, False, False, False]
    homepage = articles(texts(range(30), range(50, 80)), sources=np.arange(2), urls=[link, link])
    assert not alike(homepage, homepage)[0, 1]  # a link to the front page of two sites
    weekly = articles(said, sources=np.arange(4), titles=["Open thread"] * 4)
    assert not alike(weekly, weekly)[0, 1:].any()
    late = articles(said, sources=np.arange(4), dates=np.array([0, 5, 3, 4.5]) * DAY, **given)
    assert alike(late, late)[0].tolist() == [True, False, True, False]


def test_a_word_or_two_that_are_shared_tell_no_story():
    short = articles(texts(range(2), range(2), range(4), range(4)))
    assert alike(short, short).tolist() == [[True, False, False, False], [False, True, False, False],
                                            [False, False, True, True], [False, False, True, True]]  # fmt: skip


def test_of_copies_the_one_with_the_highest_priority_speaks(world, monkeypatch):
    rows = [0, 1, 0, 2, 0]
    copies = articles(world.features[rows], dates=np.array([0, 1, 2, 3, 9]) * DAY)
    for size in (256, 2):
        monkeypatch.setattr("attention_filter.personal.stories.AT_ONCE", size)
        assert one_each(np.array([1, 2, 3, 4, 5]), copies).tolist() == [False, True, True, True, True]
    assert one_each(np.array([3, 2, 1, 4, 0]), copies).tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("size", [256, 1])
def test_what_was_read_is_repeated_by_its_copies_whenever_they_come(size, monkeypatch):
    monkeypatch.setattr("attention_filter.personal.stories.AT_ONCE", size)
    read = articles(texts(range(40), range(100, 140)))
    new = articles(texts(range(40), range(200, 240), range(100, 140), first=9), sources=np.ones(3, int))
    found = retold(new, np.array([0, 0, 5 * HOUR]), read, np.array([HOUR, HOUR]))
    assert found.repeats.tolist() == [0, -1, 1]
    assert found.adds.tolist() == [-1, -1, -1]


def adds(new, read=range(40), hours=24.0, came=24.0):
    """Whether a text of the same meaning adds to one that was read after an hour."""
    one, other = (articles(Features(np.ones((1, 1), np.float32), texts(said).words)) for said in (new, read))
    later = articles(one.features, dates=np.array([hours * HOUR]))
    found = retold(later, np.array([came * HOUR]), other, np.array([HOUR]))
    assert (found.repeats[0] == 0) != (found.adds[0] == 0)
    return bool(found.adds[0] == 0)


def test_what_comes_later_and_is_clearly_longer_or_mostly_new_adds_to_it():
    assert adds(range(80), hours=2)
    assert adds(range(30, 70))
    assert not adds(range(30, 70), hours=2)  # another agency's words for the same
    assert not adds(range(20, 60))  # half of it new
    assert not adds(range(50), hours=2)  # a little longer
    assert not adds(range(80), came=0.5)  # it lay beside the other when that was read
    assert not adds(range(80), read=range(5))  # of a teaser, nobody knows what was read


def test_what_adds_to_one_copy_and_repeats_another_repeats():
    same = np.ones((2, 1), np.float32)
    read = articles(Features(same, texts(range(40), range(80)).words))
    new = articles(Features(same[:1], texts(range(80)).words), dates=np.array([2 * HOUR]))
    assert retold(new, np.array([2 * HOUR]), read, np.array([HOUR, HOUR])).repeats.tolist() == [1]


def test_what_tells_the_same_in_other_words_is_no_copy():
    read = articles(texts(range(40)))
    new = articles(texts(range(16, 56), range(4, 44), first=9))
    assert alike(new, read).ravel().tolist() == [True, True]  # .6 and .9 of the words: one story in a list
    assert retold(new, np.zeros(2), read, np.array([HOUR])).repeats.tolist() == [-1, 0]
    assert one_each(np.array([2, 1]), articles(texts(range(40), range(16, 56)))).all()
