"""attention demo, from the first heading to the digest."""

import pytest

from attention_filter.demo.walk import ACTS, INTERESTS


def test_the_demo_tells_the_whole_story_and_leaves_only_the_digest(attention, tmp_path):
    done = attention("demo", "--html", "page.html")
    assert (done.code, done.err) == (0, "")
    assert "156 new items" in done.out
    for part in (*INTERESTS, *(title for _, title in ACTS), "The numbers add up", "place", "promised 95 %", "seconds"):
        assert part in done.out
    assert [line[0] for line in done.out.splitlines() if line[1:3] == ". "] == list("1234567")
    assert len(done.out.splitlines()) <= 125
    assert "<h2" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_kept_demo_is_ones_own_database_with_muted_feeds(attention):
    assert "attention.db" in attention("demo", "--keep").out
    sources = attention("sources", "--json").json["sources"]
    assert len(sources) == 8
    assert {source["health"] for source in sources} == {"muted"}
    assert {source["folder"] for source in sources} == {"English", "中文"}
    assert len(attention("read", "--json").json["items"]) == 15
    assert attention("profile", "--json").json["acts"] == {"like": 2, "dislike": 1}


def test_a_database_in_use_is_not_mixed_up_unless_one_says_so(attention, news):
    done = attention("demo", "--keep")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "--yes" in done.err


@pytest.mark.parametrize("path", ["nowhere/page.html", "."])
def test_a_digest_that_cannot_be_written_is_said_first(attention, path):
    done = attention("demo", "--html", path)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
