import json
import re

import pytest
import torch

from attention_filter.attention.draw import head_table, html_page, save_png, text_map
from attention_filter.attention.inspect import Maps


@pytest.fixture
def maps():
    h = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    tokens = ("<s>", "news", "</script>", "新闻")
    return Maps(tokens, tokens, h, h.mT)


def test_the_text_map_lines_up_with_chinese_too():
    lines = text_map(torch.eye(2), ["新闻", "a"], ["新闻", "a"], numbers=True).split("\n")
    assert lines == ["     新闻 a", "新闻 1.00 0.00", "a    0.00 1.00"]


def test_the_table_has_a_line_for_each_head(maps):
    assert len(head_table(maps).split("\n")) == 7


def test_the_page_carries_the_data_and_nothing_from_outside(maps):
    page = html_page(maps, 'a "<b>" title')
    assert "&lt;b&gt;" in page
    assert not re.search(r"(src|href)=|https?://|@import", page)
    data = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL).group(1)
    read = json.loads(data)
    assert read["maps"]["keys"] == ["<s>", "news", "</script>", "新闻"]
    assert len(read["rollout"]) == 4


def test_a_page_of_cross_attention_has_no_rollout(maps):
    page = html_page(Maps(maps.queries[:2], maps.keys, maps.h[:, :, :2]))
    assert '"rollout":null' in page


def test_the_picture_is_a_png(maps, tmp_path):
    pytest.importorskip("matplotlib")
    save_png(maps, tmp_path / "heads.png", kind="a")
    assert (tmp_path / "heads.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_message_says_what_to_install(maps, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="pip install matplotlib"):
        save_png(maps, tmp_path / "heads.png")
