"""A reader's own rules: pin, block or boost what meets their conditions. Pure; the clock is handed in.

Every condition of a rule must hold. A pin beats a block: a pin is the reader's explicit wish to see something,
and showing one item too many costs a glance, while hiding one costs the item.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import regex

from attention_filter.errors import UsageError
from attention_filter.types import Item, Rule, RuleAction

TIME_LIMIT = 0.05  # seconds that a pattern may take for one item
STRIKES = 3  # times a pattern may run out of time before it is left out for the rest of a list
LONGEST_TEXT = 20_000  # characters looked at
LONGEST_PATTERN = 500  # characters
MOST_REPEATS = 10_000  # product of all {n}: compiling (a{1000}){1000} takes 300 MB, one level more the machine
DAY = 86_400.0  # seconds
SENTIMENTS = ("negative", "neutral", "positive")

# ISO 639-1, and "und" for what no language could be told of.
_CODES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu und
"""
LANGUAGES = frozenset(_CODES.split())
# Scripts written without spaces have no word borders to look for.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_SPACED_LETTER = regex.compile(rf"[\w--[{_UNSPACED}]]", regex.V1)
_COUNT = regex.compile(r"(?<!\\)\{(\d+)")
_FLAGS = regex.IGNORECASE | regex.FULLCASE | regex.V1
# Texts on which patterns that backtrack without end show it.
_PROBES = ("a" * 3_000 + "!", "0" * 3_000 + "!", " " * 3_000 + "!", "ab 1, " * 500 + "!", "编译" * 1_500 + "！")


@dataclass(frozen=True)
class Decision:
    """What the rules say of one item: `blocked` is None when a pin holds; `boost` sums the `boosts`, in σ.

    `problems` names, one line each, the rules that could not be tried.
    """

    pinned: Rule | None = None
    blocked: Rule | None = None
    boost: float = 0.0
    boosts: tuple[tuple[Rule, float], ...] = ()
    problems: tuple[str, ...] = ()


def applies(rule: Rule, item: Item, now: datetime) -> bool:
    """Whether all conditions of the rule hold for the item. A pattern that runs out of time does not hold.

    >>> from attention_filter.types import Entry
    >>> now = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    >>> item = Item(1, 1, "LWN", Entry("g", "Rust in the kernel"), fetched=now)
    >>> applies(Rule(1, RuleAction.PIN, words=("rust",)), item, now)
    True
    """
    try:
        return _holds(rule, item, now)
    except TimeoutError:
        return False


def decide(rules: Sequence[Rule], item: Item, now: datetime) -> Decision:
    """What all rules together say of the item: the first pin and the first block that hold, and every boost."""
    holding: list[Rule] = []
    problems: list[str] = []
    for rule in rules:
        try:
            if _holds(rule, item, now):
                holding.append(rule)
        except TimeoutError:
            problems.append(_too_slow(rule))
    pinned = next((rule for rule in holding if rule.action is RuleAction.PIN), None)
    blocked = next((rule for rule in holding if rule.action is RuleAction.BLOCK), None)
    boosts = tuple((rule, rule.boost) for rule in holding if rule.action is RuleAction.BOOST)
    boost = math.fsum(boost for _, boost in boosts)
    return Decision(pinned, None if pinned else blocked, boost, boosts, tuple(dict.fromkeys(problems)))


def decide_all(rules: Sequence[Rule], items: Iterable[Item], now: datetime) -> tuple[list[Decision], tuple[str, ...]]:
    """`decide` for each item, and all problems, each once.

    A pattern that ran out of time on STRIKES items is not tried on the rest, so that one bad rule cannot take
    the time limit ten thousand times.
    """
    strikes: dict[str, int] = {}
    out = []
    for item in items:
        decision = decide([rule for rule in rules if strikes.get(_too_slow(rule), 0) < STRIKES], item, now)
        for problem in decision.problems:
            strikes[problem] = strikes.get(problem, 0) + 1
        out.append(decision)
    return out, tuple(strikes)


def touched(rules: Sequence[Rule], items: Iterable[Item], now: datetime) -> dict[int, list[Item]]:
    """{rule id: the items it holds for}, each rule by itself; a pattern that ran out of time STRIKES times is left.

    >>> from attention_filter.types import Entry
    >>> now = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    >>> items = [Item(n, 1, "LWN", Entry("g", title), fetched=now) for n, title in enumerate(["Rust", "Wheat rust"])]
    >>> rules = [Rule(7, RuleAction.BLOCK, words=("wheat",)), Rule(8, RuleAction.PIN, words=("rust",))]
    >>> {rule: [item.id for item in items] for rule, items in touched(rules, items, now).items()}
    {7: [1], 8: [0, 1]}
    """
    found: dict[int, list[Item]] = {rule.id: [] for rule in rules}
    strikes = dict.fromkeys(found, 0)
    for item in items:
        for rule in rules:
            try:
                if strikes[rule.id] < STRIKES and _holds(rule, item, now):
                    found[rule.id].append(item)
            except TimeoutError:
                strikes[rule.id] += 1
    return found


def check(rule: Rule) -> None:
    """UsageError, with what to do, for a rule that is empty, broken, dangerous or could never hold."""
    if all(value is None or value == () for value in _conditions(rule)):
        raise UsageError(
            "a rule needs a condition: words, a pattern, a source, an author, a language, a topic, a sentiment, an age"
        )
    if any(isinstance(value, str) and not value.strip() for value in (*_conditions(rule), *rule.words)):
        raise UsageError("a condition of the rule is empty; give it a value or leave it out")
    if rule.action is RuleAction.BOOST and (rule.boost == 0 or not math.isfinite(rule.boost)):
        raise UsageError(f"a boost of {rule.boost:g} changes nothing; give an amount such as 1 or -0.5")
    if rule.action is not RuleAction.BOOST and rule.boost != 0:
        raise UsageError(f"an amount goes with a boost, not with a {rule.action} rule; leave it out")
    if rule.lang is not None and _language(rule.lang) not in LANGUAGES:
        raise UsageError(f"unknown language {rule.lang!r}; give a code of two letters such as en or zh")
    if rule.sentiment is not None and rule.sentiment not in SENTIMENTS:
        raise UsageError(f"unknown sentiment {rule.sentiment!r}; give one of {', '.join(SENTIMENTS)}")
    _check_ages(rule.older_than_days, rule.newer_than_days)
    if rule.pattern is not None:
        _check_pattern(rule.pattern)


def _conditions(rule: Rule) -> tuple[object, ...]:
    return (
        rule.words,
        rule.pattern,
        rule.source,
        rule.author,
        rule.lang,
        rule.older_than_days,
        rule.newer_than_days,
        rule.topic,
        rule.sentiment,
    )


def _check_ages(older: float | None, newer: float | None) -> None:
    for days in (older, newer):
        if days is not None and not (math.isfinite(days) and days >= 0):
            raise UsageError(f"an age of {days:g} days cannot be; give a number such as 7")
    if older is not None and newer is not None and older >= newer:
        raise UsageError(f"nothing is both older than {older:g} and newer than {newer:g} days; change one of them")


def _check_pattern(pattern: str) -> None:
    if len(pattern) > LONGEST_PATTERN:
        raise UsageError(f"the pattern has {len(pattern)} characters; write it in at most {LONGEST_PATTERN}")
    if math.prod(max(int(count), 1) for count in _COUNT.findall(pattern)) > MOST_REPEATS:
        raise UsageError(f"pattern {pattern!r} repeats too much; lower the numbers in {{}}")
    try:
        compiled = _compiled(pattern)
        for probe in (*_PROBES, (pattern * 3_000)[:3_000]):
            compiled.search(probe, timeout=2 * TIME_LIMIT)
        matches_nothing = compiled.search("", timeout=TIME_LIMIT) is not None
    except regex.error as error:
        raise UsageError(f"pattern {pattern!r} is not a regular expression: {error}") from None
    except TimeoutError:
        raise UsageError(f"pattern {pattern!r} can take for ever; avoid repeats within repeats like (a+)+") from None
    except (MemoryError, RecursionError):
        raise UsageError(f"pattern {pattern!r} is too large; write a shorter one") from None
    if matches_nothing:
        raise UsageError(f"pattern {pattern!r} matches every item; ask for at least one letter")


def _holds(rule: Rule, item: Item, now: datetime) -> bool:
    """Whether all conditions hold; the cheap ones are tried first. TimeoutError when the pattern takes too long."""
    entry = item.entry
    age = (now - item.date).total_seconds() / DAY
    if rule.lang is not None and _language(rule.lang) != _language(entry.lang):
        return False
    if rule.sentiment is not None and rule.sentiment != item.sentiment:
        return False
    if rule.topic is not None and rule.topic.casefold() != item.topic.casefold():
        return False
    if rule.older_than_days is not None and not age > rule.older_than_days:
        return False
    if rule.newer_than_days is not None and not age < rule.newer_than_days:
        return False
    if rule.source is not None and rule.source.casefold() not in item.source_title.casefold():
        return False
    if rule.author is not None and not any(rule.author.casefold() in name.casefold() for name in entry.authors):
        return False
    if not rule.words and rule.pattern is None:
        return True
    text = f"{entry.title}\n{entry.text[:LONGEST_TEXT]}"
    if rule.words and not _any_word(rule.words).search(text):
        return False
    return rule.pattern is None or _compiled(rule.pattern).search(text, timeout=TIME_LIMIT) is not None


def _language(code: str) -> str:
    """The language of a code without its region: "zh-CN" is "zh"."""
    return regex.split("[-_]", code.strip().lower())[0]


@lru_cache(maxsize=1_000)
def _any_word(words: tuple[str, ...]) -> regex.Pattern[str]:
    """Finds any of the words: at word borders where a script has them, anywhere in Chinese and the like."""
    return regex.compile("|".join(map(_word_pattern, words)), _FLAGS)


def _word_pattern(word: str) -> str:
    letter = rf"[\w--[{_UNSPACED}]]"
    parts = word.split()
    inside = r"\s+".join(regex.escape(part) for part in parts)
    before = rf"(?<!{letter})" if _SPACED_LETTER.match(parts[0][0]) else ""
    after = rf"(?!{letter})" if _SPACED_LETTER.match(parts[-1][-1]) else ""
    return before + inside + after


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> regex.Pattern[str]:
    # Version 0 reads patterns as Python's own `re` does, which is what people can look up.
    return regex.compile(pattern, regex.IGNORECASE | regex.V0)


def _too_slow(rule: Rule) -> str:
    return f"rule {rule.id} took over {TIME_LIMIT * 1000:.0f} ms on an item and was left out: simplify {rule.pattern!r}"
