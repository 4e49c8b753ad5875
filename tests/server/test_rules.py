import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from attention_filter.server.language import language
from attention_filter.server.pages.rules import RuleForm, in_words, typed
from attention_filter.types import Rule, RuleAction


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def said_of(node):
    return " ".join(node.text().split())


def test_a_rule_tells_what_it_would_touch_before_it_is_kept(browser, stocked):
    page = page_of(browser.post("/rules/preview", data={"action": "block", "words": "solar，wind"}))
    assert "It would touch 10 items of the last 30 days" in said_of(page.css_first("#touches"))
    assert page.css_first("#words").attributes["value"] == "solar，wind"
    assert not stocked.rules()
    part = browser.post("/rules/preview", data={"words": "nobody says this"}, headers={"HX-Request": "true"})
    assert part.text.startswith('<div id="touches"')
    assert "would touch 0 items" in part.text


def test_an_added_rule_is_listed_in_words_with_what_it_touched(browser, stocked):
    page = page_of(browser.post("/rules", data={"action": "block", "source": "Green"}))
    (row,) = page.css(".rules li .what")
    assert said_of(row).startswith("block Never show: from sources called “Green” 10 items in the last 30 days")


def test_a_removed_rule_comes_back_as_it_was(browser, stocked):
    before = stocked.add_rule(
        Rule(0, RuleAction.BOOST, ("solar", "wind"), "a.b", "Green", "Ann", "en", 9.5, None, -0.25)
    )
    page = page_of(browser.post(f"/rules/{before.id}/remove"))
    assert not stocked.rules()
    form = page.css_first("form.undo")
    fields = {i.attributes["name"]: i.attributes["value"] or "" for i in form.css("input")}
    page_of(browser.post(form.attributes["action"], data=fields))
    (back,) = stocked.rules()
    assert [getattr(back, name) for name in Rule.__slots__[1:]] == [
        getattr(before, name) for name in Rule.__slots__[1:]
    ]


WORD = st.text("ab 猫", min_size=1).map(str.strip).filter(bool)
DAYS = st.none() | st.floats(0, 1e6)


@given(st.sampled_from(RuleAction), st.lists(WORD, max_size=3).map(tuple), DAYS, DAYS)
def test_a_rule_as_a_form_is_the_same_rule(action, words, older, newer):
    rule = Rule(0, action, words, older_than_days=older, newer_than_days=newer)
    assert RuleForm(**typed(rule)).rule() == rule


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({}, "needs a condition"),
        ({"older": "a week"}, "no number"),
        ({"pattern": "(a+)+$"}, "for ever"),
        ({"pattern": "a{2}("}, "not a regular expression"),
        ({"action": "boost", "words": "x"}, "changes nothing"),
        ({"lang": "klingon"}, "unknown language"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_stays_typed(browser, mine, data, why):
    page = page_of(browser.post("/rules", data=data), 422)
    assert why in page.css_first(".problem").text()
    assert not mine.rules()
    assert why in page_of(browser.post("/rules/preview", data=data)).css_first(".problem").text()


def test_rules_speak_chinese():
    said = in_words(Rule(1, RuleAction.BLOCK, words=("足球",), lang="zh", older_than_days=3), language("zh"))
    assert said == "不再显示：含有“足球”、语言为中文、早于 3 天"


def test_quotas_are_added_told_in_words_removed_and_put_back(browser, mine):
    page = page_of(
        browser.post("/rules/quotas", data={"field": "source", "relation": "at most", "amount": "20", "unit": "%"})
    )
    assert "Of each source at most 20 % of a list" in page.css_first("ol.rules").text()
    page = page_of(browser.post("/rules/quotas/1/remove"))
    assert not mine.quotas()
    form = page.css_first("form.undo")
    browser.post(
        form.attributes["action"], data={i.attributes["name"]: i.attributes["value"] for i in form.css("input")}
    )
    assert [str(one) for one in mine.quotas()] == ["each source at most 20%"]
    refused = page_of(browser.post("/rules/quotas", data={"field": "word", "value": "x", "amount": "many"}), 422)
    assert refused.css_first("#q-amount").attributes["value"] == "many"


def test_a_stranger_cannot_remove_a_rule_of_another(strange, browser, mine):
    rule = mine.add_rule(Rule(0, RuleAction.PIN, words=("x",)))
    strange()
    assert browser.post(f"/rules/{rule.id}/remove").status_code == 404
    assert mine.rules()
