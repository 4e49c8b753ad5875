"""The profile: all that was learned, in words; the history, act by act; taking it along, and deleting it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.errors import AttentionError, DataError, UsageError
from attention_filter.server.pages.sources import body_of
from attention_filter.server.preferences import preferences
from attention_filter.server.site import Mine, back, render, spoken

SHOWN = 50  # acts on a page
LARGEST_PROFILE = 20_000_000  # bytes
CONFIRMATION = "delete"  # what has to be typed, in the reader's language

router = APIRouter()


def _page(request: Request, mine: Filter, status: int = 200, before: int | None = None, **more: Any) -> HTMLResponse:
    acts = mine.store.act_log(SHOWN + 1, before)
    items = {item.id: item for item in mine.store.items(list({act.item for act, _ in acts[:SHOWN]}))}
    return render(
        request,
        "profile.html",
        status=status,
        known=mine.profile(),
        acts=[(act, undone, items[act.item]) for act, undone in acts[:SHOWN]],
        older=acts[SHOWN - 1][0].id if len(acts) > SHOWN else None,
        before=before,
        counts={
            "sources": len(mine.store.sources()),
            "rules": len(mine.rules()) + len(mine.quotas()),
            "concepts": len(mine.knowledge()),
        },
        confirmation=_confirmation(request, mine),
        **{"problem": "", "would": None, "text": "", "imported": None, **more},
    )


def _confirmation(request: Request, mine: Filter) -> str:
    return spoken(request, preferences(mine.store)).say(CONFIRMATION)


@router.get("/profile")
def profile(request: Request, mine: Mine, before: int | None = None) -> HTMLResponse:
    return _page(request, mine, before=before)


@router.get("/profile/export")
def export(mine: Mine) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="attention-filter-profile.json"'}
    return Response(mine.export_profile(), media_type="application/json", headers=headers)


@router.post("/profile/preview")
def preview(request: Request, mine: Mine, file: Annotated[UploadFile, File()]) -> HTMLResponse:
    """What an exported profile would add; it is added only when that is confirmed."""
    try:
        text = text_of(body_of(file, LARGEST_PROFILE))
        return _page(request, mine, would=mine.preview_profile(text), text=text)
    except AttentionError as error:
        return _page(request, mine, 422, problem=str(error))


@router.post("/profile/import")
def take(request: Request, mine: Mine, text: Annotated[str, Form()] = "") -> Response:
    try:
        return _page(request, mine, imported=mine.import_profile(text))
    except AttentionError as error:
        return _page(request, mine, 422, problem=str(error))


def text_of(body: bytes) -> str:
    """The text of an uploaded profile."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not an exported profile: it is not UTF-8 text") from None


@router.post("/profile/acts/{id_}/undo")
def undo(request: Request, mine: Mine, id_: int) -> Response:
    if not mine.take_back([id_]):
        raise UsageError(f"act {id_}: no such act of yours, or it was taken back already")
    return back(request, "/profile#history")


@router.post("/profile/items/{id_}/forget")
def forget(request: Request, mine: Mine, id_: int) -> Response:
    """Strike all acts on the item from the log, and what was learned from them."""
    if not mine.forget(id_):
        raise UsageError(f"item {id_}: you have done nothing with it")
    return back(request, "/profile#history")


@router.post("/profile/delete")
def delete(request: Request, mine: Mine, typed: Annotated[str, Form()] = "") -> Response:
    """Forget the reader, when the word was typed."""
    if typed.strip().casefold() != _confirmation(request, mine).casefold():
        return _page(request, mine, 422, problem="Nothing was deleted: the word was not the one asked for.")
    mine.delete_profile()
    return RedirectResponse("/welcome", 303)
