"""What a feed sends never runs in the browser: hostile.txt comes in by the same way as any feed and is looked at.

Twice: as it is, when nothing may even be tried (the policy would say so in the console), and once with the policy
taken away, when the sanitiser alone must hold. ATTENTION_FEEDS names a folder of more feed documents to read.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
HIT = "window.__hit=1"
WHY = 8  # of so many items one is opened with its reasons, too: they take their time
RUNS = re.compile(r"^[\x00-\x20]*(javascript|data|vbscript):", re.I)
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SUFFIXES = (".xml", ".rss", ".atom", ".rdf", ".json")

# Everything on a page that could do something that is not ours.
STRANGE = """() => {
  const strange = [];
  const never = "iframe frame object embed applet base portal fencedframe style math template".split(" ");
  const leading = "href src action formaction xlink:href cite".split(" ");
  const ours = location.origin + "/";
  for (const at of document.querySelectorAll("*")) {
    const name = at.localName;
    if (never.includes(name)
        || name === "script" && !at.src.startsWith(ours + "static/")
        || name === "link" && !at.href.startsWith(ours)
        || name === "meta" && at.httpEquiv
        || name === "form" && !String(at.getAttribute("action") ?? "/").startsWith("/") && at.method !== "dialog")
      strange.push(at.outerHTML.slice(0, 200));
    for (const {name, value} of at.attributes) {
      const seen = value.replace(/[\\x00-\\x20]/g, "").toLowerCase();
      if (name.startsWith("on") || name === "style" || name === "srcdoc" || name === "ping"
          || /^(javascript|vbscript|data):/.test(seen) && leading.includes(name)
             && !at.matches("a.chip[href^='javascript:void(location.href=']"))
        strange.push(`${name}="${value.slice(0, 160)}" at <${at.localName}>`);
      if (at.closest(".text") && /^(id|name|hx-|data-|slot|is$)/.test(name) && at.id !== "text")
        strange.push(`${name} in a text`);
    }
  }
  if (window.__hit) strange.push("a script ran");
  return strange;
}"""


def snippets() -> list[str]:
    """The lines of hostile.txt with their characters."""
    lines = (Path(__file__).parent / "hostile.txt").read_text("utf-8").splitlines()
    escaped = re.compile(r"\\(?:x..|u....|U........|[tn])")
    return [
        escaped.sub(lambda found: found[0].encode().decode("unicode_escape"), line).replace("HIT", HIT)
        for line in lines
        if line and not line.startswith("# ")
    ]


def documents(found: list[str]) -> dict[str, bytes]:
    """The snippets as an RSS, an Atom and a JSON feed, each third of them in one; XML cannot say every character."""
    in_xml = [one for one in found if not NOT_XML.search(one)]
    rss, atom = in_xml[::3], in_xml[1::3]
    rest = [one for one in found if one not in {*rss, *atom}]
    items = "".join(
        f"<item><guid>r{n}</guid><title>{escape(one)}</title><link>{escape(link(one))}</link>"
        f"<author>{escape(one)}</author><category>{escape(one)}</category>"
        f"<description>{escape(f'story {n} {one} and its end')}</description></item>"
        for n, one in enumerate(rss)
    )
    entries = "".join(
        f"<entry><id>a{n}</id><title type='html'>{escape(one)}</title><link href='{escape(link(one))}'/>"
        f"<author><name>{escape(one)}</name><uri>{escape(one)}</uri></author><category term='{escape(one)}'/>"
        f"<updated>2026-01-01T00:00:00Z</updated><summary type='html'>{escape(one)}</summary>"
        f"<content type='html'>{escape(f'story {n} {one} and its end')}</content></entry>"
        for n, one in enumerate(atom)
    )
    listed = [
        {"id": f"j{n}", "title": one, "url": link(one), "authors": [{"name": one, "url": one}], "tags": [one]}
        | {"content_html": f"story {n} {one} and its end", "summary": one, "image": link(one), "external_url": one}
        for n, one in enumerate(rest)
    ]
    title = escape(f"<script>{HIT}</script><img src=x onerror={HIT}>")
    return {
        "/feed.rss": f"<rss version='2.0'><channel><title>RSS {title}</title><link>javascript:{HIT}</link>{items}"
        "</channel></rss>".encode(),
        "/feed.atom": f"<feed xmlns='http://www.w3.org/2005/Atom'><title type='html'>Atom {title}</title><id>x</id>"
        f"{entries}</feed>".encode(),
        "/feed.json": json.dumps(
            {
                "version": "https://jsonfeed.org/version/1.1",
                "title": f'JSON "><img src=x onerror={HIT}>',
                "items": listed,
            }
        ).encode(),
    }


def link(snippet: str) -> str:
    """The snippet itself when it is an address, else an address that holds it."""
    return snippet if RUNS.match(snippet) or ":" in snippet.split("<")[0][:16] else f"https://evil.example/{snippet}"


@contextmanager
def served(pages: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def infested(tmp_path_factory, chromium, run_server) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that has read every snippet, and the paths of the items it shows."""
    pages = documents(snippets())
    if folder := os.environ.get("ATTENTION_FEEDS"):
        found = sorted(path for path in Path(folder).rglob("*") if path.suffix in SUFFIXES)
        pages |= {f"/more/{n}": path.read_bytes() for n, path in enumerate(found)}
    with served(pages) as host, run_server(tmp_path_factory.mktemp("infested"), host) as url:
        context = chromium.new_context(base_url=url, locale="en")
        page = context.new_page()
        page.goto("/")
        page.fill("#said-1", f"stories and scripts <img src=x onerror={HIT}>")
        page.click("main button.main")
        outlines = "".join(f"<outline type='rss' xmlUrl='http://{host}{path}'/>" for path in pages)
        list_ = f"<opml version='2.0'><body>{outlines}</body></opml>".encode()
        page.set_input_files("#file", {"name": "x.opml", "mimeType": "text/x-opml", "buffer": list_})
        page.click("form[action='/welcome/import'] button")
        page.click("form[action='/welcome/sources'] button.main")
        expect(page.locator("#first progress")).to_have_count(0, timeout=600_000)
        page.goto("/all?upto=2000")
        for act in ("like", "save", "hide"):
            page.locator(f"#items .item:not([data-was-done]) [value={act}]").first.click()
            expect(page.locator("#toast .said")).to_be_visible()
            page.locator("#toast").evaluate("toast => toast.replaceChildren()")
        items = [one for lane in ("you", "rest") for one in shown_in(page, lane)]
        assert len(items) > 0.6 * len(snippets())  # those with the same words stand as one story
        context.close()
        yield url, items


@pytest.mark.parametrize("policy", [True, False], ids=["as-it-is", "without-the-policy"])
def test_nothing_that_a_feed_sends_runs(infested, chromium, policy):
    url, items = infested
    context = chromium.new_context(base_url=url, locale="en")
    context.set_default_timeout(60_000)
    page, wrong = context.new_page(), []
    if not policy:
        context.route("**/*", without_policy)
    page.on("dialog", lambda dialog: (wrong.append(f"{page.url}: a dialog"), dialog.dismiss()))
    page.on("console", lambda said: "Content Security" in said.text and wrong.append(f"{page.url}: {said.text}"))
    page.on("request", lambda asked: is_foreign(asked.url, url) and wrong.append(f"{page.url} asks {asked.url}"))

    def look(path: str) -> None:
        page.goto(path, wait_until="load")
        wrong.extend(f"{path}: {strange}" for strange in page.evaluate(STRANGE))

    look("/all?show=all&upto=2000")
    look("/all?lane=rest&show=all&upto=2000")
    look("/sources")
    sources = page.locator(".sources h3 a").evaluate_all("all => all.map(at => new URL(at.href).pathname)")
    words = ["story", "script", "onerror", "svg"]
    more = ["/saved", "/tray", "/tray/audit", "/interests", "/interests/attention", "/ask", "/rules", "/digest"]
    more += ["/profile", "/you", "/knowledge", "/trends"]
    for path in [*more, *sources, *(f"/search?q={quote(word)}" for word in words)]:
        look(path)
    page.route("**/image?*", lambda route: route.abort())  # or the server would ask for them
    for path in items[::WHY]:
        look(f"{path}/why?images=1")
    page.route("**/item/*/why*", lambda route: route.abort())  # each of them would be weighed word by word
    for path in items:
        look(f"{path}?images=1")
    page.goto("/rules")
    page.fill("#words", f"script, <img src=x onerror={HIT}>")
    page.click("[formaction='/rules/preview']")
    wrong.extend(page.evaluate(STRANGE))
    context.close()
    assert not wrong, "\n".join(wrong[:40])


def shown_in(page, lane: str) -> list[str]:
    page.goto(f"/all?lane={lane}&show=all&upto=2000")
    return page.locator("#items .to").evaluate_all("all => all.map(at => new URL(at.href).pathname)")


def without_policy(route) -> None:
    if route.request.resource_type != "document":
        return route.fallback()
    answer = route.fetch()
    kept = {name: value for name, value in answer.headers.items() if name != "content-security-policy"}
    return route.fulfill(response=answer, headers=kept)


def is_foreign(url: str, ours: str) -> bool:
    return not url.startswith((f"{ours}/", "data:", "blob:"))
