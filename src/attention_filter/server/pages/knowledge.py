"""The reader's concepts: what each counts, the graph as a text to edit, suggestions for a word."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from attention_filter.app import Filter
from attention_filter.errors import AttentionError
from attention_filter.personal.graph import EXAMPLE
from attention_filter.server import undo
from attention_filter.server.site import Mine, render

FILE = "concepts"  # what messages call the text
_LINE = re.compile(rf"^{FILE}:(\d+):\s*")

router = APIRouter()


def _page(request: Request, mine: Filter, status: int = 200, **more: Any) -> HTMLResponse:
    text = mine.export_knowledge()
    context = {
        "problem": "",
        "line": 0,
        "text": text,
        "word": "",
        "senses": (),
        "unsuggested": "",
        "doubts": (),
        **more,
    }
    return render(
        request,
        "knowledge.html",
        status=status,
        known=mine.knowledge(),
        example=EXAMPLE,
        removed=undo.offered(mine.store, "/knowledge", mine.clock()),
        **context,
    )


@router.get("/knowledge")
def knowledge(request: Request, mine: Mine, word: str = "") -> HTMLResponse:
    """The page; with a word, the senses that it may have."""
    if not word.strip():
        return _page(request, mine)
    try:
        return _page(request, mine, word=word, senses=mine.suggest(word.strip()))
    except AttentionError as error:
        return _page(request, mine, word=word, unsuggested=str(error))


@router.post("/knowledge")
def edit(request: Request, mine: Mine, text: Annotated[str, Form()] = "") -> Response:
    """Let the text be the whole graph; a mistake is told with its line, and the text stays as it was typed."""
    try:
        doubts = mine.replace_knowledge(text.replace("\r\n", "\n"), FILE)
    except AttentionError as error:
        where = _LINE.match(str(error))
        line = int(where.group(1)) if where else 0
        return _page(request, mine, 422, problem=_LINE.sub("", str(error)), line=line, text=text)
    undo.settle(mine.store)
    return _page(request, mine, doubts=doubts) if doubts else RedirectResponse("/knowledge", 303)


@router.post("/knowledge/accept")
def accept(mine: Mine, word: Annotated[str, Form()], sense: Annotated[int, Form()]) -> Response:
    mine.accept_sense(word, mine.suggest(word), sense)
    return RedirectResponse("/knowledge", 303)


@router.post("/knowledge/remove")
def remove(mine: Mine, label: Annotated[str, Form()]) -> Response:
    before = mine.export_knowledge()
    mine.remove_knowledge(label)
    undo.offer(mine.store, "/knowledge", label, "/knowledge", {"text": before}, mine.clock())
    return RedirectResponse("/knowledge", 303)
