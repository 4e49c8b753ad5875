"""What every page shares: the store, the clock, the encoder, the templates, the visitor's language."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from attention_filter import standing
from attention_filter.app import Filter
from attention_filter.server import daily, wording
from attention_filter.server.access import Visitor, local_path, own_origin, visitor
from attention_filter.server.lanes import Lists
from attention_filter.server.language import Language, language, wanted_by
from attention_filter.server.preferences import Preferences, preferences
from attention_filter.server.shelf import Shelf
from attention_filter.settings import Settings
from attention_filter.store.store import Store

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

SOON = 2_000  # items that are ranked for the page that asks, when they never were: it takes less than a second


class Site:
    """One running server. `reader` is whose filter a visitor of this machine sees while there is no account."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        reader: str = "me",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.settings = settings
        self.reader = reader
        self.clock = clock
        self.shelf = Shelf(settings, clock, self.rank)
        self.lists = Lists()
        self.leave_page: Callable[[Store], object] = self.rank  # has a page of the day made by somebody else
        self._loading, self._making = Lock(), Lock()
        self.templates = Environment(
            # The drawings of `attention evaluate me --html` are shown here, too.
            loader=ChoiceLoader([PackageLoader("attention_filter.server"), PackageLoader("attention_filter")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.templates.globals["wording"] = wording

    @cached_property
    def _encoder(self) -> Encoder:
        from attention_filter.models.encoder import load_encoder  # half a second, and only some pages need it

        return load_encoder(self.settings.model)

    def encoder(self) -> Encoder:
        """The one encoder of this process, loaded by whoever first needs it."""
        with self._loading:
            return self._encoder

    def rank(self, store: Store) -> None:
        """A new standing at once; where there is a worker, it is asked for one instead, but for a first small one."""
        made = standing.refresh(store, preferences(store).tuned(self.settings), self.clock())
        daily.refresh(self.filter(store.reader), made.head.newest)

    def make_page(self, mine: Filter) -> None:
        """See that there is a page of the day, unless it was seen to that day, or nothing is ranked yet."""
        head, page = standing.kept_head(mine.store), daily.page_of(mine)
        if head is None or page.places or daily.shown(mine.store).day == page.day:
            return
        # One at a time, and of small streams only; the others are left to the worker.
        if mine.store.count_items() <= SOON and self._making.acquire(blocking=False):
            try:
                daily.refresh(mine, head.newest)
            finally:
                self._making.release()
        else:
            self.leave_page(mine.store)

    def filter(self, reader: str, wishes: Preferences | None = None) -> Filter:
        """A reader's filter on the shared database, not to be closed; `wishes` when they are at hand already."""
        store = self.store.for_reader(reader)
        return Filter(store, (wishes or preferences(store)).tuned(self.settings), self.clock, self.encoder)


def site(request: Request) -> Site:
    found: Site = request.app.state.site
    return found


def my_filter(request: Request, who: Annotated[Visitor, Depends(visitor)]) -> Filter:
    """The visitor's own filter; every page reaches the store through it."""
    here = site(request)
    request.state.wishes = preferences(here.store.for_reader(who.reader))
    return here.filter(who.reader, request.state.wishes)


Me = Annotated[Visitor, Depends(visitor)]
Mine = Annotated[Filter, Depends(my_filter)]


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A template in the visitor's language. In it `t("…")` translates, `tn` counts, `lang` has ago, number, percent."""
    here = site(request)
    who: Visitor | None = getattr(request.state, "visitor", None)
    read = getattr(request.state, "wishes", None)
    wishes = read or (preferences(here.store.for_reader(who.reader)) if who else Preferences())
    tongue = spoken(request, wishes)
    page = here.templates.get_template(template).render(
        request=request,
        visitor=who,
        wishes=wishes,
        lang=tongue,
        t=tongue.say,
        tn=tongue.count,
        now=here.clock(),
        path=request.url.path,
        **context,
    )
    return HTMLResponse(page, status, headers={"Vary": "HX-Request, Accept-Language", "Cache-Control": "no-store"})


def spoken(request: Request, wishes: Preferences) -> Language:
    """The language that the reader chose, or else the browser's."""
    return language(wishes.language or wanted_by(request.headers.get("Accept-Language", "")))


def back(request: Request, otherwise: str) -> Response:
    """After a form was sent: where it came from, when that is a page of ours, or else `otherwise`."""
    origin, referer = f"{own_origin(request)}/", request.headers.get("Referer", "")
    where = local_path(referer[len(origin) - 1 :]) if referer.startswith(origin) else otherwise
    return RedirectResponse(where, 303)
