"""The training loop: it learns, stops in time, keeps the best, and goes on after a kill as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_filter.errors import DataError, ModelError
from attention_filter.training import loop
from attention_filter.training.loop import FitConfig, Fitted, fit, trained
from attention_filter.training.resume import remove_saved

Example = tuple[list[float], int]


class Line:
    """Two classes either side of a line; examples of differing length, so that buckets matter."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.module = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.Dropout(0.3), nn.Linear(8, 2))

    def length(self, example: Example) -> int:
        return 1 + int(abs(example[0][0]) * 3)

    def logits(self, examples: Sequence[Example]) -> Tensor:
        return self.module(torch.tensor([x for x, _ in examples]))

    def loss(self, examples: Sequence[Example]) -> Tensor:
        return F.cross_entropy(self.logits(examples), torch.tensor([y for _, y in examples]))

    def measure(self, examples: Sequence[Example]) -> dict[str, float]:
        right = self.logits(examples).argmax(1) == torch.tensor([y for _, y in examples])
        return {"accuracy": float(right.float().mean())}


def examples(n: int, seed: int) -> list[Example]:
    rows = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return [(row.tolist(), int(row.sum() > 0)) for row in rows]


TRAIN, VALID = examples(200, 1), examples(60, 2)
CONFIG = FitConfig(rounds=6, rate=0.02, tokens_at_once=40, patience=6)


def weights(learner: Line) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in trained(learner.module).items()}


def run(folder: Path | None = None, config: FitConfig = CONFIG) -> tuple[Line, Fitted]:
    learner = Line()
    return learner, fit(learner, TRAIN, VALID, config, folder=folder, origin="line")


def test_it_learns_and_the_best_weights_are_put_back() -> None:
    learner, fitted = run()
    assert fitted.rounds[fitted.best]["accuracy"] > 0.9
    with torch.inference_mode():
        assert learner.measure(VALID)["accuracy"] == fitted.rounds[fitted.best]["accuracy"]
    assert max(one["accuracy"] for one in fitted.rounds) == fitted.rounds[fitted.best]["accuracy"]


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    (one, _), (same, _), (other, _) = run(), run(), run(config=FitConfig(**{**vars(CONFIG), "seed": 1}))
    assert all(torch.equal(weights(one)[name], value) for name, value in weights(same).items())
    assert not all(torch.equal(weights(one)[name], value) for name, value in weights(other).items())


def test_it_stops_when_nothing_gets_better() -> None:
    _, fitted = run(config=FitConfig(rounds=50, rate=1e-9, patience=2, tokens_at_once=40))
    assert len(fitted.rounds) == 3


def test_a_training_killed_with_sigkill_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(here=Path(__file__), folder=tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},  # sums depend on how they are shared out
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "step 47":  # in the middle of the third round or so
            child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    seen: list[int] = []
    resumed = Line()
    fitted = fit(resumed, TRAIN, VALID, CONFIG, folder=tmp_path, origin="line", track=lambda step, _: seen.append(step))
    whole, expected = run()
    assert seen[0] > 40  # it did not begin again
    assert fitted == expected
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(resumed).items())


CHILD = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("test_loop", "{here}")
test = importlib.util.module_from_spec(spec); spec.loader.exec_module(test)
test.loop.SAVE_SECONDS = 0.0
def track(step, figures):
    print("step", step, flush=True)
    if step >= 47: time.sleep(60)
test.fit(test.Line(), test.TRAIN, test.VALID, test.CONFIG, folder=pathlib.Path("{folder}"), origin="line", track=track)
"""


def test_a_training_of_other_data_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    steps: list[int] = []

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Line(), TRAIN, VALID, CONFIG, folder=tmp_path, origin="line", track=stop)
    fit(Line(), TRAIN, VALID, CONFIG, folder=tmp_path, origin="other", track=lambda step, _: steps.append(step))
    assert steps[0] == 1


def test_batches_added_up_step_like_one_large_batch() -> None:
    whole, parts = Line(), Line()
    for learner in (whole, parts):
        learner.module[2].p = 0.0
    same_length = [([1.0, *x[1:]], y) for x, y in TRAIN[:32]]
    fit(whole, same_length, VALID, FitConfig(rounds=1, tokens_at_once=32 * 4, warm_up=0.0))
    fit(parts, same_length, VALID, FitConfig(rounds=1, tokens_at_once=8 * 4, accumulate=4, warm_up=0.0))
    for name, value in weights(whole).items():
        torch.testing.assert_close(value, weights(parts)[name], atol=1e-6, rtol=1e-5)


def test_norms_and_biases_do_not_decay() -> None:
    optimizer = loop._optimizer(Line().module, FitConfig(decay=0.5), lambda _: 1.0)
    for group in optimizer.param_groups:
        assert all((parameter.ndim > 1) == (group["weight_decay"] == 0.5) for parameter in group["params"])


def test_parts_learn_as_fast_as_their_names_say() -> None:
    learner, start = Line(), weights(Line())
    fit(learner, TRAIN, VALID, CONFIG, rate_of=lambda name: 1e-9 if name.endswith("bias") else 1.0)
    for name, value in weights(learner).items():
        assert torch.allclose(value, start[name], atol=1e-6) == name.endswith("bias")


def test_a_loss_that_is_no_number_stops_with_an_error() -> None:
    learner = Line()
    broken = [([float("nan"), 0.0, 0.0], 0)]
    learner.length = lambda example: 1  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="try a lower rate"):
        fit(learner, broken, VALID, CONFIG)


def test_no_examples_are_an_error() -> None:
    with pytest.raises(DataError, match="0 examples to learn from and 60 to check on"):
        fit(Line(), [], VALID, CONFIG)


def test_what_was_learned_is_kept_until_the_model_is_written(tmp_path: Path) -> None:
    """A kill after the last round, before the model is saved, costs no training."""
    first, done = run(tmp_path)
    steps: list[int] = []
    again = Line()
    fitted = fit(again, TRAIN, VALID, CONFIG, folder=tmp_path, origin="line", track=lambda step, _: steps.append(step))
    assert (steps, fitted) == ([], done)
    assert all(map(torch.equal, again.module.state_dict().values(), first.module.state_dict().values()))
    remove_saved(tmp_path)
    assert not list(tmp_path.iterdir())
