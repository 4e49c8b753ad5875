"""Figures are written as they come."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from attention_filter.errors import UsageError
from attention_filter.training.tracking import LINES, tracking


def test_figures_stand_in_json_lines_and_for_tensorboard(tmp_path: Path) -> None:
    with tracking(tmp_path, {"rounds": 2}) as write:
        write(1, {"loss": 0.5})
        assert json.loads((tmp_path / LINES).read_text().splitlines()[-1]) == {"step": 1, "loss": 0.5}
    events = list((tmp_path / "tensorboard").iterdir())
    assert len(events) == 1
    assert b"loss" in events[0].read_bytes()
    assert "wandb" not in sys.modules


def test_asking_for_weights_and_biases_without_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match="pip install wandb"), tracking(tmp_path, {}, wandb_project="mine"):
        pass
