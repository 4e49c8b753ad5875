"""How the ranking uses the cores: each with its own rows, none waiting for another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

FEW_ROWS = 1024  # fewer are not worth another thread


@contextmanager
def one_thread_each() -> Iterator[None]:
    """BLAS and torch keep to the calling thread. The ranking's arrays are small: the pools of the two, which spin
    while they wait for one another, made it four to twenty times slower on a busy machine (benchmarks/rank.py)."""
    import torch

    before = torch.get_num_threads()  # torch has a count of its own
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


def in_parts(job: Callable[[slice], dict[str, np.ndarray]], rows: int) -> dict[str, np.ndarray]:
    """`job` on equal parts of the rows, a thread a core, its arrays joined again.

    >>> in_parts(lambda part: {"twice": 2 * np.arange(3_000)[part]}, 3_000)["twice"][-1].item()
    5998
    """
    size = max(FEW_ROWS, -(-rows // _threads()))
    parts = [slice(start, start + size) for start in range(0, max(rows, 1), size)]
    if len(parts) == 1:
        return job(parts[0])
    with ThreadPoolExecutor(len(parts)) as pool:
        done = list(pool.map(job, parts))
    return {name: np.concatenate([one[name] for one in done]) for name in done[0]}


def _threads() -> int:
    """As many as there are cores, or as OMP_NUM_THREADS says, which BLAS and torch obey as well."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


@cache
def _blas() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which only what is loaded by now can be told to limit

    return ThreadpoolController()
