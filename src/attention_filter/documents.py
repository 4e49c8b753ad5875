"""What --json prints and /api answers: plain data whose keys stay. Times are ISO 8601 in UTC; null is "none"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from attention_filter.personal.rules import SENTIMENTS
from attention_filter.tasks.topics import usual
from attention_filter.types import Interest, Item, Ranked, Rule, Sign, Source

if TYPE_CHECKING:
    from attention_filter.app import Check
    from attention_filter.audit import Audit, Promise
    from attention_filter.concepts import Known
    from attention_filter.exchange import ProfileSummary
    from attention_filter.insight import Insight
    from attention_filter.intake import Fetched
    from attention_filter.labelling import Choice
    from attention_filter.listing import Asked
    from attention_filter.personal.constraints import Constraint
    from attention_filter.sources.wordnet import Sense
    from attention_filter.store.accounts import Account
    from attention_filter.store.search import Hit
    from attention_filter.today import Today
    from attention_filter.trends import Trends
    from attention_filter.why import Explanation

Document = dict[str, Any]


def item(one: Item) -> Document:
    """id, title, url, source {id, title}, date, published, updated, fetched, lang, authors, tags, image, topic (one of
    yours), sentiment (negative, neutral, positive), polarity (−1 … 1); null where that is not clear or not told yet"""
    entry = one.entry
    return {
        "id": one.id,
        "title": entry.title,
        "url": entry.url,
        "source": {"id": one.source, "title": one.source_title},
        "date": _time(one.date),
        "published": _time(entry.published),
        "updated": _time(entry.updated),
        "fetched": _time(one.fetched),
        "lang": entry.lang,
        "authors": list(entry.authors),
        "tags": list(entry.tags),
        "image": entry.image,
        "topic": one.topic or None,
        "sentiment": one.sentiment or None,
        "polarity": one.polarity,
    }


def whole_item(one: Item, act: Sign | None) -> Document:
    """`show`: as `item`, and guid, text, html (sanitised), links, act (like, dislike, …)"""
    entry = one.entry
    more = {"guid": entry.guid, "text": entry.text, "html": entry.html, "links": list(entry.links), "act": act}
    return item(one) | more


def ranked(one: Ranked) -> Document:
    """As `item`, and score, reasons [{term, label, value, detail}] that sum to it, interest, pinned, tray (why it
    lies there), level (high, worth, maybe, no), probability (that you would want it), both by the score; moved (why it
    stands where its score does not put it), held_back (it follows after the list, which the quotas let it nowhere in),
    story (ids of the items folded under it), adds_to (the title of what you read, which it adds to), because {says,
    follows, title, sign, concept, pinned, new}: what spoke most for it, as a sentence and its parts"""
    from attention_filter.personal.ranking import LABELS

    reasons = [
        {"term": r.term, "label": LABELS.get(r.term, r.term), "value": r.value, "detail": r.detail} for r in one.reasons
    ]
    return item(one.item) | {
        "score": one.score,
        "reasons": reasons,
        "interest": one.interest,
        "pinned": one.pinned,
        "tray": str(one.tray) if one.tray else None,
        "moved": one.moved,
        "held_back": one.held_back,
        "story": list(one.story),
        "probability": one.probability,
        "level": one.level,
        "adds_to": one.adds_to,
        "because": {"says": str(one.because), **asdict(one.because)} if one.because else None,
    }


def stream(items: Sequence[Ranked]) -> Document:
    """`read`, `digest`: items [ranked]"""
    return {"items": [ranked(one) for one in items]}


def today(page: Today) -> Document:
    """`today`: day, done (something was done with every story), says (how the page ends), waiting (unread above the
    line that are not on it), new (of these, what came after it was made), away (what was filtered away of what came
    since the page before), minutes (left to read), items [ranked, and act]"""
    return {
        "day": page.day.isoformat(),
        "done": page.done,
        "says": str(page),
        "waiting": page.waiting,
        "new": page.new,
        "away": page.away,
        "minutes": page.minutes,
        "items": [ranked(one) | {"act": page.acts.get(one.item.id)} for one in page.page],
    }


def tray(items: Sequence[Ranked], count: int, promise: float) -> Document:
    """`tray`: count (of all that lie there), promise (share of what you would read that stays), items [ranked]"""
    return {"count": count, "promise": promise, **stream(items)}


def asked(questions: Sequence[Asked]) -> Document:
    """`ask`: questions [as ranked, and chance (that you want it), doubt (deviation of its score), settles (share of
    what is open about the unread items that your answer settles)], unread (how many items they were chosen from)"""
    return {
        "unread": questions[0].unread if questions else 0,
        "questions": [
            ranked(one.ranked) | {"chance": one.chance, "doubt": one.doubt, "settles": one.settles} for one in questions
        ],
    }


def audit(one: Audit, state: Promise) -> Document:
    """`tray audit`: week, looked, found (ids), items [ranked] still to look at, promise (as `tray promise`)"""
    return {
        "week": one.week,
        "looked": one.looked,
        "found": list(one.found),
        "promise": promise(state),
        **stream(one.to_look),
    }


def promise(one: Promise) -> Document:
    """`tray promise`, `tray should`: keep, looked, found, tray, wanted, away {share, low, high}, kept (the same),
    proven, more"""
    away = {name: _number(value) for name, value in asdict(one.away).items()}
    kept = {name: _number(value) for name, value in asdict(one.kept).items()}
    return asdict(one) | {"away": away, "kept": kept}


def insight(one: Insight) -> Document:
    """`evaluate me`: as insight.Insight has it, and verdict (in words)"""
    from attention_filter.insight import verdict

    known: Document = json.loads(json.dumps(asdict(one)), parse_constant=lambda _: None)  # NaN: null
    return {"verdict": verdict(one), **known}


def explanation(one: Explanation, rules: Sequence[Rule]) -> Document:
    """`why`: as `ranked`, and rank, of, line, text, rules (those that hold), changes [{what, score, rank}], concepts
    [{cared, named, words, value, mistaken}] (they sum to the reason knowledge), and two more sums of the score:
    carriers [{item, interest, name, act, value}] + ordinary + baseline + the reasons that carry no history (fresh,
    source, popular, knowledge, rules, fallback); and words [{start, end, word, value}] + rest in place of
    carriers and ordinary"""
    return ranked(one.ranked) | {
        "rank": one.rank,
        "of": one.of,
        "line": _number(one.line),
        "carriers": [
            {
                "item": carrier.key if carrier.sign else None,
                "interest": None if carrier.sign else -carrier.key,
                "name": carrier.name,
                "act": carrier.sign,
                "value": carrier.value,
            }
            for carrier in one.carriers
        ],
        "ordinary": one.ordinary,
        "baseline": one.baseline,
        "text": one.text,
        "words": [
            {"start": w.start, "end": w.end, "word": one.text[w.start : w.end], "value": w.value} for w in one.words
        ],
        "rest": one.rest,
        "rules": [rule(one_rule) for one_rule in rules],
        "changes": [asdict(change) for change in one.changes],
        "concepts": [asdict(part) | {"words": list(part.words)} for part in one.concepts],
    }


def found(query: str, hits: Sequence[Hit]) -> Document:
    """`search`: query, hits [as item, and snippet, marks [[start, end]] in it, rank]"""
    return {
        "query": query,
        "hits": [
            item(hit.item) | {"snippet": hit.snippet, "marks": [list(mark) for mark in hit.marks], "rank": hit.rank}
            for hit in hits
        ],
    }


def interests(all_of_them: Sequence[Interest]) -> Document:
    """`interests`: interests [{id, text, weight, created}]"""
    return {"interests": [asdict(one) | {"created": _time(one.created)} for one in all_of_them]}


def rule(one: Rule) -> Document:
    """id, action, words, pattern, source, author, lang, older_than_days, newer_than_days, boost, topic, sentiment,
    says (in words)"""
    return asdict(one) | {"action": str(one.action), "words": list(one.words), "says": str(one)}


def rules(all_of_them: Sequence[Rule]) -> Document:
    """`rules`: rules [rule]"""
    return {"rules": [rule(one) for one in all_of_them]}


def topics(choice: Choice, lately: Trends) -> Document:
    """`topics`: model (the folder of your classifier, or null), topics [{name, texts it is known by, items of the last
    30 days}]"""
    count = {line.name: line.total for line in lately.topics}
    texts = {one.name: list(one.texts) for one in choice.own or usual()}
    return {
        "model": choice.model or None,
        "topics": [
            {"name": name, "texts": [] if choice.model else texts[name], "items": count.get(name, 0)}
            for name in choice.names
        ],
    }


def trends(one: Trends) -> Document:
    """`trends`: days (of a period), periods [{start, items, negative, neutral, positive, polarity}], topics [{name,
    items, polarity, counts (of each period)}], the most frequent first; polarities are means, null without any"""
    rows = zip(one.starts, one.items, one.polarity, *(one.feelings[name] for name in SENTIMENTS), strict=True)
    return {
        "days": one.days,
        "periods": [
            {"start": _time(start), "items": n, "polarity": mean, **dict(zip(SENTIMENTS, told, strict=True))}
            for start, n, mean, *told in rows
        ],
        "topics": [
            {"name": line.name, "items": line.total, "polarity": line.polarity, "counts": list(line.counts)}
            for line in one.topics
        ],
    }


def knowledge(all_of_them: Sequence[Known]) -> Document:
    """`knowledge`: concepts [{label, names, broader, narrower, related, context, gloss, care, interests}]; care is what
    counts, by its own number or by the interests (their texts)"""
    return {"concepts": [_known(one) for one in all_of_them]}


def _known(one: Known) -> Document:
    lists = {name: list(getattr(one.concept, name)) for name in ("names", "broader", "related", "context")}
    rest = {"label": one.concept.label, "gloss": one.concept.gloss, "care": one.care}
    return rest | lists | {"narrower": list(one.narrower), "interests": list(one.interests)}


def suggested(word: str, senses: Sequence[Sense], added: Sequence[str]) -> Document:
    """`knowledge suggest`: word, senses [{number, names, gloss, broader, narrower}], added (labels of new concepts)"""
    rows = [asdict(sense) | {"number": number} for number, sense in enumerate(senses, 1)]
    return {"word": word, "senses": rows, "added": list(added)}


def quotas(all_of_them: Sequence[Constraint]) -> Document:
    """`quotas`: quotas [{number, kind, field, value (null for each), amount, percent, other {field, value}, says}]"""
    return {
        "quotas": [
            {
                "number": number,
                "kind": str(one.kind),
                "field": one.group.field,
                "value": one.group.value,
                "amount": one.amount,
                "percent": one.percent,
                "other": asdict(one.other) if one.other else None,
                "says": str(one),
            }
            for number, one in enumerate(all_of_them, 1)
        ]
    }


def source(one: Source) -> Document:
    """id, url, kind, title, folder, items, health, last_fetched, last_success, next_try, last_error, failures,
    muted, columns {field: column}"""
    return {
        "id": one.id,
        "url": one.url,
        "kind": str(one.kind),
        "title": one.title,
        "folder": one.folder,
        "items": one.items,
        "health": health(one),
        "last_fetched": _time(one.last_fetched),
        "last_success": _time(one.last_success),
        "next_try": _time(one.next_try),
        "last_error": one.last_error,
        "failures": one.failures,
        "muted": one.muted,
        "columns": dict(one.columns),
    }


def sources(all_of_them: Sequence[Source]) -> Document:
    """`sources`: sources [source]"""
    return {"sources": [source(one) for one in all_of_them]}


def health(one: Source) -> str:
    """muted, trouble, new (never fetched) or ok."""
    if one.muted:
        return "muted"
    if one.failures:
        return "trouble"
    return "ok" if one.last_fetched else "new"


def fetched(done: Sequence[Fetched]) -> Document:
    """`fetch`: new, changed, failed (counts), sources [{id, title, new, changed, same, not_modified, error,
    problems}]"""
    return {
        "new": sum(one.new for one in done),
        "changed": sum(one.changed for one in done),
        "failed": sum(one.error is not None for one in done),
        "sources": [
            {
                "id": one.source.id,
                "title": one.source.title,
                "new": one.new,
                "changed": one.changed,
                "same": one.same,
                "not_modified": one.not_modified,
                "error": one.error,
                "problems": list(one.problems),
            }
            for one in done
        ],
    }


def profile(one: ProfileSummary) -> Document:
    """`profile`: interests [{id, text, weight, words, items}], acts {like: n, …}, sources [{title, liked, disliked}],
    line (the score below which an item goes to the tray)"""
    return {
        "interests": [asdict(interest) | {"words": list(interest.words)} for interest in one.interests],
        "acts": dict(one.acts),
        "sources": [{"title": title, "liked": liked, "disliked": not_} for title, liked, not_ in one.sources],
        "line": _number(one.line),
    }


def accounts(all_of_them: Sequence[Account]) -> Document:
    """Who may sign in, and which reader each is; no secrets."""
    return {
        "accounts": [
            {
                "name": one.name,
                "reader": one.reader,
                "owner": one.is_owner,
                "has_password": one.password is not None,
                "created": _time(one.created),
                "last_sign_in": _time(one.last_sign_in),
            }
            for one in all_of_them
        ]
    }


def doctor(checks: Sequence[Check]) -> Document:
    """`doctor`: checks [{name, state, advice}]; an empty advice means that all is well"""
    return {"checks": [asdict(check) for check in checks]}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
