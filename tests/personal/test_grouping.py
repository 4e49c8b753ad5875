import numpy as np
from scipy import sparse

from attention_filter.personal.features import SLOTS, Counts, Features, tfidf, unit
from attention_filter.personal.grouping import halves, telling_words, themes
from attention_filter.words import count_terms


def features(meaning: np.ndarray) -> Features:
    return Features(unit(meaning.astype(np.float32)), sparse.csr_array((len(meaning), SLOTS), dtype=np.float32))


def clouds(sizes: list[int], dim: int = 48) -> np.ndarray:
    """Rows about one direction each, so many a direction."""
    rng = np.random.default_rng(0)
    return np.concatenate([np.eye(dim)[i] + 0.1 * rng.standard_normal((n, dim)) for i, n in enumerate(sizes)])


def rows_of(texts: list[str]) -> sparse.csr_array:
    found = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(one) for one in found])]).astype(np.int64)
    whole = np.concatenate(found)
    return tfidf(Counts(start, whole["id"], whole["count"]), np.ones(SLOTS, np.float32))


def test_halves_part_two_clouds_however_unequal() -> None:
    second = halves(features(clouds([9, 3])))
    assert second.tolist() == [False] * 9 + [True] * 3


def test_halves_are_the_same_each_time() -> None:
    items = features(np.random.default_rng(1).standard_normal((20, 8)))
    assert (halves(items) == halves(items)).all()


def test_themes_are_found_and_what_stands_alone_is_in_none() -> None:
    ordinary = features(np.random.default_rng(2).standard_normal((300, 48)))
    found = themes(features(clouds([3, 5, 1])), ordinary, 0.0)
    assert [rows.tolist() for rows in found] == [[3, 4, 5, 6, 7], [0, 1, 2]]


def test_a_theme_is_found_though_it_is_a_tenth_of_the_stream() -> None:
    noise = np.random.default_rng(2).standard_normal((270, 48))
    ordinary = features(np.concatenate([noise, clouds([30])]))
    assert [len(rows) for rows in themes(features(clouds([6])), ordinary, 0.0)] == [6]


def test_too_few_items_have_no_theme() -> None:
    assert themes(features(clouds([1])), features(clouds([4])), 0.0) == []


def test_telling_words_are_those_that_the_others_lack_in_the_form_that_is_written_most() -> None:
    own = ["Compilers compile", "the compiler runs", "compilers and batteries", "compilers again"]
    others = ["batteries", "more batteries"]
    words = telling_words(rows_of(own), np.ones(4), own, others=rows_of(others))
    assert words[0] == "compilers"
    assert "batteries" not in words


def test_pairs_of_chinese_characters_become_words_again() -> None:
    own = ["人工智能看病", "人工智能开车"]
    assert "人工智能" in telling_words(rows_of(own), np.ones(2), own, others=rows_of(["看病", "开车"]))
