"""The one training loop: AdamW, warm-up and cosine, clipping, early stopping, exact resume.

A step's randomness and a round's order follow from the seed and their number alone, and the learning rate from the
share of all examples seen. So nothing but weights, moments and counts has to be kept, and a training that was killed
goes on bit for bit as if it had not been (`tests/training/test_loop.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from attention_filter.errors import DataError, ModelError
from attention_filter.training.resume import Saved, load_saved, save

E = TypeVar("E")
EC = TypeVar("EC", contravariant=True)
POOL = 50  # batches whose examples are sorted by length together
SAVE_SECONDS = 60.0

Progress = Callable[[str, int, int], None]
RateOf = Callable[[str], float]  # a parameter's name -> its learning rate, as a multiple of the plan's
Track = Callable[[int, dict[str, float]], None]  # step, figures


class Learner(Protocol[EC]):
    """A model together with what it learns from: everything the loop does not know."""

    @property
    def module(self) -> nn.Module:
        """What is trained: its parameters that require a gradient."""

    def length(self, example: EC) -> int:
        """Tokens of an example, to make batches of equal cost."""

    def loss(self, examples: Sequence[EC]) -> Tensor:
        """The mean loss of some examples, with the module in training mode."""

    def measure(self, examples: Sequence[EC]) -> dict[str, float]:
        """Figures on held-out examples, with the module in evaluation mode and without gradients."""


@dataclass(frozen=True)
class FitConfig:
    """How to train. A round is one pass over the examples; rates rise over `warm_up` of all and then fall to 0."""

    rounds: int = 10
    rate: float = 1e-3
    warm_up: float = 0.06  # share of all examples
    decay: float = 0.01  # of weights; none on biases, norms and other vectors
    clip: float = 1.0  # largest norm of a gradient
    tokens_at_once: int = 4096  # of one batch
    accumulate: int = 1  # batches a step
    bfloat16: bool = False
    metric: str = "accuracy"
    lower_is_better: bool = False
    patience: int = 3  # rounds without a better metric
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.rate <= 0 or self.accumulate < 1 or self.tokens_at_once < 1:
            raise ModelError("training: rounds, rate, accumulate and tokens_at_once are above 0")


@dataclass(frozen=True)
class Fitted:
    """How it went: the figures of each round, and which was the best (its weights are in the module now)."""

    rounds: list[dict[str, float]]
    best: int


@dataclass
class _Run(Generic[E]):
    """One training under way."""

    learner: Learner[E]
    train: Sequence[E]
    valid: Sequence[E]
    config: FitConfig
    origin: str
    folder: Path | None
    progress: Progress
    track: Track
    optimizer: torch.optim.Optimizer
    saved: Saved
    last_save: float = field(default_factory=time.monotonic)

    def round(self, number: int) -> dict[str, float]:
        """One pass over the examples, from the step after the last one kept; then the validation."""
        config, module = self.config, self.learner.module
        module.train()
        lengths = [self.learner.length(example) for example in self.train]
        batches = list(in_buckets(lengths, config.tokens_at_once, Random(f"{config.seed} {number}")))  # noqa: S311
        steps = [batches[i : i + config.accumulate] for i in range(0, len(batches), config.accumulate)]
        seen = sum(len(batch) for step in steps[: self.saved.step] for batch in step)
        for step in steps[self.saved.step :]:
            size = sum(map(len, step))
            rate = config.rate * slope((number + (seen + size) / len(self.train)) / config.rounds, config.warm_up)
            loss = self._step(step, rate, self.saved.total)
            seen += size
            self.saved = self.saved.stepped(loss * size)
            self.progress(f"Round {number + 1}, loss {self.saved.loss / seen:.3f}", seen, len(self.train))
            self.track(self.saved.total, {"loss": loss, "rate": rate})
            if self.folder is not None and time.monotonic() - self.last_save > SAVE_SECONDS:
                self.keep()
        module.eval()
        with torch.inference_mode():
            return {"loss": self.saved.loss / len(self.train), **self.learner.measure(self.valid)}

    def _step(self, step: Sequence[Sequence[int]], rate: float, number: int) -> float:
        """One update; returns the mean loss of its examples."""
        torch.manual_seed(hash((self.config.seed, number)) % 2**63)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        size, total = sum(map(len, step)), 0.0
        for batch in step:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
                loss = self.learner.loss([self.train[i] for i in batch]) * (len(batch) / size)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not math.isfinite(total):
            raise ModelError(f"training: the loss became {total} at step {number}; try a lower rate")
        torch.nn.utils.clip_grad_norm_(trained(self.learner.module).values(), self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def keep(self) -> None:
        if self.folder is not None:
            save(self.folder, self.origin, self.saved, trained(self.learner.module), self.optimizer)
            self.last_save = time.monotonic()


def fit(
    learner: Learner[E],
    train: Sequence[E],
    valid: Sequence[E],
    config: FitConfig,
    *,
    folder: Path | None = None,
    origin: str = "",
    rate_of: RateOf = lambda _: 1.0,
    progress: Progress = lambda *_: None,
    track: Track = lambda *_: None,
) -> Fitted:
    """Train until the metric on `valid` has not risen for `patience` rounds; the best weights are put back.

    `rate_of` lets parts of the model learn faster or slower than the plan says, by the parameters' names.
    With a `folder` the state is kept there at least once a minute and after each round, and a training of the same
    `origin` (a digest of data and plan) goes on from it; `remove_saved` once the model itself is written. DataError
    without examples.
    """
    if not train or not valid:
        raise DataError(f"training: {len(train)} examples to learn from and {len(valid)} to check on; both are needed")
    optimizer = _optimizer(learner.module, config, rate_of)
    saved = load_saved(folder, origin, trained(learner.module), optimizer) if folder is not None else None
    run = _Run(learner, train, valid, config, origin, folder, progress, track, optimizer, saved or Saved())
    while len(run.saved.rounds) < config.rounds and run.saved.since_best <= config.patience:
        figures = run.round(len(run.saved.rounds))
        run.track(run.saved.total, {f"valid/{name}": value for name, value in figures.items()})
        worth = figures[config.metric] * (-1 if config.lower_is_better else 1)
        run.saved = run.saved.after(figures, worth, trained(learner.module))
        run.keep()
    with torch.no_grad():
        for name, parameter in trained(learner.module).items():
            parameter.copy_(run.saved.weights[name])
    learner.module.eval()
    return Fitted(run.saved.rounds, run.saved.best)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def slope(done: float, warm_up: float) -> float:
    """The share of the full rate when `done` of all examples are seen: up in a line, down in half a cosine.

    >>> [round(slope(done, 0.1), 3) for done in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if done < warm_up:
        return done / warm_up
    return 0.5 * (1 + math.cos(math.pi * min((done - warm_up) / (1 - warm_up), 1.0)))


def in_buckets(lengths: Sequence[int], tokens_at_once: int, chance: Random) -> Iterator[list[int]]:
    """All examples once, in random batches of similar length: the longest times their number is within the limit.

    >>> sorted(map(sorted, in_buckets([9, 1, 9, 1], 18, Random(0))))
    [[0, 2], [1, 3]]
    """
    order = chance.sample(range(len(lengths)), len(lengths))
    mean = max(1, sum(lengths) // max(1, len(lengths)))
    pool = max(1, POOL * tokens_at_once // mean)
    out: list[list[int]] = []
    for start in range(0, len(order), pool):
        batch: list[int] = []
        for index in sorted(order[start : start + pool], key=lambda i: lengths[i]):
            if batch and lengths[index] * (len(batch) + 1) > tokens_at_once:
                out.append(batch)
                batch = []
            batch.append(index)
        out += [batch] if batch else []
    yield from chance.sample(out, len(out))


def _optimizer(module: nn.Module, config: FitConfig, rate_of: RateOf) -> torch.optim.Optimizer:
    parameters = trained(module)
    if not parameters:
        raise ModelError("training: the model has nothing that learns")
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        decay = config.decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate_of(name), decay), []).append(parameter)
    alike = [
        {"params": some, "weight_decay": decay, "times": times, "lr": config.rate * times}
        for (times, decay), some in groups.items()
    ]
    return torch.optim.AdamW(alike)
