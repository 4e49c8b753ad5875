"""Tokenizers learned from one's own texts, by the `tokenizers` library: BPE, Unigram, or characters.

All begin with the same four marks, so that a `transformer.Config` fits each: [PAD] 0, [START] 1, [END] 2, [UNKNOWN] 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attention_filter.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARKS = ("[PAD]", "[START]", "[END]", "[UNKNOWN]")
Kind = Literal["bpe", "unigram", "characters"]


def learn_vocabulary(texts: Iterable[str], kind: Kind = "bpe", size: int = 8000) -> Tokenizer:
    """A tokenizer of at most `size` pieces, lower case kept, Unicode composed (NFKC). DataError without any text.

    >>> tokenizer = learn_vocabulary(["人工智能 learns", "人工智能"], "characters")
    >>> tokenizer.encode("人工!").ids[0], tokenizer.decode(tokenizer.encode("人工智能 learns").ids)
    (1, '人工智能 learns')
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    some = [text for text in texts if text.strip()]
    if not some:
        raise DataError("no text to learn a vocabulary from")
    if kind == "characters":
        return _characters(some, size)
    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE(unk_token=MARKS[3]))
        trainer: Any = trainers.BpeTrainer(vocab_size=size, special_tokens=list(MARKS), show_progress=False)
    else:
        tokenizer = Tokenizer(models.Unigram())
        trainer = trainers.UnigramTrainer(
            vocab_size=size, special_tokens=list(MARKS), unk_token=MARKS[3], show_progress=False
        )
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(some, trainer)
    return _marked(tokenizer)


def lines_of(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of text files, to learn from. DataError that names a file that cannot be read."""
    for path in paths:
        try:
            with path.open(encoding="utf-8") as lines:
                yield from (line.rstrip("\n") for line in lines)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def _characters(texts: list[str], size: int) -> Tokenizer:
    """One piece a character, the most frequent first."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    composed = normalizers.NFKC()
    counts = Counter(char for text in texts for char in composed.normalize_str(text))
    most = sorted(counts, key=lambda char: (-counts[char], char))[: max(size - len(MARKS), 1)]
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate([*MARKS, *most])}, unk_token=MARKS[3]))
    tokenizer.normalizer = composed
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return _marked(tokenizer)


def _marked(tokenizer: Tokenizer) -> Tokenizer:
    from tokenizers import processors

    tokenizer.add_special_tokens(list(MARKS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{MARKS[1]} $A {MARKS[2]}", special_tokens=[(MARKS[1], 1), (MARKS[2], 2)]
    )
    return tokenizer
