"""A reader's graph as a text: what it may say, and what is wrong with it, by line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import DataError
from attention_filter.personal.graph import EXAMPLE, Concept, doubts, find, merge, parse, without, write


def labels(graph):
    return {concept.label for concept in graph}


def test_the_example_is_understood_and_survives_writing():
    graph = parse(EXAMPLE)
    assert {"Rust (language)", "苹果（公司）", "Cargo", "programming language"} <= labels(graph)
    assert find(graph, "Cargo").broader == ("Rust (language)",)
    assert parse(write(graph)) == graph
    assert not doubts(graph)


@given(st.lists(st.text(min_size=2, max_size=12), max_size=5, unique_by=lambda s: " ".join(s.split()).casefold()))
def test_what_is_written_can_be_read_again(texts):
    made = tuple(Concept(f"thing{i}", gloss=text, names=("other name",)) for i, text in enumerate(texts))
    read = parse(write(made))
    assert [concept.label for concept in read] == [concept.label for concept in made]
    assert parse(write(read)) == read


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('[Rust]\ncare = 1\nnames = ["C++"]', 3, "too short"),
        ('[Rust]\n\nnames = ["the"]', 3, "no word"),
        ("[Rust]\n\nbroader = [3]", 3, "list of words"),
        ('[Cargo]\n[Rust]\nbroder = ["language"]', 3, "unknown word 'broder'"),
        ("[Rust]\ncare = 7", 2, "from -2 to 2"),
        ("[Rust]\ncare = nan", 2, "number"),
        ("[Rust]\ncare = true", 2, "number"),
        ('[Rust]\nbroader = ["lang"]\n[lang]\nbroader = ["Rust"]', 2, "broader than itself"),
        ('[Rust]\n[rust]\ncontext = ["wheat"]', 2, "twice"),
        ('[Rust]\nnames = ["a b', 2, "Unterminated"),
        ('["mercury (a)"]\n["mercury (b)"]\n[metal]\nnarrower = ["mercury"]', 4, "write which"),
        ('x = "Rust"', 1, "table"),
    ],
)
def test_an_error_names_file_and_line(text, line, says):
    with pytest.raises(DataError, match=rf"mine\.toml:{line}: .*{re.escape(says)}"):
        parse(text, "mine.toml")


def test_a_reference_by_name_finds_the_only_concept_so_called():
    graph = parse('["Rust (language)"]\n[Cargo]\nbroader = ["rust"]')
    assert find(graph, "Cargo").broader == ("Rust (language)",)
    assert len(graph) == 2


def test_a_new_file_replaces_a_concept_but_naming_it_does_not():
    old = parse('[Rust]\ncontext = ["compiler"]\n[Go-lang]')
    assert find(merge(old, parse('[Cargo]\nbroader = ["Rust"]')), "Rust").context == ("compiler",)
    assert find(merge(old, parse('[rust]\ncontext = ["crate"]')), "Rust").context == ("crate",)


def test_two_files_may_not_make_a_circle_together():
    with pytest.raises(DataError, match="broader than itself"):
        merge(parse('[aa]\nbroader = ["bb"]'), parse('[bb]\nbroader = ["aa"]'))


def test_nothing_points_to_a_concept_that_is_gone():
    graph = without(parse('[Cargo]\nbroader = ["Rust"]\nrelated = ["npm"]'), "rust")
    assert labels(graph) == {"Cargo", "npm"}
    assert parse(write(graph)) == graph


def test_two_senses_that_nothing_tells_apart_are_doubtful():
    assert "Mercury" in doubts(parse('["Mercury (planet)"]\n["Mercury (metal)"]\ncontext = ["fish"]'))[0]
