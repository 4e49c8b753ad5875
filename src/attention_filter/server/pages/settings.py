"""The settings of one reader, and what is to be known of this server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Annotated, Any

from babel import Locale
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel
from starlette.background import BackgroundTask

from attention_filter import __version__
from attention_filter.app import Filter
from attention_filter.errors import AttentionError, UsageError
from attention_filter.server import daily
from attention_filter.server.access import Visitor, owner
from attention_filter.server.language import languages
from attention_filter.server.preferences import keep_preferences, preferences
from attention_filter.server.site import Me, Mine, render, site
from attention_filter.store.secrets import API

COMPARED = 10  # items of the list that the sliders are tried on

router = APIRouter()


class SettingsForm(BaseModel):
    """The settings as they are typed. A box that is not ticked is not sent."""

    language: str = ""
    theme: str = "auto"
    order: str = "rank"
    images: bool = False
    open_marks_read: bool = False
    exploration: str = ""
    variety: str = ""
    half_life_days: str = ""
    age_limit: str = ""
    today_stories: str = ""
    today_minutes: str = ""


def number(text: str) -> float | None:
    """What was typed as a number, None for nothing; UsageError for what is none."""
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError:
        raise UsageError(f"{text!r} is no number; write it in digits, such as 7 or 1.5") from None


def differs(mine: Filter, exploration: float, variety: float) -> int:
    """How many of the first items would be others than now."""
    now = {one.item.id for one in mine.stream(COMPARED)}
    then = {one.item.id for one in mine.stream(COMPARED, exploration=exploration, variety=variety)}
    return len(then - now)


def page(request: Request, mine: Filter, who: Visitor, status: int = 200, **more: Any) -> HTMLResponse:
    here = site(request)
    return render(
        request,
        "settings.html",
        status=status,
        chosen=mine.settings,
        tongues=[(code, str(Locale(code).get_display_name(code))) for code in languages()],
        age_limit=mine.store.age_limit(),
        promised=mine.promised(),
        version=__version__,
        tokens=here.store.accounts.secrets(who.reader, API, here.clock()),
        **{"problem": "", "saved": False, "changes": None, "token": "", **more},
    )


@router.get("/settings")
def settings(request: Request, mine: Mine, who: Me, saved: bool = False) -> HTMLResponse:
    return page(request, mine, who, saved=saved)


@router.get("/settings/effect")
def effect(request: Request, mine: Mine, exploration: float = 0.0, variety: float = 0.0) -> HTMLResponse:
    """What the sliders would do, in words; a part of the page."""
    chosen = mine.settings.model_copy(
        update={"exploration": min(max(exploration, 0.0), 1.0), "variety": min(max(variety, 0.0), 1.0)}
    )
    changes = differs(mine, chosen.exploration, chosen.variety)
    return render(request, "_effect.html", chosen=chosen, changes=changes, compared=COMPARED)


@router.post("/settings")
def keep(request: Request, mine: Mine, who: Me, form: Annotated[SettingsForm, Form()]) -> Response:
    try:
        wanted = replace(
            preferences(mine.store),
            language=form.language,
            theme=form.theme,
            order=form.order,
            images=form.images,
            open_marks_read=form.open_marks_read,
            exploration=number(form.exploration),
            variety=number(form.variety),
            half_life_days=number(form.half_life_days),
            today_stories=None if (stories := number(form.today_stories)) is None else round(stories),
            today_minutes=number(form.today_minutes),
        )
        mine.set_age_limit(number(form.age_limit))
    except AttentionError as error:
        return page(request, mine, who, 422, problem=str(error))
    keep_preferences(mine.store, wanted)
    now = site(request).filter(who.reader).settings
    if (now.today_stories, now.today_minutes) != (mine.settings.today_stories, mine.settings.today_minutes):
        mine.today(stories=now.today_stories, minutes=now.today_minutes)
        daily.refresh(mine, mine.store.newest_item())
    return RedirectResponse("/settings?saved=1", 303)


@router.post("/settings/backup")
def backup(request: Request, _: Annotated[Visitor, Depends(owner)]) -> Response:
    """The whole database, consistent while it is in use; for the owner alone, since it holds everybody's."""
    here = site(request)
    folder = Path(mkdtemp(prefix="attention-backup-"))
    path = folder / f"attention-{here.clock():%Y-%m-%d}.db"
    try:
        here.store.backup(path)
    except BaseException:
        with suppress(OSError):
            rmtree(folder)
        raise
    gone = BackgroundTask(rmtree, folder, ignore_errors=True)
    return FileResponse(path, filename=path.name, media_type="application/vnd.sqlite3", background=gone)
