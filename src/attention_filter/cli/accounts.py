"""Who may sign in to the web page, for whoever sits at the machine: list, add, password, remove, invite."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import AsJson, hint, opened, print_json, screen, session, settings
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.store.accounts import Account, Accounts

Name = Annotated[str, typer.Argument(metavar="NAME")]
FromStdin = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, one line.")]

group = typer.Typer(help="Who may sign in to the web page: list, add, password, remove, invite.")


@group.callback(invoke_without_command=True)
def accounts_default(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_accounts(ctx, as_json)


@group.command("list")
def list_accounts(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Who has an account (the same as `attention accounts`)."""
    from attention_filter import documents
    from attention_filter.cli import tables

    with opened(ctx) as filter:
        found, now = filter.store.accounts.all(), filter.clock()
    if as_json:
        print_json(documents.accounts(found))
    elif found:
        screen().print(tables.accounts(found, now))
    else:
        screen().print("No accounts yet: whoever sits at this machine sees the page. attention accounts add NAME")


@group.command("add")
def add(ctx: typer.Context, name: Name, from_stdin: FromStdin = False) -> None:
    """Make an account. The first owns the place, and takes over what the command line has made on this database."""
    from attention_filter.server.passwords import hash_password
    from attention_filter.store.accounts import checked_name

    with opened(ctx) as filter:
        here, now = filter.store.accounts, filter.clock()
        if here.find(checked_name(name)):
            raise UsageError(f"{name}: this name is taken; choose another")
        password = hash_password(_asked(from_stdin))
        token = _invitation(here, name, now) if here.any() else None
        made = here.create(name, password, now=now, adopt=session(ctx).reader, invitation=token)
    screen().print(f"{made.name} may sign in{', and owns the place' if made.is_owner else ''}")
    hint(f"attention --reader {made.reader!r} … works on the same stream")


@group.command("password")
def password(ctx: typer.Context, name: Name, from_stdin: FromStdin = False) -> None:
    """Give an account another password, as when it was forgotten. It is signed out everywhere."""
    from attention_filter.server.passwords import hash_password

    with opened(ctx) as filter:
        here = filter.store.accounts
        account = _found(here, name)
        here.set_password(account.id, hash_password(_asked(from_stdin)))
        here.end_all_sessions(account.id)
    screen().print(f"{account.name} has a new password, and is signed out everywhere")


@group.command("remove")
def remove(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Close an account and forget everything of theirs: interests, rules, feedback. The owner goes last."""
    with opened(ctx) as filter:
        account = _found(filter.store.accounts, name)
        if not yes and not sys.stdin.isatty():
            raise UsageError("this cannot be undone; attention backup FILE first, then say --yes")
        if not yes and not typer.confirm(f"Forget {account.name} and everything of theirs for good?", err=True):
            raise UsageError("nothing was removed")
        filter.store.accounts.delete(account.id)
    screen().print(f"Forgotten: {account.name}")


@group.command("invite")
def invite(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for, to know it again.")],
) -> None:
    """Print a link with which one person makes an account of their own, once, within a week."""
    from attention_filter.cli.serve import address_of

    with opened(ctx) as filter:
        token = _invitation(filter.store.accounts, name, filter.clock())
    wanted = settings()
    start = wanted.base_url or address_of(wanted.host, wanted.port)
    print(f"{start.rstrip('/')}/invitation/{token}")
    if not wanted.base_url:
        hint("ATTENTION_BASE_URL says where others reach this server; put that in place of the link's start")


def _invitation(here: Accounts, name: str, now: datetime) -> str:
    """The token of an invitation, as the owner makes one."""
    from attention_filter.store.secrets import INVITATION, INVITED_FOR

    owner = next((one for one in here.all() if one.is_owner), None)
    if owner is None:
        raise UsageError("nobody owns this place yet; make the first account with attention accounts add NAME")
    return here.make_secret(owner.reader, INVITATION, name, now=now, expires=now + INVITED_FOR)


def _found(here: Accounts, name: str) -> Account:
    account = here.find(name)
    if account is None:
        raise UsageError(f"nobody here is called {name!r}; see attention accounts")
    return account


def _asked(from_stdin: bool) -> str:
    """A password: typed twice without being shown, or one line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the password; give it with --stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
