"""How a reader wants the page and the ranking, above the settings of the process; kept with what else is theirs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace

from attention_filter.server.language import languages
from attention_filter.settings import Settings
from attention_filter.store.store import Store

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
    exploration: float | None = None  # these stand above the settings of the process; None: as it has them
    variety: float | None = None
    half_life_days: float | None = None
    today_stories: int | None = None
    today_minutes: float | None = None

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
            today_stories=int(stories) if (stories := _between(self.today_stories, 5, 100)) is not None else None,
            today_minutes=_between(self.today_minutes, 0.0, 24 * 60.0),
        )

    def tuned(self, settings: Settings) -> Settings:
        """The settings of the process as this reader wants them.

        >>> Preferences(variety=0.5).tuned(Settings(db="sqlite:///x.db")).variety
        0.5
        """
        own = {name: getattr(self, name) for name in _TUNED}
        return settings.model_copy(update={name: value for name, value in own.items() if value is not None})


_TUNED = ("exploration", "variety", "half_life_days", "today_stories", "today_minutes")


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
