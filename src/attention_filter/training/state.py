"""What a training in progress keeps on disk after each round, in one file, so that a kill costs one round."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from attention_filter.models.readers import Readers

FILE = "training.safetensors"
JUDGE = "ndcg@10"


@dataclass(frozen=True)
class State:
    """The rounds so far (their loss and validation), which was the best, and the weights it had."""

    rounds: list[dict[str, float]]
    best: int
    weights: dict[str, Tensor]

    def after(self, figures: dict[str, float], model: Readers) -> State:
        """With one more round; its weights are kept when no round before was as good."""
        state = replace(self, rounds=[*self.rounds, figures])
        better = figures[JUDGE] > self.rounds[self.best][JUDGE]
        return replace(state, best=len(self.rounds), weights=weights_of(model)) if better else state


def weights_of(model: Readers) -> dict[str, Tensor]:
    """A copy of everything the model holds."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def save_state(folder: Path, origin: str, state: State, model: Readers, optimizer: torch.optim.Optimizer) -> None:
    """Write beside, then rename: whoever is killed finds the round before or this one."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"now.{name}": tensor for name, tensor in weights_of(model).items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.weights.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor.clone() for name, tensor in moments.items()}
    notes = {"origin": origin, "rounds": json.dumps(state.rounds), "best": str(state.best)}
    beside = folder / f"{FILE}.tmp"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, metadata=notes)
    beside.replace(folder / FILE)


def load_state(folder: Path, origin: str, model: Readers, optimizer: torch.optim.Optimizer) -> State | None:
    """Go on from what `save_state` wrote, when it was of the same data and plan; None when there is nothing."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / FILE, framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("origin") != origin:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is not a dict
    except (OSError, SafetensorError):
        return None
    model.load_state_dict(_part(tensors, "now."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, _, moment = name.partition(".")
        moments.setdefault(int(number), {})[moment] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return State(json.loads(notes["rounds"]), int(notes["best"]), _part(tensors, "best."))


def remove_state(folder: Path) -> None:
    """Once the model is written."""
    (folder / FILE).unlink(missing_ok=True)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
