"""What a source repeats in its items, learned from them; and what of a text is left without it.

A text falls into segments: its lines, and within these its sentences. A segment is compared by its *key*: words and
Han characters in lower case, the item's own title as a slot, {}, and where there are many numbers ("GOLD 1910.5 +0.3%")
each of them as 0. So "The post Rust 2 appeared first on E" is "the post {} appeared first on e" in every item. A source
repeats

- a segment that stands in SHARE of its items (a short one, such as "In brief", in OFTEN of them),
- how segments begin or end, when OFTEN of its items have one that does,
- titles of its other items, slots as well, {+}: "check out {+}", or lines that are nothing else.

Besides, a few patterns say nothing in any source: "Read more", share lines, credits, lists of related items. Titles are
never touched, and versions of one story count as one item. Pure: texts in, places out.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from attention_filter.types import LeftOut
from attention_filter.words import CJK

FEWEST = 3  # items that repeat something; two may well quote the same sentence
# Of a source's items. Of Reuters news, which repeat nothing, in groups of 10 to 300, .05 % is left out at these shares.
SHARE, OFTEN = 0.1, 0.25
SHORT = 6  # a Han character weighs 1, any other word 2
TEMPLATE = 8  # the weight of a beginning or an end
TITLE, LIST = 4, 6  # the weight of a title for which a slot stands; of a cut one, or one that other items list
FIRST = 3  # words of a title by which it is looked for
FIGURES = 4  # where one token of so many is a number, the numbers change from item to item and the rest does not
LINK = 100  # characters of a line in a list of related items
PROSE = 24  # the weight of what must be left before code, tables and captions are left out
FEW_ITEMS = 100  # of so few, versions of one story may be a good part
READ, HEAD, TAIL = 40_000, 8_000, 4_000  # characters of a text; of a longer one both ends are learned from
AT_MOST = 500  # segments, beginnings or ends that are kept of a source

SLOT, OTHERS = "{}", "{+}"
_COLONS = (":", "：")
_LINE = re.compile(r"[^\n]+")
_END = re.compile(r"(?<=[。！？…])[”’」』）\])]*|(?<=[.!?])[\"'”’)\]]*\s+(?![a-z])")
_WORDS = re.compile(r"[^\W_]")
_IS_CJK = re.compile(f"[{CJK}]")
_TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)?")

# What says nothing in any source. Each matches a whole segment; lists of words are kept short and plain on purpose.
_TEASER = r"""
    (?:\[(?:…|\.{3,})\]|\(?more…\)?)\W*
  | (?:(?:click|tap)\ (?:here\ )?to\ )?
    (?:keep\ reading|continue(?:\ reading)?|(?:read|view|see|learn|find\ out)\ (?:(?:the|this)\ )?
      (?:full|whole|entire|complete|original|rest\ of\ the|more|article|story|post))\b
    (?:\ (?:the|this|main|more|full|article|story|post|entry|report|rest|here|now|below|about|of|it))*
    (?:\ (?:on|at|in)\ [^.!?]{1,40})?\W*
  | (?:请?点击|戳|继续|展开)?(?:这里|此处|链接|下方链接)?(?:阅读|查看|浏览|展开|了解|点击)(?:这里|此处)?(?:本文)?
    (?:全文|原文|更多|详情|详细内容|完整内容|完整报道|剩余内容|剩余全文|余下全文)(?:内容|信息|报道|请点击(?:这里)?)?\W*
  | (?:未完待续|更多内容请点击(?:这里)?|点击查看)\W*
"""
_CREDIT = r"""
    (?:featured\ |cover\ |lead\ )?(?:image|photo|picture|photograph|illustration|graphic)s?
    (?:\ credits?|\ source|\ courtesy|\ by)?\s?[:：©].{0,80}
  | (?:additional\ )?(?:reporting|writing|editing|compiled|submitted)\ by\ .{0,120}
  | (?:责任编辑|责编|编辑|作者|文|图|来源|稿源|记者|校对|审核|编审|监制|原标题|图片来源|图源)\s?[:：丨|/].{0,40}
"""
_NOTICE = r"""
    .{0,60}\ball\ rights\ reserved\b.{0,60}
  | (?:copyright\b|©|\(c\)).{0,100}
  | (?:view\ (?:this\ (?:email|message)\ )?in\ (?:your\ )?browser|unsubscribe).{0,60}
  | manage\ (?:your\ )?(?:preferences|subscription)s?.{0,60}
  | (?:follow|like|find|join)\ us\ on\b.{0,80}
  | (?:sign\ up|subscribe)\ (?:for|to)\ (?:our|the|this)\b.{0,100}\b(?:newsletter|list|feed|channel|podcast)\b.{0,80}
  | the\ post\ .{1,300}\ (?:appeared\ first|first\ appeared)\ on\ .{1,80}
  | (?:\d+|no|one|leave\ a|post\ a|add\ a)\ (?:comments?|responses?|replies|reply)\W*
  | \d+\ ?min(?:ute)?s?\ read\W*
  | (?:article|comments)\ url\s?:.{0,400} | points\s?:\s?\d+ | \#\ comments\s?:\s?\d+
  | (?:https?://|www\.)\S+
  | .{0,40}(?:版权所有|版权归.{0,20}所有|未经.{0,12}(?:授权|许可|允许)|转载请(?:注明|联系)|不得转载|谢绝转载).{0,80}
  | .{0,20}(?:扫码|扫描|长按|识别|关注|订阅).{0,20}(?:二维码|公众号|微信号|小程序|客户端|关注我们).{0,40}
  | .{0,20}(?:欢迎|敬请|快来|点击|记得)(?:关注|订阅)(?:我们|本站|本台|本号).{0,20}
  | .{0,40}(?:仅代表作者|不代表本[站网刊]|不构成(?:任何)?投资建议|如有侵权|侵权请).{0,60}
  | (?:本文|文章|内容)(?:首发(?:于|自)|转载自|来自|由.{1,12}(?:原创|授权)).{0,60}
"""
_ALWAYS = re.compile(rf"[\W_]*(?:{_TEASER}|{_CREDIT}|{_NOTICE})", re.X | re.I)
_BRACKETS = re.compile(
    r"[（(【\[]\s?(?:责任编辑|责编|编辑|来源|原标题|图片来源|图源|reporting by|editing by)"
    r"\s?[:：]?[^）)】\]]{0,80}[）)】\]]|（完）",
    re.I,
)
_LONGEST = 400  # characters of a segment that such a pattern can be
_AT_THE_END = re.compile(
    r"\s?(?:\[(?:…|\.{3})\]|\(more…\)|(?:…|\.{3})\s*(?:read more|continue reading|阅读全文|查看全文))\W*$", re.I
)
# What stands before a list of other items. `rest` is what follows on the same line.
_RELATED = re.compile(
    r"""\W*(?:
    (?:related|recommended|suggested|more|most|popular|trending|latest|top|further|also|similar)
      (?:\ (?:stories|story|articles?|posts?|reading|links?|news|coverage|content|read|popular
             |on|from|by|for|in|to|this|you|the|topic|site|us)){1,4}\s?[:：]?
  | (?:related|read\ (?:more|also|next)|see\ also|up\ next)\s?[:：]
  | you\ (?:may|might)\ (?:also\ )?(?:like|enjoy|be\ interested\ in)\W*
  | (?:相关|延伸|扩展|拓展|推荐|热门|更多|往期|精彩)
    (?:阅读|文章|新闻|推荐|链接|报道|回顾|内容|资讯|精彩|专题|精选|帖子){1,2}\s?[:：]?
  | (?:猜你喜欢|你可能(?:还|也)?(?:会)?(?:喜欢|感兴趣)|大家都在看|看了又看)\W*
    )\s*(?P<rest>.*)""",
    re.X | re.I,
)
_SHARING = frozenset({"share", "shares", "tweet", "facebook", "twitter", "linkedin", "whatsapp", "reddit", "telegram"})
_SHARE_WORDS = """
pinterest tumblr pocket instapaper flipboard mastodon
bluesky weibo wechat this on via x threads email e mail print copy link
more to the story article post page with friends your by and or click like loading save pin it opens in new window a
"""
_SHARE_LINE = _SHARING | frozenset(_SHARE_WORDS.split())
_SHARE_ZH = re.compile(
    r"(?=.*(?:分享|转发|点赞|在看))(?:分享|转发|点赞|收藏|在看|评论|微信|微博|新浪|腾讯|朋友圈|空间|好友|扫一扫|一键"
    r"|本文|文章|到|至|给|QQ|[\W_])+",
    re.I,
)


Titles = Mapping[tuple[str, ...], Sequence[list[str]]]  # {first words of titles: the titles, in words, longest first}
NO_TITLES: Titles = {}


@dataclass(frozen=True)
class Repeats:
    """What one source repeats, as keys. `items` is how many it was learned from."""

    items: int = 0
    segments: frozenset[str] = frozenset()
    begins: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    def __or__(self, other: Repeats) -> Repeats:
        """What either knows; of too much, what this one does."""
        return Repeats(
            self.items,
            frozenset([*sorted(self.segments), *sorted(other.segments - self.segments)][:AT_MOST]),
            tuple(dict.fromkeys([*self.begins, *other.begins]))[:AT_MOST],
            tuple(dict.fromkeys([*self.ends, *other.ends]))[:AT_MOST],
        )

    @property
    def lists_titles(self) -> bool:
        """Whether its items name one another."""
        return any(OTHERS in key.split() for key in (*self.segments, *self.begins, *self.ends))

    def to_json(self) -> str:
        return json.dumps([self.items, sorted(self.segments), self.begins, self.ends], ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Repeats:
        items, segments, begins, ends = json.loads(text)
        return Repeats(items, frozenset(segments), tuple(begins), tuple(ends))


def learn(items: Sequence[tuple[str, str]]) -> Repeats:
    """What these items, (title, text) each, of one source repeat; of fewer than FEWEST, nothing.

    >>> titles = "Rust 2 is out", "Zig is stable", "A new Go"
    >>> posts = [(title, f"News of it.\\nPost {title} first seen at E") for title in titles]
    >>> sorted(learn(posts).segments)
    ['news of it', 'post {} first seen at e']
    """
    told = _told_once([(title, text) for title, text in items if text.strip()])
    if len(told) < FEWEST:
        return Repeats(len(items))
    enough, often = (max(FEWEST, share * len(told)) for share in (SHARE, OFTEN))
    titles = index_titles(title for title, _ in told)
    segments: Counter[str] = Counter()
    begins: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    ends: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, (title, text) in enumerate(told):
        read = text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"
        keys = {
            key_of(read[a:b], title, titles)
            for start, end in _lines(read)
            for a, b in {(start, end), *_segments(title, read, start, end)}
        } - {"", SLOT}
        segments.update(keys)
        for key in keys:
            tokens = key.split()
            if head := _head(tokens):
                begins[head].append((number, key))
            if tail := _head(tokens[::-1]):
                ends[tail].append((number, " ".join(tokens[::-1])))
    known = {k for k, n in segments.items() if n >= (enough if _weight(k.split()) >= SHORT else often)}
    return Repeats(
        len(items),
        frozenset(sorted(known, key=lambda key: (-segments[key], key))[:AT_MOST]),
        tuple(_templates(begins, often)[:AT_MOST]),
        tuple(" ".join(reversed(end.split())) for end in _templates(ends, often)[:AT_MOST]),
    )


def leave_out(
    title: str, text: str, known: Repeats, titles: Titles = NO_TITLES, asides: Sequence[str] = ()
) -> tuple[LeftOut, ...]:
    """The places of a text that say nothing of the item, in order.

    `titles` are those of the source (`index_titles`). `asides` are pieces of the text in their order (code, tables,
    captions) that are left out while there is other text.

    >>> text = "Zig is out. Read more\\nShare this on Facebook"
    >>> said(text, leave_out("Zig", text, Repeats()))
    'Zig is out.'
    """
    out, own, related = [], _tokens(title), False
    for start, end in _lines(text):
        label = _label(text[start:end])
        if label is not None and not label:
            related = True
            out.append((start, end))
        elif (related and end - start <= LINK and text[end - 1] not in ".。") or (
            key_of(text[start:end], title, titles) in known.segments
        ):
            out.append((start, end))
        else:
            related = False
            for a, b in _segments(title, text, start, end):
                if _label(text[a:end]):
                    out.append((a, end))
                    break
                out += [(a + c, a + d) for c, d in _repeated(text[a:b], own, known, titles)]
    left = [LeftOut(a, b, True) for a, b in _joined(out, text)]
    beside = [LeftOut(a, b, False) for a, b in _places(asides, text)]
    prose = said(text, [*left, *beside]) if beside else ""
    return tuple(sorted([*left, *beside], key=lambda one: one.start) if _weight(_tokens(prose)) >= PROSE else left)


def said(text: str, left: Iterable[LeftOut]) -> str:
    """The text without what is left out: one line per block, single spaces.

    >>> said("One. Two. Three.", [LeftOut(5, 9, True)])
    'One. Three.'
    """
    places = _joined(sorted((one.start, one.end) for one in left), text)
    if not places:
        return text
    edges = [0, *(edge for place in places for edge in place), len(text)]
    kept = "".join(text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    return "\n".join(spaced for line in kept.split("\n") if (spaced := " ".join(line.split())))


def key_of(text: str, title: str = "", titles: Titles = NO_TITLES) -> str:
    """What a text is compared by; slots stand for the `title` and for the `titles` of other items.

    >>> key_of("The post “Rust 2” is from 2026.", "Rust 2"), key_of("金价 1910.5 +0.3%")
    ('the post {} is from 2026', '金 价 0 0 0 0')
    """
    return " ".join(token for token, _, _ in _slotted(text, _tokens(title), titles))


Place = tuple[int, int]


def index_titles(titles: Iterable[str]) -> Titles:
    """The titles of a source, so that they are found in texts; those that are too short to tell are left out."""
    index: defaultdict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for words in sorted({tuple(_tokens(title)) for title in titles}, key=lambda words: (-len(words), words)):
        if len(words) >= FIRST and _weight(words) >= LIST:
            index[words[:FIRST]].append(list(words))
    return dict(index)


def _told_once(items: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the later versions of a story: the same twice or, among few items, titles that share two of three words.

    Titles that differ by a number alone ("Open thread 7") are of several stories.
    """
    items = list({(key_of(title), text): (title, text) for title, text in items}.values())
    if len(items) >= FEW_ITEMS:
        return items
    kept: list[tuple[str, str]] = []
    seen: list[frozenset[str]] = []
    for title, text in items:
        told = frozenset(token for token in _tokens(title) if not token.isdigit())
        if not any(told != other and len(told & other) * 3 >= len(told | other) * 2 for other in seen):
            kept.append((title, text))
            seen.append(told)
    return kept


def _templates(groups: dict[str, list[tuple[int, str]]], most: float) -> list[str]:
    """Of keys by how they begin: what so many items' have in common at the beginning, as long as it can be."""
    out = []
    for head in sorted(groups):
        pairs = groups[head]
        while len({number for number, _ in pairs}) >= most:
            found, longer = head, defaultdict(list)
            for number, key in pairs:
                if len(key) > len(head):
                    longer[head + key[len(head) :].split(" ", 2)[1].join((" ", ""))].append((number, key))
            head, pairs = max(longer.items(), key=lambda one: (len(one[1]), one[0]), default=("", []))
            if len({number for number, _ in pairs}) < most:
                out.append(found)
                break
    return out


def _head(tokens: Sequence[str]) -> str:
    """The first tokens, as many as a template has at least; empty when there are fewer."""
    weight = 0
    for place, token in enumerate(tokens, 1):
        weight += _weight([token])
        if weight >= TEMPLATE:
            return " ".join(tokens[:place])
    return ""


def _repeated(piece: str, own: list[str], known: Repeats, titles: Titles) -> list[Place]:
    """The places of one segment that say nothing."""
    whole = [(0, len(piece))]
    if not _WORDS.search(piece):
        return [match.span() for match in _AT_THE_END.finditer(piece)]
    if len(piece) <= _LONGEST and (_ALWAYS.fullmatch(piece) or _is_share_line(piece)):
        return whole
    tokens = _slotted(piece, own, titles)
    key = " ".join(token for token, _, _ in tokens)
    if key in known.segments:
        return whole
    padded = f"{key} "
    first = max((len(begin.split()) for begin in known.begins if padded.startswith(f"{begin} ")), default=0)
    padded = f" {key}"
    last = len(tokens) - max((len(end.split()) for end in known.ends if padded.endswith(f" {end}")), default=0)
    if first == 0 and last == len(tokens):
        return [
            *(match.span() for match in _BRACKETS.finditer(piece)),
            *(m.span() for m in _AT_THE_END.finditer(piece)),
        ]
    rest = [token for token, _, _ in tokens[first:last]]
    if len(rest) == 1 and rest[0].isdigit():  # "Note 7": another one than "Note 8"
        return []
    if _weight(rest) <= SHORT or set(rest) <= {*own, SLOT, OTHERS}:
        return whole
    return [(0, tokens[first][1])] * (first > 0) + [(tokens[last - 1][2], len(piece))] * (last < len(tokens))


def _label(line: str) -> str | None:
    """What follows "Related:" or the like; empty when that stands alone, None when the line does not begin so."""
    found = _RELATED.fullmatch(line) if len(line) <= _LONGEST else None
    if found and (not found["rest"] or line[: found.start("rest")].rstrip()[-1:] in _COLONS):
        return found["rest"]
    return None


def _is_share_line(piece: str) -> bool:
    """Whether it only asks to be shared; a name alone, such as Facebook, is no such line."""
    tokens = _tokens(piece)
    english = len(tokens) > 1 and not _SHARING.isdisjoint(tokens) and _SHARE_LINE.issuperset(tokens)
    return english or _SHARE_ZH.fullmatch(piece) is not None


def _slotted(text: str, title: list[str], titles: Titles) -> list[tuple[str, int, int]]:
    """Token, start and end. One token, SLOT, is where the title stands, or its beginning; one, OTHERS, where titles of
    other items do; and 0 is each number where there are many."""
    found = [(_compared(match.group()), *match.span()) for match in _TOKEN.finditer(text)]
    words = [word for word, _, _ in found]
    out: list[tuple[str, int, int]] = []
    at = 0
    while at < len(found):
        start = found[at][1]
        if length := _own(words, at, title):
            out.append((SLOT, start, found[at + length - 1][2]))
        elif length := _other(words, at, titles):
            if out and out[-1][0] == OTHERS:
                start = out.pop()[1]
            out.append((OTHERS, start, found[at + length - 1][2]))
        else:
            out.append(found[at])
        at += length or 1
    if FIGURES * sum(token.isdigit() for token, _, _ in out) >= len(out):
        return [("0" if token.isdigit() else token, start, end) for token, start, end in out]
    return out


def _own(words: list[str], at: int, title: list[str]) -> int:
    """How many words from there on are the title's, or its beginning."""
    length = 0
    while length < len(title) and words[at + length : at + length + 1] == title[length : length + 1]:
        length += 1
    is_cut = at + length == len(words) - 1 and length < len(title) and title[length].startswith(words[-1])
    enough = TITLE if length == len(title) or is_cut else LIST
    return length + is_cut if length and _weight(title[:length]) >= enough else 0


def _other(words: list[str], at: int, titles: Titles) -> int:
    """How many words from there on are a title of another item."""
    known = titles.get(tuple(words[at : at + FIRST]), ()) if titles else ()
    return next((len(title) for title in known if words[at : at + len(title)] == title), 0)


@lru_cache(maxsize=100_000)
def _compared(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


def _tokens(text: str) -> list[str]:
    return [_compared(match.group()) for match in _TOKEN.finditer(text)]


def _weight(tokens: Iterable[str]) -> int:
    return sum(0 if token in (SLOT, OTHERS) else 1 if _IS_CJK.match(token) else 2 for token in tokens)


def _lines(text: str) -> list[Place]:
    return [match.span() for match in _LINE.finditer(text)]


def _segments(title: str, text: str, start: int, end: int) -> list[Place]:
    """The sentences of a line, none of which ends within the item's own title."""
    ends = [match.end() for match in _END.finditer(text, start, end)]
    at = text.find(title, start, end) if title and ends else -1
    while at >= 0:
        ends = [one for one in ends if not at < one < at + len(title)]
        at = text.find(title, at + len(title), end)
    edges = [start, *(one for one in ends if start < one < end), end]
    return list(itertools.pairwise(edges))


def _places(pieces: Sequence[str], text: str) -> list[Place]:
    """Where the pieces stand, one after the other; what is not found is passed over."""
    out, at = [], 0
    for piece in pieces:
        start = text.find(piece, at) if piece else -1
        if start >= 0:
            at = start + len(piece)
            out.append((start, at))
    return out


def _joined(places: Iterable[Place], text: str) -> list[Place]:
    """Places in order, as one where they overlap or nothing but marks stands between them; such marks at both ends of
    the text go with them."""
    out: list[Place] = []
    for start, end in places:
        if _WORDS.search(text, out[-1][1] if out else 0, start):
            out.append((start, end))
        else:
            out[-1:] = [(out[-1][0] if out else 0, max(end, out[-1][1] if out else 0))]
    if out and not _WORDS.search(text, out[-1][1]):
        out[-1] = (out[-1][0], len(text))
    return out
