"""The learned profile as a person can read, carry away and bring back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ValidationError

from attention_filter import claims, concepts, labelling, quotas
from attention_filter.errors import DataError
from attention_filter.personal import graph, rules
from attention_filter.reading import Reading
from attention_filter.store.store import Store
from attention_filter.tasks import topics
from attention_filter.types import Rule, RuleAction, Sign


@dataclass(frozen=True)
class LearnedInterest:
    """One interest: what the reader said, and the words that the history has added to it."""

    id: int
    text: str
    weight: float
    words: tuple[str, ...]
    items: int  # past items it claimed


@dataclass(frozen=True)
class ProfileSummary:
    """What the filter knows of a reader."""

    interests: tuple[LearnedInterest, ...]
    acts: dict[str, int]
    sources: tuple[tuple[str, int, int], ...]  # title, liked, disliked
    line: float


@dataclass(frozen=True)
class Imported:
    """What an import added; `missing` counts feedback on items that are not here (yet)."""

    interests: int
    rules: int
    feedback: int
    missing: int


class _Act(BaseModel):
    source: str
    guid: str
    title: str = ""
    sign: Sign
    at: datetime


class _Said(BaseModel):
    text: str
    weight: float = 1.0


class _Rule(BaseModel):
    action: RuleAction
    words: tuple[str, ...] = ()
    pattern: str | None = None
    source: str | None = None
    author: str | None = None
    lang: str | None = None
    older_than_days: float | None = None
    newer_than_days: float | None = None
    boost: float = 0.0
    topic: str | None = None
    sentiment: str | None = None


class _Document(BaseModel):
    attention_filter_profile: int
    interests: list[_Said] = []
    rules: list[_Rule] = []
    quotas: list[str] = []
    feedback: list[_Act] = []
    knowledge: str = ""  # TOML, see personal.graph
    topics: str = ""  # the reader's own list, see tasks.topics


def summarise(reading: Reading) -> ProfileSummary:
    """What was learned: per interest the words of the past items it claimed, per source what was liked."""
    store = reading.store
    acts = store.feedback()
    items = {item.id: item for item in store.items([act.item for act in acts])}
    likes: Counter[str] = Counter(items[a.item].source_title for a in acts if a.sign in (Sign.LIKE, Sign.SAVE))
    dislikes: Counter[str] = Counter(items[a.item].source_title for a in acts if a.sign in (Sign.DISLIKE, Sign.HIDE))
    said = [
        LearnedInterest(one.interest.id, one.interest.text, one.interest.weight, one.words, one.claimed)
        for one in claims.learned(reading)
    ]
    sources = tuple((name, likes[name], dislikes[name]) for name, _ in (likes + dislikes).most_common())
    return ProfileSummary(tuple(said), dict(Counter(str(a.sign) for a in acts)), sources, reading.line)


def export_profile(store: Store) -> str:
    """Interests, rules, quotas and feedback as JSON; items are named by their source's address and their guid."""
    acts = store.feedback()
    items = {item.id: item for item in store.items([act.item for act in acts])}
    urls = {source.id: source.url for source in store.sources()}
    document = _Document(
        attention_filter_profile=1,
        interests=[_Said(text=i.text, weight=i.weight) for i in store.interests()],
        rules=[_Rule(**{name: getattr(rule, name) for name in _Rule.model_fields}) for rule in store.rules()],
        quotas=[str(quota) for quota in quotas.stored(store)],
        feedback=[
            _Act(
                source=urls.get(items[a.item].source, ""),
                guid=items[a.item].entry.guid,
                title=items[a.item].entry.title,
                sign=a.sign,
                at=a.at,
            )
            for a in acts
        ],
        knowledge=graph.write(concepts.load(store)),
        topics=topics.write(labelling.chosen(store).own),
    )
    return document.model_dump_json(indent=2)


@dataclass(frozen=True)
class _Plan:
    """What an exported profile would add here. Rules, quotas and acts that are there already are left out."""

    interests: list[_Said]
    rules: list[Rule]
    quotas: list[str]
    acts: list[tuple[int, _Act]]  # with the item each is about
    missing: int
    concepts: graph.Graph | None
    topics: labelling.Choice | None  # None where the reader has a list of their own, or the profile has none

    @property
    def adds(self) -> Imported:
        return Imported(len(self.interests), len(self.rules), len(self.acts), self.missing)


def preview_profile(store: Store, text: str) -> Imported:
    """What `import_profile` would add. DataError when it is no exported profile."""
    return _plan(store, text).adds


def import_profile(store: Store, text: str, now: datetime) -> Imported:
    """Add what `export_profile` wrote. Interests and rules that are there already are not doubled."""
    plan = _plan(store, text)
    for said in plan.interests:
        store.add_interest(said.text, said.weight, now)
    if plan.concepts is not None:
        concepts.keep(store, plan.concepts)
    if plan.topics is not None:
        labelling.choose(store, plan.topics)
    for rule in plan.rules:
        store.add_rule(rule)
    quotas.add(store, plan.quotas)
    for item, act in plan.acts:
        store.add_feedback(item, act.sign, act.at)
    return plan.adds


def _plan(store: Store, text: str) -> _Plan:
    try:
        document = _Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"not an exported profile: {where}{': ' if where else ''}{first['msg']}") from error
    told = graph.parse(document.knowledge, "the profile's knowledge")  # before anything is stored: it may be wrong
    own = topics.parse(document.topics) if document.topics else ()
    known = {_plain(rule) for rule in store.rules()}
    new = [rule for rule in (Rule(0, **dict(rule)) for rule in document.rules) if _plain(rule) not in known]
    for rule in new:
        rules.check(rule)
    there = {str(quota) for quota in quotas.stored(store)}
    lacking = [sentence for sentence in document.quotas if sentence not in there]
    quotas.checked(store, lacking)
    found = {
        url: store.find_guids(url, [act.guid for act in document.feedback if act.source == url])
        for url in {act.source for act in document.feedback}
    }
    matched = [(found[act.source].get(act.guid), act) for act in document.feedback]
    standing = {(act.item, act.sign) for act in store.feedback()}
    return _Plan(
        interests=document.interests,
        rules=new,
        quotas=lacking,
        acts=[(item, act) for item, act in matched if item is not None and (item, act.sign) not in standing],
        missing=sum(item is None for item, _ in matched),
        concepts=graph.merge(concepts.load(store), told) if told else None,
        topics=labelling.Choice(own=own) if own and labelling.chosen(store) == labelling.Choice() else None,
    )


def _plain(rule: Rule) -> str:
    return json.dumps({name: str(getattr(rule, name)) for name in _Rule.model_fields})
