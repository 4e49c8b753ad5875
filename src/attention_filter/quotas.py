"""The reader's quotas, kept with what else is theirs, and what they may ask of an item."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from attention_filter.personal import constraints
from attention_filter.personal.constraints import Constraint, Facts
from attention_filter.store.store import Store
from attention_filter.types import Item

QUOTAS = "quotas"  # the name of the state we keep per reader
AT_ONCE = 300  # items looked up together


def stored(store: Store) -> list[Constraint]:
    """The reader's quotas, in the order they were added."""
    return [constraints.parse(sentence) for sentence in json.loads(store.get_state(QUOTAS) or b"[]")]


def checked(store: Store, sentences: Sequence[str]) -> list[Constraint]:
    """The sentences read; UsageError when one cannot hold beside the others."""
    before = stored(store)
    new: list[Constraint] = []
    for quota in map(constraints.parse, sentences):
        constraints.check(quota, [*before, *new])
        new.append(quota)
    return new


def add(store: Store, sentences: Sequence[str]) -> list[Constraint]:
    """Keep these too; UsageError, with nothing kept, when one cannot hold beside the others."""
    new = checked(store, sentences)
    _keep(store, [*stored(store), *new])
    return new


def remove(store: Store, quota: Constraint) -> None:
    _keep(store, [one for one in stored(store) if one != quota])


def _keep(store: Store, quotas: Sequence[Constraint]) -> None:
    store.put_state(QUOTAS, json.dumps([str(one) for one in quotas], ensure_ascii=False).encode())


def asker(
    store: Store,
    quotas: Sequence[Constraint],
    ids: np.ndarray,
    sources: np.ndarray,
    langs: np.ndarray,
    interests: Callable[[list[int]], list[str | None]],
) -> Callable[[int], Facts]:
    """What the quotas may ask of the item in each row: of n `ids`, their `sources` and `langs`. Texts and interests
    are looked up only when a quota is about them, AT_ONCE at a time."""
    fields = {group.field for one in quotas for group in (one.group, one.other) if group is not None}
    followed = {source.id: source for source in store.sources()} if quotas else {}

    @cache
    def some(part: int) -> list[Facts]:
        rows = slice(part * AT_ONCE, (part + 1) * AT_ONCE)
        few = ids[rows].tolist()
        items: list[Item | None] = [None] * len(few)
        if fields & constraints.OF_TEXT:
            items = list(store.items(few))
        claimed = interests(few) if "interest" in fields else [None] * len(few)
        from_ = [followed[source] for source in sources[rows].tolist()]
        return [
            Facts(source.title or source.url, source.folder, lang, interest, item)
            for source, lang, interest, item in zip(from_, langs[rows].tolist(), claimed, items, strict=True)
        ]

    return lambda row: some(row // AT_ONCE)[row % AT_ONCE]
