"""The sources: how each is doing and what it brings; adding, renaming, moving, muting, removing, reading now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.errors import AttentionError, DataError, UsageError
from attention_filter.server import undo
from attention_filter.server.access import Visitor
from attention_filter.server.progress import Progress, progress_of
from attention_filter.server.site import Me, Mine, back, render, site
from attention_filter.server.wall import is_loopback
from attention_filter.server.work import ask
from attention_filter.store.jobs import State
from attention_filter.store.sources import Tally
from attention_filter.types import Source, SourceKind

LATELY = timedelta(days=28)
SHOWN = 30  # items on a source's own page
LARGEST_LIST = 5_000_000  # bytes of an OPML file
# What went wrong, by what the fetcher says of it: the first that fits. (A word of the error, what to tell.)
TROUBLES = (
    ("HTTP 410", "It is gone for good, and says so."),
    ("refuses us", "It refuses us; perhaps it wants a login."),
    ("asks us to come back", "It asks us to come back later."),
    ("nothing to read there", "There is nothing at this address any more."),
    ("no such host", "There is no such host; check the address."),
    ("name server", "The name server did not answer; are you online?"),
    ("timed out", "It took too long to answer."),
    ("no connection", "No connection could be made."),
    ("handshake", "No connection could be made."),
    ("certificate", "Its certificate is not valid."),
    ("TLS", "There is no secure connection to it."),
    ("no feed", "There is no feed at this address any more."),
    ("no JSON Feed", "There is no feed at this address any more."),
    ("no longer there", "The file or folder is no longer there."),
    ("damaged", "What it sends is damaged."),
    ("broken JSON", "What it sends is damaged."),
    ("private", "The address lies in a private network."),
    ("more than", "It sends more than we take."),
    ("broke off", "It broke off in the middle of its answer."),
    ("redirects", "It redirects without end."),
)

router = APIRouter()


@dataclass(frozen=True)
class Row:
    """A source as the list shows it: items a week, and the share in [0, 1] of all that the reader liked."""

    source: Source
    health: str  # ok, new, failing, muted or gone
    trouble: str  # in words; empty when all is well
    tally: Tally
    weekly: float
    share: float | None  # None: nothing was liked yet


def health(source: Source) -> str:
    """In one word: gone (it said so itself), muted, failing, new (never read) or ok."""
    if source.gone:
        return "gone"
    if source.muted:
        return "muted"
    if source.failures:
        return "failing"
    return "new" if source.last_fetched is None else "ok"


def trouble(error: str | None) -> str:
    """What went wrong, as a sentence that has a translation; the error itself when there is none.

    >>> trouble("example.org: timed out after 30 s; it will be tried again later"), trouble(None)
    ('It took too long to answer.', '')
    """
    return next((said for word, said in TROUBLES if error and word in error), error or "")


def rows(mine: Mine) -> list[Row]:
    """Every source with its health and what it brought."""
    tallies = mine.store.tallies(mine.clock() - LATELY)
    liked = sum(tally.liked for tally in tallies.values())
    weeks = LATELY / timedelta(weeks=1)
    made = []
    for source in mine.store.sources():
        tally = tallies.get(source.id, Tally())
        share = tally.liked / liked if liked else None
        made.append(
            Row(source, health(source), trouble(source.last_error), tally, round(tally.lately / weeks, 1), share)
        )
    return made


def by_folder(found: list[Row]) -> dict[str, list[Row]]:
    """{folder: its sources}, folders in order of their names, those in none first; those in trouble first in each."""
    order = ("gone", "failing", "new", "ok", "muted")
    folders = sorted({row.source.folder for row in found}, key=str.casefold)
    key = {row.source.id: (order.index(row.health), (row.source.title or row.source.url).casefold()) for row in found}
    return {
        folder: sorted((row for row in found if row.source.folder == folder), key=lambda row: key[row.source.id])
        for folder in folders
    }


def why_no_paths(request: Request, who: Visitor) -> str:
    """Why this visitor may not follow files and folders of this machine; empty when they may.

    Only who sits at it may: the owner, at a server bound to loopback, with no proxy in between.
    """
    if not who.is_owner:
        return "Only the owner of this server may follow files and folders of it."
    settings = site(request).settings
    if not is_loopback(settings.host) or settings.trusted_proxies or request.state.forwarded:
        return "Files and folders can be followed only while the server listens to its own machine alone."
    return ""


def follow(request: Request, mine: Mine, who: Visitor, address: str, folder: str = "") -> Source:
    """Follow a feed, the feed of a page, or a file or folder where that is allowed. An address may lack its scheme."""
    address = address.strip()
    if not address:
        raise UsageError("Give the address of a feed or of a page that has one.")
    if urlsplit(address).scheme in ("http", "https"):
        return mine.add(address, folder=folder)
    if address.startswith(("/", "~", ".")):
        if said := why_no_paths(request, who):
            raise UsageError(said)
        return mine.add(address, folder=folder)
    return mine.add(f"https://{address}", folder=folder)


def body_of(upload: UploadFile, largest: int) -> bytes:
    """What was uploaded, when it is no more than that many bytes."""
    body = upload.file.read(largest + 1)
    if not body:
        raise DataError("Choose a file first.")
    if len(body) > largest:
        raise DataError("The file is too large.")
    return body


def read(request: Request, who: Visitor, chosen: Sequence[Source] | None = None) -> None:
    """Have these sources read, or all that are not muted, and what they bring ranked."""
    here = site(request)
    payload = None if chosen is None else {"sources": [one.id for one in chosen]}
    ask(here.store, "fetch", who.reader, here.clock(), payload=payload)


def reading(request: Request, who: Visitor) -> Progress:
    """How far the reading for this visitor is."""
    here = site(request)
    return progress_of(here.store.jobs.listed(list(State), reader=who.reader), who.reader, here.clock())


def _page(request: Request, mine: Mine, who: Visitor, status: int = 200, **more: str | int) -> HTMLResponse:
    found = rows(mine)
    return render(
        request,
        "sources.html",
        status=status,
        folders=by_folder(found),
        count=len(found),
        work=reading(request, who),
        removed=undo.offered(mine.store, "/sources", mine.clock()),
        paths=why_no_paths(request, who),
        **{"address": "", "folder": "", "problem": "", "added": 0, **more},
    )


@router.get("/sources")
def sources(request: Request, mine: Mine, who: Me, added: int = 0) -> HTMLResponse:
    return _page(request, mine, who, added=added)


@router.get("/add")
def add_from_page(request: Request, mine: Mine, who: Me, url: str = "") -> HTMLResponse:
    """Where the bookmarklet leads: the form with the page's address in it; nothing is followed before it is sent."""
    return _page(request, mine, who, address=url)


@router.post("/sources")
def add(
    request: Request, mine: Mine, who: Me, address: Annotated[str, Form()] = "", folder: Annotated[str, Form()] = ""
) -> Response:
    try:
        source = follow(request, mine, who, address, folder)
    except AttentionError as error:
        return _page(request, mine, who, 422, problem=str(error), address=address, folder=folder)
    read(request, who, [source])
    return RedirectResponse("/sources", 303)


@router.post("/sources/restore")
def restore(
    request: Request,
    mine: Mine,
    who: Me,
    url: Annotated[str, Form()],
    kind: Annotated[SourceKind, Form()],
    title: Annotated[str, Form()] = "",
    folder: Annotated[str, Form()] = "",
    muted: Annotated[bool, Form()] = False,
    columns: Annotated[str, Form()] = "{}",
) -> Response:
    """Follow again what was removed; its items and what was learned from them are still there."""
    if kind is not SourceKind.FEED and (said := why_no_paths(request, who)):
        raise UsageError(said)
    if kind is SourceKind.FEED and urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"{url}: not the address of a feed")
    named = tuple(dict(json.loads(columns)).items())
    source = mine.store.add_source(url, kind, title=title, folder=folder, columns=named, now=mine.clock())
    if muted:
        mine.store.set_muted(source.id, True)
    undo.settle(mine.store)
    return RedirectResponse("/sources", 303)


@router.post("/sources/opml")
def take_opml(request: Request, mine: Mine, who: Me, file: Annotated[UploadFile, File()]) -> Response:
    try:
        followed = mine.follow_opml(body_of(file, LARGEST_LIST))
    except AttentionError as error:
        return _page(request, mine, who, 422, problem=str(error))
    read(request, who, followed)
    return RedirectResponse(f"/sources?added={len(followed)}", 303)


@router.get("/sources/opml")
def give_opml(mine: Mine) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="attention-filter.opml"'}
    return Response(mine.export_opml(), media_type="text/x-opml", headers=headers)


@router.post("/sources/read")
def read_all(request: Request, who: Me) -> Response:
    read(request, who)
    return RedirectResponse("/sources", 303)


@router.get("/sources/work")
def work(request: Request, who: Me) -> HTMLResponse:
    """How far the reading is; a part of a page that asks again while it goes on."""
    return render(request, "_work.html", work=reading(request, who))


@router.get("/sources/{id_}")
def source(request: Request, mine: Mine, who: Me, id_: int) -> HTMLResponse:
    mine.store.source(id_)
    (row,) = (one for one in rows(mine) if one.source.id == id_)
    items = mine.store.newest(SHOWN, source=id_)
    ranked = {one.item.id: one for one in mine.rank([item.id for item in items])}
    acts = {act.item: act.sign for act in mine.store.feedback()}
    return render(
        request,
        "source.html",
        row=row,
        items=[(ranked[item.id], acts.get(item.id)) for item in items],
        folders=sorted({one.folder for one in mine.store.sources() if one.folder}),
        work=reading(request, who),
    )


@router.post("/sources/{id_}")
def edit(mine: Mine, id_: int, title: Annotated[str, Form()] = "", folder: Annotated[str, Form()] = "") -> Response:
    mine.store.edit_source(id_, title=title, folder=folder)
    return RedirectResponse(f"/sources/{id_}", 303)


@router.post("/sources/{id_}/mute")
def mute(request: Request, mine: Mine, id_: int, muted: Annotated[bool, Form()] = True) -> Response:
    mine.store.set_muted(id_, muted)
    return back(request, "/sources")


@router.post("/sources/{id_}/read")
def read_one(request: Request, mine: Mine, who: Me, id_: int) -> Response:
    read(request, who, [mine.store.source(id_)])
    return back(request, "/sources")


@router.post("/sources/{id_}/remove")
def remove(mine: Mine, id_: int) -> Response:
    gone = mine.store.source(id_)
    mine.store.remove_source(id_)
    fields = {"url": gone.url, "kind": gone.kind.value, "title": gone.title, "folder": gone.folder}
    fields |= {"muted": "true"} if gone.muted else {}
    fields |= {"columns": json.dumps(dict(gone.columns))} if gone.columns else {}
    undo.offer(mine.store, "/sources", gone.title or gone.url, "/sources/restore", fields, mine.clock())
    return RedirectResponse("/sources", 303)
