"""`attention serve` as a process of its own, as a person starts and stops it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from attention_filter.cli.program import run


def test_the_help_needs_no_web_server():
    said = "import sys; from attention_filter.cli.program import run; run(['serve', '--help']); "
    said += "sys.exit(' '.join(sorted({'fastapi', 'uvicorn', 'torch'} & set(sys.modules))) or 0)"
    subprocess.run([sys.executable, "-c", said], check=True, capture_output=True)


def test_a_port_that_is_taken_is_told_with_the_next_step(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(["--db", str(tmp_path / "a.db"), "serve", "--port", str(port)]) != 0
    told = capsys.readouterr().err
    assert f"127.0.0.1:{port}: Address already in use" in told
    assert "--port" in told
    assert not (tmp_path / "a.db").exists()


def test_a_broken_database_is_told_in_one_line(tmp_path, capsys):
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is no database " * 300)
    assert run(["--db", str(path), "serve", "--port", "0"]) != 0
    told = capsys.readouterr().err.strip()
    assert "broken.db" in told
    assert "\n" not in told


def children(pid):
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]


def hear_ctrl_c():
    """A process that was started in the background ignores it, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def started(tmp_path):
    """Starts a server; returns its process and its first lines up to the one with the address."""
    processes = []

    def start(*options):
        program = [sys.executable, "-c", "from attention_filter.cli import main; main()"]
        command = [*program, "--db", str(tmp_path / "a.db"), "serve", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
        processes.append(process)
        return process, process.stderr.readline()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux' list of children")
def test_ctrl_c_ends_it_soon_and_its_worker_with_it(started):
    process, line = started("--port", "0")
    address = line.split()[4]
    with urllib.request.urlopen(address + "offline", timeout=60) as answer:
        assert answer.status == 200
    while not (worker := next(iter(children(process.pid)), 0)):
        assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(30) == 130
    assert time.monotonic() - began < 10  # two at most, where nothing else has to be done
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_where_others_can_reach_it_the_code_for_the_first_account_is_told(started):
    process, line = started("--host", "0.0.0.0", "--port", "0")
    assert line.startswith("Attention Filter is at http://127.0.0.1:")
    assert "code: " in process.stderr.readline()
