"""The digest: as it would be sent, when it is, by mail; and the secret addresses that feeds are read from."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ValidationError

from attention_filter.app import Filter
from attention_filter.digest import digest_text, stories
from attention_filter.errors import AttentionError
from attention_filter.server import post
from attention_filter.server.access import Visitor, own_origin
from attention_filter.server.language import Language
from attention_filter.server.letters import Schedule, next_slot
from attention_filter.server.preferences import preferences
from attention_filter.server.site import Me, Mine, render, site, spoken
from attention_filter.server.views import Kind, View, view_of
from attention_filter.store.secrets import FEED

router = APIRouter()


class ScheduleForm(BaseModel):
    """A schedule as it is typed. A box that is not ticked is not sent."""

    every: str = "never"
    weekday: str = "0"
    hour: str = "7"
    zone: str = "UTC"
    size: str = "12"
    only_news: bool = False


def _page(request: Request, mine: Filter, who: Visitor, status: int = 200, **more: Any) -> HTMLResponse:
    wanted = post.subscription(mine.store)
    now = mine.clock()
    tongue = spoken(request, preferences(mine.store))
    ranked = post.chosen(mine, wanted)
    feeds = site(request).store.accounts.secrets(who.reader, FEED, now)
    return render(
        request,
        "digest.html",
        status=status,
        stories=stories(ranked, now, tongue),
        text=digest_text(ranked, now, tongue),
        wanted=wanted,
        next=next_slot(wanted.schedule, now),
        log=post.log(mine.store)[:10],
        can_mail=bool(mine.settings.smtp_host),
        zones=sorted(available_timezones()),
        feeds=[(one, in_words(view_of(one.view), mine, tongue)) for one in feeds],
        origin=own_origin(request),
        interests=mine.interests(),
        sources=mine.store.sources(),
        **{"problem": "", "asked": "", "sent": "", **more},
    )


def in_words(view: View, mine: Filter, tongue: Language) -> str:
    """What a feed holds."""
    if view.kind is Kind.YOU:
        return tongue.say("For you")
    if view.kind is Kind.SAVED:
        return tongue.say("Saved")
    if view.kind is Kind.ABOVE:
        return tongue.say("Score above {n}", n=tongue.number(view.value, 2))
    named = {one.id: one.text for one in mine.interests()}
    if view.kind is Kind.SOURCE:
        named = {one.id: one.title or one.url for one in mine.store.sources()}
    return named.get(int(view.value)) or tongue.say("What it was made of is gone.")


@router.get("/digest")
def digest(request: Request, mine: Mine, who: Me, asked: str = "", sent: str = "") -> HTMLResponse:
    return _page(request, mine, who, asked=asked, sent=sent if sent in set(post.State) else "")


@router.post("/digest/schedule")
def schedule(request: Request, mine: Mine, who: Me, form: Annotated[ScheduleForm, Form()]) -> Response:
    try:
        chosen = Schedule.model_validate(form.model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        return _page(request, mine, who, 422, problem=f"{first['loc'][0]}: {first['msg']}")
    wanted = post.subscription(mine.store)
    code = spoken(request, preferences(mine.store)).code
    # A new schedule begins now: a slot of this morning is not made up for.
    change = {"schedule": chosen, "since": mine.clock(), "language": code, "home": own_origin(request)}
    post.keep(mine.store, wanted.model_copy(update=change))
    return RedirectResponse("/digest#schedule", 303)


@router.post("/digest/mail")
def mail(request: Request, mine: Mine, who: Me, address: Annotated[str, Form()] = "") -> Response:
    """Ask whether the address is theirs: a letter with a link goes there, and nothing else before it is opened."""
    tongue = spoken(request, preferences(mine.store))
    try:
        post.ask_for_address(mine, site(request).store.accounts, address, home=own_origin(request), tongue=tongue.code)
    except AttentionError as error:
        return _page(request, mine, who, 422, problem=str(error))
    return RedirectResponse("/digest?asked=1#mail", 303)


@router.post("/digest/mail/stop")
def no_mail(mine: Mine) -> Response:
    post.stop(mine.store)
    return RedirectResponse("/digest#mail", 303)


@router.post("/digest/send")
def send_now(request: Request, mine: Mine, who: Me) -> Response:
    """One more digest, at once; it does not count as the next one."""
    wanted = post.subscription(mine.store)
    if not wanted.confirmed:
        return _page(request, mine, who, 422, problem="Confirm your address first.")
    letter = post.send(mine, wanted, mine.clock())
    return RedirectResponse(f"/digest?sent={letter.state.value.replace(' ', '+')}#mail", 303)


# The next four are for whoever holds the token: no visitor, and nothing but what the token is for.


@router.get("/digest/confirm/{token}")
def confirm_page(request: Request, token: str) -> HTMLResponse:
    """A page with a button: programs that look through mail open links, and must not confirm anything."""
    found = _opened(request, token, post.CONFIRM)
    address = str(found.view["address"])
    return render(request, "letters.html", act=f"/digest/confirm/{token}", address=address, ask="confirm", done=False)


@router.post("/digest/confirm/{token}")
def confirm(request: Request, token: str) -> HTMLResponse:
    here = site(request)
    found = _opened(request, token, post.CONFIRM)
    address = str(found.view["address"])
    if not post.confirm(here.store.for_reader(found.reader), address, here.clock()):
        raise HTTPException(404, "This link is no longer valid; ask for a new one.")
    here.store.accounts.revoke(found.reader, found.id)
    return render(request, "letters.html", act="", address=address, ask="confirm", done=True)


@router.get("/digest/stop/{token}")
def stop_page(request: Request, token: str) -> HTMLResponse:
    _opened(request, token, post.STOP)
    return render(request, "letters.html", act=f"/digest/stop/{token}", address="", ask="stop", done=False)


@router.post("/digest/stop/{token}")
def stop(request: Request, token: str) -> HTMLResponse:
    """One click in a mail program is enough (RFC 8058): no cookie, no further question."""
    found = _opened(request, token, post.STOP)
    post.stop(site(request).store.for_reader(found.reader))
    return render(request, "letters.html", act="", address="", ask="stop", done=True)


def _opened(request: Request, token: str, purpose: str) -> Any:
    here = site(request)
    found = here.store.accounts.by_secret(token, purpose, here.clock())
    if found is None:
        raise HTTPException(404, "This link is no longer valid; ask for a new one.")
    return found
