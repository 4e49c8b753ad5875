"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request


@dataclass(frozen=True)
class Visitor:
    """Who is asking: an account, or whoever sits at this machine."""

    account: int | None
    name: str
    reader: str
    is_owner: bool = True


def visitor(request: Request) -> Visitor:
    """Who is asking."""
    request.state.visitor = found = Visitor(None, "me", request.app.state.site.reader)
    return found
