"""Bytes become the text their author saw."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_filter.sources.decoding import decode

CHINESE = "新闻网站今日要闻:人工智能"
LATIN = "Café déjà vu, naïve garçon"


@pytest.mark.parametrize(
    ("body", "label", "text"),
    [
        (CHINESE.encode(), None, CHINESE),
        (CHINESE.encode(), "gbk", CHINESE),  # wrong label
        (CHINESE.encode("gb18030"), "gb2312", CHINESE),
        (CHINESE.encode("gb18030"), None, CHINESE),
        (CHINESE.encode("gb18030"), "utf-8", CHINESE),
        ("臺灣新聞".encode("big5"), "big5", "臺灣新聞"),
        ("日本のニュース".encode("shift_jis"), "Shift_JIS", "日本のニュース"),
        ("日本のニュース".encode("iso2022_jp"), "iso-2022-jp", "日本のニュース"),
        (LATIN.encode("latin-1"), None, LATIN),
        (LATIN.encode("latin-1"), "no-such-encoding", LATIN),
        ("“quoted” — €".encode("cp1252"), "iso-8859-1", "“quoted” — €"),
        (codecs.BOM_UTF8 + LATIN.encode(), "latin-1", LATIN),
        (codecs.BOM_UTF16_LE + LATIN.encode("utf-16-le"), None, LATIN),
        (codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"), None, CHINESE),
        (codecs.BOM_UTF32_LE + LATIN.encode("utf-32-le"), None, LATIN),
        ("<?xml version='1.0'?><a>x</a>".encode("utf-16-le"), None, "<?xml version='1.0'?><a>x</a>"),
        (b"plain", "rot13", "plain"),
        (b"plain", "utf-7", "plain"),
    ],
)
def test_text_is_read_in_the_encoding_it_is_in(body: bytes, label: str | None, text: str) -> None:
    assert decode(body, [label]) == (text, True)


@pytest.mark.parametrize("declaration", ['<?xml version="1.0" encoding="GBK"?>', "<html><meta charset=gbk>"])
def test_the_documents_own_declaration_counts(declaration: str) -> None:
    text = declaration + "短"
    assert decode(text.encode("gbk")) == (text, True)


def test_a_torn_character_does_not_spoil_the_rest() -> None:
    text, whole = decode((CHINESE * 20).encode()[:-1])
    assert text.startswith(CHINESE * 19)
    assert not whole


@given(
    st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["big5", "hz", "idna", "hex"]))
)
def test_any_bytes_have_some_text(body: bytes, label: str | None) -> None:
    assert isinstance(decode(body, [label])[0], str)
