"""A real browser before a real server: Chromium, and `attention serve` in a process of its own.

def test_x(house, visit):
    page = visit(house)                    # a new visitor, whose page fails the test when it logs an error
    page.goto(house.url)

Set ATTENTION_SCREENSHOTS to a folder to keep the pictures; else they lie in pytest's temporary folder.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest

from attention_filter.demo import server as demo_server
from attention_filter.demo.server import DemoServer
from attention_filter.demo.walk import INTERESTS

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")

COMMAND = "from attention_filter.cli import main; main()"
SLOW = 60_000  # ms until a machine that does other things has loaded the model and ranked
DESKTOP = {"width": 1280, "height": 900}
sync_api.expect.set_options(timeout=SLOW)


@dataclass(frozen=True)
class House:
    """A running server and the feeds that it may read."""

    url: str  # without a slash at its end
    demo: DemoServer

    def opml(self) -> dict[str, object]:
        """The list of the feeds as a file to upload, as another feed reader would have exported it."""
        with urlopen(self.demo.opml_url) as answer:
            return {"name": "feeds.opml", "mimeType": "text/x-opml", "buffer": answer.read()}


@contextmanager
def running(home: Path, *private_hosts: str) -> Iterator[str]:
    """`attention serve` with its worker, on a database and a home of its own; gives its address."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("ATTENTION_", "XDG_"))}
    own = {"HOME": str(home), "ATTENTION_DB": f"sqlite:///{home / 'attention.db'}", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", "--port", "0"],
        env={**given, **own, "ATTENTION_PRIVATE_HOSTS": ",".join(private_hosts)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    try:
        address = next((found[0] for line in said if (found := re.search(r"http://[\d.:]+", line))), None)
        assert address, "the server did not start"
        Thread(target=(home / "server.log").open("w").writelines, args=(said,), daemon=True).start()
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    with sync_api.sync_playwright() as playwright:
        given = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=found, args=given)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., object]]:
    """A new visitor's page. Whatever the console calls an error fails the test, unless it is about the network."""
    with ExitStack() as stack:
        wrong: list[str] = []

        def open_page(house: House, **wishes: object):
            context = chromium.new_context(base_url=house.url, **{"viewport": DESKTOP, "locale": "en", **wishes})
            stack.callback(context.close)
            context.set_default_timeout(SLOW)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
            page.on("console", lambda said: said.type == "error" and wrong.append(f"{page.url}: {said.text}"))
            return page

        yield open_page
    assert not wrong, wrong


@pytest.fixture(scope="session")
def feeds() -> Iterator[DemoServer]:
    """The demo's eight feeds on loopback."""
    with demo_server.serve(datetime.now(UTC)) as served:
        yield served


@pytest.fixture(scope="session")
def run_server():
    """`with run_server(home, "127.0.0.1:8123") as url`: a server that may read from these hosts."""
    return running


@pytest.fixture
def house(tmp_path, feeds) -> Iterator[House]:
    """A house that nobody has moved into yet."""
    with running(tmp_path, feeds.host) as url:
        yield House(url, feeds)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory, chromium, feeds) -> Iterator[House]:
    """A house that is lived in: three interests, eight feeds read and ranked. Who changes it puts it back."""
    with running(tmp_path_factory.mktemp("furnished"), feeds.host) as url:
        house = House(url, feeds)
        context = chromium.new_context(base_url=url, locale="en")
        context.set_default_timeout(SLOW)
        move_in(context.new_page(), house, INTERESTS)
        context.close()
        yield house


def move_in(page, house: House, interests: tuple[str, ...]) -> None:
    """The first run as quickly as it goes, to a stream that is ranked."""
    page.goto("/")
    for n, text in enumerate(interests, 1):
        page.fill(f"#said-{n}", text)
    page.click("main button.main")
    page.set_input_files("#file", house.opml())
    page.click("form[action='/welcome/import'] button")
    page.click("form[action='/welcome/sources'] button.main")
    sync_api.expect(page.locator("#first progress")).to_have_count(0)
    sync_api.expect(page.locator("#first .item").first).to_be_visible()


@pytest.fixture
def shoot(request, tmp_path) -> Callable[..., None]:
    """shoot(page, "stream"): a picture of the whole page, numbered in the order of the test."""
    named = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    folder = Path(os.environ.get("ATTENTION_SCREENSHOTS", tmp_path)) / named
    folder.mkdir(parents=True, exist_ok=True)

    def take(page, name: str) -> None:
        taken = len(list(folder.glob("*.png")))
        page.screenshot(path=folder / f"{taken:02}-{name}.png", full_page=True, animations="disabled")

    return take
