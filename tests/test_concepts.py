"""The graph between the store and the ranking: both Chinese scripts, suggested senses."""

import sys
from types import SimpleNamespace

import pytest

from attention_filter import concepts
from attention_filter.errors import UsageError
from attention_filter.personal.graph import Concept
from attention_filter.sources.wordnet import Sense


class Converter:
    """Knows one character."""

    def __init__(self, kind):
        self.kind = kind

    def convert(self, text):
        return text.replace("苹", "蘋") if self.kind == "s2t" else text.replace("蘋", "苹")


def test_chinese_names_are_kept_in_both_scripts_and_others_as_they_are(monkeypatch):
    monkeypatch.setitem(sys.modules, "opencc", SimpleNamespace(OpenCC=Converter))
    graph = (Concept("苹果（公司）", names=("Apple",), context=("蘋果派",)), Concept("Rust"))
    apple, rust = concepts.both_scripts(graph)
    assert apple.called == ("苹果", "Apple", "蘋果")
    assert apple.context == ("蘋果派", "苹果派")
    assert rust == Concept("Rust")
    assert concepts.both_scripts((apple, rust)) == (apple, rust)  # nothing is added twice


def test_without_the_extra_chinese_names_stay_and_a_hint_is_given(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opencc", None)
    graph = (Concept("苹果"),)
    assert concepts.both_scripts(graph) == graph
    assert "attention-filter[chinese]" in caplog.text
    caplog.clear()
    concepts.both_scripts((Concept("Rust"),))
    assert not caplog.text


SENSES = [
    Sense(("rust", "orange rust", "C"), "a blight of leaves", ("blight",), ("stem rust", "X", "rust")),
    Sense(("rust",), "a brown coat on iron", (), ("patina",)),
]


def test_an_accepted_sense_brings_what_lies_below_it_and_the_others_only_tell_it():
    first, second, below = concepts.accepted("rust", SENSES, 1)
    assert (first.label, first.care, first.names) == ("rust (orange rust)", 1, ("orange rust",))  # "C" cannot be found
    assert (second.label, second.care) == ("rust (sense 2)", None)
    assert second.context == ("brown", "coat", "iron")
    assert below == Concept("stem rust", broader=("rust (orange rust)",))


def test_there_is_no_sense_zero():
    with pytest.raises(UsageError, match="senses 1 to 2"):
        concepts.accepted("rust", SENSES, 0)
