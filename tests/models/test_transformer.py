"""Encoder, decoder and both: padding means nothing, the past is computed once, BERT's numbers come out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from attention_filter.errors import ModelError
from attention_filter.models import e5_weights
from attention_filter.models.bert import load_e5, to_packed
from attention_filter.models.encoder import Encoder
from attention_filter.models.transformer import Config, TextDecoder, TextEncoder, Transformer, Variant

SMALL = Config(vocabulary=20, dim=16, heads=2, layers=2, wide=32, longest=64, window=3)
SHORT, LONG = [5, 6, 7, 8, 9], [4, 9, 9, 8, 7, 6, 5, 4, 3]


def batch(*texts: list[int]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts], batch_first=True)


@pytest.mark.parametrize("attention", ["full", "local"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("normalize", ["keys", "queries"])
def test_a_text_is_encoded_the_same_alone_and_beside_a_longer_one(attention, positions, normalize) -> None:  # type: ignore[no-untyped-def]
    if (attention, normalize) == ("local", "queries"):
        pytest.skip("local attention looks over the keys only")
    model = TextEncoder(replace(SMALL, attention=attention, positions=positions, normalize=normalize)).eval()
    together, alone = model(batch(SHORT, LONG))[0, : len(SHORT)], model(batch(SHORT))[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["full", "local", "strided", "fixed", "lsh", "span"])
def test_a_decoder_never_sees_what_comes_next(attention: Variant) -> None:
    model = TextDecoder(replace(SMALL, attention=attention)).eval()
    one, other = [*LONG[:5], 3, 3, 3, 3], [*LONG[:5], 8, 9, 4, 5]
    torch.testing.assert_close(model(batch(one))[:, :5], model(batch(other))[:, :5], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["full", "local", "strided", "fixed"])
def test_steps_from_the_past_equal_the_whole_text(attention: Variant) -> None:
    model = Transformer(replace(SMALL, attention=attention)).eval()
    context = model.encode(batch(SHORT, LONG))
    target = batch([1, 5, 6, 7, 8], [1, 9, 8, 7, 6])
    past = model.decoder.past()
    steps = [model.decoder(target[:, [i]], context, past) for i in range(target.size(1))]
    torch.testing.assert_close(torch.cat(steps, 1), model.decoder(target, context), atol=1e-5, rtol=1e-5)


def test_padding_of_the_source_changes_no_logit() -> None:
    model = Transformer(SMALL).eval()
    target = batch([1, 5, 6])
    alone = model(batch(SHORT), target)
    together = model(batch(SHORT, LONG), target.expand(2, -1))[:1]
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_small_transformer_learns_to_turn_texts_round(norm) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    model = Transformer(replace(SMALL, norm=norm, layers=1, dim=32, wide=64, dropout=0.0, positions="sinusoidal"))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(250):
        source = torch.randint(3, 12, (32, 5))
        target = torch.cat([torch.ones(32, 1, dtype=torch.long), source.flip(1)], 1)
        loss = F.cross_entropy(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


def test_e5_in_our_encoder_gives_what_the_fast_twin_gives(encoder: Encoder, weights: e5_weights.E5File) -> None:
    model, tokenizer = load_e5()
    model.eval()
    texts = ["query: two words", "query: 编译器 has a borrow checker", "query: " + "longer, 共两种语言。" * 5]
    ids = [one.ids for one in tokenizer.encode_batch(texts)]
    padded = torch.full((3, max(map(len, ids))), model.config.padding)
    for row, one in enumerate(ids):
        padded[row, : len(one)] = torch.tensor(one)
    with torch.inference_mode():
        ours, twin = model(padded), encoder.body.states(ids)
        again = to_packed(model, "float32").states(ids)
        for row, one in enumerate(ids):
            torch.testing.assert_close(ours[row, : len(one)], twin[row], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(again[row], twin[row], atol=1e-5, rtol=1e-5)


def test_e5s_layers_train_and_its_word_table_does_not() -> None:
    model, _ = load_e5()
    model(torch.tensor([[0, 5, 6, 2]])).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) < 25_000_000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Config(10, dim=10, heads=3), "3 heads do not divide dim 10"),
        (lambda: TextEncoder(replace(SMALL, attention="strided")), "looks back only"),
        (lambda: TextDecoder(replace(SMALL, normalize="queries")), "what comes next"),
        (lambda: TextEncoder(SMALL)(torch.ones(1, 65, dtype=torch.long)), "65 tokens where 64 fit"),
    ],
)
def test_what_cannot_be_is_refused(wrong, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match=said):
        wrong()
