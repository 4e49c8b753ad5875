"""The rules and quotas, in words; what a rule would touch is shown before it is kept."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from babel import Locale
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from attention_filter.app import Filter
from attention_filter.errors import AttentionError
from attention_filter.personal.constraints import FIELDS, Constraint, Group, Kind
from attention_filter.personal.rules import SENTIMENTS
from attention_filter.server import undo, wording
from attention_filter.server.language import Language
from attention_filter.server.pages.settings import number
from attention_filter.server.preferences import preferences
from attention_filter.server.site import Mine, is_fragment, render, spoken
from attention_filter.types import Rule, RuleAction

SHOWN = 8  # titles of a preview

router = APIRouter()


class RuleForm(BaseModel):
    """A rule as it is typed. Numbers are texts here, so that a slip is answered in words and nothing typed is lost."""

    action: RuleAction = RuleAction.BLOCK
    words: str = ""  # separated by commas (also 、，；) or lines
    pattern: str = ""
    source: str = ""
    author: str = ""
    lang: str = ""
    older: str = ""
    newer: str = ""
    boost: str = ""
    topic: str = ""
    sentiment: str = ""

    def rule(self) -> Rule:
        """The rule that was typed; UsageError for a number that is none."""
        return Rule(
            0,
            self.action,
            words=tuple(word for part in re.split(r"[,，、;；\n]", self.words) if (word := part.strip())),
            pattern=self.pattern.strip() or None,
            source=self.source.strip() or None,
            author=self.author.strip() or None,
            lang=self.lang.strip() or None,
            older_than_days=number(self.older),
            newer_than_days=number(self.newer),
            boost=(number(self.boost) or 0.0) if self.action is RuleAction.BOOST else 0.0,
            topic=self.topic.strip() or None,
            sentiment=self.sentiment.strip() or None,
        )


def typed(rule: Rule) -> dict[str, str]:
    """The form that makes this rule again."""
    return {
        "action": rule.action.value,
        "words": "\n".join(rule.words),
        "pattern": rule.pattern or "",
        "source": rule.source or "",
        "author": rule.author or "",
        "lang": rule.lang or "",
        "older": "" if rule.older_than_days is None else f"{rule.older_than_days!r}",
        "newer": "" if rule.newer_than_days is None else f"{rule.newer_than_days!r}",
        "boost": f"{rule.boost!r}" if rule.boost else "",
        "topic": rule.topic or "",
        "sentiment": rule.sentiment or "",
    }


def in_words(rule: Rule, tongue: Language) -> str:
    """The rule as a sentence.

    >>> in_words(Rule(1, RuleAction.BLOCK, words=("football", "golf"), lang="en"), Language("en", {}))
    'Never show: with “football” or “golf”, in English'
    """
    say = tongue.say
    action = {
        RuleAction.PIN: say("Always show first"),
        RuleAction.BLOCK: say("Never show"),
        RuleAction.BOOST: say("Lift") if rule.boost > 0 else say("Lower"),
    }[rule.action]
    if rule.action is RuleAction.BOOST:
        action = say("{action} by {n}", action=action, n=tongue.number(abs(rule.boost), 1))
    words = say(" or ").join(f"“{word}”" for word in rule.words)
    parts = [say("with {words}", words=words)] if words else []
    parts += [say("that match /{pattern}/", pattern=rule.pattern)] if rule.pattern else []
    parts += [say("from sources called “{name}”", name=rule.source)] if rule.source else []
    parts += [say("by “{name}”", name=rule.author)] if rule.author else []
    parts += [say("in {language}", language=language_name(rule.lang, tongue))] if rule.lang else []
    parts += [say("about {topic}", topic=wording.topic(tongue, rule.topic))] if rule.topic else []
    parts += [say("in a {tone} tone", tone=say(rule.sentiment))] if rule.sentiment else []
    ages = (("older than {n} days", rule.older_than_days), ("newer than {n} days", rule.newer_than_days))
    parts += [say(message, n=f"{days:g}") for message, days in ages if days is not None]
    return say("{action}: {conditions}", action=action, conditions=say(", ").join(parts))


def quota_in_words(quota: Constraint, tongue: Language) -> str:
    """The quota as a sentence."""
    amount = tongue.percent(quota.amount / 100) if quota.percent else tongue.number(quota.amount)
    messages = {
        Kind.AT_MOST: "Of {group} at most {amount} of a list",
        Kind.AT_LEAST: "Of {group} at least {amount} of a list",
        Kind.NEVER_WITH: "{group} never in one list with {other}",
        Kind.NEVER_NEXT_TO: "{group} never next to {other}",
    }
    other = _group(quota.other, tongue) if quota.other else ""
    return tongue.say(messages[quota.kind], group=_group(quota.group, tongue), amount=amount, other=other)


FIELD_NAMES = {
    "source": "source", "folder": "folder", "interest": "interest", "lang": "language", "topic": "topic",
    "sentiment": "tone", "tag": "tag", "author": "author", "word": "word",
}  # fmt: skip


def _group(group: Group, tongue: Language) -> str:
    field = tongue.say(FIELD_NAMES[group.field])
    if group.value is None:
        return tongue.say("each {field}", field=field)
    return tongue.say("{field} “{value}”", field=field, value=group.value)


def language_name(code: str, tongue: Language) -> str:
    """What a language is called in another."""
    return str(Locale(tongue.code).languages.get(code.replace("-", "_"), code))


class QuotaForm(BaseModel):
    """A quota as it is typed: either as a `sentence`, or in fields; an empty `value` means each by itself."""

    sentence: str = ""
    field: str = "source"
    value: str = ""
    relation: str = "at most"
    amount: str = ""
    unit: str = "%"
    other: str = ""

    def said(self) -> str:
        """The sentence that `quotas` understands."""
        if self.sentence.strip() or self.field not in FIELDS:
            return self.sentence
        value = self.value.strip().replace('"', "")
        group = f'{self.field}:"{value}"' if value else f"each {self.field}"
        if self.relation.startswith("never"):
            return f'{group} {self.relation} {self.field}:"{self.other.strip()}"'
        return f"{group} {self.relation} {self.amount.strip()}{'%' if self.unit == '%' else ''}"


def _page(request: Request, mine: Filter, status: int = 200, form: RuleForm | None = None, **more: Any) -> HTMLResponse:
    kept = mine.rules()
    touched = mine.touched(kept)
    tongue = spoken(request, preferences(mine.store))
    langs = sorted({item.entry.lang for item in mine.store.newest(300)} - {"und"})
    context = {"problem": "", "touches": None, "quota": QuotaForm(), **more}
    return render(
        request,
        "rules.html",
        status=status,
        rules=[(rule, in_words(rule, tongue), touched[rule.id]) for rule in kept],
        quotas=[quota_in_words(one, tongue) for one in mine.quotas()],
        fields=FIELD_NAMES,
        sources=[one.title for one in mine.store.sources() if one.title],
        langs=[(code, language_name(code, tongue)) for code in langs],
        topics=[(name, wording.topic(tongue, name)) for name in mine.topics().names],
        sentiments=SENTIMENTS,
        form=form or RuleForm(),
        removed=undo.offered(mine.store, "/rules", mine.clock()),
        shown=SHOWN,
        **context,
    )


@router.get("/rules")
def rules(request: Request, mine: Mine) -> HTMLResponse:
    return _page(request, mine)


@router.post("/rules/preview")
def preview(request: Request, mine: Mine, form: Annotated[RuleForm, Form()]) -> HTMLResponse:
    """What the rule would touch: a part of the page for htmx, or else the page with the form as it was typed."""
    problem, touches = "", None
    try:
        touches = mine.touched([replace(form.rule(), id=0)])[0]
    except AttentionError as error:
        problem = str(error)
    if is_fragment(request):
        return render(request, "_touches.html", touches=touches, problem=problem, shown=SHOWN)
    return _page(request, mine, form=form, touches=touches, problem=problem)


@router.post("/rules")
def add(request: Request, mine: Mine, form: Annotated[RuleForm, Form()]) -> Response:
    try:
        mine.add_rule(form.rule())
    except AttentionError as error:
        return _page(request, mine, 422, form=form, problem=str(error))
    undo.settle(mine.store)
    return RedirectResponse("/rules", 303)


@router.post("/rules/quotas")
def add_quota(request: Request, mine: Mine, quota: Annotated[QuotaForm, Form()]) -> Response:
    try:
        mine.add_quota(quota.said())
    except AttentionError as error:
        return _page(request, mine, 422, quota=quota, problem=str(error))
    undo.settle(mine.store)
    return RedirectResponse("/rules#quotas", 303)


@router.post("/rules/quotas/{number}/remove")
def remove_quota(request: Request, mine: Mine, number: int) -> Response:
    gone = mine.remove_quota(number)
    name = quota_in_words(gone, spoken(request, preferences(mine.store)))
    undo.offer(mine.store, "/rules", name, "/rules/quotas", {"sentence": str(gone)}, mine.clock())
    return RedirectResponse("/rules", 303)


@router.post("/rules/{id_}/remove")
def remove(request: Request, mine: Mine, id_: int) -> Response:
    gone = next((rule for rule in mine.rules() if rule.id == id_), None)
    mine.remove_rule(id_)
    if gone is not None:
        name = in_words(gone, spoken(request, preferences(mine.store)))
        undo.offer(mine.store, "/rules", name, "/rules", typed(gone), mine.clock())
    return RedirectResponse("/rules", 303)
