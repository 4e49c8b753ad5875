"""train, evaluate, predict and explain, of classify and of sentiment."""

import inspect
import json

import pytest

from attention_filter.cli.tasks import train_classify, train_sentiment
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.trained import LAYERS

from .conftest import HashedWords

DATA = {
    "classify": {
        "code": ["rust compiler", "garbage collector", "编译器 语言"],
        "food": ["leek pie", "bread oven", "面包 烤箱"],
    },
    "sentiment": {
        "好评": ["wonderful lovely", "good nice", "满意 喜欢"],
        "差评": ["awful terrible", "bad ugly", "失望 难吃"],
    },
}
TASKS = tuple(DATA)


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """The encoder that hashes words has one layer only."""
    monkeypatch.setattr(HashedWords, "depth", 0, raising=False)


@pytest.fixture(params=TASKS)
def task(request, tmp_path):
    rows = [
        {"text": f"{text} {n}", "label": label}
        for n in range(3)
        for label, some in DATA[request.param].items()
        for text in some
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return request.param


@pytest.fixture
def trained(attention, task):
    done = attention("train", task, "--data", "data.jsonl", "--out", "model", "--licence", "CC0-1.0")
    assert done.code == 0, done.err
    return task


def test_a_model_is_trained_measured_used_and_explained(attention, trained):
    evaluated = attention("evaluate", trained, "--model", "model", "--data", "data.jsonl")
    assert evaluated.code == 0, evaluated.err
    assert "accuracy   1.0000" in evaluated.out
    text = next(iter(DATA[trained].values()))[0]
    predicted = attention("predict", trained, "--model", "model", text)
    assert predicted.code == 0, predicted.err
    assert {"classify": "code", "sentiment": "positive"}[trained] in predicted.out
    explained = attention("explain", trained, "--model", "model", text)
    assert explained.code == 0, explained.err
    assert " = words " in explained.out


def test_everything_is_one_json_document(attention, trained):
    figures = attention("evaluate", trained, "--model", "model", "--data", "data.jsonl", "--json").json
    assert set(figures) == {"examples", "accuracy", "macro_f1", "ece"}
    (row,) = attention("predict", trained, "--model", "model", "good compiler", "--json").json["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert ("polarity" in row) == (trained == "sentiment")
    told = attention("explain", trained, "--model", "model", "good compiler", "--json").json
    assert told["rest"] + sum(word["value"] for word in told["words"]) == pytest.approx(told["logit"], abs=1e-4)
    again = attention("train", trained, "--data", "data.jsonl", "--out", "again", "--json")
    assert again.json["examples"] == 18
    assert "attention predict" in again.err


def test_texts_come_from_a_file_too(attention, trained, tmp_path):
    (tmp_path / "texts.txt").write_text("leek pie\ngood\n", "utf-8")
    done = attention("predict", trained, "--model", "model", "--data", "texts.txt", "--json")
    assert [row["text"] for row in done.json["predictions"]] == ["leek pie", "good"]


def test_unlabelled_texts_are_taken(attention, task, tmp_path):
    (tmp_path / "more.txt").write_text("\n".join(f"rust pie {n}" for n in range(120)), "utf-8")
    done = attention("train", task, "--data", "data.jsonl", "--out", "m", "--unlabelled", "more.txt")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--data", "nowhere.csv", "--out", "m"), 3, "nowhere.csv: no such file"),
        (("--data", "data.jsonl", "--out", "m", "--text", "body"), 6, "data.jsonl: line 1: no column 'body'"),
        (("--data", "broken.jsonl", "--out", "m"), 6, "broken.jsonl: line 2: broken JSON"),
        (("--data", "one.csv", "--out", "m"), 6, "at least two are needed"),
        (("--data", "data.jsonl", "--out", "m", "--method", "magic"), 2, "--method"),
        (("--data", "data.jsonl", "--out", "."), 5, "holds other files"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(attention, task, tmp_path, args, code, says):
    (tmp_path / "broken.jsonl").write_text('{"text": "x", "label": "1"}\n{"text": ', "utf-8")
    (tmp_path / "one.csv").write_text("text,label\nx,1\ny,1\n", "utf-8")
    done = attention("train", task, *args)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert len(done.err.splitlines()) == 1


def test_a_model_of_another_task_is_refused(attention, trained):
    other = next(one for one in TASKS if one != trained)
    done = attention("evaluate", other, "--model", "model", "--data", "data.jsonl")
    assert (done.code, done.out) == (5, "")
    assert f"a model for {trained}, not for {other}" in done.err


def test_without_a_model_there_is_a_way(attention):
    names = attention("predict", "classify", "--names", "rust compiler, leek pie", "a compiler for rust", "--json")
    assert names.json["predictions"][0]["labels"] == ["rust compiler"]
    assert attention("predict", "classify", "x").code == 2
    felt = attention("predict", "sentiment", "a wonderful film", "--json")
    assert felt.json["predictions"][0]["polarity"] > 0


def test_a_feeling_is_about_one_thing(attention):
    text = "The soup was a delicious treat. But the waiter was rude and I hated him."
    (row,) = attention("predict", "sentiment", "--toward", "soup", text, "--json").json["predictions"]
    assert row["toward"] == "soup"
    assert -1 <= row["polarity"] <= 1
    told = attention("explain", "sentiment", "--toward", "soup", text)
    assert " = words " in told.out
    missing = attention("predict", "sentiment", "--toward", "dessert", text)
    assert (missing.code, missing.out) == (2, "")
    assert "'dessert' is not named" in missing.err


def test_no_text_is_said(attention):
    done = attention("predict", "sentiment")
    assert done.code == 2
    assert "no text" in done.err


def test_the_command_line_tunes_as_many_layers_as_python_does():
    usual = {
        inspect.signature(one).parameters["layers"].default for one in (train_classify, train_sentiment, Classifier)
    }
    assert usual == {LAYERS}
