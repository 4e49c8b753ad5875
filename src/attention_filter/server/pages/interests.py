"""Interests: what the reader said, what each has learned, and changing them; every change can be taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter import tending
from attention_filter.errors import UsageError
from attention_filter.server.site import Mine, is_fragment, render

router = APIRouter()
MOST = 300  # characters of an interest
NAMED = 4  # telling words that a half or a suggestion is called by, until the reader names it

Text = Annotated[str, Form(max_length=MOST)]
Id = Annotated[int, Form()]


@router.get("/interests")
def interests(request: Request, mine: Mine) -> HTMLResponse:
    learned = mine.interests_learned()
    return render(
        request,
        "_interests.html" if is_fragment(request) else "interests.html",
        learned=learned,
        quotas={one.interest.id: tending.quota_of(mine.store, one.interest) for one in learned},
        changed=tending.last_change(mine.store),
        most=MOST,
    )


@router.get("/interests/suggested")
def suggested(request: Request, mine: Mine) -> HTMLResponse:
    """What was liked beside all interests; a part of the page that is loaded after it."""
    found = mine.suggest_interests()
    return render(
        request, "_suggested.html" if is_fragment(request) else "suggested.html", found=found, named=NAMED, most=MOST
    )


@router.post("/interests")
def add(mine: Mine, text: Text, unwanted: Annotated[bool, Form()] = False) -> Response:
    mine.add_interest(text, -1.0 if unwanted else 1.0)
    return _to_interests()


@router.post("/interests/undo")
def undo(mine: Mine) -> Response:
    mine.restore_interests()
    return _to_interests()


@router.post("/interests/merge")
def merge(mine: Mine, first: Id, second: Id, text: Text) -> Response:
    mine.merge_interests(first, second, text)
    return _to_interests()


@router.post("/interests/{interest}/edit")
def edit(mine: Mine, interest: int, text: Text) -> Response:
    mine.edit_interest(interest, text)
    return _to_interests()


@router.post("/interests/{interest}/weigh")
def weigh(
    mine: Mine,
    interest: int,
    weight: Annotated[float, Form(gt=0, le=10)],
    unwanted: Annotated[bool, Form()] = False,
    quota: Annotated[int, Form(ge=1, le=100)] = 100,
) -> Response:
    """How much it counts, whether it is wanted, and the share of the list that it may fill, in percent."""
    mine.weigh_interest(interest, -weight if unwanted else weight)
    mine.limit_interest(interest, quota if quota < 100 else None)
    return _to_interests()


@router.post("/interests/{interest}/remove")
def remove(mine: Mine, interest: int) -> Response:
    mine.drop_interest(interest)
    return _to_interests()


@router.get("/interests/{interest}/split")
def split(request: Request, mine: Mine, interest: int) -> HTMLResponse:
    """How it would best be split, or what is missing for that."""
    one = tending.find(mine.interests(), interest)
    try:
        halves = mine.halves_of(interest)
    except UsageError:
        return render(request, "split.html", interest=one, halves=(), named=NAMED, most=MOST)
    return render(request, "split.html", interest=one, halves=halves, named=NAMED, most=MOST)


@router.post("/interests/{interest}/split")
def split_it(mine: Mine, interest: int, first: Text, second: Text) -> Response:
    mine.split_interest(interest, (first, second))
    return _to_interests()


def _to_interests() -> Response:
    return RedirectResponse("/interests", 303)
