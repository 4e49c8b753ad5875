"""Letters through a real, small SMTP server on loopback."""

import contextlib
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from attention_filter.errors import MailError, UsageError
from attention_filter.server import post, work
from attention_filter.server.letters import Every, Schedule
from attention_filter.server.post import State, ask_for_address, confirm, hand_over, log, send_due, subscription
from attention_filter.server.worker import Worker
from attention_filter.store.jobs import LEASE


class Sink(socketserver.ThreadingTCPServer):
    """Takes letters in. `answers` overrides what a command is answered with; "drop" closes the connection."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.letters, self.answers, self.envelopes = [], {}, []

    @property
    def port(self):
        return self.server_address[1]


class Session(socketserver.StreamRequestHandler):
    def say(self, command, usual):
        answer = self.server.answers.get(command, usual)
        if answer == "drop":
            raise ConnectionAbortedError
        self.wfile.write(f"{answer}\r\n".encode())
        return answer[0] in "23"

    def handle(self):
        with contextlib.suppress(OSError):
            self.talk()

    def talk(self):
        self.say("HELLO", "220 sink")
        while line := self.rfile.readline():
            command = line.decode().strip()
            verb = command.split()[0].upper() if command else ""
            if verb in ("MAIL", "RCPT"):
                self.server.envelopes.append(command)
            if not self.say(verb, {"DATA": "354 go on", "QUIT": "221 bye"}.get(verb, "250 ok")):
                continue
            if verb == "DATA":
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                self.server.letters.append(b"".join(lines))
                self.say("TAKEN", "250 taken")
            if verb == "QUIT":
                return


@pytest.fixture
def sink():
    with Sink() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def mailing(stocked, sink, app):
    """The reader's filter on a server that can send mail, its address confirmed, a daily digest at 7 in Shanghai."""
    change = {
        "smtp_host": "127.0.0.1",
        "smtp_port": sink.port,
        "smtp_tls": "none",
        "smtp_from": "Filter <f@example.org>",
    }
    app.state.site.settings = app.state.site.settings.model_copy(update=change)
    mine = app.state.site.filter("me")
    ask_for_address(mine, mine.store.accounts, "ann@example.org", home="https://me.example", tongue="zh")
    assert confirm(mine.store, "ann@example.org", mine.clock())
    schedule = Schedule(every=Every.DAY, hour=7, zone="Asia/Shanghai", size=3)
    post.keep(mine.store, subscription(mine.store).model_copy(update={"schedule": schedule}))
    sink.letters.clear()
    return mine


@pytest.fixture
def morning(clock):
    """The next day has come, and with it a slot."""
    clock.now += timedelta(days=1)


def titles(sink):
    return [message_from_bytes(one, policy=default)["Subject"] for one in sink.letters]


def test_a_digest_arrives_once_per_slot(mailing, sink, morning, clock):
    for _ in range(3):
        send_due(mailing)
        clock.now += timedelta(minutes=7)
    assert len(sink.letters) == 1
    assert log(mailing.store)[0].state is State.SENT
    clock.now += timedelta(days=1)
    send_due(mailing)
    assert len(sink.letters) == 2
    assert len(set(titles(sink))) == 2, "the second tells other items"


def test_whoever_plans_the_work_is_told_who_waits_for_a_letter(mailing, sink, clock):
    def waiting():
        return post.waiting(mailing.store, mailing.settings, clock())

    assert waiting() == []
    clock.now += timedelta(days=1)
    assert waiting() == ["me"]
    sink.answers = {"RCPT": "451 later"}
    send_due(mailing)
    assert waiting() == []
    clock.now += timedelta(minutes=6)
    assert waiting() == ["me"]
    sink.answers = {}
    send_due(mailing)
    assert waiting() == []


def test_nothing_is_sent_before_the_schedule_began_or_the_address_was_confirmed(mailing, sink, clock):
    assert send_due(mailing) is None
    clock.now += timedelta(days=1)
    post.keep(mailing.store, subscription(mailing.store).model_copy(update={"confirmed": False}))
    assert send_due(mailing) is None
    assert not sink.letters


class Killed(BaseException):
    pass


def killed_before(settings, letter, about_to):
    raise Killed


def killed_after(settings, letter, about_to):
    hand_over(settings, letter, about_to)
    raise Killed


@pytest.mark.parametrize("kill", [killed_before, killed_after])
def test_after_a_kill_the_letter_of_the_slot_has_come_exactly_once(mailing, sink, morning, kill):
    with pytest.raises(Killed):
        send_due(mailing, deliver=kill)
    send_due(mailing)
    send_due(mailing)
    assert len(sink.letters) == 1


@pytest.mark.parametrize(
    "answers", [{"RCPT": "451 later"}, {"DATA": "451 later"}, {"TAKEN": "451 later"}, {"MAIL": "drop"}]
)
def test_a_letter_that_was_not_taken_is_tried_again_later(mailing, sink, morning, clock, answers):
    sink.answers = answers
    assert send_due(mailing).state is State.FAILED
    sink.letters.clear()
    sink.answers = {}
    assert send_due(mailing) is None, "not at once"
    clock.now += timedelta(minutes=6)
    assert send_due(mailing).state is State.SENT
    assert len(sink.letters) == 1
    assert log(mailing.store)[0].tries == 2


def test_a_letter_is_given_up_when_refused_for_good_or_after_many_tries(mailing, sink, morning, clock):
    sink.answers = {"RCPT": "550 no such person"}
    assert send_due(mailing).state is State.GIVEN_UP
    assert "550 no such person" in log(mailing.store)[0].error
    sink.answers = {"RCPT": "451 later"}
    clock.now += timedelta(days=1)
    states = []
    for _ in range(14):
        states += [done.state for done in [send_due(mailing)] if done]
        clock.now += timedelta(minutes=40)
    assert states == [State.FAILED] * 5 + [State.GIVEN_UP]


def test_a_connection_that_breaks_while_the_text_goes_over_is_not_tried_again(mailing, sink, morning, clock):
    sink.answers = {"TAKEN": "drop"}
    assert send_due(mailing).state is State.UNSURE
    sink.answers = {}
    clock.now += timedelta(hours=1)
    assert send_due(mailing) is None
    assert len(sink.letters) == 1


def test_a_rude_goodbye_does_not_make_a_taken_letter_come_twice(mailing, sink, morning):
    sink.answers = {"QUIT": "500 what"}
    assert send_due(mailing).state is State.SENT


def test_no_letter_goes_out_when_there_is_nothing_to_tell(mailing, sink, morning):
    mailing.store.put_state(post.TOLD, json.dumps([item.id for item in mailing.store.newest(100)]).encode())
    assert send_due(mailing).state is State.NOTHING
    assert not sink.letters


def test_a_server_that_is_not_there_is_an_error_in_words(mailing):
    gone = mailing.settings.model_copy(update={"smtp_port": 1})
    letter = post.confirmation_letter(
        sender="a@b.cd", to="e@f.gh", link="x", now=mailing.clock(), tongue=post.language("en")
    )
    with pytest.raises(MailError, match=r"127\.0\.0\.1:1: "):
        hand_over(gone, letter, lambda: None)


def test_confirmations_are_few_and_only_the_last_address_counts(mailing, sink, browser, clock):
    for name in ("bob", "eve", "mal", "ted"):
        ask_for_address(mailing, mailing.store.accounts, f"{name}@example.org", home="http://127.0.0.1", tongue="en")
    with pytest.raises(UsageError, match="tomorrow"):
        ask_for_address(mailing, mailing.store.accounts, "zoe@example.org", home="http://127.0.0.1", tongue="en")
    links = [
        re.search(r"http://127.0.0.1(/\S+)", message_from_bytes(one, policy=default).get_content())[1]
        for one in sink.letters
    ]
    assert browser.post(links[0]).status_code == 404
    assert browser.get(links[-1]).status_code == 200
    assert not subscription(mailing.store).confirmed, "looking confirms nothing"
    assert browser.post(links[-1]).status_code == 200
    assert subscription(mailing.store).address == "ted@example.org"
    assert subscription(mailing.store).confirmed
    assert browser.post(links[-1]).status_code == 404, "once"


def test_one_click_in_a_mail_program_ends_the_letters(mailing, sink, morning, app, clock):
    from fastapi.testclient import TestClient

    send_due(mailing)
    address = message_from_bytes(sink.letters[0], policy=default)["List-Unsubscribe"].strip(" <>")
    program = TestClient(app, base_url="http://127.0.0.1")  # no cookie, no origin
    path = address.removeprefix("https://me.example")
    assert program.post("/digest/stop/wrong", data={"List-Unsubscribe": "One-Click"}).status_code == 404
    assert program.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    clock.now += timedelta(days=2)
    assert send_due(mailing) is None
    assert len(sink.letters) == 1


DIES = """
import sys
from datetime import datetime
from threading import Event
from attention_filter.server import post, work
from attention_filter.server.work import KINDS
from attention_filter.server.worker import Worker
from attention_filter.settings import Settings
from attention_filter.store.store import open_store

hand_over, when, settings = post.hand_over, sys.argv[1], Settings.model_validate_json(sys.argv[2])

def hang():
    print("there", flush=True)
    Event().wait()

def deliver(settings, letter, about_to):
    if when == "before":
        hang()
    hand_over(settings, letter, about_to)
    hang()

post.hand_over = deliver
now = datetime.fromisoformat(sys.argv[3])
Worker(open_store(settings.db), settings, lambda: now, {"digest": KINDS["digest"]}).run_one()
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(("when", "end"), [("before", State.SENT), ("after", State.UNSURE)])
def test_a_worker_killed_over_a_letter_sends_it_once(mailing, sink, clock, when, end):
    now = clock()
    settings, wanted = mailing.settings, subscription(mailing.store)
    post.keep(mailing.store, wanted.model_copy(update={"since": now - timedelta(days=2)}))
    work.plan(mailing.store, settings, now)
    work.plan(mailing.store, settings, now)
    said = settings.model_dump(mode="json") | {"smtp_password": "", "oidc_client_secret": ""}
    asked = [sys.executable, "-c", DIES, when, json.dumps(said), now.isoformat()]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "there\n"
        process.kill()
    later = now + LEASE + timedelta(seconds=5)
    restarted = Worker(mailing.store, settings, lambda: later, {"digest": work.KINDS["digest"]})
    assert restarted.run_one().kind == "digest"
    work.plan(mailing.store, settings, later)
    assert restarted.run_one() is None, "the slot is over"
    assert len(sink.letters) == 1
    assert [letter.state for letter in log(mailing.store)] == [end]
