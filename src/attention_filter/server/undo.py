"""What was removed last can be put back for a while: the form that does so, kept with what else is the reader's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from attention_filter.store.store import Store

STATE = "undo"
OFFERED = timedelta(minutes=10)


@dataclass(frozen=True)
class Offer:
    """A form that puts back what was removed: where it is sent to and with which fields."""

    page: str  # where it is offered
    name: str  # of what was removed
    action: str
    fields: Mapping[str, str]
    at: str


def offer(store: Store, page: str, name: str, action: str, fields: Mapping[str, str], now: datetime) -> None:
    """Offer to put this back, in place of what was offered before."""
    store.put_state(STATE, json.dumps(asdict(Offer(page, name, action, fields, now.isoformat()))).encode())


def offered(store: Store, page: str, now: datetime) -> Offer | None:
    """What was removed on this page in the last minutes."""
    stored = json.loads(store.get_state(STATE) or b"null")
    found = Offer(**stored) if stored else None
    return found if found and found.page == page and now - datetime.fromisoformat(found.at) < OFFERED else None


def settle(store: Store) -> None:
    """It was put back: nothing is offered any more."""
    store.put_state(STATE, b"null")
