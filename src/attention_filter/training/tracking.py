"""How a training goes, written down: JSON lines and TensorBoard always, Weights & Biases when asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attention_filter.errors import UsageError

LINES = "training.jsonl"


@contextmanager
def tracking(
    folder: Path, plan: dict[str, Any], *, wandb_project: str = ""
) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A function (step, figures) that writes to `folder`/training.jsonl and TensorBoard's event file beside it.

    With `wandb_project` figures go to Weights & Biases too: a network connection that only then is made. UsageError
    when its package is not installed.
    """
    from tensorboardX import SummaryWriter

    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = _wandb(wandb_project, plan) if wandb_project else None
    board = SummaryWriter(str(folder / "tensorboard"), write_to_disk=True)
    with (folder / LINES).open("a", encoding="utf-8") as lines:
        print(json.dumps({"plan": plan}, ensure_ascii=False), file=lines)

        def write(step: int, figures: dict[str, float]) -> None:
            print(json.dumps({"step": step, **figures}), file=lines, flush=True)
            for name, value in figures.items():
                board.add_scalar(name, value, step)
            if elsewhere is not None:
                elsewhere.log(figures, step=step)

        try:
            yield write
        finally:
            board.close()
            if elsewhere is not None:
                with suppress(Exception):  # figures that cannot be sent must not lose a trained model
                    elsewhere.finish()


def _wandb(project: str, plan: dict[str, Any]) -> Any:
    try:
        import wandb
    except ImportError:
        raise UsageError("Weights & Biases is not installed: pip install wandb, or leave it out") from None
    return wandb.init(project=project, config=plan)
