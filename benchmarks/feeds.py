"""Do we read feeds as others do? Every gofeed test document, compared field by field with its expected JSON.

    python benchmarks/feeds.py --data DIR [--json FILE]

`DIR/feeds_gofeed` holds parser/{atom,rss,json}, translator/{atom,rss,json}, extensions and universal. A value
counts when the expectation gives it, for the feed and for each entry; addresses are compared in canonical
form, titles with or without their markup (gofeed gives them raw), and dates as instants. Each miss is listed
with both values and, where we know it, why.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attention_filter.errors import SourceError
from attention_filter.sources.clean import canonical_url, plain_text
from attention_filter.sources.dates import parse_date
from attention_filter.sources.feeds import Feed, parse_feed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "http://feed.invalid/feed"
FIELDS = ("title", "link", "date", "id", "author")
SETS = ("parser/atom", "parser/rss", "parser/json", "translator/atom", "translator/rss", "translator/json")
# Why ours differs on purpose: {file stem: reason}.
_MISNESTED = "the document closes <title> with </subtitle>: neither expat nor feedparser's lenient parser finds its end"
EXPLAINED = {
    "atom10_feed_title_xhtml_escaped_markup feed title": _MISNESTED,
    "atom10_feed_title_xhtml_inline_markup feed title": _MISNESTED,
}


def documents(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """(set, document, expected JSON) of every document that has an expectation."""
    for name in SETS:
        for expected in sorted((folder / name).glob("*.json")):
            document = expected.with_suffix(".xml")
            if name.endswith("/json"):
                if not expected.stem.endswith("_expected"):
                    continue
                document = expected.with_name(expected.name.replace("_expected", ""))
            if document.exists():
                yield name, document, expected


def wanted(record: dict[str, Any]) -> dict[str, list[str]]:
    """What the expectation says, per field the values that are right. Field names of all three formats."""
    out: dict[str, list[str]] = {}
    if record.get("title"):
        out["title"] = either(record["title"])
    alternate = [
        link["href"]
        for link in record.get("links", [])
        if isinstance(link, dict) and link.get("rel", "alternate") == "alternate" and link.get("href")
    ]
    first = record.get("link") or record.get("url") or record.get("home_page_url")
    if values := [first] if first else alternate:
        out["link"] = [canonical_url(value) for value in values if value]
    names = "publishedParsed published pubDateParsed pubDate date_published updatedParsed updated date_modified"
    dates = [date for name in names.split() if (date := parse_date(record.get(name)))]
    if dates:
        out["date"] = [str(date.replace(microsecond=0)) for date in dates]
    if guid := record.get("id") or record.get("guid"):
        out["id"] = [guid["value"] if isinstance(guid, dict) else guid]
    people = record.get("authors") or ([record["author"]] if record.get("author") else [])
    if authors := [
        person if isinstance(person, str) else person.get("name") or person.get("email") for person in people
    ]:
        out["author"] = either(authors[0]) if authors[0] else []
    return {field: values for field, values in out.items() if values}


def either(text: str) -> list[str]:
    """The right values where the expectation is the raw one: as it stands, and with its markup read."""
    return [" ".join(text.split()), " ".join(plain_text(text).split())]


def ours(record: Any) -> dict[str, list[str]]:
    dates = [record.updated] + ([record.published] if hasattr(record, "published") else [])
    return {
        "title": [" ".join(record.title.split())],
        "link": [canonical_url(record.home_url if isinstance(record, Feed) else record.url or "")]
        if (record.home_url if isinstance(record, Feed) else record.url)
        else [],
        "date": [str(date.replace(microsecond=0)) for date in dates if date],
        "id": [record.guid],
        "author": list(record.authors[:1]),
    }


def compare(folder: Path) -> tuple[Counter[tuple[str, str, bool]], list[dict[str, Any]], int]:
    """(set, field, agrees) → count, the misses, and how many documents were read without an exception."""
    counts: Counter[tuple[str, str, bool]] = Counter()
    misses: list[dict[str, Any]] = []
    for name, document, expected in documents(folder):
        truth = json.loads(expected.read_text(encoding="utf-8"))
        feed = read(document)
        if feed is None:
            continue
        pairs: list[tuple[dict[str, Any], Any]] = [(truth, feed)]
        entries = truth.get("entries") or truth.get("items") or []
        pairs += [(entry, feed.entries[i] if i < len(feed.entries) else None) for i, entry in enumerate(entries)]
        for want_record, have_record in pairs:
            have = ours(have_record) if have_record is not None else {}
            for field, values in wanted(want_record).items():
                agrees = bool(set(values) & set(have.get(field, [])))
                counts[name, field, agrees] += 1
                if not agrees:
                    place = "feed" if want_record is truth else "entry"
                    misses.append(
                        {
                            "document": f"{name}/{document.name}",
                            "field": f"{place} {field}",
                            "expected": values[0],
                            "ours": (have.get(field) or [""])[0],
                            "why": EXPLAINED.get(f"{document.stem} {place} {field}", "unexplained"),
                        }
                    )
    return counts, misses, sum(1 for _ in folder.rglob("*.xml"))


def read(document: Path) -> Feed | None:
    try:
        return parse_feed(document.read_bytes(), URL, None, NOW, 2_000)
    except SourceError as error:
        print(f"  {document.name}: {error}")
        return None


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    folder = options.data / "feeds_gofeed"
    refused = [path.name for path in sorted(folder.rglob("*.xml")) if read(path) is None]
    counts, misses, total = compare(folder)
    print(f"{total} XML documents, no crash; refused as no feed: {', '.join(refused) or 'none'}\n")
    print(f"{'set':<18}" + "".join(f"{field:>16}" for field in FIELDS))
    rows: dict[str, dict[str, list[int]]] = {}
    for name in (*SETS, "all"):
        rows[name] = {}
        for field in FIELDS:
            right = sum(n for (s, f, ok), n in counts.items() if f == field and ok and name in (s, "all"))
            given = right + sum(n for (s, f, ok), n in counts.items() if f == field and not ok and name in (s, "all"))
            rows[name][field] = [right, given]
        cells = (f"{r}/{n} {100 * r / n:5.1f}%" if n else "-" for r, n in rows[name].values())
        print(f"{name:<18}" + "".join(f"{cell:>16}" for cell in cells))
    for miss in misses:
        print(f"\n{miss['document']}: {miss['field']}\n  expected {miss['expected']!r}")
        print(f"  ours     {miss['ours']!r}\n  why      {miss['why']}")
    if options.json:
        report = {"documents": total, "refused": refused, "agreement": rows, "misses": misses}
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
