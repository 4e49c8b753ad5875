"""Text to words: the terms that search and the ranking count.

Latin-script words are lower-cased and stemmed (Snowball English), stop words left out. Runs of Han, kana and
Hangul become overlapping bigrams, the usual index unit for languages written without spaces
(Nie, Gao, Zhang & Zhou 2000, "On the use of words and n-grams for Chinese information retrieval").
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from zlib import crc32

import numpy as np
import snowballstemmer

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)?")
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


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word))


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
        if _IS_CJK.match(token):
            out += bigrams(token)
        else:
            token = token.removesuffix("'s").removesuffix("’s")
            if token not in STOP:
                out.append(_stem(token))
    return out


def spans(text: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """Where the terms stand: (start, end, terms) of each word or CJK character run in the text.

    >>> spans("Rust 编译")
    [(0, 4, ('rust',)), (5, 7, ('编译',))]
    """
    return [(m.start(), m.end(), tuple(words(m.group()))) for m in _TOKEN.finditer(text)]


def term_id(term: str) -> int:
    """A term's 32-bit id (CRC-32 of its UTF-8): stable over processes and machines."""
    return crc32(term.encode())


COUNTS = np.dtype([("id", "<u4"), ("count", "<u2")])


def count_terms(text: str, title: str = "") -> np.ndarray:
    """Term counts of an item as a record array (COUNTS) sorted by id; a title's words count double.

    >>> count_terms("to compile compilers")["count"].tolist()
    [2]
    """
    counts = Counter(map(term_id, words(text)))
    for term in words(title):
        counts[term_id(term)] += 2
    pairs = sorted(counts.items())
    out = np.zeros(len(pairs), COUNTS)
    if pairs:
        out["id"], out["count"] = np.array(pairs, dtype=np.int64).clip(max=(2**32 - 1, 65535)).T
    return out
