"""BERT without padding: the fast twin of transformers' BertModel, same weights, same numbers (float32: 1e-5).

The tokens of a batch lie end to end in one (tokens, d) matrix, so the linear layers never see padding. Texts of
equal length lie beside each other and attend as one (texts, heads, length, d / heads) block, without a mask.

Three precisions of the linear layers; everything between them stays float32:
    float32    as trained
    bfloat16   weights and activations rounded to bfloat16; fast where the CPU has avx512_bf16 or amx
    int8       weights rounded per output, activations per token to [-127, 127] (LLM.int8(), Dettmers et al. 2022,
               vector-wise quantisation, without its outlier branch), exact integer sums; fast where the CPU has VNNI
A token's scale depends on that token alone, so a text's vector does not depend on the texts it is batched with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Precision = Literal["float32", "bfloat16", "int8"]


class Linear(Protocol):
    """x (tokens, inputs) -> x Wᵀ + b (tokens, outputs), float32; `back` takes directions the other way, g -> g W."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def back(self, g: Tensor) -> Tensor: ...


class Float32Linear:
    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def back(self, g: Tensor) -> Tensor:
        return g @ self.weight


class BFloat16Linear:
    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight.bfloat16(), bias.bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.bfloat16(), self.weight, self.bias).float()

    def back(self, g: Tensor) -> Tensor:
        return (g.bfloat16() @ self.weight).float()


class Int8Linear:
    """W ≈ w · scale[:, None] with int8 w; each row of x likewise, on the fly."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.scale = weight.abs().amax(1).clamp_min_(1e-12).div_(127)
        self.weight = (weight / self.scale[:, None]).round_().to(torch.int8).mT
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        y = self._product(x, self.weight)
        return torch.addcmul(self.bias, y, self.scale, out=y)

    def back(self, g: Tensor) -> Tensor:
        return self._product(g * self.scale, self.weight.mT)

    @staticmethod
    def _product(x: Tensor, weight: Tensor) -> Tensor:
        scale = x.abs().amax(1, keepdim=True).clamp_min_(1e-12).div_(127)
        rows = (x / scale).round_().to(torch.int8)
        # In place from here on: each further (tokens, outputs) array costs as much as a tenth of the product.
        return torch._int_mm(rows, weight).float().mul_(scale)


LINEAR: Mapping[Precision, Callable[[Tensor, Tensor], Linear]] = {
    "float32": Float32Linear,
    "bfloat16": BFloat16Linear,
    "int8": Int8Linear,
}


@dataclass(frozen=True)
class Norm:
    weight: Tensor
    bias: Tensor
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.bias.shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Layer:
    query_key_value: Linear  # one product instead of three
    attended: Linear
    attended_norm: Norm
    widen: Linear
    narrow: Linear
    norm: Norm

    def rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        """What follows attention: output projection and feed-forward, each added and normalised."""
        x = self.attended_norm(x + self.attended(mixed))
        return self.norm(x + self.narrow(F.gelu(self.widen(x))))


@dataclass(frozen=True)
class PackedBert:
    """Token states of many texts at once. `words` looks up rows of the word table: ids (t,) -> (t, d)."""

    words: Callable[[Tensor], Tensor]
    positions: Tensor  # (longest, d), token type 0 added in
    norm: Norm
    layers: tuple[Layer, ...]
    heads: int

    def states(self, batch: Sequence[Sequence[int]]) -> list[Tensor]:
        """The last layer's states of each text's tokens, (length, d) each, in the order given.

        Any order works; texts of equal length beside each other are computed together.
        """
        *_, last = self._layers(batch)
        return list(torch.split(last, [len(ids) for ids in batch]))

    def layer_states(self, batch: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Tensor]:
        """The states after some layers, counted from 1, of each text: (len(layers), length, d) each."""
        after = list(self._layers(batch))
        lengths = [len(ids) for ids in batch]
        return list(torch.split(torch.stack([after[number - 1] for number in layers]), lengths, dim=1))

    def _layers(self, batch: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        """All tokens end to end, (tokens, d), after each layer."""
        lengths = [len(ids) for ids in batch]
        flat = torch.tensor([token for ids in batch for token in ids])
        place = torch.cat([torch.arange(length) for length in lengths])
        x = self.norm(self.words(flat) + self.positions[place])
        runs = _runs(lengths)
        for layer in self.layers:
            x = layer.rest(x, self.attend(layer.query_key_value(x), runs))
            yield x

    def maps(self, ids: Sequence[int], normalize: Literal["keys", "queries"] = "keys") -> Tensor:
        """H (where each token of one text looks) or A (which token claims it), (layers, heads, tokens, tokens)."""
        length = len(ids)
        x = self.embedded(ids)
        maps = []
        for layer in self.layers:
            qkv = layer.query_key_value(x)
            query, key, value = qkv.view(length, 3, self.heads, -1).permute(1, 2, 0, 3)
            logits = query @ key.mT / query.size(-1) ** 0.5
            maps.append(logits.softmax(-1 if normalize == "keys" else -2))
            x = layer.rest(x, (logits.softmax(-1) @ value).transpose(0, 1).flatten(1))
        return torch.stack(maps)

    def embedded(self, ids: Sequence[int]) -> Tensor:
        """What the first layer reads of one text, (tokens, d)."""
        return self.norm(self.words(torch.tensor(ids)) + self.positions[: len(ids)])

    def attend(self, qkv: Tensor, runs: Sequence[tuple[int, int, int]]) -> Tensor:
        """(tokens, 3 d) -> (tokens, d), every text attending to itself."""
        d = qkv.size(1) // 3
        mixed = qkv.new_empty(len(qkv), d)
        for start, texts, length in runs:
            stop = start + texts * length
            block = qkv[start:stop].view(texts, length, 3, self.heads, d // self.heads)
            query, key, value = block.permute(2, 0, 3, 1, 4)  # each (texts, heads, length, d / heads)
            out = F.scaled_dot_product_attention(query, key, value)
            mixed[start:stop].view(texts, length, self.heads, -1).copy_(out.transpose(1, 2))
        return mixed


def _runs(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Neighbours of equal length: (first token, texts, length of each).

    >>> _runs([3, 3, 2])
    [(0, 2, 3), (6, 1, 2)]
    """
    runs, start = [], 0
    for length, group in groupby(lengths):
        texts = len(list(group))
        runs.append((start, texts, length))
        start += texts * length
    return runs


def pack(
    tensors: Mapping[str, Tensor],
    words: Callable[[Tensor], Tensor],
    *,
    layers: int,
    heads: int,
    eps: float,
    precision: Precision,
) -> PackedBert:
    """Build the twin from a BertModel's tensors by name (the word table is not needed, `words` stands for it)."""
    linear = LINEAR[precision]

    def norm(name: str) -> Norm:
        return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps)

    def layer(number: int) -> Layer:
        at = f"encoder.layer.{number}"
        three = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]

        def one(name: str) -> Linear:
            return linear(tensors[f"{at}.{name}.weight"], tensors[f"{at}.{name}.bias"])

        return Layer(
            linear(
                torch.cat([tensors[f"{part}.weight"] for part in three]),
                torch.cat([tensors[f"{part}.bias"] for part in three]),
            ),
            one("attention.output.dense"),
            norm(f"{at}.attention.output.LayerNorm"),
            one("intermediate.dense"),
            one("output.dense"),
            norm(f"{at}.output.LayerNorm"),
        )

    positions = tensors["embeddings.position_embeddings.weight"]
    kind = tensors["embeddings.token_type_embeddings.weight"][0]
    return PackedBert(
        words=words,
        positions=positions + kind,
        norm=norm("embeddings.LayerNorm"),
        layers=tuple(map(layer, range(layers))),
        heads=heads,
    )
