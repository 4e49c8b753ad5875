"""Train a ranking on a log of what many readers were shown: `attention train ranking`.

1. Counted, without any click: centre, prototypes, base rates. 2. The terms' weights, with the attention untrained: a
convex fit. 3. Weights, W_Q, W_K and W_V together by gradient steps, until the validation's nDCG@10 stops rising;
what is kept is the best round, which may be round 0, before any step.

The loss of an impression with clicks w (1 each, or 1 / propensity where the log has positions) is
−Σ_i w_i log softmax(score)_i / clicks: InfoNCE with the rest of the impression as negatives (van den Oord et al. 2018);
weighted, the unbiased listwise loss of Ai et al. 2018, "Unbiased Learning to Rank with Unbiased Propensity
Estimation", eq. 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attention_filter.encodings import TextEncoder
from attention_filter.errors import DataError, UsageError
from attention_filter.logs import ClickLog, Impression, only_what_is_read, read_mind
from attention_filter.models.readers import CONFIG, Readers, ReadersConfig, load_readers, save_readers
from attention_filter.personal.evaluate import auc, ndcg
from attention_filter.personal.exposure import propensities
from attention_filter.personal.features import Floats
from attention_filter.personal.threads import one_thread_each
from attention_filter.training.examples import (
    OF_THE_LOG,
    Items,
    Progress,
    Shown,
    batch,
    centred,
    contributions,
    encode_items,
    items_for,
    personal_part,
    see,
    side_by_side,
    term_values,
)
from attention_filter.training.resume import Saved, load_saved, remove_saved, save

Figures = dict[str, float]  # {"auc": …, "ndcg@10": …}

JUDGE = "ndcg@10"  # the figure that says which round was the best
RIDGE = 3.0  # of the convex fit, on weights of standardised terms
FEWEST = 10  # impressions with a click, below which nothing is learned


@dataclass(frozen=True)
class Plan:
    """How to train. Chosen on MIND, 9–11 November against the 12th."""

    rounds: int = 6
    patience: int = 2  # rounds without a better validation before it stops
    batch: int = 32
    rate: float = 3e-4  # of W_Q, W_K, W_V; the weights' is ten times that
    decay: float = 0.01
    resolutions: tuple[int, ...] = (64, 256, 512)
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """What training came to. `rounds` has a line for each, 0 is the convex fit; `terms` what each weighs, in
    logits for one deviation, and the validation when the convex fit goes without it."""

    impressions: dict[str, int]
    rounds: tuple[dict[str, float], ...]
    best: int
    content_only: Figures
    terms: dict[str, dict[str, float]]
    plan: Plan = field(default_factory=Plan)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def train_ranking(
    items: Path,
    train: Path,
    encoder: TextEncoder,
    folder: Path,
    *,
    valid: Path | None = None,
    valid_share: float = 0.2,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> Report:
    """Train on MIND's files and write the model to `folder`; goes on where it was interrupted.

    Without `valid`, the last `valid_share` of the impressions is what it is validated on. UsageError when the folder
    holds a model of other data or another plan, DataError when there is nothing to learn from.
    """
    plan = plan or Plan()
    log = _split(only_what_is_read(read_mind(items, train, valid)), valid_share)
    origin = _origin((items, train, *([valid] if valid else [])), encoder.id, valid_share, plan)
    if (folder / CONFIG).exists():
        _, notes = load_readers(folder)
        if notes.get("origin") != origin:
            raise UsageError(f"{folder}: holds a ranking trained on other data or settings; give an empty folder")
        return report_of(notes)
    vectors = encode_items(log.items, encoder, progress)
    model, report = train_on(log, vectors, encoder.id, plan, folder=folder, origin=origin, progress=progress)
    save_readers(model, folder, {"origin": origin, **report.as_json()})
    remove_saved(folder)
    return report


def report_of(notes: dict[str, Any]) -> Report:
    """The report that a model's notes hold."""
    plan = Plan(**{**notes["plan"], "resolutions": tuple(notes["plan"]["resolutions"])})
    names = ("impressions", "best", "content_only", "terms")
    return Report(**{name: notes[name] for name in names}, rounds=tuple(notes["rounds"]), plan=plan)


@one_thread_each()
def train_on(
    log: ClickLog,
    vectors: Floats,
    encoder: str,
    plan: Plan,
    *,
    folder: Path | None = None,
    origin: str = "",
    progress: Progress | None = None,
) -> tuple[Readers, Report]:
    """Train on `log.train`, validate on `log.test`. With `folder`, each round is kept there and never done twice."""
    if sum(bool(one.labels.any()) for one in log.train) < FEWEST:
        raise DataError(f"fewer than {FEWEST} impressions with a click; there is nothing to learn from")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model = _counted(log, vectors, encoder, plan)
        items = items_for(model, log.items, vectors)
        train, valid = _first_fit(model, items, log)
        terms = _ablation(model, items, train, valid)
        optimizer = _optimizer(model, plan)
        held = model.state_dict()  # views on what it holds: base rates and deviations, too
        saved = load_saved(folder, origin, held, optimizer) if folder else None
        if saved is None:
            figures = _measured(model, items, valid)
            saved = Saved().after({"round": 0, **figures}, figures[JUDGE], held)
        while _goes_on(saved, plan):
            number = len(saved.rounds)
            loss = _round(model, items, train, optimizer, plan, number, progress)
            _recount(model, items, log.train)
            figures = _measured(model, items, valid)
            saved = saved.after({"round": number, "loss": loss, **figures}, figures[JUDGE], held)
            if folder:
                save(folder, origin, saved, held, optimizer)
            if progress:
                progress("training", number, plan.rounds)
    model.load_state_dict(saved.weights)
    weights = model.weights.tolist()
    report = Report(
        impressions={"train": len(log.train), "valid": len(log.test)},
        rounds=tuple(saved.rounds),
        best=saved.best,
        content_only=_figures(valid, personal_part(model, contributions(model, items, valid))),
        terms={name: {"weight": w, **terms[name]} for name, w in zip(model.config.terms, weights, strict=True)},
        plan=plan,
    )
    return model.eval(), report


def _goes_on(saved: Saved, plan: Plan) -> bool:
    done = len(saved.rounds) - 1
    return done < plan.rounds and done - saved.best < plan.patience


def _split(log: ClickLog, share: float) -> ClickLog:
    """Without a validation of its own, the last `share` of the training impressions by time."""
    if log.test:
        return log
    cut = len(log.train) - max(1, round(share * len(log.train)))
    return ClickLog(log.items, log.train[:cut], log.train[cut:])


def _origin(files: Sequence[Path], encoder: str, share: float, plan: Plan) -> str:
    """What the model depends on, as one hash."""
    digest = sha256(repr((encoder, share, plan)).encode())
    for path in files:
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _counted(log: ClickLog, vectors: Floats, encoder: str, plan: Plan) -> Readers:
    """A model that has learned nothing from a click: the centre, prototypes and base rates of the training log."""
    from sklearn.cluster import MiniBatchKMeans

    seen = np.unique(np.concatenate([rows for one in log.train for rows in (one.history, one.candidates)]))
    centre = torch.from_numpy(vectors[seen].mean(0))
    rows = centred(vectors[seen], centre)
    resolutions = tuple(sorted({min(k, len(seen)) for k in plan.resolutions}))
    categories = tuple(sorted({log.items[i].category for i in seen} - {""}))
    config = ReadersConfig(encoder, vectors.shape[1], resolutions, categories=categories)
    model = Readers(config)
    model.get_buffer("centre").copy_(centre)
    for k in resolutions:
        kmeans = MiniBatchKMeans(k, n_init=1, max_iter=30, batch_size=2048, random_state=plan.seed).fit(rows.numpy())
        found = torch.from_numpy(kmeans.cluster_centers_.astype(np.float32))
        model.get_buffer(f"prototypes_{k}").copy_(torch.nn.functional.normalize(found, dim=1))
    items = items_for(model, log.items, vectors)
    _recount(model, items, log.train)
    counts = _histories(log.train, len(log.items))
    known = items.category >= 0
    shares = np.bincount(items.category[known], counts[known], len(categories)) + 1.0
    model.get_buffer("category_base").copy_(torch.from_numpy(shares / shares.sum()))
    placed = [one for one in log.train if one.positions is not None]
    if placed:
        look = propensities(*(np.concatenate(column) for column in zip(*map(_placed, placed), strict=True)))
        model.register_buffer("look", torch.from_numpy(look))
    return model


def _placed(one: Impression) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert one.positions is not None  # noqa: S101  for the type checker
    return one.positions.astype(np.int64), one.candidates.astype(np.int64), one.labels


def _recount(model: Readers, items: Items, train: Sequence[Impression]) -> None:
    """Set the base rates of the heads to what everyone's histories give now."""
    counts = _histories(train, len(items.category))
    used = np.flatnonzero(counts)
    model.count_base(items.vectors[used], torch.from_numpy(counts[used].astype(np.float32)))


def _histories(impressions: Sequence[Impression], n: int) -> np.ndarray:
    """How often each item stands in the readers' histories, each reader once (n,)."""
    latest = {one.user: one.history for one in impressions}
    return np.bincount(np.concatenate([*latest.values(), np.zeros(0, np.int32)]).astype(np.int64), minlength=n)


def _first_fit(model: Readers, items: Items, log: ClickLog) -> tuple[list[Shown], list[Shown]]:
    """Fit the weights by interest, then all of them beside the popularity that interest leaves unexplained."""
    impressions, cut = (*log.train, *log.test), len(log.train)
    counted = [True] * len(impressions)
    _fit(model, items, see(model, items, log.train, counted), without=OF_THE_LOG)
    shown = see(model, items, impressions, counted)
    _fit(model, items, shown[:cut])
    return shown[:cut], shown[cut:]


@torch.no_grad()
def _fit(model: Readers, items: Items, shown: Sequence[Shown], without: Sequence[str] = ()) -> None:
    """Set deviations and weights by the convex fit; the terms `without` weigh nothing."""
    values = term_values(model, items, shown)
    deviation = np.concatenate(values).std(0)
    deviation[deviation < 1e-6] = 1.0  # a term that is always the same
    used = np.array([term not in without for term in model.config.terms])
    model.deviation.copy_(torch.from_numpy(deviation))
    model.weights.copy_(torch.from_numpy(_convex([one / deviation for one in values], shown, used)))


def _convex(values: Sequence[np.ndarray], shown: Sequence[Shown], used: np.ndarray) -> np.ndarray:
    """The weights (terms,) of least loss + RIDGE/2 |w|², zero where not `used`; always the same answer."""
    wanted = side_by_side([one.clicks for one in shown]).double()
    terms = side_by_side(values).double() * torch.from_numpy(used)
    real = side_by_side([np.ones(len(one.clicks)) for one in shown]).bool()
    clicks = torch.tensor([float(one.labels.sum()) for one in shown]).double()
    weights = torch.zeros(len(used), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(terms @ weights, real, wanted, clicks).sum() + RIDGE / 2 * weights @ weights
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().numpy()


def _loss(scores: Tensor, real: Tensor, wanted: Tensor, clicks: Tensor) -> Tensor:
    """The loss of each impression (b,); see the module. `clicks` (b,) is their number before they were weighted."""
    logs = scores.masked_fill(~real, torch.finfo(scores.dtype).min).log_softmax(-1)
    return -(wanted * logs.masked_fill(~real, 0.0)).sum(-1) / clicks.clamp(min=1)


def _optimizer(model: Readers, plan: Plan) -> torch.optim.AdamW:
    attention = [weight for name, weight in model.named_parameters() if name != "weights"]
    return torch.optim.AdamW(
        [
            {"params": attention, "lr": plan.rate, "weight_decay": plan.decay},
            {"params": [model.weights], "lr": 10 * plan.rate, "weight_decay": 0.0},
        ]
    )


def _round(
    model: Readers,
    items: Items,
    shown: Sequence[Shown],
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    number: int,
    progress: Progress | None,
) -> float:
    """Go once through the impressions; the mean loss. Chance depends on the seed and the round alone."""
    model.train()
    torch.manual_seed(int(np.random.SeedSequence((plan.seed, number)).generate_state(1)[0]))
    order = np.random.default_rng((plan.seed, number)).permutation(len(shown))
    total = 0.0
    for start in range(0, len(order), plan.batch):
        some = [shown[i] for i in order[start : start + plan.batch]]
        wanted = side_by_side([one.clicks for one in some])
        read = batch(items, some)
        clicks = torch.tensor([float(one.labels.sum()) for one in some])
        loss = _loss(model(*read).sum(-1), read[2] >= 0, wanted, clicks).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(some)
        if progress:
            progress(f"round {number}", start + len(some), len(shown))
    return total / len(shown)


def _measured(model: Readers, items: Items, shown: Sequence[Shown]) -> Figures:
    return _figures(shown, [part.sum(1) for part in contributions(model, items, shown)])


def _figures(shown: Sequence[Shown], scores: Sequence[np.ndarray]) -> Figures:
    """Means over the impressions where the measure exists; 0 when there is none."""
    marks = np.array([(auc(s.labels, x), ndcg(s.labels, x, 10)) for s, x in zip(shown, scores, strict=True)])
    known = marks[~np.isnan(marks).any(1)]
    means = known.mean(0) if len(known) else np.zeros(2)
    return {"auc": float(means[0]), "ndcg@10": float(means[1])}


def _ablation(model: Readers, items: Items, train: Sequence[Shown], valid: Sequence[Shown]) -> dict[str, Figures]:
    """The validation of the convex fit without each term."""
    deviation = model.deviation.double().numpy()
    learn, check = ([one / deviation for one in term_values(model, items, shown)] for shown in (train, valid))
    out = {}
    for number, term in enumerate(model.config.terms):
        weights = _convex(learn, train, np.arange(len(deviation)) != number)
        figures = _figures(valid, [one @ weights for one in check])
        out[term] = {f"{measure} without it": value for measure, value in figures.items()}
    return out
