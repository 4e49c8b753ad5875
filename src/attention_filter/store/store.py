"""The front of the store: `open_store`, and a `Store` that sees what one reader may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from attention_filter.errors import UsageError
from attention_filter.repeats import Repeats
from attention_filter.store import (
    backup,
    batches,
    contexts,
    feedback,
    glances,
    items,
    labels,
    readers,
    repeats,
    search,
    sources,
    sqlite,
    vectors,
)
from attention_filter.store.accounts import Accounts
from attention_filter.store.batches import Batch
from attention_filter.store.contexts import Kept, Marked
from attention_filter.store.glances import Basis, Followed, Glance, Mark, Outline
from attention_filter.store.items import Added
from attention_filter.store.jobs import Jobs
from attention_filter.store.labels import Labelled
from attention_filter.store.migrate import migrate
from attention_filter.store.repeats import Raw, Said, Waiting
from attention_filter.store.search import Hit
from attention_filter.store.sources import Tally
from attention_filter.types import Entry, Feedback, Interest, Item, Rule, Sign, Source, SourceKind

BATCH = 500  # entries in one transaction: a lost batch is small, and other writers wait for a moment only

restore = backup.restore


def open_store(url: str, reader: str = "me") -> Store:
    """Open the database at `url` (sqlite:///path) for a reader; made and migrated when needed.

    StoreError, in one line with the next step, when that cannot be done.
    """
    path = sqlite.database_path(url)
    engine = sqlite.make_engine(path)
    try:
        with sqlite.one_line_errors(path):
            sqlite.prepare(engine, path)
            with sqlite.writing(engine) as connection:
                backup.before_upgrade(connection, path)
                migrate(connection, path)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, path, reader)


class Store:
    """Everything one reader has stored. Each method is one transaction: done and synced when it returns.

    Sources, items and vectors are shared by all readers of a database; a method shows those that this reader
    follows or has acted on, and raises UsageError for the id of any other.
    """

    def __init__(self, engine: sa.Engine, path: Path, reader: str) -> None:
        self.path = path
        self.reader = reader
        self._engine = engine
        self._held: tuple[sa.Connection, int] | None = None

    def for_reader(self, reader: str) -> Store:
        """The same database as another reader sees it. They share connections: closing one closes all."""
        return Store(self._engine, self.path, reader)

    @cached_property
    def accounts(self) -> Accounts:
        """Who may sign in to this database, whatever reader this store is for."""
        return Accounts(self._engine, self.path)

    @cached_property
    def jobs(self) -> Jobs:
        """What is done in the background, for all readers of this database."""
        return Jobs(self._engine, self.path)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """The same store as it is at this moment: all that is asked of it is read in one transaction, not in one each.

        For one thread, and for reading: what is written meanwhile, also through it, it does not see.
        """
        with self._read() as held:
            still = self.for_reader(self.reader)
            still._held = held
            yield still

    @contextmanager
    def _read(self) -> Iterator[tuple[sa.Connection, int]]:
        if self._held is not None:
            with self._errors():
                yield self._held
            return
        with self._errors(), self._engine.begin() as connection:
            yield connection, readers.find(connection, self.reader)

    @contextmanager
    def _write(self) -> Iterator[tuple[sa.Connection, int]]:
        with self._errors(), sqlite.writing(self._engine) as connection:
            yield connection, readers.find_or_add(connection, self.reader)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with sqlite.one_line_errors(self.path):
                yield
        except OverflowError as error:
            raise UsageError("no such id: the number is too large") from error
        except UnicodeEncodeError as error:
            raise UsageError(f"{error.object!r}: is not valid Unicode text; type it again") from error

    # Sources

    def add_source(
        self,
        url: str,
        kind: SourceKind,
        *,
        title: str = "",
        folder: str = "",
        columns: Iterable[tuple[str, str]] = (),
        now: datetime,
    ) -> Source:
        """Follow a source; adding it again only replaces the title, folder or columns that are given."""
        wanted = Source(0, url, kind, title, folder, columns=tuple(columns))
        with self._write() as (connection, reader):
            return sources.add(connection, reader, wanted, now)

    def sources(self) -> list[Source]:
        """What the reader follows, in the order it was added."""
        with self._read() as (connection, reader):
            return sources.all_of(connection, reader)

    def source(self, id_: int) -> Source:
        with self._read() as (connection, reader):
            return sources.one(connection, reader, id_)

    def remove_source(self, id_: int) -> None:
        """Follow it no longer. Items stay stored; those the reader acted on stay visible."""
        with self._write() as (connection, reader):
            sources.unsubscribe(connection, reader, id_)

    def due_sources(self, now: datetime) -> list[Source]:
        """Sources to fetch now, the longest waiting first."""
        with self._read() as (connection, reader):
            return sources.due(connection, reader, now)

    def due_everywhere(self, now: datetime) -> list[tuple[str, int]]:
        """(name of a reader who follows it, id) of each source that is due for any reader, each source once."""
        with self._read() as (connection, _):
            return sources.due_everywhere(connection, now)

    def followers(self, ids: Sequence[int]) -> list[str]:
        """The names of all readers who follow one of the sources."""
        with self._read() as (connection, _):
            return sources.followers(connection, ids)

    def record_success(
        self,
        id_: int,
        *,
        now: datetime,
        next_try: datetime | None,
        etag: str | None = None,
        last_modified: str | None = None,
        title: str = "",
        url: str | None = None,
    ) -> None:
        """The source was read. `title` is what it calls itself, `url` where it has moved for good."""
        with self._write() as (connection, reader):
            sources.record_success(
                connection,
                sources.one(connection, reader, id_),
                now=now,
                next_try=next_try,
                etag=etag,
                last_modified=last_modified,
                title=title,
                url=url,
            )

    def record_failure(
        self, id_: int, *, now: datetime, next_try: datetime | None, error: str, muted: bool = False
    ) -> None:
        """The source could not be read; `muted` stops further tries (410 Gone)."""
        with self._write() as (connection, reader):
            old = sources.one(connection, reader, id_)
            sources.record_failure(connection, old, now=now, next_try=next_try, error=error, muted=muted)

    def set_muted(self, id_: int, muted: bool) -> None:
        """A muted source is not fetched; its items stay."""
        with self._write() as (connection, reader):
            sources.mute(connection, reader, sources.one(connection, reader, id_), muted)

    def edit_source(self, id_: int, *, title: str, folder: str) -> Source:
        """Call the source so (empty: as it calls itself) and put it into this folder, "a/b" when nested."""
        with self._write() as (connection, reader):
            return sources.edit(connection, reader, id_, title, folder)

    def tallies(self, since: datetime) -> dict[int, Tally]:
        """{source id: what it brought}, for the sources that have items; `since` says what "lately" means."""
        with self._read() as (connection, reader):
            return sources.tallies(connection, reader, since)

    # Items

    def add_entries(self, source_id: int, entries: Iterable[Entry], now: datetime) -> Added:
        """Store what a source sent; seen entries write nothing, changed ones update their item.

        `matching.py` says what counts as the same entry.

        Entries are taken and stored 500 at a time; when the process dies, the batches before are kept.
        """
        self.source(source_id)
        total, claimed = Added(), set[int]()
        for batch in items.chunks(entries, BATCH):
            with self._write() as (connection, _):
                total += items.add_batch(connection, source_id, batch, now, claimed)
        return total

    def items(self, ids: Sequence[int]) -> list[Item]:
        """The items in the order of `ids`; UsageError when one is not the reader's."""
        with self._read() as (connection, reader):
            return items.read(connection, reader, ids)

    def item(self, id_: int) -> Item:
        return self.items([id_])[0]

    def newest(self, limit: int, *, source: int | None = None, since: datetime | None = None) -> list[Item]:
        """The newest items of what the reader follows, or of one source, seen or not."""
        with self._read() as (connection, reader):
            return items.read(connection, reader, items.newest(connection, reader, limit, source, since))

    def find_guids(self, source_url: str, guids: Sequence[str]) -> dict[str, int]:
        """{guid: item id} of the items of one source; guids that are not there are left out."""
        with self._read() as (connection, reader):
            return items.by_guid(connection, reader, source_url, guids)

    def count_items(self) -> int:
        """How many items the reader may see."""
        with self._read() as (connection, reader):
            return items.count(connection, reader)

    def batches(
        self,
        model: str,
        *,
        chunk: int = 4096,
        source: int | None = None,
        since: datetime | None = None,
        lang: str | None = None,
        topic: str | None = None,
        sentiment: str | None = None,
        seen: bool = False,
        now: datetime | None = None,
        background: str | None = None,
    ) -> Iterator[Batch]:
        """The stream as arrays, `chunk` items at a time, in the order they were stored.

        With the stamp of a `background`, items come as they are kept in its context, where they are.

        Left out are items the reader acted on (unless `seen`) and, at `now` (the clock when not given), those
        older than the age limit that are not saved.
        """
        if source is not None:
            self.source(source)
        wanted = batches.Wanted(source, since, lang, topic, sentiment, seen)
        with self._read() as (connection, reader):
            ids = batches.choose(connection, reader, wanted, now or datetime.now(UTC))
        return self._load(ids, model, chunk, background)

    def _load(self, ids: Sequence[int], model: str, chunk: int, background: str | None) -> Iterator[Batch]:
        for part in items.chunks(ids, chunk):
            with self._read() as (connection, _):
                batch = batches.load(connection, part, model, contexts.find(connection, background))
            yield batch  # outside the transaction: the caller may take its time

    def glances(self, ids: Sequence[int]) -> list[Glance]:
        """What a list shows of the items, in the order of `ids`, as far as the reader may still see them."""
        with self._read() as (connection, reader):
            return glances.glances(connection, reader, ids)

    def outline(self, limit: int) -> Outline:
        """The `limit` newest items of the stream, read or not, as ids, sources, dates and languages."""
        with self._read() as (connection, reader):
            return glances.outline(connection, reader, limit)

    def followed(self) -> dict[int, Followed]:
        """{id: name and folder} of the sources that the reader follows; cheaper than `sources`, which counts items."""
        with self._read() as (connection, reader):
            return glances.followed(connection, reader)

    def basis(self, states: Sequence[str]) -> Basis:
        """What a ranking made now depends on; cheap. `states` name the states that it depends on."""
        with self._read() as (connection, reader):
            return glances.basis(connection, reader, states)

    def newest_item(self) -> int:
        """The largest id of any reader's items; 0 when there is none."""
        with self._read() as (connection, _):
            return glances.newest(connection)

    def newer(self, than: int) -> int:
        """How many items of the reader's sources have an id above `than`."""
        with self._read() as (connection, reader):
            return glances.newer(connection, reader, than)

    def batch_of(self, ids: Sequence[int], model: str, background: str | None = None) -> Batch:
        """The same arrays for given items, in that order; UsageError when one is not the reader's."""
        with self._read() as (connection, reader):
            items.check_visible(connection, reader, ids)
            return batches.load(connection, ids, model, contexts.find(connection, background))

    def set_age_limit(self, days: float | None) -> None:
        """Hide items older than this from `batches`. Nothing is deleted, and saved items stay."""
        with self._write() as (connection, reader):
            readers.set_age_limit(connection, reader, days)

    def age_limit(self) -> float | None:
        """In days; None when there is no limit."""
        with self._read() as (connection, reader):
            return readers.age_limit(connection, reader)

    def search(self, query: str, limit: int = 20) -> list[Hit]:
        """The best matches among all the reader may see, also seen and expired ones; see `search.parse`."""
        parsed = search.parse(query)
        with self._read() as (connection, reader):
            found = dict(search.find(connection, reader, parsed, limit))
            return [search.hit(item, parsed, found[item.id]) for item in items.read(connection, reader, list(found))]

    # What sources repeat

    def unread(self) -> list[Waiting]:
        """The followed sources with items in which nobody looked yet for what their source repeats."""
        with self._read() as (connection, reader):
            return repeats.unread(connection, reader)

    def repeats(self, source: int) -> tuple[int, Repeats] | None:
        """How many items the source had when it was learned what it repeats, and that; None before."""
        with self._read() as (connection, reader):
            sources.one(connection, reader, source)
            return repeats.known(connection, source)

    def newest_texts(self, source: int, limit: int, chars: int) -> list[tuple[str, str]]:
        """(title, text up to `chars`) of the source's newest items."""
        with self._read() as (connection, reader):
            sources.one(connection, reader, source)
            return repeats.newest(connection, source, limit, chars)

    def newest_titles(self, source: int, limit: int) -> list[str]:
        """The titles of the source's newest items."""
        with self._read() as (connection, reader):
            sources.one(connection, reader, source)
            return repeats.titles(connection, source, limit)

    def put_repeats(self, source: int, items: int, found: Repeats) -> None:
        """Keep what the source repeats, learned when it had so many items."""
        with self._write() as (connection, reader):
            sources.one(connection, reader, source)
            repeats.learn(connection, source, items, found)

    def unread_items(self, source: int, limit: int, before: int | None = None) -> list[Raw]:
        """Items of the source in which nobody looked yet for what it repeats, the last stored first; with `before`,
        those with a smaller id."""
        with self._read() as (connection, reader):
            sources.one(connection, reader, source)
            return repeats.unread_items(connection, source, limit, before)

    def put_said(self, found: Sequence[Said]) -> None:
        """Keep what was found in items, unless they have changed meanwhile."""
        with self._write() as (connection, _):
            repeats.put(connection, found)

    # Vectors

    def missing_vectors(self, model: str, limit: int | None = None) -> list[tuple[str, str, str]]:
        """(content hash, title, what the text says) of what the model has not encoded yet, newest first."""
        with self._read() as (connection, reader):
            return vectors.missing(connection, reader, model, limit)

    def missing_titles(self, model: str, limit: int) -> list[tuple[str, str]]:
        """(content hash, title) of what the model has encoded neither as a whole nor by its title, the `limit` newest
        first."""
        with self._read() as (connection, reader):
            return vectors.missing_titles(connection, reader, model, limit)

    def put_vectors(self, model: str, hashes: Sequence[str], array: np.ndarray) -> None:
        """Store row i of `array` (n, dim) for hashes[i], as float16; those of their titles are no longer needed."""
        with self._write() as (connection, _):
            vectors.put(connection, model, hashes, array)

    def put_title_vectors(self, model: str, hashes: Sequence[str], array: np.ndarray) -> None:
        """The same for their titles alone: what stands in until their texts are encoded."""
        with self._write() as (connection, _):
            vectors.put(connection, vectors.of_titles(model), hashes, array)

    def text_vectors(self, model: str, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of texts that are not items, float32 (n, dim), and bool (n,) where there is one."""
        with self._read() as (connection, _):
            return vectors.get(connection, model, [items.text_key(text) for text in texts])

    def put_text_vectors(self, model: str, texts: Sequence[str], array: np.ndarray) -> None:
        with self._write() as (connection, _):
            vectors.put(connection, model, [items.text_key(text) for text in texts], array)

    def vectors_of(self, model: str, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Vectors of contents, float32 (n, dim), and bool (n,) where there is one."""
        with self._read() as (connection, _):
            return vectors.get(connection, model, hashes)

    # Labels

    def tellers(self) -> dict[str, str]:
        """The names of those whose labels stand beside the items: {"topic": …, "sentiment": …}, or nothing yet."""
        with self._read() as (connection, reader):
            return labels.used(connection, reader)

    def missing_labels(self, teller: str, model: str) -> list[str]:
        """Content hashes of what the model has encoded and the teller has not told yet, newest first."""
        with self._read() as (connection, reader):
            return labels.missing(connection, reader, teller, model)

    def contents_of(self, hashes: Sequence[str]) -> list[tuple[str, str]]:
        """(title, what the text says) of each content; empty ones where the reader has none such."""
        with self._read() as (connection, reader):
            return labels.texts(connection, reader, hashes)

    def put_labels(self, teller: str, told: Mapping[str, tuple[str, float]]) -> None:
        """Keep {content hash: (label or nothing, value)}."""
        with self._write() as (connection, _):
            labels.put(connection, teller, told)

    def use_tellers(self, topic: str, sentiment: str) -> None:
        """Show what these tellers tell beside the items. What no reader uses any more goes, with its labels."""
        with self._write() as (connection, reader):
            labels.use(connection, reader, topic, sentiment)

    def told(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """{item: (topic, feeling)}, each empty where none is told or clear."""
        with self._read() as (connection, reader):
            return labels.told(connection, reader, ids)

    def labelled(self, since: datetime) -> Labelled:
        """All that came since then, read or not, with topics and feelings."""
        with self._read() as (connection, reader):
            return labels.since(connection, reader, since)

    # Backgrounds and contexts

    def background(self) -> Kept | None:
        """The background that the reader's stream is scored against."""
        with self._read() as (connection, reader):
            return contexts.current(connection, reader)

    def shared_backgrounds(self, model: str) -> list[Kept]:
        """The reader's own and those that were learned from the very sources that the reader follows."""
        with self._read() as (connection, reader):
            return contexts.of_the_same(connection, reader, model)

    def keep_background(self, kept: Kept) -> None:
        """Score the stream against it from now on. Backgrounds that no reader uses any more go, with their contexts."""
        with self._write() as (connection, reader):
            contexts.keep(connection, reader, kept)

    def marks(self, now: datetime, model: str) -> np.ndarray:
        """A number for each item of the stream, seen or not, its content and what of it the model has encoded: uint64
        (n,), sorted."""
        with self._read() as (connection, reader):
            return contexts.marks(connection, batches.choose(connection, reader, batches.Wanted(seen=True), now), model)

    def missing_contexts(self, stamp: str) -> list[Marked]:
        """(id, content hash) of what has a vector and is not kept in the context of the background yet."""
        with self._read() as (connection, reader):
            return contexts.missing(connection, reader, stamp)

    def put_contexts(self, stamp: str, of: Sequence[Marked], array: np.ndarray) -> None:
        """Store row i of `array` (n, dim) for of[i], as float16; what has changed or gone meanwhile is left out."""
        with self._write() as (connection, _):
            contexts.put(connection, stamp, of, array)

    # Feedback

    def add_feedback(self, item_id: int, sign: Sign, at: datetime) -> Feedback:
        with self._write() as (connection, reader):
            return feedback.add(connection, reader, item_id, sign, at)

    def add_acts(self, ids: Sequence[int], sign: Sign, at: datetime) -> list[Feedback]:
        """The same act on several items, in one transaction and at one moment."""
        with self._write() as (connection, reader):
            return feedback.add_all(connection, reader, ids, sign, at)

    def acts_on(self, ids: Sequence[int]) -> list[Feedback]:
        """All acts on these items that are not undone, oldest first."""
        with self._read() as (connection, reader):
            return [act for part in items.chunks(ids, 1000) for act in feedback.on(connection, reader, part)]

    def acted(self, sign: Sign) -> list[int]:
        """The ids of items on which such an act stands, the latest first, whatever was done with them since."""
        with self._read() as (connection, reader):
            return feedback.with_sign(connection, reader, sign)

    def liked(self, source: int, authors: Sequence[str]) -> dict[str | None, tuple[int, int]]:
        """{None for the source, or an author: (items liked or saved, items acted on)}."""
        with self._read() as (connection, reader):
            return feedback.liked(connection, reader, source, authors)

    def take_back(self, acts: Sequence[int], at: datetime) -> list[Feedback]:
        """Undo these acts, as far as they are the reader's and still stand; returns those."""
        with self._write() as (connection, reader):
            return [
                act for part in items.chunks(acts, 1000) for act in feedback.take_back(connection, reader, part, at)
            ]

    def undo_together(self, at: datetime) -> list[Feedback]:
        """Take back all that was done at the moment of the last act: one act, or a batch such as `add_acts` makes."""
        with self._write() as (connection, reader):
            return feedback.take_back(connection, reader, feedback.last_together(connection, reader), at)

    def undo(self, at: datetime) -> Feedback | None:
        """Take back the last act that is not undone; returns it, or None. The undo is recorded, too."""
        with self._write() as (connection, reader):
            return feedback.undo(connection, reader, at)

    def forget(self, item_id: int) -> int:
        """Strike everything the reader did with an item from the log, for good; returns how many rows that were."""
        with self._write() as (connection, reader):
            return feedback.forget(connection, reader, item_id)

    def act_log(self, limit: int = 50, before: int | None = None) -> list[tuple[Feedback, bool]]:
        """What the reader did, newest first, each with whether it was taken back."""
        with self._read() as (connection, reader):
            return feedback.log(connection, reader, limit, before)

    def feedback(self) -> list[Feedback]:
        """The effective feedback: per item the latest act that is not undone, oldest first."""
        with self._read() as (connection, reader):
            return feedback.all_of(connection, reader)

    def acted_mark(self) -> Mark:
        """Another one after every act, undo or `forget` of the reader; cheap."""
        with self._read() as (connection, reader):
            return glances.acted_mark(connection, reader)

    def acts(self) -> dict[int, Sign]:
        """{item: the act that counts}, without what was undone."""
        with self._read() as (connection, reader):
            return glances.effective_acts(connection, reader)

    # Interests, rules, state

    def add_interest(self, text: str, weight: float, now: datetime) -> Interest:
        """Remember an interest; one that is there already gets the new weight."""
        with self._write() as (connection, reader):
            return readers.add_interest(connection, reader, text, weight, now)

    def interests(self) -> list[Interest]:
        with self._read() as (connection, reader):
            return readers.all_interests(connection, reader)

    def put_interests(self, wanted: Sequence[Interest], now: datetime) -> list[Interest]:
        """Make these the reader's interests, all at once: known ids are changed, others added, the rest removed."""
        with self._write() as (connection, reader):
            return readers.put_interests(connection, reader, wanted, now)

    def set_interest_weight(self, id_: int, weight: float) -> None:
        with self._write() as (connection, reader):
            readers.set_interest_weight(connection, reader, id_, weight)

    def remove_interest(self, id_: int) -> None:
        with self._write() as (connection, reader):
            readers.remove_interest(connection, reader, id_)

    def add_rule(self, rule: Rule) -> Rule:
        """Remember a rule; it comes back with its id."""
        with self._write() as (connection, reader):
            return readers.add_rule(connection, reader, rule)

    def rules(self) -> list[Rule]:
        with self._read() as (connection, reader):
            return readers.all_rules(connection, reader)

    def remove_rule(self, id_: int) -> None:
        with self._write() as (connection, reader):
            readers.remove_rule(connection, reader, id_)

    def get_state(self, name: str) -> bytes | None:
        with self._read() as (connection, reader):
            return readers.get_state(connection, reader, name)

    def put_state(self, name: str, data: bytes) -> None:
        with self._write() as (connection, reader):
            readers.put_state(connection, reader, name, data)

    def states_of(self, name: str, names: Iterable[str]) -> dict[str, bytes]:
        """{reader: their state of this name}, for each of the readers who has one."""
        with self._read() as (connection, _):
            return readers.states_of(connection, name, names)

    def put_states(self, named: Mapping[str, bytes]) -> None:
        """Keep several at once: all or none."""
        with self._write() as (connection, reader):
            for name, data in named.items():
                readers.put_state(connection, reader, name, data)

    # The reader and the database

    def delete_reader(self) -> None:
        """Forget this reader: their subscriptions, feedback, interests, rules, state. Shared rows stay."""
        with self._write() as (connection, reader):
            readers.delete(connection, reader)
            contexts.drop_unused(connection)
            labels.drop_unused(connection)

    def readers(self) -> list[str]:
        """The names of all readers who have stored something."""
        with self._read() as (connection, _):
            return readers.names(connection)

    def total_items(self) -> int:
        """How many items are stored for all readers together."""
        with self._read() as (connection, _):
            return items.total(connection)

    def last_fetch(self) -> datetime | None:
        """When any source was last asked; None before the first time."""
        with self._read() as (connection, _):
            return sources.last_fetch(connection)

    def backup(self, path: Path) -> None:
        """Write a consistent copy while the database is in use; whole or not at all."""
        backup.backup(self.path, path)

    def check(self) -> list[str]:
        """Problems found in the file, its references and its search index; empty when it is sound."""
        with self._errors(), sqlite.driver_connection(self._engine) as connection:
            return sqlite.problems(connection)
