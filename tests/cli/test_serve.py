"""serve: which settings the server is started with."""

import pytest

from attention_filter.cli import serve
from attention_filter.settings import Settings


@pytest.fixture
def served(attention, monkeypatch):
    """Run `attention serve …` up to the moment it would answer; gives what it said and its access."""
    found = []

    def run(self, sockets):
        found.append(self.config.app.state)
        sockets[0].close()

    monkeypatch.setattr("uvicorn.Server.run", run)

    def call(*args):
        done = attention("serve", "--port", "0", *args)
        return done, (found.pop() if found else None)

    return call


def test_on_this_machine_alone_the_page_is_open_and_no_code_is_told(served):
    done, state = served()
    assert "http://127.0.0.1:" in done.err
    assert "setup code" not in done.err
    assert not state.access.needs_setup_code


def test_any_other_address_demands_an_account_and_the_setup_code_is_told(served):
    done, state = served("--host", "0.0.0.0")
    assert state.access.needs_setup_code
    assert state.access.setup_code in done.err


def test_address_and_port_may_come_from_the_settings(served, monkeypatch):
    monkeypatch.setenv("ATTENTION_HOST", "::1")
    monkeypatch.setenv("ATTENTION_BASE_URL", "https://news.example.org")
    done, state = served()
    assert "https://news.example.org/" in done.err
    assert state.site.settings.host == "::1"
    given = Settings(port=8123)
    assert serve.wished(given, "sqlite:///x.db", None, None).port == 8123
    assert serve.wished(given, "sqlite:///x.db", None, 9000).port == 9000


def test_a_port_that_is_taken_is_told_in_one_line(attention):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = attention("serve", "--port", taken.getsockname()[1])
    assert (done.code, "choose another with --port" in done.err) == (2, True)
