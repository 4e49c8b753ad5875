"""What is the classifier's own: names alone, several labels, out of scope, calibration."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from attention_filter.errors import DataError, ModelError, UsageError
from attention_filter.models.relevance import traced
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.probe import Probe
from attention_filter.training.loop import FitConfig


@pytest.fixture(scope="module")
def probe(topics):
    return Classifier("probe").fit(topics)


@pytest.fixture(scope="module")
def tuned(topics):
    return Classifier("tuned", layers=1).fit(topics, plan=FitConfig(rounds=1, rate=1e-4, tokens_at_once=256))


@pytest.mark.parametrize(
    ("names", "texts", "right"),
    [
        (["sports", "cooking", "money"], ["the team won the cup", "stir the soup"], ["sports", "cooking"]),
        (["体育", "财经", "美食"], ["国足今晚比赛", "股市大跌，基金亏损", "红烧肉怎么做"], ["体育", "财经", "美食"]),
        (["体育", "财经"], ["the striker scored twice", "shares fell on Monday"], ["体育", "财经"]),
    ],
)
def test_names_of_labels_are_enough(names, texts, right):
    assert Classifier().from_names(names).predict(texts) == [(one,) for one in right]


def test_names_alone_can_be_saved_and_explained(tmp_path):
    Classifier().from_names(["sports", "money"]).save(tmp_path / "m")
    told = Classifier.load(tmp_path / "m").explain("the team won the cup", "sports")
    assert told.rest + sum(word.value for word in told.words) == pytest.approx(told.logit, abs=1e-4)


def test_two_names_are_needed():
    with pytest.raises(DataError, match="at least two"):
        Classifier().from_names(["sports", "sports"])


def test_texts_unlike_any_that_were_learned_are_out_of_scope(probe, topics):
    inside = probe.predict([one.text for one in topics], scope=True)
    strange = ["photosynthesis in oak leaves", "黑格尔的辩证法与历史哲学", "the knight takes on f7, mate in three"]
    assert sum(labels == () for labels in inside) <= 3
    assert sum(labels == () for labels in probe.predict(strange, scope=True)) >= 2


@pytest.mark.parametrize("method", ["probe", "scratch"])
def test_a_text_may_have_several_labels_or_none(topics, method):
    pairs = [(a, b) for a in topics[::3] for b in topics[::4] if a.labels < b.labels]
    both = [Example(f"{a.text}. {b.text}", (*a.labels, *b.labels)) for a, b in pairs]
    none = [Example(text, ()) for text in ("it rains", "今天下雨", "good morning", "the cat sleeps")]
    plan = FitConfig(rounds=30, rate=3e-3, tokens_at_once=256, patience=30)
    model = Classifier(method, several=True).fit([*topics, *both, *none], plan=plan)
    assert model.score([*topics, *both]) > 0.8
    chances = model.predict_proba([both[0].text])
    assert chances.sum() > 1.01
    told = model.explain(both[0].text, "card")
    assert told.rest + sum(word.value for word in told.words) == pytest.approx(told.logit, abs=1e-4)
    assert set(model.metrics) == {"f1", "macro_f1"}


def test_probabilities_come_true_as_often_as_they_say():
    """Labels that chance turns over one time in five: sure beyond 80 % would be wrong."""
    chance = np.random.default_rng(0)
    texts = {"a": ["soup", "bread", "cake", "apple"], "b": ["stock", "bond", "bank", "share"]}
    examples = []
    for number in range(240):
        label = "ab"[number % 2]
        text = f"{texts[label][number // 2 % 4]} {number}"
        examples.append(Example(text, (label if chance.random() < 0.8 else "ba"[number % 2],)))
    model = Classifier("probe").fit(examples[:160], examples[160:])
    assert 0.65 < model.predict_proba([one.text for one in examples[160:]]).max(1).mean() < 0.9
    assert model.metrics["ece"] < 0.12


def test_words_that_name_the_topic_carry_it(probe):
    text = "please play some jazz for me"
    told = probe.explain(text, "music")
    best = max(told.words, key=lambda word: word.value)
    assert text[best.start : best.end] in ("play", "jazz")


def test_a_words_share_is_what_it_brought_to_each_layer_that_is_read(encoder, tuned):
    """Layer by layer: that layer as if it were the last one, gone back through down to the sixth."""
    text, weights = "please play some jazz for me", np.random.default_rng(0).normal(size=(2, 4, 384)).astype("f")
    quick = replace(tuned.known(), words=None)
    encoder = replace(encoder, body=quick.body)  # float32: rounded layers are not linear
    probe = Probe(encoder, weights, np.zeros(2, np.float32), (6, 8, 10, 12))
    ids = encoder.tokenizer.encode(encoder.prefix + text).ids
    brought = torch.zeros(len(ids))
    for number, direction in zip(probe.layers, torch.from_numpy(weights[1]), strict=True):
        trace = traced(replace(encoder.body, layers=encoder.body.layers[:number]), ids, number - 6)
        direction = direction / trace.states[-1].mean(0).norm() / len(ids)
        brought += trace.parts(F.pad(direction[None], (0, 0, number - 6, 0)))
    assert probe.word_shares(text, 1)[1] == pytest.approx(brought.numpy(), abs=1e-5)

    direction = quick.head.weight[1, None] / len(ids)
    brought = traced(quick.body, ids, 6).parts(F.pad(direction, (0, 0, 6, 0)))
    assert quick.word_shares(text, 1)[1] == pytest.approx(brought.numpy(), abs=1e-5)


def test_what_words_brought_and_what_stands_at_their_places_are_the_same_sum(probe, tuned):
    text = "please play some jazz for me"
    for model in (probe, tuned):
        brought, standing = model.explain(text, "music"), model.explain(text, "music", after=True)
        assert brought.words != standing.words
        for told in (brought, standing):
            assert told.rest + sum(word.value for word in told.words) == pytest.approx(told.logit, abs=1e-5)
        assert brought.logit == pytest.approx(standing.logit, abs=1e-4)


def test_the_vectors_of_another_encoder_are_refused(probe, tmp_path, monkeypatch, encoder):
    probe.save(tmp_path / "m")
    monkeypatch.setattr("attention_filter.models.encoder.load_encoder", lambda name: replace(encoder, id="other@1"))
    with pytest.raises(ModelError, match="use the encoder it was trained on"):
        Classifier.load(tmp_path / "m")


def test_an_unknown_method_is_named():
    with pytest.raises(UsageError, match="the methods are"):
        Classifier("magic")


def test_every_label_is_learned_even_the_rare_ones(topics):
    examples = [*topics, Example("book a table for two", ("table",))]
    assert "table" in Classifier("probe").fit(examples).labels
