from datetime import timedelta

import pytest
from selectolax.lexbor import LexborHTMLParser

from attention_filter import standing
from attention_filter.server.pages.sources import trouble
from attention_filter.types import Sign, SourceKind


def page_of(answer):
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def ids(mine):
    return {source.title: source.id for source in mine.store.sources()}


def test_each_source_is_listed_with_rate_unread_and_share_of_what_was_liked(browser, stocked):
    (item, *_) = stocked.store.newest(1, source=ids(stocked)["Rust Weekly"])
    stocked.act([item.id], Sign.LIKE)
    text = " ".join(page_of(browser.get("/sources")).css_first("main").text().split())
    assert "2.5 a week · 9 unread · 100 % of what you liked" in text
    assert "2.5 a week · 10 unread" in text


def test_one_sources_error_is_told_in_words_and_breaks_nothing(browser, stocked, clock):
    error, again = "green.example: timed out after 30 s", clock() + timedelta(hours=2)
    stocked.store.record_failure(ids(stocked)["Green Post"], now=clock(), next_try=again, error=error)
    page = page_of(browser.get("/sources"))
    assert page.css_first("li.failing .bad").text() == "It took too long to answer."
    assert "next in 2 hr" in page.css_first("li.failing").text()
    assert len(page.css(".sources li")) == 2


def test_errors_without_a_translation_are_told_as_they_are():
    assert trouble("x.example: something nobody foresaw") == "x.example: something nobody foresaw"


def test_a_removed_source_comes_back_with_its_name_folder_and_state(browser, stocked):
    id_ = ids(stocked)["Green Post"]
    browser.post(f"/sources/{id_}", data={"title": "Green", "folder": "news / climate"})
    browser.post(f"/sources/{id_}/mute", data={"muted": "true"})
    page = page_of(browser.post(f"/sources/{id_}/remove"))
    assert len(page.css(".sources li")) == 1
    form = page.css_first("form.undo")
    fields = {i.attributes["name"]: i.attributes["value"] for i in form.css("input")}
    page = page_of(browser.post(form.attributes["action"], data=fields))
    (back,) = (s for s in stocked.store.sources() if s.id == id_)
    assert (back.title, back.folder, back.muted) == ("Green", "news/climate", True)
    assert not page.css("form.undo")


def test_undo_is_offered_for_some_minutes_only(browser, stocked, clock):
    browser.post(f"/sources/{ids(stocked)['Green Post']}/remove")
    assert page_of(browser.get("/sources")).css("form.undo")
    clock.now += timedelta(minutes=11)
    assert not page_of(browser.get("/sources")).css("form.undo")


def test_a_source_is_renamed_and_moved_to_a_folder(browser, stocked):
    page = page_of(browser.post(f"/sources/{ids(stocked)['Rust Weekly']}", data={"title": "Rust", "folder": "code"}))
    assert page.css_first("h1").text() == "Rust"
    assert page_of(browser.get("/sources")).css("main h2")[1].text() == "code"
    assert stocked.store.sources()[0].folder == "code"


def test_files_of_the_machine_can_be_followed_only_while_it_alone_is_listened_to(app, browser, mine, tmp_path):
    path = tmp_path / "notes"
    path.mkdir()
    here = app.state.site
    home, here.settings = here.settings, here.settings.model_copy(update={"host": "0.0.0.0"})
    refused = browser.post("/sources", data={"address": str(path)})
    assert refused.status_code == 422
    assert "its own machine alone" in refused.text
    assert browser.post("/sources/restore", data={"url": str(path), "kind": "folder"}).status_code == 404
    assert not mine.store.sources()
    here.settings = home
    assert browser.post("/sources", data={"address": str(path)}).status_code == 200
    assert [s.kind for s in mine.store.sources()] == [SourceKind.FOLDER]


def test_what_cannot_be_followed_keeps_what_was_typed(browser, mine):
    answer = browser.post("/sources", data={"address": "http://127.0.0.1:1/feed", "folder": "mine"})
    assert answer.status_code == 422
    page = LexborHTMLParser(answer.text)
    assert page.css_first("#address").attributes["value"] == "http://127.0.0.1:1/feed"
    assert page.css_first("#folder").attributes["value"] == "mine"
    assert page.css_first(".problem")


def test_the_bookmarklet_fills_the_form_and_follows_nothing(browser, mine):
    page = page_of(browser.get("/add", params={"url": 'https://a.example/"><script>'}))
    assert page.css_first("#address").attributes["value"] == 'https://a.example/"><script>'
    assert not mine.store.sources()


OPML = b'<opml><body><outline text="News"><outline text="A" xmlUrl="http://127.0.0.1:1/f"/></outline></body></opml>'


def test_an_opml_list_goes_in_and_out(browser, mine, worker):
    page = page_of(browser.post("/sources/opml", files={"file": ("mine.opml", OPML)}))
    assert worker.run_one().kind == "fetch"
    assert [s.failures for s in mine.store.sources()] == [1]
    assert "1 feed is followed" in page.css_first(".note").text()
    assert [(s.title, s.folder) for s in mine.store.sources()] == [("A", "News")]
    given = browser.get("/sources/opml")
    assert "attachment" in given.headers["content-disposition"]
    assert 'xmlUrl="http://127.0.0.1:1/f"' in given.text


def test_one_source_is_read_at_once_and_its_items_are_ranked(browser, mine, worker, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note.txt").write_text(f"Note {name}\n\nabout the rust compiler")
        mine.add(str(tmp_path / name))
    first, second = (source.id for source in mine.store.sources())
    browser.post(f"/sources/{first}/read")
    browser.post(f"/sources/{second}/read")
    browser.post(f"/sources/{second}/read")
    done = []
    while job := worker.run_one():
        done.append((job.kind, dict(job.payload)))
    fetched = [payload["sources"] for kind, payload in done if kind == "fetch"]
    assert fetched == [[first], [second]], "a second wish is not swallowed by the first, the same one is"
    assert sorted(mine.store.outline(9).ids.tolist()) == sorted(standing.kept(mine.store).ids.tolist())
    page = page_of(browser.get("/sources"))
    assert "1 source was read" in page.css_first("#progress").text()
    assert "hx-get" not in page.css_first("#progress").attributes


def test_what_went_wrong_while_reading_is_told_and_can_be_tried_again(browser, mine, clock, app):
    jobs = mine.store.jobs
    browser.post("/sources/read")
    jobs.fail(jobs.claim(["fetch"], clock()), clock(), "the disk is full", final=True)
    form = page_of(browser.get("/sources")).css_first("#progress form")
    assert "the disk is full" in form.text()
    browser.post(form.attributes["action"])
    assert "Waiting for its turn" in page_of(browser.get("/sources")).css_first("#progress").text()


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x00\xff", b"x" * 5_000_001])
def test_a_bad_list_is_refused_with_a_reason(browser, mine, body):
    answer = browser.post("/sources/opml", files={"file": ("mine.opml", body)})
    assert answer.status_code == 422
    assert LexborHTMLParser(answer.text).css_first(".problem").text()
    assert not mine.store.sources()


def test_a_sources_page_shows_its_newest_items_and_what_was_done_with_them(browser, stocked):
    id_ = ids(stocked)["Rust Weekly"]
    (item, *_) = stocked.store.newest(1, source=id_)
    stocked.act([item.id], Sign.SAVE)
    page = page_of(browser.get(f"/sources/{id_}"))
    assert len(page.css(".item")) == 10
    assert "you: save" in page.css_first(".item").text()


def test_a_stranger_sees_and_touches_no_source_of_another(strange, browser, stocked):
    id_ = ids(stocked)["Rust Weekly"]
    strange()
    assert "Rust Weekly" not in browser.get("/sources").text
    assert browser.get(f"/sources/{id_}").status_code == 404
    for act in ("", "/mute", "/read", "/remove"):
        assert browser.post(f"/sources/{id_}{act}").status_code == 404, act
    assert len(stocked.store.sources()) == 2
