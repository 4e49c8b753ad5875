"""Greedy, sampled and beam-searched texts."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from attention_filter.models.decoding import Decoded, beam, greedy, sample
from attention_filter.models.transformer import Config, TextDecoder, Transformer

TINY = Config(vocabulary=6, dim=8, heads=2, layers=1, wide=16, longest=6, dropout=0.0)
BEGUN = torch.tensor([[1], [1]])


@pytest.fixture(scope="module", params=["full", "span"])
def model(request: pytest.FixtureRequest) -> Transformer:
    torch.manual_seed(3)
    config = Config(**{**vars(TINY), "attention": request.param, "positions": "sinusoidal"})
    made = Transformer(config).eval()
    for parameter in made.parameters():
        parameter.data *= 2.5  # sharper probabilities, so that choices differ
    return made


def chance_of(decoder: TextDecoder, context, ids: list[int], longest: int) -> float:  # type: ignore[no-untyped-def]
    """log P of a text by the whole decoder, one pass."""
    said = [*ids, 2] if len(ids) < longest else ids
    logits = decoder(torch.tensor([[1, *said]])[:, :-1], context)[0].float()
    logits[:, :2] = -torch.inf  # neither padding nor a second start
    return float(logits.log_softmax(-1)[range(len(said)), said].sum())


def test_beam_search_with_room_for_all_finds_the_best_text(model: Transformer) -> None:
    with torch.inference_mode():
        context = model.encode(torch.tensor([[3, 4, 5, 0], [5, 4, 3, 3]]))
        found = beam(model.decoder, BEGUN, context, longest=3, beams=200, length_penalty=0.0)
        for row, one in enumerate(found):
            own = context.select(torch.tensor([row]))
            texts = [list(ids) for n in range(3) for ids in product(range(3, 6), repeat=n)]
            best = max(texts, key=lambda ids: chance_of(model.decoder, own, ids, 99))
            longer = [list(ids) for ids in product(range(3, 6), repeat=3)]
            best = max([best, *longer], key=lambda ids: chance_of(model.decoder, own, ids, 99))
            assert one.ids == best
            assert one.log_probability == pytest.approx(chance_of(model.decoder, own, best, 99), abs=1e-4)


def test_more_beams_never_find_less(model: Transformer) -> None:
    context = model.encode(torch.tensor([[3, 4, 5, 0], [5, 4, 3, 3]]))
    narrow = beam(model.decoder, BEGUN, context, beams=1, length_penalty=0.0)
    wide = beam(model.decoder, BEGUN, context, beams=50, length_penalty=0.0)
    assert all(w.log_probability >= n.log_probability - 1e-5 for w, n in zip(wide, narrow, strict=True))


def test_sampling_from_the_single_best_token_is_greedy(model: Transformer) -> None:
    context = model.encode(torch.tensor([[3, 4, 5, 0], [5, 4, 3, 3]]))
    expected = [one.ids for one in greedy(model.decoder, BEGUN, context)]
    assert [one.ids for one in sample(model.decoder, BEGUN, context, top_k=1)] == expected
    assert [one.ids for one in sample(model.decoder, BEGUN, context, top_p=1e-9)] == expected


def test_a_seed_gives_the_same_text_again(model: Transformer) -> None:
    context = model.encode(torch.tensor([[3, 4, 5, 0], [5, 4, 3, 3]]))

    def drawn(seed: int) -> list[Decoded]:
        return sample(model.decoder, BEGUN, context, seed=seed, temperature=2.0)

    assert drawn(1) == drawn(1)
    assert any(drawn(seed) != drawn(1) for seed in range(2, 12))


def test_a_language_model_needs_no_context() -> None:
    decoder = TextDecoder(TINY).eval()
    assert all(2 not in one.ids and len(one.ids) <= 5 for one in greedy(decoder, BEGUN))
