"""Signing in and out, the first account, invitations, and the page of one's own account."""

from __future__ import annotations

from ipaddress import ip_address
from math import ceil
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.errors import UsageError
from attention_filter.server import passwords
from attention_filter.server.access import (
    Visitor,
    access,
    cookie_name,
    local_path,
    own_name,
    own_origin,
    owner,
    signed_in,
    visitor,
)
from attention_filter.server.site import render, site
from attention_filter.store.accounts import Account
from attention_filter.store.secrets import INVITATION, INVITED_FOR, hash_of

router = APIRouter()

Text = Annotated[str, Form()]
Mine = Annotated[Account, Depends(signed_in)]
Owner = Annotated[Visitor, Depends(owner)]

WRONG = "This name and password do not go together."
LATER = "Too many tries. Wait a moment and try again."


# Signing in and out


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = "/") -> Response:
    here = access(request)
    if here.who(request) is not None:
        return RedirectResponse(local_path(next), 303)
    if not here.accounts.any():
        return RedirectResponse("/setup", 303)
    return _sign_in_page(request, next)


@router.post("/sign-in")
def sign_in(request: Request, name: Text = "", password: Text = "", next: Text = "/") -> Response:
    here = access(request)
    if wait := here.wait(request, name):
        return _slow_down(_sign_in_page(request, next, LATER, name, 429), wait)
    account = here.accounts.find(name)
    right, renewed = passwords.verify(password, account.password if account else None)
    if account is None or not right:
        here.refused("password")
        return _sign_in_page(request, next, WRONG, name, 403)
    if renewed:
        here.accounts.set_password(account.id, renewed)
    return _welcome(request, account, "password", next)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    answer = RedirectResponse("/sign-in", 303)
    access(request).sign_out(request, answer)
    return answer


# The first account, and those that it invites


@router.get("/setup")
def show_setup(request: Request) -> Response:
    here = access(request)
    if here.accounts.any():
        return RedirectResponse("/", 303)
    return _new_account_page(request, code=not here.is_open(request))


@router.post("/setup")
def set_up(request: Request, name: Text = "", password: Text = "", code: Text = "") -> Response:
    """Make the first account, which takes over what the command line has made on this database."""
    here = access(request)
    if here.accounts.any():
        raise HTTPException(403, "there is an owner already; ask for an invitation")
    by_code = not here.is_open(request)
    if wait := here.wait(request):
        return _slow_down(_new_account_page(request, code=by_code, problem=LATER, name=name, status=429), wait)
    if by_code and not here.is_setup_code(code):
        here.refused("setup code")
        problem = "This is not the code that the server printed when it started."
        return _new_account_page(request, code=True, problem=problem, name=name, status=403)
    try:
        account = here.accounts.create(name, _hashed(request, password), adopt=site(request).reader, now=here.clock())
    except UsageError as error:
        return _new_account_page(request, code=by_code, problem=str(error), name=name, status=400)
    return _welcome(request, account, "setup", "/")


@router.get("/invitation/{token}")
def show_invitation(request: Request, token: str) -> Response:
    if access(request).accounts.by_secret(token, INVITATION, access(request).clock()) is None:
        raise HTTPException(404, "this invitation has been used or has expired; ask for a new one")
    return _new_account_page(request, invitation=token)


@router.post("/invitation/{token}")
def accept(request: Request, token: str, name: Text = "", password: Text = "") -> Response:
    here = access(request)
    if wait := here.wait(request):
        return _slow_down(_new_account_page(request, invitation=token, problem=LATER, name=name, status=429), wait)
    if here.accounts.by_secret(token, INVITATION, here.clock()) is None:
        raise HTTPException(404, "this invitation has been used or has expired; ask for a new one")
    try:
        account = here.accounts.create(name, _hashed(request, password), invitation=token, now=here.clock())
    except UsageError as error:
        return _new_account_page(request, invitation=token, problem=str(error), name=name, status=400)
    return _welcome(request, account, "invitation", "/")


@router.post("/account/invitations")
def invite(request: Request, who: Owner, account: Mine, name: Text = "") -> Response:
    """A link that makes one account, shown once; it lives for a week."""
    here = access(request)
    now = here.clock()
    token = here.accounts.make_secret(who.reader, INVITATION, name, now=now, expires=now + INVITED_FOR)
    return _account_page(request, account, link=f"{own_origin(request)}/invitation/{token}")


@router.post("/account/invitations/{id_}/revoke")
def revoke_invitation(request: Request, who: Owner, id_: int) -> Response:
    here = access(request)
    if id_ not in {one.id for one in here.accounts.secrets(who.reader, INVITATION, here.clock())}:
        raise UsageError(f"invitation {id_}: there is no such invitation")
    here.accounts.revoke(who.reader, id_)
    return _to_account()


@router.post("/account/people/{id_}/delete")
def delete_person(request: Request, who: Owner, id_: int) -> Response:
    """The owner closes somebody else's account, with all that is theirs alone."""
    if id_ == who.account:
        raise UsageError("your own account is deleted further down, with your password")
    access(request).accounts.delete(id_)
    return _to_account()


# One's own account


@router.get("/account")
def show_account(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> Response:
    if who.account is None:
        return RedirectResponse("/setup", 303)
    return _account_page(request, access(request).accounts.get(who.account))


@router.post("/account/name")
def rename(request: Request, account: Mine, name: Text = "") -> Response:
    try:
        access(request).accounts.rename(account.id, name)
    except UsageError as error:
        return _account_page(request, account, problem=str(error), status=400)
    return _to_account()


@router.post("/account/password")
def change_password(request: Request, account: Mine, current: Text = "", password: Text = "") -> Response:
    """Needs the old one, if there is one, and signs out every other browser."""
    here = access(request)
    if refused := _ask_again(request, account, current):
        return refused
    try:
        here.accounts.set_password(account.id, passwords.hash_password(password))
    except UsageError as error:
        return _account_page(request, account, problem=str(error), status=400)
    here.accounts.end_all_sessions(account.id, keep=request.cookies.get(cookie_name(request), ""))
    return _to_account()


@router.post("/account/sessions/end")
def end_other_sessions(request: Request, account: Mine) -> Response:
    access(request).accounts.end_all_sessions(account.id, keep=request.cookies.get(cookie_name(request), ""))
    return _to_account()


@router.post("/account/delete")
def delete_account(request: Request, account: Mine, current: Text = "") -> Response:
    """Forget the account and everything its reader has stored. Who has no password types the account's name."""
    if refused := _ask_again(request, account, current):
        return refused
    try:
        access(request).accounts.delete(account.id)
    except UsageError as error:
        return _account_page(request, account, problem=str(error), status=400)
    answer = RedirectResponse("/", 303)
    access(request).sign_out(request, answer)
    return answer


# Parts of the above


def _ask_again(request: Request, account: Account, current: str) -> Response | None:
    """The refusal of an act that a borrowed browser must not do, or None when its owner is there."""
    here = access(request)
    if wait := here.wait(request, account.name):
        return _slow_down(_account_page(request, account, problem=LATER, status=429), wait)
    right = current == account.name if account.password is None else passwords.verify(current, account.password)[0]
    if right:
        return None
    here.refused("password")
    problem = "Type the name of your account." if account.password is None else "This is not your password."
    return _account_page(request, account, problem=problem, status=403)


def _hashed(request: Request, password: str) -> str | None:
    """The password's hash; who is signed in at a trusted proxy needs none here."""
    return None if request.state.proxy_user and not password else passwords.hash_password(password)


def _welcome(request: Request, account: Account, way: str, wanted: str) -> Response:
    answer = RedirectResponse(local_path(wanted), 303)
    access(request).sign_in(request, answer, account, way)
    return answer


def _to_account() -> Response:
    return RedirectResponse("/account", 303)


def _slow_down(page: HTMLResponse, wait: float) -> HTMLResponse:
    page.headers["Retry-After"] = str(ceil(wait))
    return page


def passkeys_work(request: Request) -> bool:
    """Browsers know passkeys for names only, and only where nobody can listen (WebAuthn Level 3, 5.1.3)."""
    try:
        ip_address(own_name(request))
    except ValueError:
        return own_origin(request).startswith("https://") or own_name(request) == "localhost"
    return False


def _sign_in_page(request: Request, wanted: str, problem: str = "", name: str = "", status: int = 200) -> HTMLResponse:
    settings = site(request).settings
    return render(
        request,
        "sign_in.html",
        status=status,
        next=local_path(wanted),
        problem=problem,
        name=name,
        passkeys=passkeys_work(request),
        oidc=(settings.oidc_name or settings.oidc_issuer) if settings.oidc_issuer else "",
    )


def _new_account_page(
    request: Request,
    *,
    code: bool = False,
    invitation: str = "",
    problem: str = "",
    name: str = "",
    status: int = 200,
) -> HTMLResponse:
    return render(
        request,
        "new_account.html",
        status=status,
        code=code,
        invitation=invitation,
        problem=problem,
        name=name or request.state.proxy_user or "",
        shortest=passwords.SHORTEST,
        by_proxy=bool(request.state.proxy_user),
    )


def _account_page(
    request: Request, account: Account, *, problem: str = "", link: str = "", status: int = 200
) -> HTMLResponse:
    here, settings = access(request), site(request).settings
    now = here.clock()
    return render(
        request,
        "account.html",
        status=status,
        account=account,
        problem=problem,
        link=link,
        shortest=passwords.SHORTEST,
        sessions=here.accounts.sessions(account.id, now),
        this=hash_of(request.cookies.get(cookie_name(request), "")),
        passkeys=here.accounts.passkeys(account.id),
        passkeys_work=passkeys_work(request),
        identities=here.accounts.identities(account.id),
        oidc=(settings.oidc_name or settings.oidc_issuer) if settings.oidc_issuer else "",
        people=[one for one in here.accounts.all() if one.id != account.id] if account.is_owner else [],
        invitations=here.accounts.secrets(account.reader, INVITATION, now) if account.is_owner else [],
    )
