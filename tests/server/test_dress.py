"""What a source sent, made ready to be read: nothing runs, nothing is lost, marks stand where they belong."""

import re

import pytest

from attention_filter.server.dress import classes, dress, dress_plain, is_signed, raster_type, signed
from attention_filter.sources.clean import plain_text
from attention_filter.why import Word

HOSTILE = [
    '<img src=x onerror="alert(1)">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="java&#10;script:alert(1)">x</a>',
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    '<p title="--><img src=x onerror=alert(1)>">x</p>',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><img src=x onerror=alert(1)>-->",
    '<a href="https://e.org/?a=%22%3E%3Cscript%3E" title=\'"><script>alert(1)</script>\'>x</a>',
    '<abbr title="a&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">x</abbr>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    '<img alt="&quot; onload=&quot;alert(1)" src="https://e.org/a.png">',
    '<img src="https://e.org/a.svg#&quot; onerror=&quot;alert(1)">',
    "<plaintext><img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_of_ours_can_be_broken_out_of(html):
    out = dress(html, picture=lambda url: "/image?u=1", text=plain_text(html), marks=["for-1"] * 1000)
    for tag in re.findall(r"<[^>]*>", out):
        outside = re.sub(r'"[^"]*"', '""', tag)
        assert re.fullmatch(r'</?[a-z0-9]+(?: [a-z-]+="")*>', outside), tag
        assert not re.search(r"\son|script|style=", outside)
    assert "javascript:" not in out


def test_marks_follow_the_text_through_markup_and_white_space():
    html = "<p>Solar  power</p>\n<ul><li>wins</li><li>again &amp; again</li></ul>"
    text = plain_text(html)
    marks = classes(
        len(text),
        [Word(text.index("power"), text.index("power") + 5, 1.0), Word(text.index("&"), text.index("&") + 1, -1.0)],
    )
    out = dress(html, text=text, marks=marks)
    assert '<mark class="for-4">power</mark>' in out
    assert '<mark class="not-4">&amp;</mark>' in out
    assert out.count("<mark") == 2


def test_marks_end_where_the_texts_part():
    out = dress("<p>one other three</p>", text="one two three", marks=["for-1"] * 13)
    assert out == '<p><mark class="for-1">one</mark> other three</p>'


def test_the_same_words_come_out_as_went_in():
    html = "<p>Ünï <b>çødé</b> &lt;tag&gt;</p><pre>a\n  b</pre>"
    assert plain_text(dress(html)) == plain_text(html)
    assert dress_plain("<&>", []) == "&lt;&amp;&gt;"


def test_a_signature_is_of_one_address_and_one_secret():
    mark = signed(b"key", "https://e.org/a.png")
    assert is_signed(b"key", "https://e.org/a.png", mark)
    assert not is_signed(b"key", "https://e.org/b.png", mark)
    assert not is_signed(b"other", "https://e.org/a.png", mark)
    assert not is_signed(b"key", "https://e.org/a.png", "é")


def test_only_raster_pictures_have_a_type():
    webp, avif = b"RIFF\0\0\0\0WEBP", b"\0\0\0\x20ftypavif"
    assert [raster_type(body) for body in (webp, avif, b"\xff\xd8\xff\xe0")] == [
        "image/webp",
        "image/avif",
        "image/jpeg",
    ]
    assert [raster_type(body) for body in (b"<svg/>", b"", b"%PDF", b"<html>")] == [None] * 4
