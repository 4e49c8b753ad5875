"""Vectors, stored once per content and model: the same text in two sources is encoded once.

A vector is `dim` float16 in a BLOB, under (model, content hash). Half precision moves a cosine by less than
1e-3 and halves the file. Nothing marks an item as "to be encoded": what has no vector yet is what is missing,
so encoding can be killed and started again at any point, with the old model or a new one.

A vector of the title alone stands in for that of the text until there is one. It is kept as if another model had made
it, so it is never taken for the real one, and goes in the transaction that brings that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.repeats import said
from attention_filter.store.items import chunks, places
from attention_filter.store.schema import contents, items, left_out, models, vectors, visible


def of_titles(model: str) -> str:
    """The name under which the model's vectors of titles alone are kept."""
    return f"{model} of titles"


def missing(connection: sa.Connection, reader: int, model: str, limit: int | None = None) -> list[tuple[str, str, str]]:
    """(content hash, title, what its text says) of what has no vector of the model, newest first, each content once."""
    wanted = _without(reader, [model])
    chosen = (
        sa.select(items.c.said_hash, items.c.title, contents.c.text, left_out.c.places)
        .join_from(wanted, items, items.c.id == wanted.c.id)
        .join(contents, contents.c.item == items.c.id)
        .outerjoin(left_out, left_out.c.item == items.c.id)
        .order_by(wanted.c.date.desc(), items.c.id.desc())
        .limit(limit)
    )
    return [(key, title, said(text, places(left))) for key, title, text, left in connection.execute(chosen)]


def missing_titles(connection: sa.Connection, reader: int, model: str, limit: int) -> list[tuple[str, str]]:
    """(content hash, title) of what has no vector of the model, not even of its title; the `limit` newest."""
    wanted = _without(reader, [model, of_titles(model)])
    chosen = (
        sa.select(items.c.said_hash, items.c.title)
        .join_from(wanted, items, items.c.id == wanted.c.id)
        .order_by(wanted.c.date.desc(), items.c.id.desc())
        .limit(limit)
    )
    return [(content_hash, title) for content_hash, title in connection.execute(chosen)]


def _without(reader: int, names: Sequence[str]) -> sa.Subquery:
    """(id, date) of one item for each content that has no vector under any of the names."""
    known = sa.select(vectors.c.content_hash).join(models).where(models.c.name.in_(names))
    return (
        sa.select(sa.func.max(items.c.id).label("id"), sa.func.max(items.c.date).label("date"))
        .where(visible(reader), items.c.said_hash.not_in(known))
        .group_by(items.c.said_hash)
        .subquery()
    )


def put(connection: sa.Connection, model: str, hashes: Sequence[str], array: np.ndarray) -> None:
    """Store row i of `array` (n, dim) for hashes[i], in place of what was there; vectors of their titles go."""
    array = np.asarray(array)
    if array.ndim != 2 or len(array) != len(hashes):
        raise UsageError(f"vectors of shape {array.shape} for {len(hashes)} texts: one row each is needed")
    if not len(array):
        return
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(array, np.float16)
    if not np.isfinite(half).all():
        raise UsageError(f"{model}: gave a vector that is not finite in half precision; it is not stored")
    id_, dim = find_model(connection, model)
    if id_ is None:
        connection.execute(sa.insert(models).values(name=model, dim=array.shape[1]))
        id_, dim = find_model(connection, model)
    if dim != array.shape[1]:
        raise UsageError(f"{model}: stored vectors have {dim} numbers, these {array.shape[1]}; name the model anew")
    rows = {key: row.tobytes() for key, row in zip(hashes, half, strict=True)}
    old = [id_, find_model(connection, of_titles(model))[0]]
    for part in chunks(rows, 1000):
        connection.execute(sa.delete(vectors).where(vectors.c.model.in_(old), vectors.c.content_hash.in_(part)))
        connection.execute(
            sa.insert(vectors), [{"model": id_, "content_hash": key, "vector": rows[key]} for key in part]
        )


def get(connection: sa.Connection, model: str, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 (n, dim), zeros where there is none, and bool (n,) where there is one."""
    id_, dim = find_model(connection, model)
    found: dict[str, bytes] = {}
    for part in chunks(hashes, 1000):
        chosen = sa.select(vectors.c.content_hash, vectors.c.vector)
        here = (vectors.c.model == id_, vectors.c.content_hash.in_(part))
        found |= {key: blob for key, blob in connection.execute(chosen.where(*here))}
    return unpack([found.get(key) for key in hashes], dim)


def unpack(blobs: Sequence[bytes | None], dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Stored vectors as float32 (n, dim) and bool (n,)."""
    has = np.array([blob is not None for blob in blobs], dtype=bool)
    out = np.zeros((len(blobs), dim), np.float32)
    out[has] = np.frombuffer(b"".join(blob for blob in blobs if blob), np.float16).reshape(-1, dim or 1)
    return out, has


def find_model(connection: sa.Connection, name: str) -> tuple[int | None, int]:
    """(id, dim) of a model that has stored vectors; (None, 0) of any other."""
    row = connection.execute(sa.select(models.c.id, models.c.dim).where(models.c.name == name)).one_or_none()
    return (row.id, row.dim) if row else (None, 0)
