"""Passwords: argon2 through pwdlib, at least eight characters and no other rule (NIST SP 800-63B, 5.1.1.2)."""

from __future__ import annotations

import unicodedata
from functools import cache
from secrets import token_urlsafe
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from pwdlib import PasswordHash

SHORTEST = 8  # characters

# A hash takes 64 MiB and a core for a moment; a hundred guesses at once must not take the machine.
_AT_ONCE = BoundedSemaphore(2)


def hash_password(password: str) -> str:
    """The argon2id hash to be stored; UsageError when the password is too short."""
    if len(password) < SHORTEST:
        raise UsageError(f"a password needs at least {SHORTEST} characters")
    with _AT_ONCE:
        return _hasher().hash(_same(password))


def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether it is the password, and a new hash to be stored when argon2's parameters have changed since.

    Without a stored hash it is never right, after the same work: the time of an answer does not tell who is here.

    >>> verify("correct horse", hash_password("correct horse")), verify("correct horse", None)
    ((True, None), (False, None))
    """
    nobody = _nobody()
    with _AT_ONCE:
        right, renewed = _hasher().verify_and_update(_same(password), nobody if stored is None else stored)
    return (right and stored is not None), (renewed if right and stored is not None else None)


def _same(password: str) -> bytes:
    """One spelling of what looks the same, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _hasher() -> PasswordHash:
    from pwdlib import PasswordHash  # only who signs in with a password pays for it

    return PasswordHash.recommended()


@cache
def _nobody() -> str:
    """The hash of a password that nobody knows."""
    return _hasher().hash(token_urlsafe(32))
