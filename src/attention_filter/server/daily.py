"""The page of the day beside a standing: made, and its reasons told, whenever a ranking is. Pages then only read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from attention_filter import learned, today
from attention_filter.app import Filter
from attention_filter.personal import budget
from attention_filter.store.store import Store
from attention_filter.types import Because, Sign

SHOWN = "today shown"  # the name of the state


@dataclass(frozen=True)
class Shown:
    """What belongs to the page that was `made` then (in seconds) for its `day`: `newest`, the newest item of all at
    that time, `since`, the newest at the page before (0: none), what spoke most for each of its items and what
    read story it adds to; and whether it is `early`: made before all was encoded that there was."""

    day: str = ""
    made: float = 0.0
    newest: int = 0
    since: int = 0
    early: bool = False
    because: Mapping[int, Because] = field(default_factory=dict)
    adds_to: Mapping[int, str] = field(default_factory=dict)


def refresh(mine: Filter, newest: int) -> None:
    """See that there is a page of the day, and tell what speaks for its items by now. `newest` is the newest item of
    all that was ranked. An early page is made anew once all is encoded, unless something was done with it by then.

    All is ranked once more only to make a page, which is once a day, unless it is short or early.
    """
    store, before, page = mine.store, shown(mine.store), page_of(mine)
    early = bool(store.missing_vectors(learned.model_of(store), limit=1))
    is_open = before.early and not early and before.day == page.day and not store.acts_on(page.items)
    if len(page.places) < budget.LEAST or is_open:
        ranked = list(mine.today(stories=page.stories if is_open else None).page)
        page = page_of(mine)
    else:
        there = {one.id for one in store.glances([place.item for place in page.places])}
        ranked = mine.rank([place.item for place in page.places if place.item in there])
    because = {one.item.id: one.because for one in ranked if one.because}
    # What something was done with is not explained by that: it keeps the reason that it was there for.
    because |= {
        act.item: before.because[act.item] for act in store.acts_on(list(because)) if act.item in before.because
    }
    is_same = page.made == before.made and page.day == before.day
    kept = {
        "day": page.day,
        "made": page.made,
        "newest": before.newest if is_same else newest,
        "since": before.since if page.day == before.day else before.newest,
        "early": before.early if is_same else early,
        "because": {id_: asdict(why) for id_, why in because.items()},
        "adds_to": {one.item.id: one.adds_to for one in ranked if one.adds_to},
    }
    store.put_state(SHOWN, json.dumps(kept, ensure_ascii=False).encode())


def page_of(mine: Filter) -> today.Page:
    """The page of the day as it is kept; empty before it is made."""
    return today.of_the_day(today.kept(mine.store), mine.clock(), mine.settings)


def shown(store: Store) -> Shown:
    """What was kept by `refresh`."""
    stored = json.loads(store.get_state(SHOWN) or b"{}")
    because = {int(item): _because(parts) for item, parts in stored.pop("because", {}).items()}
    adds_to = {int(item): title for item, title in stored.pop("adds_to", {}).items()}
    return Shown(**stored, because=because, adds_to=adds_to)


def _because(parts: Mapping[str, str | bool | None]) -> Because:
    known = {field.name: parts[field.name] for field in fields(Because) if field.name in parts}
    return Because(**known | {"sign": Sign(parts["sign"]) if parts.get("sign") else None})  # type: ignore[arg-type]
