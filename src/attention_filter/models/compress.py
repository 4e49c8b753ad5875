"""Smaller encoders out of larger ones: heads and feed-forward units taken out, layers left out, weights rounded.

What is taken out is taken out whole, so that the matrices, the file and the time of a text shrink with it
("structured" pruning; Li et al. 2017, "Pruning filters for efficient ConvNets"):

    unit i of a feed-forward layer    ‖W₁[i, :]‖ · ‖W₂[:, i]‖           what it can add to the state
    head h                            ‖W_V[h]‖ · ‖W_O[:, h]‖

The smallest of each layer go. A product of norms, not a norm: a unit may be scaled up on one side and down on the
other without doing anything else. The result has to be trained again, or it is worth little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from attention_filter.errors import ModelError
from attention_filter.models.packed import Precision
from attention_filter.models.transformer import Config, TextEncoder

State = Mapping[str, Tensor]
_SCALE = ".scale"  # after the name of a weight that is kept in int8: one number an output


def prune(encoder: TextEncoder, *, heads: int, wide: int) -> TextEncoder:
    """The encoder with the `heads` heads and `wide` feed-forward units of each layer whose weights are largest.

    >>> small = prune(TextEncoder(Config(vocabulary=9, dim=8, heads=4, layers=1, wide=16)), heads=2, wide=8)
    >>> [tuple(small.state_dict()[f"layers.0.{name}.weight"].shape) for name in ("attention.heads.to_query", "wide.0")]
    [(4, 8), (8, 8)]
    """
    config = encoder.config
    if not 1 <= heads <= config.heads or not 1 <= wide <= config.wide:
        raise ModelError(f"prune: 1 to {config.heads} heads and 1 to {config.wide} units can stay, not {heads}, {wide}")
    width = config.width or config.dim // config.heads
    state = encoder.state_dict()
    for layer in range(config.layers):
        at, ff = f"layers.{layer}.attention.heads", f"layers.{layer}.wide"
        value = state[f"{at}.to_value.weight"].view(config.heads, -1)  # (heads, width · dim)
        output = state[f"{at}.to_output.weight"].mT.reshape(config.heads, -1)
        kept = _largest(value.norm(dim=1) * output.norm(dim=1), heads)
        rows = (kept[:, None] * width + torch.arange(width)).flatten()
        units = _largest(state[f"{ff}.0.weight"].norm(dim=1) * state[f"{ff}.2.weight"].norm(dim=0), wide)
        for name in ("to_query", "to_key", "to_value"):
            _select(state, f"{at}.{name}", rows)
        _select(state, f"{ff}.0", units)
        for name, some in ((f"{at}.to_output", rows), (f"{ff}.2", units)):
            state[f"{name}.weight"] = state[f"{name}.weight"][:, some]
    return reshaped(encoder.embedding.words, replace(config, heads=heads, width=width, wide=wide), state)


def shallower(encoder: TextEncoder, layers: Sequence[int]) -> TextEncoder:
    """The encoder with these of its layers alone, counted from 0: what a student of fewer layers starts from
    (Sanh et al. 2019, "DistilBERT", section 3)."""
    if not layers or not set(layers) <= set(range(encoder.config.layers)):
        raise ModelError(f"encoder: layers {list(layers)} of {encoder.config.layers}, counted from 0")
    state = {name: tensor for name, tensor in encoder.state_dict().items() if not name.startswith("layers.")}
    for new, old in enumerate(layers):
        mine = encoder.layers[old].state_dict()
        state |= {f"layers.{new}.{name}": tensor for name, tensor in mine.items()}
    return reshaped(encoder.embedding.words, replace(encoder.config, layers=len(layers)), state)


def spread(layers: int, kept: int) -> list[int]:
    """`kept` of so many layers, evenly, the last among them.

    >>> spread(12, 6), spread(12, 4)
    ([1, 3, 5, 7, 9, 11], [2, 5, 8, 11])
    """
    return [round((i + 1) * layers / kept) - 1 for i in range(kept)]


def reshaped(words: nn.Module, config: Config, state: State) -> TextEncoder:
    """An encoder of this configuration with copies of these weights, and with a word table that others may use, too; so
    that one does not learn."""
    with torch.device("meta"):
        model = TextEncoder(config)
    model.embedding.words = words
    shared = {f"embedding.words.{name}": tensor for name, tensor in words.state_dict().items()}
    own = {name: tensor.detach().clone() for name, tensor in state.items() if name not in shared}
    model.load_state_dict(own | shared, assign=True)
    model.requires_grad_(True)
    words.requires_grad_(False)
    return model


def rounded(state: State, precision: Precision) -> dict[str, Tensor]:
    """The weights as they are kept: matrices of the layers in int8 with a scale an output, or in bfloat16.

    >>> kept = rounded({"layers.0.wide.0.weight": torch.tensor([[1.0, -0.5]])}, "int8")
    >>> {name: tensor.tolist() for name, tensor in kept.items()}
    {'layers.0.wide.0.weight': [[127, -64]], 'layers.0.wide.0.weight.scale': [0.007874015718698502]}
    """
    out = dict[str, Tensor]()
    for name, tensor in state.items():
        is_matrix = "layers." in name and tensor.ndim == 2
        if precision == "int8" and is_matrix:
            scale = tensor.abs().amax(1).clamp_min(1e-12) / 127
            out[name] = (tensor / scale[:, None]).round().to(torch.int8)
            out[name + _SCALE] = scale
        else:
            out[name] = tensor.bfloat16() if precision == "bfloat16" and is_matrix else tensor
    return out


def restored(kept: State) -> dict[str, Tensor]:
    """The weights of `rounded` as float32; rounding them again gives the same."""
    out = dict[str, Tensor]()
    for name, tensor in kept.items():
        if name.endswith(_SCALE):
            continue
        scale = kept.get(name + _SCALE)
        out[name] = tensor.float() if scale is None else tensor.float() * scale[:, None]
    return out


def _largest(worth: Tensor, n: int) -> Tensor:
    """The places of the n largest, in order."""
    return worth.topk(n).indices.sort().values


def _select(state: dict[str, Tensor], name: str, rows: Tensor) -> None:
    """These outputs of a linear layer."""
    for part in (f"{name}.weight", f"{name}.bias"):
        if part in state:
            state[part] = state[part][rows]
