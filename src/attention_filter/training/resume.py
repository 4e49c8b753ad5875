"""What a training in progress keeps on disk, in one file, so that a kill costs at most a minute."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

FILE = "training.safetensors"


@dataclass(frozen=True)
class Saved:
    """Where a training is: finished rounds with their figures, and the steps and summed loss of the round in hand."""

    rounds: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    best_worth: float = float("-inf")
    weights: Mapping[str, Tensor] = field(default_factory=dict)  # of the best round
    step: int = 0
    total: int = 0  # steps of all rounds
    loss: float = 0.0

    @property
    def since_best(self) -> int:
        """Rounds since the best one, that one included."""
        return len(self.rounds) - self.best

    def stepped(self, loss: float) -> Self:
        return replace(self, step=self.step + 1, total=self.total + 1, loss=self.loss + loss)

    def after(self, figures: dict[str, float], worth: float, parameters: Mapping[str, Tensor]) -> Self:
        """With one more round; its weights are kept when no round before was as good."""
        done = replace(self, rounds=[*self.rounds, figures], step=0, loss=0.0)
        if worth <= self.best_worth:
            return done
        weights = {name: tensor.detach().clone() for name, tensor in parameters.items()}
        return replace(done, best=len(self.rounds), best_worth=worth, weights=weights)


def save(
    folder: Path, origin: str, saved: Saved, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> None:
    """Write beside, sync, rename: whoever is killed finds the state before or this one."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"now.{name}": tensor.detach() for name, tensor in parameters.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in saved.weights.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
    notes = {
        "origin": origin,
        "where": json.dumps([saved.rounds, saved.best, saved.best_worth, saved.step, saved.total, saved.loss]),
    }
    beside = folder / f"{FILE}.tmp"
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, beside, metadata=notes)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(folder / FILE)


def load_saved(
    folder: Path, origin: str, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> Saved | None:
    """Put back what `save` wrote when it was of the same data and plan; None when there is nothing of the kind."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / FILE, framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("origin") != origin:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is not a dict
    except (OSError, SafetensorError):
        return None
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"now.{name}"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    rounds, best, worth, step, total, loss = json.loads(notes["where"])
    return Saved(rounds, best, worth, _part(tensors, "best."), step, total, loss)


def remove_saved(folder: Path) -> None:
    """Once the model is written."""
    (folder / FILE).unlink(missing_ok=True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
