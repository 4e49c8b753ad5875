"""The views that a secret feed can hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.reading import Selection
from attention_filter.types import Ranked, Sign

LOOKED_THROUGH = 300  # best items that a narrower view is chosen from


class Kind(StrEnum):
    YOU = "you"
    INTEREST = "interest"  # value: the interest's id
    SOURCE = "source"  # value: the source's id
    SAVED = "saved"
    ABOVE = "above"  # value: the score


class View(BaseModel):
    """What a feed holds: the stream, what one interest claims or one source brings, the saved, or the high scores."""

    kind: Kind = Kind.YOU
    value: float = 0.0

    @field_validator("value", mode="before")
    @classmethod
    def _empty_is_zero(cls, value: Any) -> Any:
        return value or 0.0


def view_of(record: Any) -> View:
    """A view as it is kept or was typed; UsageError when it is none."""
    try:
        return View.model_validate(record)
    except ValidationError as error:
        raise UsageError(f"no such view: {error.errors()[0]['msg']}") from error


def items_of(mine: Filter, view: View, limit: int) -> list[Ranked]:
    """The items of the view, the best first (of the saved: the last one first). Nothing once what it names is gone."""
    if view.kind is Kind.SAVED:
        saved = [act.item for act in reversed(mine.store.feedback()) if act.sign is Sign.SAVE]
        return mine.rank(saved[:limit])
    if view.kind is Kind.SOURCE:
        followed = {source.id for source in mine.store.sources()}
        return mine.stream(limit, Selection(source=int(view.value))) if int(view.value) in followed else []
    if view.kind is Kind.YOU:
        return mine.stream(limit)
    found = mine.stream(LOOKED_THROUGH)
    if view.kind is Kind.ABOVE:
        return [one for one in found if one.score >= view.value][:limit]
    text = next((one.text for one in mine.interests() if one.id == int(view.value)), None)
    return [one for one in found if text is not None and one.interest == text][:limit]
