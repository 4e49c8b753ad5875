"""read, show, why, tray, search, digest."""

import json
from datetime import datetime
from random import Random

import pytest

RANKED = {
    "id", "title", "url", "source", "date", "published", "updated", "fetched", "lang", "authors", "tags", "image",
    "topic", "sentiment", "polarity",
    "score", "reasons", "interest", "pinned", "tray", "story", "moved", "held_back", "probability",
    "level", "adds_to", "because",
}  # fmt: skip
WHY = {
    "rank", "of", "line", "carriers", "ordinary", "baseline", "text", "words", "rest", "rules", "changes", "concepts",
}  # fmt: skip
NOT_FROM_HISTORY = ("fresh", "source", "popular", "knowledge", "rules")


def test_read_lists_the_best_first_with_bar_score_source_and_reason(attention, news):
    lines = attention("read").out.splitlines()
    assert "█" in lines[0]
    assert "Rust compilers get faster" in lines[0] or "A garbage collector" in lines[0]
    assert "news.jsonl" in lines[1]
    assert max(map(len, lines)) <= 80
    scores = [item["score"] for item in attention("read", "--variety", "0", "--json").json["items"]]
    assert scores == sorted(scores, reverse=True)


def test_the_ranking_does_not_depend_on_the_order_of_arrival(attention, tmp_path):
    words = ["wind", "sun", "grid", "coal", "tram", "rail", "cup", "goal", "pie", "leek", "rust", "code", "heap"]
    chance = Random(1)  # more items than themes, so that themes are learned
    lines = [json.dumps({"id": n, "title": f"T{n}", "text": " ".join(chance.choices(words, k=8))}) for n in range(60)]
    scores = []
    for name, ordered in (("a", lines), ("b", lines[::-1])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(ordered), "utf-8")
        attention("--db", f"{name}.db", "add", f"{name}.jsonl")
        attention("--db", f"{name}.db", "interests", "add", "grid of sun and wind")
        attention("--db", f"{name}.db", "fetch")
        listed = attention("--db", f"{name}.db", "read", "--json", "-n", "60").json["items"]
        scores.append({item["title"]: item["score"] for item in listed})
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)  # a second lies between


def test_read_as_json_has_the_documented_keys_and_reasons_that_sum_to_the_score(attention, news):
    items = attention("read", "--limit", "3", "--json").json["items"]
    assert len(items) == 3
    for item in items:
        assert set(item) == RANKED
        assert set(item["reasons"][0]) == {"term", "label", "value", "detail"}
        assert sum(reason["value"] for reason in item["reasons"]) == pytest.approx(item["score"], abs=1e-6)
        datetime.fromisoformat(item["date"])


def test_read_can_be_narrowed(attention, news):
    chinese = attention("read", "--lang", "ZH", "--json").json["items"]
    assert {item["lang"] for item in chinese} == {"zh"}
    assert attention("read", "--since", "1h", "--source", "NEWS", "--json").json["items"]
    assert "No unread item fits" in attention("read", "--since", "2999-01-01").out


def test_an_empty_stream_says_what_to_do(attention, tmp_path):
    assert "attention add URL" in attention("read").out
    assert attention("read", "--json").json == {"items": []}
    (tmp_path / "folder").mkdir()
    attention("add", "folder")
    assert "attention fetch" in attention("read").out


def test_a_hostile_title_cannot_steer_the_terminal(attention, news, tmp_path):
    line = {"id": "x", "title": "Rust \x1b[2J\u202ecompilers [bold]:smile:", "text": "compiler \x1b]0;owned\x07"}
    (tmp_path / "bad.jsonl").write_text(json.dumps(line), encoding="utf-8")
    attention("add", "bad.jsonl")
    attention("fetch")
    (tmp_path / "me.json").write_text(
        json.dumps({"attention_filter_profile": 1, "interests": [{"text": "rust \x1b[2J[bold]:smile:"}]}), "utf-8"
    )
    attention("profile", "import", "me.json")
    for command in (["read"], ["search", "rust"], ["digest"], ["interests"], ["profile"]):
        text = attention(*command).out
        assert "[bold]:smile:" in text
        assert not set("\x1b\x07\u202e") & set(text)


def test_show_prints_the_text_and_where_it_comes_from(attention, news, id_of):
    wind = id_of("turbines")
    done = attention("show", f"#{wind}")
    assert "Offshore wind farm opens" in done.out
    assert "Forty turbines" in done.out
    attention("like", wind)
    document = attention("show", wind, "--json").json
    assert document["act"] == "like"
    assert document["text"].startswith("Forty turbines")
    assert {"html", "links", "guid"} <= set(document)


def test_why_has_three_sums_of_the_score(attention, news, id_of):
    attention("like", id_of("turbines"))
    document = attention("why", id_of("sodium"), "--json").json
    assert set(document) == RANKED | WHY
    others = sum(r["value"] for r in document["reasons"] if r["term"] in NOT_FROM_HISTORY)
    by_act = sum(carrier["value"] for carrier in document["carriers"])
    by_word = sum(word["value"] for word in document["words"]) + document["rest"]
    assert by_act + document["ordinary"] + document["baseline"] + others == pytest.approx(document["score"], abs=1e-5)
    assert by_word + document["baseline"] + others == pytest.approx(document["score"], abs=1e-3)
    assert {"like", None} == {carrier["act"] for carrier in document["carriers"]}
    assert document["changes"]


def test_why_shows_terms_carriers_words_rules_and_what_would_change_it(attention, news, id_of):
    attention("like", id_of("turbines"))
    attention("rules", "add", "--boost", "1", "--word", "sodium")
    attention("rules", "add", "--block", "--word", "horoscope")
    out = attention("why", id_of("sodium")).out
    for part in ("attention: your interests", "like of", "[[", "rule 1 holds", "without the like on", "place"):
        assert part in out
    assert "rule 2" not in out
    assert "[[" not in attention("why", id_of("sodium"), "--no-words").out


def test_the_shown_numbers_of_why_add_up(attention, news, id_of):
    out = attention("why", id_of("garbage"), "--no-words").out
    parts, total = [], None
    for line in out.split("What makes up its score")[1].splitlines():
        numbers = [word for word in line.split() if word[0] in "+-" and word[1:].replace(".", "").isdigit()]
        if line.strip().startswith("score"):
            total = float(numbers[0])
            break
        parts += map(float, numbers[:1])
    assert sum(parts) == pytest.approx(total)


def test_the_tray_says_why_how_many_and_what_is_promised(attention, news, id_of):
    attention("rules", "add", "--block", "--word", "penalties")
    document = attention("tray", "--json").json
    assert set(document) == {"count", "promise", "items"}
    assert document["count"] == len(document["items"]) > 0
    away = {item["id"]: item["tray"] for item in document["items"]}
    assert away[id_of("keeper")].startswith("rule 1: block")
    out = attention("tray", "-n", "1").out
    assert f"{document['count']} items lie in the tray, 1 shown" in out
    assert "promised 95 %" in out
    assert "attention like ID" in " ".join(out.split())


def test_search_finds_words_of_both_languages_and_marks_them(attention, news):
    document = attention("search", "电池", "--json").json
    assert set(document) == {"query", "hits"}
    assert [hit["title"] for hit in document["hits"]] == ["电池工厂开始发货"]
    assert {"snippet", "marks", "rank"} <= set(document["hits"][0])
    assert "Sodium batteries" in attention("search", "lithium").out
    assert attention("search", "two penalties", "--json").json["query"] == '"two penalties"'
    assert "Nothing found" in attention("search", "zeppelin").out


def test_the_digest_is_text_or_a_page(attention, news, tmp_path):
    assert "1. " in attention("digest").out
    done = attention("digest", "--html", "page.html", "--limit", "3")
    assert (done.out, "page.html" in done.err) == ("", True)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<h2") == 3
    assert len(attention("digest", "--json", "-n", "2").json["items"]) == 2


def test_a_search_with_a_left_out_word_says_how_to_write_it(attention, news):
    done = attention("search", "power", "-grid")
    assert done.code == 2
    assert "quote all words: 'solar -wind'" in done.err
    assert "Sodium" not in attention("search", "power -grid").out


def test_why_names_what_is_not_wanted_as_such(attention, news, id_of):
    attention("interests", "add", "--not", "football penalties")
    out = attention("why", id_of("Cup won"), "--no-words").out
    assert "interest “not: football penalties”" in " ".join(out.split())


def test_a_question_keeps_its_indent_where_it_wraps(attention, news, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = attention("ask", "--list", "-n", "1").out.splitlines()
    about = next(number for number, line in enumerate(lines) if "1 of 1" in line)
    assert all(line.startswith("     ") for line in lines[about:] if line.strip())


def test_topic_and_tone_are_columns_and_filters(attention, news):
    items = attention("read", "--json").json["items"]
    assert {"topic", "sentiment", "polarity"} <= items[0].keys()
    assert all(-1 <= item["polarity"] <= 1 for item in items)
    topics = {item["topic"] for item in items} - {None}
    for topic in topics:
        found = attention("read", "--topic", topic.upper(), "--json").json["items"]
        assert {item["topic"] for item in found} == {topic}
    assert attention("read", "--topic", "体育").code == 0
    assert "no such topic" in attention("read", "--topic", "nonsense").err
    assert "negative, neutral, positive" in attention("read", "--sentiment", "sad").err
    assert attention("read", "--sentiment", "negative", "--json").code == 0


def test_topics_are_listed_replaced_and_brought_back(attention, news, tmp_path):
    listed = attention("topics", "--json").json
    assert (listed["model"], len(listed["topics"])) == (None, 20)
    assert "politics" in attention("topics").out
    (tmp_path / "mine.txt").write_text("batteries: batteries for the power grid; lithium\npolitics\n", "utf-8")
    assert "2 topics: batteries, politics" in attention("topics", "use", str(tmp_path / "mine.txt")).out
    assert attention("topics", "export").out == "batteries: batteries for the power grid; lithium\npolitics\n"
    assert {item["topic"] for item in attention("read", "--json").json["items"]} <= {None, "batteries", "politics"}
    assert "20 topics" in attention("topics", "use", "usual").out
    wrong = attention("topics", "use", str(tmp_path / "nowhere.txt"))
    assert (wrong.code, "nowhere.txt" in wrong.err) == (2, True)


def test_trends_add_up(attention, news):
    found = attention("trends", "--days", "3650", "--json").json
    assert sum(period["items"] for period in found["periods"]) == 10
    for line in found["topics"]:
        assert sum(line["counts"]) == line["items"]
    assert "polarity" in attention("trends", "--days", "3650").out
    assert attention("trends", "--source", "nowhere").code == 2


def test_rules_know_topic_and_tone(attention, news):
    added = attention("rules", "add", "--block", "--topic", "体育", "--sentiment", "negative")
    assert added.out == "Rule 1: block: topic sports and sentiment negative\n"
    assert attention("rules", "--json").json["rules"][0]["topic"] == "sports"
    assert "no such topic" in attention("rules", "add", "--block", "--topic", "nonsense").err


def test_today_is_a_page_that_ends(attention, news):
    assert "attention add URL" in attention("--db", "empty.db", "today").out
    page = attention("today", "--json").json
    assert set(page) == {"day", "done", "says", "waiting", "new", "away", "minutes", "items"}
    assert set(page["items"][0]) == RANKED | {"act"}
    chances = [item["probability"] for item in page["items"]]
    assert chances == sorted(chances, reverse=True)
    assert page["items"][0]["because"]["says"] == "Because you follow “compilers of programming languages”"
    first = page["items"][0]["id"]
    attention("like", first)
    again = attention("today", "--json").json["items"]
    assert [item["id"] for item in again] == [item["id"] for item in page["items"]]
    assert (again[0]["act"], again[0]["level"], again[1]["act"]) == ("like", None, None)
    out = attention("today").out
    assert out.splitlines()[0].startswith("✓")
    assert "Because you follow" in out
    assert " in All, " in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    for item in page["items"]:
        attention("seen", item["id"])
    assert "You are done." in attention("today").out
    assert len(attention("today", "--stories", "3", "--json").json["items"]) <= 3


def test_read_shows_level_and_chance(attention, news):
    listed = attention("read", "--json").json["items"]
    names = {"high": "High", "worth": "Worth a look", "maybe": "Maybe"}
    out = attention("read").out
    assert {item["level"] for item in listed} <= set(names)
    assert all(names[item["level"]] in out for item in listed)
