"""The first run: what one cares about, what one follows, and the first ranked items while the rest is being read.

Each step is kept when it is done, so leaving and coming back goes on where it was left; all of it can be skipped.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter import standing
from attention_filter.app import Filter
from attention_filter.errors import AttentionError
from attention_filter.server.access import Visitor
from attention_filter.server.desk import Desk, News, lines, listed, make_desk, news_of
from attention_filter.server.lanes import Choice, Kept
from attention_filter.server.pages import sources as sources_page
from attention_filter.server.pages.profile import LARGEST_PROFILE, text_of
from attention_filter.server.pages.sources import body_of, follow
from attention_filter.server.preferences import preferences
from attention_filter.server.site import Me, Mine, is_fragment, render, site, spoken
from attention_filter.server.work import ask
from attention_filter.store.store import Store
from attention_filter.types import SourceKind

STATE = "welcome"  # kept once the first run was skipped or is over
ROWS = 3  # interests that are asked for
PREVIEW = 8  # ranked items that are shown while the rest is being read
FIRST = Choice()  # the stream's own list, of which they are the first
EXAMPLES = {
    "en": (
        "climate science and clean energy",
        "programming languages and how they are made",
        "history, told well",
        "what is new in AI research, without the hype",
        "local politics and city planning",
        "recipes with vegetables",
    ),
    "zh": (
        "人工智能的新研究，不要炒作",
        "气候与清洁能源",
        "好读的历史故事",
        "编程语言与开源软件",
        "城市规划与公共交通",
        "家常菜谱",
    ),
}

router = APIRouter()


@dataclass(frozen=True)
class Starter:
    """A feed of the starter set."""

    title: str
    url: str
    about: str


@dataclass(frozen=True)
class Theme:
    """Feeds on one theme in one language."""

    name: str
    lang: str
    feeds: tuple[Starter, ...]


@cache
def starter_set() -> tuple[Theme, ...]:
    """The curated feeds, from `starter.toml`; none is asked for anything before somebody chooses it."""
    tables = tomllib.loads((files("attention_filter.server") / "starter.toml").read_text("utf-8"))
    return tuple(
        Theme(one["name"], one["lang"], tuple(Starter(*feed) for feed in one["feeds"])) for one in tables["theme"]
    )


def is_new(store: Store) -> bool:
    """Whether the reader should be led through the first run."""
    return store.get_state(STATE) is None and not store.interests() and not store.followed()


@router.get("/welcome")
def welcome(mine: Mine) -> Response:
    """On with the first step that is not done."""
    step = "reading" if mine.store.sources() else "sources" if mine.interests() else "interests"
    return RedirectResponse(f"/welcome/{step}", 303)


@router.post("/welcome/skip")
def skip(mine: Mine) -> Response:
    mine.store.put_state(STATE, b"over")
    return RedirectResponse("/", 303)


def _interests(request: Request, mine: Filter, said: list[str], status: int = 200, problem: str = "") -> HTMLResponse:
    code = spoken(request, preferences(mine.store)).code
    said = [text for text in said if text.strip()]
    mixed = {code: EXAMPLES.get(code, ())} | {lang: texts[:2] for lang, texts in EXAMPLES.items() if lang != code}
    examples = [(lang, text) for lang, texts in mixed.items() for text in texts if text not in said]
    rows = said + [""] * max(ROWS - len(said), 1 if len(said) >= ROWS else 0)
    return render(request, "welcome_interests.html", status=status, said=rows, examples=examples, problem=problem)


@router.get("/welcome/interests")
def interests(request: Request, mine: Mine, who: Me) -> HTMLResponse:
    # The model takes seconds to load: time enough while somebody thinks about what to say.
    ask(site(request).store, "load", who.reader, mine.clock())
    return _interests(request, mine, [one.text for one in mine.interests() if one.weight > 0])


@router.post("/welcome/interests")
def say(
    request: Request,
    mine: Mine,
    who: Me,
    said: Annotated[list[str] | None, Form()] = None,
    example: Annotated[str, Form()] = "",
) -> Response:
    """Keep what was said: new lines are added, and those that were taken out are forgotten. An example that was
    clicked only fills a line. What was said is encoded by the worker, so that nobody waits here for the model."""
    wanted = [" ".join(text.split()) for text in said or () if text.strip()]
    if example:
        return _interests(request, mine, [*wanted, example])
    if not wanted:
        return _interests(request, mine, [], 422, "Say at least one thing, or skip this.")
    there = {one.text: one for one in mine.interests() if one.weight > 0}
    for text, one in there.items():
        if text not in wanted:
            mine.remove_interest(one.id)
    for text in wanted:
        if text not in there:
            mine.store.add_interest(text, 1.0, mine.clock())
    if mine.store.count_items():
        ask(site(request).store, "understand", who.reader, mine.clock(), payload={"awaited": True})
    return RedirectResponse("/welcome/sources", 303)


def _sources(request: Request, mine: Filter, status: int = 200, **more: Any) -> HTMLResponse:
    code = spoken(request, preferences(mine.store)).code
    followed = mine.store.sources()
    return render(
        request,
        "welcome_sources.html",
        status=status,
        themes=sorted(starter_set(), key=lambda theme: theme.lang != code),
        followed=followed,
        urls={one.url for one in followed},
        **{"problem": "", "address": "", "taken": "", **more},
    )


@router.get("/welcome/sources")
def sources(request: Request, mine: Mine) -> HTMLResponse:
    return _sources(request, mine)


@router.post("/welcome/sources")
def choose(
    request: Request,
    mine: Mine,
    who: Me,
    chosen: Annotated[list[str] | None, Form()] = None,
    address: Annotated[str, Form()] = "",
    more: Annotated[str, Form()] = "",
) -> Response:
    """Follow what was ticked and typed; then read, or (with `more`) stay to add more."""
    known = {feed.url: (feed, theme) for theme in starter_set() for feed in theme.feeds}
    folder = spoken(request, preferences(mine.store)).say
    for url in chosen or ():
        if url in known:
            feed, theme = known[url]
            mine.store.add_source(url, SourceKind.FEED, title=feed.title, folder=folder(theme.name), now=mine.clock())
    try:
        if address.strip():
            follow(request, mine, who, address)
    except AttentionError as error:
        return _sources(request, mine, 422, problem=str(error), address=address)
    if more:
        return RedirectResponse("/welcome/sources", 303)
    if not mine.store.sources():
        return _sources(request, mine, 422, problem="Choose at least one source, or skip this.")
    return RedirectResponse(_begin(request, mine, who), 303)


@router.post("/welcome/import")
def bring(request: Request, mine: Mine, file: Annotated[UploadFile, File()]) -> Response:
    """An OPML list of any feed reader, or a profile that was exported here."""
    try:
        body = body_of(file, LARGEST_PROFILE)
        if body.lstrip().startswith(b"{"):
            done = mine.import_profile(text_of(body))
            tongue = spoken(request, preferences(mine.store))
            taken = tongue.say("{n} interests, {m} rules", n=done.interests, m=done.rules)
            missing = tongue.say(
                "{n} acts are about items that are not here yet: import it again once your sources are read.",
                n=done.missing,
            )
            return _sources(request, mine, taken=f"{taken}. {missing}" if done.missing else taken)
        followed = mine.follow_opml(body)
    except AttentionError as error:
        return _sources(request, mine, 422, problem=str(error))
    tongue = spoken(request, preferences(mine.store))
    taken = tongue.count("{n} feed is followed.", "{n} feeds are followed.", len(followed))
    return _sources(request, mine, taken=taken)


def _begin(request: Request, mine: Filter, who: Visitor) -> str:
    mine.store.put_state(STATE, b"over")
    if due := mine.store.due_sources(mine.clock()):
        sources_page.read(request, who, due)
    return "/welcome/reading"


@router.post("/welcome/read")
def read(request: Request, mine: Mine, who: Me) -> Response:
    return RedirectResponse(_begin(request, mine, who), 303)


@router.get("/welcome/reading")
def reading(request: Request, mine: Mine, who: Me) -> HTMLResponse:
    """The first list that there is, which stays while the rest is read; as a part, what htmx puts in place of none."""
    here, shown = site(request), _work(request, mine, who)
    if shown["work"].ended:
        here.shelf.look(mine.store)  # nobody is about to rank what there is
    with mine.store.snapshot() as now:
        ranked = standing.kept_head(now) is not None
        desk = make_desk(now, here.shelf.table(now))
        best = listed(desk, FIRST)[:PREVIEW]
        kept = here.lists.keep(now.reader, FIRST, desk.standing.head.id, best) if ranked else None
        shown |= {"kept": kept}
        shown |= {"lines": lines(desk, best.tolist()), "news": _news(desk, kept)} if kept else {}
    template = "_first.html" if is_fragment(request) else "welcome_reading.html"
    return render(request, template, **shown)


@router.get("/welcome/fresh")
def fresh(request: Request, mine: Mine) -> Response:
    """Whether the first look would be another by now; a part of a page."""
    here = site(request)
    kept = here.lists.find(mine.store.reader, request.query_params.get("list", ""))
    if kept is None:
        return Response(status_code=204)
    with mine.store.snapshot() as now:
        return render(request, "_fresh.html", news=_news(make_desk(now, here.shelf.table(now)), kept))


@router.get("/welcome/work")
def work(request: Request, mine: Mine, who: Me) -> HTMLResponse:
    """How far the first reading is; a part of a page."""
    return render(request, "_first_work.html", **_work(request, mine, who))


def _news(desk: Desk, kept: Kept) -> News:
    return news_of(desk, kept, PREVIEW, "/welcome/fresh", "/welcome/reading")


def _work(request: Request, mine: Filter, who: Visitor) -> dict[str, Any]:
    return {
        "work": sources_page.reading(request, who),
        "count": mine.store.count_items(),
        "troubled": sum(bool(one.failures) for one in mine.store.sources()),
    }
