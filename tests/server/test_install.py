"""The page as an app, and what it keeps on a device: never anything that is somebody's."""

import json
import re

from attention_filter.server.pages.install import files


def test_the_manifest_names_icons_that_are_there(browser):
    manifest = json.loads(browser.get("/manifest.webmanifest").text)
    for icon in manifest["icons"]:
        assert browser.get(icon["src"]).content.startswith(b"\x89PNG")
    assert manifest["share_target"]["action"] == "/share"


def test_the_worker_keeps_only_what_is_nobodys(browser, stocked):
    worker = browser.get("/sw.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    kept = json.loads(re.search(r"const FIRST = (\[.*?\]);", worker.text)[1])
    assert all(one == "/offline" or one.startswith("/static/") for one in kept)
    assert all(browser.get(one).status_code == 200 for one in kept)
    assert " story " not in browser.get("/offline").text


def test_what_is_shared_is_followed_wherever_the_address_stands(browser):
    for asked in ("url=https://e.org/a%3Fb", "text=look:%20https://e.org/a%3Fb", "title=https://e.org/a%3Fb&url=x"):
        answer = browser.get(f"/share?{asked}", follow_redirects=False)
        assert answer.headers["location"] == "/add?url=https%3A%2F%2Fe.org%2Fa%3Fb"
    assert browser.get("/share?text=hello", follow_redirects=False).headers["location"] == "/add"


def test_the_bookmark_adds_the_page_one_is_on(browser):
    page = browser.get("/devices").text
    assert "javascript:location.href=&#39;http://127.0.0.1/add?url=&#39;+encodeURIComponent(location.href)" in page


def test_scripts_hold_no_eval_and_stay_short():
    code = (files("attention_filter.server") / "static" / "app.js").read_text()
    assert len(code.splitlines()) < 250
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", code)
