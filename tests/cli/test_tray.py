"""tray, tray audit, tray should, tray promise; evaluate me."""

import json


def test_an_audit_is_drawn_judged_and_told_in_plain_words(attention, news):
    attention("tray", "promise", "60")
    shown = attention("tray", "audit", "-n", "3", "--json").json
    assert set(shown) == {"week", "looked", "found", "promise", "items"}
    ids = [item["id"] for item in shown["items"]]
    assert len(ids) == 3
    assert f"{ids[0]} " in attention("tray", "audit", "-n", "3").out
    assert attention("tray", "should", "99").code == 2
    told = attention("tray", "should", ids[0])
    assert told.code == 0
    assert "Of 3 audited, 1 was wrongly there: between 0.8 % and 91 %" in " ".join(told.out.split())
    state = attention("tray", "promise", "--json").json
    assert (state["keep"], state["looked"], state["found"]) == (0.6, 3, 1)
    assert "like" in attention("show", ids[0]).out
    assert "You looked at all 3" in attention("tray", "audit", "-n", "3").out


def test_none_is_an_answer_too(attention, news):
    attention("tray", "promise", "60")
    attention("tray", "audit", "-n", "2")
    assert "Of 2 audited, 0 were wrongly there" in " ".join(attention("tray", "should", "none").out.split())


def test_a_promise_is_a_percentage_and_anything_else_is_refused(attention, news):
    assert "Promised: 90 %" in attention("tray", "promise", "90%").out
    assert attention("tray", "--json").json["promise"] == 0.9
    for wrong in ("much", "20", "100", "nan"):
        assert attention("tray", "promise", wrong).code == 2
    assert "Promised: 90 %" in attention("tray", "promise").out


def test_evaluate_me_without_a_history_says_what_is_missing(attention, news):
    done = attention("evaluate", "me")
    assert done.code == 0
    assert "You liked, saved or read 0 items so far" in " ".join(done.out.split())
    assert attention("evaluate", "me", "--json", "-").json["methods"] == []


def test_evaluate_me_prints_a_report_and_writes_page_and_figures(attention, news, tmp_path):
    for item in (1, 2, 3, 4, 7, 8):
        attention("like", item)
    attention("dislike", 5)
    done = attention("evaluate", "me", "--html", "me.html", "--json", "me.json")
    assert done.code == 0, done.err
    for part in ("Where what you liked stood", "What it learns", "what you said", "Do the percentages hold?"):
        assert part in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "<svg" in (tmp_path / "me.html").read_text("utf-8")
    figures = json.loads((tmp_path / "me.json").read_text("utf-8"))
    assert figures["methods"][0]["name"] == "filter"
    assert figures["likes"] == 6
    assert figures["verdict"] in " ".join(done.out.split())


def test_probabilities_stand_in_the_list_and_in_why(attention, news):
    first = attention("read", "--json").json["items"][0]
    assert 0 < first["probability"] < 1
    assert " % " in attention("read").out
    assert "that you want it" in " ".join(attention("why", first["id"], "--no-words").out.split())
