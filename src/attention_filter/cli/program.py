"""The command `attention`: its global options, its commands, and what an error looks like."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from attention_filter import __version__
from attention_filter.cli import (
    accounts,
    care,
    compress,
    evaluate,
    feedback,
    inspect,
    knowledge,
    profile,
    quotas,
    reading,
    search,
    serve,
    sources,
    tasks,
    topics,
    train,
    tray,
)
from attention_filter.cli import demo as demonstration
from attention_filter.cli.session import Session
from attention_filter.errors import AttentionError, UsageError
from attention_filter.types import Sign

STOPPED = 130  # by Ctrl-C
FIRST_FIVE_MINUTES = """
[bold]The first five minutes[/bold]

  attention demo                            see it work on invented feeds

  attention add https://example.org         follow a feed or web page

  attention interests add "clean energy"    say what you care about

  attention fetch                           read what you follow

  attention today                           the stories that deserve your day

  attention like 12; attention why 12       teach it, and ask it
"""

app = typer.Typer(
    name="attention",
    help="Reads everything you follow, ranks it for you, and shows why. On your own machine.",
    epilog=FIRST_FIVE_MINUTES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"attention-filter {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="FILE|URL", help="The database (default: in your data folder)."),
    ] = None,
    reader: Annotated[str, typer.Option("--reader", metavar="NAME", help="Whose filter.")] = "me",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if not reader.strip():
        raise UsageError("--reader: give a name")
    ctx.obj = Session(db, reader.strip())


app.command("demo", rich_help_panel=reading.PANEL)(demonstration.demo)
app.command("today", rich_help_panel=reading.PANEL)(reading.today)
app.command("read", rich_help_panel=reading.PANEL)(reading.read)
app.command("show", rich_help_panel=reading.PANEL)(reading.show)
app.command("why", rich_help_panel=reading.PANEL)(reading.why)
app.command("serve", rich_help_panel=reading.PANEL)(serve.serve)
app.add_typer(tray.group, name="tray", rich_help_panel=reading.PANEL)
app.command("search", rich_help_panel=reading.PANEL)(reading.search)
app.command("trends", rich_help_panel=reading.PANEL)(topics.trends)
app.command("digest", rich_help_panel=reading.PANEL)(reading.digest)
app.command("add", rich_help_panel=sources.PANEL)(sources.add)
app.command("import", rich_help_panel=sources.PANEL)(sources.import_opml)
app.command("export", rich_help_panel=sources.PANEL)(sources.export_opml)
app.command("fetch", rich_help_panel=sources.PANEL)(sources.fetch)
app.add_typer(sources.group, name="sources", rich_help_panel=sources.PANEL)
for name, sign in {"like": Sign.LIKE, "dislike": Sign.DISLIKE, "save": Sign.SAVE, "hide": Sign.HIDE,
                   "skip": Sign.SKIP, "seen": Sign.READ}.items():  # fmt: skip
    app.command(name, rich_help_panel=feedback.PANEL)(feedback.act(sign))
app.command("ask", rich_help_panel=feedback.PANEL)(feedback.ask)
app.command("undo", rich_help_panel=feedback.PANEL)(feedback.undo)
app.add_typer(profile.interests, name="interests", rich_help_panel=profile.PANEL)
app.add_typer(profile.rules, name="rules", rich_help_panel=profile.PANEL)
app.add_typer(topics.topics, name="topics", rich_help_panel=profile.PANEL)
app.add_typer(knowledge.group, name="knowledge", rich_help_panel=knowledge.PANEL)
app.add_typer(quotas.group, name="quotas", rich_help_panel=profile.PANEL)
app.add_typer(profile.profile, name="profile", rich_help_panel=profile.PANEL)
app.add_typer(evaluate.group, name="evaluate", rich_help_panel=care.PANEL)
app.add_typer(train.group, name="train", rich_help_panel=tasks.PANEL)
train.group.command("classify")(tasks.train_classify)
train.group.command("sentiment")(tasks.train_sentiment)
evaluate.group.command("classify")(tasks.evaluate_classify)
evaluate.group.command("sentiment")(tasks.evaluate_sentiment)
app.add_typer(search.group, name="plan", rich_help_panel=tasks.PANEL)
app.add_typer(tasks.predict_group, name="predict", rich_help_panel=tasks.PANEL)
app.add_typer(tasks.explain_group, name="explain", rich_help_panel=tasks.PANEL)
app.add_typer(compress.group, name="compress", rich_help_panel=tasks.PANEL)
app.add_typer(accounts.group, name="accounts", rich_help_panel=care.PANEL)
app.command("backup", rich_help_panel=care.PANEL)(care.backup)
app.command("restore", rich_help_panel=care.PANEL)(care.restore)
app.command("doctor", rich_help_panel=care.PANEL)(care.doctor)
app.command("inspect", rich_help_panel=care.PANEL)(inspect.inspect)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and end the process: 0 ok, the error's own code, 2 for wrong usage, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a title must not end the program
    code = run(args)
    if code == STOPPED:
        os._exit(code)  # a thread may still wait for a slow server; what is stored is stored
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """The exit code of a command. An error is one line on stderr; ATTENTION_DEBUG=1 shows where it came from."""
    try:
        code = app(args=None if args is None else list(args), prog_name="attention", standalone_mode=False)
        sys.stdout.flush()
    except AttentionError as error:
        return _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        return _complain(_usage(error), error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _complain("stopped; what was stored is kept", STOPPED)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _complain(f"{error.filename or 'input/output'}: {error.strerror or error}", 1)
    except Exception as error:
        return _complain(
            f"this is a bug, please report it: {type(error).__name__}: {error}; ATTENTION_DEBUG=1 shows where", 1
        )
    if code == STOPPED:
        return _complain("stopped; what was stored is kept", STOPPED)
    return code if isinstance(code, int) else 0


def _usage(error: typer.TyperException) -> str:
    """A wrong option or argument, and where the right ones stand."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "attention"
    name = getattr(error, "option_name", "")
    if name in ("--db", "--reader") and command != "attention":
        return f"{name} goes before the command: attention {name} … {command.removeprefix('attention ')}"
    excluded = "; to leave a word out, quote all words: 'solar -wind'" if command == "attention search" else ""
    return f"{error.format_message().rstrip('.')}{excluded}; see {command} --help"


def _complain(message: str, code: int) -> int:
    if os.environ.get("ATTENTION_DEBUG") == "1":
        traceback.print_exc()
    print(f"attention: {' '.join(message.split())}", file=sys.stderr)
    return code
