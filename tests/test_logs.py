import json
from datetime import UTC, datetime

import pytest

from attention_filter.errors import DataError
from attention_filter.logs import read_mind, read_profiles

NEWS = "N1\tnews\tworld\tA storm\tIt rained.\thttp://x\t[]\t[]\nN2\tnews\t\tNo abstract\t\t\t\t\n"
SHOWN = "7\tU1\t11/14/2019 8:05:30 PM\tN2 N1\tN1-0 N2-1\n8\tU2\t11/13/2019 1:00:00 AM\t\tN2-0\n"
ITEM = {"id": "a", "published": "1987-02-26T15:01:01", "title": "T", "text": "x", "lang": "en"}
LINE = {
    "reader": "r",
    "k": 1,
    "statements": True,
    "n_interests": 1,
    "interests": ["cats"],
    "likes": ["a"],
    "dislikes": [],
    "candidates": [{"id": "b", "label": 1}],
}


@pytest.fixture
def mind(tmp_path):
    def write(news=NEWS, shown=SHOWN):
        paths = tmp_path / "news.tsv", tmp_path / "behaviors.tsv"
        for path, text in zip(paths, (news, shown), strict=True):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_mind(paths[0], paths[1], paths[1])

    return write


@pytest.fixture
def profiles(tmp_path):
    def write(items=(ITEM, {"id": "b"}), lines=(LINE,), meta=None):
        for name, records in (("items", items), ("readers", lines)):
            text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)
            (tmp_path / f"{name}.jsonl").write_text(text)
        if meta is not None:
            (tmp_path / "meta.json").write_text(json.dumps(meta))
        return read_profiles(tmp_path)

    return write


def test_mind_files_are_read_as_published_in_time_order(mind):
    log = mind()
    assert [(item.id, item.title, item.text) for item in log.items] == [
        ("N1", "A storm", "It rained."),
        ("N2", "No abstract", ""),
    ]
    early, late = log.train
    assert (early.id, early.history.tolist(), early.labels.tolist()) == ("8", [], [False])
    assert late.time == datetime(2019, 11, 14, 20, 5, 30, tzinfo=UTC)
    assert (late.user, late.history.tolist(), late.candidates.tolist()) == ("U1", [1, 0], [0, 1])
    assert late.labels.tolist() == [False, True]


def test_a_sixth_column_has_the_places_of_what_was_shown(mind):
    early, late = mind(shown=SHOWN.replace("N2-1\n", "N2-1\t2 1\n")).train
    assert early.positions is None
    assert late.positions.tolist() == [2, 1]


def test_a_category_is_read(mind):
    assert [item.category for item in mind().items] == ["news", "news"]


def test_quotes_windows_line_ends_and_a_stray_tab_do_not_break_a_row(mind):
    log = mind('\ufeffN1\tn\ts\t"Half a quote\tx\t\t\t\r\nN2\tn\ts\tA\tB\tC\td\te\tf\r\n', SHOWN.replace("\n", "\r\n"))
    assert [item.title for item in log.items] == ['"Half a quote', "A"]
    assert log.items[0].id == "N1"


def test_news_that_stands_twice_counts_as_it_first_stood(mind):
    assert len(mind(NEWS + "N1\tn\ts\tAnother\t\t\t\t\n").items) == 2


@pytest.mark.parametrize(
    ("news", "shown", "says"),
    [
        (NEWS + "N3\tnews\n", SHOWN, r"news.tsv line 3: 2 columns instead of 8"),
        (NEWS + "\tn\ts\tt\t\t\t\t\n", SHOWN, r"news.tsv line 3: the id is missing"),
        (NEWS.encode() + b"\xff\n", SHOWN, r"news.tsv line 3: not UTF-8"),
        (NEWS, SHOWN + "9\tU\n", r"behaviors.tsv line 3: 2 columns instead of 5"),
        (NEWS, SHOWN.replace("11/14/2019 8", "2019-11-14 8"), r"behaviors.tsv line 1: time"),
        (NEWS, SHOWN.replace("N2-0", "N2"), r"behaviors.tsv line 2: the news shown must each end in -0 or -1"),
        (NEWS, SHOWN.replace("N1-0", "N9-0"), r"behaviors.tsv line 1: news 'N9' is not in news.tsv"),
        (NEWS, SHOWN.replace("N2 N1", "N8 N1"), r"behaviors.tsv line 1: news 'N8' is not in news.tsv"),
        (NEWS, SHOWN.replace("N2-1\n", "N2-1\t1\n"), r"behaviors.tsv line 1: the sixth column"),
        (NEWS, SHOWN.replace("N2-1\n", "N2-1\t0 1\n"), r"behaviors.tsv line 1: the sixth column"),
        (NEWS, "\n", r"behaviors.tsv: no impressions"),
    ],
)
def test_a_broken_mind_line_is_named(mind, news, shown, says):
    with pytest.raises(DataError, match=says):
        mind(news, shown)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"news.tsv: No such file"):
        read_mind(tmp_path / "news.tsv", tmp_path / "b", tmp_path / "b")


def test_a_profiles_folder_is_read(profiles):
    data = profiles()
    assert data.items[0].published == datetime(1987, 2, 26, 15, 1, 1, tzinfo=UTC)
    assert (data.items[1].title, data.items[1].lang, data.items[1].published) == ("", "und", None)
    (one,) = data.situations
    assert (one.reader, one.k, one.with_statements, one.interests) == ("r", 1, True, ("cats",))
    assert one.n_interests == "1"
    assert (one.likes.tolist(), one.candidates.tolist(), one.labels.tolist()) == ([0], [1], [True])


@pytest.mark.parametrize("empty", [None, [], "absent"])
def test_dislikes_statements_and_number_of_interests_may_be_empty_null_or_absent(profiles, empty):
    line = {**LINE, "dislikes": empty, "interests": empty, "n_interests": empty, "statements": empty}
    line = {field: value for field, value in line.items() if value != "absent"}
    (one,) = profiles(lines=[line]).situations
    assert (one.dislikes.tolist(), one.interests, one.with_statements, one.n_interests) == ([], (), False, "")


@pytest.mark.parametrize(
    ("meta", "per_reader"),
    [
        ({"background": "items that are no reader's candidate"}, False),
        ({"background": "any item that is not among this reader's own candidates"}, True),
        ({"background": "per reader: all but the candidates"}, True),
        ({}, False),
        (None, False),
    ],
)
def test_meta_says_whose_candidates_stay_out_of_the_background(profiles, meta, per_reader):
    assert profiles(meta=meta).per_reader is per_reader


@pytest.mark.parametrize(
    ("items", "line", "says"),
    [
        ([ITEM, "{"], LINE, "items.jsonl line 2: not JSON"),
        ([ITEM, "[]"], LINE, "items.jsonl line 2: not a JSON object"),
        ([ITEM, ITEM], LINE, "items.jsonl line 2: item 'a' stands twice"),
        ([ITEM, {"title": "x"}], LINE, "items.jsonl line 2: the id is missing"),
        ([ITEM, {"id": "b", "text": 3}], LINE, "items.jsonl line 2: title, text"),
        ([ITEM, {"id": "b", "published": "soon"}], LINE, "items.jsonl line 2: published 'soon'"),
        ([], LINE, "items.jsonl: the file is empty"),
        ([ITEM], LINE, "readers.jsonl line 1: item 'b' is not in items.jsonl"),
        ([ITEM, {"id": "b"}], {**LINE, "candidates": [{"id": "b"}]}, "readers.jsonl line 1: every candidate"),
        ([ITEM, {"id": "b"}], {**LINE, "candidates": []}, "readers.jsonl line 1: there are no candidates"),
        ([ITEM, {"id": "b"}], {**LINE, "likes": "a"}, "readers.jsonl line 1: reader must be"),
        ([ITEM, {"id": "b"}], {**LINE, "likes": [["a"]]}, "readers.jsonl line 1: item"),
        ([ITEM, {"id": "b"}], {**LINE, "interests": [3]}, "readers.jsonl line 1: interests"),
        ([ITEM, {"id": "b"}], {**LINE, "k": "few"}, "readers.jsonl line 1: k is 'few'"),
    ],
)
def test_a_broken_profiles_line_is_named(profiles, items, line, says):
    with pytest.raises(DataError, match=says):
        profiles(items, [line])
