"""A translation model from the library's parts, in one file: the original Transformer, small.

Right where tutorials are often wrong: the width is split among the heads (not repeated), logits are divided by the
square root of a HEAD's width, masks are True where attention is allowed and are applied before the softmax, the
decoder sees only its past, and padding neither speaks nor listens. Run it: it learns to turn sequences around.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_filter.attention.core import attend
from attention_filter.attention.masks import causal, padding
from attention_filter.attention.positions import sinusoidal

PAD, START = 0, 1


class HeadProjections(nn.Module):
    """W_Q, W_K, W_V and W_O of one multi-head attention."""

    def __init__(self, n_heads: int, n_units: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value, self.output = (nn.Linear(n_units, n_units, bias=False) for _ in range(4))


def multi_head_attention(
    projections: HeadProjections,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    position_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Context (batch, Q, n_units) and weights (batch, heads, Q, K); `mask` is True where attention is allowed."""

    def heads(x: Tensor) -> Tensor:  # (batch, length, units) -> (batch, heads, length, units / heads)
        return x.unflatten(-1, (projections.n_heads, -1)).transpose(1, 2)

    q, k, v = heads(projections.query(query)), heads(projections.key(key)), heads(projections.value(value))
    mixed, weights = attend(q, k, v, mask, bias=position_bias, return_weights=True)  # softmax(q kᵀ / √d + bias) v
    return projections.output(mixed.transpose(1, 2).flatten(2)), weights


class Block(nn.Module):
    """Attention (and, in a decoder, attention to the source), then two layers for each token; norm first."""

    def __init__(self, n_heads: int, n_units: int, *, decoder: bool) -> None:
        super().__init__()
        self.itself = HeadProjections(n_heads, n_units)
        self.source = HeadProjections(n_heads, n_units) if decoder else None
        self.norms = nn.ModuleList(nn.LayerNorm(n_units) for _ in range(3))
        self.hidden = nn.Sequential(nn.Linear(n_units, 4 * n_units), nn.ReLU(), nn.Linear(4 * n_units, n_units))

    def forward(
        self, x: Tensor, mask: Tensor, memory: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        y = self.norms[0](x)
        context, weights = multi_head_attention(self.itself, y, y, y, mask)
        x = x + context
        if self.source is not None and memory is not None:
            context, weights = multi_head_attention(self.source, self.norms[1](x), memory, memory, memory_mask)
            x = x + context
        return x + self.hidden(self.norms[2](x)), weights


class TransformerModel(nn.Module):
    """Reads source ids (batch, S), and scores each next target id: logits (batch, T, output_vocab_size)."""

    def __init__(
        self, n_heads: int, n_units: int, input_vocab_size: int, output_vocab_size: int, n_layers: int = 1
    ) -> None:
        super().__init__()
        self.read = nn.Embedding(input_vocab_size, n_units)
        self.write = nn.Embedding(output_vocab_size, n_units)
        for table in (self.read, self.write):
            nn.init.normal_(table.weight, std=n_units**-0.5)
        self.encoder = nn.ModuleList(Block(n_heads, n_units, decoder=False) for _ in range(n_layers))
        self.decoder = nn.ModuleList(Block(n_heads, n_units, decoder=True) for _ in range(n_layers))
        self.norm = nn.LayerNorm(n_units)
        self.memory_norm = nn.LayerNorm(n_units)
        self.score = nn.Linear(n_units, output_vocab_size)

    def forward(self, source: Tensor, target: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """`attention_mask` (batch, S) is 1 at real source tokens. Also returns the last layer's source weights."""
        kept = attention_mask.bool()
        memory, source_mask = self._embed(self.read, source), padding(kept).dense(source.size(1), source.size(1))
        for block in self.encoder:
            memory, _ = block(memory, source_mask)
        memory = self.memory_norm(memory)
        n = target.size(1)
        target_mask = (causal() & padding(target != PAD)).dense(n, n)
        memory_mask = padding(kept).dense(n, source.size(1))
        x, weights = self._embed(self.write, target), memory.new_zeros(0)
        for block in self.decoder:
            x, weights = block(x, target_mask, memory, memory_mask)
        return self.score(self.norm(x)), weights

    @torch.no_grad()
    def translate(self, source: Tensor, attention_mask: Tensor, length: int) -> Tensor:
        """The likeliest next token, again and again: (batch, length)."""
        target = torch.full((len(source), 1), START)
        for _ in range(length):
            logits, _ = self(source, target, attention_mask)
            target = torch.cat([target, logits[:, -1].argmax(-1, keepdim=True)], 1)
        return target[:, 1:]

    def _embed(self, table: nn.Embedding, ids: Tensor) -> Tensor:
        return table(ids) * table.embedding_dim**0.5 + sinusoidal(ids.size(1), table.embedding_dim)


def sentences(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Sources of 2 to 6 tokens with padding, their reverses, and the attention masks."""
    lengths = torch.randint(2, 7, (count, 1), generator=generator)
    places = torch.arange(6).expand(count, 6)
    mask = places < lengths
    source = torch.randint(2, 12, (count, 6), generator=generator) * mask
    turned = source.gather(1, (lengths - 1 - places).clamp_min(0)) * mask
    return source, turned, mask.long()


def main(steps: int = 300) -> float:
    """Train, print a translation, and return the share of held-out tokens that are right."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = TransformerModel(n_heads=4, n_units=32, input_vocab_size=12, output_vocab_size=12)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        source, wanted, mask = sentences(64, generator)
        before = torch.cat([torch.full((64, 1), START), wanted[:, :-1]], 1)
        logits, _ = model(source, before, mask)
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=PAD)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    source, wanted, mask = sentences(200, generator)
    written = model.translate(source, mask, 6)
    right = float(((written == wanted) & (wanted != PAD)).sum() / (wanted != PAD).sum())
    logits, weights = model(source[:1], torch.full((1, 1), START), mask[:1])
    print("token ids      ", source[0].tolist())
    print("attention mask ", mask[0].tolist())
    print("logits         ", tuple(logits.shape), " weights on the source", tuple(weights.shape))
    print("translation    ", written[0][: int(mask[0].sum())].tolist())
    print(f"right tokens    {right:.1%} after {steps} steps, loss {loss.item():.3f}")
    return right


if __name__ == "__main__":
    main()
