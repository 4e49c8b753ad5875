"""add, import, export, fetch, sources: files and the demo's feeds on loopback."""

from datetime import UTC, datetime

import pytest

from attention_filter.demo.server import serve
from attention_filter.settings import Settings

SOURCE = {
    "id", "url", "kind", "title", "folder", "items", "health", "last_fetched", "last_success", "next_try",
    "last_error", "failures", "muted", "columns",
}  # fmt: skip


@pytest.fixture
def feeds(monkeypatch):
    """The demo's server, which the settings allow."""
    with serve(datetime.now(UTC)) as server:
        monkeypatch.setattr("attention_filter.settings.load_settings", lambda: Settings(private_hosts=(server.host,)))
        yield server


def test_a_feed_is_added_fetched_and_read(attention, feeds):
    assert "Planet Lambda Lane" in attention("add", feeds.url + "feeds/lambda-lane.atom", "--folder", "code").out
    document = attention("fetch", "--json").json
    assert set(document) == {"new", "changed", "failed", "sources"}
    assert (document["new"], document["failed"]) == (20, 0)
    (source,) = attention("sources", "--json").json["sources"]
    assert set(source) == SOURCE
    assert (source["health"], source["items"], source["folder"]) == ("ok", 20, "code")
    assert len(attention("read", "--json").json["items"]) == 15


def test_a_web_page_leads_to_its_feed(attention, feeds):
    assert "The Circuit Gazette" in attention("add", feeds.url).out


def test_an_opml_list_goes_in_and_comes_out(attention, feeds, tmp_path):
    outlines = "".join(f'<outline type="rss" text="F{n}" xmlUrl="{url}"/>' for n, url in enumerate(feeds.feed_urls))
    (tmp_path / "list.opml").write_text(f"<opml><body>{outlines}</body></opml>", encoding="utf-8")
    assert attention("import", "list.opml").out == "8 feeds in list.opml, 8 of them new\n"
    assert "0 of them new" in attention("import", "list.opml").out
    assert attention("export").out.count("xmlUrl") == 8
    attention("export", "--out", "mine.opml")
    assert (tmp_path / "mine.opml").read_text(encoding="utf-8") == attention("export").out
    assert "attention import list.opml" in attention("add", "list.opml").err


def test_a_list_without_titles_takes_those_of_the_feeds(attention, feeds, tmp_path):
    (tmp_path / "list.opml").write_text(f'<opml><body><outline xmlUrl="{feeds.feed_urls[3]}"/></body></opml>', "utf-8")
    attention("import", "list.opml")
    attention("fetch")
    assert attention("sources", "--json").json["sources"][0]["title"] == "Planet Lambda Lane"


def test_a_failing_source_is_named_the_rest_goes_on_and_sources_shows_it(attention, feeds, tmp_path):
    (tmp_path / "list.opml").write_text(
        f'<opml><body><outline text="Gone" xmlUrl="{feeds.url}none"/>'
        f'<outline text="Lambda" xmlUrl="{feeds.feed_urls[3]}"/></body></opml>',
        encoding="utf-8",
    )
    attention("import", "list.opml")
    done = attention("fetch")
    assert done.code == 0
    assert "! Gone: " in done.err
    assert "1 of 2 sources read, 20 new items" in done.out
    out = attention("sources").out
    assert "! trouble" in out
    assert "404" in out
    assert "in " in out
    only = attention("fetch", "Gone")
    assert only.code == 3


def test_bad_lines_of_a_table_are_named_and_the_rest_is_read(attention, tmp_path):
    (tmp_path / "tickets.csv").write_text("nr,what,more\n1,Printer on fire,Smoke\n2,,\n3,No network,Cable\n", "utf-8")
    done = attention("add", "tickets.csv", "--column", "guid=nr", "--column", "title=what", "--column", "text=more")
    assert done.code == 0
    done = attention("fetch")
    assert "line 3" in done.out
    assert "2 new items" in done.out


def test_nothing_to_fetch_and_nothing_due_are_said(attention, tmp_path):
    assert "attention add URL" in attention("fetch").err
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# Batteries\n\nA note.", encoding="utf-8")
    attention("add", "notes")
    assert "1 new items" in attention("fetch").out
    assert "attention fetch --all" in attention("fetch").out
    assert "1 of 1 sources read" in attention("fetch", "--all").out


def test_a_source_is_muted_unmuted_and_removed_by_a_part_of_its_title(attention, news):
    attention("sources", "mute", "news")
    assert attention("sources", "--json").json["sources"][0]["health"] == "muted"
    assert "– muted" in attention("sources").out
    assert attention("fetch").out == "All sources are muted; attention sources unmute SOURCE\n"
    attention("sources", "unmute", "NEWS")
    assert attention("sources", "list", "--json").json["sources"][0]["health"] == "ok"
    attention("sources", "remove", "1")
    assert attention("sources", "--json").json == {"sources": []}
    assert "attention add URL" in attention("sources").out


def test_a_name_that_fits_several_sources_asks_for_the_id(attention, tmp_path):
    for name in ("notes-a", "notes-b", "b"):
        (tmp_path / name).mkdir()
        attention("add", name)
    done = attention("sources", "mute", "notes")
    assert (done.code, done.err) == (2, "attention: 'notes' fits 2 sources (1 notes-a, 2 notes-b); give the id\n")
    assert attention("sources", "mute", "b").code == 0
