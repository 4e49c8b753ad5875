import contextlib
from datetime import datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from attention_filter.errors import UsageError
from attention_filter.store.store import Store
from attention_filter.types import Entry

TEXTS = {
    "rates": ("Central bank raises rates", "The central bank of Australia raised interest rates again."),
    "chips": ("芯片产业", "国产人工智能芯片今天发布,股市大涨。 A股首秀"),
    "cafe": ("Café culture", "Compilers don't drink: a state-of-the-art review by O'Brien, in C++ and Rust 2.0"),
    "kana": ("コンパイラ", "東京タワーのニュース 한국어뉴스"),
}


@pytest.fixture
def names(store: Store, feed: int, now: datetime) -> dict[int, str]:
    added = store.add_entries(feed, [Entry(k, title, text=text) for k, (title, text) in TEXTS.items()], now)
    return dict(zip(added.new, TEXTS, strict=True))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rate", {"rates"}),
        ("RAISING", {"rates"}),
        ("compiler", {"cafe"}),
        ("cafe", {"cafe"}),
        ("芯片", {"chips"}),
        ("智能", {"chips"}),
        ("人工智能", {"chips"}),
        ("人工芯片", set()),
        ("股", {"chips"}),
        ("涨", {"chips"}),  # the last character of a run
        ("A股", {"chips"}),
        ("東京", {"kana"}),
        ("ニュース", {"kana"}),
        ("뉴스", {"kana"}),
        ("bank rates", {"rates"}),
        ("bank compilers", set()),
        ('"interest rates"', {"rates"}),
        ('"rates interest"', set()),
        ('"bank of australia"', {"rates"}),
        ("“central bank”", {"rates"}),
        ("state-of-the-art", {"cafe"}),
        ("art-of-the-state", set()),
        ("o'brien C++", {"cafe"}),
        ("the -bank", {"cafe"}),
        ('the -"bank central"', {"rates", "cafe"}),
        ("bank -股市 -compilers", {"rates"}),
        ("bank AND OR NOT NEAR", set()),
    ],
)
def test_words_are_found(store: Store, names: dict[int, str], query: str, found: set[str]) -> None:
    assert {names[hit.item.id] for hit in store.search(query)} == found


def test_a_match_in_the_title_comes_first_and_ranks_higher(store: Store, feed: int, now: datetime) -> None:
    inside, above = store.add_entries(
        feed, [Entry("a", "News", text="about oil"), Entry("b", "Oil", text="about news")], now
    ).new
    hits = store.search("oil")
    assert [hit.item.id for hit in hits] == [above, inside]
    assert hits[0].rank > hits[1].rank


@pytest.mark.parametrize("query", ["", "  ", "!!!", '"', '""', "-bank", "・", "-", "-\x00", "\ud800"])
def test_a_query_without_words_says_so(store: Store, query: str) -> None:
    with pytest.raises(UsageError, match="nothing to search for"):
        store.search(query)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text() | st.text('ab"-*():^{}+ NEARORANDT・゛人工\x00'))
@example('title:bank NEAR(a b) a* ^b {x y}: "c')
@example("ー・゛ -・ 人・")
@example("\U0001df00 \ua7c2")  # letters younger than FTS5's tables
def test_no_query_is_a_syntax_error(store: Store, names: dict[int, str], query: str) -> None:
    with contextlib.suppress(UsageError):
        store.search(query)


def test_the_snippet_shows_the_words_and_marks_them(store: Store, feed: int, now: datetime) -> None:
    text = "Filler word. " * 50 + "The <b>Compilers</b> for 人工智能 arrived. " + "More filler. " * 50
    store.add_entries(feed, [Entry("g", "T", text=text)], now)
    (hit,) = store.search("compiler 人工智能")
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["Compilers", "人工智能"]
    assert len(hit.snippet) <= 200
    assert hit.snippet in text


def test_a_snippet_without_a_match_in_the_text_is_its_beginning(store: Store, feed: int, now: datetime) -> None:
    store.add_entries(feed, [Entry("g", "Compilers", text="Short text")], now)
    (hit,) = store.search("compiler")
    assert (hit.snippet, hit.marks) == ("Short text", ())
