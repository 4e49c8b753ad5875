"""Senses from WordNet's file format, on a few invented synsets."""

import pytest

from attention_filter.errors import DataError, UsageError
from attention_filter.sources.wordnet import WordNet

SYNSETS = {  # name: (names, pointers, gloss)
    "disease": (["blight", "crop_disease"], [("~", "rust1")], "an illness of plants"),
    "rust1": (["rust", "orange_rust"], [("@", "disease"), ("~", "stem")], "a blight that turns leaves orange; a rust"),
    "stem": (["stem_rust"], [("@", "rust1"), ("~", "black")], "a rust of stems"),
    "black": (["black_rust"], [("@", "stem"), ("~", "deeper")], "a dark stem rust"),
    "deeper": (["too_deep"], [("@", "black")], "three steps below"),
    "rust2": (["rust"], [("+", "stem")], "a brown coat on iron"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    head = "  1 a licence stands here\n"
    places, size = {}, len(head)
    lines = {}
    for _ in (False, True):  # offsets have a fixed width, so the second round knows them all
        size = len(head)
        for name, (names, pointers, gloss) in SYNSETS.items():
            to = "".join(f" {symbol} {places.get(other, 0):08d} n 0000" for symbol, other in pointers)
            words = " ".join(f"{word} 0" for word in names)
            lines[name] = f"{size:08d} 20 n {len(names):02x} {words} {len(pointers):03d}{to} | {gloss}  \n"
            places[name] = size
            size += len(lines[name])
    (tmp_path / "data.noun").write_text(head + "".join(lines.values()), encoding="utf-8")
    index = f"rust n 2 2 @ ~ 2 1 {places['rust1']:08d} {places['rust2']:08d}  \n"
    index += f"stem_rust n 1 1 @ 1 0 {places['stem']:08d}  \n"
    (tmp_path / "index.noun").write_text(head + index, encoding="utf-8")
    return tmp_path


def test_a_word_has_its_senses_with_what_lies_around_them(folder):
    plant, metal = WordNet(folder).senses("Rust")
    assert plant.names == ("rust", "orange rust")
    assert plant.broader == ("blight",)
    assert plant.narrower == ("stem rust", "black rust")  # two steps, no further
    assert plant.context == ("blight", "turns", "leaves", "orange")
    assert (metal.gloss, metal.broader, metal.narrower) == ("a brown coat on iron", (), ())


def test_plurals_and_phrases_are_found_and_unknown_words_have_no_sense(folder):
    found = WordNet(folder)
    assert [sense.names for sense in found.senses("stem rusts")] == [("stem rust",)]
    assert found.senses("rusty") == []
    assert found.senses("锈") == []


def test_a_folder_without_wordnet_says_how_to_get_one(tmp_path):
    with pytest.raises(UsageError, match="--wordnet DIR"):
        WordNet(tmp_path)


def test_files_of_two_versions_are_told(folder):
    data = (folder / "data.noun").read_text("utf-8")
    (folder / "data.noun").write_text("a line more\n" + data, encoding="utf-8")
    with pytest.raises(DataError, match="one version"):
        WordNet(folder).senses("rust")
