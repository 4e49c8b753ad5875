"""What deserves attention: today, read, show, why, search, digest."""

from __future__ import annotations

import locale
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attention_filter.cli.session import (
    AsJson,
    Limit,
    aside,
    find_source,
    hint,
    item_ids,
    opened,
    print_json,
    screen,
    waiting,
    write,
)
from attention_filter.errors import UsageError

if TYPE_CHECKING:
    from attention_filter.app import Filter
    from attention_filter.reading import Selection

PANEL = "Read"
From = Annotated[str | None, typer.Option("--source", "-s", help="Only this source: its id or a part of its title.")]
Since = Annotated[str | None, typer.Option("--since", help="Only items since then: 12h, 2d, yesterday, 2026-11-20.")]
Lang = Annotated[str | None, typer.Option("--lang", help="Only this language: en, zh, …")]
Topic = Annotated[str | None, typer.Option("--topic", help="Only about this: see attention topics.")]
Feels = Annotated[str | None, typer.Option("--sentiment", help="Only negative, neutral or positive ones.")]
Explore = Annotated[
    float | None, typer.Option("--explore", min=0, max=1, help="Share of the places that is given to learn about you.")
]
Variety = Annotated[
    float | None, typer.Option("--variety", min=0, max=1, help="0: alike or not; 1: as unlike as can be.")
]
Which = Annotated[str, typer.Argument(metavar="ID", help="The number before its title.")]


def today(
    ctx: typer.Context,
    more: Annotated[bool, typer.Option("--more", help="Add the next stories to the page.")] = False,
    stories: Annotated[
        int | None, typer.Option("--stories", min=1, max=100, help="Make it anew, of at most so many stories.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=1, help="Make it anew, of what can be read in so many minutes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The stories that deserve your day: a page with an end, each story with its reason.

    It is made once a day and stays as it is; what you act on is ticked off. All that is unread: attention read.
    """
    from attention_filter import documents
    from attention_filter.cli import pages

    with opened(ctx) as filter:
        page = filter.today(more=more, stories=stories, minutes=minutes)
        if as_json:
            print_json(documents.today(page))
        elif page.page:
            screen().print(pages.today(page, filter.clock(), own_language()))
            hint("attention like, dislike, save, hide, seen ID ticks a story off · read shows All · tray what is away")
        else:
            screen().print(_nothing(filter, narrowed=False))


def read(
    ctx: typer.Context,
    limit: Limit = 15,
    source: From = None,
    since: Since = None,
    lang: Lang = None,
    topic: Topic = None,
    sentiment: Feels = None,
    explore: Explore = None,
    variety: Variety = None,
    as_json: AsJson = False,
) -> None:
    """All that is unread and not filtered away, the best first, with reasons.

    A bar shows the score against the best of the list; dotted bars are scores below zero.
    """
    from attention_filter import documents
    from attention_filter.cli import pages

    with opened(ctx) as filter:
        wanted = selection(filter, source, since, lang, topic, sentiment)
        items = filter.stream(limit, wanted, explore, variety)
        if as_json:
            print_json(documents.stream(items))
        elif items:
            screen().print(pages.ranked_list(items, filter.clock(), own_language()))
            if simple := pages.ranked_by(items):
                screen().print(simple)
            hint(f"attention why {items[0].item.id} explains a place · like, dislike, save, hide ID teach the filter")
        else:
            screen().print(_nothing(filter, any((source, since, lang, topic, sentiment))))


def selection(
    filter: Filter,
    source: str | None,
    since: str | None,
    lang: str | None,
    topic: str | None = None,
    sentiment: str | None = None,
) -> Selection:
    """The options as a selection; UsageError for one that makes no sense."""
    from attention_filter.cli import moments
    from attention_filter.personal.rules import SENTIMENTS
    from attention_filter.reading import Selection

    if sentiment is not None and sentiment.lower() not in SENTIMENTS:
        raise UsageError(f"--sentiment {sentiment}: give one of {', '.join(SENTIMENTS)}")
    return Selection(
        source=find_source(filter.store.sources(), source).id if source else None,
        since=moments.since(since, filter.clock().astimezone()) if since else None,
        lang=lang.lower() if lang else None,
        topic=filter.find_topic(topic) if topic else None,
        sentiment=sentiment.lower() if sentiment else None,
    )


def own_language() -> str:
    """The language of the reader's surroundings, which need not be named beside an item."""
    chosen = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    code = locale.normalize(chosen).partition("_")[0].lower()
    return code if len(code) == 2 else "en"


def _nothing(filter: Filter, narrowed: bool) -> str:
    """Why the list is empty, and what to do about it."""
    if not filter.store.sources():
        return "Nothing to read yet: attention add URL, then attention fetch (attention demo shows how it works)"
    if not filter.store.count_items():
        return "Nothing to read yet: attention fetch reads what you follow"
    if narrowed:
        return "No unread item fits; attention read shows all of them"
    return "You have read all there is; attention fetch looks for more, attention tray shows what was filtered away"


def show(ctx: typer.Context, which: Which, as_json: AsJson = False) -> None:
    """An item's text, and where it comes from."""
    from attention_filter import documents
    from attention_filter.cli import pages

    (number,) = item_ids([which])
    with opened(ctx) as filter:
        item = filter.item(number)
        act = next((one.sign for one in filter.store.feedback() if one.item == number), None)
        if as_json:
            print_json(documents.whole_item(item, act))
        else:
            screen().print(pages.whole_item(item, act, filter.clock()))


def why(
    ctx: typer.Context,
    which: Which,
    no_words: Annotated[
        bool, typer.Option("--no-words", help="Leave the words out; they take a second, since they need the model.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Why an item stands where it stands, in numbers that add up."""
    from attention_filter import documents
    from attention_filter.cli import pages
    from attention_filter.personal.rules import applies

    (number,) = item_ids([which])
    with opened(ctx) as filter:
        item, rules = filter.item(number), filter.rules()
        with waiting("Weighing every word"):
            found = filter.why(number, with_words=not no_words)
        holding = [rule for rule in rules if applies(rule, item, filter.clock())]
        if as_json:
            print_json(documents.explanation(found, holding))
        else:
            console = screen()
            colour = pages.in_colour(console)
            console.print(pages.explanation(found, holding, len(rules), filter.clock(), colour))


def search(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS", help='All must occur; "in quotes" one after the other; "sun -moon" without moon.'
        ),
    ],
    limit: Limit = 15,
    as_json: AsJson = False,
) -> None:
    """Find items by their words, also in the tray and among the read."""
    from attention_filter import documents
    from attention_filter.cli import pages

    # Quotes that the shell took away are given back, but around "sun -moon", which is no phrase.
    plain = [" " not in word or '"' in word or " -" in f" {word}" for word in words]
    query = " ".join(word if as_it_is else f'"{word}"' for word, as_it_is in zip(words, plain, strict=True))
    with opened(ctx) as filter:
        found = filter.search(query, limit)
        if as_json:
            print_json(documents.found(query, found))
        elif found:
            screen().print(pages.hits(found, filter.clock(), own_language()))
        else:
            screen().print(f"Nothing found for {query}")


def digest(
    ctx: typer.Context,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML page instead.")] = None,
    limit: Limit = 20,
    source: From = None,
    since: Since = None,
    lang: Lang = None,
    topic: Topic = None,
    sentiment: Feels = None,
    as_json: AsJson = False,
) -> None:
    """The stream to read or send: plain text, or one HTML page."""
    from attention_filter import digest as pages
    from attention_filter import documents
    from attention_filter.cli.drawing import clean

    with opened(ctx) as filter:
        found, now = filter.stream(limit, selection(filter, source, since, lang, topic, sentiment)), filter.clock()
    # A letter keeps to the quotas; in the stream, what they hold back follows at the end.
    items = [one for one in found if not one.held_back]
    if len(items) < len(found):
        aside().print(f"{len(found) - len(items)} held back by your quotas; attention read shows them")
    if as_json:
        print_json(documents.stream(items))
    if html is not None:
        write(html, pages.digest_html(items, title="What deserves your attention", now=now))
        aside().print(f"Wrote {len(items)} items to {html}")
    elif not as_json:
        print(clean(pages.digest_text(items, now)))
