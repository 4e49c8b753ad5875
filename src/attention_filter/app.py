"""The front door: `open_filter()` wires store, sources, encoder and ranking into one object.

with open_filter() as filter:
    filter.add("https://example.org/feed.xml")
    filter.add_interest("climate and energy")
    filter.fetch()
    for ranked in filter.today().page:
        print(ranked.level, ranked.item.entry.title, ranked.because)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from attention_filter import (
    audit,
    claims,
    concepts,
    exchange,
    labelling,
    learned,
    listing,
    quotas,
    reading,
    tending,
    today,
    trends,
    why,
)
from attention_filter.errors import AttentionError, DataError, UsageError
from attention_filter.personal import graph, rules
from attention_filter.personal.constraints import Constraint
from attention_filter.reading import Selection
from attention_filter.settings import Settings, load_settings
from attention_filter.sources.opml import write_opml
from attention_filter.sources.wordnet import Sense, WordNet
from attention_filter.store.search import Hit
from attention_filter.store.store import Store, open_store
from attention_filter.tending import Way
from attention_filter.today import Today
from attention_filter.trends import Trends
from attention_filter.types import Feedback, Interest, Item, Ranked, Rule, Sign, Source

if TYPE_CHECKING:
    from attention_filter import insight
    from attention_filter.audit import Audit, Offer, Promise
    from attention_filter.intake import Fetched, Progress
    from attention_filter.models.encoder import Encoder


TOUCHABLE = 2_000  # newest items that a rule is tried on to tell what it would do


@dataclass(frozen=True)
class Check:
    """One line of `attention doctor`; `advice` is empty when all is well."""

    name: str
    state: str
    advice: str = ""


def open_filter(
    db: str | None = None,
    reader: str = "me",
    *,
    settings: Settings | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Filter:
    """Open (and on first use create) a reader's filter. `db` is a URL such as sqlite:///news.db."""
    settings = settings or load_settings()
    return Filter(open_store(db or settings.db, reader), settings, clock)


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Filter:
    """A reader's whole filter. Reading and ranking never load the encoder; adding and fetching do."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Callable[[], datetime],
        encoder: Callable[[], Encoder] | None = None,
    ) -> None:
        """`encoder` gives the model when filters share one; otherwise each loads its own on first use."""
        self.store = store
        self.settings = settings
        self.clock = clock
        self._shared = encoder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    @cached_property
    def encoder(self) -> Encoder:
        """The model that `settings.model` names, loaded on first use."""
        if self._shared is not None:
            return self._shared()
        from attention_filter.models.encoder import load_encoder

        return load_encoder(self.settings.model)

    # Sources

    def add(self, target: str, *, folder: str = "", columns: dict[str, str] | None = None) -> Source:
        """Follow a feed or web page address, a folder, or a JSONL, CSV or TSV file; nothing is fetched yet."""
        from attention_filter import intake  # only what connects pays for the HTTP client

        return intake.subscribe(self.store, self.settings, target, self.clock(), folder=folder, columns=columns)

    def import_opml(self, path: Path) -> list[Source]:
        """Follow every feed of an OPML file."""
        try:
            return self.follow_opml(_read(path))
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def follow_opml(self, body: bytes) -> list[Source]:
        """Follow every feed of an OPML document."""
        from attention_filter import intake  # only what connects pays for the HTTP client

        return intake.subscribe_opml(self.store, body, self.clock())

    def export_opml(self) -> str:
        """What is followed, as an OPML document that any feed reader takes."""
        return write_opml(self.store.sources(), "Attention Filter")

    def fetch(
        self, *, sources: Sequence[Source] | None = None, every: bool = False, progress: Progress = silent
    ) -> list[Fetched]:
        """Read the given sources (or those that are due, or with `every` all that are not muted), then encode."""
        from attention_filter import intake  # only what connects pays for the HTTP client

        now = self.clock()
        if sources is None:
            sources = [s for s in self.store.sources() if not s.muted] if every else self.store.due_sources(now)
        done = intake.fetch(self.store, self.settings, sources, now, progress)
        self.understand(progress=progress)
        return done

    def understand(self, *, progress: Progress = silent, limit: int | None = None) -> int:
        """Leave out what sources repeat, encode what is not encoded yet, tell what it is about and how it feels, and
        see it among the rest of the stream; of more than a few, the titles first, so that there is a ranking soon.
        Returns how many were encoded.

        With `limit` no more than so many texts, the newest.
        """
        from attention_filter import intake  # only what connects pays for the HTTP client

        if not self.store.count_items():
            return 0
        self.skim(progress=progress)
        encoded = intake.encode(self.store, self.encoder, progress, limit)
        labelling.tell(self.store, self.encoder, progress)
        self._learn_usual(progress)
        self._reconsider(progress)
        return encoded

    def skim(self, *, progress: Progress = silent) -> int:
        """Leave out what sources repeat, encode the titles alone of what is not encoded yet, and see it among the rest
        of the stream, so that it can be ranked before its texts are read by `understand`. Returns how many; 0 when they
        are few."""
        from attention_filter import intake  # only what connects pays for the HTTP client

        intake.leave_out_repeats(self.store, progress)
        titles = intake.encode_titles(self.store, self.encoder, progress)
        if titles:
            self._learn_usual(progress)
        return titles

    def _learn_usual(self, progress: Progress) -> None:
        self._encode_interests(self.store.interests())
        self._encode(concepts.texts(concepts.load(self.store)))
        progress("Learning what is usual", 0, 1)
        learned.refresh_background(self.store, self.encoder.id, self.clock())
        progress("Learning what is usual", 1, 1)
        learned.see_in_context(self.store, progress)
        learned.freeze_scale(self.store, self.clock())

    # Reading

    def stream(
        self,
        limit: int = 20,
        wanted: Selection | None = None,
        exploration: float | None = None,
        variety: float | None = None,
    ) -> list[Ranked]:
        """The best unread items, pinned ones first, each with its reasons.

        `exploration` is the share of the places that is given to what would teach most; `variety` 1 sets unlike items
        side by side. An item that stands above a better one is `moved`, which says why.
        """
        varied = self.settings.variety if variety is None else variety
        return listing.stream(self._reading(exploration), wanted or Selection(), limit, varied)

    def today(self, *, more: bool = False, stories: int | None = None, minutes: float | None = None) -> Today:
        """The page of the day: the stories that deserve it, chosen when it is first asked for and kept in their places.

        `more` adds the next ones. `stories` and `minutes` (default: the settings) are the reader's budget; given here,
        they make the page anew.
        """
        return today.today(self._reading(), more=more, stories=stories, minutes=minutes)

    def ask(self, n: int = 5) -> list[listing.Asked]:
        """The unread items whose rating would teach the filter most, the most telling first. Answer with `act`."""
        return listing.ask(self._reading(0.0), n)

    def answer(self, answers: Mapping[int, Sign]) -> tuple[list[Feedback], listing.Moved]:
        """Answer the questions of `ask`, and see what that changed in the order of the unread."""
        before = listing.order_of(self._reading(0.0))
        now = self.clock()
        done = [one for item, sign in answers.items() for one in self.act([item], sign, now)]
        return done, listing.moved(before, listing.order_of(self._reading(0.0)), list(answers))

    def tray(self, limit: int = 20, wanted: Selection | None = None) -> tuple[list[Ranked], int]:
        """What was filtered away, the closest call first, and how many items that are."""
        return listing.trayed(self._reading(), wanted or Selection(), limit)

    def promise(self) -> Promise:
        """Whether the tray keeps its promise, as far as the audits can tell."""
        return audit.state_of(self._reading())

    def promised(self) -> float:
        """The share of what would be read that is promised to stay out of the tray."""
        return learned.promised(self.store)

    def set_promise(self, share: float) -> None:
        """Keep this share of what would be read out of the tray."""
        if not 0.5 <= share <= 0.999:
            raise UsageError(f"{100 * share:g} %: a promise lies between 50 and 99.9 %")
        self.store.put_state(learned.PROMISE, json.dumps(share).encode())

    def audit(self, count: int = 20) -> Audit:
        """Random items of the tray to look through, the same all week."""
        return audit.draw(self._reading(), count)

    def answer_audit(self, item: int, should_have: bool | None) -> None:
        """One item of the audit was looked at: it should have been shown (which counts as a like), or was rightly in
        the tray. None takes the answer back."""
        was_found = audit.answer(self.store, item, should_have, self.clock())
        if should_have and not was_found:
            self.act([item], Sign.LIKE)
        elif was_found and not should_have:
            self.take_back([act.id for act in self.store.acts_on([item]) if act.sign is Sign.LIKE])

    def promises(self, keeps: Sequence[float]) -> list[Offer]:
        """What each promise would show a day."""
        return audit.offers(self._reading(), keeps)

    def should_have_shown(self, ids: Sequence[int]) -> Promise:
        """The reader looked through the audit, and liked these; returns what that says of the promise."""
        now = self.clock()
        audit.judge(self.store, ids, now)
        if ids:
            self.act(ids, Sign.LIKE)
        return self.promise()

    def rank(self, ids: Sequence[int]) -> list[Ranked]:
        """The given items with their scores and reasons, read or unread."""
        return listing.rank_items(self._reading(), ids)

    def why(self, item_id: int, *, with_words: bool = True, with_own_act: bool = True) -> why.Explanation:
        """Everything about one item's score. The words need the encoder, which takes a second to load.

        Without its own act, an item that was read or liked is explained as it was before: not by itself.
        """
        self.store.item(item_id)
        now = self._reading() if with_own_act else why.without(self._reading(), item_id)
        encoder = self.encoder if with_words and now.model and len(now.profile.history) else None
        return why.explain_item(now, item_id, encoder)

    def know_me(self, *, progress: Progress = silent) -> insight.Insight:
        """How well the filter knows this reader, measured on their own history; decides the fall-back anew."""
        from attention_filter import insight  # scikit-learn and scipy, which only this needs

        found = insight.know(self._reading(), progress)
        insight.keep(self.store, found, self.clock())
        return found

    def known(self) -> tuple[insight.Insight, datetime] | None:
        """What `know_me` found last, and when."""
        from attention_filter import insight

        return insight.kept(self.store)

    def item(self, item_id: int) -> Item:
        return self.store.item(item_id)

    def search(self, query: str, limit: int = 20) -> list[Hit]:
        """Items with these words, in the stream, the tray and among what was read."""
        return self.store.search(query, limit)

    # Feedback

    def act(self, ids: Sequence[int], sign: Sign, at: datetime | None = None) -> list[Feedback]:
        """Record what the reader did now, or `at`, to join acts of that moment; with a wrong id nothing is recorded."""
        done = self.store.add_acts(ids, sign, at or self.clock())
        if not learned.has_scale(self.store):
            learned.freeze_scale(self.store, self.clock())
        return done

    def undo(self) -> Feedback | None:
        """Take back the last act."""
        return self.store.undo(self.clock())

    def undo_together(self) -> list[Feedback]:
        """Take back the last act, and with it all that was done at the same moment by one call of `act`."""
        return self.store.undo_together(self.clock())

    def take_back(self, acts: Sequence[int]) -> list[Feedback]:
        """Take back these acts, whenever they were done, by the ids that `act` gave them."""
        return self.store.take_back(acts, self.clock())

    def forget(self, item_id: int) -> int:
        """Strike all that was done with an item from the log, for good; what was learned from it goes with it."""
        return self.store.forget(item_id)

    # Interests and rules

    def interests(self) -> list[Interest]:
        return self.store.interests()

    def add_interest(self, text: str, weight: float = 1.0) -> Interest:
        """Say in plain words what is wanted (or, with a negative weight, what is not)."""
        interest = self.store.add_interest(text, weight, self.clock())
        self._encode_interests([interest])
        learned.freeze_scale(self.store, self.clock())
        return interest

    def remove_interest(self, interest_id: int) -> None:
        self.store.remove_interest(interest_id)
        learned.freeze_scale(self.store, self.clock())

    def weigh_interest(self, interest_id: int, weight: float) -> None:
        self.store.set_interest_weight(interest_id, weight)
        learned.freeze_scale(self.store, self.clock())

    def edit_interest(self, interest_id: int, text: str) -> None:
        """Say an interest in other words. What was done stays, and is looked at anew."""
        self._tend(Way.EDITED, interest_id, tending.edited(self.interests(), interest_id, text))

    def merge_interests(self, first: int, second: int, text: str) -> None:
        """Two interests as one, in these words."""
        self._tend(Way.MERGED, second, tending.merged(self.interests(), first, second, text))

    def split_interest(self, interest_id: int, texts: tuple[str, str]) -> None:
        """One interest as two, in these words; `halves_of` suggests what they are about."""
        self._tend(Way.SPLIT, interest_id, tending.parted(self.interests(), interest_id, texts))

    def drop_interest(self, interest_id: int) -> None:
        """Remove an interest, its limit too; `restore_interests` brings both back."""
        self._tend(Way.REMOVED, interest_id, tending.removed(self.interests(), interest_id))

    def restore_interests(self) -> tending.Change:
        """Take back the last of these four."""
        done = tending.take_back(self.store, self.clock())
        self._encode_interests(self.interests())
        learned.freeze_scale(self.store, self.clock())
        return done

    def _tend(self, way: Way, interest_id: int, wanted: Sequence[Interest]) -> None:
        self._encode_interests(wanted)  # before it is stored: an interest without a vector says nothing
        tending.change(self.store, way, interest_id, wanted, self.clock())
        learned.freeze_scale(self.store, self.clock())

    def limit_interest(self, interest_id: int, percent: int | None) -> None:
        """At most this share of a list; None lifts the limit."""
        tending.set_quota(self.store, tending.find(self.interests(), interest_id), percent)

    def interests_learned(self) -> list[claims.Learned]:
        """What each interest has learned: words, past items, sources, and how many items it claimed lately."""
        return claims.learned(self._reading())

    def halves_of(self, interest_id: int) -> tuple[claims.Theme, claims.Theme]:
        """How an interest would best be split."""
        return claims.split(self._reading(), interest_id)

    def suggest_interests(self) -> list[claims.Theme]:
        """What was liked but is claimed by no interest, by theme."""
        return claims.beside(self._reading())

    def picture(self, which: claims.Which = "stream", most: int = 40) -> claims.Picture:
        """The attention matrices A and H over the interests and recent items."""
        return claims.picture(self._reading(), which, most)

    def rules(self) -> list[Rule]:
        return self.store.rules()

    def add_rule(self, rule: Rule) -> Rule:
        """Add a rule; an empty, dangerous or contradictory one is refused."""
        rules.check(rule)
        if rule.topic is not None:
            rule = replace(rule, topic=labelling.find_topic(self.store, rule.topic))
        return self.store.add_rule(rule)

    def remove_rule(self, rule_id: int) -> None:
        self.store.remove_rule(rule_id)

    def touched(self, wanted: Sequence[Rule], days: float = 30.0) -> dict[int, list[Item]]:
        """{rule id: items of the last `days` that the rule holds for, newest first}, of the newest TOUCHABLE."""
        for rule in wanted:
            rules.check(rule)
        now = self.clock()
        lately = self.store.newest(TOUCHABLE, since=now - timedelta(days=days)) if wanted else []
        return rules.touched(wanted, lately, now)

    # Topics

    def topics(self) -> labelling.Choice:
        """The topics that items are sorted into."""
        return labelling.chosen(self.store)

    def choose_topics(self, choice: labelling.Choice, *, progress: Progress = silent) -> None:
        """Have other topics, and sort what is stored into them."""
        labelling.choose(self.store, choice)
        if self.store.count_items():
            labelling.tell(self.store, self.encoder, progress)

    def find_topic(self, name: str) -> str:
        """The topic of that name, in English or Chinese. UsageError with the names there are."""
        return labelling.find_topic(self.store, name)

    def trends(self, days: int = 30, *, source: int | None = None, interest: int | None = None) -> Trends:
        """Topics and feelings of what came in the last `days`, of all, of one source, of what one interest claims."""
        now = self.clock()
        starts, step = trends.periods(now, days)
        found = self.store.labelled(starts[0])
        wanted = np.ones(len(found.ids), bool) if source is None else found.sources == source
        if interest is not None:
            tending.find(self.interests(), interest)
            wanted &= trends.of_interest(self._reading(), found, interest)
        return trends.count(found, starts, step, wanted)

    # Knowledge

    def knowledge(self) -> list[concepts.Known]:
        """The reader's concepts, how much each is cared about and which interests say so."""
        return concepts.known(concepts.load(self.store), self._reading().knowledge, self.interests())

    def add_knowledge(self, text: str, file: str = "graph") -> list[str]:
        """Add the concepts of a TOML text (see `personal.graph`); returns what in them may be meant otherwise."""
        added = concepts.both_scripts(graph.parse(text, file))
        return self._keep_knowledge(graph.merge(concepts.load(self.store), added))

    def replace_knowledge(self, text: str, file: str = "graph") -> list[str]:
        """Let this TOML text be the whole graph; returns what in it may be meant otherwise."""
        return self._keep_knowledge(concepts.both_scripts(graph.parse(text, file)))

    def _keep_knowledge(self, whole: graph.Graph) -> list[str]:
        self._encode(concepts.texts(whole))
        concepts.keep(self.store, whole)
        return graph.doubts(whole)

    def suggest(self, word: str, wordnet: Path | None = None) -> list[Sense]:
        """The senses of an English noun, from WordNet's files in a folder (default: where `settings` says)."""
        senses = WordNet(wordnet or Path(self.settings.wordnet)).senses(word)
        if not senses:
            raise UsageError(f"WordNet has no noun {word!r}; write the concept yourself: attention knowledge example")
        return senses

    def accept_sense(self, word: str, senses: Sequence[Sense], chosen: int) -> list[str]:
        """Add the sense that the reader cares about, and the others to tell it from; returns the labels added."""
        added = concepts.accepted(word, senses, chosen)
        self.add_knowledge(graph.write(added))
        return [concept.label for concept in added]

    def export_knowledge(self) -> str:
        """The reader's graph as the TOML that `add_knowledge` takes."""
        return graph.write(concepts.load(self.store))

    def remove_knowledge(self, label: str | None = None) -> int:
        """Forget one concept, or all of them; returns how many."""
        before = concepts.load(self.store)
        after = graph.without(before, concepts.one(before, label).label) if label is not None else ()
        concepts.keep(self.store, after)
        return len(before) - len(after)

    # Quotas

    def quotas(self) -> list[Constraint]:
        """What a list must be: quotas, must-include, never together."""
        return quotas.stored(self.store)

    def add_quota(self, sentence: str) -> Constraint:
        """Add a quota such as 'source:"Daily Noise" at most 2'; one that cannot hold beside the others is refused."""
        return quotas.add(self.store, [sentence])[0]

    def remove_quota(self, number: int) -> Constraint:
        """Forget the quota at this place of `quotas()`, counted from 1."""
        found = self.quotas()
        if not 1 <= number <= len(found):
            raise UsageError(f"quota {number}: you have no such quota; `attention quotas` shows the numbers")
        quotas.remove(self.store, found[number - 1])
        return found[number - 1]

    # The profile

    def profile(self) -> exchange.ProfileSummary:
        """What was learned, in words a person can check."""
        return exchange.summarise(self._reading())

    def export_profile(self) -> str:
        """Interests, rules and feedback as JSON that `import_profile` takes on any machine."""
        return exchange.export_profile(self.store)

    def preview_profile(self, text: str) -> exchange.Imported:
        """What `import_profile` would add; nothing is stored."""
        return exchange.preview_profile(self.store, text)

    def import_profile(self, text: str) -> exchange.Imported:
        """Add an exported profile to this one; feedback is matched to items by source and guid."""
        done = exchange.import_profile(self.store, text, self.clock())
        self._encode_interests(self.store.interests())
        self._encode(concepts.texts(concepts.load(self.store)))
        if self.store.tellers():
            labelling.tell(self.store, self.encoder, silent)
        learned.freeze_scale(self.store, self.clock())
        return done

    def set_age_limit(self, days: float | None) -> None:
        """Items older than this leave stream and tray; none is deleted, and saved ones stay. None lifts the limit."""
        if days is not None and not 0 < days < 100_000:
            raise UsageError(f"{days:g}: an age limit is a number of days above 0")
        self.store.set_age_limit(days)

    def delete_profile(self) -> None:
        """Forget the reader: subscriptions, feedback, interests, rules and all that was learned."""
        self.store.delete_reader()

    # Care

    def doctor(self) -> list[Check]:
        """Is everything in order? One line a part."""
        sources = self.store.sources()
        failing = [s for s in sources if s.failures]
        broken = self.store.check()
        free = shutil.disk_usage(self.store.path.parent).free
        said = len(self.store.interests())
        checks = [
            Check("database", str(self.store.path), "; ".join(broken)),
            Check("disk", f"{free / 1e9:.1f} GB free", "free some space" if free < 500_000_000 else ""),
            Check("items", f"{self.store.count_items()}", "" if sources else "add a source: attention add URL"),
            Check(
                "sources",
                f"{len(sources)}, {len(failing)} with trouble",
                "see attention sources" if failing else "",
            ),
            Check("interests", f"{said}", "" if said else "say what you care about: attention interests add TEXT"),
        ]
        try:
            waiting = len(self.store.missing_vectors(self.encoder.id))
            checks.append(Check("model", self.encoder.id))
            checks.append(Check("not yet encoded", f"{waiting} items", "run attention fetch" if waiting else ""))
        except AttentionError as error:
            checks.append(Check("model", self.settings.model, str(error)))
        return checks

    def _reconsider(self, progress: Progress) -> None:
        """After enough new acts: does a simple ranking do better by now, or the filter again?"""
        if learned.is_due(self.store):
            from attention_filter import insight

            insight.reconsider(self._reading(), progress)

    def _reading(self, exploration: float | None = None) -> reading.Reading:
        return reading.open_reading(self.store, self.settings, self.clock(), exploration)

    def _encode_interests(self, interests: Sequence[Interest]) -> None:
        self._encode([interest.text for interest in interests])

    def _encode(self, texts: Sequence[str]) -> None:
        if texts:
            _, known = self.store.text_vectors(self.encoder.id, texts)
            missing = [text for text, there in zip(texts, known, strict=True) if not there]
            if missing:
                self.store.put_text_vectors(self.encoder.id, missing, self.encoder.encode(missing))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
