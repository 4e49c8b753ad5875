"""The attention over many readers: what padding, an empty history and no training must give."""

import json

import pytest
import torch

from attention_filter.errors import ModelError
from attention_filter.models.readers import CONFIG, WEIGHTS, Readers, ReadersConfig, load_readers, pad, save_readers

DIM, FEATURES = 8, 3


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = Readers(ReadersConfig("made", DIM, resolutions=(3, 5), rank=2)).eval()
    with torch.no_grad():
        model.weights.normal_()
        for k in (3, 5):
            model.get_buffer(f"prototypes_{k}").copy_(torch.nn.functional.normalize(torch.randn(k, DIM), dim=1))
    return model


@pytest.fixture
def trained(model):
    """With projections that are no longer the identity."""
    with torch.no_grad():
        for part in (model.to_query, model.to_key, model.to_value):
            part.up.normal_()
    return model


@pytest.fixture
def items():
    torch.manual_seed(1)
    return torch.nn.functional.normalize(torch.randn(12, DIM), dim=1)


def score(model, items, history, candidates):
    return model(
        items, pad(history), pad(candidates), torch.zeros(len(candidates), max(map(len, candidates)), FEATURES)
    )


def test_padding_has_no_influence(trained, items):
    alone = score(trained, items, [[1, 2]], [[3, 4]])
    beside = score(trained, items, [[1, 2], [5, 6, 7, 0, 0]], [[3, 4], [8, 9, 10]])
    torch.testing.assert_close(beside[0, :2], alone[0])
    assert not beside[0, 2:].any()
    changed = items.clone()
    changed[0] = -changed[0]  # padding is read as row 0
    torch.testing.assert_close(score(trained, changed, [[1, 2], [5]], [[3, 4], [8]])[0], alone[0])


def test_padding_gets_no_gradient(trained, items):
    items = items.clone().requires_grad_()
    score(trained.train(), items, [[1, 2], [5, 6, 7]], [[3, 4], [8]]).sum().backward()
    assert not items.grad[[0, 9, 10, 11]].any()
    assert torch.isfinite(items.grad).all()


def test_untrained_the_first_term_is_the_mean_of_the_history(model, items):
    terms = model.terms(items, pad([[1, 2, 2]]), pad([[3, 4]]), torch.zeros(1, 2, FEATURES))
    torch.testing.assert_close(terms[0, :, 0], items[[3, 4]] @ items[[1, 2, 2]].mean(0))


def test_a_lift_is_the_slow_and_obvious_one(trained, items):
    past, asked, tau, prior = [1, 2, 2, 6], [3, 4], trained.config.temperature, trained.config.prior
    prototypes, base = trained.get_buffer("prototypes_5"), torch.tensor([0.1, 0.2, 0.3, 0.3, 0.1])
    trained.get_buffer("base_5").copy_(base)
    terms = trained.terms(items, pad([past]), pad([asked]), torch.zeros(1, 2, FEATURES))
    key, query = trained.to_key(items), trained.to_query(items)
    claimed = prior * base
    for j in past:
        claimed = claimed + torch.softmax(prototypes @ key[j] / tau, 0)
    lift = claimed / (len(past) + prior) / base
    for place, c in enumerate(asked):
        read_out = torch.softmax(prototypes @ query[c] / tau, 0)
        torch.testing.assert_close(terms[0, place, 3], (read_out @ lift).log(), atol=1e-4, rtol=1e-4)


def test_a_reader_without_history_gets_only_the_features(trained, items):
    features = torch.ones(1, 2, FEATURES)
    parts = trained(items, pad([[]]), pad([[3, 4]]), features)
    assert not parts[..., :-FEATURES].any()
    torch.testing.assert_close(parts[0, 0, -FEATURES:], trained.weights[-FEATURES:])


def test_the_order_of_history_and_candidates_changes_nothing(trained, items):
    one = score(trained, items, [[1, 2, 5]], [[3, 4, 6]])
    other = score(trained, items, [[5, 1, 2]], [[6, 4, 3]])
    torch.testing.assert_close(one.flip(1), other)


def test_base_rates_sum_to_one_and_follow_the_counts(trained, items):
    trained.count_base(items, torch.arange(12.0))
    for k in (3, 5):
        assert trained.get_buffer(f"base_{k}").sum() == pytest.approx(1)
    prototypes = trained.get_buffer("prototypes_3")
    a = torch.softmax(trained.to_key(items[-1:]) @ prototypes.mT / trained.config.temperature, 1)[0]
    trained.count_base(items[-1:], torch.tensor([1e6]))
    torch.testing.assert_close(trained.get_buffer("base_3"), a, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("broken", ["nothing", "no weights", "bad json", "bad weights", "other shape", "bad config"])
def test_a_model_that_cannot_be_read_is_named(model, tmp_path, broken):
    folder = tmp_path / "model"
    if broken != "nothing":
        save_readers(model, folder, {})
    notes = folder / CONFIG
    if broken == "no weights":
        (folder / WEIGHTS).unlink()
    elif broken == "bad json":
        notes.write_text("{")
    elif broken == "bad weights":
        (folder / WEIGHTS).write_bytes(b"\x80\x04pickle")
    elif broken in ("other shape", "bad config"):
        content = json.loads(notes.read_text())
        content["config"] |= {"dim": DIM + 1} if broken == "other shape" else {"colour": "red"}
        notes.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=str(folder)):
        load_readers(folder)
