"""The command as a whole: help, errors, exit codes, and what it must not load."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ["torch", "transformers", "sklearn", "scipy", "numpy", "httpx2", "sqlalchemy", "pydantic_settings"]
HELP = f"""
import sys
from attention_filter.cli.program import run
assert run(["--help"]) == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
READ = """
import sys
from attention_filter.cli.program import run
assert run(["read"]) == 0
print("attention_filter.models.encoder" in sys.modules, "tokenizers" in sys.modules)
"""


def python(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **more}, check=True
    )


def test_help_loads_nothing_heavy_and_says_how_long_it_took():
    started = time.perf_counter()
    done = python(HELP)
    print(f"attention --help took {time.perf_counter() - started:.2f} s")
    assert done.stdout.splitlines()[-1] == "[]"


def test_read_never_loads_the_encoder(news):
    done = python(READ)
    assert "Rust compilers" in done.stdout
    assert done.stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_the_help_tells_the_first_five_minutes(attention, args):
    done = attention(*args)
    assert "The first five minutes" in done.out
    assert "attention demo" in done.out


def test_the_version_is_printed(attention):
    assert attention("--version").out.startswith("attention-filter ")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["show", "99"], 2, "99"),
        (["why", "99"], 2, "99"),
        (["like", "1", "99"], 2, "99"),
        (["like", "first"], 2, "'first' is no item; give the number before its title"),
        (["interests", "add", "  "], 2, "an interest needs words"),
        (["interests", "add", "x", "--weight", "0"], 2, "give a number above 0"),
        (["interests", "remove", "99"], 2, "interest 99"),
        (["rules", "add", "--block"], 2, "a rule needs a condition"),
        (["rules", "add", "--word", "x"], 2, "one of --pin, --block and --boost"),
        (["rules", "add", "--pin", "--pattern", "(a+"], 2, "not a regular expression"),
        (["rules", "remove", "99"], 2, "rule 99"),
        (["read", "--since", "soonish"], 2, "give 2d, 12h, yesterday"),
        (["read", "--source", "Nowhere"], 2, "no source 'Nowhere'; see attention sources"),
        (["read", "--explore", "7"], 2, "--explore"),
        (["add", "nowhere.txt"], 2, "neither an http(s) address nor a file"),
        (["add", ".", "--column", "colour"], 2, "give FIELD=NAME"),
        (["import", "nowhere.opml"], 2, "nowhere.opml: No such file"),
        (["profile", "import", "nowhere.json"], 2, "nowhere.json: No such file"),
        (["profile", "delete"], 2, "say --yes"),
        (["restore", "nowhere.db"], 2, "there is no such file"),
        (["search", "-"], 2, "nothing to search for"),
        (["digest", "--html", "no/such/folder/x.html"], 2, "cannot be written"),
        (["--db", "postgresql://x/y", "read"], 4, "only SQLite is supported"),
        (["--reader", " ", "read"], 2, "give a name"),
        (["raed"], 2, "'read'"),
        (["read", "--db", "x.db"], 2, "--db goes before the command"),
        (["show"], 2, "see attention show --help"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(attention, news, args, code, says):
    done = attention(*args)
    assert done.code == code
    assert done.out == ""
    assert says in done.err
    assert done.err.startswith("attention: ")
    assert len(done.err.splitlines()) == 1


def test_a_broken_opml_names_the_file(attention, tmp_path):
    (tmp_path / "list.opml").write_text("<opml><body><outline", encoding="utf-8")
    done = attention("import", "list.opml")
    assert (done.code, len(done.err.splitlines())) == (6, 1)
    assert "list.opml: no OPML" in done.err


def test_an_exported_profile_that_is_none_is_refused(attention, news, tmp_path):
    (tmp_path / "profile.json").write_text("<html>", encoding="utf-8")
    assert ": :" not in attention("profile", "import", "profile.json").err
    (tmp_path / "profile.json").write_text('{"interests": 3}', encoding="utf-8")
    done = attention("profile", "import", "profile.json")
    assert (done.code, len(done.err.splitlines())) == (6, 1)


def test_a_file_that_is_no_database_is_left_alone(attention, tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ada, " * 1000, encoding="utf-8")
    done = attention("--db", "letter.txt", "read")
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8").startswith("Dear Ada")


def test_a_database_that_cannot_be_written_says_so(attention, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = attention("--db", tmp_path / "file" / "x.db", "read")
    assert (done.code, len(done.err.splitlines())) == (4, 1)
    assert "--db" in done.err


def test_a_wrong_setting_is_named(attention, monkeypatch):
    monkeypatch.setenv("ATTENTION_EXPLORATION", "7")
    done = attention("read")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "exploration" in done.err


def test_a_bug_is_one_line_and_shows_its_trace_when_asked(attention, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("attention_filter.app.open_filter", broken)
    done = attention("read")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert "report it" in done.err
    monkeypatch.setenv("ATTENTION_DEBUG", "1")
    assert "Traceback" in attention("read").err


def test_ctrl_c_ends_with_130(attention, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("attention_filter.app.open_filter", interrupted)
    done = attention("read")
    assert (done.code, done.err) == (130, "attention: stopped; what was stored is kept\n")


def hear_ctrl_c():
    """A process that was started in the background ignores it, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_a_fetch_that_waits_for_a_slow_server(attention, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        outlines = "".join(f'<outline xmlUrl="http://{host}/{n}"/>' for n in range(20))
        (tmp_path / "slow.opml").write_text(f"<opml><body>{outlines}</body></opml>", encoding="utf-8")
        attention("import", "slow.opml")
        process = subprocess.Popen(
            [sys.executable, "-c", "from attention_filter.cli import main; main(['fetch'])"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ATTENTION_PRIVATE_HOSTS": f'["{host}"]'},
            preexec_fn=hear_ctrl_c,
        )
        connection, _ = server.accept()  # it asks, and nobody answers
        process.send_signal(signal.SIGINT)
        started = time.perf_counter()
        _, err = process.communicate()
        connection.close()
    assert (process.returncode, err) == (130, "attention: stopped; what was stored is kept\n")
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("option", ["--version", "--help"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_of_the_output_who_has_seen_enough_is_no_error(option, unbuffered):
    command = [sys.executable, "-c", f"from attention_filter.cli import main; main(['{option}'])"]
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_each_reader_has_a_filter_of_their_own(attention, news):
    assert attention("--reader", "ada", "interests", "--json").json == {"interests": []}
    assert len(attention("interests", "--json").json["interests"]) == 1


def test_the_path_of_a_file_is_a_database_too(attention, news, tmp_path):
    Path(news).rename(tmp_path / "other.db")
    assert attention("--db", "other.db", "read", "--json").json["items"]
    assert attention("--db", f"sqlite:///{tmp_path}/other.db", "read", "--json").json["items"]
