"""Labelled texts from files, and what is wrong with a file."""

import json

import pytest

from attention_filter.errors import DataError, SourceError
from attention_filter.tasks.examples import Example, labels_of, read_examples, read_texts


def test_jsonl_csv_and_tsv_say_the_same(tmp_path):
    rows = [("a card, lost", "card"), ("“好听”的歌", "music")]
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in rows), "utf-8")
    (tmp_path / "d.csv").write_text('label,text\ncard,"a card, lost"\nmusic,“好听”的歌\n', "utf-8-sig")
    (tmp_path / "d.tsv").write_text("text\tlabel\na card, lost\tcard\n“好听”的歌\tmusic\n", "utf-8")
    wanted = [Example(text, (label,)) for text, label in rows]
    assert [read_examples(tmp_path / f"d.{kind}") for kind in ("jsonl", "csv", "tsv")] == [wanted] * 3


def test_columns_may_have_any_name(tmp_path):
    (tmp_path / "d.csv").write_text("review,stars,extra\ngood,5,x\nbad,1,y\n", "utf-8")
    assert read_examples(tmp_path / "d.csv", text="review", label="stars") == [
        Example("good", ("5",)),
        Example("bad", ("1",)),
    ]


def test_several_labels_are_a_list_or_parted_by_marks(tmp_path):
    rows = [{"text": "x", "label": ["a", "b", "a"]}, {"text": "y", "label": "a; c|b"}, {"text": "z", "label": ""}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    read = read_examples(tmp_path / "d.jsonl", several=True)
    assert [one.labels for one in read] == [("a", "b"), ("a", "c", "b"), ()]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['{"sentence": "x", "label": "a"}'], "line 1: no column 'text'; there are sentence, label"),
        (['{"text": "x", "label": "a"}', "{broken"], "line 2: broken JSON"),
        (['{"text": "x", "label": "a"}', '{"text": " ", "label": "a"}'], "line 2: the text is empty"),
        (['{"text": null, "label": "a"}'], "line 1: the text is empty"),
        (['{"text": "x", "label": ""}'], "line 1: no label"),
        (['{"text": "x", "label": ["a", "b"]}'], "line 1: 2 labels"),
        (["[1]"], "line 1: not a JSON object"),
        (["{}"] * 9, "and 6 more lines"),
        ([""], "no examples"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, lines, says):
    (tmp_path / "d.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(DataError) as caught:
        read_examples(tmp_path / "d.jsonl")
    assert str(caught.value).startswith(f"{tmp_path / 'd.jsonl'}: ")
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.jsonl: no such file"):
        read_examples(tmp_path / "nowhere.jsonl")


def test_texts_alone_come_from_lines_or_a_column(tmp_path):
    (tmp_path / "t.txt").write_text("one\n\n二\n", "utf-8")
    (tmp_path / "t.csv").write_text("text,label\none,a\n二,b\n", "utf-8")
    assert read_texts(tmp_path / "t.txt") == read_texts(tmp_path / "t.csv") == ["one", "二"]
    with pytest.raises(DataError, match="line 2: no column 'body'"):
        read_texts(tmp_path / "t.csv", text="body")


def test_one_label_tells_nothing_apart():
    with pytest.raises(DataError, match="only the label 'a' in 2 examples"):
        labels_of([Example("x", ("a",)), Example("y", ("a",))])
