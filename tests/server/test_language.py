"""Every text of the page and every error has a Chinese one, and no translation is left of a text that is gone."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
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


# Whose errors no page shows: the command line's, and what is said before a server starts or to who programs.
UNSEEN = ("cli/", "demo/", "training/", "tasks/", "attention/", "models/", "clicks", "encodings", "evaluation", "logs",
          "trust", "store/backup", "store/migrate", "store/vectors", "server/wall")  # fmt: skip
OF_THE_SYSTEM = ("connection refused", "connection reset by peer", "network is unreachable", "no route to host")
TOLD = frozenset({"UsageError", "SourceError", "PassingError", "StoreError", "DataError", "MailError", "HTTPException"})


def errors() -> Iterator[tuple[str, bool]]:
    """Each text that code makes with values in it or tells as an error, its values as {}; and whether pages tell it."""
    for path in ROOT.rglob("*.py"):
        seen = not path.relative_to(ROOT).as_posix().startswith(UNSEEN)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr | ast.Constant):
                yield template(node), False
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in TOLD:
                said = [one for one in node.args if isinstance(one, ast.JoinedStr) or is_text(one)]
                yield from ((template(one), seen) for one in said[:1])


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def template(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return str(getattr(node, "value", ""))


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


def test_every_error_that_a_page_may_show_has_a_chinese_one():
    zh = language("zh")
    told = {text for text, seen in errors() if seen and any(map(str.isalpha, text.replace("{}", "")))}
    assert len(told) > 120
    told -= zh.messages.keys()
    # "{name}: {problem}" fits whatever has a colon, and says nothing in Chinese: it does not count.
    known = [pattern for pattern, _ in zh.errors[:-1]]
    assert sorted(text for text in told if not any(one.fullmatch(text) for one in known)) == []


def test_no_translation_is_left_of_an_error_that_is_gone():
    made = {text for text, _ in errors()}
    kept = {re.sub(r"\(\?P<\w+>\.\+\?\)", re.escape("{}"), one.pattern) for one, _ in language("zh").errors}
    assert kept - {re.escape(text) for text in made} == {re.escape(text) for text in OF_THE_SYSTEM}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("x.example: no such host; check the address", "x.example：没有这个主机；请检查地址"),
        (
            "https://x.example/: no feed there, and the page names none (https://x.example/: empty document)",
            "https://x.example/：那里没有订阅源，网页也没有指出（https://x.example/：文档是空的）",
        ),
        ("x.example: asks us to come back in 30 s (HTTP 429)", "x.example：要我们30 秒后再来（HTTP 429）"),
        ("pattern 'a{999}' repeats too much; lower the numbers in {}", "模式 'a{999}' 重复太多；请减小 {} 里的数字"),
        ("something nobody foresaw {", "something nobody foresaw {"),
        ("no: " * 200, "no: " * 200),  # too long to be looked for
    ],
)
def test_an_error_is_told_in_chinese_with_its_values_and_the_error_within_it(told, said):
    assert language("zh").told(told) == said
    assert language("en").told(told) == told


def test_no_translation_is_left_of_a_message_that_is_gone():
    strings, _ = found()
    others = (ROOT / "server" / "starter.toml").read_text("utf-8")
    left = [key for key in language("zh").messages if key not in strings and key not in others]
    patterns = [one for one in made_up() if sum(map(str.isalpha, one)) > 10]
    assert [key for key in left if not any(re.fullmatch(one, key) for one in patterns)] == []
