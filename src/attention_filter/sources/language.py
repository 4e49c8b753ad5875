"""Which language a text is in: the script decides where it can, byte n-grams elsewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_CODES = "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it lt lv nl no pl pt ro ru sk sl sr sv th tr uk vi"
LANGUAGES = frozenset(_CODES.split())
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\u1100-\u11ff\uac00-\ud7af]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LETTER = re.compile(r"[^\W\d_]")
_ENGLISH = re.compile(r"\b(?:the|and|that|with|from|for|was|are|this|which|have)\b", re.I)
_SURE = 0.5  # normalised probability among LANGUAGES
_ADDRESS = re.compile(r"\S*(?:://|@|www\.)\S*")


def detect_language(text: str, hint: str | None = None) -> str:
    """ISO 639-1 code of the language of a text, by its first 200 characters; `hint` decides when they do not.

    Script first (kana: ja, Hangul: ko, other Han: zh), then byte n-grams (py3langid; Lui & Baldwin 2011)
    among LANGUAGES. "und" when the text is short or fits several.

    >>> detect_language("今日は良い天気です"), detect_language("今天天气很好"), detect_language("42")
    ('ja', 'zh', 'und')
    """
    start = _ADDRESS.sub(" ", text[:500])[:200]
    letters = len(_LETTER.findall(start))
    fallback = _language_code(hint)
    if not start.isascii():
        kana, hangul, han = (len(script.findall(start)) for script in (_KANA, _HANGUL, _HAN))
        if (kana + hangul + han) * 5 >= max(letters, 5):
            if hangul >= max(kana, han):
                return "ko"
            return "ja" if kana * 10 >= han else "zh"
    if letters < 8:
        return fallback
    # "the" and two more of these in plain ASCII are English in no need of a model, which takes ten times as long.
    if start.isascii() and "the" in (seen := {word.lower() for word in _ENGLISH.findall(start)}) and len(seen) > 2:
        return "en"
    language, probability = _identifier().classify(start)
    return str(language) if probability >= _SURE else fallback


def _language_code(hint: str | None) -> str:
    code = re.split(r"[-_]", (hint or "").strip().lower())[0]
    return code if re.fullmatch("[a-z]{2}", code) else "und"


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    import numpy as np  # here, with the identifier: loading the two takes about a second
    from py3langid.langid import LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
    identifier.set_languages(LANGUAGES)
    identifier.nb_ptc = np.ascontiguousarray(identifier.nb_ptc)  # rows are gathered for every text
    return identifier
