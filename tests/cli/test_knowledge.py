"""knowledge: check, add, show, suggest, remove; and what of it is seen in read and why."""

import json

import pytest

GRAPH = """
["Mercury (planet)"]
context = ["planet", "orbit"]
care = 1
["Mercury (stars)"]
context = ["stars", "tram"]
["储能"]
names = ["电池"]
care = 0.5
"""


@pytest.fixture
def mine(attention, news, tmp_path):
    (tmp_path / "mine.toml").write_text(GRAPH, encoding="utf-8")
    return attention("knowledge", "add", "mine.toml")


def test_a_file_is_checked_without_being_added(attention, news, tmp_path):
    (tmp_path / "mine.toml").write_text(GRAPH, encoding="utf-8")
    assert "3 concepts, all well" in attention("knowledge", "check", "mine.toml").out
    assert "No concepts yet" in attention("knowledge").out
    (tmp_path / "bad.toml").write_text('[Rust]\nnames = ["C++"]', encoding="utf-8")
    failed = attention("knowledge", "check", "bad.toml")
    assert failed.code == 6
    assert failed.err.startswith("attention: bad.toml:2: Rust: 'C++'")
    assert "no.toml: No such file" in attention("knowledge", "add", "no.toml").err


def test_the_example_can_be_added_as_it_is(attention, news, tmp_path):
    (tmp_path / "mine.toml").write_text(attention("knowledge", "example").out, encoding="utf-8")
    assert "8 concepts" in attention("knowledge", "add", "mine.toml").out


def test_concepts_are_shown_written_and_removed(attention, mine, tmp_path):
    assert "3 concepts, 0 before" in mine.out
    document = attention("knowledge", "--json").json["concepts"]
    assert set(document[0]) == {
        "label", "gloss", "care", "names", "broader", "related", "context", "narrower", "interests",
    }  # fmt: skip
    assert len(attention("knowledge", "show", "mercury", "--json").json["concepts"]) == 2
    assert "no concept 'venus'" in attention("knowledge", "show", "venus").err
    (tmp_path / "out.toml").write_text(attention("knowledge", "show", "--toml").out, encoding="utf-8")
    assert "3 concepts, 3 before" in attention("knowledge", "add", "out.toml").out
    assert "say which: Mercury (planet), Mercury (stars)" in attention("knowledge", "remove", "mercury").err
    assert "1 concept is forgotten" in attention("knowledge", "remove", "电池").out
    assert attention("knowledge", "remove").code == 2
    assert "2 concepts" in attention("knowledge", "remove", "--all").out
    assert "No concepts yet" in attention("knowledge").out


def test_a_wrong_sense_lowers_an_item_and_why_says_so_in_numbers_that_add_up(attention, news, id_of, tmp_path):
    stars = id_of("stars")
    before = attention("why", stars, "--json", "--no-words").json["score"]
    (tmp_path / "mine.toml").write_text(GRAPH, encoding="utf-8")
    attention("knowledge", "add", "mine.toml")
    after = attention("why", stars, "--json", "--no-words").json
    (part,) = after["concepts"]
    assert (part["cared"], part["named"], part["mistaken"]) == ("Mercury (planet)", "Mercury (stars)", True)
    assert part["value"] == -2
    assert after["score"] == pytest.approx(before - 2, abs=1e-3)
    assert sum(reason["value"] for reason in after["reasons"]) == pytest.approx(after["score"], abs=1e-6)
    out = attention("why", stars, "--no-words").out
    assert "What your concepts say of it" in out
    assert "Mercury (stars), not Mercury (planet)" in out


def test_chinese_names_are_found_without_word_borders_and_named_in_the_reasons(attention, mine, id_of):
    told = attention("why", id_of("钠离子"), "--json", "--no-words").json
    reason = next(one for one in told["reasons"] if one["term"] == "knowledge")
    assert reason["value"] == pytest.approx(0.5)
    assert reason["detail"] == "储能: 储能, 电池"
    leek = attention("why", id_of("leek"), "--json", "--no-words").json
    assert leek["concepts"] == []


def test_an_interest_gives_the_care_and_a_counterfactual_takes_it_away(attention, news, id_of, tmp_path):
    (tmp_path / "mine.toml").write_text('["programming languages"]\nnarrower = ["garbage collector"]', "utf-8")
    attention("knowledge", "add", "mine.toml")
    (concept, _) = attention("knowledge", "--json").json["concepts"]
    assert concept["interests"] == ["compilers of programming languages"]
    found = attention("why", id_of("garbage"), "--json", "--no-words").json
    assert found["concepts"][0]["value"] == pytest.approx(0.8)
    without = next(change for change in found["changes"] if "your interest" in change["what"])
    assert without["score"] == pytest.approx(0.1, abs=0.35)  # fresh and rare source only, no concept


def test_knowledge_travels_with_the_profile(attention, mine, news, tmp_path):
    attention("profile", "export", "--out", "me.json")
    attention("--reader", "ann", "profile", "import", "me.json")
    theirs = attention("--reader", "ann", "knowledge", "--json").json
    assert [one["label"] for one in theirs["concepts"]] == ["Mercury (planet)", "Mercury (stars)", "储能"]
    assert attention("--reader", "bob", "knowledge", "--json").json == {"concepts": []}
    document = json.loads((tmp_path / "me.json").read_text("utf-8")) | {"knowledge": "[Rust]\ncare = 9"}
    (tmp_path / "bad.json").write_text(json.dumps(document), encoding="utf-8")
    failed = attention("--reader", "bob", "profile", "import", "bad.json")
    assert (failed.code, "the profile's knowledge:2" in failed.err) == (6, True)
    assert attention("--reader", "bob", "interests", "--json").json == {"interests": []}  # nothing was stored


@pytest.fixture
def wordnet(tmp_path):
    """A WordNet of one noun with two senses."""
    one = "00000000 20 n 02 mercury 0 quicksilver 0 000 | a heavy silvery metal  \n"
    two = f"{len(one):08d} 20 n 01 mercury 0 000 | the smallest planet  \n"
    (tmp_path / "data.noun").write_text(one + two, encoding="utf-8")
    (tmp_path / "index.noun").write_text(f"  1\nmercury n 2 0 2 1 00000000 {len(one):08d}  \n", encoding="utf-8")
    return tmp_path


def test_a_sense_of_wordnet_is_suggested_and_accepted(attention, news, wordnet):
    shown = attention("knowledge", "suggest", "mercury", "--wordnet", wordnet)
    assert "a heavy silvery metal" in shown.out
    senses = attention("knowledge", "suggest", "mercury", "--wordnet", wordnet, "--json").json["senses"]
    assert [sense["number"] for sense in senses] == [1, 2]
    assert attention("knowledge", "--json").json == {"concepts": []}
    assert attention("knowledge", "suggest", "mercury", "--wordnet", wordnet, "--accept", "3").code == 2
    added = attention("knowledge", "suggest", "mercury", "--wordnet", wordnet, "--accept", "1")
    assert "Added mercury (quicksilver)" in added.out
    cared = {one["label"]: one["care"] for one in attention("knowledge", "--json").json["concepts"]}
    assert cared == {"mercury (quicksilver)": 1, "mercury (sense 2)": 0}


def test_a_sense_that_wordnet_does_not_know_is_ones_own(attention, news, wordnet):
    said = ("knowledge", "suggest", "mercury", "--wordnet", wordnet, "--mine", "a messenger god of Rome")
    attention(*said)
    (own,) = [one for one in attention("knowledge", "--json").json["concepts"] if one["care"]]
    assert (own["label"], own["context"]) == ("mercury (sense 3)", ["messenger", "rome"])
    assert attention(*said, "--accept", "1").code == 2


def test_without_wordnet_it_says_how_to_get_it(attention, news, tmp_path):
    failed = attention("knowledge", "suggest", "rust", "--wordnet", tmp_path)
    assert (failed.code, "install it" in failed.err) == (2, True)
