"""A made-up world of topics whose words are hashed to vectors; answers must not change what is scored."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from attention_filter import evaluation
from attention_filter.clicks import Clicks, clicks_before
from attention_filter.encodings import encode_cached
from attention_filter.errors import DataError, ModelError
from attention_filter.evaluation import (
    evaluate_mind,
    evaluate_profiles,
    rank_by_readers,
    rank_clicks,
    rank_profiles,
)
from attention_filter.logs import read_mind, read_profiles
from attention_filter.training.ranking import Plan, train_ranking
from attention_filter.words import term_id, words

TOPICS = ("cats", "stocks", "rain", "chess")
BASELINES = {
    "random",
    "newest first",
    "popularity",
    "filter, content only",
    "matrix factorisation of the log",
    "keyword rules",
    "BM25 of the statements",
    "TF-IDF + linear SVM per reader",
    "mean of liked embeddings",
    "similarity-weighted library",
    "logistic regression on embeddings",
    "RBF-SVM on embeddings",
}
OF_LOGS = {"popularity", "filter, content only", "matrix factorisation of the log"}
OF_STATEMENTS = {"BM25 of the statements", "keyword rules"}


class HashedWords:
    """The mean of a fixed random vector for each word; counts how many texts it was asked for."""

    id = "hashed"

    def __init__(self):
        self.asked = 0

    def encode(self, texts, *, progress=None):
        self.asked += len(texts)
        if progress:
            progress(len(texts))
        rows = [sum((vector(word) for word in words(text)), vector("the")) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def vector(word):
    return np.random.default_rng(term_id(word)).normal(size=24)


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "cache_folder", lambda: tmp_path / "cache")
    return HashedWords()


def texts(n, rng):
    topic = rng.integers(len(TOPICS), size=n)
    return topic, [" ".join([TOPICS[t]] * 2 + [f"w{w}" for w in rng.integers(0, 50, 5)]) for t in topic]


@pytest.fixture
def mind(tmp_path):
    """80 news; readers click on one topic; train on the 13th, test on the 14th."""
    rng = np.random.default_rng(0)
    topic, titles = texts(80, rng)
    news = [f"N{i}\tnews\t\t{title}\t\t\t\t\n" for i, title in enumerate(titles)]

    def line(number, day):
        liked = number % len(TOPICS)
        past = rng.choice(np.flatnonzero(topic == liked), 4) if number % 7 else []
        shown = rng.choice(80, 8, replace=False)
        history, pairs = " ".join(f"N{i}" for i in past), " ".join(f"N{i}-{int(topic[i] == liked)}" for i in shown)
        return f"{number}\tU{number}\t11/{day}/2019 {1 + number % 12}:00:00 AM\t{history}\t{pairs}\n"

    paths = [tmp_path / name for name in ("news.tsv", "train.tsv", "test.tsv")]
    lines = news, [line(i, 13) for i in range(30)], [line(i, 14) for i in range(20)]
    for path, content in zip(paths, lines, strict=True):
        path.write_text("".join(content))
    return paths


@pytest.fixture
def folder(tmp_path):
    """120 items, the last 60 candidates; two readers, with and without statements."""
    rng = np.random.default_rng(0)
    topic, titles = texts(120, rng)
    items = [
        {"id": f"i{i}", "title": title, "text": "", "lang": "en", "published": f"2026-01-{1 + i // 5:02}T00:00:00"}
        for i, title in enumerate(titles)
    ]
    lines = []
    for reader, liked in enumerate(("cats", "chess")):
        wanted = TOPICS.index(liked)
        shown = (60 + rng.permutation(60)[:30]).tolist()
        candidates = [{"id": f"i{i}", "label": int(topic[i] == wanted)} for i in shown]
        past = [f"i{i}" for i in np.flatnonzero(topic[:60] == wanted)]
        for k, stated in ((0, True), (1, True), (3, True), (1, False), (3, False)):
            lines.append(
                {
                    "reader": f"r{reader}",
                    "k": k,
                    "statements": stated,
                    "n_interests": None,
                    "interests": [liked] if stated else None,
                    "likes": past[:k],
                    "dislikes": [],
                    "candidates": candidates,
                }
            )
    folder = tmp_path / "profiles"
    folder.mkdir()
    write(folder, items, lines, {"background": "items that are no reader's candidate"})
    return folder


def write(folder, items, lines, meta):
    for name, records in (("items", items), ("readers", lines)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "meta.json").write_text(json.dumps(meta))


def lines_of(folder):
    return [json.loads(line) for line in (folder / "readers.jsonl").read_text().splitlines()]


def rewrite(folder, lines):
    (folder / "readers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def scores_of(folder, encoder):
    data = read_profiles(folder)
    encoded = evaluation.encode_items(data.items, encoder, None)
    said = evaluation.encode_statements(evaluation.statements_of(data), encoded, encoder)
    return rank_profiles(data, encoded, said, encoder.id)


def click_scores(log, encoder):
    return list(rank_clicks(log, evaluation.encode_items(log.items, encoder, None), encoder.id))


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert one.keys() == other.keys()
        for method in one:
            np.testing.assert_allclose(one[method], other[method], atol=1e-6, err_msg=method)


def test_mind_is_measured_with_every_baseline_it_has_the_ground_for(mind, encoder):
    seen = []
    report = evaluate_mind(*mind, encoder, progress=lambda *step: seen.append(step)).as_json()
    assert set(report["baselines"]) == BASELINES - OF_STATEMENTS
    for result in (report["filter"], *report["baselines"].values()):
        assert set(result) == {"auc", "mrr", "ndcg@5", "ndcg@10"}
        assert all(0 <= value <= 1 for value in result.values())
    assert report["filter"]["auc"] > 0.8 > report["baselines"]["random"]["auc"]
    assert seen[-1] == ("ranking", 20, 20)
    assert any(stage == "encoding" for stage, *_ in seen)
    json.dumps(report, allow_nan=False)


def test_profiles_are_measured_per_k_with_and_without_statements(folder, encoder):
    report = evaluate_profiles(folder, encoder).as_json()
    assert set(report["baselines"]) == BASELINES - OF_LOGS
    assert list(report["filter"]["with_statements"]) == ["0", "1", "3", "mean"]
    assert list(report["filter"]["without_statements"]) == ["1", "3", "mean"]
    assert list(report["baselines"]["BM25 of the statements"]) == ["with_statements"]
    assert set(report["filter"]["with_statements"]["mean"]) == {"auc", "ndcg@10"}
    assert report["filter"]["with_statements"]["mean"]["auc"] > 0.9
    json.dumps(report, allow_nan=False)


def test_an_empty_section_and_baselines_without_ground_are_left_out(folder, encoder):
    rewrite(folder, [line for line in lines_of(folder) if not line["statements"]])
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    write(folder, [{**item, "published": None} for item in items], lines_of(folder), {})
    report = evaluate_profiles(folder, encoder).as_json()
    assert list(report["filter"]) == ["without_statements"]
    assert set(report["baselines"]) == BASELINES - OF_LOGS - OF_STATEMENTS - {"newest first"}


def test_flipping_every_answer_changes_no_score_of_a_profile(folder, encoder):
    before = scores_of(folder, encoder)
    lines = lines_of(folder)
    for line in lines:
        line["candidates"] = [{"id": c["id"], "label": 1 - c["label"]} for c in line["candidates"]]
    rewrite(folder, lines)
    assert_same(scores_of(folder, encoder), before)


def test_the_order_of_candidates_changes_no_score_of_a_profile(folder, encoder):
    before = scores_of(folder, encoder)
    lines = lines_of(folder)
    rewrite(folder, [{**line, "candidates": line["candidates"][::-1]} for line in lines])
    after = scores_of(folder, encoder)
    assert_same([{m: v[::-1] for m, v in one.items()} for one in after], before)


def test_deleting_or_flipping_every_answer_changes_no_score_of_an_impression(mind, encoder):
    log = read_mind(*mind)
    before = click_scores(log, encoder)
    for answers in (lambda labels: ~labels, lambda labels: labels[:0]):
        hidden = replace(log, test=tuple(replace(one, labels=answers(one.labels)) for one in log.test))
        assert_same(click_scores(hidden, encoder), before)


def test_later_impressions_change_no_earlier_score(mind, encoder):
    log = read_mind(*mind)
    before = click_scores(log, encoder)
    assert_same(click_scores(replace(log, test=log.test[:5]), encoder), before[:5])
    # Training impressions from after the test, of news already known, with clicks turned over.
    last = log.test[-1].time + timedelta(days=1)
    later = tuple(replace(one, time=last, labels=~one.labels) for one in log.train)
    assert_same(click_scores(replace(log, train=log.train + later), encoder), before)


def test_training_on_the_test_file_gives_no_impression_its_own_clicks(mind, encoder):
    log = read_mind(mind[0], mind[2], mind[2])
    first = log.test[0]
    scores = click_scores(log, encoder)[0]
    np.testing.assert_array_equal(scores["popularity"], np.zeros(len(first.candidates)))


def test_the_order_of_candidates_changes_no_score_of_an_impression(mind, encoder):
    log = read_mind(*mind)
    turned = [replace(one, candidates=one.candidates[::-1], labels=one.labels[::-1]) for one in log.test]
    after = click_scores(replace(log, test=tuple(turned)), encoder)
    assert_same([{m: v[::-1] for m, v in one.items()} for one in after], click_scores(log, encoder))


def test_what_each_left_out_term_takes_adds_up_to_the_content(mind, encoder):
    log = read_mind(*mind)
    encoded = evaluation.encode_items(log.items, encoder, None)
    for one in rank_clicks(log, encoded, encoder.id, leave_out=True):
        lacking = [scores for method, scores in one.items() if method.startswith(evaluation.WITHOUT)]
        content = one["filter, content only"]
        taken = sum((content - scores for scores in lacking), np.zeros(len(content)))
        np.testing.assert_allclose(np.ptp(content - taken), 0, atol=1e-9)  # the one source is the same for all


def test_a_reader_without_history_is_ranked_by_popularity(mind, encoder):
    log = read_mind(*mind)
    for impression, scores in zip(log.test, click_scores(log, encoder), strict=True):
        if not len(impression.history):
            order = np.argsort(scores["popularity"], kind="stable")
            assert (np.diff(scores["filter"][order]) >= 0).all()
            assert "mean of liked embeddings" not in scores


@pytest.fixture
def readers(mind, encoder, tmp_path, monkeypatch):
    """A small ranking trained on the training log."""
    monkeypatch.setattr("attention_filter.training.examples.cache_folder", lambda: tmp_path / "cache")
    train_ranking(mind[0], mind[1], encoder, tmp_path / "readers", plan=Plan(rounds=1, resolutions=(4,)))
    return tmp_path / "readers"


def reader_scores(log, encoder, folder):
    return rank_by_readers(log, evaluation.encode_items(log.items, encoder, None).vectors, encoder.id, folder)


def test_a_ranking_trained_on_many_readers_stands_in_rows_of_its_own(mind, encoder, readers):
    report = evaluate_mind(*mind, encoder, readers=readers).as_json()
    names = {"trained readers", "trained readers, content only", "trained readers, online"}
    assert set(report["baselines"]) == BASELINES - OF_STATEMENTS | names
    assert report["baselines"]["trained readers"]["auc"] > 0.8


def test_only_online_rows_know_test_clicks_and_only_earlier_ones(mind, encoder, readers):
    log = read_mind(*mind)
    before = reader_scores(log, encoder, readers)
    half = log.test[10].time
    turned = tuple(replace(one, labels=~one.labels) if one.time >= half else one for one in log.test)
    after = reader_scores(replace(log, test=turned), encoder, readers)
    online = "trained readers, online"
    early = sum(one.time <= half for one in log.test)
    assert_same(after[:early], before[:early])
    assert any((b[online] != a[online]).any() for b, a in zip(before, after, strict=True))
    assert_same([{**one, online: 0} for one in after], [{**one, online: 0} for one in before])


def test_a_ranking_trained_on_another_encoders_vectors_is_refused(mind, encoder, readers):
    encoder.id = "another"
    with pytest.raises(ModelError, match="train it again"):
        evaluate_mind(*mind, encoder, readers=readers)


def test_factors_come_from_clicks_before_the_first_test_impression(mind):
    log = read_mind(*mind)
    before = clicks_before(log)
    assert set(before.data) == {1}
    first = log.train[0]
    clicked = np.union1d(first.history, first.candidates[first.labels])
    assert before[[0]].nonzero()[1].tolist() == clicked.tolist()
    late = tuple(replace(one, time=log.test[-1].time) for one in log.train[10:])
    assert clicks_before(replace(log, train=log.train[:10] + late)).shape[0] == 10


def test_click_rates_are_smoothed_toward_the_overall_rate(mind):
    log = read_mind(*mind)
    clicks = Clicks(log.train, len(log.items))
    clicks.count_until(log.test[0].time)
    shown, clicked = np.zeros(80), np.zeros(80)
    for one in log.train:
        np.add.at(shown, one.candidates, 1)
        np.add.at(clicked, one.candidates, one.labels)
    rate = np.log((clicked + 20 * clicked.sum() / shown.sum()) / (shown + 20))
    np.testing.assert_allclose(clicks.popularity(np.arange(80)), (rate - rate.mean()) / rate.std())


def test_a_background_per_reader_holds_other_readers_candidates_but_not_ones_own(folder):
    data = read_profiles(folder)
    mine = {number: set(one.candidates.tolist()) for number, one in enumerate(data.situations)}
    ((free, numbers),) = evaluation.backgrounds(data)
    assert numbers == list(range(10))
    assert not set(free.tolist()) & set.union(*mine.values())
    for free, numbers in evaluation.backgrounds(replace(data, per_reader=True)):
        assert set(free.tolist()) == set(range(120)) - mine[numbers[0]]


def test_a_background_per_reader_is_measured_in_the_order_of_the_lines(folder, encoder):
    lines = lines_of(folder)
    (folder / "meta.json").write_text(json.dumps({"background": "per reader"}))
    grouped = scores_of(folder, encoder)
    mixed = [number for pair in zip(range(5), range(5, 10), strict=True) for number in pair]
    rewrite(folder, [lines[number] for number in mixed])
    after = scores_of(folder, encoder)
    for place, number in enumerate(mixed):
        np.testing.assert_allclose(after[place]["filter"], grouped[number]["filter"])


def test_a_set_whose_items_are_all_ones_own_candidates_says_what_is_missing(folder, encoder):
    line = {**lines_of(folder)[0], "candidates": [{"id": f"i{i}", "label": i % 2} for i in range(120)]}
    rewrite(folder, [line])
    with pytest.raises(DataError, match="no item is free"):
        evaluate_profiles(folder, encoder)


def test_a_second_run_encodes_nothing_and_measures_the_same(folder, encoder):
    first = evaluate_profiles(folder, encoder).as_json()
    asked = encoder.asked
    assert asked > 100
    assert evaluate_profiles(folder, encoder).as_json() == first
    assert encoder.asked == asked


def test_the_cache_encodes_only_new_texts_and_each_once(tmp_path, encoder):
    encode_cached(encoder, ["a", "b", "a"], tmp_path)
    assert encoder.asked == 2
    vectors = encode_cached(encoder, ["c", "a"], tmp_path)
    assert encoder.asked == 3
    np.testing.assert_allclose(vectors, encoder.encode(["c", "a"]), atol=1e-3)
    encoder.id = "another model"
    encode_cached(encoder, ["a"], tmp_path)
    assert encoder.asked == 6


def test_an_interrupted_encoding_keeps_what_was_done(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("attention_filter.encodings.AT_ONCE", 2)

    def interrupted(texts, *, progress=None):
        if "stop" in texts:
            raise KeyboardInterrupt
        return HashedWords.encode(encoder, texts, progress=progress)

    monkeypatch.setattr(encoder, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encode_cached(encoder, ["a", "b", "stop"], tmp_path)
    encode_cached(encoder, ["a", "b"], tmp_path)
    assert encoder.asked == 2


def test_two_that_encode_at_once_keep_each_others_encodings(tmp_path, encoder, monkeypatch):
    def meanwhile(texts, *, progress=None):
        monkeypatch.undo()
        encode_cached(encoder, ["b"], tmp_path)
        return encoder.encode(texts, progress=progress)

    monkeypatch.setattr(encoder, "encode", meanwhile)
    encode_cached(encoder, ["a"], tmp_path)
    asked = encoder.asked
    encode_cached(encoder, ["a", "b"], tmp_path)
    assert encoder.asked == asked == 2


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_damaged_cache_costs_only_time(tmp_path, encoder, content):
    encode_cached(encoder, ["a"], tmp_path)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(content)
    assert encode_cached(encoder, ["a"], tmp_path).shape == (1, 24)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, encoder):
    (tmp_path / "file").write_text("in the way")
    assert encode_cached(encoder, ["a"], tmp_path / "file").shape == (1, 24)
