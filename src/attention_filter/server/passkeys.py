"""Passkeys: WebAuthn credentials that a device keeps and offers by itself (discoverable, user verified).

A challenge waits on the server for five minutes and is good for one answer. See WebAuthn Level 3, section 7.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from attention_filter.errors import UsageError
from attention_filter.server.access import access, local_path, own_name, own_origin, signed_in
from attention_filter.store.accounts import Account

NOBODY = 0  # whom a challenge for signing in is for: whoever answers it

router = APIRouter(prefix="/passkeys")

Mine = Annotated[Account, Depends(signed_in)]
Credential = Annotated[dict[str, Any], Body()]  # what PublicKeyCredential.toJSON() gives


@router.post("/register/options")
def register_options(request: Request, account: Mine) -> Response:
    """What the browser needs to make a passkey for this account."""
    from webauthn import generate_registration_options
    from webauthn.helpers import structs

    here = access(request)
    options = generate_registration_options(
        rp_id=own_name(request),
        rp_name="Attention Filter",
        user_id=str(account.id).encode(),
        user_name=account.name,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            structs.PublicKeyCredentialDescriptor(id=one.credential_id) for one in here.accounts.passkeys(account.id)
        ],
    )
    return _ask(request, options, options.challenge, account.id)


@router.post("/register")
def register(
    request: Request, account: Mine, credential: Credential, name: Annotated[str, Body()] = "passkey"
) -> Response:
    """Keep the passkey that the browser has made; 400 when it did not answer our challenge on our page."""
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    here = access(request)
    challenge = _answered(request, credential, account.id)
    if challenge is None:
        return _refuse("registration")
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=own_name(request),
            expected_origin=own_origin(request),
            require_user_verification=True,
        )
        here.accounts.add_passkey(
            account.id, made.credential_id, made.credential_public_key, made.sign_count, name, here.clock()
        )
    except (WebAuthnException, UsageError, ValueError, KeyError, TypeError):
        return _refuse("registration")
    return JSONResponse({"next": "/account"})


@router.post("/sign-in/options")
def sign_in_options(request: Request) -> Response:
    """What the browser needs to offer the passkeys it has for this place."""
    from webauthn import generate_authentication_options
    from webauthn.helpers.structs import UserVerificationRequirement

    if wait := access(request).wait(request):
        return JSONResponse({"problem": "later"}, 429, {"Retry-After": str(ceil(wait))})
    options = generate_authentication_options(
        rp_id=own_name(request), user_verification=UserVerificationRequirement.REQUIRED
    )
    return _ask(request, options, options.challenge, NOBODY)


@router.post("/sign-in")
def sign_in(request: Request, credential: Credential, next: Annotated[str, Body()] = "/") -> Response:
    """Sign in whoever's passkey has signed our challenge."""
    from webauthn import verify_authentication_response
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.exceptions import WebAuthnException

    here = access(request)
    challenge = _answered(request, credential, NOBODY)
    try:
        passkey = here.accounts.passkey(base64url_to_bytes(credential["rawId"])) if challenge else None
        if passkey is None or challenge is None:
            here.refused("passkey")
            return _refuse("sign-in")
        proved = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=own_name(request),
            expected_origin=own_origin(request),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        here.refused("passkey")
        return _refuse("sign-in")
    here.accounts.set_sign_count(passkey.id, proved.new_sign_count)
    welcome = JSONResponse({"next": local_path(next)})
    here.sign_in(request, welcome, here.accounts.get(passkey.account), "passkey")
    return welcome


@router.post("/{id_}/delete")
def remove(request: Request, account: Mine, id_: int) -> Response:
    access(request).accounts.remove_passkey(account.id, id_)
    return RedirectResponse("/account", 303)


def _ask(request: Request, options: Any, challenge: bytes, account: int) -> Response:
    from webauthn import options_to_json
    from webauthn.helpers import bytes_to_base64url

    here = access(request)
    here.challenges.put(bytes_to_base64url(challenge), account, here.clock())
    return Response(options_to_json(options), media_type="application/json")


def _answered(request: Request, credential: dict[str, Any], account: int) -> bytes | None:
    """The challenge that the browser answers, if it is one of ours, made for this account and not yet used."""
    from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
    from webauthn.helpers.exceptions import WebAuthnException

    here = access(request)
    try:
        said = parse_client_data_json(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        waiting = here.challenges.take(bytes_to_base64url(said.challenge), here.clock())
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return None
    return said.challenge if waiting == account else None


def _refuse(what: str) -> Response:
    return JSONResponse({"problem": f"this {what} could not be verified; try again"}, 400)
