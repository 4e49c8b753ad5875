"""Signing in at an OpenID Connect provider: the code flow with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1).

Nothing is remembered of the provider between two flows: what it says of itself and its keys are read each time, by
our one HTTP client. An identity signs in to the account that has connected it, and makes none by itself.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Annotated, Any
from urllib.parse import quote_plus

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.errors import DataError, SourceError
from attention_filter.server.access import access, local_path, own_origin, set_cookie, signed_in
from attention_filter.server.site import render, site
from attention_filter.settings import Settings
from attention_filter.sources.fetch import Client
from attention_filter.store.accounts import Account

CALLBACK = "/sign-in/oidc/callback"
COOKIE = "attention-oidc"  # holds the state, so that no one else's answer is taken for ours
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
LEEWAY = 60  # seconds that two clocks may differ

router = APIRouter()

Mine = Annotated[Account, Depends(signed_in)]


@dataclass(frozen=True)
class Flow:
    """What we must remember until the provider sends the browser back."""

    nonce: str
    verifier: str
    next: str
    connect: int | None  # the account that wants to connect its identity; None to sign in


@dataclass(frozen=True)
class Provider:
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorize: str
    token: str
    keys: str
    takes_basic: bool  # the client's secret in the Authorization header, rather than in the form


@router.get("/sign-in/oidc")
def start(request: Request, next: str = "/") -> Response:
    return _start(request, local_path(next), None)


@router.get("/account/oidc")
def connect(request: Request, account: Mine) -> Response:
    """Connect an identity to one's account; only from our own page, since browsers follow anybody's links."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "this link came from another site, so nothing was done")
    return _start(request, "/account", account.id)


@router.get(CALLBACK)
def finish(request: Request, state: str = "", code: str = "", error: str = "", iss: str = "") -> Response:
    """The browser is back: exchange the code for an id token, check it, and let in whom it names."""
    here, settings = access(request), site(request).settings
    mine = hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), state.encode())
    flow = here.flows.take(state, here.clock()) if mine and state else None
    if flow is None:
        return _failed(request, "This sign-in has expired or was not started here. Start again.")
    if error or not code:
        return _failed(request, "The provider did not sign you in.")
    try:
        with Client(settings) as client:
            provider = discover(client, settings)
            if iss and iss != provider.issuer:  # RFC 9207: an answer of another provider
                raise DataError("the answer names another issuer")
            tokens = _exchange(client, settings, provider, code, flow, own_origin(request) + CALLBACK)
            keys = _object(client.get(provider.keys).body)
        subject = verified_subject(
            tokens, keys, provider, settings.oidc_client_id, flow.nonce, here.clock().timestamp()
        )
    except (SourceError, DataError) as problem:
        return _failed(request, "The provider could not be asked or its answer is not valid.", problem)
    return _let_in(request, provider.issuer, subject, flow)


@router.post("/account/identities/{id_}/delete")
def remove(request: Request, account: Mine, id_: int) -> Response:
    access(request).accounts.remove_identity(account.id, id_)
    return RedirectResponse("/account", 303)


def _start(request: Request, wanted: str, account: int | None) -> Response:
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
    from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

    here, settings = access(request), site(request).settings
    if not settings.oidc_issuer:
        raise HTTPException(404, "no provider is set up here")
    if here.wait(request):
        return _failed(request, "Too many tries. Wait a moment and try again.")
    try:
        with Client(settings) as client:
            provider = discover(client, settings)
    except (SourceError, DataError) as problem:
        return _failed(request, "The provider could not be asked or its answer is not valid.", problem)
    state, flow = token_urlsafe(32), Flow(token_urlsafe(32), token_urlsafe(48), wanted, account)
    here.flows.put(state, flow, here.clock())
    where = prepare_grant_uri(
        provider.authorize,
        settings.oidc_client_id,
        "code",
        redirect_uri=own_origin(request) + CALLBACK,
        scope="openid",
        state=state,
        nonce=flow.nonce,
        code_challenge=create_s256_code_challenge(flow.verifier),
        code_challenge_method="S256",
    )
    answer = RedirectResponse(where, 303)
    set_cookie(request, answer, COOKIE, state, 600)
    return answer


def _let_in(request: Request, issuer: str, subject: str, flow: Flow) -> Response:
    here = access(request)
    answer = RedirectResponse(flow.next, 303)
    set_cookie(request, answer, COOKIE, "", 0)
    if flow.connect is not None:
        who = here.who(request)
        if who is None or who.account != flow.connect:  # signed out, or somebody else by now
            return _failed(request, "Sign in to your account again, then connect it.")
        here.accounts.add_identity(flow.connect, issuer, subject)
        return answer
    account = here.accounts.by_identity(issuer, subject)
    if account is None:
        return _failed(
            request, "Nobody here has connected this identity. Sign in, then connect it on your account page."
        )
    here.sign_in(request, answer, account, "oidc")
    return answer


def discover(client: Client, settings: Settings) -> Provider:
    """What the issuer of the settings says of itself; DataError when it is not what it should be."""
    issuer = settings.oidc_issuer
    said = _object(client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").body)
    if said.get("issuer") != issuer:
        raise DataError(f"{issuer}: calls itself {said.get('issuer')!r}; set oidc_issuer to exactly that")
    authorize, token, keys = (str(said.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
    secure = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
    if not all(address.startswith(secure) for address in (authorize, token, keys)):
        raise DataError(f"{issuer}: does not say where to sign in over https")
    methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(issuer, authorize, token, keys, "client_secret_basic" in methods)


def _exchange(
    client: Client, settings: Settings, provider: Provider, code: str, flow: Flow, callback: str
) -> Mapping[str, Any]:
    """The tokens for the code (RFC 6749, section 4.1.3, with the verifier of RFC 7636)."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": flow.verifier}
    headers = {"Accept": "application/json"}
    secret = settings.oidc_client_secret.get_secret_value()
    if secret and provider.takes_basic:
        pair = f"{quote_plus(settings.oidc_client_id)}:{quote_plus(secret)}"  # RFC 6749, section 2.3.1
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    else:
        form |= {"client_id": settings.oidc_client_id} | ({"client_secret": secret} if secret else {})
    return _object(client.post_form(provider.token, form, headers=headers).body)


def verified_subject(
    tokens: Mapping[str, Any], keys: Mapping[str, Any], provider: Provider, client_id: str, nonce: str, now: float
) -> str:
    """Whom the id token names, after every check of OpenID Connect Core 3.1.3.7; DataError when one fails.

    `keys` is the provider's JSON Web Key Set, `now` is in seconds since 1970.
    """
    from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    options = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    expected = {"nonce": nonce, "client_id": client_id, "access_token": tokens.get("access_token")}
    try:
        token = jwt.decode(str(tokens["id_token"]), KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        claims = CodeIDToken(token.claims, token.header, options, expected)
        claims.validate(now=int(now), leeway=LEEWAY)
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{provider.issuer}: its id token is not valid ({type(error).__name__})") from error
    subject = token.claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise DataError(f"{provider.issuer}: its id token names nobody")
    return subject


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise DataError("the provider did not answer in JSON") from error
    if not isinstance(found, dict):
        raise DataError("the provider did not answer with a JSON object")
    return found


def _failed(request: Request, problem: str, cause: Exception | None = None) -> Response:
    access(request).refused(f"oidc ({cause})" if cause else "oidc")
    answer = render(request, "sign_in_failed.html", status=400, problem=problem)
    set_cookie(request, answer, COOKIE, "", 0)
    return answer
