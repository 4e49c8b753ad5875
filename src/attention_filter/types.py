"""The records that travel between the parts. All are frozen; a part that changes one returns a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SourceKind(StrEnum):
    """What a source is, which decides how it is read."""

    FEED = "feed"  # RSS, Atom, RDF or JSON Feed at an http(s) address
    FOLDER = "folder"  # a folder of text, Markdown and HTML files
    TABLE = "table"  # a JSONL or CSV file with named columns


class Sign(StrEnum):
    """What a reader did with an item."""

    LIKE = "like"
    DISLIKE = "dislike"
    SAVE = "save"
    READ = "read"
    SKIP = "skip"
    HIDE = "hide"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as a source sent it, cleaned and ready to be stored; what `sources` yields.

    `html` is sanitised, `original` is what the source sent and must never be shown. Dates carry UTC.
    `guid` identifies the entry within its source. `content_hash` covers title and text.
    """

    guid: str
    title: str
    url: str | None = None
    html: str = ""
    original: str = ""
    text: str = ""
    lang: str = "und"  # ISO 639-1, "und" when it cannot be told
    published: datetime | None = None
    updated: datetime | None = None
    authors: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image: str | None = None
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A stored entry. `source` is the source's id, `fetched` when we first saw it, in UTC.

    `topic` is one of the reader's topics, `sentiment` negative, neutral or positive, `polarity` lies in [−1, 1]; empty
    and None say that it was not told yet, an empty label also that it is not clear.
    """

    id: int
    source: int
    source_title: str
    entry: Entry
    fetched: datetime
    topic: str = ""
    sentiment: str = ""
    polarity: float | None = None

    @property
    def date(self) -> datetime:
        """When it was published, or changed if that is all a source says (RDF, Atom); a missing or future date
        counts as the time we first saw it."""
        said = self.entry.published or self.entry.updated
        return said if said is not None and said <= self.fetched else self.fetched


@dataclass(frozen=True, slots=True)
class Source:
    """A place items come from, with its health. Times are UTC."""

    id: int
    url: str  # http(s) address, or the absolute path of a file or folder
    kind: SourceKind
    title: str = ""
    folder: str = ""  # the reader's own folder for it, "a/b" when nested
    etag: str | None = None
    last_modified: str | None = None
    last_fetched: datetime | None = None
    last_success: datetime | None = None
    next_try: datetime | None = None
    last_error: str | None = None
    failures: int = 0  # in a row
    muted: bool = False  # 410 Gone, or by the reader
    gone: bool = False  # it said so itself: 410
    columns: tuple[tuple[str, str], ...] = ()  # TABLE: (field of Entry, column name)
    items: int = 0


@dataclass(frozen=True, slots=True)
class Interest:
    """What a reader cares about, in plain words; a negative weight means "not this"."""

    id: int
    text: str
    weight: float = 1.0
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """One act of a reader on an item. The latest act that is not undone is the one that counts."""

    id: int
    item: int
    sign: Sign
    at: datetime


class RuleAction(StrEnum):
    PIN = "pin"
    BLOCK = "block"
    BOOST = "boost"


RULED_BY_NAME = ("source", "author", "lang", "topic", "sentiment")


@dataclass(frozen=True, slots=True)
class Rule:
    """A reader's own rule: when every condition holds, `action` is taken.

    `words` and `source`, `author` match case-insensitively as substrings (words at word borders);
    `pattern` is a regular expression run under a time limit; `boost` is in score units (σ).
    """

    id: int
    action: RuleAction
    words: tuple[str, ...] = ()  # any of them
    pattern: str | None = None
    source: str | None = None
    author: str | None = None
    lang: str | None = None
    older_than_days: float | None = None
    newer_than_days: float | None = None
    boost: float = 0.0
    topic: str | None = None
    sentiment: str | None = None

    def __str__(self) -> str:
        parts = [f"words {', '.join(self.words)}"] if self.words else []
        parts += [f"pattern /{self.pattern}/"] if self.pattern else []
        parts += [f"{name} {value}" for name in RULED_BY_NAME if (value := getattr(self, name))]
        parts += [f"older than {self.older_than_days:g} days"] if self.older_than_days is not None else []
        parts += [f"newer than {self.newer_than_days:g} days"] if self.newer_than_days is not None else []
        amount = f" {self.boost:+g}" if self.action is RuleAction.BOOST else ""
        return f"{self.action}{amount}: {' and '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Away:
    """Why an item lies in the tray: a `rule` blocks it, or its score without what the moment gave is below the line."""

    rule: Rule | None
    interest: float
    line: float

    def __str__(self) -> str:
        if self.rule is not None:
            return f"rule {self.rule.id}: {self.rule}"
        return f"{self.interest:+.2f} without freshness, below your line {self.line:+.2f}"


@dataclass(frozen=True, slots=True)
class Reason:
    """One additive part of a score. `value` is in score units; `detail` says what carried it."""

    term: str  # "attention", "near", "said", "fresh", "source", "rule", …
    value: float
    detail: str = ""


class Level(StrEnum):
    """How much an item promises, in four steps; NO is what lies in the tray."""

    HIGH = "high"
    WORTH = "worth"
    MAYBE = "maybe"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Because:
    """What did most for an item, as the parts of one sentence: the interest that it `follows`, the past item that was
    liked (saved, read: `sign`), the `concept` that is cared about, a rule that pins it; else only where it is `new`."""

    follows: str | None = None
    title: str | None = None
    sign: Sign | None = None
    concept: str | None = None
    pinned: bool = False
    new: str = ""  # the source it comes from

    def __str__(self) -> str:
        if self.pinned:
            return "Pinned by your rule"
        did = {Sign.LIKE: "liked", Sign.SAVE: "saved", Sign.READ: "read"}
        parts = [f"follow “{self.follows}”"] if self.follows else []
        parts += [f"{did[self.sign]} “{self.title}”"] if self.sign else []
        parts += [f"care about “{self.concept}”"] if self.concept else []
        return f"Because you {' and '.join(parts)}" if parts else f"New from {self.new}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item with its score and the reasons, which sum to the score (within 1e-6).

    `probability` and `level` go with the score: of two items the one with the higher score has the higher. An item
    that stands above a better one is `moved`, which says why.
    """

    item: Item
    score: float
    reasons: tuple[Reason, ...]
    interest: str | None = None  # the text of the interest that claimed the item
    pinned: bool = False
    tray: Away | None = None  # why it lies in the tray; None when it is in the stream
    moved: str | None = None  # why it stands where its score does not put it: "for variety", "held back: …"
    held_back: bool = False  # it follows after the list, since a quota lets it nowhere in it
    story: tuple[int, ...] = field(default=())  # ids of the near-duplicates folded under it
    probability: float | None = None  # that the reader would want it; None while nothing is known of them
    level: Level | None = None  # the same as a word; None while nothing is known of them
    adds_to: str | None = None  # the title of what was read of this story, which this adds to
    because: Because | None = None

    @property
    def main_reason(self) -> Reason | None:
        """The reason that did most for where the item stands: up for a score above zero, down for one below."""
        side = 1 if self.score >= 0 else -1
        best = max(self.reasons, key=lambda reason: side * reason.value, default=None)
        return best if best is not None and side * best.value > 0 else None
