"""Do the words that explain a label matter to it? Beside other explanations of the same logit, in one run.

    python benchmarks/reasons.py --data DIR [--sets sst2 thucnews] [--texts 40] [--longest 40] [--seed 0]
                                 [--models DIR] [--peers DIR] [--json FILE]

On texts of the sets of benchmarks/tasks.py that a classifier is checked on, drawn by the seed, with 5 to `--longest`
words: the logit of the label it gives is explained, and the words deleted and inserted, the most important first, as in
benchmarks/explain.py, which says what the measures are; a text whose logit hangs by less than .5 on its words is left
out. A probe is fitted for each set; with `--models DIR`, the
`--work` of benchmarks/tasks.py, its tuned models of eight layers are explained too.

Beside ours stand what is at the words' places after attention ("standing", as it was before), each word left out by
itself, chance, and SHAP's PartitionExplainer (500 evaluations, its default) where `--peers DIR` has it (`pip install
--target DIR shap pandas`). With a tuned model also captum's integrated gradients over the embeddings (50 steps, from
padding; pip install captum, too); the part of the words that no embedding knows is added as ours adds it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from explain import faithful, one_word_out, partition_shap
from tasks import SETS

from attention_filter.models.encoder import spans_in
from attention_filter.tasks.classify import Classifier
from attention_filter.words import units

SHORTEST = 5  # words


@dataclass(frozen=True)
class Case:
    """A text, its words as (start, end), and the label that a classifier gives it."""

    model: Classifier
    text: str
    words: tuple[tuple[int, int], ...]
    label: str

    def scores(self, kept: np.ndarray) -> np.ndarray:
        """The label's logits with only the `kept` words, bool (n, w)."""
        texts = []
        for row in ~kept:
            left = list(self.text)
            for word in np.flatnonzero(row):
                start, end = self.words[word]
                left[start:end] = [""] * (end - start)
            texts.append(" ".join("".join(left).split()))
        return np.asarray(self.model.known().logits(texts)[:, self.model.labels.index(self.label)])

    def of_words(self, spans: list[tuple[int, int]], values: list[float]) -> np.ndarray:
        """What stands on (start, end) spans of the text, by words."""
        letters = np.zeros(len(self.text))
        for (start, end), value in zip(spans, values, strict=True):
            letters[start:end] += value / max(end - start, 1)
        return np.array([letters[start:end].sum() for start, end in self.words])


Explain = Callable[[Case], np.ndarray]  # each word's importance (w,)


def case_of(model: Classifier, text: str) -> Case:
    return Case(model, text, tuple(units(text)), model.predict([text])[0][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=["sst2", "thucnews"], choices=list(SETS))
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--longest", type=int, default=40, help="words of a text: the peers' time grows with them")
    parser.add_argument("--models", type=Path, help="where benchmarks/tasks.py --work kept its tuned models")
    parser.add_argument("--peers", type=Path, help="where captum and shap are")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.peers:
        sys.path.append(str(options.peers))
    report = []
    print("| set | model | method | deletion AUC ↓ | insertion AUC ↑ | normalised AOPC ↑ | ours less it | s each |")
    print("|---" * 8 + "|")
    for name in options.sets:
        data = SETS[name](options.data, options.seed)
        models = {"probe": Classifier("probe", seed=options.seed).fit(data.train)}
        if options.models:
            models["tuned"] = Classifier.load(options.models / f"{name}-tuned-8-{options.seed}")
        for kind, model in models.items():
            rng = np.random.default_rng(options.seed)
            texts = [one.text for one in data.valid if SHORTEST <= len(units(one.text)) <= options.longest]
            methods = methods_of(kind, bool(options.peers), rng)
            cases = (case_of(model, texts[i]) for i in rng.permutation(len(texts)).tolist())
            marks, seconds = faithful(cases, methods, options.texts)
            if not seconds:
                sys.exit(f"{name}: no text's logit hangs on its words; let --longest be more")
            report.append({"set": name, "model": kind, "marks": marks, "seconds": seconds})
            show(name, kind, marks, seconds)
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, "rows": report}, indent=1), "utf-8")


def methods_of(kind: str, with_peers: bool, rng: np.random.Generator) -> dict[str, Explain]:
    methods: dict[str, Explain] = {
        "ours": brought,
        "standing": standing,
        "one word out": one_word_out,
        "random": lambda case: rng.random(len(case.words)),
    }
    if with_peers:
        methods["partition SHAP"] = partition_shap
    if with_peers and kind == "tuned":
        methods["integrated gradients (captum)"] = integrated_gradients
    return methods


def brought(case: Case) -> np.ndarray:
    return _shares(case, after=False)


def standing(case: Case) -> np.ndarray:
    return _shares(case, after=True)


def _shares(case: Case, after: bool) -> np.ndarray:
    words = case.model.explain(case.text, case.label, after=after).words
    return case.of_words([(word.start, word.end) for word in words], [word.value for word in words])


def integrated_gradients(case: Case) -> np.ndarray:
    """Of a tuned model's logit along its embeddings, from padding to the text, and what its words say."""
    from captum.attr import IntegratedGradients

    model, which = case.model.known(), case.model.labels.index(case.label)
    found = model.tokenizer.encode(model.prefix + case.text)
    spans = spans_in(case.text, found.offsets, len(model.prefix), not found.overflowing)
    pad = model.config.padding
    marks = [i if start == end else pad for i, (start, end) in zip(found.ids, spans, strict=True)]
    table = model.table
    embedded, padded = (table(torch.tensor(ids))[None] for ids in (found.ids, marks))

    def forward(embedded: torch.Tensor) -> torch.Tensor:
        body = replace(model.body, words=lambda _: embedded.flatten(0, 1))
        pooled = torch.stack([one.mean(0) for one in body.states([found.ids] * len(embedded))])
        return pooled @ model.head.weight[which]

    parts = IntegratedGradients(forward).attribute(embedded, padded, n_steps=50, internal_batch_size=10)
    values = parts[0].sum(-1).detach().double().numpy()
    if model.words:
        values = values + model.words.by_token(case.text, which, spans)[0]
    return case.of_words(spans, values.tolist())


def show(name: str, kind: str, marks: dict[str, dict[str, list[float]]], seconds: dict[str, float]) -> None:
    ours = np.array(marks["ours"]["normalised AOPC"])
    for method, of in marks.items():
        cells = [f"{np.mean(of[measure]):.3f}" for measure in ("deletion", "insertion", "normalised AOPC")]
        gain = ours - np.array(of["normalised AOPC"])
        error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else 0.0
        apart = "" if method == "ours" else f"{gain.mean():+.3f} ± {error:.3f}"
        print(f"| {name} | {kind} | {method} | {' | '.join(cells)} | {apart} | {seconds[method]:.4f} |", flush=True)


if __name__ == "__main__":
    main()
