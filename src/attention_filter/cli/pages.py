"""A ranked list, one item, and why it stands where it stands, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import exp, log
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule as Line
from rich.table import Table
from rich.text import Text

from attention_filter.cli.drawing import bar, clean, highlighted, one_line, signed
from attention_filter.digest import age
from attention_filter.personal.levels import NAMES
from attention_filter.personal.ranking import LABELS
from attention_filter.types import Item, Level, Ranked, Rule, Sign
from attention_filter.why import adding_up

if TYPE_CHECKING:
    from attention_filter.audit import Promise
    from attention_filter.listing import Asked
    from attention_filter.store.search import Hit
    from attention_filter.today import Today
    from attention_filter.why import Carrier, Explanation

SHOWN_CARRIERS = 8
STRONGEST_WORDS = 5
NOT_FROM_HISTORY = ("fresh", "source", "popular", "knowledge", "rules", "fallback")
# A term where a list has room for a few words only.
SHORT = {
    "interests": "your interests",
    "themes": "its theme",
    "topics": "its topic",
    "near": "close to what you liked",
    "said": "what you said",
    "fresh": "its age",
    "source": "rare source",
    "popular": "popular",
    "knowledge": "your concepts",
    "rules": "your rules",
    "fallback": "a simple ranking",
}


COLOURS = {Level.HIGH: "green", Level.WORTH: "cyan", Level.MAYBE: "", Level.NO: "dim"}


def in_colour(console: Console) -> bool:
    """Whether a coloured ground would be seen."""
    return console.color_system is not None and not console.no_color


def ranked_list(items: Sequence[Ranked], now: datetime, language: str) -> Table:
    """The items, best first: id, bar, level, chance, title; below it source, age, language, interest, reason."""
    largest = max((abs(one.score) for one in items), default=0.0)
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, min_width=4)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for one in items:
        about = Text(one_line(one.item.entry.title) or "(no title)", "bold")
        about.append("\n")
        about.append(" · ".join(_below(one, now, language)), "not bold dim")
        table.add_row(
            Text(str(one.item.id), "cyan"),
            Text(bar(one.score, largest, 6), "green"),
            level(one.level),
            "" if one.probability is None else chance(one.probability),
            about,
        )
    return table


def today(page: Today, now: datetime, language: str) -> Group:
    """The page of the day: a tick, id, level, chance, title; below it why it is there; and how the page ends."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True, min_width=4)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for one in page.page:
        done = one.item.id in page.acts
        about = Text(one_line(one.item.entry.title) or "(no title)", "dim" if done else "bold")
        parts = [*origin(one.item, now, language), *_placed(one)]
        about.append(f"\n{one_line(str(one.because))}\n{' · '.join(parts)}", "not bold dim")
        table.add_row(
            Text("✓" if done else " ", "green"),
            Text(str(one.item.id), "cyan"),
            level(one.level),
            "" if one.probability is None else chance(one.probability),
            about,
        )
    came = f" {page.new} of them came after this page was made: attention today --more" if page.new else ""
    return Group(table, Text(), Text(str(page), "bold"), *([Text(came.strip(), "dim")] if came else []))


def level(one: Level | None) -> Text:
    """How much an item promises, as a word."""
    return Text(NAMES[one], COLOURS[one]) if one else Text()


def question(one: Asked, place: str, now: datetime, language: str) -> Group:
    """An item to rate: which of how many, its title and origin, and why it is asked."""
    title = Text.assemble((f"{one.ranked.item.id:>4} ", "cyan"), (one_line(one.ranked.item.entry.title), "bold"))
    about = " · ".join([place, *origin(one.ranked.item, now, language)])
    return Group(title, Padding(Text(f"{about}\n{why_asked(one)}", "dim"), (0, 0, 0, 5)))


def why_asked(one: Asked) -> str:
    """In words: what the filter would guess, how sure it is, and what the answer is good for.

    The chance is that of the item as it stands; "could be … to …" is one deviation of its score to either side.
    """
    chance = min(max(one.chance, 1e-6), 1 - 1e-6)  # a boost by a rule may make it certain
    odds = log(chance / (1 - chance))
    low, high = (1 / (1 + exp(-(odds + side * one.doubt))) for side in (-1, 1))
    settles = f"{100 * one.settles:.0f} %" if one.settles >= 0.01 else "less than 1 %"
    return (
        f"I guess you want it with {100 * one.chance:.0f} % (could be {100 * low:.0f} to {100 * high:.0f}); "
        f"your answer settles {settles} of what is open about {one.unread} unread items"
    )


def _below(one: Ranked, now: datetime, language: str) -> list[str]:
    """What stands below a title."""
    parts = [*origin(one.item, now, language), *_placed(one)]
    parts += ["pinned by your rule"] if one.pinned else []
    parts += [f"“{one_line(one.interest, 30)}”"] if one.interest else []
    if one.tray:
        parts.append(one_line(str(one.tray)))
    elif (reason := one.main_reason) and reason.term != "fallback":  # which the list says once, below
        about = f" “{one_line(reason.detail, 40)}”" if reason.detail and reason.detail != one.interest else ""
        parts.append(f"{SHORT.get(reason.term, reason.term)}{about} {signed(reason.value)}")
    return parts


def _placed(one: Ranked) -> list[str]:
    """What is folded under an item, and why it stands where it stands."""
    parts = [f"+{len(one.story)} in this story"] if one.story else []
    parts += [one_line(one.moved)] if one.moved else []
    return [*parts, f"adds to what you read: “{one_line(one.adds_to, 40)}”"] if one.adds_to else parts


def origin(item: Item, now: datetime, language: str = "") -> list[str]:
    """Source, age, what it is about and how it feels where that is clear, and its language when not the reader's."""
    parts = [one_line(item.source_title, 24), age(item.date, now)]
    parts += [one_line(item.topic, 24)] if item.topic else []
    parts += [item.sentiment] if item.sentiment in ("negative", "positive") else []
    return [*parts, item.entry.lang] if item.entry.lang not in ("und", language) else parts


def whole_item(item: Item, act: Sign | None, now: datetime) -> Group:
    """The item's clean text, with where it comes from."""
    entry = item.entry
    lines = [" · ".join([*origin(item, now, "und"), f"{item.date.astimezone():%Y-%m-%d %H:%M}"])]
    lines += [f"by {one_line(', '.join(entry.authors))}"] if entry.authors else []
    lines += [f"tags: {one_line(', '.join(entry.tags))}"] if entry.tags else []
    if item.polarity is not None:
        lines.append(f"feels {item.sentiment or 'neither clearly good nor bad'} (polarity {signed(item.polarity)})")
    lines += [clean(entry.url)] if entry.url else []
    lines += [f"you: {act}"] if act else []
    title = Text.assemble((f"{item.id} ", "cyan"), (one_line(entry.title) or "(no title)", "bold"))
    text = clean(entry.text).strip() or "(no text; follow the link)"
    return Group(title, Text("\n".join(lines), "dim"), Text(), Text(text))


def hits(found: Sequence[Hit], now: datetime, language: str) -> Group:
    """What a search found, with the words marked where they stand."""
    parts: list[RenderableType] = []
    for hit in found:
        title = Text.assemble((f"{hit.item.id:>4} ", "cyan"), (one_line(hit.item.entry.title) or "(no title)", "bold"))
        title.append(f"  {' · '.join(origin(hit.item, now, language))}", "dim")
        snippet = Text()
        done = 0
        for start, end in hit.marks:
            if start >= done:
                snippet.append(_flat(hit.snippet[done:start]))
                snippet.append(_flat(hit.snippet[start:end]), "bold underline")
                done = end
        snippet.append(_flat(hit.snippet[done:]))
        parts += [title, Padding(snippet, (0, 0, 0, 5))]
    return Group(*parts)


def _flat(text: str) -> str:
    return clean(text).replace("\n", " ")


def explanation(one: Explanation, rules: Sequence[Rule], of_rules: int, now: datetime, colour: bool) -> Group:
    """Everything about a score: terms, what carried it, words, rules, and what would change it."""
    head = Text.assemble(
        (f"{one.ranked.item.id} ", "cyan"), (one_line(one.ranked.item.entry.title) or "(no title)", "bold")
    )
    away = one.ranked.tray
    place = f"place {one.rank} of {one.of}" if away is None else f"in the tray: {one_line(str(away))}"
    likely = [] if one.ranked.probability is None else [f"{chance(one.ranked.probability)} that you want it"]
    parts: list[RenderableType] = [head, Text(" · ".join([*origin(one.ranked.item, now), place, *likely]), "dim")]
    parts += _section("What makes up its score", _terms(one.ranked))
    if one.carriers:
        parts += _section("What you did and said that carried it", _carried(one))
    if one.words:
        text = highlighted(one.text, [(w.start, w.end, w.value) for w in one.words], colour)
        parts += _section("Its words (marked: those that carried most)", Group(text, Text(), _word_sum(one)))
    if one.concepts:
        parts += _section("What your concepts say of it", _concepts(one))
    if of_rules:
        parts += _section("Your rules", _rules(rules, of_rules))
    if one.changes:
        parts += _section("What would change it", _changes(one))
    return Group(*parts)


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(f"\n{title}", "bold"), Padding(body, (0, 0, 0, 2))]


def sum_table(rows: Sequence[tuple[str, float, str]], total: float, name: str) -> Table:
    """Named parts with signed bars, and the sum that the shown numbers add up to."""
    table = Table.grid(padding=(0, 1))
    table.add_column(max_width=46, overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    largest = max((abs(value) for _, value, _ in rows), default=0.0)
    for (what, value, detail), shown in zip(rows, adding_up([v for _, v, _ in rows], total), strict=True):
        table.add_row(one_line(what), Text(bar(value, largest), "green"), signed(shown), Text(detail, "dim"))
    table.add_row(Line(style="dim"), Line(style="dim"), Line(style="dim"))
    table.add_row(Text(name, "bold"), "", Text(signed(total), "bold"))
    return table


def _terms(one: Ranked) -> Table:
    rows = [
        (
            LABELS.get(reason.term, reason.term),
            reason.value,
            f"“{one_line(reason.detail, 40)}”" if reason.detail else "",
        )
        for reason in one.reasons
    ]
    return sum_table(rows, one.score, "score")


def _carried(one: Explanation) -> Table:
    shown, others = one.carriers[:SHOWN_CARRIERS], one.carriers[SHOWN_CARRIERS:]
    rows = [(carrier_name(carrier), carrier.value, "") for carrier in shown]
    if others:
        rows.append((f"{len(others)} others", sum(carrier.value for carrier in others), ""))
    if one.ordinary:
        rows.append(("unlike ordinary items", one.ordinary, ""))
    rows.append(("less what a usual item has from them", one.baseline, ""))
    rest = [reason for reason in one.ranked.reasons if reason.term in NOT_FROM_HISTORY]
    rows.append((", ".join(LABELS[reason.term] for reason in rest), sum(reason.value for reason in rest), ""))
    return sum_table(rows, one.ranked.score, "score")


def carrier_name(carrier: Carrier, most: int = 32) -> str:
    """What a person would call it: an interest, or an act on an item."""
    name = f"“{one_line(carrier.name, most)}”"
    return f"interest {name}" if carrier.sign is None else f"{carrier.sign} of {carrier.key} {name}"


def _word_sum(one: Explanation) -> Text:
    by_word: dict[str, float] = {}
    for word in one.words:
        name = clean(one.text[word.start : word.end]).casefold()
        by_word[name] = by_word.get(name, 0.0) + word.value
    strongest = sorted(by_word.items(), key=lambda pair: -abs(pair[1]))[:STRONGEST_WORDS]
    named = ", ".join(f"{name} {signed(value)}" for name, value in strongest)
    words = sum(word.value for word in one.words)
    carried = sum(carrier.value for carrier in one.carriers)
    shown = adding_up([words, one.rest], carried)
    return Text(
        f"strongest: {named}\n"
        f"{len(one.words)} words {signed(shown[0])}, the rest of the text {signed(shown[1])}; "
        f"what you did and said {signed(carried)}"
    )


def _concepts(one: Explanation) -> Table:
    rows = [(str(part), part.value, "") for part in one.concepts]
    return sum_table(rows, sum(part.value for part in one.concepts), LABELS["knowledge"])


def _rules(holding: Sequence[Rule], of_rules: int) -> Text:
    if not holding:
        return Text(f"none of your {of_rules} holds for it")
    return Text("\n".join(f"rule {rule.id} holds: {one_line(str(rule))}" for rule in holding))


def _changes(one: Explanation) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text("as it is", "dim"), signed(one.ranked.score), f"place {one.rank}")
    for change in one.changes:
        table.add_row(one_line(change.what, 52), signed(change.score), f"place {change.rank}")
    return table


def promise(count: int, shown: int, keep: float) -> str:
    """What the reader may rely on, and how an item comes back."""
    return (
        f"{count} items lie in the tray, {shown} shown. You are promised {percent(keep)} of what you would read; "
        f"attention tray audit checks that. Nothing is deleted: attention search looks here too, attention like ID "
        f"brings its kind back."
    )


def promise_state(one: Promise) -> str:
    """Whether the promise is kept, as far as the audits can tell, and what would make it clearer."""
    said = f"Promised: {percent(one.keep)} of what you would read stays in the stream."
    if not one.tray:
        return f"{said} Nothing lies below your line, so it is kept."
    if not one.looked:
        return f"{said} Not audited yet; attention tray audit draws random items of the {one.tray} in the tray."
    were = "was wrongly there" if one.found == 1 else "were wrongly there"
    lines = [
        said,
        f"Of {one.looked} audited, {one.found} {were}: between {percent(one.away.low)} and {percent(one.away.high)} "
        f"of the {one.tray} in the tray.",
        f"You read or would read about {one.wanted:.0f} in the stream; so between {percent(one.kept.low)} and "
        f"{percent(one.kept.high)} of what you would read stays there.",
    ]
    if one.proven:
        lines.append("The promise is kept.")
    elif one.proven is False:
        lines.append("The promise is broken. What you marked moves the line; a higher promise moves it further.")
    elif one.more is None:
        lines.append("That is too little to tell, and the tray is too large beside it for any audit to prove.")
    else:
        lines.append(f"That is too little to tell; {one.more} more without a find would prove it.")
    return "\n".join(lines)


def percent(share: float) -> str:
    """A share, with a digit after the point where that says more.

    >>> percent(0.95), percent(0.004), percent(0.999), percent(1.0)
    ('95 %', '0.4 %', '99.9 %', '100 %')
    """
    hundredths = 100 * share
    exact = 0 < hundredths < 10 or 99 < hundredths < 100
    return f"{hundredths:.1f} %".replace(".0 %", " %") if exact else f"{hundredths:.0f} %"


def chance(probability: float) -> str:
    """A probability, which is never certain.

    >>> chance(0.824), chance(0.999), chance(0.002)
    ('82 %', '>99 %', '<1 %')
    """
    hundredths = round(100 * probability)
    return ">99 %" if hundredths == 100 else "<1 %" if hundredths == 0 else f"{hundredths} %"


def ranked_by(items: Sequence[Ranked]) -> str:
    """Says so when not the filter but a simple ranking ordered the list."""
    reasons = [reason for one in items for reason in one.reasons if reason.term == "fallback"]
    if not reasons:
        return ""
    return (
        f"Ranked by “{reasons[0].detail}”, which did better than the filter on your own history "
        "(attention evaluate me shows it)."
    )
