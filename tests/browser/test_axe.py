"""axe-core finds nothing serious on any page, in both themes and both languages.

Its script is not ours to ship (MPL-2.0): ATTENTION_AXE names a copy, e.g. node_modules/axe-core/axe.min.js.
"""

import os
from pathlib import Path

import pytest

PAGES = (
    *("/", "/all", "/all?lane=rest", "/all?source=1&lang=xx", "/saved"),
    *("/search", "/search?q=battery", "/search?q=qqqq"),
    *(
        "/tray",
        "/tray/promise",
        "/tray/audit",
        "/interests",
        "/interests/attention",
        "/interests/1/split",
        "/you",
        "/trends",
        "/ask",
    ),
    *(
        "/sources",
        "/sources/1",
        "/rules",
        "/knowledge",
        "/digest",
        "/profile",
        "/settings",
        "/account",
        "/setup",
        "/sign-in",
    ),
    *("/welcome/interests", "/welcome/sources", "/welcome/reading", "/devices", "/offline", "/nowhere"),
)
PHONE = {"width": 390, "height": 844}
FINDS = """async () => (await axe.run({resultTypes: ["violations"]})).violations
  .filter(({impact}) => ["serious", "critical"].includes(impact))
  .map(({id, nodes}) => [id, ...nodes.slice(0, 3).map(({html, failureSummary}) => html + failureSummary)].join("; "))"""


@pytest.fixture(scope="module")
def axe() -> str:
    path = Path(os.environ.get("ATTENTION_AXE", "axe.min.js"))
    if not path.is_file():
        pytest.skip("axe-core is not here: set ATTENTION_AXE to a copy of axe.min.js")
    return path.read_text("utf-8")


@pytest.mark.parametrize(
    ("scheme", "wishes"),
    [("light", {"locale": "en"}), ("dark", {"locale": "zh-CN", "viewport": PHONE, "is_mobile": True})],
    ids=["english-desktop-light", "chinese-phone-dark"],
)
def test_axe_finds_nothing_serious_on_any_page(furnished, chromium, axe, shoot, scheme, wishes):
    context = chromium.new_context(base_url=furnished.url, color_scheme=scheme, bypass_csp=True, **wishes)
    context.set_default_timeout(60_000)
    page, found = context.new_page(), []
    page.goto("/")
    item = page.locator("#items .to").first.get_attribute("href")
    for path in (*PAGES, item):
        page.goto(path)
        page.wait_for_function("() => !document.querySelector('.htmx-request')")
        page.evaluate(axe)
        shoot(page, path.strip("/").replace("/", "-").partition("?list")[0] or "stream")
        found += [f"{path} {problem}" for problem in page.evaluate(FINDS)]
        if (width := page.evaluate("document.documentElement.scrollWidth")) > page.viewport_size["width"]:
            found.append(f"{path} is {width} wide")
    context.close()
    assert not found, "\n".join(found)
