"""What every page shares: the store, the clock, the encoder, the templates, the visitor's language and wishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from attention_filter import standing
from attention_filter.app import Filter
from attention_filter.server.access import Visitor, visitor
from attention_filter.server.background import Background
from attention_filter.server.lanes import Lists
from attention_filter.server.language import Language, language, languages, wanted_by
from attention_filter.server.shelf import Shelf
from attention_filter.settings import Settings
from attention_filter.store.store import Store

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

PREFERENCES = "preferences"  # the name of the state they are kept in
THEMES = ("auto", "light", "dark")
MIN_HALF_LIFE, MAX_HALF_LIFE = 1 / 24, 365.0  # days


@dataclass(frozen=True)
class Preferences:
    """How a reader wants the page. An empty language follows the browser."""

    language: str = ""
    theme: str = "auto"
    images: bool = False  # show pictures, fetched through this server
    open_marks_read: bool = True
    order: str = "rank"  # or "time"
    exploration: float | None = None  # these three stand above the settings of the process; None: as it has them
    variety: float | None = None
    half_life_days: float | None = None

    def checked(self) -> Preferences:
        """The same, with what makes no sense set to its default."""
        return replace(
            self,
            language=self.language if self.language in languages() else "",
            theme=self.theme if self.theme in THEMES else "auto",
            order=self.order if self.order in ("rank", "time") else "rank",
            exploration=_between(self.exploration, 0.0, 1.0),
            variety=_between(self.variety, 0.0, 1.0),
            half_life_days=_between(self.half_life_days, MIN_HALF_LIFE, MAX_HALF_LIFE),
        )

    def tuned(self, settings: Settings) -> Settings:
        """The settings of the process as this reader wants them.

        >>> Preferences(variety=0.5).tuned(Settings(db="sqlite:///x.db")).variety
        0.5
        """
        own = {name: getattr(self, name) for name in ("exploration", "variety", "half_life_days")}
        return settings.model_copy(update={name: value for name, value in own.items() if value is not None})


def _between(value: float | None, low: float, high: float) -> float | None:
    """The value within its bounds; None for what is no number."""
    return min(max(value, low), high) if isinstance(value, int | float) and value == value else None


def preferences(store: Store) -> Preferences:
    """What the reader asked for, or the defaults."""
    stored = json.loads(store.get_state(PREFERENCES) or b"{}")
    known = {field.name for field in fields(Preferences)}
    return Preferences(**{name: value for name, value in stored.items() if name in known}).checked()


def keep_preferences(store: Store, wanted: Preferences) -> None:
    store.put_state(PREFERENCES, json.dumps(asdict(wanted.checked())).encode())


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
        self.shelf = Shelf(settings, clock, lambda store: standing.refresh(store, settings, clock()))
        self.lists = Lists()
        self.background = Background()
        self._loading = Lock()
        self.templates = Environment(
            # The drawings of `attention evaluate me --html` are shown here, too.
            loader=ChoiceLoader([PackageLoader("attention_filter.server"), PackageLoader("attention_filter")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )

    @cached_property
    def _encoder(self) -> Encoder:
        from attention_filter.models.encoder import load_encoder  # half a second, and only some pages need it

        return load_encoder(self.settings.model)

    def encoder(self) -> Encoder:
        """The one encoder of this process, loaded by whoever first needs it."""
        with self._loading:
            return self._encoder

    def filter(self, reader: str, wishes: Preferences | None = None) -> Filter:
        """A reader's filter on the shared database; cheap, not to be closed. `wishes` when they are read already."""
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
    origin, referer = str(request.base_url), request.headers.get("Referer", "")
    where = "/" + referer.removeprefix(origin).lstrip("/") if referer.startswith(origin) else otherwise
    return RedirectResponse(where, 303)
