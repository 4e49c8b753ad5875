"""A small model with random weights, in the files of sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path

import torch

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "rates", "rise", "the", "bank", "cut", "of", "words", "query", ":"]


def make_model(folder: Path, kind: str = "bert", pooling: dict[str, object] | None = None) -> Path:
    """A model folder as sentence-transformers saves it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, DistilBertConfig, PreTrainedTokenizerFast

    torch.manual_seed(1)
    words = ["[UNK]", "[PAD]", *VOCABULARY[2:]] if "roberta" in kind else VOCABULARY
    if kind == "distilbert":
        config = DistilBertConfig(
            vocab_size=13, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=24
        )
    else:
        config = AutoConfig.for_model(
            kind,
            vocab_size=13,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=24,
            initializer_range=0.5,
            pad_token_id=words.index("[PAD]"),
        )
    model = AutoModel.from_config(config)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=24
    ).save_pretrained(folder)
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [{"path": p, "type": f"st.{k}"} for p, k in zip(["", "1_Pooling", "2_Normalize"], kinds, strict=True)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling or {"pooling_mode": "mean"}))
    return folder
