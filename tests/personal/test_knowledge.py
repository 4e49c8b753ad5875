"""What concepts add to a score: names, senses, what they sum to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.personal import knowledge
from attention_filter.personal.features import Counts
from attention_filter.personal.graph import parse
from attention_filter.personal.knowledge import GAIN, LOSS, NARROWER, RELATED
from attention_filter.words import count_terms, words

GRAPH = """
["Rust (language)"]
names = ["rustlang"]
narrower = ["Cargo"]
related = ["WebAssembly"]
context = ["compiler", "编译器"]
care = 1
["rust (fungus)"]
names = ["锈病"]
context = ["wheat"]
["苹果（公司）"]
names = ["Apple", "苹果公司"]
context = ["手机"]
care = 1
["苹果（水果）"]
names = ["apple"]
narrower = ["apple pie"]
context = ["果园"]
["Big Apple"]
"""


def counts(*texts):
    rows = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    both = np.concatenate([count_terms(""), *rows])
    return Counts(start, both["id"], both["count"])


@pytest.fixture
def lexicon():
    return knowledge.compile_graph(parse(GRAPH))


def says(lexicon, text):
    """The value of one text, and what it is made of."""
    care = knowledge.cares(lexicon, np.zeros((0, len(lexicon.graph)), bool), np.zeros(0))
    weighed = knowledge.weigh(lexicon, care, counts("nothing here", text, ""))
    assert weighed.value[[0, 2]].tolist() == [0, 0]
    return weighed.value[1], knowledge.contributions(lexicon, weighed, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Rustlang in the kernel", GAIN),
        ("Cargo fetches twice as fast", GAIN * NARROWER),
        ("WebAssembly for everyone", GAIN * RELATED),
        ("A Rust compiler in the browser", GAIN),
        ("Rust编译器提速", GAIN),
        ("Wheat rust in the highlands", -LOSS),
        ("Rust", 0),  # could be either
        ("Wheat, rust, and a compiler", 0),
        ("苹果发布新手机", GAIN),
        ("果园里的苹果", -LOSS),
        ("苹果公司的财报", GAIN),  # the longer name tells what the shorter one means
        ("An apple pie for Sunday", -LOSS),
        ("Rain in the Big Apple", 0),  # not "Apple", but a name of its own
        ("Rust compilers build Cargo in wheat fields", GAIN),
    ],
)
def test_an_item_gains_by_what_is_cared_about_and_loses_by_another_sense(lexicon, text, value):
    got, parts = says(lexicon, text)
    assert got == pytest.approx(value, abs=1e-6)
    assert sum(part.value for part in parts) == pytest.approx(got)


def test_a_name_inside_a_longer_one_is_not_a_name_of_its_own():
    lexicon = knowledge.compile_graph(parse('[York]\ncare = 1\n["New York"]\n'))
    assert says(lexicon, "The walls of York")[0] == GAIN
    assert says(lexicon, "A walk in New York")[0] == 0


def test_a_contribution_names_both_concepts_and_the_words(lexicon):
    _, (gain,) = says(lexicon, "Cargo and apples")
    assert str(gain) == "Rust (language) by Cargo: Cargo"
    _, (loss,) = says(lexicon, "Wheat rust, and none of it")
    assert (loss.mistaken, loss.cared, loss.named) == (True, "Rust (language)", "rust (fungus)")
    assert str(loss) == "rust (fungus), not Rust (language): Rust, wheat"


def test_two_wishes_add_up_and_what_is_not_wanted_is_turned_round():
    lexicon = knowledge.compile_graph(parse("[solar]\ncare = 1\n[football]\ncare = -2"))
    assert says(lexicon, "Solar power")[0] == GAIN
    assert says(lexicon, "Solar football")[0] == pytest.approx(GAIN - 2 * GAIN)
    assert len(says(lexicon, "Solar football")[1]) == 2


def test_interests_care_about_the_narrowest_concepts_they_name_and_no_open_sense(lexicon):
    said = counts("Cargo for rustlang", "Rust", "Rust compilers", "gardens")
    linked = knowledge.links(lexicon, said)
    names = [{lexicon.graph[i].label for i in np.flatnonzero(row)} for row in linked]
    assert names == [{"Cargo"}, set(), {"Rust (language)"}, set()]


def test_a_concepts_own_care_goes_before_the_interests():
    lexicon = knowledge.compile_graph(parse("[solar]\n[wind]\ncare = 0"))
    linked = knowledge.links(lexicon, counts("solar and wind", "solar cells"))
    assert knowledge.cares(lexicon, linked, np.array([1.5, 1.0])).tolist() == [2, 0]  # at most 2


def test_vectors_tell_a_sense_only_where_words_are_silent_and_the_margin_is_clear():
    lexicon = knowledge.compile_graph(parse('["Rust (a)"]\ncare = 1\ncontext = ["compiler"]\n["Rust (b)"]\n'))
    lexicon = knowledge.with_meaning(lexicon, np.eye(2, dtype=np.float32))
    care = np.array([1.0, 0.0])
    near_a, near_b, between = [0.9, 0.1], [0.1, 0.9], [0.5, 0.51]
    said = counts("Rust", "Rust", "Rust", "Rust compiler", "Rust")
    meaning = np.array([near_a, near_b, between, near_b, [0, 0]], np.float32)
    assert knowledge.weigh(lexicon, care, said, meaning).value.tolist() == [GAIN, -LOSS, 0, GAIN, 0]
    assert knowledge.weigh(lexicon, care, said).value.tolist() == [0, 0, 0, GAIN, 0]


def test_a_tie_of_two_other_senses_still_says_that_it_is_not_this_one():
    iron = 'context = ["iron"]'
    graph = parse(f'["rust (a)"]\ncare = 1\n["rust (b)"]\n{iron}\n["rust (c)"]\n{iron}')
    value, (part,) = says(knowledge.compile_graph(graph), "Iron and rust")
    assert (value, part.named) == (-LOSS, "rust (b)")


WORDS = st.sampled_from(["sun", "moon", "tide", "苹果", "苹果公司", "sun moon", "moon tide", "果公"])


@given(st.lists(WORDS, min_size=1, max_size=5, unique=True), st.lists(st.lists(WORDS, max_size=4), max_size=6))
def test_a_name_is_found_where_all_its_terms_are(names, texts):
    lexicon = knowledge.compile_graph(parse("".join(f'["{name}"]\n' for name in names)))
    said = [" and ".join(parts) for parts in texts]
    rows, found = knowledge.find(lexicon, counts(*said))
    got = {(int(rows[r]), lexicon.words[w]) for r, w in zip(*found.nonzero(), strict=True)}
    wanted = {(i, name) for i, text in enumerate(said) for name in names if set(words(name)) <= set(words(text))}
    assert got == wanted


def test_an_empty_graph_says_nothing():
    lexicon = knowledge.compile_graph(())
    assert knowledge.weigh(lexicon, np.zeros(0), counts("Rust", "")).value.tolist() == [0, 0]
