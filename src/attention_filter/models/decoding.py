"""From next-token probabilities to texts: greedy, sampling, beam search. Each step computes the newest token only.

Works with any `TextDecoder`; variants that must see the text as a whole are run on the whole text each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attention_filter.models.transformer import Context, Past, TextDecoder


@dataclass(frozen=True)
class Decoded:
    """Token ids without start and end, and the sum of their log-probabilities (the end's included)."""

    ids: list[int]
    log_probability: float


def greedy(decoder: TextDecoder, begun: Tensor, context: Context | None = None, *, longest: int = 128) -> list[Decoded]:
    """The most probable token at every step. `begun` (batch, length) is what each text starts with, without padding."""
    return _grow(decoder, begun, context, longest, lambda logits: logits.argmax(-1))


def sample(
    decoder: TextDecoder,
    begun: Tensor,
    context: Context | None = None,
    *,
    longest: int = 128,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[Decoded]:
    """A random text: from the `top_k` most probable tokens (0: all), of them the fewest that reach `top_p` of the
    probability (nucleus sampling, Holtzman et al. 2020)."""
    chance = torch.Generator().manual_seed(seed)

    def choose(logits: Tensor) -> Tensor:
        values, tokens = (logits / max(temperature, 1e-6)).sort(-1, descending=True)
        if top_k:
            values[:, top_k:] = -torch.inf
        probability = values.softmax(-1)
        before = probability.cumsum(-1) - probability
        kept = probability.masked_fill(before >= top_p, 0)
        drawn = torch.multinomial(kept, 1, generator=chance)
        return tokens.gather(1, drawn).squeeze(1)

    return _grow(decoder, begun, context, longest, choose)


@torch.inference_mode()
def beam(
    decoder: TextDecoder,
    begun: Tensor,
    context: Context | None = None,
    *,
    longest: int = 128,
    beams: int = 4,
    length_penalty: float = 0.6,
) -> list[Decoded]:
    """The best of the texts that `beams` half-finished ones at a time lead to, for each row of `begun`.

    Texts are compared by log P / ((5 + length) / 6)^length_penalty (Wu et al. 2016, equation 14); a row is done when
    no open text can still beat its best finished one.
    """
    return [
        _beam_of_one(decoder, begun[[row]], context, row, longest, beams, length_penalty) for row in range(len(begun))
    ]


def _beam_of_one(
    decoder: TextDecoder, begun: Tensor, context: Context | None, row: int, longest: int, beams: int, alpha: float
) -> Decoded:
    config, past = decoder.config, decoder.past()
    own = context.select(torch.tensor([row])) if context is not None else None
    ids, total, finished = begun, torch.zeros(1), list[Decoded]()
    limit = min(begun.size(1) + longest, config.longest)
    while True:
        step = _log_probabilities(decoder, ids, own and own.select(torch.zeros(len(ids), dtype=torch.long)), past)
        if ids.size(1) == limit:  # no room for more: the end is taken as said
            step = step.masked_fill(torch.arange(config.vocabulary) != config.end, -torch.inf)
        best, place = (total[:, None] + step).flatten().topk(min(2 * beams, step.numel()))
        rows, tokens = place // config.vocabulary, place % config.vocabulary
        done = tokens == config.end
        for score, source in zip(best[done].tolist(), rows[done].tolist(), strict=True):
            finished.append(Decoded(ids[source, begun.size(1) :].tolist(), score))
        going = (~done & best.isfinite()).nonzero().flatten()[:beams]
        if not len(going):
            break
        total, rows = best[going], rows[going]
        ids = torch.cat([ids[rows], tokens[going, None]], 1)
        hopes = float(total[0]) / _penalty(limit - begun.size(1) + 1, alpha)
        if len(finished) >= beams and hopes < max(_worth(one, alpha) for one in finished):
            break
        for layer in past or ():
            layer.own.select(rows)
            layer.context.select(rows)
    return max(finished, key=lambda one: _worth(one, alpha))


def _worth(one: Decoded, alpha: float) -> float:
    return one.log_probability / _penalty(len(one.ids) + 1, alpha)


def _penalty(length: int, alpha: float) -> float:
    """What longer texts are forgiven.

    >>> _penalty(1, 0.6), round(_penalty(7, 1.0), 6)
    (1.0, 2.0)
    """
    return float(((5 + length) / 6) ** alpha)


@torch.inference_mode()
def _grow(
    decoder: TextDecoder, begun: Tensor, context: Context | None, longest: int, choose: Callable[[Tensor], Tensor]
) -> list[Decoded]:
    """One token a step for each row until it ends or has no room."""
    config, past = decoder.config, decoder.past()
    ids, total = begun, torch.zeros(len(begun))
    open_rows = torch.ones(len(begun), dtype=torch.bool)
    for _ in range(min(longest, config.longest - begun.size(1))):
        step = _log_probabilities(decoder, ids, context, past)
        token = torch.where(open_rows, choose(step), config.end)
        total = total + torch.where(open_rows, step.gather(1, token[:, None]).squeeze(1), 0)
        ids = torch.cat([ids, token[:, None]], 1)
        open_rows = open_rows & (token != config.end)
        if not open_rows.any():
            break
    rows = [row.tolist() for row in ids[:, begun.size(1) :]]
    ends = [row.index(config.end) if config.end in row else len(row) for row in rows]
    return [Decoded(row[:end], float(value)) for row, end, value in zip(rows, ends, total, strict=True)]


def _log_probabilities(
    decoder: TextDecoder, ids: Tensor, context: Context | None, past: tuple[Past, ...] | None
) -> Tensor:
    """Of the token after each row of `ids`, (rows, vocabulary); padding and a second start are never said."""
    known = len(past[0].own) if past else 0
    logits: Tensor = decoder(ids[:, known:], context, past)[:, -1].float()
    config = decoder.config
    logits[:, [config.padding, config.start]] = -torch.inf
    return logits.log_softmax(-1)
