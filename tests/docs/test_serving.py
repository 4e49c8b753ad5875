"""What docs/serving.md and deploy/ say is true: settings, commands, routes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from attention_filter.cli.program import app
from attention_filter.server.app import create_app
from attention_filter.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
DEPLOY = sorted(file for file in (ROOT / "deploy").iterdir() if file.is_file())
ROW = re.compile(r"^\| `([a-z_]+)` \| (none|in your data folder|`[^`]*`) \|", re.MULTILINE)


def defaults() -> dict[str, str]:
    """Each setting and its default as the page writes it."""
    written = {}
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        secret = getattr(default, "get_secret_value", lambda value=default: value)()
        written[name] = "none" if secret in ("", ()) else f"`{secret}`"
    return written | {"db": "in your data folder"}


def test_every_setting_is_documented_with_its_default():
    assert dict(ROW.findall(PAGE)) == defaults()


@pytest.mark.parametrize("file", [ROOT / "docs" / "serving.md", *DEPLOY], ids=lambda file: file.name)
def test_every_variable_that_is_named_is_a_setting(file):
    known = {f"ATTENTION_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"ATTENTION_[A-Z_]*[A-Z]", file.read_text(encoding="utf-8")))
    assert named <= known


def commands() -> Iterator[list[str]]:
    """The command lines of the page, without what follows their names."""
    for line in re.findall(r"^    (?:15 4 \* \* \*  )?(attention [^#\n]*)", PAGE, re.MULTILINE):
        yield shlex.split(line)[1:]
    for line in re.findall(r"`(attention [a-z][^`]*)`", PAGE):
        yield shlex.split(line)[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_of_the_page_exists(words):
    if words[0] == "--db":
        words = words[2:]
    command = get_command(app)
    context = command.make_context("attention", ["--db", "x.db", "doctor"], resilient_parsing=True)
    while words and hasattr(command, "get_command") and (found := command.get_command(context, words[0])):
        command, words = found, words[1:]
    assert command.name != "attention"
    options = {name for one in command.params for name in one.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options


def test_the_routes_that_the_page_names_exist(tmp_path):
    served = create_app(Settings(db=f"sqlite:///{tmp_path / 'x.db'}"), worker=False)
    served.state.site.store.close()
    paths = {path for route in served.routes for path in paths_of(route)}
    assert {"/healthz", "/metrics", "/setup", "/sign-in/oidc/callback", "/events"} <= paths


def paths_of(route) -> Iterator[str]:
    """The paths of a route, and of the router that it stands for."""
    if hasattr(route, "path"):
        yield route.path
    for inner in getattr(getattr(route, "original_router", None), "routes", ()):
        yield from paths_of(inner)
