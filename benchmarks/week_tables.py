"""What first_week.py measured, as means over readers and as Markdown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from attention_filter.personal import calibration

WAYS = {False: "clean", True: "messy"}
LANGUAGES = {"en": "English", "zh": "Chinese"}
Record = dict[str, Any]


def summarise(sets: Mapping[str, Record]) -> Record:
    """Means over readers, by language and by set: {"English": …, "thucnews_titles": …}."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for name, one in sets.items():
        groups[LANGUAGES.get(one["lang"], one["lang"])].append(one)
        groups[name].append(one)
    return {name: {WAYS[messy]: summary(of, messy) for messy in WAYS} for name, of in groups.items()}


def summary(sets: Sequence[Record], messy: bool) -> Record:
    first = [one for of in sets for one in of["first"] if one["messy"] is messy]
    week = [one for of in sets for one in of["week"] if one["messy"] is messy]
    looked = ("auc", "ndcg@10", "mature auc", "mature ndcg@10", "above", "seconds")
    return {
        "readers": sum(of["readers"] for of in sets),
        "first": {
            size: means([one for one in first if one["size"] == size], looked) for size in numbers(first, "size")
        },
        "week": {day: of_a_day([one for one in week if one["day"] == day]) for day in numbers(week, "day")},
    }


def of_a_day(records: Sequence[Record]) -> Record:
    """Means over the readers of one day; flips and contradictions as shares of all, the chances of all as one."""
    simple = ("items", "wanted", "page", "page share", "on page", "kept", "above", "p@20", "acts", "repeats")
    methods = dict.fromkeys(name for one in records for name in one["methods"])
    pairs = np.array([pair for one in records for pair in one["chances"]], np.float64).reshape(-1, 2)
    likes, neighbours = (sum(one[name] for one in records) for name in ("likes", "neighbours"))
    return {
        **means(records, simple),
        "ece": none_if_nan(calibration.calibration_error(calibration.by_promise(pairs[:, 1], pairs[:, 0]))),
        "mean chance": none_if_nan(pairs[:, 0].mean()),
        "share wanted": none_if_nan(pairs[:, 1].mean()),
        "likes": likes,
        "flips": sum(one["flips"] for one in records) / likes if likes else None,
        "worst fall": min(one["worst fall"] for one in records),
        "out of order": sum(one["out of order"] for one in records) / neighbours if neighbours else None,
        "copies of read": sum(one["copies of read"] for one in records),
        "methods": {
            name: means([one["methods"][name] for one in records if name in one["methods"]], ("auc", "ndcg@10", "p@10"))
            for name in methods
        },
    }


def means(records: Sequence[Record], names: Sequence[str]) -> Record:
    out: Record = {}
    for name in names:
        values = np.array([one[name] for one in records if one[name] is not None], np.float64)
        out[name] = float(np.nanmean(values)) if np.isfinite(values).any() else None
    return out


def none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def plain(value: Any) -> Any:
    """The same for JSON, which knows no NaN."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def numbers(records: Sequence[Record], name: str) -> list[int]:
    return sorted({one[name] for one in records})


def page(summary: Record, run: str) -> str:
    """Everything as Markdown, the languages first, then each set. `run` says what was run."""
    languages = [name for name in summary if name in LANGUAGES.values()]
    counts = "; ".join(f"{name}: {ways['clean']['readers']} readers" for name, ways in summary.items())
    parts = [f"{run}. {counts}."]
    sets = [name for name in summary if name not in languages]
    # Of one set alone the tables would be those of its language.
    for title, names in (("By language", languages), ("By set", sets if len(sets) > len(languages) else [])):
        if not names:
            continue
        chosen = {name: summary[name] for name in names}
        parts += [f"## {title}", "### First look, AUC / nDCG@10", first_table(chosen)]
        parts += ["### The week", week_table(chosen), "### The week beside simpler rankings", peers_table(chosen)]
    return "\n\n".join(parts) + "\n"


def first_table(groups: Record) -> str:
    sizes = list(next(iter(groups.values()))["clean"]["first"])
    lines = []
    for name, ways in groups.items():
        best = ways["clean"]["first"]
        lines.append([f"{name}, mature stream", *(pair(best[size], "mature ") for size in sizes)])
        for way, of in ways.items():
            lines.append([f"{name}, {way}", *(pair(of["first"][size]) for size in sizes)])
            lines.append(["… above the line", *(percent(of["first"][size]["above"]) for size in sizes)])
            lines.append(["… seconds", *(figure(of["first"][size]["seconds"], 1) for size in sizes)])
    return table(["items", *map(str, sizes)], lines)


WEEK_ROWS: Mapping[str, Callable[[Record], str]] = {
    "AUC / nDCG@10 of the day's items": lambda day: pair(day["methods"]["filter"]),
    "precision of the first 10 / 20": lambda d: f"{short(d['methods']['filter']['p@10'])} / {short(d['p@20'])}",
    "wanted on today's page": lambda day: percent(day["on page"]),
    "length of the page (share of the day)": lambda d: f"{figure(d['page'], 0)} ({percent(d['page share'])})",
    "wanted kept out of the tray": lambda day: percent(day["kept"]),
    "above the line": lambda day: percent(day["above"]),
    "calibration error (mean chance, share wanted)": lambda day: (
        f"{short(day['ece'])} ({short(day['mean chance'])}, {short(day['share wanted'])})"
    ),
    "likes that lowered their kind (worst)": lambda day: (
        f"{percent(day['flips'])} of {day['likes']} ({day['worst fall']:+.3f})" if day["likes"] else "–"
    ),
    "neighbours out of order": lambda day: percent(day["out of order"]),
    "copies of read stories on the page, of all": lambda day: f"{figure(day['repeats'], 1)}, {day['copies of read']}",
}


def week_table(groups: Record) -> str:
    columns = [ways[way]["week"] for ways in groups.values() for way in ways]
    lines = [[row, *(over_days(week, of) for week in columns)] for row, of in WEEK_ROWS.items()]
    return table(["day 1 → 3 → last", *(f"{name}, {way}" for name, ways in groups.items() for way in ways)], lines)


def over_days(week: Mapping[int, Record], cell: Callable[[Record], str]) -> str:
    return " → ".join(cell(week[day]) for day in told(week))


def peers_table(groups: Record) -> str:
    """Each method's AUC and nDCG@10 of the day's items, and precision of the first 10, as means over all days."""
    columns = [[day["methods"] for day in ways[way]["week"].values()] for ways in groups.values() for way in ways]
    methods = list(dict.fromkeys(method for days in columns for day in days for method in day))

    def of(days: Sequence[Record], method: str) -> str:
        found = means([day[method] for day in days if method in day], ("auc", "ndcg@10", "p@10"))
        return f"{pair(found)} / {short(found['p@10'])}"

    heads = ["mean of all days", *(f"{name}, {way}" for name, ways in groups.items() for way in ways)]
    return table(heads, [[method, *(of(days, method) for days in columns)] for method in methods])


def told(week: Mapping[int, Record]) -> list[int]:
    """The days that the tables show: 1, 3 and the last."""
    return sorted({day for day in week if day in (1, 3)} | {max(week)})


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *lines])


def pair(record: Record, prefix: str = "") -> str:
    return f"{short(record[f'{prefix}auc'])} / {short(record[f'{prefix}ndcg@10'])}"


def short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


def figure(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
