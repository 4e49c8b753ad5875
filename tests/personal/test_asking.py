import numpy as np
import pytest

from attention_filter.personal import ranking
from attention_filter.personal.asking import questions
from attention_filter.personal.evaluate import auc
from attention_filter.personal.posterior import Gaussian, believe, chances, deviation, rows_of


def asked(world, history, n=5, rows=slice(None)):
    profile = ranking.make_profile(world.background, history)
    features = world.features[rows]
    return questions(believe(profile), rows_of(profile, features), features, n)


def test_five_questions_to_someone_unknown_are_about_different_topics(world):
    rows = [question.row for question in asked(world, world.history([], []))]
    assert len(set(rows)) == 5
    assert len(set(world.topic[rows])) >= 4


def test_a_topic_that_was_turned_down_twelve_times_is_not_asked_about_again(world):
    voted = np.flatnonzero(world.topic == 0)[:12]
    rows = [question.row for question in asked(world, world.history(voted, [-0.25] * 12), 3)]
    assert (world.topic[rows] != 0).all()


def test_the_first_question_is_the_one_whose_answer_removes_most_variance(world):
    """The formula of the module, written out: add the answer to the curvature, measure the variance again."""
    profile = ranking.make_profile(world.background, world.history([1, 2, 3], [1, 1, -0.25], [2]))
    known, rows = believe(profile), rows_of(profile, world.features)
    chance, precision = chances(known, rows), np.linalg.inv(known.root @ known.root.T)
    before = chance @ deviation(known, rows) ** 2
    removed = []
    for x, p in zip(rows, chance, strict=True):
        after = np.linalg.cholesky(np.linalg.inv(precision + p * (1 - p) * np.outer(x, x)))
        removed.append(1 - chance @ deviation(Gaussian(known.mean, after), rows) ** 2 / before)
    first = questions(known, rows, world.features, 1)[0]
    assert first.row == int(np.argmax(removed))
    assert first.settles == pytest.approx(max(removed), rel=1e-6)
    assert first.doubt == pytest.approx(deviation(known, rows)[first.row])


def test_of_one_story_only_one_is_asked(world):
    twice = np.repeat(np.arange(10), 2)
    rows = [question.row for question in asked(world, world.history([], []), 20, twice)]
    assert len({twice[row] for row in rows}) == len(rows)


def test_there_may_be_fewer_items_than_questions(world):
    assert asked(world, world.history([], []), 5, np.arange(0)) == []
    assert len(asked(world, world.history([1], [1.0]), 5, np.arange(20, 22))) <= 2


def test_what_the_answers_settle_adds_up_to_less_than_all(world):
    shares = [question.settles for question in asked(world, world.history([], [], [1]), 40)]
    assert min(shares) > 0
    assert sum(shares) < 1


def test_ten_answers_teach_more_than_ten_votes_at_random(world):
    """A reader of topics 1 and 3, of whom nothing is known, asked twice five times; twenty runs at random beside."""
    wanted = np.isin(world.topic, (1, 3))
    pool, test = np.arange(100), np.arange(100, 200)

    def learned(votes):
        history = world.history(votes, np.where(wanted[votes], 1.0, -0.25))
        profile = ranking.make_profile(world.background, history)
        return auc(wanted[test], ranking.score(profile, world.features[test]).total)

    votes = np.zeros(0, np.int64)
    for _ in range(2):
        left = np.setdiff1d(pool, votes)
        history = world.history(votes, np.where(wanted[votes], 1.0, -0.25))
        votes = np.concatenate([votes, left[[question.row for question in asked(world, history, 5, left)]]])
    rng = np.random.default_rng(0)
    assert learned(votes) > np.mean([learned(rng.permutation(pool)[:10]) for _ in range(20)])
