"""Search: everything is found, wherever it lies, and the words are marked."""

import re

import pytest

from attention_filter.server.pages.search import cut
from attention_filter.types import Entry, Rule, RuleAction, Sign


@pytest.fixture
def filled(stocked, clock):
    entry = Entry("zh", "电池新闻", text="新的固态电池在严寒里也能用。<b>", lang="zh")
    stocked.store.add_entries(stocked.store.sources()[0].id, [entry], clock())
    stocked.understand()
    return stocked


def found(page):
    return [int(id_) for id_ in re.findall(r'<li class="item" id="item-(\d+)"', page.text)]


def test_two_chinese_characters_are_found_and_marked(browser, filled):
    page = browser.get("/search?q=电池")
    assert found(page) == [21]
    assert "固态<mark>电池</mark>在" in page.text
    assert "&lt;b&gt;" in page.text


def test_each_hit_says_where_it_lies(browser, filled):
    filled.act([1], Sign.SAVE)
    filled.act([2], Sign.SKIP)
    filled.add_rule(Rule(0, RuleAction.BLOCK, words=("crate",)))
    page = browser.get("/search?q=story")
    badges = {
        int(id_): badge
        for id_, badge in re.findall(r'id="item-(\d+)".*?<a class="badge"[^>]*>([^<]+)<', page.text, re.S)
    }
    assert (badges[1], badges[2]) == ("Saved", "Read")
    assert set(badges.values()) >= {"Saved", "Read", "Tray"}


def test_what_was_found_can_be_narrowed(browser, filled):
    green = browser.get("/search?q=story&source=2")
    assert {one.source for one in filled.store.items(found(green))} == {2}
    assert "Nothing was found" in browser.get("/search?q=story&lang=zh").text


def test_bad_and_empty_questions_are_answered(browser, filled):
    assert "nothing to look for" in browser.get("/search?q=-x").text
    assert "Looks through everything" in browser.get("/search").text
    assert "Nothing was found" in browser.get("/search?q=unheard").text
    assert "<script>" not in browser.get("/search?q=%3Cscript%3E%22").text


def test_pieces_are_the_text_again():
    text, marks = "one two three", ((4, 7), (4, 13), (8, 13))
    assert "".join(piece for piece, _ in cut(text, marks)) == text
