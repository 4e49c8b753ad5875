"""A model as a folder: what was saved comes back, and nothing else is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from attention_filter.errors import ModelError
from attention_filter.models import checkpoint
from attention_filter.models.checkpoint import (
    ABOUT,
    WEIGHTS,
    About,
    load_about,
    load_tensors,
    load_tokenizer,
    save_model,
)
from attention_filter.models.vocabulary import learn_vocabulary

KNOWN = About("classify/probe", {"dim": 3}, {"accuracy": 0.9}, "abc", "CC0")
TENSORS = {"w": torch.arange(3.0)}


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    tokenizer = learn_vocabulary(["some words"], "characters")
    save_model(tmp_path / "m", KNOWN, TENSORS, tokenizer)
    assert load_about(tmp_path / "m", "classify") == KNOWN
    assert torch.equal(load_tensors(tmp_path / "m")["w"], TENSORS["w"])
    assert load_tokenizer(tmp_path / "m").encode("words").ids == tokenizer.encode("words").ids


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="holds other files"):
        save_model(tmp_path, KNOWN, TENSORS)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_save_keeps_the_model_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "m", KNOWN, TENSORS)
    monkeypatch.setattr(checkpoint.json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_model(tmp_path / "m", KNOWN, {"w": torch.zeros(3)})
    assert torch.equal(load_tensors(tmp_path / "m")["w"], TENSORS["w"])
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / ABOUT).unlink(), "no saved model; `attention train classify"),
        (lambda folder: (folder / ABOUT).write_text("{"), "cannot be read"),
        (lambda folder: (folder / ABOUT).write_text('{"format": 99, "version": "9.0"}'), "written by version 9.0"),
        (lambda folder: (folder / ABOUT).write_text((folder / ABOUT).read_text().replace("classify", "answer")),
         "a model for answer, not for classify"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\x80\x04pickled"), "cannot be read"),
    ],
)  # fmt: skip
def test_a_spoilt_model_is_refused_with_the_reason(tmp_path: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    save_model(tmp_path / "m", KNOWN, TENSORS)
    spoil(tmp_path / "m")
    with pytest.raises(ModelError, match=said):
        (load_about(tmp_path / "m", "classify"), load_tensors(tmp_path / "m"))
