"""The interests' page, and the picture of who looks where."""

import csv
import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest

from attention_filter.personal.interests import matrices
from attention_filter.server.language import language
from attention_filter.types import Entry, Interest, Sign, SourceKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def said(stocked):
    stocked.add_interest("rust compiler borrow crate")
    stocked.add_interest("solar battery wind grid")
    stocked.act([1], Sign.LIKE)
    stocked.act([12], Sign.SAVE)
    stocked.act([2, 3], Sign.LIKE)
    return stocked


TOPICS = {
    "Rust Weekly": "rust compiler borrow crate memory language",
    "Green Post": "solar battery wind grid storage power",
    "Goal": "football match league coach player keeper",
    "Kitchen": "leek butter oven flour recipe pie",
    "Court": "judge verdict appeal lawyer trial jury",
    "Opera": "soprano aria stage orchestra conductor choir",
    "Sky": "comet telescope orbit planet moon eclipse",
    "Harbour": "ferry quay tide anchor sail captain",
}


@pytest.fixture
def wide(mine):
    """Four feeds about one thing each, twelve items a feed; ids 1 to 12 are the first one's, and so on."""
    rng = np.random.default_rng(0)
    for name, topic in TOPICS.items():
        source = mine.store.add_source(f"https://{name.split()[0]}.example/feed", SourceKind.FEED, title=name, now=NOW)
        entries = []
        for n in range(12):
            said = " ".join(rng.choice(topic.split(), 3, replace=False))
            entries.append(Entry(f"{name}-{n}", f"{said} number{n}", text=f"{said} thing{n}", lang="en", published=NOW))
        mine.store.add_entries(source.id, entries, NOW)
    mine.understand()
    return mine


def texts(mine):
    return [one.text for one in mine.interests()]


def test_the_page_tells_what_each_interest_has_learned(wide, browser):
    wide.add_interest(TOPICS["Rust Weekly"])
    wide.act([1, 2, 3, 4, 30], Sign.LIKE)
    page = browser.get("/interests").text
    (rust,) = wide.interests_learned()
    assert rust.claimed == 4
    assert rust.lately >= 8
    assert set(rust.words) & set(TOPICS["Rust Weekly"].split())
    assert all(word in page for word in rust.words)
    assert "Rust Weekly (4)" in page
    assert rust.items[0].item.entry.title in page


def test_interests_are_added_also_such_as_are_not_wanted(said, browser):
    browser.post("/interests", data={"text": "horse races", "unwanted": "true"})
    assert said.interests()[-1].weight == -1.0
    assert "not this" in browser.get("/interests").text


def test_an_edit_keeps_the_weight_the_limit_and_the_date_and_is_undone(said, browser):
    old = said.interests()[0]
    said.weigh_interest(old.id, 2.0)
    said.limit_interest(old.id, 30)
    browser.post(f"/interests/{old.id}/edit", data={"text": "rust and its compiler"})
    new = said.interests()[0]
    assert (new.id, new.text, new.weight, new.created) == (old.id, "rust and its compiler", 2.0, old.created)
    assert [str(one) for one in said.quotas()] == ['interest:"rust and its compiler" at most 30%']
    browser.post("/interests/undo")
    assert said.interests()[0] == Interest(old.id, old.text, 2.0, old.created)
    assert [str(one) for one in said.quotas()] == ['interest:"rust compiler borrow crate" at most 30%']


def test_what_is_removed_comes_back_with_its_limit(said, browser):
    said.limit_interest(said.interests()[0].id, 30)
    before = texts(said)
    browser.post(f"/interests/{said.interests()[0].id}/remove")
    assert texts(said) == before[1:]
    assert said.quotas() == []
    assert "was removed" in browser.get("/interests").text
    browser.post("/interests/undo")
    assert sorted(texts(said)) == sorted(before)
    assert len(said.quotas()) == 1


def test_two_become_one_and_one_becomes_two(said, browser):
    first, second = said.interests()
    browser.post("/interests/merge", data={"first": first.id, "second": second.id, "text": "rust and energy"})
    assert texts(said) == ["rust and energy"]
    browser.post(f"/interests/{first.id}/split", data={"first": "rust", "second": "energy"})
    assert texts(said) == ["rust", "energy"]


def test_a_merge_of_what_is_wanted_with_what_is_not_is_refused_and_nothing_is_lost(said, browser):
    first, second = said.interests()
    said.weigh_interest(second.id, -1.0)
    answer = browser.post("/interests/merge", data={"first": first.id, "second": second.id, "text": "x"})
    assert answer.status_code == 404
    assert len(texts(said)) == 2


def test_an_undo_is_offered_only_while_nothing_else_was_changed(said, browser):
    first = said.interests()[0].id
    browser.post(f"/interests/{first}/remove")
    said.add_interest("something new")
    assert "was removed" not in browser.get("/interests").text
    assert browser.post("/interests/undo").status_code == 404


def test_a_split_is_suggested_from_what_the_interest_claims(wide, browser):
    wide.add_interest("rust compiler borrow solar battery wind")
    wide.act([1, 2, 3, 4, 13, 14, 15, 16], Sign.LIKE)
    halves = wide.halves_of(wide.interests()[0].id)
    sources = [{item.source_title for item in half.items} for half in halves]
    assert sources in ([{"Rust Weekly"}, {"Green Post"}], [{"Green Post"}, {"Rust Weekly"}])
    page = browser.get(f"/interests/{wide.interests()[0].id}/split").text
    assert all(word in page for half in halves for word in half.words)


def test_too_few_items_to_split_are_a_plain_sentence(said, browser):
    said.add_interest("zeppelins")
    assert "too few items" in browser.get(f"/interests/{said.interests()[-1].id}/split").text


def test_what_was_liked_beside_all_interests_is_suggested(wide, browser):
    wide.add_interest(TOPICS["Rust Weekly"])
    wide.act([1, 2, 13, 14, 15, 16], Sign.LIKE)
    found = wide.suggest_interests()[0]
    assert {item.source_title for item in found.items} == {"Green Post"}  # not the rust that an interest claims
    assert set(found.words) & set(TOPICS["Green Post"].split())
    assert found.words[0] in browser.get("/interests/suggested").text


def test_weight_and_quota_are_set_together(said, browser):
    one = said.interests()[0]
    browser.post(f"/interests/{one.id}/weigh", data={"weight": "1.5", "quota": "40", "unwanted": "true"})
    assert said.interests()[0].weight == -1.5
    assert [one.amount for one in said.quotas()] == [40]
    browser.post(f"/interests/{one.id}/weigh", data={"weight": "1.5", "quota": "100"})
    assert said.quotas() == []


@pytest.mark.parametrize("path", ["edit", "remove", "weigh", "split"])
def test_anothers_interest_cannot_be_touched(said, browser, strange, path):
    one = said.interests()[0]
    try:
        strange()
    except AttributeError:
        browser.app.state.site.reader = "stranger"
    form = {"text": "x", "weight": "1", "first": "a", "second": "b"}
    assert browser.post(f"/interests/{one.id}/{path}", data=form).status_code == 404
    assert said.interests()[0] == one


def test_the_pictures_numbers_are_the_attention_matrices(said, browser):
    found = browser.get("/interests/attention.json", params={"of": "acts"}).json()
    a, h = np.array(found["a"]), np.array(found["h"])
    assert a.shape == h.shape == (2, 4)
    assert a.sum(0) == pytest.approx(np.ones(4), abs=1e-5)
    assert h.sum(1) == pytest.approx(np.ones(2), abs=1e-5)
    ids = [item["id"] for item in found["items"]]
    reading = said._reading()
    whole = matrices(reading.profile, reading.features_of(said.store.batch_of(ids, reading.model)))
    assert a == pytest.approx(whole[0], abs=1e-5)
    assert h == pytest.approx(whole[1], abs=1e-5)
    assert a.argmax(0).tolist() == sorted(a.argmax(0).tolist())


def test_the_csv_has_a_line_a_cell_and_no_formula(said, browser, mine):
    said.add_interest("=cmd()")
    lines = list(csv.reader(io.StringIO(browser.get("/interests/attention.csv").text.lstrip("\ufeff"))))
    assert lines[0] == ["item", "title", "source", "date", "interest", "a", "h"]
    assert len(lines) > 3
    assert not any(cell.startswith("=") for line in lines for cell in line)


def test_the_picture_is_one_tab_stop_a_map_and_each_cell_says_itself(said, browser):
    page = browser.get("/interests/attention", params={"of": "acts"}).text
    cells = re.findall(
        r'<a href="/item/(\d+)" tabindex="(-?\d)" data-column="(\d)" data-line="(\d)" aria-label="([^"]+)"', page
    )
    assert len(cells) == 2 * 2 * 4
    assert [cell[1] for cell in cells].count("0") == 2
    assert all("%" in cell[4] for cell in cells)
    assert "<table" in page


def test_every_text_of_these_pages_is_translated(browser):
    from importlib.resources import files

    folder = files("attention_filter.server") / "templates"
    known = language("zh").messages
    for page in folder.iterdir():
        if page.name.lstrip("_").split(".")[0] in (
            "tray", "tray_row", "tray_rows", "tray_shown", "promise", "kept", "audit", "interests", "suggested",
            "split", "attention", "you", "measuring", "ask", "changed",
        ):  # fmt: skip
            said = re.findall(r'\btn?\("((?:[^"\\]|\\.)*)"', page.read_text(encoding="utf-8"))
            assert [text for text in said if text not in known] == []
