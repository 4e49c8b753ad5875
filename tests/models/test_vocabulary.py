"""Tokenizers learned from texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from attention_filter.errors import DataError
from attention_filter.models.vocabulary import MARKS, Kind, learn_vocabulary, lines_of

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "猫坐在垫子上", "狗坐在木头上"] * 5


@pytest.mark.parametrize("kind", ["bpe", "unigram", "characters"])
def test_what_is_cut_can_be_put_together_again(kind: Kind) -> None:
    tokenizer = learn_vocabulary(TEXTS, kind, size=120)
    assert tokenizer.get_vocab_size() <= 120
    for text in ("the cat sat on the log", "狗坐在垫子上"):
        ids = tokenizer.encode(text).ids
        assert (ids[0], ids[-1]) == (1, 2)
        assert tokenizer.decode(ids).strip() == text


@pytest.mark.parametrize("kind", ["bpe", "unigram", "characters"])
def test_the_marks_have_the_ids_that_the_models_expect(kind: Kind) -> None:
    tokenizer = learn_vocabulary(TEXTS, kind, size=120)
    assert [tokenizer.token_to_id(mark) for mark in MARKS] == [0, 1, 2, 3]
    assert 3 in tokenizer.encode("ж").ids


def test_no_text_is_an_error() -> None:
    with pytest.raises(DataError, match="no text"):
        learn_vocabulary(["", "  "])


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bad\.txt"):
        list(lines_of([tmp_path / "bad.txt"]))
