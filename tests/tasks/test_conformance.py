"""What every task keeps, whatever it is trained by. A new task or method joins MEMBERS."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from attention_filter.errors import DataError, ModelError, UsageError
from attention_filter.models import checkpoint
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment
from attention_filter.training.loop import FitConfig

TEXTS = [
    "my new card is lost",
    "放一首好听的歌",
    "wonderful",
    "这个酒店太差了",
    "rate",
    "🙂 ..",
    "half \ud83d a smile",
    "a\tb\nc " * 5,
]
SHORT = FitConfig(rounds=1, rate=1e-3, tokens_at_once=256)


@dataclasses.dataclass(frozen=True)
class Member:
    """One task trained by one method; `make` gives a model that has learned nothing."""

    make: Callable[[], Any]
    plan: FitConfig | None
    feels: bool = False


MEMBERS = {
    "classify by probe": Member(lambda: Classifier("probe"), None),
    "classify from scratch": Member(lambda: Classifier("scratch"), SHORT),
    "classify by tuning": Member(lambda: Classifier("tuned", layers=1), SHORT),
    "classify by LoRA": Member(lambda: Classifier("tuned", rank=2), SHORT),
    "sentiment by probe": Member(lambda: Sentiment("probe"), None, feels=True),
}


@pytest.fixture(scope="module", params=MEMBERS)
def member(request):
    return MEMBERS[request.param]


@pytest.fixture(scope="module")
def examples(member, topics, feelings):
    return feelings if member.feels else topics


@pytest.fixture(scope="module")
def fitted(member, examples):
    return member.make().fit(examples, plan=member.plan)


def test_probabilities_are_probabilities_and_the_label_is_the_most_probable(fitted):
    chances = fitted.predict_proba(TEXTS)
    assert chances.shape == (len(TEXTS), len(fitted.labels))
    assert chances.min() >= 0
    assert chances.sum(1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert fitted.predict(TEXTS) == [(fitted.labels[row.argmax()],) for row in chances]


def test_a_text_alone_gets_what_it_gets_among_others(fitted):
    together = fitted.predict_proba(TEXTS)
    alone = np.concatenate([fitted.predict_proba([text]) for text in TEXTS])
    assert together == pytest.approx(alone, abs=1e-4)


def test_no_text_is_no_prediction(fitted):
    assert fitted.predict([]) == []
    assert fitted.predict_proba([]).shape == (0, len(fitted.labels))


def test_the_score_is_the_share_of_right_labels(fitted, examples):
    said = fitted.predict([one.text for one in examples])
    assert fitted.score(examples) == pytest.approx(
        np.mean([a == b.labels for a, b in zip(said, examples, strict=True)])
    )


@pytest.mark.parametrize("text", TEXTS)
def test_word_shares_and_the_rest_sum_to_the_logit(fitted, text):
    logits = fitted.logits([text])[0]
    for number, label in enumerate(fitted.labels):
        told = fitted.explain(text, label)
        assert told.rest + sum(word.value for word in told.words) == pytest.approx(told.logit, abs=1e-5)
        assert told.logit == pytest.approx(logits[number], abs=1e-4)
        assert all(0 <= word.start < word.end <= len(text) for word in told.words)
    assert fitted.explain(text).label == fitted.labels[logits.argmax()]


def test_a_text_too_long_to_be_read_whole_is_read_as_far_as_it_goes(fitted):
    text = "银行卡 card " * 2000
    told = fitted.explain(text)
    assert told.logit == pytest.approx(fitted.logits([text])[0].max(), abs=1e-3)


def test_what_is_saved_is_what_is_loaded(member, fitted, tmp_path):
    fitted.save(tmp_path / "model", licence="CC0-1.0")
    loaded = type(fitted).load(tmp_path / "model")
    assert (loaded.labels, loaded.metrics) == (fitted.labels, fitted.metrics)
    assert loaded.predict_proba(TEXTS) == pytest.approx(fitted.predict_proba(TEXTS), abs=1e-6)
    assert loaded.predict(TEXTS, scope=True) == fitted.predict(TEXTS, scope=True)
    about = json.loads((tmp_path / "model" / "model.json").read_text("utf-8"))
    assert (about["licence"], len(about["data"])) == ("CC0-1.0", 16)
    assert about["metrics"] == fitted.metrics
    loaded.save(tmp_path / "again", licence="CC0-1.0")
    again = type(fitted).load(tmp_path / "again")
    assert again.predict_proba(TEXTS) == pytest.approx(loaded.predict_proba(TEXTS), abs=1e-6)
    assert json.loads((tmp_path / "again" / "model.json").read_text("utf-8"))["data"] == about["data"]


def test_the_same_seed_gives_the_same_model(member, fitted, examples):
    again = member.make().fit(examples, plan=member.plan)
    # Threads may share out a sum otherwise from one run to the next: the last digit of a float32 is not promised.
    np.testing.assert_allclose(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS), atol=1e-6)


def test_nothing_learned_is_said(member):
    with pytest.raises(UsageError, match="learned nothing yet"):
        member.make().predict(["a text"])


def test_one_label_only_is_refused(member, examples):
    with pytest.raises(DataError, match="only the label"):
        member.make().fit([one for one in examples if one.labels == examples[0].labels])


def test_labels_to_check_on_must_be_among_those_learned(member, examples):
    some = [one for one in examples if one.labels != examples[0].labels]
    with pytest.raises(DataError, match="labels to check on"):
        member.make().fit(some, [examples[0]])


def test_an_empty_text_is_named(fitted):
    with pytest.raises(DataError, match="text 2 is empty"):
        fitted.predict(["something", " \n"])


def test_an_unknown_label_is_named(fitted):
    with pytest.raises(UsageError, match="'weather': the labels are"):
        fitted.explain("rain", "weather")


def test_figures_on_texts_whose_labels_are_all_unknown_would_mean_nothing(fitted):
    with pytest.raises(DataError, match=r"none of the labels|labels that name no feeling: weather"):
        fitted.evaluate([Example("rain tomorrow", ("weather",))])


@pytest.fixture
def saved(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_model_of_another_task_is_named(fitted, saved):
    about = json.loads((saved / "model.json").read_text("utf-8"))
    (saved / "model.json").write_text(json.dumps({**about, "kind": "translate/tuned"}), "utf-8")
    with pytest.raises(ModelError, match="a model for translate, not for"):
        type(fitted).load(saved)


@pytest.mark.parametrize(
    "change",
    [{"config": {}}, {"kind": "{task}/oracle"}, {"config": None}, {"format": 99}, {"config": {"labels": "no"}}],
    ids=str,
)
def test_a_damaged_description_is_named(fitted, saved, change):
    about = json.loads((saved / "model.json").read_text("utf-8"))
    task = about["kind"].partition("/")[0]
    change = {k: v.format(task=task) if isinstance(v, str) else v for k, v in change.items()}
    if isinstance(change.get("config"), dict) and change["config"]:
        change["config"] = {**about["config"], **change["config"]}
    (saved / "model.json").write_text(json.dumps({**about, **change}), "utf-8")
    with pytest.raises(ModelError, match="model"):
        type(fitted).load(saved)


def test_damaged_weights_are_named(fitted, saved):
    from safetensors.torch import load_file, save_file

    path = saved / "model.safetensors"
    tensors = load_file(path)
    save_file(dict(list(tensors.items())[1:]), path)
    with pytest.raises(ModelError, match="train the model again"):
        type(fitted).load(saved)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        type(fitted).load(saved)


def test_the_folder_of_something_else_is_left_alone(fitted, tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(ModelError, match="holds other files"):
        fitted.save(tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_the_digest_of_the_data_changes_with_it(examples):
    both = [[(one.text, one.labels) for one in some] for some in (examples, examples[1:])]
    assert checkpoint.data_hash(both[0]) != checkpoint.data_hash(both[1])
