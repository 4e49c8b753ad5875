"""A log of impressions as what a trained ranking reads, each impression knowing only what came before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import torch
from torch import Tensor

from attention_filter.encodings import TextEncoder, encode_cached
from attention_filter.logs import Impression, LogItem
from attention_filter.models.passages import passage
from attention_filter.models.readers import Readers, pad
from attention_filter.personal.exposure import Popularity, inverse_weights
from attention_filter.personal.features import Floats, Ints
from attention_filter.settings import cache_folder

Progress = Callable[[str, int, int], None]

LONGEST = 200  # past items that are looked at, the latest
AT_ONCE = 64  # impressions scored together
OF_THE_LOG = ("popular", "fresh")  # what every reader of an impression would see alike


@dataclass(frozen=True)
class Items:
    """n items as a model reads them: `vectors` (n, dim), centred unit rows; `category` (n,), −1 where unknown."""

    vectors: Tensor
    category: Ints


@dataclass(frozen=True)
class Shown:
    """One impression: rows of the past items and of the k candidates, and what was known of those before it.

    `clicks` (k,) are weighted by inverse propensity where the log has positions; `features` is (k, features).
    """

    history: Ints
    candidates: Ints
    labels: np.ndarray
    clicks: np.ndarray
    features: Floats
    time: datetime


def encode_items(items: Sequence[LogItem], encoder: TextEncoder, progress: Progress | None) -> Floats:
    """Vectors (n, dim) of the items' titles and texts, not centred, kept on disk for the next time."""

    def advance(done: int, total: int) -> None:
        if progress:
            progress("encoding", done, total)

    texts = [passage(item.title, item.text) for item in items]
    return encode_cached(encoder, texts, cache_folder() / "encodings", advance)


def items_for(model: Readers, items: Sequence[LogItem], vectors: Floats) -> Items:
    """Items as this model reads them: centred by its own centre, in the categories it knows."""
    known = {name: code for code, name in enumerate(model.config.categories)}
    codes = np.array([known.get(item.category, -1) for item in items], np.int64)
    return Items(centred(vectors, model.get_buffer("centre")), codes)


def centred(vectors: Floats, centre: Tensor) -> Tensor:
    """Unit rows around the centre; rows of zeros stay."""
    rows = torch.from_numpy(vectors)
    known = (rows != 0).any(1, keepdim=True)
    return torch.where(known, torch.nn.functional.normalize(rows - centre, dim=1), 0.0)


def see(model: Readers, items: Items, impressions: Sequence[Impression], counted: Sequence[bool]) -> list[Shown]:
    """The impressions, in time order, as the model sees them.

    Popularity and age come from the `counted` ones whose time is strictly before; what a reader would choose by
    interest alone (the model's personal terms as they are now) is taken out of the popularity.
    """
    shown = [_alone(model, items, impression) for impression in impressions]
    personal = personal_part(model, contributions(model, items, shown))
    popularity = Popularity(len(items.category))
    waiting: deque[int] = deque()
    out = []
    for number, one in enumerate(shown):
        while waiting and shown[waiting[0]].time < one.time:
            before = shown[waiting[0]]
            popularity.learn(before.candidates, before.clicks, personal[waiting.popleft()], before.time)
        features = one.features.copy()
        days = popularity.days_since_shown(one.candidates, one.time)
        known = {"popular": popularity.logits(one.candidates), "fresh": -np.log1p(24 * days)}
        for name, values in known.items():
            if name in model.config.features:
                features[:, model.config.features.index(name)] = values
        out.append(replace(one, features=features))
        if counted[number]:
            waiting.append(number)
    return out


def contributions(model: Readers, items: Items, shown: Sequence[Shown]) -> list[np.ndarray]:
    """Each term's part of each candidate's score, float64 (k, terms) for each impression."""
    worth = (model.weights.detach() / model.deviation).double().numpy()
    return [values * worth for values in term_values(model, items, shown)]


@torch.no_grad()
def term_values(model: Readers, items: Items, shown: Sequence[Shown]) -> list[np.ndarray]:
    """Each term of each candidate before it is weighed, float64 (k, terms) for each impression."""
    model.eval()
    out = []
    for start in range(0, len(shown), AT_ONCE):
        some = shown[start : start + AT_ONCE]
        values = model.terms(*batch(items, some)).double().numpy()
        out += [values[row, : len(one.candidates)] for row, one in enumerate(some)]
    return out


def personal_part(model: Readers, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The part of the scores (k,) that depends on who reads: all but `OF_THE_LOG`."""
    chosen = [i for i, term in enumerate(model.config.terms) if term not in OF_THE_LOG]
    return [part[:, chosen].sum(1) for part in parts]


def batch(items: Items, shown: Sequence[Shown]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What `Readers.forward` takes: only the items that these impressions need, and their rows among them."""
    history = pad([one.history[-LONGEST:].tolist() for one in shown])
    candidates = pad([one.candidates.tolist() for one in shown])
    used, rows = torch.unique(torch.cat([history.flatten(), candidates.flatten()]).clamp(min=0), return_inverse=True)
    asked = torch.where(candidates >= 0, rows[history.numel() :].view(candidates.shape), -1)
    past = torch.where(history >= 0, rows[: history.numel()].view(history.shape), -1)
    return items.vectors[used], past, asked, side_by_side([one.features for one in shown])


def side_by_side(rows: Sequence[np.ndarray]) -> Tensor:
    """Arrays (k, …) of unequal k as float32 (len(rows), largest k, …), with zeros after the end of each."""
    out = torch.zeros(len(rows), max(map(len, rows)), *rows[0].shape[1:])
    for place, values in zip(out, rows, strict=True):
        place[: len(values)] = torch.from_numpy(np.asarray(values, np.float32))
    return out


def _alone(model: Readers, items: Items, impression: Impression) -> Shown:
    """An impression without what the log has counted."""
    past, rows = impression.history.astype(np.int64), impression.candidates.astype(np.int64)
    features = np.zeros((len(rows), len(model.config.features)), np.float32)
    if "category" in model.config.features:
        base = model.get_buffer("category_base").numpy().astype(np.float64)
        values = category_lift(items.category[past], items.category[rows], base, model.config.prior)
        features[:, model.config.features.index("category")] = values
    clicks = impression.labels.astype(np.float64)
    if impression.positions is not None:
        clicks = clicks * inverse_weights(impression.positions.astype(np.int64), model.get_buffer("look").numpy())
    return Shown(past, rows, impression.labels, clicks, features, impression.time)


def category_lift(past: Ints, candidates: Ints, base: np.ndarray, prior: float) -> np.ndarray:
    """log of how many times more of this history than of everyone's lies in the candidate's category (k,).

    >>> category_lift(np.array([0, 0]), np.array([0, 1, -1]), np.array([0.5, 0.5]), 2.0).round(2).tolist()
    [0.41, -0.69, 0.0]
    """
    if not len(past) or not len(base):
        return np.zeros(len(candidates))
    count = np.bincount(past[past >= 0], minlength=len(base))
    lift = np.log((count + prior * base) / (len(past) + prior) / np.maximum(base, 1e-9) + 1e-9)
    return np.where(candidates >= 0, lift[candidates], 0.0)
