"""What sources repeat is learned from their items and left out of what these say."""

import json

import pytest

from attention_filter.repeats import Repeats, index_titles, learn, leave_out, said
from attention_filter.types import LeftOut

ENGLISH = (
    "Solar panels on a school roof",
    "A goalkeeper saves two penalties",
    "Borrow checker learns a new trick",
    "Rain delays the opera festival",
    "Museum opens a wing of maps",
    "Wheat prices fall after harvest",
    "Robots sort parcels in the port",
    "Violin found in a market stall",
)
CHINESE = (
    "科学家发现新的行星",
    "高考报名人数再创新高",
    "国产编译器发布第二版",
    "球队在加时赛中逆转",
    "博物馆展出古代地图",
    "新能源汽车销量上升",
    "老电影修复后重新上映",
    "小镇建成首座图书馆",
)
ENGLISH_TEXTS = (
    "Pupils in Leeds now measure how much of their own power comes from above.",
    "Both shots went low and left, where she had been waiting.",
    "References that never meet no longer upset it.",
    "Umbrellas sold out before the second act could begin.",
    "Visitors may walk across oceans drawn by people who never saw them.",
    "Traders blame a warm July and full silos.",
    "Each arm lifts forty boxes a minute and never looks tired.",
    "Its owner had searched for eleven years.",
)
CHINESE_TEXTS = (
    "望远镜在猎户座方向看到了它的影子。",
    "各省将在五月公布考场安排。",
    "开发者说，链接速度快了一倍。",
    "替补前锋在最后一分钟打进制胜球。",
    "其中一幅画出了从未有人到过的海岸。",
    "充电桩的数量却没有跟上。",
    "导演当年的剪辑笔记帮了大忙。",
    "孩子们放学后可以在那里写作业。",
)


def strip(items: list[tuple[str, str]]) -> list[str]:
    """What each text says, as learned from all of them."""
    known, titles = learn(items), index_titles(title for title, _ in items)
    return [said(text, leave_out(title, text, known, titles)) for title, text in items]


@pytest.mark.parametrize(
    "footer",
    [
        "Harbour Dispatch covers the coast. Support us from five dollars.",
        "The post {title} was first seen on The Long Column",
        "GOLD 19{n}.5 +{n}.1% SILVER 2{n}.4 -{n}.3%",
        "Filed at {n}:30 by the desk of The Long Column",
        "You may also like\n{other}\n{another}",
        "Related: {other}, {another}",
        "[…]",
        "Trending now: {other} · {another}",
        "Keep on reading “{cut}…”",
        "First seen at blog.example.net on March {n}, 2026.",
        "[…] Continue reading {title} at The Long Column.",
        "Read more »\nShare this on Facebook Twitter LinkedIn\n© 202{n} Quill Media. All rights reserved.",
        "{n} min read\nSign up for our weekly newsletter",
    ],
)
def test_what_english_sources_append_is_left_out(footer):
    items = []
    for n, title in enumerate(ENGLISH):
        given = {"n": n, "title": title, "other": ENGLISH[n - 1], "another": ENGLISH[n - 2], "cut": title[:20]}
        items.append((title, f"{ENGLISH_TEXTS[n]}\n{footer.format(**given)}"))
    assert strip(items) == list(ENGLISH_TEXTS)


@pytest.mark.parametrize(
    "footer",
    [
        "海港快讯是一家报道足球与股票的独立媒体。欢迎支持我们的记者。",
        "《{title}》一文由长栏作者供稿",
        "上证指数 3{n}00.5 +{n}.1% 深证成指 9{n}10.2 -{n}.3%",
        "猜你喜欢\n{other}\n{another}",
        "相关阅读：{other}　{another}",
        "阅读全文>>\n分享到：微信 微博 QQ空间 朋友圈\n版权所有 未经授权不得转载",
        "责任编辑：张三\n长按识别二维码关注我们",
    ],
)
def test_what_chinese_sources_append_is_left_out(footer):
    items = []
    for n, title in enumerate(CHINESE):
        given = {"n": n, "title": title, "other": CHINESE[n - 1], "another": CHINESE[n - 2]}
        items.append((title, f"{CHINESE_TEXTS[n]}\n{footer.format(**given)}"))
    assert strip(items) == list(CHINESE_TEXTS)


PLACES = ("Bergen", "Port Ellen", "Cadiz")
PEOPLE = ("Ada Moss", "Bo Lindt", "Cy Okoro")
PLACES_ZH = ("松洼", "听潮港", "榆巷")
PEOPLE_ZH = ("顾青禾", "罗望川", "沈一苇")


@pytest.mark.parametrize(
    "footer",
    [
        "{n} readers took part in the debate",
        "Written for the quiet press: {person}, printed {place}",
        "Filed from {place} by the harbour staff",
        "Drawn by {person} and printed in {place} by the quiet press",
        "Topics: hot, lead, sole, homepage, {place}. Section: none",
        "Picture of {place} from the archive. {person} took it ref={n}&src=daily{n}",
    ],
)
def test_places_for_names_and_numbers_in_english_lines_are_seen(footer):
    given = [{"n": 7 * n + 2, "place": PLACES[n % 3], "person": PEOPLE[n * n % 3]} for n in range(len(ENGLISH))]
    items = [
        (title, f"{text}\n{footer.format(**one)}")
        for title, text, one in zip(ENGLISH, ENGLISH_TEXTS, given, strict=True)
    ]
    assert strip(items) == list(ENGLISH_TEXTS)


@pytest.mark.parametrize(
    "footer",
    [
        "已有{n}人参与讨论",
        "标签：热点 头条 独家 {place}。",
        "（海港报记者{person} {place}报道）来信请寄编辑部。",
        "图为{place}街景，旧照片。{person}摄 src=feed&n=a{n}",
    ],
)
def test_places_for_names_and_numbers_in_chinese_lines_are_seen(footer):
    given = [{"n": 7 * n + 2, "place": PLACES_ZH[n % 3], "person": PEOPLE_ZH[n * n % 3]} for n in range(len(CHINESE))]
    items = [
        (title, f"{text}\n{footer.format(**one)}")
        for title, text, one in zip(CHINESE, CHINESE_TEXTS, given, strict=True)
    ]
    assert strip(items) == list(CHINESE_TEXTS)


def mixed(title: str, other: str) -> str:
    """A title of no item: the beginning of one and the end of another."""
    if title.isascii():
        return " ".join([*title.split()[:3], *other.split()[-3:]])
    return title[:4] + other[-5:]


@pytest.mark.parametrize(
    ("label", "titles", "texts"),
    [("Don't miss", ENGLISH, ENGLISH_TEXTS), ("今日热点", CHINESE, CHINESE_TEXTS)],
)
def test_below_a_repeated_label_titles_are_left_out_that_the_source_no_longer_has(label, titles, texts):
    items = []
    for n, (title, text) in enumerate(zip(titles, texts, strict=True)):
        listed = [mixed(titles[(n + i) % 8], titles[(n + 2 * i) % 8]) for i in (1, 2, 3)]
        items.append((title, "\n".join([text, label, *listed])))
    assert strip(items) == list(texts)


@pytest.mark.parametrize(
    "line",
    [
        "Net profit {n}.2 mln vs {n}00,000",  # measures
        "净利润{n}亿元，去年为{n}0亿元",
        "Here is what changed in release {n} of the editor since spring",  # the title has this number, too
    ],
)
def test_numbers_that_are_what_a_line_says_are_kept(line):
    items = [
        (f"{title}, {n + 3}", f"{line.format(n=n + 3)}\n{text}")
        for n, (title, text) in enumerate(zip(ENGLISH, ENGLISH_TEXTS, strict=True))
    ]
    assert strip(items) == [text for _, text in items]


def test_a_place_that_says_another_thing_in_each_item_or_what_the_title_says_is_none():
    filled = [
        (title, f"This week I read {text[:30]} in the garden")
        for title, text in zip(ENGLISH, ENGLISH_TEXTS, strict=True)
    ]
    assert all(text[:30] in kept for text, kept in zip(ENGLISH_TEXTS, strip(filled), strict=True))
    told = [(f"{title} in {PLACES[n % 3]}", f"We went to {PLACES[n % 3]} again") for n, title in enumerate(ENGLISH)]
    assert learn(told).templates == ()
    assert learn([(title, text) for (title, _), (_, text) in zip(filled, told, strict=True)]).templates


@pytest.mark.parametrize(
    ("label", "start", "end"),
    [
        ("Playlist", "", " live"),  # nothing says that these are other items
        ("More for the pie", "2 tbsp ", ""),  # they measure
        ("Top of the week", "", ""),  # too short for titles
    ],
)
def test_lists_of_ingredients_or_songs_or_words_are_kept(label, start, end):
    items = []
    for n, (title, text) in enumerate(zip(ENGLISH, ENGLISH_TEXTS, strict=True)):
        listed = [mixed(ENGLISH[(n + i) % 8], ENGLISH[(n + 2 * i) % 8]) for i in (1, 2, 3)]
        if not start + end:
            listed = [line.split()[i] for i, line in enumerate(listed)]
        items.append((title, "\n".join([text, label, *(f"{start}{line}{end}" for line in listed)])))
    assert learn(items).lists == frozenset()


def test_of_three_items_no_names_are_learned():
    items = [
        (title, f"{text}\nFiled from {place} by the harbour staff")
        for title, text, place in zip(ENGLISH, ENGLISH_TEXTS, PLACES, strict=False)
    ]
    assert learn(items).templates == ()


def test_what_is_repeated_within_a_line_is_left_out_and_the_rest_stays_word_for_word():
    items = [
        (title, f"{text} Made with love in Bergen. Bye") for title, text in zip(ENGLISH, ENGLISH_TEXTS, strict=True)
    ]
    assert strip(items) == list(ENGLISH_TEXTS)


def test_of_two_items_nothing_is_learned():
    items = [(title, "The same words stand in both.") for title in ENGLISH[:2]]
    assert learn(items) == Repeats(2)


def test_versions_of_one_story_do_not_make_its_sentences_a_habit_of_the_source():
    titles = "Storm hits the coast of Texas", "Storm hits the coast of Texas again", "Big storm hits the coast of Texas"
    storm = [(title, "Waves of nine metres broke the pier on Sunday.") for title in titles]
    others = [(title, f"{title} is told here at length.") for title in ENGLISH[:5]]
    assert strip(storm + others)[:3] == [text for _, text in storm]


def test_a_short_line_must_be_frequent_to_count_as_repeated():
    few = [
        (title, f"{title.upper()} told\n{'In brief' if n < 3 else ''}") for n, title in enumerate([*ENGLISH, *CHINESE])
    ]
    assert "in brief" not in learn(few).segments
    many = [(title, f"{title.upper()} told\nIn brief") for title in ENGLISH]
    assert "in brief" in learn(many).segments


def test_an_item_that_lists_others_once_in_a_while_is_a_roundup_and_keeps_its_list():
    roundup = "\n".join(ENGLISH[:4])
    items = [("What we wrote this week", roundup), *((title, f"On {title.lower()} and more.") for title in ENGLISH)]
    assert strip(items)[0] == roundup


def test_what_is_said_at_length_is_no_teaser():
    for text in (
        "Read more about how the borrow checker works in the book.",
        "Share prices fell on Monday.",
        "Copyright law is changing in Europe, and the court has decided, after many years, that this is how it stays, "
        "whatever the publishers had hoped for.",
        "大家好，今天讲编译器。",
    ):
        assert said(text, leave_out("A title", text, Repeats())) == text


def test_titles_with_stops_within_are_still_one_piece():
    titles = [f"{title}? Yes! {n}" for n, title in enumerate(ENGLISH)]
    items = [(title, f"Posted: {title} by the quiet team of writers") for title in titles]
    assert "posted {} by the quiet team of writers" in learn(items).segments


def test_code_tables_and_captions_are_left_out_where_there_is_prose():
    prose = "The new parser reads a megabyte in a millisecond, since it looks at sixty-four bytes at once."
    text = f"{prose}\nfor (;;) parse(x);\nA cat"
    left = leave_out("Parsing", text, Repeats(), {}, ["for (;;) parse(x);", "A cat"])
    assert said(text, left) == prose
    assert not any(one.repeated for one in left)
    assert leave_out("Parsing", "for (;;) parse(x);", Repeats(), {}, ["for (;;) parse(x);"]) == ()


def test_places_that_overlap_are_cut_once():
    assert said("One two three four", [LeftOut(4, 13, True), LeftOut(4, 7, False)]) == "One four"


def test_what_is_known_comes_back_from_json_and_adds_up():
    one = Repeats(60, frozenset({"a b c"}), ("x y",), (), ("t {*}",), frozenset({"l"}))
    other = Repeats(9, frozenset({"d"}), (), ("z",), ("u {*}",), frozenset({"m"}))
    assert Repeats.from_json(json.dumps(json.loads(one.to_json()))) == one
    assert Repeats.from_json('[9, ["d"], [], ["z"]]') == Repeats(9, frozenset({"d"}), (), ("z",))
    assert (one | other) == Repeats(
        60, frozenset({"a b c", "d"}), ("x y",), ("z",), ("t {*}", "u {*}"), frozenset({"l", "m"})
    )


def test_hostile_texts_take_no_longer_than_others():
    for text in ("a", "(", "关注", "read more ", "the post ", "\n", " \t", "Dr. ", "( [ ", "(" * 390 + "\n"):
        much = text * (60_000 // len(text))
        leave_out("A title", much, learn([(str(n), much[:40_000] + str(n)) for n in "abc"]))
