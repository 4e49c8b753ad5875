"""Sends letters over SMTP, and keeps what was sent: each slot once, even when the process is killed."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, TypeAdapter

from attention_filter.app import Filter
from attention_filter.errors import MailError, UsageError
from attention_filter.server.language import language
from attention_filter.server.letters import (
    Every,
    Schedule,
    confirmation_letter,
    digest_letter,
    mail_address,
    slot,
)
from attention_filter.settings import Settings
from attention_filter.store.accounts import Accounts
from attention_filter.store.store import Store
from attention_filter.types import Ranked

SUBSCRIPTION, LOG, TOLD = "digest", "letters", "letters told"  # names of the state we keep per reader
CONFIRM, STOP = "confirm mail", "stop mail"  # purposes of secrets
CONFIRMABLE = timedelta(days=2)
ASKED_A_DAY = 5  # confirmations at most, so that nobody is flooded in another's name
KEPT = 50  # letters in the log
REMEMBERED = 1_000  # items that were in a letter and do not come in another
TRIES = 6
FIRST_RETRY = timedelta(minutes=5)  # twice as long with each further one
TIMEOUT = 30.0  # seconds
SEVEN_BIT = SMTP.clone(cte_type="7bit")

Deliver = Callable[[Settings, EmailMessage, Callable[[], None]], None]


class State(StrEnum):
    TRYING = "trying"  # nothing has been handed over yet
    HANDING_OVER = "handing over"  # a kill here leaves it open whether the letter arrived
    SENT = "sent"
    NOTHING = "nothing"  # there was nothing to tell
    FAILED = "failed"  # to be tried again
    GIVEN_UP = "given up"
    UNSURE = "unsure"  # not tried again: rather no letter than two


ENDED = frozenset({State.SENT, State.NOTHING, State.GIVEN_UP, State.UNSURE})


class Letter(BaseModel):
    """One line of the log. `slot` is the moment it was due."""

    model_config = ConfigDict(frozen=True)

    slot: datetime
    to: str
    state: State
    at: datetime
    tries: int = 0
    items: int = 0
    next_try: datetime | None = None
    error: str = ""


class Subscription(BaseModel):
    """What a reader wants by mail. Nothing is sent before the address is confirmed."""

    model_config = ConfigDict(frozen=True)

    schedule: Schedule = Schedule()
    address: str = ""
    confirmed: bool = False
    home: str = ""  # where the links of a letter lead, "https://news.example.org"
    language: str = "en"
    stop: str = ""  # the token that ends the letters
    since: datetime | None = None  # slots up to then are over
    asked: tuple[datetime, ...] = ()  # when confirmations were sent lately


_LETTERS = TypeAdapter(list[Letter])


def subscription(store: Store) -> Subscription:
    stored = store.get_state(SUBSCRIPTION)
    return Subscription.model_validate_json(stored) if stored else Subscription()


def keep(store: Store, wanted: Subscription) -> None:
    store.put_state(SUBSCRIPTION, wanted.model_dump_json().encode())


def log(store: Store) -> list[Letter]:
    """The letters, the last one first."""
    return _LETTERS.validate_json(store.get_state(LOG) or b"[]")


def _note(store: Store, letter: Letter) -> None:
    """Write the letter down in place of what was known of its slot."""
    others = [one for one in log(store) if one.slot != letter.slot]
    store.put_state(LOG, _LETTERS.dump_json([letter, *others][:KEPT]))


def ask_for_address(
    mine: Filter, accounts: Accounts, address: str, *, home: str, tongue: str, deliver: Deliver | None = None
) -> None:
    """Send a letter with a link that confirms the address; nothing else is sent there before it was opened."""
    address, now, wanted = mail_address(address), mine.clock(), subscription(mine.store)
    if not mine.settings.smtp_host:
        raise UsageError("This server sends no mail yet: its owner sets smtp_host, smtp_from and the like.")
    asked = tuple(one for one in wanted.asked if now - one < timedelta(days=1))
    if len(asked) >= ASKED_A_DAY:
        raise UsageError("Enough confirmations were sent today; try again tomorrow.")
    keep(mine.store, wanted.model_copy(update={"asked": (*asked, now)}))
    token = accounts.make_secret(
        mine.store.reader, CONFIRM, address, now=now, view={"address": address}, expires=now + CONFIRMABLE
    )
    letter = confirmation_letter(
        sender=sender_of(mine.settings),
        to=address,
        link=f"{home}/digest/confirm/{token}",
        now=now,
        tongue=language(tongue),
    )
    (deliver or hand_over)(mine.settings, letter, lambda: None)
    stop = wanted.stop or accounts.make_secret(mine.store.reader, STOP, address, now=now)
    change = {"address": address, "confirmed": False, "home": home, "language": tongue, "stop": stop}
    keep(mine.store, subscription(mine.store).model_copy(update=change))


def confirm(store: Store, address: str, now: datetime) -> bool:
    """The link in the letter was opened; False when another address was given since."""
    wanted = subscription(store)
    if wanted.address != address:
        return False
    keep(store, wanted.model_copy(update={"confirmed": True, "since": now}))
    return True


def stop(store: Store) -> None:
    """No more letters; the address has to be confirmed anew before any more."""
    wanted = subscription(store)
    quiet = wanted.schedule.model_copy(update={"every": Every.NEVER})
    keep(store, wanted.model_copy(update={"schedule": quiet, "confirmed": False}))


def chosen(mine: Filter, wanted: Subscription) -> list[Ranked]:
    """What the next letter tells: the best of the stream that no letter has told yet."""
    told = set(json.loads(mine.store.get_state(TOLD) or b"[]"))
    size = wanted.schedule.size
    return [one for one in mine.stream(size + min(len(told), 200)) if one.item.id not in told][:size]


def send_due(mine: Filter, *, deliver: Deliver | None = None) -> Letter | None:
    """Send the digest whose time has come, if any; returns what became of it. To be called by one process at a time.

    What the log says decides: a letter that was being handed over when the process died is not sent again, since it
    may have arrived; one that had not got so far is.
    """
    wanted, now = subscription(mine.store), mine.clock()
    due = slot(wanted.schedule, now)
    if due is None or not wanted.confirmed or not mine.settings.smtp_host or (wanted.since and due <= wanted.since):
        return None
    last = next((one for one in log(mine.store) if one.slot == due), None)
    if last is not None and last.state is State.HANDING_OVER:
        return _noted(mine.store, last.model_copy(update={"state": State.UNSURE, "error": "broke off; not sent again"}))
    if last is not None and (last.state in ENDED or (last.next_try and last.next_try > now)):
        return None
    return send(mine, wanted, due, last.tries if last else 0, deliver)


def send(mine: Filter, wanted: Subscription, due: datetime, tries: int = 0, deliver: Deliver | None = None) -> Letter:
    """Send a digest for this slot now; returns what became of it."""
    now, items = mine.clock(), chosen(mine, wanted)
    letter = Letter(slot=due, to=wanted.address, state=State.TRYING, at=now, tries=tries + 1, items=len(items))
    if not items and wanted.schedule.only_news:
        return _noted(mine.store, letter.model_copy(update={"state": State.NOTHING}))
    _note(mine.store, letter)
    message = digest_letter(
        items,
        sender=sender_of(mine.settings),
        to=wanted.address,
        slot=due,
        now=now,
        tongue=language(wanted.language),
        stop=f"{wanted.home}/digest/stop/{wanted.stop}",
    )
    try:
        (deliver or hand_over)(
            mine.settings, message, lambda: _note(mine.store, letter.model_copy(update={"state": State.HANDING_OVER}))
        )
    except MailError as error:
        return _noted(mine.store, _failed(letter, error))
    _remember(mine.store, [one.item.id for one in items])
    return _noted(mine.store, letter.model_copy(update={"state": State.SENT}))


def _failed(letter: Letter, error: MailError) -> Letter:
    over = error.final or letter.tries >= TRIES
    state = State.UNSURE if error.unsure else State.GIVEN_UP if over else State.FAILED
    again = letter.at + FIRST_RETRY * 2 ** (letter.tries - 1) if state is State.FAILED else None
    return letter.model_copy(update={"state": state, "error": str(error), "next_try": again})


def _noted(store: Store, letter: Letter) -> Letter:
    _note(store, letter)
    return letter


def _remember(store: Store, items: list[int]) -> None:
    told = [one for one in json.loads(store.get_state(TOLD) or b"[]") if one not in items]
    store.put_state(TOLD, json.dumps([*told, *items][-REMEMBERED:]).encode())


def sender_of(settings: Settings) -> str:
    """Who the letters come from."""
    return settings.smtp_from or settings.smtp_user or f"Attention Filter <digest@{settings.smtp_host}>"


def hand_over(settings: Settings, letter: EmailMessage, about_to: Callable[[], None]) -> None:
    """Give the letter to the mail server. `about_to` is called when only the text itself is left to be sent.

    MailError: `final` when the server will not have it, `unsure` when it broke off while it took it.
    """
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    sender, to = parseaddr(letter["From"])[1], parseaddr(letter["To"])[1]
    handing = accepted = False
    try:
        with _connected(settings) as server:
            server.ehlo_or_helo_if_needed()
            for answer in (server.mail(sender), server.rcpt(to)):
                _check(where, *answer)
            about_to()
            handing = True
            answer = server.data(letter.as_bytes(policy=SEVEN_BIT))
            handing = False
            _check(where, *answer)
            accepted = True
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(f"{where}: does not let us in; check smtp_user and smtp_password", final=True) from error
    except smtplib.SMTPDataError as error:
        _check(where, error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b"")
    except (smtplib.SMTPException, OSError) as error:
        if accepted:  # only the goodbye went wrong
            return
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise MailError(f"{where}: {said}", unsure=handing) from error


def _connected(settings: Settings) -> smtplib.SMTP:
    secure = ssl.create_default_context()
    if settings.smtp_tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT, context=secure)
    else:
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=TIMEOUT)
    try:
        if settings.smtp_tls == "starttls":
            server.starttls(context=secure)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def _check(where: str, code: int, said: bytes) -> None:
    if not 200 <= code < 300:
        told = said.decode("utf-8", "replace").replace("\n", " ")[:200]
        raise MailError(f"{where}: {code} {told}", final=500 <= code < 600)


def waiting(store: Store, settings: Settings, now: datetime) -> list[str]:
    """The readers whose digest may be due: for whoever plans the work. `send_due` decides."""
    if not settings.smtp_host:
        return []
    found = []
    for name in store.readers():
        mine = store.for_reader(name)
        wanted = subscription(mine)
        due = slot(wanted.schedule, now)
        if due is None or not wanted.confirmed or (wanted.since and due <= wanted.since):
            continue
        last = next((one for one in log(mine) if one.slot == due), None)
        if last is None or not (last.state in ENDED or (last.next_try and last.next_try > now)):
            found.append(name)
    return found
