"""What says nothing in any source: patterns of teasers, credits, notices, share lines, labels of related items."""

from __future__ import annotations

import re

from attention_filter.segments import tokens_of

_COLONS = (":", "：")
# Each matches a whole segment; lists of words are kept short and plain on purpose.
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
    (?:\ credits?|\ source|\ courtesy|\ by|\ captions?)?\s?[:：©].{0,80}
  | (?:additional\ )?(?:reporting|writing|editing|compiled|submitted)\ by\ .{0,120}
  | (?:words|reporter|editor|author)\s?:\ .{0,40}
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
BRACKETS = re.compile(
    r"[（(【\[]\s?(?:责任编辑|责编|编辑|来源|原标题|图片来源|图源|reporting by|editing by)"
    r"\s?[:：]?[^）)】\]]{0,80}[）)】\]]|（完）",
    re.I,
)
_LONGEST = 400  # characters of a segment that such a pattern can be
AT_THE_END = re.compile(
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
_HINT = re.compile(
    r"\b(?:related|more|also|miss|missed|next|trending|popular|recommended|suggested|latest|recent|top|hot|elsewhere"
    r"|explor\w+|archives?|choice|picks?|readers|likes?)\b"
    r"|[推热榜]|更 多|相 关|延 伸|阅 读|往 期|精 [选彩]|在 看|喜 欢|感 兴 趣"
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


def label_of(line: str) -> str | None:
    """What follows "Related:" or the like; empty when that stands alone, None when the line does not begin so."""
    found = _RELATED.fullmatch(line) if len(line) <= _LONGEST else None
    if found and (not found["rest"] or line[: found.start("rest")].rstrip()[-1:] in _COLONS):
        return found["rest"]
    return None


def hints_at_others(key: str) -> bool:
    """Whether a key has a word with which a list of other items is announced.

    >>> hints_at_others("don't miss"), hints_at_others("ingredients")
    (True, False)
    """
    return _HINT.search(key) is not None


def says_nothing(piece: str) -> bool:
    """Whether a whole segment is what says nothing in any source."""
    return len(piece) <= _LONGEST and (_ALWAYS.fullmatch(piece) is not None or _is_share_line(piece))


def _is_share_line(piece: str) -> bool:
    """Whether it only asks to be shared; a name alone, such as Facebook, is no such line."""
    tokens = tokens_of(piece)
    english = len(tokens) > 1 and not _SHARING.isdisjoint(tokens) and _SHARE_LINE.issuperset(tokens)
    return english or _SHARE_ZH.fullmatch(piece) is not None
