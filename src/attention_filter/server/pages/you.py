"""How well do I know you: measured on the reader's own history, and the questions whose answers would teach most."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.server import wording
from attention_filter.server.site import Me, Mine, is_fragment, render, site
from attention_filter.server.work import ask
from attention_filter.store.jobs import Job, State
from attention_filter.types import Sign

router = APIRouter()
MEASURE = "measure"  # the kind of job
QUESTIONS = 5
ANSWERED = "answered"  # the state that the last answers are kept in, to be shown and undone
SIGNS = {"like": Sign.LIKE, "not": Sign.DISLIKE}


@router.get("/you")
def you(request: Request, mine: Mine, who: Me) -> HTMLResponse:
    """What was measured last; while it is measured anew, how far that is."""
    from attention_filter.insight import FEWEST, finding  # scikit-learn, which only this page needs
    from attention_filter.insight_page import drawing

    job = _job(request, who.reader)
    if is_fragment(request) and job is not None and job.state != State.FAILED:
        return render(request, "_measuring.html", job=job)
    known = mine.known()
    liked = sum(act.sign in (Sign.LIKE, Sign.SAVE, Sign.READ) for act in mine.store.feedback())
    response = render(
        request,
        "you.html",
        job=job,
        one=known[0] if known else None,
        at=known[1] if known else None,
        finding=finding(known[0]) if known else None,
        drawn=drawing(known[0]) if known else None,
        liked=liked,
        fewest=FEWEST,
        terms=wording.TERMS,
    )
    if is_fragment(request):  # it is done: show the whole page anew
        response.headers["HX-Refresh"] = "true"
    return response


@router.post("/you")
def measure(request: Request, mine: Mine, who: Me) -> Response:
    here = site(request)
    ask(here.store, MEASURE, who.reader, here.clock())
    return RedirectResponse("/you", 303)


async def answers_of(request: Request) -> dict[str, str]:
    form = await request.form(max_fields=2 * QUESTIONS, max_files=0)
    return {name: value for name, value in form.items() if isinstance(value, str)}


@router.get("/ask")
def questions(request: Request, mine: Mine) -> HTMLResponse:
    return render(request, "ask.html", asked=mine.ask(QUESTIONS))


@router.post("/ask")
def answer(mine: Mine, given: Annotated[dict[str, str], Depends(answers_of)]) -> Response:
    """A field a question, named by its item: like, not, or nothing."""
    answers = {int(item): SIGNS[value] for item, value in given.items() if item.isdecimal() and value in SIGNS}
    if not answers:
        return RedirectResponse("/ask", 303)
    acts, moved = mine.answer(answers)
    told = {"acts": [one.id for one in acts], "rose": moved.rose, "out": moved.out, "into": moved.into}
    mine.store.put_state(ANSWERED, json.dumps(told).encode())
    return RedirectResponse("/ask/changed", 303)


@router.get("/ask/changed")
def changed(request: Request, mine: Mine) -> HTMLResponse:
    """What the last answers changed."""
    told = json.loads(mine.store.get_state(ANSWERED) or b"null") or {"acts": [], "rose": [], "out": 0, "into": 0}
    items = {item.id: item for item in mine.store.items([item for item, _, _ in told["rose"]])}
    rose = [(items[item], before, after) for item, before, after in told["rose"]]
    return render(request, "changed.html", acts=told["acts"], rose=rose, out=told["out"], into=told["into"])


@router.post("/ask/undo")
def undo(mine: Mine) -> Response:
    told = json.loads(mine.store.get_state(ANSWERED) or b"null")
    mine.take_back(told["acts"] if told else [])
    mine.store.put_state(ANSWERED, b"null")
    return RedirectResponse("/ask", 303)


def _job(request: Request, reader: str) -> Job | None:
    """The reader's measurement that waits, runs or failed last; None when there is none, or it is done."""
    jobs = site(request).store.jobs.listed(list(State), reader=reader)
    mine = [job for job in jobs if job.kind == MEASURE and job.reader == reader]
    return mine[0] if mine and mine[0].state != State.DONE else None
