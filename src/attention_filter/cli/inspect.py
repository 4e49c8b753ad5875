"""Looking into the model: where the words of a text look, and which word claims which."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attention_filter.cli.session import AsJson, screen, waiting
from attention_filter.errors import UsageError


def inspect(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A sentence or two.")],
    layer: Annotated[int, typer.Option(help="Which layer to draw; -1 is the last.")] = -1,
    head: Annotated[int | None, typer.Option(help="Which head; all of the layer, averaged, when left out.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="A page to explore all layers and heads.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="All layers and heads as one picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Both attention matrices of the encoder on a text: H, where each word looks, and A, which word claims it."""
    if not text.strip():
        raise UsageError("there is no text to look at; give a sentence")
    with waiting("Loading the model"):
        import torch

        from attention_filter.attention import draw
        from attention_filter.attention.inspect import Maps
        from attention_filter.models.encoder import load_encoder
        from attention_filter.settings import load_settings

        encoder = load_encoder(load_settings().model)
        tokens, h = encoder.attention(text)
        _, a = encoder.attention(text, "queries")
    names = tuple(token.replace("\u2581", " ").strip() or token for token in tokens)
    maps = Maps(names, names, torch.from_numpy(h), torch.from_numpy(a))
    layers, heads = h.shape[:2]
    if not -layers <= layer < layers or (head is not None and not 0 <= head < heads):
        raise UsageError(f"the model has layers 0 to {layers - 1} and heads 0 to {heads - 1}")
    if html is not None:
        html.write_text(draw.html_page(maps, text), encoding="utf-8")
    if png is not None:
        try:
            draw.save_png(maps, png)
        except ModuleNotFoundError as error:
            raise UsageError(str(error)) from error
    if as_json:
        typer.echo(maps.as_json())
        return
    chosen = f"layer {layer % layers}, {'all heads averaged' if head is None else f'head {head}'}"
    for title, whole in (("H: where each word looks", h), ("A: which word claims each", a)):
        one = whole[layer].mean(0) if head is None else whole[layer, head]
        print(f"{title} ({chosen}; full shade is {one.max():.2f})")
        print(draw.text_map(torch.from_numpy(one / one.max()), names, names) + "\n")
    for path in (html, png):
        if path is not None:
            screen().print(f"Wrote {path}")
