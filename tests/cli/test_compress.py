"""compress, plan, and training with --augment and --plan, as typed."""

import json

import pytest

from .conftest import HashedWords

ROWS = {"code": ["rust compiler", "garbage collector", "编译器 语言"], "food": ["leek pie", "bread oven", "面包 烤箱"]}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(HashedWords, "depth", 0, raising=False)
    rows = [{"text": f"{text} {n}", "label": label} for n in range(4) for label, some in ROWS.items() for text in some]
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")


def test_a_tuned_model_is_made_smaller_measured_and_used(attention, tmp_path):
    how = ("--method", "tuned", "--layers", "1", "--rounds", "1", "--licence", "CC0-1.0")
    assert attention("train", "classify", "--data", "data.jsonl", "--out", "big", *how).code == 0
    done = attention("compress", "classify", "--model", "big", "--out", "small", "--valid", "data.jsonl", "--json")
    assert done.code == 0, done.err
    before, after = done.json["before"], done.json["after"]
    assert after["bytes"] < 0.3 * before["bytes"]
    assert set(before) == {"bytes", "texts_a_second", "accuracy", "macro_f1", "ece"}
    assert json.loads((tmp_path / "small" / "model.json").read_text("utf-8"))["licence"] == "CC0-1.0"
    assert attention("predict", "classify", "--model", "small", "rust compiler").code == 0
    again = attention("compress", "classify", "--model", "big", "--out", "half", "--how", "prune")
    assert again.code == 2
    assert "give --data FILE: the rows that the model was trained on" in again.err


def test_a_probe_is_not_made_smaller(attention):
    assert attention("train", "classify", "--data", "data.jsonl", "--out", "probe", "--augment", "drop,swap").code == 0
    done = attention("compress", "classify", "--model", "probe", "--out", "small", "--data", "data.jsonl")
    assert done.code == 2
    assert "only a tuned model can be made smaller" in done.err


def test_an_unknown_change_is_named(attention):
    done = attention("train", "classify", "--data", "data.jsonl", "--out", "m", "--augment", "drop,magic")
    assert done.code == 2
    assert "'magic': the changes are synonyms, typos, drop, swap" in done.err


def test_a_plan_is_found_and_trained_by(attention):
    pytest.importorskip("optuna")
    how = ("--method", "scratch", "--trials", "2", "--rounds", "1")
    done = attention("plan", "classify", "--data", "data.jsonl", "--out", "plan.json", *how)
    assert done.code == 0, done.err
    assert "2 plans tried" in done.out
    assert "usual plan" in done.out
    assert "attention train classify --data data.jsonl --plan plan.json --out DIR" in " ".join(done.err.split())
    by_it = attention("train", "classify", "--data", "data.jsonl", "--plan", "plan.json", "--out", "model")
    assert by_it.code == 0, by_it.err
