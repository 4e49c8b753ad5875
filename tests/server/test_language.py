"""Every text of the page has a Chinese one, and no translation is left of a text that is gone."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, nodes

from attention_filter.server.language import language

ROOT = Path(str(files("attention_filter")))
SAYS = frozenset({"t", "tn", "say", "count"})  # calls whose first argument is a message


def in_code() -> Iterator[tuple[str, bool]]:
    """Each string in the package's code, and whether it is said as a message there."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, False
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name == "say" or (name == "count" and len(node.args) > 2):
                    yield str(node.args[0].value), True


def made_up() -> Iterator[str]:
    """Patterns of the strings that code makes with values in them."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values)


def in_templates() -> Iterator[tuple[str, bool]]:
    env = Environment(autoescape=True)
    for path in ROOT.rglob("*.html"):
        tree = env.parse(path.read_text("utf-8"))
        for constant in tree.find_all(nodes.Const):
            if isinstance(constant.value, str):
                yield constant.value, False
        for call in tree.find_all(nodes.Call):
            if getattr(call.node, "name", getattr(call.node, "attr", "")) in SAYS and call.args:
                yield from ((one.value, True) for one in call.args[:1] if isinstance(one, nodes.Const))


def found() -> tuple[set[str], set[str]]:
    """All strings, and those that are said."""
    every = [*in_code(), *in_templates()]
    return {text for text, _ in every}, {text for text, is_said in every if is_said and any(map(str.isalpha, text))}


def test_every_message_has_a_chinese_one():
    _, said = found()
    assert len(said) > 300
    assert sorted(said - language("zh").messages.keys()) == []


def test_no_translation_is_left_of_a_message_that_is_gone():
    strings, _ = found()
    others = (ROOT / "server" / "starter.toml").read_text("utf-8")
    left = [key for key in language("zh").messages if key not in strings and key not in others]
    patterns = [one for one in made_up() if sum(map(str.isalpha, one)) > 10]
    assert [key for key in left if not any(re.fullmatch(one, key) for one in patterns)] == []
