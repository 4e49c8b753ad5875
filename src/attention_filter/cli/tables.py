"""Sources, rules, interests, the profile and the rest as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from attention_filter.cli.drawing import bar, clean, one_line, signed, skyline
from attention_filter.digest import age
from attention_filter.documents import health
from attention_filter.personal.rules import SENTIMENTS
from attention_filter.types import Interest, Rule, Source

if TYPE_CHECKING:
    from attention_filter.app import Check
    from attention_filter.concepts import Known
    from attention_filter.exchange import ProfileSummary
    from attention_filter.intake import Fetched
    from attention_filter.labelling import Choice
    from attention_filter.personal.constraints import Constraint
    from attention_filter.sources.wordnet import Sense
    from attention_filter.store.accounts import Account
    from attention_filter.trends import Trends

_MARKS = {"ok": ("✓ ok", "green"), "new": ("· new", ""), "muted": ("– muted", "dim"), "trouble": ("! trouble", "red")}


def sources(all_of_them: Sequence[Source], now: datetime) -> Table:
    """One line a source, and its last error below it."""
    table = plain("id", "", "source", "items", "read", "next try")
    table.columns[2].ratio = 1
    for column in (0, 3):
        table.columns[column].justify = "right"
    for one in all_of_them:
        mark, style = _MARKS[health(one)]
        name = Text(one_line(one.title or one.url), "bold")
        name.append(f"  {one_line(one.folder)}" if one.folder else "", "not bold dim")
        if one.last_error and health(one) in ("trouble", "muted"):
            times = f" ({one.failures} times in a row)" if one.failures > 1 else ""
            name.append(f"\n{one_line(one.last_error)}{times}", "not bold")
        read = f"{age(one.last_fetched, now)} ago" if one.last_fetched else "never"
        table.add_row(Text(str(one.id), "cyan"), Text(mark, style), name, str(one.items), read, _next_try(one, now))
    return table


def _next_try(one: Source, now: datetime) -> str:
    if one.muted:
        return "–"
    if one.next_try is None or one.next_try <= now:
        return "due"
    return f"in {age(now, one.next_try)}"


def interests(all_of_them: Sequence[Interest]) -> Table:
    table = plain("id", "weight", "interest")
    table.columns[0].justify = table.columns[1].justify = "right"
    for one in all_of_them:
        text = Text("not: " if one.weight < 0 else "", "bold").append(one_line(one.text), "not bold")
        table.add_row(Text(str(one.id), "cyan"), f"{one.weight:+g}", text)
    return table


def knowledge(all_of_them: Sequence[Known]) -> Table:
    """One line a concept: how much it counts, its names, what lies around it and which interests care about it."""
    table = plain("care", "concept")
    table.columns[0].justify = "right"
    for one in all_of_them:
        text = Text(one_line(one.concept.label), "bold")
        text.append(f"  {one_line(one.concept.gloss, 60)}" if one.concept.gloss else "", "not bold dim")
        for name, said in (
            ("also", one.concept.called[1:]),
            ("below", one.concept.broader),
            ("above", one.narrower),
            ("beside", one.concept.related),
            ("told by", one.concept.context),
            ("your interest", one.interests),
        ):
            text.append(f"\n{name}: {one_line(', '.join(said), 200)}" if said else "", "not bold")
        if one.ambiguous and not one.care and one.concept.care is None:
            text.append("\none of several senses of its name; no interest says which", "not bold dim")
        table.add_row(signed(one.care) if one.care else "", text)
    return table


def topics(choice: Choice, lately: Trends) -> Group:
    """One line a topic, and how many items of the last 30 days it has."""
    count = {line.name: line.total for line in lately.topics}
    largest = max(count.values(), default=0)
    table = plain("items", "", "topic")
    table.columns[0].justify = "right"
    for name in choice.names:
        many = count.get(name, 0)
        table.add_row(str(many), Text(bar(many, largest, 12), "green"), one_line(name))
    clear = f"{sum(count.values())} of the {lately.total} items of the last 30 days have a clear topic"
    return Group(table, Text(f"{clear}; classifier: {clean(choice.model)}" if choice.model else clear))


def trends(one: Trends) -> Group:
    """Feelings a period, then a line a topic with its counts as a row of bars."""
    said = plain("from", "items", "negative", "neutral", "positive", "", "polarity")
    for column in (*said.columns[1:5], said.columns[6]):
        column.justify = "right"
    most = max(one.items)
    for number, start in enumerate(one.starts):
        if one.items[number] or one.days > 1:
            feelings = (str(one.feelings[name][number]) for name in SENTIMENTS)
            mean = _mean(one.polarity[number])
            drawn = Text(bar(one.items[number], most, 12), "green")
            said.add_row(f"{start:%Y-%m-%d}", str(one.items[number]), *feelings, drawn, mean)
    about = plain("topic", "items", f"since {one.starts[0]:%Y-%m-%d}", "polarity")
    about.columns[1].justify = about.columns[3].justify = "right"
    for line in one.topics:
        drawn = Text(skyline(line.counts), "green")
        about.add_row(one_line(line.name), str(line.total), drawn, _mean(line.polarity))
    told = sum(sum(counts) for counts in one.feelings.values())
    clear = sum(line.total for line in one.topics)
    note = f"Of {one.total} items {told} have a clear feeling, {clear} a clear topic; the polarity is the mean of all."
    return Group(said, Text(), about, Text(), Text(note, "dim"))


def _mean(polarity: float | None) -> str:
    return "" if polarity is None else signed(polarity)


def senses(found: Sequence[Sense]) -> Table:
    """The senses of a word, numbered."""
    table = plain("", "sense")
    for number, one in enumerate(found, 1):
        text = Text(one_line(one.gloss, 160), "bold")
        for name, said in (("names", one.names), ("below", one.broader), ("above", one.narrower[:12])):
            text.append(f"\n{name}: {one_line(', '.join(said), 200)}" if said else "", "not bold")
        table.add_row(Text(str(number), "cyan"), text)
    return table


def rules(all_of_them: Sequence[Rule]) -> Table:
    table = plain("id", "rule")
    table.columns[0].justify = "right"
    for one in all_of_them:
        table.add_row(Text(str(one.id), "cyan"), one_line(str(one)))
    return table


def quotas(all_of_them: Sequence[Constraint]) -> Table:
    table = plain("", "quota")
    table.columns[0].justify = "right"
    for number, one in enumerate(all_of_them, 1):
        table.add_row(Text(str(number), "cyan"), one_line(str(one)))
    return table


def fetched(done: Sequence[Fetched]) -> Group:
    """What was read: totals, and a line for every source with something left out."""
    lines = []
    for one in done:
        if one.problems:
            more = f" and {len(one.problems) - 1} more" if len(one.problems) > 1 else ""
            name, problem = one_line(one.source.title or one.source.url), one_line(one.problems[0])
            lines.append(Text(f"{'' if problem.startswith(name) else f'{name}: '}{problem}{more}"))
    read = sum(one.error is None for one in done)
    totals = [f"{read} of {len(done)} sources read", f"{sum(one.new for one in done)} new items"]
    totals += [f"{changed} changed"] if (changed := sum(one.changed for one in done)) else []
    totals += [f"{unchanged} unchanged"] if (unchanged := sum(one.not_modified for one in done)) else []
    return Group(*lines, Text(", ".join(totals)))


def profile(one: ProfileSummary) -> Group:
    """What was learned, in words a person can check."""
    parts: list[Table | Text] = []
    if one.interests:
        table = plain("id", "weight", "interest, and the words that your history gave it", "claims")
        table.columns[0].justify = table.columns[1].justify = table.columns[3].justify = "right"
        table.columns[2].ratio = 1
        for interest in one.interests:
            text = Text(one_line(interest.text), "bold").append(
                f"\n{one_line(', '.join(interest.words)) or '(nothing yet)'}", "not bold"
            )
            table.add_row(Text(str(interest.id), "cyan"), f"{interest.weight:+g}", text, str(interest.items))
        parts.append(table)
    else:
        parts.append(Text('No interests yet: attention interests add "what you care about"\n'))
    acts = ", ".join(f"{count} {sign}" for sign, count in one.acts.items())
    parts.append(Text(f"What you did: {acts or 'nothing yet'}"))
    if one.sources:
        table = plain("source", "liked", "disliked")
        for title, liked, disliked in one.sources:
            table.add_row(one_line(title), str(liked), str(disliked))
        parts.append(table)
    if isfinite(one.line):
        parts.append(Text(f"Items below {signed(one.line)} go to the tray."))
    return Group(*parts)


def accounts(all_of_them: Sequence[Account], now: datetime) -> Table:
    table = plain("name", "reader", "", "signed in")
    for one in all_of_them:
        last = f"{age(one.last_sign_in, now)} ago" if one.last_sign_in else "never"
        table.add_row(Text(one_line(one.name), "bold"), one_line(one.reader), "owner" if one.is_owner else "", last)
    return table


def doctor(checks: Sequence[Check]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for check in checks:
        mark = Text("! look", "red") if check.advice else Text("✓ ok", "green")
        state = Text(clean(check.state)).append(f"\n{clean(check.advice)}" if check.advice else "", "bold")
        table.add_row(mark, check.name, state)
    return table


def plain(*headers: str) -> Table:
    """A table with a line under its headers and no other lines."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table
