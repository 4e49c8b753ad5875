"""interests, rules, profile."""

import json


def test_interests_are_added_listed_weighed_and_removed(attention, news):
    assert "Interest 2 (-2)" in attention("interests", "add", "football", "--not", "--weight", "2").out
    document = attention("interests", "--json").json
    assert set(document["interests"][0]) == {"id", "text", "weight", "created"}
    assert document["interests"][1]["weight"] == -2
    assert attention("interests", "list", "--json").json == document
    attention("interests", "weight", 2, "-0.5")
    assert "-0.5 not: football" in " ".join(attention("interests").out.split())
    attention("interests", "remove", 2)
    assert len(attention("interests", "--json").json["interests"]) == 1


def test_rules_are_added_listed_and_removed_and_a_pin_comes_first(attention, news):
    attention("rules", "add", "--pin", "--word", "leeks", "--word", "butter")
    attention("rules", "add", "--boost", "-0.5", "--lang", "en", "--newer-than", "3")
    document = attention("rules", "--json").json
    assert [rule["says"] for rule in document["rules"]] == [
        "pin: words leeks, butter",
        "boost -0.5: lang en and newer than 3 days",
    ]
    assert set(document["rules"][0]) == {
        "id", "action", "words", "pattern", "source", "author", "lang", "older_than_days", "newer_than_days",
        "boost", "topic", "sentiment", "says",
    }  # fmt: skip
    first = attention("read", "--json").json["items"][0]
    assert (first["title"], first["pinned"]) == ("Leek pie for Sunday", True)
    assert "pinned by your rule" in attention("read").out
    attention("rules", "remove", 1)
    assert "boost -0.5" in attention("rules").out
    assert "pin: words" not in attention("rules").out


def test_the_profile_is_shown_in_words(attention, news, id_of):
    attention("like", id_of("garbage"))
    document = attention("profile", "--json").json
    assert set(document) == {"interests", "acts", "sources", "line"}
    assert document["acts"] == {"like": 1}
    assert set(document["interests"][0]) == {"id", "text", "weight", "words", "items"}
    assert "garbage" in document["interests"][0]["words"]  # what the history brought, not what was said
    out = attention("profile").out
    assert "compilers of programming languages" in out
    assert "1 like" in out
    assert attention("profile", "show", "--json").json["interests"] == document["interests"]


def test_a_profile_without_anything_is_json_too(attention):
    assert attention("profile", "--json").json == {"interests": [], "acts": {}, "sources": [], "line": None}
    assert "attention interests add" in attention("profile").out


def test_a_profile_goes_out_is_deleted_and_comes_back(attention, news, id_of, tmp_path):
    attention("like", id_of("turbines"))
    attention("rules", "add", "--block", "--word", "horoscope")
    attention("profile", "export", "--out", "me.json")
    assert json.loads(attention("profile", "export").out) == json.loads((tmp_path / "me.json").read_text("utf-8"))
    news_file = attention("sources", "--json").json["sources"][0]["url"]
    assert attention("profile", "delete", "--yes").code == 0
    assert attention("interests", "--json").json == {"interests": []}
    attention("add", news_file)
    done = attention("profile", "import", "me.json")
    assert done.out == "1 interests, 1 new rules, 1 acts\n"
    assert attention("profile", "--json").json["acts"] == {"like": 1}
    assert len(attention("rules", "--json").json["rules"]) == 1


def test_an_age_limit_is_set_lifted_and_checked(attention, news):
    assert "older than 30 days" in attention("profile", "age-limit", "30").out
    assert "No age limit" in attention("profile", "age-limit", "off").out
    assert attention("profile", "age-limit", "soon").code == 2
    assert attention("profile", "age-limit", "nan").code == 2


def test_an_interest_is_said_in_other_words_and_keeps_its_number(attention, news):
    before = attention("interests", "--json").json
    assert attention("interests", "edit", 1, "languages and their compilers").code == 0
    assert "languages and their compilers" in attention("interests").out
    assert len(attention("interests", "--json").json) == len(before)
    assert attention("interests", "edit", 99, "x").code == 2
