"""quotas, and what they do to read and digest."""


def test_quotas_are_added_listed_and_removed(attention, news):
    assert "No quotas yet" in attention("quotas").out
    assert attention("quotas", "add", "each source at most 3", "lang:zh at least 1").out.splitlines() == [
        "Quota 1: each source at most 3",
        "Quota 2: lang:zh at least 1",
    ]
    document = attention("quotas", "--json").json
    assert attention("quotas", "list", "--json").json == document
    assert document["quotas"][0] == {
        "number": 1, "kind": "at most", "field": "source", "value": None, "amount": 3, "percent": False, "other": None,
        "says": "each source at most 3",
    }  # fmt: skip
    assert "lang:zh at least 1" in attention("quotas").out
    attention("quotas", "remove", 1)
    assert [one["says"] for one in attention("quotas", "--json").json["quotas"]] == ["lang:zh at least 1"]
    assert attention("quotas", "remove", 7).code == 2


def test_a_quota_that_makes_no_sense_is_refused_in_one_line(attention, news):
    refused = attention("quotas", "add", "sauce:x at most 2")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    attention("quotas", "add", "source:x at most 2")
    assert "cannot hold beside “source:x at most 2”" in attention("quotas", "add", "source:x at least 3").err


def test_a_quota_moves_items_and_never_scores(attention, news):
    before = {one["id"]: one["score"] for one in attention("read", "--explore", 0, "--json").json["items"]}
    attention("quotas", "add", "source:news at most 2", "lang:zh at least 1")
    items = attention("read", "--explore", 0, "--json").json["items"]
    assert {one["id"]: round(one["score"], 3) for one in items} == {i: round(s, 3) for i, s in before.items()}
    assert [one["held_back"] for one in items] == [False] * 2 + [True] * (len(before) - 2)
    assert items[1]["lang"] == "zh"
    assert [one["moved"] for one in items[1:3]] == ["lifted: lang:zh at least 1", "held back: source:news at most 2"]
    assert "held back: source:news at most 2" in " ".join(attention("read").out.split())


def test_a_digest_leaves_out_what_is_held_back_and_says_so(attention, news):
    attention("quotas", "add", "source:news at most 2")
    done = attention("digest", "--json")
    assert len(done.json["items"]) == 2
    assert "held back by your quotas" in done.err


def test_quotas_travel_with_the_profile(attention, news, tmp_path):
    attention("quotas", "add", "word:电池 never next to word:batteries")
    attention("profile", "export", "--out", "me.json")
    attention("--reader", "you", "profile", "import", "me.json")
    attention("--reader", "you", "profile", "import", "me.json")
    assert len(attention("--reader", "you", "quotas", "--json").json["quotas"]) == 1
