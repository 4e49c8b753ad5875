"""From logits to probabilities that come true, to energies that tell what is strange, and to figures of merit.

`logits` (n, C) stand beside `targets` (n, C), 1 where a text has a label. With `several` labels a text each label is a
question of its own; without, one of them is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
BINS = 15  # of the calibration error


def probabilities(logits: Floats, temperature: float, several: bool) -> Floats:
    """(n, C); rows sum to one unless `several`."""
    scaled = logits / temperature
    if several:
        return np.asarray(1 / (1 + np.exp(-scaled)), np.float32)
    return np.asarray(np.exp(scaled - _log_sum(scaled)[:, None]), np.float32)


def fit_temperature(logits: Floats, targets: Floats, several: bool) -> float:
    """The one temperature under which the targets are least surprising (Guo et al. 2017, section 4.2)."""
    from scipy.optimize import minimize_scalar

    def surprise(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        prior = log_temperature**2 / (2 * len(logits))  # near 1 unless many examples say otherwise
        if several:
            return prior + float(np.logaddexp(0, np.where(targets > 0, -scaled, scaled)).mean())
        return prior + float((_log_sum(scaled) - (scaled * targets).sum(1)).mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-3, 3), method="bounded").x))


def energy(scaled: Floats) -> NDArray[Any]:
    """−log Σ exp(logit) (n,): low where some label fits (Liu et al. 2020, equation 4)."""
    return -_log_sum(scaled)


def measured(logits: Floats, targets: Floats, temperature: float, several: bool) -> dict[str, float]:
    """Accuracy and calibration error (ECE), or F1 over all labels (micro); and the mean of the labels' F1.

    >>> measured(np.array([[2.0, 0.0], [0.0, 2.0]], np.float32), np.eye(2, dtype=np.float32), 1.0, False)["accuracy"]
    1.0
    """
    said = (logits > 0) if several else np.eye(logits.shape[1], dtype=bool)[logits.argmax(1)]
    hits, spoken, there = (said * targets).sum(0), said.sum(0), targets.sum(0)
    macro = float((2 * hits / np.maximum(spoken + there, 1))[there > 0].mean()) if there.any() else 0.0
    if several:
        return {"f1": float(2 * hits.sum() / max(spoken.sum() + there.sum(), 1)), "macro_f1": macro}
    right = targets[np.arange(len(logits)), logits.argmax(1)]
    sure = probabilities(logits, temperature, several).max(1)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return {"accuracy": float(right.mean()), "macro_f1": macro, "ece": float(sum(gaps))}


def _log_sum(rows: Floats) -> NDArray[Any]:
    top = rows.max(1)
    return np.asarray(top + np.log(np.exp(rows - top[:, None]).sum(1)))
