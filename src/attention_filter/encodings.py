"""Encodings kept on disk, so that measuring the same texts again does not encode them again."""

from __future__ import annotations

import fcntl
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
AT_ONCE = 2_000  # texts encoded between two saves, so that an interruption loses little


class TextEncoder(Protocol):
    """What turns texts into unit vectors; `id` names the model and its weights."""

    @property
    def id(self) -> str: ...

    def encode(self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None) -> Floats: ...


def encode_cached(
    encoder: TextEncoder,
    texts: Sequence[str],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Vectors (len(texts), d) of one or more texts: from the cache in `folder`, or encoded and kept there.

    They are rounded to float16 either way, so that a second run gives what the first gave. `progress` is called
    with how many of the texts that had to be encoded are done, and how many they are. There is one file for a
    model; one that cannot be read or written costs only time.
    """
    path = folder / f"{sha256(encoder.id.encode()).hexdigest()[:16]}.npz"
    known = _load(path)
    keys = [sha256(text.encode("utf-8", "surrogatepass")).digest()[:16] for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    new = list(missing)
    finished = 0

    def advance(count: int) -> None:
        nonlocal finished
        finished += count
        if progress:
            progress(finished, len(new))

    for start in range(0, len(new), AT_ONCE):
        chunk = new[start : start + AT_ONCE]
        vectors = encoder.encode([missing[key] for key in chunk], progress=advance).astype(np.float16)
        found = dict(zip(chunk, vectors, strict=True))
        known.update(found)
        _keep(path, found)
    return np.array([known[key] for key in keys], np.float32)


def _load(path: Path) -> dict[bytes, NDArray[np.float16]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, vectors = file["keys"], file["vectors"]
            return dict(zip((key.tobytes() for key in keys), vectors, strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}


def _keep(path: Path, found: dict[bytes, NDArray[np.float16]]) -> None:
    """Add to the file, one process at a time, so that none loses what another has encoded meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _save(path, _load(path) | found)
    except OSError:
        return  # a full disk or a read-only folder: the next run encodes again


def _save(path: Path, known: dict[bytes, NDArray[np.float16]]) -> None:
    """Write beside, then rename: a reader sees the old file or the new one."""
    keys = np.frombuffer(b"".join(known), np.uint8).reshape(len(known), -1)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            np.savez(file, keys=keys, vectors=np.stack(list(known.values())))
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
