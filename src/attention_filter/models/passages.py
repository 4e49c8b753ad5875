"""What of a long item is worth reading: its title, its lead, and the sentences that say most of it.

A sentence's worth is how well its words match those of the whole item (the cosine of log-damped word counts with
their sum, the title counting double), as in centroid summarisation (Radev et al. 2004), with a bonus that fades
with the sentence's place, since news puts first what matters (Edmundson 1969). Pure and without a model:
the same item gives the same passage everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from math import ceil, log1p, sqrt

from attention_filter.words import CJK, words

# Over Reuters texts of 300 to 1,500 characters (217 tokens in the mean) the passage's vector keeps a centred cosine
# to the whole text's of .85 at 96, .89 at 128, .94 at 192, .97 at 256 (benchmarks/encode.py --passages).
BUDGET = 192  # tokens, about
_LEAD = 0.5  # of the budget: the part that the first sentences take without a contest
_PLACE = 0.5  # the first sentence's bonus, in units of the best score; it falls off as 1 / (1 + place)
_LONGEST = 20_000  # characters looked at; what follows never decides what an item is about

# A sentence ends behind 。！？… at once, and behind . ! ? when white space and no small letter follow.
_END = re.compile(r"(?<=[。！？…])[”’」』）]*|(?<=[.!?])[\"'”’)\]]*\s+(?![a-z])|\n+")
_NOT_AN_END = re.compile(r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Inc|Ltd|Corp|Co|No|vs|etc|e\.g|i\.e|U\.S|U\.K))\.$")
_STOPS = ".!?。！？… "
_PIECE = re.compile(rf"(?P<cjk>[{CJK}])|[^\W\d_{CJK}]{{1,5}}|\d{{1,2}}|[^\w\s]")
_CJK_TOKENS = 2 / 3  # to a character


def tokens(text: str) -> int:
    """About how many tokens the encoder needs: one for five letters or two digits, two for three Han characters.

    >>> tokens("Coffee prices"), tokens("人工智能")
    (4, 3)
    """
    return ceil(sum(_CJK_TOKENS if piece["cjk"] else 1.0 for piece in _PIECE.finditer(text)))


def sentences(text: str) -> list[str]:
    """The sentences of an English, Chinese or mixed text, in order, without the space around them.

    >>> sentences("Dr. Li paid 3.5 mln dlrs. Why? 他说：“好。”然后走了！")
    ['Dr. Li paid 3.5 mln dlrs.', 'Why?', '他说：“好。”', '然后走了！']
    """
    out, start = [], 0
    for end in _END.finditer(text):
        piece = text[start : end.end()].strip()
        if not piece or (_NOT_AN_END.search(piece) and "\n" not in end.group()):
            continue
        out.append(piece)
        start = end.end()
    return out + ([rest] if (rest := text[start:].strip()) else [])


def passage(title: str, text: str, budget: int = BUDGET) -> str:
    """The title, the lead and the best other sentences, in their order, within about `budget` tokens.

    A text that fits comes back whole. The title always stays, cut only when it alone is over the budget.

    >>> text = "The release is out. It was a sunny day in June. The Rust release has a new compiler."
    >>> passage("Rust 2", text, 22)
    'Rust 2. The release is out. The Rust release has a new compiler.'
    """
    title = _cut(" ".join(title.split()), budget)
    left = budget - tokens(title)
    found = sentences(text[:_LONGEST])
    if found and found[0].rstrip(_STOPS) == title.rstrip(_STOPS):  # feeds often begin the text with the title
        found = found[1:]
    chosen = _choose(title, found, left)
    if not chosen and found and left > 0:
        return _join(title, [_cut(found[0], left)])
    return _join(title, [found[i] for i in sorted(chosen)])


def _choose(title: str, found: list[str], left: int) -> set[int]:
    """Which sentences: the lead as far as its share goes, then by worth while there is room."""
    sizes = [tokens(sentence) for sentence in found]
    if sum(sizes) <= left:
        return set(range(len(found)))
    chosen: set[int] = set()
    lead = left * _LEAD
    for place, size in enumerate(sizes):
        if size > lead:
            break
        chosen.add(place)
        lead, left = lead - size, left - size
    worth = _worth(title, found)
    for place in sorted(range(len(found)), key=lambda i: (-worth[i], i)):
        if place not in chosen and sizes[place] <= left:
            chosen.add(place)
            left -= sizes[place]
    return chosen


def _worth(title: str, found: list[str]) -> list[float]:
    """Each sentence's cosine with the whole item's words, plus its place's bonus."""
    counts = [Counter(words(sentence)) for sentence in found]
    whole: Counter[str] = Counter()
    for one in [*counts, Counter(words(title)), Counter(words(title))]:
        whole.update(one)
    weight = {term: log1p(count) for term, count in whole.items()}
    cosines = []
    for one in counts:
        length = sqrt(sum(count * count for count in one.values()))
        cosines.append(sum(count * weight[term] for term, count in one.items()) / length if length else 0.0)
    best = max(cosines) or 1.0
    return [cosine / best + _PLACE / (1 + place) for place, cosine in enumerate(cosines)]


def _cut(text: str, budget: int) -> str:
    """As much of a text's beginning as the budget holds, whole words where it can be."""
    used, end = 0.0, 0
    for piece in _PIECE.finditer(text):
        used += _CJK_TOKENS if piece["cjk"] else 1.0
        if used > budget:
            break
        end = piece.end()
    else:
        return text
    head = text[:end]
    if text[end:] and not text[end].isspace() and not piece["cjk"] and " " in head:
        head = head[: head.rindex(" ")]
    return head


def _join(title: str, chosen: list[str]) -> str:
    if title and chosen and title[-1] not in _STOPS:
        title += "。" if re.search(rf"[{CJK}]$", title) else "."
    return " ".join([title, *chosen]).strip()
