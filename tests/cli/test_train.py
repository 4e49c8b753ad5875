"""train ranking, and evaluate ranking with what it made."""

import json
from datetime import datetime, timedelta

import pytest

TOPICS = {
    "code": ("compiler", "garbage collector", "type checker", "runtime", "linker"),
    "food": ("leek pie", "bread oven", "soup kettle", "plum jam", "rye dough"),
}
WORDS = {"code": "programming language software", "food": "kitchen recipe cooking"}
ARGS = ("train", "ranking", "--items", "news.tsv", "--train", "log.tsv", "--out", "model", "--rounds", 2)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    for module in ("evaluation", "training.examples"):
        monkeypatch.setattr(f"attention_filter.{module}.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def log(tmp_path):
    """Ten news of two topics; forty readers of one topic each."""
    names = [(topic, thing) for topic, things in TOPICS.items() for thing in things]
    rows = [f"N{i}\t{topic}\t\t{thing} {WORDS[topic]}\t\t\t\t" for i, (topic, thing) in enumerate(names)]
    (tmp_path / "news.tsv").write_text("\n".join(rows), encoding="utf-8")
    lines = []
    for number in range(40):
        own, other = (0, 5) if number % 2 else (5, 0)
        time = (datetime(2019, 11, 13) + timedelta(minutes=30 * number)).strftime("%m/%d/%Y %I:%M:%S %p")
        past, wanted, not_wanted = (number % 5 + own, (number + 1) % 5 + own, (number + 2) % 5 + other)
        lines.append(f"{number}\tU{number}\t{time}\tN{past}\tN{wanted}-1 N{not_wanted}-0")
    (tmp_path / "log.tsv").write_text("\n".join(lines), encoding="utf-8")


def test_a_model_is_trained_reported_and_stands_beside_the_filter(attention, log, tmp_path):
    done = attention(*ARGS)
    assert done.code == 0, done.err
    assert "32 impressions to learn from, 8 to validate" in done.out
    assert "kept" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"readers.json", "readers.safetensors"}
    given = ("--format", "mind", "--items", "news.tsv", "--train", "log.tsv", "--test", "log.tsv")
    done = attention("evaluate", "ranking", *given, "--model", "model", "--json", "figures.json")
    assert done.code == 0, done.err
    baselines = json.loads((tmp_path / "figures.json").read_text("utf-8"))["baselines"]
    assert baselines["trained readers, content only"]["auc"] > 0.9
    assert {"trained readers", "trained readers, online"} < set(baselines)


def test_the_report_is_one_document_and_done_work_is_not_done_again(attention, log, monkeypatch):
    first = attention(*ARGS, "--json")
    assert first.code == 0, first.err
    assert first.json["impressions"] == {"train": 32, "valid": 8}
    monkeypatch.setattr("attention_filter.training.ranking.train_on", None)
    assert attention(*ARGS, "--json").json == first.json


def test_a_folder_with_a_model_of_other_data_is_left_alone(attention, log, tmp_path):
    assert attention(*ARGS).code == 0
    before = (tmp_path / "model" / "readers.safetensors").read_bytes()
    done = attention(*ARGS, "--seed", 3)
    assert (done.code, done.out) == (2, "")
    assert "give an empty folder" in done.err
    assert (tmp_path / "model" / "readers.safetensors").read_bytes() == before


def test_a_validation_log_of_ones_own_takes_nothing_from_the_training(attention, log):
    done = attention(*ARGS, "--valid", "log.tsv", "--json")
    assert done.json["impressions"] == {"train": 40, "valid": 40}


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [("", 6, "no impressions"), ("1\tU\t11/13/2019 1:00:00 AM\tN1\tN2-1 N3-0\n" * 5, 6, "nothing to learn from")],
)
def test_a_log_that_teaches_nothing_is_said_in_one_line(attention, log, tmp_path, content, code, says):
    (tmp_path / "log.tsv").write_text(content, encoding="utf-8")
    done = attention(*ARGS)
    assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)
    assert says in done.err


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_model_is_named(attention, log, folder):
    given = ("--format", "mind", "--items", "news.tsv", "--train", "log.tsv", "--test", "log.tsv")
    done = attention("evaluate", "ranking", *given, "--model", folder)
    assert done.code == 5
    assert "attention train ranking" in done.err
