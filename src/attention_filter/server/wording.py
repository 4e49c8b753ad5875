"""Terms, reasons and acts in the visitor's words."""

from __future__ import annotations

from collections.abc import Callable

from attention_filter.personal.levels import NAMES
from attention_filter.server.language import Language
from attention_filter.tasks.topics import in_chinese
from attention_filter.types import Because, Level, Rule, RuleAction, Sign
from attention_filter.why import Carrier

Say = Callable[..., str]  # `Language.say`

TERMS = {
    "interests": "Your interests",
    "themes": "Its theme",
    "topics": "Its topic",
    "near": "Close to what you said or liked",
    "said": "What you said you want",
    "taste": "Your taste",
    "fresh": "Its age",
    "source": "A source you rarely see",
    "popular": "Popular with readers",
    "knowledge": "Your concepts",
    "rules": "Your rules",
    "fallback": "A simple ranking that knew you better",
}
DID = {
    Sign.LIKE: "Liked “{title}”",
    Sign.DISLIKE: "Disliked “{title}”",
    Sign.SAVE: "Saved “{title}”",
    Sign.HIDE: "Hidden: “{title}”",
    Sign.READ: "Marked as read: “{title}”",
    Sign.SKIP: "Skipped “{title}”",
}
UNDID = {
    Sign.LIKE: "No longer liked: “{title}”",
    Sign.DISLIKE: "No longer disliked: “{title}”",
    Sign.SAVE: "No longer saved: “{title}”",
    Sign.HIDE: "No longer hidden: “{title}”",
    Sign.READ: "No longer read: “{title}”",
    Sign.SKIP: "No longer skipped: “{title}”",
}
CARRIED = {
    Sign.LIKE: "you liked “{title}”",
    Sign.DISLIKE: "you disliked “{title}”",
    Sign.SAVE: "you saved “{title}”",
    Sign.HIDE: "you hid “{title}”",
    Sign.READ: "you read “{title}”",
    Sign.SKIP: "you skipped “{title}”",
}
OF_YOURS = {Sign.LIKE: "liked “{title}”", Sign.SAVE: "saved “{title}”", Sign.READ: "read “{title}”"}
WITHOUT = {
    Sign.LIKE: "If you had not liked “{title}”",
    Sign.DISLIKE: "If you had not disliked “{title}”",
    Sign.SAVE: "If you had not saved “{title}”",
    Sign.HIDE: "If you had not hidden “{title}”",
    Sign.READ: "If you had not read “{title}”",
    Sign.SKIP: "If you had not skipped “{title}”",
}


def term(t: Say, name: str) -> str:
    """A term of the score: "Its topic"."""
    return t(TERMS[name]) if name in TERMS else name


def carrier(t: Say, one: Carrier) -> str:
    """A past item or a statement that carried a part of the score: "you liked “Tansy 1.0”"."""
    if one.sign is None:
        return t("your interest “{title}”", title=one.name)
    return t(CARRIED[one.sign], title=one.name)


def without(t: Say, one: Carrier) -> str:
    """What would have to be otherwise: "If you had not liked “Tansy 1.0”"."""
    if one.sign is None:
        return t("Without your interest “{title}”", title=one.name)
    return t(WITHOUT[one.sign], title=one.name)


def rule(lang: Language, one: Rule) -> str:
    """A rule in words: "Pin: words rust, author “Ann”"."""
    t = lang.say
    what = {
        RuleAction.PIN: t("Pin"),
        RuleAction.BLOCK: t("Block"),
        RuleAction.BOOST: t("Weigh {n}", n=f"{one.boost:+g}"),
    }
    parts = [t("the words {words}", words=", ".join(one.words))] if one.words else []
    parts += [t("the pattern {pattern}", pattern=one.pattern)] if one.pattern else []
    parts += [t("the source “{name}”", name=one.source)] if one.source else []
    parts += [t("the author “{name}”", name=one.author)] if one.author else []
    parts += [t("the language {name}", name=one.lang)] if one.lang else []
    parts += [t("the topic {name}", name=topic(lang, one.topic))] if one.topic else []
    parts += [t("in a {tone} tone", tone=t(one.sentiment))] if one.sentiment else []
    parts += [t("older than {n} days", n=f"{one.older_than_days:g}")] if one.older_than_days is not None else []
    parts += [t("newer than {n} days", n=f"{one.newer_than_days:g}")] if one.newer_than_days is not None else []
    return t("{action}: {conditions}", action=what[one.action], conditions=" · ".join(parts))


def topic(lang: Language, name: str) -> str:
    """What a topic is called in the visitor's language; a reader's own is called what they call it."""
    return in_chinese(name) if lang.code == "zh" else name


def moved(t: Say, said: str) -> str:
    """Why an item stands where its score does not put it: "for variety", or what a quota did ("held back: …")."""
    action, _, quota = said.partition(": ")
    if action == "held back":
        return t("Held back by your quota: {quota}", quota=quota)
    return t("Lifted by your quota: {quota}", quota=quota) if action == "lifted" else t(said)


def level(t: Say, one: Level) -> str:
    """How much an item promises: "Worth a look"."""
    return t(NAMES[one])


def because(t: Say, one: Because) -> str:
    """What did most for an item, as a sentence: "Because you follow “climate” and liked “A wind farm opens”"."""
    if one.pinned:
        return t("Pinned by your rule")
    parts = [t("follow “{title}”", title=one.follows)] if one.follows else []
    parts += [t(OF_YOURS[one.sign], title=one.title)] if one.sign else []
    parts += [t("care about “{title}”", title=one.concept)] if one.concept else []
    return t("Because you {reasons}", reasons=t(" and ").join(parts)) if parts else t("New from {name}", name=one.new)
