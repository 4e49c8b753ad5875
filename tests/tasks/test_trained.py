"""What tuning does beside the loop: what stays is computed once, and the head starts as a linear probe."""

import numpy as np
import pytest
import torch

from attention_filter.models.bert import load_e5
from attention_filter.tasks import trained
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.compress import prune, round_to
from attention_filter.tasks.probe import _affine
from attention_filter.training.loop import FitConfig
from tests.models.made import make_model

PLAN = FitConfig(rounds=2, rate=1e-4, tokens_at_once=256)


@pytest.fixture(scope="module")
def rows(topics):
    """Token ids and targets of the examples, of a model that tunes two layers."""
    model, labels = trained.tuned(3, layers=2), sorted({one.labels[0] for one in topics})
    targets = np.eye(3, dtype=np.float32)[[labels.index(one.labels[0]) for one in topics]]
    ids = [one.ids for one in model.tokenize([one.text for one in topics])]
    return model, list(zip(ids, targets.tolist(), strict=True))


def test_the_head_starts_as_a_linear_probe(rows):
    model, examples = rows
    with torch.inference_mode():
        assert trained.begin(model, examples, [], several=False).measure(examples)["accuracy"] > 0.9


def test_rounds_are_told_apart_by_what_the_right_label_is_given(rows):
    model, examples = rows
    lesson = trained.begin(model, examples, [], several=False)
    with torch.inference_mode():
        figures, logits = lesson.measure(examples), lesson._logits(examples)
    right = torch.tensor([target for _, target in examples]).bool()
    assert figures["probability"] == pytest.approx(float(logits.softmax(1)[right].mean()), abs=1e-5)
    assert lesson.judge in figures


@pytest.mark.parametrize("kept", [10_000, 100, 0])
def test_what_stays_is_computed_once_and_means_the_same(rows, topics, monkeypatch, kept):
    monkeypatch.setattr(trained, "KEPT", kept)
    model, examples = rows
    lesson = trained.begin(model, examples, [], several=False)
    with torch.inference_mode():
        kept = lesson._logits(examples).numpy()
    lesson.settle()
    anew = model.logits([one.text for one in topics])
    assert kept == pytest.approx(anew, abs=0.05)  # states are kept in float16
    assert (kept.argmax(1) == anew.argmax(1)).all()


@pytest.mark.parametrize("rank", [0, 2])
def test_only_the_upper_layers_learn(topics, rank):
    fitted = Classifier("tuned", layers=1, rank=rank).fit(topics, plan=PLAN)
    before, _ = load_e5()
    state = fitted.known().kept
    moved = {
        name
        for name, value in before.state_dict().items()
        if not torch.equal(value, state.get(f"encoder.{name}", value))
    }
    assert moved
    assert {name.split(".")[1] for name in moved} == {"11"}
    if rank:  # low-rank products stand beside the attention's matrices alone
        assert all(".attention.heads." in name and name.endswith("weight") for name in moved)


@pytest.mark.parametrize("rank", [0, 2])
def test_another_encoder_is_saved_whole_and_needed_no_more(topics, tmp_path, rank):
    folder = make_model(tmp_path / "encoder")
    fitted = Classifier("tuned", encoder=str(folder), layers=1, rank=rank).fit(topics, plan=PLAN)
    texts = [one.text for one in topics]
    fitted.save(tmp_path / "model")
    rounded = round_to(fitted, "int8", topics)
    rounded.save(tmp_path / "small")
    folder.rename(tmp_path / "elsewhere")
    loaded, small = Classifier.load(tmp_path / "model"), Classifier.load(tmp_path / "small")
    assert loaded.logits(texts) == pytest.approx(fitted.logits(texts), abs=1e-4)
    assert (small.logits(texts) == rounded.logits(texts)).all()
    assert small.explain("rates of the bank").words
    half = prune(loaded, topics, topics, plan=PLAN).known()
    assert torch.equal(half.table.weight, fitted.known().table.weight)  # what is trained again are the layers


def test_upper_layers_learn_faster_than_lower_ones(rows):
    model, examples = rows
    rate_of = trained.begin(model, examples, [], several=False).rate_of(1e-4)
    rates = [rate_of(f"encoder.layers.{number}.wide.0.weight") for number in range(12)]
    assert rates == sorted(rates)
    assert rate_of("head.weight") > rates[-1] == 1


def test_a_half_whitened_view_is_still_a_linear_model_of_the_vectors():
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(40, 2, 5)).astype(np.float32) * np.array([3, 1, 1, 0.1, 0.1], np.float32)
    view = _affine(vectors, (1, 2), (1, 2)).whitened()
    weights, bias = chance.normal(size=(3, 10)).astype(np.float32), np.ones(3, np.float32)
    probe = view.probe(None, weights, bias, None)
    logits = np.einsum("nld,cld->nc", vectors, probe.weights) + probe.bias
    assert logits == pytest.approx(view.rows @ weights.T + bias, abs=1e-4)
    assert (view.rows**2).sum(1).mean() == pytest.approx(1, abs=1e-4)
