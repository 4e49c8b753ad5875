"""Text to words: the terms that search and the ranking count.

Latin-script words are lower-cased and stemmed (Snowball English), stop words left out. Runs of Han, kana and
Hangul become overlapping bigrams, the usual index unit for languages written without spaces
(Nie, Gao, Zhang & Zhou 2000, "On the use of words and n-grams for Chinese information retrieval").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

import numpy as np
import snowballstemmer

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)?")
_FIRST_CJK = CJK[0]  # most tokens stand before it, which is quicker to see than a match
_IS_CJK = re.compile(rf"[{CJK}]")
_stemmer = snowballstemmer.stemmer("english")

_STOP_WORDS = """
a about after all also am an and any are as at be because been before being both but by can could did do
does doing down during each few for from further had has have having he her here hers him his how i if in
into is it it's its just me more most my no nor not now of off on once only or other our out over own said
same she should so some such than that the their them then there these they this those through to too
under until up us very was we were what when where which while who whom why will with would you your
"""
STOP = frozenset(_STOP_WORDS.split())

# Words that are searched for but that no interest is about: greetings, numbers, days, what any text says of itself.
_IDLE_WORDS = """
hello hi hey dear thanks thank please welcome everyone everybody sorry yes okay bye goodbye cheers
one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand
today tomorrow yesterday tonight week month year day monday tuesday wednesday thursday friday saturday sunday
says say told tell asked ask still yet ever never already always often again back much many lot really quite
get got go going goes went come came make made makes take took see look know think want need thing way via per
"""
_IDLE_PAIRS = """
你好 您好 大家 家好 谢谢 欢迎 各位 今天 昨天 明天 近日 日前 目前 现在 以来 时候 之后 之前 我们 他们 你们 她们
自己 这个 那个 这些 那些 这样 那样 这里 那里 一个 一些 一种 一下 一次 什么 怎么 如何 因为 所以 但是 如果 虽然
已经 还是 或者 以及 并且 而且 不过 其中 对于 关于 通过 由于 同时 此外 没有 可以 就是 不是 都是 也是 非常 更多
很多 许多 起来 出来 进行 表示 认为 记者 报道
"""


@lru_cache(maxsize=100_000)
def _term(word: str) -> str:
    """The term of a lower-case word that is not CJK; empty for a stop word."""
    word = word.removesuffix("'s").removesuffix("’s")
    return "" if word in STOP else str(_stemmer.stemWord(word))


def bigrams(run: str) -> list[str]:
    """Overlapping pairs of a run of CJK characters; a single character stays itself.

    >>> bigrams("人工智能")
    ['人工', '工智', '智能']
    """
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def words(text: str) -> list[str]:
    """The terms of a text, in order.

    >>> words("Rust's compilers 编译器, the new 2.0")
    ['rust', 'compil', '编译', '译器', 'new', '2', '0']
    """
    out: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        if token < _FIRST_CJK or not _IS_CJK.match(token):
            if term := _term(token):
                out.append(term)
        else:
            out += bigrams(token)
    return out


def occurrences(text: str) -> list[tuple[int, int, str]]:
    """Where each term stands: (start, end, term), bigrams of CJK text overlapping.

    >>> occurrences("Rust 编译器")
    [(0, 4, 'rust'), (5, 7, '编译'), (6, 8, '译器')]
    """
    out = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        terms = words(match.group())
        if _IS_CJK.match(match.group()):
            out += [(start + i, min(start + i + 2, end), term) for i, term in enumerate(terms)]
        else:
            out += [(start, end, term) for term in terms]
    return out


def units(text: str, cuts: Iterable[int] = ()) -> list[tuple[int, int]]:
    """What a person would call words: (start, end) of each. CJK runs are cut at the given positions.

    >>> units("Rust 编译器", cuts=[7])
    [(0, 4), (5, 7), (7, 8)]
    """
    wanted = sorted(set(cuts))
    out = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        inner = [c for c in wanted if start < c < end] if _IS_CJK.match(match.group()) else []
        edges = [start, *inner, end]
        out += list(itertools.pairwise(edges))
    return out


def idle_terms() -> frozenset[str]:
    """The terms that no interest is about.

    >>> {"hello", "twenti", "大家", "家好"} <= idle_terms(), "rust" in idle_terms()
    (True, False)
    """
    return frozenset(term for word in (*_IDLE_WORDS.split(), *_IDLE_PAIRS.split()) for term in words(word))


def term_id(term: str) -> int:
    """A term's 32-bit id (CRC-32 of its UTF-8): stable over processes and machines."""
    return crc32(term.encode())


COUNTS = np.dtype([("id", "<u4"), ("count", "<u2")])


def count_terms(text: str, title: str = "") -> np.ndarray:
    """Term counts of an item as a record array (COUNTS) sorted by id; a title's words count double.

    >>> count_terms("to compile compilers")["count"].tolist()
    [2]
    """
    # Of all that storing an item takes this is the longest part, so it is done on arrays.
    terms = words(text) + 2 * words(title)
    ids = np.fromiter(map(crc32, map(str.encode, terms)), np.uint32, len(terms))  # term_id of each
    found, counts = np.unique(ids, return_counts=True)
    out = np.zeros(len(found), COUNTS)
    out["id"], out["count"] = found, counts.clip(max=65535)
    return out
