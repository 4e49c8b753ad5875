"""Training on logs small enough to see what must come out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attention_filter.errors import DataError
from attention_filter.models.readers import load_readers, save_readers
from attention_filter.training import ranking
from attention_filter.training.examples import contributions, items_for, personal_part, see
from attention_filter.training.ranking import Plan, train_on
from attention_filter.training.resume import FILE

SMALL = Plan(rounds=3, patience=3, batch=8, resolutions=(4,))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def test_readers_who_click_on_what_their_interests_claim_are_understood(make_log):
    log, vectors = make_log()
    _, report = train_on(log, vectors, "made", SMALL)
    assert report.content_only["auc"] > 0.95
    interest = report.terms["interests 4"]["weight"] + report.terms["alike"]["weight"]
    assert interest > abs(report.terms["fresh"]["weight"]) + abs(report.terms["popular"]["weight"])


def test_a_log_without_rhyme_or_reason_teaches_no_interest(make_log):
    log, vectors = make_log(200, follows_topic=False)
    model, _ = train_on(log, vectors, "made", replace(SMALL, rounds=0))
    assert model.weights.abs().max() < 0.5
    log, vectors = make_log(200)
    model, _ = train_on(log, vectors, "made", replace(SMALL, rounds=0))
    assert model.weights.abs().max() > 0.5


def test_learned_attention_sees_a_direction_that_untrained_attention_overlooks(make_log):
    log, vectors = make_log(160)
    noise = np.random.default_rng(1).standard_normal((len(vectors), 16)).astype(np.float32)
    loud = np.hstack([vectors, 4 * noise / np.linalg.norm(noise, axis=1, keepdims=True)])
    loud = (loud / np.linalg.norm(loud, axis=1, keepdims=True)).astype(np.float32)
    log = replace(log, items=tuple(replace(item, category="") for item in log.items))
    _, report = train_on(log, loud, "made", replace(SMALL, rounds=12, patience=12, rate=3e-3))
    assert report.best > 0
    assert report.rounds[report.best]["auc"] > report.rounds[0]["auc"] + 0.03


def test_equal_seeds_give_equal_weights_and_others_do_not(make_log):
    log, vectors = make_log()
    first, again, other = (
        weights(train_on(log, vectors, "made", replace(SMALL, seed=seed, rounds=1))[0]) for seed in (0, 0, 1)
    )
    assert_same(first, again)
    assert not torch.equal(first["to_query.down"], other["to_query.down"])


def test_training_leaves_the_callers_chance_alone(make_log):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train_on(*make_log(), "made", replace(SMALL, rounds=1))
    assert torch.equal(torch.rand(1), expected)


def test_the_best_round_is_kept_and_patience_ends_the_rest(make_log, monkeypatch):
    marks = iter([0.5, 0.7, 0.6, 0.6, 0.9])
    seen = []

    def measured(model, items, shown):
        seen.append(weights(model))
        return {"auc": 0.5, "ndcg@10": next(marks)}

    monkeypatch.setattr(ranking, "_measured", measured)
    model, report = train_on(*make_log(), "made", replace(SMALL, rounds=10, patience=2))
    assert (report.best, len(report.rounds)) == (1, 4)
    assert_same(weights(model), seen[1])


def test_training_that_was_killed_goes_on_to_the_same_weights(make_log, tmp_path, monkeypatch):
    log, vectors = make_log()
    whole, report = train_on(log, vectors, "made", SMALL)
    rounds = ranking._round

    def killed(*args):
        if args[5] == 2:
            raise KeyboardInterrupt
        return rounds(*args)

    monkeypatch.setattr(ranking, "_round", killed)
    with pytest.raises(KeyboardInterrupt):
        train_on(log, vectors, "made", SMALL, folder=tmp_path, origin="o")
    done = []
    monkeypatch.setattr(ranking, "_round", lambda *args: done.append(args[5]) or rounds(*args))
    resumed, again = train_on(log, vectors, "made", SMALL, folder=tmp_path, origin="o")
    assert done == [2, 3]
    assert again == report
    assert_same(weights(resumed), weights(whole))


@pytest.mark.parametrize("content", [b"", b"cut off"])
def test_a_damaged_state_costs_only_time(make_log, tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    model, _ = train_on(*make_log(), "made", replace(SMALL, rounds=1), folder=tmp_path)
    assert_same(weights(model), weights(train_on(*make_log(), "made", replace(SMALL, rounds=1))[0]))


def test_the_state_of_another_training_is_not_gone_on_from(make_log, tmp_path):
    train_on(*make_log(), "made", replace(SMALL, rounds=1), folder=tmp_path, origin="one")
    _, report = train_on(*make_log(), "made", replace(SMALL, rounds=2), folder=tmp_path, origin="other")
    assert len(report.rounds) == 3


def test_a_saved_model_scores_as_before(make_log, tmp_path):
    log, vectors = make_log()
    model, _ = train_on(log, vectors, "made", replace(SMALL, rounds=1))
    save_readers(model, tmp_path, {"origin": "x"})
    loaded, notes = load_readers(tmp_path)
    assert notes == {"origin": "x"}
    assert loaded.config == model.config
    for one in (model, loaded):
        items = items_for(one, log.items, vectors)
        parts = contributions(one, items, see(one, items, log.test, [True] * len(log.test)))
        expected = parts if one is model else expected  # noqa: F821
    for left, right in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(left, right)


def test_too_few_clicks_are_said_to_be_too_few(make_log):
    log, vectors = make_log(8)
    with pytest.raises(DataError, match="nothing to learn from"):
        train_on(log, vectors, "made", SMALL)


def placed(log, rng, look):
    """What a reader would like is put low, and clicked only when its place is looked at; what not, now and then."""

    def one(impression):
        wanted = impression.labels
        places = np.empty(len(wanted), np.int32)
        places[np.argsort(wanted + 1.5 * rng.random(len(wanted)), kind="stable")] = np.arange(1, len(wanted) + 1)
        clicked = rng.random(len(wanted)) < look[places - 1] * np.where(wanted, 0.9, 0.3)
        return replace(impression, labels=clicked, positions=places)

    return replace(log, train=tuple(map(one, log.train)))


def test_clicks_weighted_by_inverse_propensity_show_the_true_preference(make_log):
    log, vectors = make_log(600)
    biased = placed(log, np.random.default_rng(0), 1 / np.arange(1, 10.0) ** 1.5)
    naive = replace(biased, train=tuple(replace(one, positions=None) for one in biased.train))
    plan = replace(SMALL, rounds=0)
    true_auc = {
        name: train_on(one, vectors, "made", plan)[1].content_only["auc"]
        for name, one in (("weighted", biased), ("naive", naive))
    }
    assert true_auc["naive"] < 0.5
    assert true_auc["weighted"] > 0.9


def test_the_terms_sum_to_the_score_and_the_personal_part_leaves_out_the_log(make_log):
    log, vectors = make_log()
    model, _ = train_on(log, vectors, "made", replace(SMALL, rounds=0))
    items = items_for(model, log.items, vectors)
    shown = see(model, items, log.test, [True] * len(log.test))
    parts = contributions(model, items, shown)
    for part, personal in zip(parts, personal_part(model, parts), strict=True):
        assert part.shape[1] == len(model.config.terms)
        np.testing.assert_allclose(part[:, :-2].sum(1), personal)
