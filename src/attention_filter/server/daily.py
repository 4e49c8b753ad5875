"""The page of the day beside a standing: made, and its reasons told, whenever a ranking is; a page then only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from attention_filter import today
from attention_filter.app import Filter
from attention_filter.personal import budget
from attention_filter.store.store import Store
from attention_filter.types import Because, Sign

SHOWN = "today shown"  # the name of the state


@dataclass(frozen=True)
class Shown:
    """What belongs to the page that was `made` then (in seconds) for its `day`: `newest`, the newest item of all at that
    time, `since`, the newest at the page before (0: none), and what spoke most for each of its items."""

    day: str = ""
    made: float = 0.0
    newest: int = 0
    since: int = 0
    because: Mapping[int, Because] = field(default_factory=dict)


def refresh(mine: Filter, newest: int) -> None:
    """See that there is a page of the day, and tell what speaks for its items by now. `newest` is the newest item of
    all that was ranked.

    All is ranked once more only to make a page, which is once a day, unless it is short.
    """
    store, before = mine.store, shown(mine.store)
    page = page_of(mine)
    if len(page.places) < budget.LEAST:
        ranked = list(mine.today().page)
        page = page_of(mine)
    else:
        there = {one.id for one in store.glances([place.item for place in page.places])}
        ranked = mine.rank([place.item for place in page.places if place.item in there])
    if page.made == before.made and page.day == before.day:
        newest = before.newest
    since = before.since if page.day == before.day else before.newest
    because = {one.item.id: asdict(one.because) for one in ranked if one.because}
    kept = {"day": page.day, "made": page.made, "newest": newest, "since": since, "because": because}
    store.put_state(SHOWN, json.dumps(kept, ensure_ascii=False).encode())


def page_of(mine: Filter) -> today.Page:
    """The page of the day as it is kept; empty before it is made."""
    return today.of_the_day(today.kept(mine.store), mine.clock(), mine.settings)


def shown(store: Store) -> Shown:
    """What was kept by `refresh`."""
    stored = json.loads(store.get_state(SHOWN) or b"{}")
    because = {int(item): _because(parts) for item, parts in stored.pop("because", {}).items()}
    return Shown(**stored, because=because)


def _because(parts: Mapping[str, str | bool | None]) -> Because:
    sign = parts.get("sign")
    return Because(**{**parts, "sign": Sign(sign) if sign else None})  # type: ignore[arg-type]
