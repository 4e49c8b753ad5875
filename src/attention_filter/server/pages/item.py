"""One item: its text, why it stands where it stands, and what would make more or less of its kind come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.models.passages import sentences
from attention_filter.personal.rules import applies
from attention_filter.repeats import said
from attention_filter.server import lanes, wording
from attention_filter.server.dress import Fold, along, classes, dress, dress_plain, pictures_in
from attention_filter.server.language import Language
from attention_filter.server.pages import images
from attention_filter.server.site import Mine, back, is_fragment, render, site, spoken
from attention_filter.store.store import Store
from attention_filter.types import Feedback, Item, Reason, Rule, RuleAction, Sign
from attention_filter.why import Explanation, Word, adding_up
from attention_filter.words import CJK

_RUN = re.compile(rf"[{CJK}]+")

router = APIRouter()
SHOWN_CARRIERS = 8
SHOWN_WORDS = 6
MORE, LESS = 1.0, -1.0  # what a boost from this page adds to a score, in σ
ALIKE = 0.4  # of what one piece of a run of Chinese carries, what its neighbour has to, to be of the same word
STEP = 1.5  # by what an interest's weight is multiplied or divided
NOT_FROM_HISTORY = ("fresh", "source", "popular", "knowledge", "rules", "fallback")


@router.get("/item/{item}")
def show(request: Request, mine: Mine, item: int) -> HTMLResponse:
    """The item; opening it marks it as read, unless more was done with it, or a browser only looks ahead."""
    with mine.store.snapshot() as now:
        found, acts, liked = _read(now, item)
    done = lanes.done_with(acts).get(item, lanes.Done())
    ahead = "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.state.wishes.open_marks_read and not ahead and not done.saved and done.opinion is None:
        if not any(act.sign is Sign.READ for act in acts):
            acts += mine.act([item], Sign.READ)
        done = lanes.done_with(acts)[item]
    return render(request, "item.html", **_page(request, mine, found, done, liked), one=None)


@router.get("/item/{item}/why")
def why(request: Request, mine: Mine, item: int) -> HTMLResponse:
    """The panel and the text with its words marked; without htmx, in the whole page."""
    explained = mine.why(item, with_own_act=False)
    with mine.store.snapshot() as now:
        found, acts, liked = _read(now, item)
    context = _why(mine, found, explained, spoken(request, request.state.wishes))
    done = lanes.done_with(acts).get(item, lanes.Done())
    page = _page(request, mine, found, done, liked, explained)
    return render(request, "_why.html" if is_fragment(request) else "item.html", **page, **context)


Liked = dict[str | None, tuple[int, int]]


def _read(store: Store, item: int) -> tuple[Item, list[Feedback], Liked]:
    """The item, what was done with it, and how its source and authors were liked."""
    found = store.item(item)
    return found, store.acts_on([item]), store.liked(found.source, found.entry.authors)


def _page(
    request: Request, mine: Filter, item: Item, done: lanes.Done, liked: Liked, explained: Explanation | None = None
) -> dict[str, Any]:
    """What both pages show of the item."""
    entry = item.entry
    kept = site(request).lists.find(mine.store.reader, request.query_params.get("list", ""))
    before, after = kept.beside(item.id) if kept else (None, None)
    wishes = request.state.wishes
    home = "/"
    if kept and (place := kept.place_of(item.id)) is not None:
        upto, usual = place + 1, "time" if kept.choice.lane == "saved" else wishes.order
        home = f"{lanes.address(kept.choice, usual, list=kept.name, upto=upto)}#item-{item.id}"
    wanted = wishes.images or request.query_params.get("images") == "1"
    title_marks, marks = _marks(item, explained) if explained else ([], [])
    picture = (lambda url: images.address(mine, url)) if wanted else None
    fold = Fold(spoken(request, wishes).say("Repeated in the items of this source"), item.left_out)
    body = dress(entry.html, marks=marks, text=entry.text, picture=picture, fold=fold) if entry.html else ""
    return {
        "item": item,
        "done": done,
        "title": dress_plain(entry.title, title_marks),
        "body": body,
        "plain": "" if body else dress_plain(entry.text, marks),
        "pictures": 0 if wanted else pictures_in(entry.html),
        "list": kept.name if kept else "",
        "home": home,
        "before": before,
        "after": after,
        "liked": liked,
    }


def _marks(item: Item, explained: Explanation) -> tuple[list[str], list[str]]:
    """The classes of the characters of title and text; the words were weighed in a passage of the two."""
    entry, passage = item.entry, explained.text
    found = classes(len(passage), explained.words)
    title = " ".join(entry.title.split())
    begins = len(title) if passage.startswith(title) else 0
    text = along(found[begins:], passage[begins:], sentences(said(entry.text, item.left_out)), entry.text)
    return (found[:begins] if title == entry.title else []), text


def _why(mine: Filter, item: Item, one: Explanation, lang: Language) -> dict[str, Any]:
    """The sums of the panel, each rounded so that what is shown adds up."""
    score = one.ranked.score
    reasons = [(wording.term(lang.say, r.term), r.value, _about(r, one.ranked.interest)) for r in one.ranked.reasons]
    shown, others = one.carriers[:SHOWN_CARRIERS], one.carriers[SHOWN_CARRIERS:]
    carried = [(wording.carrier(lang.say, c), c.value, f"/item/{c.key}" if c.key > 0 else "/interests") for c in shown]
    if others:
        many = lang.count("{n} more thing you did", "{n} more things you did", len(others))
        carried.append((many, sum(c.value for c in others), ""))
    carried += [(lang.say("What tells it from ordinary items"), one.ordinary, "")] if one.ordinary else []
    carried.append((lang.say("Less what a usual item gets from them"), one.baseline, ""))
    rest = [r for r in one.ranked.reasons if r.term in NOT_FROM_HISTORY]
    carried.append((lang.say(", ").join(wording.term(lang.say, r.term) for r in rest), sum(r.value for r in rest), ""))
    interests = {known.text: known for known in mine.interests()}
    return {
        "one": one,
        "reasons": _sum(reasons, score),
        "carried": _sum(carried, score) if one.carriers else [],
        "strongest": _strongest(one),
        "interest": interests.get(one.ranked.interest or ""),
        "holding": [rule for rule in mine.rules() if applies(rule, item, mine.clock())],
    }


def _sum(rows: list[tuple[str, float, str]], total: float) -> list[tuple[str, float, float, str]]:
    """(name, rounded value, length of its bar in [-1, 1], the third of `rows`) of each row."""
    largest = max((abs(value) for _, value, _ in rows), default=0.0) or 1.0
    rounded = adding_up([value for _, value, _ in rows], total)
    return [(name, shown, value / largest, more) for (name, value, more), shown in zip(rows, rounded, strict=True)]


def whole(text: str, words: Sequence[Word]) -> list[Word]:
    """The words in their order, pieces of a run of Chinese put together where they touch and carry much alike.

    >>> whole("开源软件好", [Word(0, 1, 0.9), Word(1, 2, 1.4), Word(2, 4, 2.0), Word(4, 5, 0.1)])
    [Word(start=0, end=4, value=4.3), Word(start=4, end=5, value=0.1)]
    """
    runs: list[list[Word]] = []
    for word in words:
        last = runs[-1][-1] if runs else None
        touch = last is not None and last.end == word.start and _RUN.fullmatch(text[last.start : word.end])
        if last is not None and touch and min(last.value / word.value, word.value / last.value) > ALIKE:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [Word(run[0].start, run[-1].end, sum(word.value for word in run)) for run in runs]


def _strongest(one: Explanation) -> list[tuple[str, float]]:
    by_word: dict[str, float] = {}
    for word in whole(one.text, [word for word in one.words if word.value]):
        name = one.text[word.start : word.end].casefold()
        by_word[name] = by_word.get(name, 0.0) + word.value
    worded = [(name, value) for name, value in by_word.items() if any(map(str.isalnum, name))]
    return sorted(worded, key=lambda pair: -abs(pair[1]))[:SHOWN_WORDS]


def _about(reason: Reason, interest: str | None) -> str:
    """What carried a reason, when that is a title or an interest in the reader's own words, and not said above."""
    named = reason.term not in ("knowledge", "rules", "fallback") and reason.detail != interest
    return reason.detail if named else ""


# More or less like this

Wish = Literal["more", "less", "add", "mute"]


@router.post("/item/{item}/wish")
def wish(
    request: Request,
    mine: Mine,
    item: int,
    what: Annotated[Literal["interest", "source", "author", "word"], Form()],
    how: Annotated[Wish, Form()],
    value: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """More or less of an interest, a source, an author or a word."""
    found = mine.item(item)
    amount = MORE if how == "more" else LESS
    if what == "interest" and how == "add":
        before = {one.text for one in mine.interests()}
        added = mine.add_interest(value)
        undo = {"interest": added.id} if added.text not in before else {}
        return _wished(request, mine, "Added the interest “{name}”", added.text, undo)
    if what == "interest":
        interest = next((one for one in mine.interests() if str(one.id) == value), None)
        if interest is None:
            raise UsageError(f"interest {value}: you have no such interest")
        mine.weigh_interest(interest.id, interest.weight * STEP**amount)
        said = "More of “{name}”" if how == "more" else "Less of “{name}”"
        return _wished(request, mine, said, interest.text, {"interest": interest.id, "weight": interest.weight})
    if what == "source" and how == "mute":
        mine.store.set_muted(found.source, True)
        return _wished(
            request, mine, "“{name}” is muted: nothing more is fetched", found.source_title, {"source": found.source}
        )
    name = {"source": found.source_title, "author": value, "word": value}[what].strip()
    made = mine.add_rule(
        Rule(
            0,
            RuleAction.BOOST,
            words=(name,) if what == "word" else (),
            source=name if what == "source" else None,
            author=name if what == "author" else None,
            boost=amount,
        )
    )
    return _wished(request, mine, "More of “{name}”" if how == "more" else "Less of “{name}”", name, {"rule": made.id})


@router.post("/wish/undo")
def undo_wish(
    request: Request,
    mine: Mine,
    rule: Annotated[int | None, Form()] = None,
    interest: Annotated[int | None, Form()] = None,
    weight: Annotated[float | None, Form()] = None,
    source: Annotated[int | None, Form()] = None,
) -> Response:
    """Take a wish back: the rule it made, the interest it added or weighed, the source it muted."""
    if rule is not None:
        mine.remove_rule(rule)
    if interest is not None and weight is not None:
        mine.weigh_interest(interest, weight)
    elif interest is not None:
        mine.remove_interest(interest)
    if source is not None:
        mine.store.set_muted(source, False)
    return _wished(request, mine, "Taken back.", "", {})


def _wished(request: Request, mine: Filter, said: str, name: str, undo: dict[str, Any]) -> Response:
    if not is_fragment(request):
        return RedirectResponse(back(request, "/").headers["location"], 303)
    message = spoken(request, request.state.wishes).say(said, name=name)
    return render(request, "_toast.html", message=message, undo_at="/wish/undo" if undo else "", undo_with=undo)
