"""Draw attention: in the terminal, as a PNG, or as one HTML page to explore layers and heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from torch import Tensor

from attention_filter.attention.inspect import Maps, rollout, statistics

SHADES = " ░▒▓█"


def text_map(weights: Tensor, rows: Sequence[str], columns: Sequence[str], *, numbers: bool = False) -> str:
    """A heat map (Q, K) in characters: a line for each query, a cell for each key, dark for a large weight.

    >>> import torch
    >>> print(text_map(torch.tensor([[1.0, 0.0], [0.5, 0.5]]), ["the", "cat"], ["the", "cat"]))
        the cat
    the ███
    cat ▒▒▒ ▒▒▒
    """
    widths = [max(_width(column), 4 if numbers else 2) for column in columns]
    margin = max(map(_width, rows), default=0)
    lines = [" ".join([" " * margin, *(_fit(column, w) for column, w in zip(columns, widths, strict=True))])]
    for label, row in zip(rows, weights.tolist(), strict=True):
        cells = (f"{x:.2f}".rjust(w) if numbers else _shade(x) * w for x, w in zip(row, widths, strict=True))
        lines.append(" ".join([_fit(label, margin), *cells]))
    return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True)
class Picture:
    """A PNG; a notebook shows it when it is a cell's last line."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


def picture(weights: Tensor, rows: Sequence[str], columns: Sequence[str], title: str = "") -> Picture:
    """A heat map (Q, K) with its labels and numbers. Needs matplotlib."""
    figure = _figure(0.7 * len(columns) + 1.5, 0.5 * len(rows) + 1)
    axes = figure.subplots()
    axes.imshow(weights.numpy(), vmin=0, vmax=1, cmap="magma_r", aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_title(title, fontsize=9)
    for i, row in enumerate(weights.tolist()):
        for j, x in enumerate(row):
            axes.text(j, i, f"{x:.2f}", ha="center", va="center", fontsize=8, color="white" if x > 0.5 else "black")
    png = BytesIO()
    figure.savefig(png, format="png", dpi=100, metadata={"Software": None})
    return Picture(png.getvalue())


def head_table(maps: Maps) -> str:
    """One line for each layer and head: entropy (bits), distance (tokens), concentration of H."""
    numbers = statistics(maps.h)
    lines = ["layer head  entropy  distance  concentration"]
    for layer in range(maps.h.size(0)):
        for head in range(maps.h.size(1)):
            entropy, distance, share = (
                float(kind[layer, head]) for kind in (numbers.entropy, numbers.distance, numbers.concentration)
            )
            lines.append(f"{layer:5} {head:4}  {entropy:7.2f}  {distance:8.2f}  {share:13.2f}")
    return "\n".join(lines)


def save_png(maps: Maps, path: Path, *, kind: str = "h") -> None:
    """The grid of all layers (rows) and heads (columns) as a picture; kind is "h" or "a". Needs matplotlib."""
    matrices = maps.a if kind == "a" else maps.h
    if matrices is None:
        raise ValueError('these maps have no A; ask for kind="h"')
    layers, heads = matrices.shape[:2]
    figure = _figure(1.6 * heads + 1, 1.6 * layers + 1)
    grid = figure.subplots(layers, heads, squeeze=False)
    for layer in range(layers):
        for head in range(heads):
            axes = grid[layer][head]
            axes.imshow(matrices[layer, head].numpy(), vmin=0, vmax=1, cmap="magma_r", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(f"{layer} · {head}", fontsize=7)
    figure.savefig(path, dpi=120)


def html_page(maps: Maps, title: str = "Attention") -> str:
    """One page without outside parts: choose matrix, layer and head; point at a cell for its number."""
    from html import escape
    from json import dumps

    page = Path(__file__).with_name("explorer.html").read_text(encoding="utf-8")
    square = maps.h.size(-1) == maps.h.size(-2)
    flow = dumps([[round(x, 5) for x in row] for row in rollout(maps.h).tolist()] if square else None)
    data = f'{{"maps":{maps.as_json()},"rollout":{flow}}}'
    safe = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return page.replace("{{title}}", escape(title)).replace("{{data}}", safe)


def _figure(width: float, height: float) -> Any:
    """An empty matplotlib figure, in inches."""
    try:
        new_figure = import_module("matplotlib.figure").Figure
    except ModuleNotFoundError as problem:
        raise ModuleNotFoundError("a picture needs matplotlib: pip install matplotlib") from problem
    return new_figure(figsize=(width, height), layout="constrained")


def _shade(weight: float) -> str:
    return SHADES[min(len(SHADES) - 1, max(0, round(weight * (len(SHADES) - 1))))]


def _width(text: str) -> int:
    """Columns that the text takes in a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _fit(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
