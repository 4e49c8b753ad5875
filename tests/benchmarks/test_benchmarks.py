"""Every benchmark still runs: on a tiny invented world, in seconds. What they find out there means nothing."""

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from attention_filter import evaluation
from attention_filter.logs import read_mind
from attention_filter.tasks import heads
from attention_filter.words import term_id, words

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TOPICS = ("cats", "stocks", "rain", "chess")

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not part of a source package")


class HashedWords:
    """The mean of a fixed random vector for each word."""

    id = "hashed"

    def encode(self, texts, *, progress=None):
        rows = [sum((vector(word) for word in words(text)), vector("the")) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def vector(word):
    return np.random.default_rng(term_id(word)).normal(size=24)


@pytest.fixture
def load(monkeypatch, tmp_path):
    """The benchmark as a module, with hashed words in the place of the language model."""
    monkeypatch.setattr(evaluation, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.syspath_prepend(BENCHMARKS)  # one benchmark may show what another one measures

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        monkeypatch.setattr(module, "load_encoder", lambda *model: HashedWords(), raising=False)
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache", raising=False)
        return module

    return load


@pytest.fixture
def run(load, monkeypatch, tmp_path, capsys):
    """Calls a benchmark as from the command line: what it printed, and what it wrote as JSON."""

    def run(module, *arguments):
        out = tmp_path / "out.json"
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments), "--json", str(out)])
        module.main()
        return capsys.readouterr().out, json.loads(out.read_text())

    return run


@pytest.fixture
def data(tmp_path):
    """120 items, the last 60 candidates; three readers of one topic or two, with and without statements."""
    rng = np.random.default_rng(0)
    topic = rng.integers(len(TOPICS), size=120)
    titles = [" ".join([TOPICS[t]] * 2 + [f"w{w}" for w in rng.integers(0, 50, 5)]) for t in topic]
    items = [{"id": f"i{i}", "title": title, "text": title, "lang": "en", "published": f"2026-01-{1 + i // 5:02}"}
             for i, title in enumerate(titles)]  # fmt: skip
    readers = []
    for reader in range(3):
        wanted = sorted({reader % 4, (reader * 3) % 4})
        candidates = [{"id": f"i{i}", "label": int(topic[i] in wanted)} for i in range(60, 120)]
        past = [f"i{i}" for i in np.flatnonzero(np.isin(topic[:60], wanted))]
        for likes in (0, 3):
            for stated in (True, False)[: 1 + bool(likes)]:
                about = {"n_interests": len(wanted), "interests": [TOPICS[t] for t in wanted] if stated else None}
                readers.append({"reader": f"r{reader}", "k": likes, "statements": stated, "likes": past[:likes],
                                "dislikes": [], "candidates": candidates} | about)  # fmt: skip
    folder = tmp_path / "data" / "profiles-reuters"
    folder.mkdir(parents=True)
    for name, records in (("items", items), ("readers", readers)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "meta.json").write_text(json.dumps({"background": "items that are no reader's candidate"}))
    return folder.parent


@pytest.fixture
def clicks(tmp_path):
    """A log as MIND has it: 90 news of three topics, 120 impressions over three days, each reader of one topic."""
    rng = np.random.default_rng(0)
    topic = np.arange(90) % 3
    news = [f"n{i}\t{TOPICS[t]}\t\t{TOPICS[t]} w{rng.integers(30)} w{rng.integers(30)}\t\t\t[]\t[]"
            for i, t in enumerate(topic)]  # fmt: skip
    lines = []
    for number in range(120):
        wanted = number % 3
        past = rng.choice(np.flatnonzero(topic == wanted), number % 6, replace=False)
        shown = np.concatenate([rng.choice(np.flatnonzero(topic == t), 2, replace=False) for t in range(3)])
        read = " ".join(f"n{i}-{int(topic[i] == wanted)}" for i in shown)
        day, hour = 9 + number // 40, 1 + number % 40 // 4
        at, clicked = f"11/{day:02}/2019 {hour}:00:00 AM", " ".join(f"n{i}" for i in past)
        lines.append(f"{number}\tu{number % 9}\t{at}\t{clicked}\t{read}")
    folder = tmp_path / "clicks" / "mind_small_train_5k"
    folder.mkdir(parents=True)
    (folder / "news.tsv").write_text("\n".join(news) + "\n")
    (folder / "train.behaviors.tsv").write_text("\n".join(lines) + "\n")
    return folder.parent


def test_asking_counts_the_votes(load, run, data):
    text, found = run(load("asking"), "--data", data, "--seeds", 1, "--readers", 2)
    assert "with statements" in text
    assert set(found) == {"profiles-reuters, with statements", "profiles-reuters, from nothing"}


def test_attention_measures_a_variant_and_fits_its_growth(load):
    module = load("attention")
    rows = [module.measure("local", n, 1) for n in (128, 256)]
    assert all(row["both"] > 0 for row in rows)
    assert "local" in module.table(rows)
    assert module.exponent([{"case": "x", "n": n, "both": n * n} for n in (128, 256)], "x", "both") == pytest.approx(2)


@pytest.mark.skip(reason="needs sentence-transformers and the real model")
def test_encode():
    pass


@pytest.mark.skip(reason="needs the real model's token states; tests/personal/test_explain.py holds the sums")
def test_explain():
    pass


def test_feeds_agree_with_an_expectation_and_a_miss_is_told(load, run, tmp_path):
    module = load("feeds")
    name = next(one for one in module.SETS if one.endswith("rss"))
    folder = tmp_path / "feeds_gofeed" / name
    folder.mkdir(parents=True)
    for number, expected in enumerate(("One", "Another")):
        feed = "<rss version='2.0'><channel><title>T</title><item><title>One</title></item></channel></rss>"
        (folder / f"f{number}.xml").write_text(feed)
        (folder / f"f{number}.json").write_text(json.dumps({"title": "T", "items": [{"title": expected}]}))
    _, found = run(module, "--data", tmp_path)
    assert found["documents"] == 2
    assert found["agreement"]["all"]["title"] == [3, 4]  # both feeds' own, one item's
    assert [miss["expected"] for miss in found["misses"]] == ["Another"]


def test_ingest_measures_each_step(load, run):
    _, found = run(load("ingest"), "--items", 40, "--rounds", 1)
    assert all(rate > 0 for rate in found["items_per_second"].values())


def test_knowledge_tells_the_senses_apart(load, run, monkeypatch):
    module = load("knowledge")
    monkeypatch.setattr(module, "SIZES", (100,))
    _, found = run(module)
    assert found["speed"]["100 items"] > 0
    assert all(0 <= marks["words ndcg@10"] <= 1 for marks in found["senses"].values())


def test_lists_are_compared(load, run, data, monkeypatch):
    module = load("lists")
    monkeypatch.setattr(module, "STRENGTHS", {name: some[:1] for name, some in module.STRENGTHS.items()})
    monkeypatch.setattr(module, "rare_sources", partial(module.rare_sources, trials=2))
    _, found = run(module, "--data", data)
    assert {row["method"] for row in found["lists"]} >= set(module.STRENGTHS)
    assert len(found["rare sources"]) == 7


def test_nrms_learns_what_its_readers_click_on(load, run, clicks):
    text, found = run(load("peers_nrms"), "--data", clicks, "--seeds", 1)
    assert text.count("| NRMS over ") == 2
    assert all(one["test"]["auc"] > 0.7 for one in found.values())


@pytest.mark.parametrize("news", ["NRMS over the same vectors", "NRMS over words"])
def test_nrms_scores_an_impression_alone_as_beside_longer_ones(load, clicks, news):
    module = load("peers_nrms")
    log = module.last_day_apart(module.read_log(clicks / "mind_small_train_5k"))
    vectors = evaluation.encode_items(log.items, HashedWords(), None).vectors
    learner, _ = module.train_nrms(log, news, vectors, module.Plan(dim=16, heads=2, rounds=1), 0)
    together = learner.scores(log.test)
    alone = [learner.scores([one])[0] for one in log.test]
    assert {len(one.history) for one in log.test} == set(range(6))
    np.testing.assert_allclose(np.concatenate(together), np.concatenate(alone), atol=1e-5)
    assert all((of == 0).all() == (not len(one.history)) for one, of in zip(log.test, together, strict=True))


def test_nrms_looks_at_nothing_that_is_not_here(load):
    module = load("peers_nrms")
    summary = module.Summary(module.Plan(dim=8, heads=2)).eval()
    rows, here = torch.randn(2, 5, 8), torch.tensor([[True, True, False, False, False], [False] * 5])
    other = torch.where(here[..., None], rows, 100.0)
    torch.testing.assert_close(summary(rows, here), summary(other, here))
    torch.testing.assert_close(summary(rows, here)[:1], summary(rows[:1, :2], here[:1, :2]))
    assert (summary(rows, here)[1] == 0).all()


def test_rank_measures_its_parts(load):
    module = load("rank")
    words = module.word_rows(None, np.random.default_rng(0))
    found = module.measure(words, 200, 20, 1, 0)
    assert set(found) >= {"one_act_ms", "profile_ms", "attention_ms", "blend_ms"}
    assert all(value > 0 for value in found.values())


def test_ranking_prints_a_table_of_all_methods(load, run, data):
    text, found = run(load("ranking"), "--data", data)
    assert "| random |" in text
    assert "| mean of liked embeddings |" in text
    assert "filter without" not in text
    assert set(found) == {"profiles-reuters"}
    terms = {section: [one["name"] for one in of if one["among"] == "all"]
             for section, of in found["profiles-reuters"]["worth"].items()}  # fmt: skip
    assert terms == {
        "with_statements": ["interests", "themes", "topics", "near", "said", "taste"],
        "without_statements": ["interests", "themes", "topics", "near", "taste"],
    }


def test_ranking_trains_on_a_log_and_compares_what_it_learned(load, run, clicks):
    text, found = run(load("ranking"), "--data", clicks, "--train")
    for method in ("trained readers", "NRMS over the same vectors", "NRMS over words"):
        assert f"| {method} |" in text
    days = {one["name"]: one for one in found["mind_small_train_5k"]["days"]}
    assert list(days) == ["2019-11-10", "2019-11-11", "together", "1 to 4 clicks", "5 to 9 clicks"]
    assert days["together"]["situations"] == days["2019-11-10"]["situations"] + days["2019-11-11"]["situations"]


def test_ranking_tests_each_day_with_what_came_before_it(load, clicks):
    folder = clicks / "mind_small_train_5k"
    whole = read_mind(folder / "news.tsv", folder / "train.behaviors.tsv", None)
    logs = list(load("ranking").day_by_day(whole))
    assert [(len(log.train), len(log.test)) for log in logs] == [(40, 40), (80, 40)]
    assert all(max(one.time for one in log.train) < min(one.time for one in log.test) for log in logs)


def test_a_first_look_is_timed(load, monkeypatch):
    module = load("first_look")
    monkeypatch.setattr(module.server, "OUTLETS", module.server.OUTLETS[:1])
    found = module.measure()
    assert 0 < found["first_feed"] <= found["first_list"] <= found["final"] < 300
    assert found["items"] > 10


def test_read_times_the_command(load, tmp_path):
    module = load("read")
    url = f"sqlite:///{tmp_path / 'read.db'}"
    module.fill(url, 60, 0)
    seconds, megabytes = module.run(url)
    assert seconds > 0
    assert megabytes > 10


def test_labels_are_measured_on_titles_and_opinions(load, run, monkeypatch):
    module = load("labels")
    rows = {"mind": [("cats purr", "cats"), ("stocks fall", "stocks")] * 9, "sst2": [("lovely", "positive")] * 9}
    learned = heads.learn(HashedWords().encode([text for text, _ in rows["mind"]]), ["cats", "stocks"] * 9, 0.1)
    felt = heads.Head(("negative", "positive"), np.zeros((2, 24), np.float32), np.array([0, 9], np.float32))
    monkeypatch.setattr(module, "read", lambda *_: rows)
    monkeypatch.setattr(module, "head_of", lambda _, pairs: felt if pairs[0][0] == "positive" else learned)
    text, found = run(module, "--data", "nowhere")
    assert [(row["set"], row["accuracy"], row["shown"]) for row in found["rows"]] == [("mind", 1, 1), ("sst2", 1, 1)]
    assert "| sst2 | 9 | 100.0% | 100.0% | 100.0% |" in text


@pytest.fixture
def films(tmp_path):
    """Forty reviews, laid out as SST-2."""
    (tmp_path / "sst2").mkdir()
    rows = [f"a {('dull', 'lovely')[n % 2]} film number {n % 7}\t{n % 2}" for n in range(40)]
    for part in ("train", "dev"):
        (tmp_path / "sst2" / f"{part}.tsv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_augmentation_is_compared_with_none(load, run, films):
    ways = ("--ways", "", "drop", "--each", 4, "--draws", 2)
    text, found = run(load("augment"), "--data", films, "--sets", "sst2", *ways)
    assert [len(some) for some in found["sst2"].values()] == [2, 2]
    assert "| sst2 | 8 | drop |" in text


def test_compression_is_measured_beside_the_tuned_model(load, run, films, tmp_path):
    work = ("--work", tmp_path / "work", "--ways", "int8")
    text, found = run(load("compress"), "--data", films, "--sets", "sst2", *work)
    whole, small = found["rows"]
    assert small["bytes"] < 0.3 * whole["bytes"]
    assert whole["lost"] == 0
    assert "| sst2 | int8 | 22.4 |" in text


def test_reasons_are_measured_beside_chance(load, run, films):
    text, found = run(load("reasons"), "--data", films, "--sets", "sst2", "--texts", 3)
    (row,) = found["rows"]
    assert row["model"] == "probe"
    assert {len(of["normalised AOPC"]) for of in row["marks"].values()} == {3}
    assert np.mean(row["marks"]["ours"]["deletion"]) < np.mean(row["marks"]["random"]["deletion"])
    assert "| sst2 | probe | one word out |" in text


def test_tasks_are_measured_beside_their_peers(load, run, films):
    text, found = run(load("tasks"), "--data", films, "--sets", "sst2", "--methods", "lr", "svm", "textcnn")
    assert [(row["method"], row["accuracy"]) for row in found["rows"]] == [("lr", 1.0), ("svm", 1.0)]
    assert "| sst2 | svm | 100.0% |" in text


def test_trust_tells_how_much_is_kept(load, run, data):
    text, found = run(load("trust"), "--data", data)
    assert all(0 <= row["kept"] <= 1 for row in found["trust"])
    assert "in the tray" in text
