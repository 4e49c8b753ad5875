"""What is sentiment's own: names of feelings, polarity, the sentences it comes with, and feelings about one thing."""

import pytest

from attention_filter.errors import DataError, UsageError
from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment, feelings, mentions, prototypes

TWO = [
    ("The soup was delicious but the dessert tasted like soap.", "soup", "dessert"),
    ("Siemens doubled its profit while Philips issued a warning.", "Siemens", "Philips"),
    ("The view is stunning; the elevator, sadly, is broken.", "view", "elevator"),
    ("泳池很漂亮，但是停车场又小又脏。", "泳池", "停车场"),
    ("华为手机好用极了，充电器却坏了两次。", "手机", "充电器"),
    ("茅台净利润大涨，乐视面临退市。", "茅台", "乐视"),
]


@pytest.fixture(scope="module")
def ready():
    return Sentiment().from_prototypes()


@pytest.mark.parametrize(
    ("texts", "label"),
    [
        (["What a lovely, heartfelt film!", "这家店真不错，强烈推荐", "Profits soared to a new record."], "positive"),
        (["A dreadful bore.", "太难吃了，再也不来", "The company warned of heavy losses."], "negative"),
        (["The shop opens at nine.", "本次会议在上海举行。"], "neutral"),
    ],
)
def test_it_can_tell_before_it_was_given_any_data(ready, texts, label):
    assert ready.predict(texts) == [(label,)] * len(texts)


def test_polarity_goes_from_minus_one_to_one(ready):
    good, bad = ready.polarity(["I love it, wonderful!", "I hate it, awful!"])
    assert -1 <= bad < -0.5 < 0.5 < good <= 1


@pytest.mark.parametrize(("text", "liked", "disliked"), TWO)
def test_a_text_may_praise_one_thing_and_blame_another(ready, text, liked, disliked):
    above, below = ready.toward(text, liked), ready.toward(text, disliked)
    assert above.polarity > 0.1 > -0.1 > below.polarity
    for one in (above, below):
        reasons = one.reasons
        assert reasons.rest + sum(word.value for word in reasons.words) == pytest.approx(reasons.logit, abs=1e-4)


def test_what_is_not_named_cannot_be_felt_about(ready):
    with pytest.raises(UsageError, match="'lobby' is not named"):
        ready.toward("The room was fine.", "lobby")


def test_mentions_are_whole_words_in_any_case():
    assert mentions("Room, bedroom, ROOM", "room") == [(0, 4), (15, 19)]
    assert mentions("腾讯和腾讯云", "腾讯") == [(0, 2), (3, 5)]
    assert mentions("a (b) c", "(b)") == [(2, 5)]
    assert mentions("anything", " ") == []


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("1 0", "positive negative"),
        ("1 0 -1", "positive neutral negative"),
        ("好评 中评 差评", "positive neutral negative"),
        ("POS Neg", "positive negative"),
        ("正面 负面", "positive negative"),
    ],
)
def test_feelings_have_many_names(names, wanted):
    found = feelings([Example("x", (name,)) for name in names.split()])
    assert " ".join(one.labels[0] for one in found) == wanted


def test_zero_to_check_on_means_what_it_means_in_training():
    sentiment = Sentiment()
    train = [
        Example(f"{word} {n}", (label,))
        for n in range(3)
        for word, label in (("good", "1"), ("so", "0"), ("bad", "-1"))
    ]
    assert sentiment.fit(train, [Example("so so", ("0",)), Example("good", ("1",))]).metrics["accuracy"] > 0


def test_a_label_that_names_no_feeling_is_named():
    with pytest.raises(DataError, match="labels that name no feeling: joy"):
        feelings([Example("x", ("joy",))])


def test_two_feelings_are_enough():
    texts = {"1": ["good film", "lovely", "很好", "满意"], "0": ["bad film", "awful", "很差", "失望"]}
    sentiment = Sentiment().fit([Example(text, (label,)) for label, some in texts.items() for text in some])
    assert sentiment.labels == ["negative", "positive"]
    assert abs(sentiment.polarity(["lovely"])[0]) <= 1


def test_the_sentences_it_comes_with_are_fair():
    found = prototypes()
    assert len({one.text for one in found}) == len(found) > 150
    assert {one.labels[0] for one in found} == {"negative", "neutral", "positive"}
