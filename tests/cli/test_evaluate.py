"""evaluate ranking, on logs small enough to check by eye."""

import json

import pytest

NEWS = [
    ("N1", "Rust compilers get faster", "The compiler builds programs in half the time."),
    ("N2", "A garbage collector", "The compiler and the runtime of a language share memory."),
    ("N3", "Cup won on penalties", "The keeper saved two penalties."),
    ("N4", "Leek pie", "Leeks, butter and flour."),
    ("N5", "Types for languages", "What a compiler can know of programs."),
    ("N6", "Late goal in the rain", "The keeper slipped and the town sang."),
]
LOG = ["1\tU1\t11/14/2019 8:05:30 AM\tN1\tN2-1 N3-0", "2\tU2\t11/14/2019 9:05:30 AM\tN3\tN6-1 N4-0"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("attention_filter.evaluation.cache_folder", lambda: tmp_path / "cache")


def test_mind_prints_a_table_and_writes_the_figures(attention, tmp_path):
    rows = ["\t".join([key, "news", "all", title, text, "https://e.example", "[]", "[]"]) for key, title, text in NEWS]
    (tmp_path / "news.tsv").write_text("\n".join(rows), encoding="utf-8")
    (tmp_path / "train.tsv").write_text("\n".join(LOG), encoding="utf-8")
    done = attention(
        "evaluate", "ranking", "--format", "mind", "--items", "news.tsv", "--train", "train.tsv",
        "--test", "train.tsv", "--json", "figures.json",
    )  # fmt: skip
    assert done.code == 0, done.err
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert set(figures["filter"]) == {"auc", "mrr", "ndcg@5", "ndcg@10"}
    lines = done.out.splitlines()
    assert any(line.startswith("filter ") and f"{figures['filter']['auc']:.4f}" in line for line in lines)
    assert "random" in figures["baselines"]
    assert any(line.startswith("random ") and " ± " in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_profiles_print_a_table_for_each_section_and_one_by_likes(attention, tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    items = [{"id": key, "title": title, "text": text, "lang": "en"} for key, title, text in NEWS]
    shown = [{"id": "N5", "label": 1}, {"id": "N6", "label": 0}]
    readers = [
        {"reader": "a", "k": 0, "statements": True, "interests": ["compilers"], "likes": [], "candidates": shown},
        {"reader": "a", "k": 1, "statements": True, "interests": ["compilers"], "likes": ["N1"], "candidates": shown},
    ]
    for name, records in (("items", items), ("readers", readers)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    done = attention("evaluate", "ranking", "--format", "profiles", folder, "--json", "figures.json")
    assert done.code == 0, done.err
    assert "with statements" in done.out
    assert "ndcg@10 by likes" in done.out
    assert "without statements" not in done.out
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert set(figures["filter"]["with_statements"]) == {"0", "1", "mean"}


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--format", "mind", "--items", "news.tsv"], 2, "--format mind needs"),
        (["--format", "profiles"], 2, "needs the folder"),
        (["--format", "other"], 2, "--format"),
        ([], 2, "--format"),
        (["--format", "profiles", "nowhere"], 6, "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(attention, args, code, says):
    done = attention("evaluate", "ranking", *args)
    assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1)
    assert says in done.err
