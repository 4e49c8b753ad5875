"""What a ranking stands on, made from the store and kept in it: background, scale, history, promise, fall-back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from hashlib import sha256
from importlib import resources
from typing import Any

import numpy as np

from attention_filter.personal import (
    fallback,
    prior,
    ranking,
    tray,
)
from attention_filter.personal.background import Background, as_stored, from_bytes, make_background, to_bytes
from attention_filter.personal.features import Counts, Features, stack
from attention_filter.personal.feedback import STATEMENT, History, act_weight
from attention_filter.personal.stories import Articles, make_articles, one_each
from attention_filter.sources.language import detect_language
from attention_filter.store.batches import Batch, join
from attention_filter.store.contexts import Kept
from attention_filter.store.store import Store
from attention_filter.types import Feedback, Interest, Sign
from attention_filter.words import count_terms

SCALE, PROMISE, FALLBACK = "scale", "promise", "fallback"  # names of the state we keep per reader
PAGES = "today"  # the same of the pages of the day (today.py)
PAGES_COUNTED = 7  # latest pages that tell how much is wanted
TODAY_S = 0.5  # how much what was wanted today says of the rest: so that a like does not lower its kind before tomorrow
PASSED = 0.5  # how surely an item is unwanted that stood above one that was acted on, and was passed over
LEARNED_AS = "2"  # begins the stamp of a background; one that was learned otherwise is learned anew
BACKGROUND_ITEMS = 20_000
SMALL = 500  # items; a smaller stream's background is learned anew whenever it has changed
DRIFT = 0.1  # of the items it was learned from: so many may come, go or change before it is learned anew
IN_CONTEXT_AT_ONCE = 256  # items between two commits of contexts: a kill loses at most these, pages wait for no more
NEW_ACTS = 30  # after so many it is decided anew whether a simple ranking orders the stream


def promised(store: Store) -> float:
    """The share of what would be read that the reader wants kept out of the tray."""
    stored = store.get_state(PROMISE)
    return float(json.loads(stored)) if stored else tray.KEEP


def fallback_of(store: Store) -> dict[str, Any]:
    """The last decision on a simple ranking: method (None: the filter), acts (how many there were), length, typical."""
    return dict(json.loads(store.get_state(FALLBACK) or b'{"method": null, "acts": 0}'))


def is_due(store: Store) -> bool:
    """Whether so much was done since the last decision that it should be taken anew."""
    acts = len(store.feedback())
    return acts >= fallback.ENOUGH and acts - int(fallback_of(store)["acts"]) >= NEW_ACTS


def refresh_background(store: Store, model: str, now: datetime) -> None:
    """See that the background fits what the stream holds now; the scale follows.

    The one in use stays while it fits, for as long all scores stay comparable. Otherwise one that fits may have been
    learned by another reader of the same sources; else it is learned anew.
    """
    marks = store.marks(now, model)
    used = store.background()
    ours = [kept for kept in store.shared_backgrounds(model) if kept.stamp.startswith(f"{LEARNED_AS}:")]
    known = next((kept for kept in ours if fits(kept.marks, marks)), None)
    if known is None:
        digest = sha256(json.dumps([model, [s.id for s in store.sources()]]).encode() + marks.tobytes()).hexdigest()
        known = Kept(f"{LEARNED_AS}:{digest}", model, marks, to_bytes(learn_background(store, model, now)))
    if used is None or known.stamp != used.stamp:
        store.keep_background(known)


def fits(then: np.ndarray, now: np.ndarray) -> bool:
    """Whether a background of the items `then` still tells what is usual among those of `now` (`Store.marks`).

    >>> some = np.arange(1_000, dtype=np.uint64)
    >>> fits(some, some[:960]), fits(some[:960], some), fits(some[:860], some), fits(some[:99], some[:100])
    (True, True, False, False)
    """
    changed = len(np.setxor1d(then, now, assume_unique=True))
    return changed <= (DRIFT * len(then) if len(now) >= SMALL else 0)


def see_in_context(store: Store, progress: Callable[[str, int, int], None]) -> None:
    """Keep what is not kept yet of the items' meaning in context, piece by piece; a reading needs no time for these."""
    kept = store.background()
    missing = store.missing_contexts(kept.stamp) if kept else []
    if not kept or not missing:
        return
    background = from_bytes(kept.data)
    for start in range(0, len(missing), IN_CONTEXT_AT_ONCE):
        progress("Seeing items in context", start, len(missing))
        some = missing[start : start + IN_CONTEXT_AT_ONCE]
        batch = store.batch_of([item for item, _ in some], kept.model)
        store.put_contexts(kept.stamp, some, features_of(background, batch).meaning)
    progress("Seeing items in context", len(missing), len(missing))


def features_of(background: Background, batch: Batch) -> Features:
    """A batch as the ranking compares it. An item scores the same whether it was kept in context or not."""
    dim = len(background.centre(""))
    # The vectors are of another model when the background was made before anything was encoded.
    vectors = batch.vectors if batch.vectors.shape[1] == dim else np.zeros((len(batch), dim), np.float32)
    rows = background.features(vectors, counts_of(batch), batch.langs, batch.in_context)
    return rows if batch.in_context.all() else Features(as_stored(rows.meaning), rows.words)


def freeze_scale(store: Store, now: datetime) -> None:
    """Measure and keep the scale of each term; from here on, feedback changes no scale."""
    kept = store.background()
    if not kept:
        return
    background = from_bytes(kept.data)
    history = make_history(store, background, kept.model, now, acted_on(store, background, kept.model, kept.stamp))
    scale = ranking.make_profile(background, history).scale
    known = {"mean": dict(scale.mean), "deviation": dict(scale.deviation)} if len(history) else None
    store.put_state(SCALE, json.dumps(known).encode())


def model_of(store: Store) -> str:
    """The id of the model that the stored background was made with; empty before the first encoding."""
    kept = store.background()
    return kept.model if kept else ""


def has_scale(store: Store) -> bool:
    return kept_scale(store) is not None


def learn_background(store: Store, model: str, now: datetime) -> Background:
    """The background of all that the reader may see, sampled evenly when there is much."""
    share = min(1.0, BACKGROUND_ITEMS / max(store.count_items(), 1))
    parts: list[Batch] = []
    for batch in store.batches(model, seen=True, now=now):
        # A fixed scramble of the id (Knuth's multiplicative hash) picks the same items every time.
        parts.append(batch[np.flatnonzero((batch.ids * 2654435761) % 2**32 < share * 2**32)])
    whole = join(parts or [store.batch_of([], model)])
    # In an order that does not depend on which source answered first: same items, same themes, same ranking.
    whole = whole[np.lexsort((whole.dates, *whole.vectors[:, :1].T))]
    usual = shipped_prior(model.partition("+")[0])
    if usual is not None and whole.vectors.shape[1] != usual.vectors.shape[1]:
        usual = None  # nothing is encoded yet
    return make_background(model, whole.vectors, counts_of(whole), whole.langs, whole.sources, prior=usual)


@cache
def shipped_prior(weights: str) -> prior.Prior | None:
    """What is usual before there is a stream, as this encoder sees it (its id up to the "+", which tells how it is
    computed); None for one that `recipes/prior.py` was not run for."""
    for file in sorted(resources.files("attention_filter").joinpath("priors").iterdir(), key=lambda one: one.name):
        known = prior.from_bytes(file.read_bytes())
        if known.model.partition("+")[0] == weights:
            return known
    return None


@dataclass(frozen=True)
class Acted:
    """What the reader acted on, oldest act first: the acts and their m items."""

    acts: Sequence[Feedback]
    articles: Articles

    @cached_property
    def at(self) -> np.ndarray:
        """When, in seconds (m,)."""
        return np.array([act.at.timestamp() for act in self.acts], np.float64)


def acted_on(store: Store, background: Background, model: str, stamp: str | None = None) -> Acted:
    """What the reader acted on. With the `stamp` of the background, what is kept in its context is not seen again."""
    acts = store.feedback()
    batch = store.batch_of([act.item for act in acts], model, stamp)
    return Acted(acts, articles_of(batch, features_of(background, batch)))


@dataclass(frozen=True)
class Seen:
    """A story that was looked at: its item, whether it proved `wanted`, and how surely."""

    item: int
    wanted: bool
    weight: float


def seen_of(store: Store, now: datetime) -> list[Seen]:
    """What came of the stories on the pages of earlier days, of each page as far down as something was done with one;
    and what was wanted today.

    What was passed over today does not count yet: a like would make those above it so, and lower their kind.
    """
    signs, out = store.acts(), []
    pages = json.loads(store.get_state(PAGES) or b"{}").get("shown", {})
    for page in [pages[day] for day in sorted(pages)[-PAGES_COUNTED:]]:
        acts = [[item for item in story if item in signs] for story in page]
        last = max((place for place, acted in enumerate(acts) if acted), default=-1)
        for story, acted in zip(page[: last + 1], acts, strict=False):
            item = acted[0] if acted else story[0]
            out.append(Seen(item, bool(acted) and act_weight(signs[item]) > 0, 1.0 if acted else PASSED))
    counted, day = {one.item for one in out}, now.astimezone().date()
    for act in store.feedback():
        if act.item not in counted and act_weight(act.sign) > 0 and act.at.astimezone().date() == day:
            out.append(Seen(act.item, True, TODAY_S))
    visible = {one.id for one in store.glances([one.item for one in out])}
    return [one for one in out if one.item in visible]


def articles_of(batch: Batch, rows: Features) -> Articles:
    """A batch as stories are told apart."""
    return make_articles(rows, batch.dates, batch.sources, batch.titles, batch.urls)


def make_history(store: Store, background: Background, model: str, now: datetime, acted: Acted) -> History:
    """What the reader did and said, as the ranking wants it; oldest act first, then the interests.

    Ten copies of a story that were liked are one like: the act that says most speaks for them, the last of several.
    """
    says_most = [(act.sign not in (Sign.READ, Sign.SKIP), number) for number, act in enumerate(acted.acts)]
    priority = np.argsort(sorted(range(len(says_most)), key=says_most.__getitem__))
    kept = np.flatnonzero(one_each(priority, acted.articles))
    acts = [acted.acts[row] for row in kept.tolist()]
    weight = [act_weight(act.sign, (now - act.at) / timedelta(days=1)) for act in acts]
    interests = store.interests()
    said = interest_features(store, background, model, interests)
    return History(
        features=stack([acted.articles.features[kept], said]),
        weight=np.array([*weight, *[STATEMENT * i.weight for i in interests]], np.float32),
        statement=np.array([False] * len(acts) + [True] * len(interests), bool),
        keys=(*[act.item for act in acts], *[-i.id for i in interests]),
    )


def interest_features(store: Store, background: Background, model: str, interests: Sequence[Interest]) -> Features:
    """The stated interests as rows beside the items."""
    texts = [interest.text for interest in interests]
    dim = len(background.centre(""))
    vectors, _ = store.text_vectors(model, texts)
    if vectors.shape[1] != dim:
        vectors = np.zeros((len(texts), dim), np.float32)
    return background.features(vectors, statement_counts(texts), [_language(text, background) for text in texts])


def statement_counts(texts: Sequence[str]) -> Counts:
    """The words of plain texts."""
    rows = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    both = np.concatenate([count_terms(""), *rows])
    return Counts(start, both["id"], both["count"])


def counts_of(batch: Batch) -> Counts:
    """The words of a batch."""
    return Counts(batch.term_ptr, batch.term_ids, batch.term_counts)


def kept_scale(store: Store) -> ranking.Scale | None:
    known = json.loads(store.get_state(SCALE) or b"null")
    return ranking.Scale(known["mean"], known["deviation"]) if known else None


def _language(text: str, known: Background) -> str:
    """The language of a short statement. Plain ASCII is in the one language known that may be written so, when there
    is only one; the detector, with its 100 MB, is asked only when there are several."""
    spaced = [lang for lang in known.centres if lang not in ("", "zh", "ja", "ko")]
    if text.isascii() and len(spaced) <= 1:
        return spaced[0] if spaced else ""
    return detect_language(text)
