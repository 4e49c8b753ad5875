"""attention demo, from the first heading to the digest."""

import pytest

from attention_filter.demo.walk import ACTS, INTERESTS


def test_the_demo_tells_the_whole_story_and_is_kept_with_muted_feeds(attention, tmp_path):
    done = attention("demo", "--keep", "--html", "page.html")
    assert (done.code, done.err) == (0, "")
    assert "156 new items" in done.out
    for part in (*INTERESTS, *(title for _, title in ACTS), "The numbers add up", "place", "promised 95 %", "seconds"):
        assert part in done.out
    assert [line[0] for line in done.out.splitlines() if line[1:3] == ". "] == list("1234567")
    assert len(done.out.splitlines()) <= 130
    assert "to learn about you" not in done.out  # that part draws lots anew each day
    assert "<h2" in (tmp_path / "page.html").read_text(encoding="utf-8")
    sources = attention("sources", "--json").json["sources"]
    assert {source["health"] for source in sources} == {"muted"}
    assert {source["folder"] for source in sources} == {"English", "中文"}
    assert len(attention("read", "--json").json["items"]) == 15
    assert attention("profile", "--json").json["acts"] == {"like": 2, "dislike": 1}


def test_a_demo_that_is_not_kept_touches_no_database_of_ones_own(attention, monkeypatch, tmp_path):
    used = []

    def first_step(filter, *_):
        used.append(filter.store.path)
        yield "A heading"

    monkeypatch.setattr("attention_filter.demo.walk.walk", first_step)
    assert "1. A heading" in attention("demo").out
    assert not used[0].exists()
    assert not list(tmp_path.iterdir())


def test_a_database_in_use_is_not_mixed_up_unless_one_says_so(attention, news):
    done = attention("demo", "--keep")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--yes" in done.err


@pytest.mark.parametrize("path", ["nowhere/page.html", "."])
def test_a_digest_that_cannot_be_written_is_said_first(attention, path):
    done = attention("demo", "--html", path)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
