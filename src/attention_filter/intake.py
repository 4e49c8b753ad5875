"""From the outside into the store: subscribe, fetch, leave out what sources repeat, encode. Network and files are
touched here only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attention_filter import repeats
from attention_filter.errors import AttentionError, SourceError, UsageError
from attention_filter.settings import Settings
from attention_filter.sources.clean import content_hash
from attention_filter.sources.contained import parse_contained
from attention_filter.sources.document import Feed
from attention_filter.sources.fetch import Client, Response
from attention_filter.sources.files import Problem, read_folder
from attention_filter.sources.markup import asides
from attention_filter.sources.opml import read_opml
from attention_filter.sources.schedule import next_try
from attention_filter.sources.tables import read_table
from attention_filter.sources.web import discover
from attention_filter.store.items import TERM_CHARS, Added
from attention_filter.store.repeats import Raw, Said
from attention_filter.store.store import Store
from attention_filter.types import Entry, Source, SourceKind

if TYPE_CHECKING:
    import numpy as np

    from attention_filter.models.encoder import Encoder

Progress = Callable[[str, int, int], None]  # what is done, how much of it, out of how much
CONNECTIONS = 8
ENCODE_AT_ONCE = 256  # items between two commits of vectors; a kill loses at most these
FEW = 16  # items that are encoded at once as a whole: it takes half a second
SKIMMED = 512  # newest items whose titles are encoded before any text
PARSE_MEGABYTES = 512
LEARN_FROM = 300  # newest items of a source
TITLES = 5_000  # of a source, in which lists of its other items are recognised
GROWN = 0.1  # a source that has so many more items than when it was learned what it repeats is looked at anew
SETTLED = 50  # items; what was learned from as many stays, for a page made anew leaves its old items as they were
LOOK_AT_ONCE = 200  # items between two commits of what is left out of their texts
RECHECK_FILES = timedelta(minutes=5)


@dataclass(frozen=True)
class Fetched:
    """How one source fared. `error` is None when it was read; `problems` are entries or lines left out."""

    source: Source
    new: int = 0
    changed: int = 0
    same: int = 0
    not_modified: bool = False
    error: str | None = None
    problems: tuple[str, ...] = ()


def subscribe(
    store: Store,
    settings: Settings,
    target: str,
    now: datetime,
    *,
    folder: str = "",
    columns: dict[str, str] | None = None,
) -> Source:
    """Follow a feed, the feed of a web page, a folder of files, or a JSONL, CSV or TSV file."""
    if urlsplit(target).scheme in ("http", "https"):
        url, title = _find_feed(settings, target, now)
        return store.add_source(url, SourceKind.FEED, title=title, folder=folder, now=now)
    path = Path(target).expanduser().resolve()
    if path.is_dir():
        return store.add_source(str(path), SourceKind.FOLDER, title=path.name, folder=folder, now=now)
    if path.is_file():
        named = tuple((columns or {}).items())
        return store.add_source(str(path), SourceKind.TABLE, title=path.name, folder=folder, columns=named, now=now)
    raise UsageError(f"{target}: neither an http(s) address nor a file or folder that exists")


def subscribe_opml(store: Store, body: bytes, now: datetime) -> list[Source]:
    """Follow every feed of an OPML document; those already followed keep their history."""
    return [
        # A list without titles names feeds by their address; the feed itself knows better.
        store.add_source(o.url, SourceKind.FEED, title=o.title if o.title != o.url else "", folder=o.folder, now=now)
        for o in read_opml(body)
    ]


def fetch(
    store: Store,
    settings: Settings,
    sources: Sequence[Source],
    now: datetime,
    progress: Progress,
    seed: int = 0,
    followed_by: Mapping[int, str] | None = None,
    stored: Callable[[Fetched], object] = lambda _: None,
) -> list[Fetched]:
    """Read each source and store what is new. A source that fails is noted and the rest goes on.

    `followed_by` names, by source id, a reader who follows it, where that is not the store's. `stored` is told of each
    source as soon as it was read, while others are still awaited.
    """

    def mine(source: Source) -> Store:
        return store.for_reader(followed_by[source.id]) if followed_by else store

    def tell(fetched: Fetched) -> None:
        done.append(fetched)
        stored(fetched)

    jitter = Random(seed)  # noqa: S311  not for secrets
    done: list[Fetched] = []
    feeds = [s for s in sources if s.kind is SourceKind.FEED]
    with Client(settings) as client, _workers() as pool:
        waiting = {pool.submit(_download, client, settings, source, now): source for source in feeds}
        for future in as_completed(waiting):
            source = waiting[future]
            progress("Reading sources", len(done), len(sources))
            try:
                answer, feed = future.result()
                tell(_store_feed(mine(source), source, answer, feed, now, jitter))
            except AttentionError as error:
                tell(_failed(mine(source), source, error, now, jitter))
    for source in sources:
        if source.kind is not SourceKind.FEED:
            progress("Reading sources", len(done), len(sources))
            try:
                tell(_store_file(mine(source), source, now))
            except AttentionError as error:
                tell(_failed(mine(source), source, error, now, jitter))
    progress("Reading sources", len(done), len(sources))
    return done


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for when the block is left early, by Ctrl-C or a full disk."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def leave_out_repeats(store: Store, progress: Progress) -> None:
    """Learn what each source repeats, and find where in each item that was not looked at yet; a kill loses at most the
    batch in hand. Items that say other than was thought lose their vector: `encode` comes after."""
    for source, items, _ in store.unread():
        before = store.repeats(source)
        if before is None or items - before[0] > GROWN * before[0]:
            found = repeats.learn(store.newest_texts(source, LEARN_FROM, repeats.READ))
            if before is not None and before[1].items >= SETTLED:
                found |= before[1]
            store.put_repeats(source, items, found)
    waiting = store.unread()
    total, done = sum(one.waiting for one in waiting), 0
    for source, _, _ in waiting:
        _, known = store.repeats(source) or (0, repeats.Repeats())
        titles = repeats.index_titles(store.newest_titles(source, TITLES) if known.lists_titles else ())
        part = store.unread_items(source, LOOK_AT_ONCE)
        while part:
            progress("Leaving out what sources repeat", done, total)
            store.put_said([_said(one, known, titles) for one in part])
            done += len(part)
            part = store.unread_items(source, LOOK_AT_ONCE, before=part[-1].id)
    if total:
        progress("Leaving out what sources repeat", total, total)


def _said(item: Raw, known: repeats.Repeats, titles: repeats.Titles) -> Said:
    left = repeats.leave_out(item.title, item.text, known, titles, asides(item.html))
    text = repeats.said(item.text, left)
    key = content_hash(item.title, text) if left else item.content_hash
    return Said(item.id, item.content_hash, left, key, item.title, text[:TERM_CHARS])


def encode(store: Store, encoder: Encoder, progress: Progress, limit: int | None = None) -> int:
    """Encode every item that has no vector of this model, or the `limit` newest of them; a kill loses at most the
    batch in hand. Returns how many."""
    missing = store.missing_vectors(encoder.id, limit)
    _encode(encoder, missing, store.put_vectors, progress, "Understanding items")
    return len(missing)


def encode_titles(store: Store, encoder: Encoder, progress: Progress) -> int:
    """Encode the titles of the newest items that have no vector, in a fifth of the time that their texts take. Returns
    how many; none when they are so few that their texts are as quickly read."""
    missing = [(key, title, "") for key, title in store.missing_titles(encoder.id, SKIMMED)]
    if len(missing) <= FEW:
        return 0
    _encode(encoder, missing, store.put_title_vectors, progress, "Understanding titles")
    return len(missing)


def _encode(
    encoder: Encoder,
    missing: Sequence[tuple[str, str, str]],
    put: Callable[[str, Sequence[str], np.ndarray], None],
    progress: Progress,
    what: str,
) -> None:
    """Encode contents, each a hash, a title and a text, and put their vectors away, ENCODE_AT_ONCE at a time."""
    from attention_filter.models.passages import passage

    done = 0

    def step(finished: int) -> None:
        nonlocal done
        done += finished
        progress(what, done, len(missing))

    for start in range(0, len(missing), ENCODE_AT_ONCE):
        step(0)
        part = missing[start : start + ENCODE_AT_ONCE]
        vectors = encoder.encode([passage(title, text) for _, title, text in part], progress=step)
        put(encoder.id, [key for key, _, _ in part], vectors)


def _find_feed(settings: Settings, url: str, now: datetime) -> tuple[str, str]:
    """The address and title of the feed at `url`, or of the one that the web page there points to."""
    with Client(settings) as client:
        answer = client.get(url)
        try:
            return url, _parse(settings, answer, now).title
        except SourceError as not_a_feed:
            found = discover(answer.body, answer.url)
            for candidate in found[:8]:
                try:
                    body = client.get(candidate.url)
                    return candidate.url, _parse(settings, body, now).title or candidate.title
                except SourceError:
                    continue
            raise SourceError(f"{url}: no feed there, and the page names none ({not_a_feed})") from None


def _parse(settings: Settings, answer: Response, now: datetime) -> Feed:
    return parse_contained(
        answer.body,
        answer.url,
        answer.content_type,
        now,
        settings.max_entries,
        settings.parse_seconds,
        PARSE_MEGABYTES,
    )


def _download(client: Client, settings: Settings, source: Source, now: datetime) -> tuple[Response, Feed | None]:
    answer = client.get(source.url, etag=source.etag, last_modified=source.last_modified)
    return answer, None if answer.not_modified else _parse(settings, answer, now)


def _store_feed(
    store: Store, source: Source, answer: Response, feed: Feed | None, now: datetime, jitter: Random
) -> Fetched:
    added = store.add_entries(source.id, feed.entries, now) if feed else Added()
    store.record_success(
        source.id,
        now=now,
        next_try=next_try(source, now, error=None, retry_after=None, max_age=answer.max_age, jitter=jitter),
        etag=answer.etag,
        last_modified=answer.last_modified,
        title=feed.title if feed else "",
        url=answer.moved_to,
    )
    problems = feed.problems if feed else ()
    return Fetched(source, len(added.new), len(added.changed), added.same, answer.not_modified, None, problems)


def _store_file(store: Store, source: Source, now: datetime) -> Fetched:
    path = Path(source.url)
    if not path.exists():
        raise SourceError(f"{path}: no longer there; put it back or remove the source")
    problems: list[str] = []

    def entries() -> Iterator[Entry]:
        rows = (
            read_folder(path, now) if source.kind is SourceKind.FOLDER else read_table(path, dict(source.columns), now)
        )
        for row in rows:
            if isinstance(row, Problem):
                problems.append(f"{row.where}: {row.message}")
            else:
                yield row

    added = store.add_entries(source.id, entries(), now)
    store.record_success(source.id, now=now, next_try=now + RECHECK_FILES)
    return Fetched(source, len(added.new), len(added.changed), added.same, problems=tuple(problems))


def _failed(store: Store, source: Source, error: AttentionError, now: datetime, jitter: Random) -> Fetched:
    if not isinstance(error, SourceError):
        raise error  # the store itself is in trouble: going on would lose what is fetched next
    again = next_try(source, now, error=error, retry_after=error.retry_after, max_age=None, jitter=jitter)
    store.record_failure(source.id, now=now, next_try=again, error=str(error), muted=error.gone)
    return Fetched(source, error=str(error))
