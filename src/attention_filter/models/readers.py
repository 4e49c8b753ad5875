"""What many readers teach about one: attention heads over frozen item vectors, trained on a log of impressions.

With v_j a past item, c a candidate, p_k the prototypes of a head, τ its temperature, all rows unit:

    q(c) = c W_Q,  k(v) = v W_K,  u(v) = v W_V,     each W = I + low rank, zero at first (Hu et al. 2022, "LoRA")
    alike(c)  = q(c) · mean over j of u(v_j)                            one head that looks everywhere
    A_kj      = softmax over k (p_k·k(v_j) / τ)                         interests compete for past item j
    θ_k       = (Σ_j A_kj + prior π_k) / (m + prior)                    what part of the history interest k claims
    h_k(c)    = softmax over k (p_k·q(c) / τ)                           the candidate is a query over the interests
    lift(c)   = log Σ_k h_k(c) θ_k / π_k                                π: what part of everyone's history it claims

Untrained, `alike` is the mean of the history, and `lift` needs no training either: how many times more of this
reader's attention than of everyone's goes where the candidate stands. The score is Σ_t w_t · term_t / deviation_t
over `alike`, `alike` · √m, one lift per resolution and the features of the log (category, popularity, freshness).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_filter.attention.core import attend
from attention_filter.errors import ModelError

WEIGHTS, CONFIG = "readers.safetensors", "readers.json"
MANY = 30  # past items from which on a longer history is no surer


@dataclass(frozen=True)
class ReadersConfig:
    """`encoder` is the id of the model whose vectors it reads; `prior` is in past items; `features` are the log's."""

    encoder: str
    dim: int
    resolutions: tuple[int, ...] = (64, 256, 512)
    rank: int = 32
    temperature: float = 0.05
    prior: float = 10.0
    dropout: float = 0.2
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ("category", "popular", "fresh")

    @property
    def terms(self) -> tuple[str, ...]:
        """The additive terms of the score, in order."""
        return ("alike", "alike, surer", *(f"interests {k}" for k in self.resolutions), *self.features)


class LowRank(nn.Module):
    """x W with W = I + A B, B zero at first; unit rows come out. Dropout acts on what A sees."""

    def __init__(self, dim: int, rank: int, dropout: float) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(dim, rank) * dim**-0.5)
        self.up = nn.Parameter(torch.zeros(rank, dim))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x + F.dropout(x, self.dropout, self.training) @ self.down @ self.up, dim=-1)


class Readers(nn.Module):
    """See the module. Its buffers hold what was counted: centre, prototypes, base rates and deviations."""

    def __init__(self, config: ReadersConfig) -> None:
        super().__init__()
        self.config = config
        self.to_query, self.to_key, self.to_value = (LowRank(config.dim, config.rank, config.dropout) for _ in range(3))
        for k in config.resolutions:
            self.register_buffer(f"prototypes_{k}", torch.zeros(k, config.dim))
            self.register_buffer(f"base_{k}", torch.full((k,), 1 / k))
        self.register_buffer("centre", torch.zeros(config.dim))
        self.register_buffer("category_base", torch.ones(len(config.categories)) / max(len(config.categories), 1))
        self.register_buffer("look", torch.ones(1))  # how likely each place of the page is looked at
        self.deviation: Tensor
        self.register_buffer("deviation", torch.ones(len(config.terms)))
        self.weights = nn.Parameter(torch.zeros(len(config.terms)))

    def forward(self, items: Tensor, history: Tensor, candidates: Tensor, features: Tensor) -> Tensor:
        """Each term's part of the score, (batch, n, terms); their sum over the last axis is the score.

        `items` (u, dim) are centred unit vectors; `history` (batch, m) and `candidates` (batch, n) name their rows,
        −1 is padding; `features` (batch, n, features) come from the log. A reader without history gets no
        personal terms; padded candidates get zeros.
        """
        return self.terms(items, history, candidates, features) / self.deviation * self.weights

    def terms(self, items: Tensor, history: Tensor, candidates: Tensor, features: Tensor) -> Tensor:
        """The terms before they are weighed, (batch, n, terms)."""
        personal = self._attention(items, history, candidates)
        return torch.cat([personal, features], -1) * (candidates >= 0).unsqueeze(-1)

    def _attention(self, items: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
        """The terms that attention gives, (batch, n, 2 + resolutions)."""
        keep = (history >= 0).to(items.dtype)
        times = torch.zeros(len(history), len(items)).scatter_add(1, history.clamp(min=0), keep)  # item u in history b
        count = keep.sum(1, keepdim=True)
        query, key = self.to_query(items), self.to_key(items)
        mean = times @ self.to_value(items) / count.clamp(min=1)  # (b, dim)
        alike = mean @ query.mT  # (b, u)
        out = [alike, alike * count.clamp(max=MANY).sqrt()]
        for k in self.config.resolutions:
            base = self.get_buffer(f"base_{k}")
            prior = self.config.prior
            lift = (times @ self._claims(key, k) + prior * base) / (count + prior) / base.clamp(min=1e-7)  # (b, K)
            out.append((lift @ self._read_out(query, k).mT).clamp(min=1e-6).log())
        of_all = torch.stack(out, -1) * (count > 0).unsqueeze(-1)  # (b, u, terms)
        asked = candidates.clamp(min=0).unsqueeze(-1).expand(-1, -1, of_all.size(-1))
        return of_all.gather(1, asked)

    def _claims(self, key: Tensor, k: int) -> Tensor:
        """A of one head, transposed (u, K): which interest claims each item. Rows sum to one."""
        prototypes = self.get_buffer(f"prototypes_{k}")
        scale = 1 / self.config.temperature
        _, a = attend(prototypes, key, key[:, :0], scale=scale, normalize="queries", return_weights=True)
        return a.mT

    def _read_out(self, query: Tensor, k: int) -> Tensor:
        """H of one head (u, K): where each candidate looks among the interests. Rows sum to one."""
        prototypes = self.get_buffer(f"prototypes_{k}")
        scale = 1 / self.config.temperature
        return attend(query, prototypes, prototypes[:, :0], scale=scale, return_weights=True)[1]

    @torch.no_grad()
    def count_base(self, items: Tensor, counts: Tensor) -> None:
        """Set π to what each interest claims of everyone's histories: `counts` (u,) is how often each item is there."""
        training = self.training
        self.eval()
        key = self.to_key(items)
        for k in self.config.resolutions:
            self.get_buffer(f"base_{k}").copy_((counts @ self._claims(key, k) + 1 / k) / (counts.sum() + 1))
        self.train(training)


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of unequal length side by side, −1 after the end of each.

    >>> pad([[4, 2], [7]]).tolist()
    [[4, 2], [7, -1]]
    """
    longest = max(1, *map(len, rows))
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows], dtype=torch.long)


def save_readers(model: Readers, folder: Path, notes: dict[str, Any]) -> None:
    """Write the weights (safetensors) and, beside them, the config and `notes` (JSON)."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{WEIGHTS}.tmp"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, beside)
    beside.replace(folder / WEIGHTS)
    text = json.dumps({"config": asdict(model.config), **notes}, ensure_ascii=False, indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def load_readers(folder: Path) -> tuple[Readers, dict[str, Any]]:
    """The model that `save_readers` wrote, ready to score, and its notes. ModelError when it cannot be read."""
    from safetensors.torch import load_file

    try:
        notes = json.loads((folder / CONFIG).read_text("utf-8"))
        given = notes.pop("config")
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        model = Readers(ReadersConfig(**{**given, **lists}))
        model.load_state_dict(load_file(folder / WEIGHTS))
    except OSError as error:
        raise ModelError(
            f"{folder}: no trained ranking ({error.strerror}); make one: attention train ranking"
        ) from None
    except Exception as error:  # safetensors raises its own, torch RuntimeError, json and dataclasses theirs
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{folder}: not a trained ranking ({reason}); train it again") from None
    return model.eval(), notes
