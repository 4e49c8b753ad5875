import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import UsageError
from attention_filter.personal import rules as rules_module
from attention_filter.personal.rules import STRIKES, applies, check, decide, decide_all
from attention_filter.types import Entry, Item, Rule, RuleAction

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BACKTRACKS = r"(a|aa)+$"
NEVER_ENDS = "a" * 5_000 + "!"


def item(title="", text="", *, source="LWN", authors=(), lang="en", days=0.0, id=1):
    entry = Entry(f"g{id}", title, text=text, authors=tuple(authors), lang=lang, published=NOW - timedelta(days=days))
    return Item(id, 1, source, entry, fetched=NOW)


def rule(action=RuleAction.BLOCK, id=1, **conditions):
    return Rule(id, action, **conditions)


@pytest.mark.parametrize(
    ("word", "text", "matches"),
    [
        ("rust", "Rust 2 is out", True),
        ("RUST", "why rust?", True),
        ("rust", "trust", False),
        ("rust", "rusty", False),
        ("rust", "rust_lang", False),
        ("rust", "用Rust写编译器", True),
        ("编译", "用Rust写编译器", True),
        ("编译", "翻译", False),
        ("machine learning", "Machine\n Learning", True),
        ("machine learning", "machine-made learning", False),
        ("c++", "C++20 modules", True),
        ("c++", "c", False),
        (".net", "the .NET runtime", True),
        ("straße", "STRASSE", True),
        ("a.b", "axb", False),
        ("café", "cafés", False),
        ("ไทย", "ภาษาไทยดี", True),
    ],
)
def test_words_match_at_borders_where_the_script_has_them(word, text, matches):
    assert applies(rule(words=(word,)), item(text), NOW) is matches
    assert applies(rule(words=(word,)), item("title", text), NOW) is matches


def test_any_word_will_do_but_every_condition_must_hold():
    one = rule(words=("cats", "dogs"), source="lwn", author="ann", lang="en", older_than_days=1, newer_than_days=3)
    fits = {"title": "Dogs", "source": "LWN.net", "authors": ["Bob", "Anna Li"], "lang": "en", "days": 2}
    assert applies(one, item(**fits), NOW)
    wrong = {"title": "Birds", "source": "Ars", "authors": ["Bob"], "lang": "zh", "days": 4}
    for name, value in wrong.items():
        assert not applies(one, item(**{**fits, name: value}), NOW), name
    assert not applies(one, item(**{**fits, "days": 0.5}), NOW)


def test_a_region_does_not_change_a_language():
    assert applies(rule(lang="zh-CN"), item(lang="zh"), NOW)
    assert not applies(rule(lang="zh"), item(lang="und"), NOW)


def test_a_pattern_is_searched_in_title_and_text_without_regard_to_case():
    assert applies(rule(pattern=r"\bv\d+\.\d+\b"), item("Release", "now at V2.0 !"), NOW)
    assert not applies(rule(pattern=r"\bv\d+\.\d+\b"), item("Release", "now at v2 !"), NOW)


def test_text_beyond_the_bound_is_not_read():
    assert not applies(rule(words=("needle",)), item("", "hay " * 5_000 + "needle"), NOW)


def test_a_pin_beats_a_block_and_all_boosts_add_up():
    pin, block = rule(RuleAction.PIN, 1, words=("cats",)), rule(RuleAction.BLOCK, 2, words=("cats",))
    up, down = rule(RuleAction.BOOST, 3, lang="en", boost=1.5), rule(RuleAction.BOOST, 4, lang="en", boost=-0.5)
    decision = decide([block, up, pin, down], item("cats"), NOW)
    assert (decision.pinned, decision.blocked, decision.boost) == (pin, None, 1.0)
    assert decision.boosts == ((up, 1.5), (down, -0.5))
    assert decide([block, up, pin, down], item("dogs", lang="zh"), NOW) == rules_module.Decision()
    assert decide([block, up], item("cats"), NOW).blocked == block


def test_catastrophic_backtracking_is_cut_off_and_reported_once():
    slow = rule(pattern=BACKTRACKS)
    started = time.monotonic()
    decision = decide([slow, rule(RuleAction.BOOST, 2, words=("b",), boost=1), slow], item("b " + NEVER_ENDS), NOW)
    assert time.monotonic() - started < 5
    assert decision.blocked is None
    assert decision.boost == 1
    assert len(decision.problems) == 1
    assert "|aa" in decision.problems[0]
    assert not applies(slow, item(NEVER_ENDS), NOW)


def test_a_slow_pattern_is_left_out_after_some_strikes(monkeypatch):
    tried = []
    holds = rules_module._holds
    monkeypatch.setattr(rules_module, "_holds", lambda r, i, now: tried.append(i.id) or holds(r, i, now))
    items = [item(NEVER_ENDS, id=n) for n in range(20)]
    decisions, problems = decide_all([rule(pattern=BACKTRACKS)], items, NOW)
    assert len(decisions) == 20
    assert len(tried) == STRIKES
    assert len(problems) == 1


def test_deciding_a_list_is_deciding_each():
    rules = [rule(RuleAction.PIN, 1, words=("one",)), rule(RuleAction.BLOCK, 2, words=("two",))]
    items = [item(title, id=n) for n, title in enumerate(["one two", "two", "three"])]
    decisions, problems = decide_all(rules, items, NOW)
    assert decisions == [decide(rules, one, NOW) for one in items]
    assert problems == ()


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (rule(), "needs a condition"),
        (rule(words=("ok", " ")), "is empty"),
        (rule(pattern=""), "is empty"),
        (rule(source=" "), "is empty"),
        (rule(pattern="["), "not a regular expression"),
        (rule(pattern="[\n"), "not a regular expression"),
        (rule(pattern=r"\L<names>"), "not a regular expression"),
        (rule(pattern="a*"), "matches every item"),
        (rule(pattern="(?:)"), "matches every item"),
        (rule(pattern=BACKTRACKS), "for ever"),
        (rule(pattern=r"(a(?R)?b)+"), "for ever"),
        (rule(pattern="(?:(?:a{1000}){1000}){1000}"), "repeats too much"),
        (rule(pattern="a" * 501), "501 characters"),
        (rule(lang="xx"), "unknown language"),
        (rule(lang="english"), "unknown language"),
        (rule(older_than_days=math.nan), "cannot be"),
        (rule(newer_than_days=-1), "cannot be"),
        (rule(older_than_days=3, newer_than_days=2), "nothing is both"),
        (rule(words=("x",), boost=1), "goes with a boost"),
        (rule(RuleAction.BOOST, words=("x",)), "changes nothing"),
        (rule(RuleAction.BOOST, words=("x",), boost=math.nan), "changes nothing"),
        (rule(RuleAction.BOOST, words=("x",), boost=math.inf), "changes nothing"),
    ],
)
def test_a_bad_rule_is_refused_with_one_line_that_says_why(bad, says):
    with pytest.raises(UsageError, match=says) as error:
        check(bad)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "good",
    [
        rule(words=("rust",)),
        rule(pattern=r"\b(?:gpt|llm)s?\b"),
        rule(pattern=r"\d{4}-\d{2}-\d{2}"),
        rule(pattern=r"\{99999\}"),
        rule(RuleAction.BOOST, source="LWN", boost=-0.5),
        rule(RuleAction.PIN, lang="zh-Hans", newer_than_days=0.5),
        rule(older_than_days=0),
    ],
)
def test_a_good_rule_passes(good):
    check(good)


TEXT = st.characters(exclude_categories=["Cc", "Cs"])  # cleaned text has no control characters


@given(st.text(TEXT, min_size=1).filter(str.strip), st.text(TEXT, max_size=20), st.text(TEXT, max_size=20))
def test_a_word_between_spaces_is_found_whatever_it_is_made_of(word, before, after):
    assert applies(rule(words=(word,)), item("", f"{before} {word} {after}"), NOW)


@given(st.text(max_size=12))
def test_a_pattern_that_passes_the_check_never_raises(pattern):
    try:
        check(rule(pattern=pattern))
    except UsageError:
        return
    applies(rule(pattern=pattern), item("a b", "0 1"), NOW)
