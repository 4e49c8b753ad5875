"""The two attention matrices over interests and recent items, as a picture, a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from attention_filter.app import Filter
from attention_filter.claims import Picture, Which
from attention_filter.server.site import Mine, render

router = APIRouter()
MOST = 40  # items of a picture
CELL, ROW = 28, 28  # width and height of a cell, in pixels
SAFE = tuple("=+-@\t\r")  # a cell that begins so is a formula to a spreadsheet


@dataclass(frozen=True)
class Cell:
    """One entry of a matrix: its place in pixels, its value, and how dark it is drawn, in [0, 1]."""

    x: int
    y: int
    value: float
    shade: float
    interest: int  # places in the picture
    item: int


@dataclass(frozen=True)
class Map:
    """A matrix (K, n) as a picture with an item a line and an interest a column; `most` is its largest value."""

    name: str
    width: int
    height: int
    most: float
    cells: tuple[Cell, ...]


def draw(name: str, matrix: list[list[float]]) -> Map:
    """Where each cell lies and how dark it is; the largest value is black.

    >>> [(cell.x, cell.y, cell.shade) for cell in draw("A", [[0.5, 1.0]]).cells]
    [(0, 0, 0.5), (0, 28, 1.0)]
    """
    most = max((value for row in matrix for value in row), default=0.0)
    cells = [
        Cell(CELL * k, ROW * n, value, round(value / most, 3) if most else 0.0, k, n)
        for n in range(len(matrix[0]) if matrix else 0)
        for k, value in enumerate(row[n] for row in matrix)
    ]
    return Map(name, CELL * len(matrix), ROW * (len(matrix[0]) if matrix else 0), most, tuple(cells))


@router.get("/interests/attention")
def picture(request: Request, mine: Mine, of: Which = "stream", show: str = "both") -> HTMLResponse:
    """`show` is a, h or both."""
    found = mine.picture(of, MOST)
    maps = [draw("A", found.a.tolist()), draw("H", found.h.tolist())]
    chosen = [one for one in maps if show not in ("a", "h") or one.name.lower() == show]
    return render(request, "attention.html", picture=found, maps=chosen, of=of, show=show, cell=CELL, row=ROW)


@router.get("/interests/attention.csv")
def as_csv(mine: Mine, of: Which = "stream") -> Response:
    found = mine.picture(of, MOST)
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["item", "title", "source", "date", "interest", "a", "h"])
    for n, item in enumerate(found.items):
        for k, interest in enumerate(found.interests):
            what = (item.id, _plain(item.entry.title), _plain(item.source_title), item.date.isoformat())
            table.writerow([*what, _plain(interest.text), f"{found.a[k, n]:.6f}", f"{found.h[k, n]:.6f}"])
    return _file("\ufeff" + file.getvalue(), "text/csv; charset=utf-8", "attention.csv")


@router.get("/interests/attention.json")
def as_json(mine: Mine, of: Which = "stream") -> Response:
    return _file(
        json.dumps(document(mine, mine.picture(of, MOST)), ensure_ascii=False), "application/json", "attention.json"
    )


def document(mine: Filter, found: Picture) -> dict[str, object]:
    """A and H are lists of K rows of n numbers, over `interests` (K) and `items` (n)."""
    return {
        "model": mine.settings.model,
        "at": mine.clock().isoformat(),
        "interests": [{"id": one.id, "text": one.text, "weight": one.weight} for one in found.interests],
        "items": [
            {"id": one.id, "title": one.entry.title, "source": one.source_title, "date": one.date.isoformat()}
            for one in found.items
        ],
        "a": found.a.astype(float).round(6).tolist(),
        "h": found.h.astype(float).round(6).tolist(),
    }


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(SAFE) else text


def _file(body: str, kind: str, name: str) -> Response:
    return Response(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
