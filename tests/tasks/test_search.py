"""The search for a plan: seeded, resumable, and only on training rows."""

import pytest

from attention_filter.errors import DataError, UsageError
from attention_filter.tasks import classify
from attention_filter.tasks.search import _proposed, _usual, read_plan, search

pytest.importorskip("optuna")


@pytest.fixture
def few_rounds(monkeypatch):
    """Every trial is short; what was trained on is written down."""
    seen = []
    fit = classify.Classifier.fit

    def short(self, examples, valid=(), **named):
        seen.append((examples, valid, named["plan"]))
        return fit(self, examples, valid, **named)

    monkeypatch.setattr(classify.Classifier, "fit", short)
    return seen


def searched(topics, path, trials, seed=0):
    return search(topics, method="scratch", trials=trials, rounds=1, seed=seed, journal=path)


def test_the_best_plan_is_at_least_as_good_as_the_usual_one(topics, tmp_path, few_rounds):
    found = searched(topics, tmp_path / "trials", 4)
    assert len(found.trials) == 4
    assert found.best == max(value for value in found.trials if value is not None) >= found.usual == found.trials[0]
    assert few_rounds[0][2].rate == classify.usual_plan("scratch", 0).rate
    assert len({plan.rate for _, _, plan in few_rounds}) == 4


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(topics, tmp_path, few_rounds):
    whole = searched(topics, tmp_path / "whole", 4)
    searched(topics, tmp_path / "parts", 2)
    few_rounds.clear()
    assert searched(topics, tmp_path / "parts", 4) == whole
    assert len(few_rounds) == 2


def test_rows_are_held_out_and_never_trained_on(topics, tmp_path, few_rounds):
    searched(topics, tmp_path / "trials", 1)
    ((train, held, _),) = few_rounds
    assert held
    assert not set(train) & set(held)
    assert set(train) | set(held) == set(topics)


def test_a_plan_is_read_as_it_was_written(topics, tmp_path, few_rounds):
    plan = searched(topics, tmp_path / "trials", 1).plan
    plan.write(tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    (tmp_path / "plan.json").write_text('{"method": "tuned"}')
    with pytest.raises(DataError, match=r"plan\.json: not a plan"):
        read_plan(tmp_path / "plan.json")


def test_a_probe_needs_no_search(topics, tmp_path):
    with pytest.raises(UsageError, match="a probe chooses its own settings"):
        search(topics, method="probe", journal=tmp_path / "trials")


def test_without_optuna_it_says_what_to_install(topics, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"pip install 'attention-filter\[search\]'"):
        searched(topics, tmp_path / "trials", 1)


@pytest.mark.parametrize("method", ["tuned", "scratch"])
def test_the_usual_plan_is_one_that_can_be_proposed(method):
    from optuna.trial import FixedTrial

    assert _proposed(FixedTrial(_usual(method)), method, None).fit == classify.usual_plan(method, 0)
