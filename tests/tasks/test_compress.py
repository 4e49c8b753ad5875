"""A tuned classifier made smaller keeps what every classifier keeps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attention_filter.errors import UsageError
from attention_filter.tasks import trained
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.compress import Quick, distil, packed, prune, round_to, size, speeds
from attention_filter.training.loop import FitConfig

SHORT = FitConfig(rounds=1, rate=1e-4, tokens_at_once=256)
TEXTS = ["my new card is lost", "放一首好听的歌", "rate", "🙂 .."]


@pytest.fixture(scope="module")
def tuned(topics):
    return Classifier("tuned", layers=1).fit(topics, plan=SHORT)


@pytest.fixture(scope="module", params=["int8", "bfloat16", "distilled", "pruned, then int8"])
def small(request, tuned, topics):
    train, held = tuned.split(topics)
    if request.param in ("int8", "bfloat16"):
        return round_to(tuned, request.param, held)
    if request.param == "distilled":
        return distil(tuned, train, held, layers=2, plan=SHORT)
    return round_to(prune(tuned, train, held, keep=0.25, plan=SHORT), "int8", held)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_packed_model_says_what_the_trained_one_said(rank):
    model = trained.tuned(3, rank=rank, layers=2)
    for name, parameter in model.model.named_parameters():
        if name.endswith(".up"):  # which starts as zeros, as if nothing had been learned
            torch.nn.init.normal_(parameter, std=0.05)
    before = model.logits(TEXTS)
    assert packed(model).logits(TEXTS) == pytest.approx(before, abs=1e-4)


def test_rounding_moves_the_logits_little(tuned, topics):
    spread = np.ptp(tuned.logits([one.text for one in topics]))
    for precision, off in (("bfloat16", 0.03), ("int8", 0.2)):
        assert np.abs(round_to(tuned, precision, topics).logits(TEXTS) - tuned.logits(TEXTS)).max() < off * spread


def test_it_is_smaller(tuned, small):
    assert size(small) < 0.55 * size(tuned)
    assert all(speed > 0 for speed in speeds([tuned, small], TEXTS))


def test_what_is_saved_is_what_is_loaded(small, tmp_path):
    small.save(tmp_path / "model")
    loaded = Classifier.load(tmp_path / "model")
    assert (loaded.labels, loaded.metrics, loaded.data) == (small.labels, small.metrics, small.data)
    assert loaded.predict_proba(TEXTS) == pytest.approx(small.predict_proba(TEXTS), abs=1e-6)
    loaded.save(tmp_path / "again")
    weights = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("model", "again")]
    assert weights[0] == weights[1]


def test_word_shares_and_the_rest_sum_to_the_logit(small):
    for text in TEXTS:
        told = small.explain(text)
        assert told.rest + sum(word.value for word in told.words) == pytest.approx(told.logit, abs=1e-5)
        assert told.logit == pytest.approx(small.logits([text]).max(), abs=1e-4)


def test_a_text_alone_gets_what_it_gets_among_others(small, request):
    alone = np.concatenate([small.logits([text]) for text in TEXTS])
    # Processors with AMX multiply bfloat16 in tiles whose rounding depends on how many rows there are.
    near = 0.02 if "bfloat16" in request.node.name else 1e-4
    assert small.logits(TEXTS) == pytest.approx(alone, abs=near)


def test_the_larger_model_is_left_alone(tuned, topics):
    before = tuned.logits(TEXTS)
    assert isinstance(prune(tuned, topics, topics[:3], keep=0.5, plan=SHORT).known(), Quick)
    assert np.array_equal(tuned.logits(TEXTS), before)


def test_only_tuned_models_are_made_smaller(topics):
    with pytest.raises(
        UsageError, match="only a tuned model can be made smaller; this one was trained with --method probe"
    ):
        round_to(Classifier("probe").fit(topics), "int8", topics)


def test_a_student_has_no_more_layers_than_its_teacher(tuned, topics):
    with pytest.raises(UsageError, match="1 to 12 layers, not 13"):
        distil(tuned, topics, topics[:3], layers=13)


def test_a_student_learns_half_from_the_labels_and_half_from_what_the_larger_model_says(tuned, topics, monkeypatch):
    taught = []
    monkeypatch.setattr("attention_filter.tasks.compress.fit", lambda _, train, *__, **___: taught.extend(train))
    distil(tuned, topics, topics, layers=1, plan=SHORT)
    said = replace(tuned.known(), words=None).logits([one.text for one in topics])
    wanted = (tuned.targets(topics) + tuned.probabilities(said)) / 2
    assert np.array([target for _, target in taught]) == pytest.approx(wanted, abs=1e-3)
