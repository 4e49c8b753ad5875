"""Any sentence-transformers model, by folder or hub name: small real ones, made here with random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from attention_filter.errors import ModelError
from attention_filter.models.bert import load_trainable
from attention_filter.models.encoder import load_encoder
from tests.models.made import make_model

TEXTS = ["rates rise", "the bank cut rates", "rates", "unknown words the bank of the bank cut"]


def by_hand(folder: Path, pooling: str = "mean") -> np.ndarray:
    """Each text alone through plain transformers, pooled and normalised here."""
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        with torch.inference_mode():
            states = model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0].numpy()
        row = states.mean(0) if pooling == "mean" else states[0]
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "distilbert"])
def test_vectors_equal_a_hand_written_mean_pool(tmp_path: Path, kind: str) -> None:
    folder = make_model(tmp_path / "model", kind)
    encoder = load_encoder(str(folder))
    np.testing.assert_allclose(encoder.encode(TEXTS), by_hand(folder), atol=1e-5)
    tokens, maps = encoder.attention(TEXTS[1])
    assert tokens[1:3] == ["the", "bank"]
    np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)
    assert maps.shape == (2, 4, 6, 6)
    states = encoder.token_states(TEXTS[1])
    assert states.spans == [(0, 0), (0, 3), (4, 8), (9, 12), (13, 18), (0, 0)]
    mean = states.states.mean(0)
    np.testing.assert_allclose(mean / np.linalg.norm(mean), encoder.encode([TEXTS[1]])[0], atol=1e-5)


def test_first_token_pooling_in_the_older_form_of_the_file(tmp_path: Path) -> None:
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "include_prompt": True}
    folder = make_model(tmp_path / "model", pooling=pooling)
    encoder = load_encoder(str(folder))
    np.testing.assert_allclose(encoder.encode(TEXTS), by_hand(folder, "cls"), atol=1e-5)
    with pytest.raises(ModelError, match="does not pool by the mean"):
        encoder.token_states("rates")


def test_the_default_prompt_stands_before_each_text(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    plain = load_encoder(str(folder)).encode(["query : rates"])
    prompts = {"prompts": {"q": "query : "}, "default_prompt_name": "q"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    prompted = load_encoder(str(folder))
    np.testing.assert_allclose(prompted.encode(["rates"]), plain, atol=1e-6)
    assert prompted.token_states("rates").spans == [(0, 0), (0, 0), (0, 0), (0, 5), (0, 0)]


def test_an_e5_model_gets_its_prefix_by_its_name(tmp_path: Path) -> None:
    assert load_encoder(str(make_model(tmp_path / "some-e5-tiny"))).prefix == "query: "
    assert load_encoder(str(make_model(tmp_path / "base5"))).prefix == ""


@pytest.mark.parametrize(("kind", "most"), [("bert", 24), ("xlm-roberta", 22)])
def test_a_long_text_stops_at_the_models_limit(tmp_path: Path, kind: str, most: int) -> None:
    folder = make_model(tmp_path / "model", kind)
    assert len(load_encoder(str(folder)).token_states("rates " * 99).states) == most
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    assert len(load_encoder(str(folder)).token_states("rates " * 99).states) == 8


def test_other_weights_are_another_id(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    first = load_encoder(str(folder))
    assert first.id.startswith("model@")
    assert load_encoder(str(folder)).id == first.id
    assert load_encoder(str(folder), "bfloat16").id != first.id
    weights = folder / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert load_encoder(str(folder)).id != first.id


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_any_bert_model_can_be_rounded(tmp_path: Path, precision: str, kind: str) -> None:
    folder = make_model(tmp_path / "model", kind)
    rounded = load_encoder(str(folder), precision).encode(TEXTS)  # type: ignore[arg-type]
    assert (rounded * by_hand(folder)).sum(1).min() > 0.98


def test_int8_of_another_architecture_is_refused_in_one_line(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", "distilbert")
    with pytest.raises(ModelError, match="use float32 or bfloat16"):
        load_encoder(str(folder), "int8")
    assert load_encoder(str(folder), "bfloat16").encode(TEXTS).shape == (4, 32)


def broken(folder: Path, how: str) -> None:
    if how == "pickled":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif how == "cut":
        (folder / "model.safetensors").write_bytes(b"x" * 100)
    elif how == "dense":
        (folder / "modules.json").write_text('[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]')
    elif how == "max pooling":
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    elif how == "no tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif how == "bad json":
        (folder / "modules.json").write_text("{")


@pytest.mark.parametrize("how", ["pickled", "cut", "dense", "max pooling", "no tokenizer", "bad json"])
def test_a_model_that_does_not_fit_is_one_line(tmp_path: Path, how: str) -> None:
    folder = make_model(tmp_path / "model")
    broken(folder, how)
    with pytest.raises(ModelError) as caught:
        load_encoder(str(folder))
    assert "\n" not in str(caught.value)
    assert "model" in str(caught.value)


def test_a_hub_without_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(name: str, **_: object) -> str:
        raise ConnectionError(f"cannot reach the hub for {name}\nmany\nlines")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(ModelError, match="sentence-transformers/tiny cannot be fetched") as caught:
        load_encoder("tiny")
    assert "\n" not in str(caught.value)


def test_a_hub_name_is_fetched_without_pickles_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "model")
    asked: dict[str, object] = {}

    def fetch(name: str, **arguments: object) -> str:
        asked.update(arguments, name=name)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert load_encoder("owner/tiny").id.startswith("tiny@")
    assert asked["name"] == "owner/tiny"
    assert not {"*.bin", "*.py", "*"} & set(asked["allow_patterns"])  # type: ignore[call-overload]


def test_a_model_can_come_in_an_installed_package_whose_code_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "small_model_in_a_package"
    folder = make_model(package / "weights")
    (package / "__init__.py").write_text("raise RuntimeError('was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    np.testing.assert_array_equal(load_encoder(package.name).encode(TEXTS), load_encoder(str(folder)).encode(TEXTS))
    assert package.name not in sys.modules


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_to_be_trained_it_says_the_same_and_its_word_table_does_not_learn(tmp_path: Path, kind: str) -> None:
    folder = make_model(tmp_path / "model", kind, {"pooling_mode": "cls"})  # how it pools does not matter
    model, tokenizer, prefix = load_trainable(str(folder), dropout=0.1)
    model.eval()
    means = [model(torch.tensor([tokenizer.encode(prefix + text).ids])).mean(1)[0] for text in TEXTS]
    vectors = torch.nn.functional.normalize(torch.stack(means), dim=1).detach()
    np.testing.assert_allclose(vectors, by_hand(folder), atol=1e-5)
    still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert still == {"embedding.words.weight"}


def test_what_cannot_be_trained_here_is_said_in_one_line(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", "distilbert")
    with pytest.raises(ModelError, match="cannot be tuned; a probe reads it"):
        load_trainable(str(folder), dropout=0.1)
