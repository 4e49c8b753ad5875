"""What a reader does with items: one act, a batch of them, and undo."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.server import lanes, wording
from attention_filter.server.site import Mine, back, is_fragment, render, site, spoken
from attention_filter.types import Feedback, Sign

router = APIRouter()
TITLE = 60  # characters of a title that a toast repeats


@router.post("/item/{item}/act")
def act(request: Request, mine: Mine, item: int, sign: Annotated[Sign, Form()]) -> Response:
    """Do it, or take it back when it stands already."""
    with mine.store.snapshot() as now:
        title, acts = _short(now.item(item).entry.title), now.acts_on([item])
    if lanes.done_with(acts).get(item, lanes.Done()).has(sign):
        # Of the opinions all go, so that taking back a like never uncovers a dislike from before.
        groups = (lanes.OPINIONS, (Sign.READ, Sign.SKIP), (Sign.SAVE,))
        group = next(one for one in groups if sign in one)
        mine.take_back([one.id for one in acts if one.sign in group])
        again: dict[str, Any] = {"undo_at": f"/item/{item}/act", "undo_with": {"sign": sign}}
        return _answer(request, mine, [item], wording.UNDID[sign], {"title": title}, again)
    (added,) = mine.act([item], sign)
    return _answer(request, mine, [item], wording.DID[sign], {"title": title}, _undo([added]))


@router.post("/mark")
def mark(request: Request, mine: Mine, ids: Annotated[str, Form(max_length=40_000)]) -> Response:
    """Mark a list as read: what nobody touched counts as skipped, and so do its near-duplicates.

    Those of an item that something was done with count as read: they tell what it told.
    """
    wanted = _numbers(ids)
    standing = site(request).shelf.look(mine.store)
    stories = {lead: standing.place_of[lead].story for lead in wanted if lead in standing.place_of}
    others = [one for story in stories.values() for one in story]
    done = lanes.done_with(mine.store.acts_on([*wanted, *others]))
    told = [one for lead, story in stories.items() if lead in done for one in story if one not in done]
    skipped = [one for one in [*wanted, *others] if one not in done and one not in set(told)]
    at = mine.clock()
    acts = mine.act(list(dict.fromkeys(skipped)), Sign.SKIP, at) if skipped else []
    acts += mine.act(list(dict.fromkeys(told)), Sign.READ, at) if told else []
    return _answer(request, mine, wanted, "{n} marked as read, counted as skipped", {"n": len(acts)}, _undo(acts))


@router.post("/undo")
def undo(request: Request, mine: Mine, acts: Annotated[str, Form(max_length=40_000)] = "") -> Response:
    """Take back these acts, or what was done last."""
    taken = mine.take_back(_numbers(acts)) if acts else mine.undo_together()
    items = list(dict.fromkeys(one.item for one in taken))
    if len(items) == 1:
        title = _short(mine.item(items[0]).entry.title)
        return _answer(request, mine, items, "Taken back: “{title}”", {"title": title}, {})
    said = "{n} acts taken back" if taken else "There is nothing to take back."
    return _answer(request, mine, items, said, {"n": len(taken)}, {})


def _undo(acts: list[Feedback]) -> dict[str, Any]:
    return {"undo_at": "/undo", "undo_with": {"acts": ",".join(str(one.id) for one in acts)}} if acts else {}


def _answer(
    request: Request, mine: Filter, items: list[int], said: str, values: dict[str, Any], undo: dict[str, Any]
) -> Response:
    """The buttons of these items as they are now and a toast; without htmx, back to where the form was.

    Ranking anew is asked for at once, so that the page can offer it.
    """
    site(request).shelf.look(mine.store)
    if not is_fragment(request):
        where = back(request, "/").headers["location"]
        return RedirectResponse(f"{where}#item-{items[0]}" if len(items) == 1 else where, 303)
    done = lanes.done_with(mine.store.acts_on(items))
    message = spoken(request, request.state.wishes).say(said, **values)
    buttons = [(item, done.get(item, lanes.Done())) for item in items]
    return render(request, "_acted.html", buttons_of=buttons, message=message, **({"undo_at": ""} | undo))


def _numbers(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(one) for one in text.split(",") if one.strip()))
    except ValueError:
        raise UsageError(f"{text[:40]!r}: is no list of numbers; go back and try again") from None


def _short(title: str) -> str:
    return title if len(title) <= TITLE else title[: TITLE - 1].rstrip() + "…"
