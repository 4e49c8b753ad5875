"""From the first page to one's profile in hand, as a person goes: each step in a browser, kept as a picture."""

import json
import re
from dataclasses import dataclass

import pytest

from attention_filter.demo.server import OUTLETS

expect = pytest.importorskip("playwright.sync_api").expect
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# What is the same in every language: names, formats, keys.
NAMES = {
    "Attention",
    "Filter",
    "OPML",
    "Atom",
    "JSON",
    "Feed",
    "Miniflux",
    "FreshRSS",
    "Feedly",
    "UTC",
    "HTTP",
    "CSV",
    "JSONL",
}


@dataclass(frozen=True)
class Person:
    """How somebody comes in and what they say first."""

    locale: str
    viewport: dict[str, int]
    scheme: str
    cares: tuple[str, ...]
    by_opml: bool


ANNA = Person(
    "en",
    DESKTOP,
    "light",
    ("open-source software and programming languages", "climate, energy and batteries", "medicine that uses AI"),
    by_opml=True,
)
LIN = Person(
    "zh-CN", PHONE, "dark", ("开源软件与编程语言", "气候、能源与电池", "人工智能在医疗中的应用"), by_opml=False
)


@pytest.mark.parametrize("person", [ANNA, LIN], ids=["english-desktop-light", "chinese-phone-dark"])
def test_a_person_goes_from_the_first_page_to_their_profile_in_hand(house, visit, shoot, person):
    page = visit(house, locale=person.locale, viewport=person.viewport, color_scheme=person.scheme)

    def show(name: str) -> None:
        shoot(page, name)
        assert width_of(page) <= person.viewport["width"], f"{name} is wider than the screen"
        assert person.locale == "en" or not (left := words_left_in_english(page)), f"{name}: {left}"

    begin(page, house, person, show)
    read_along(page, show)
    why_it_is_there(page, show)
    like_and_rank_again(page, show)
    come_to_the_end(page, show)
    bring_back_from_the_tray(page, show)
    take_along(page, show)


def begin(page, house, person: Person, show) -> None:
    page.goto("/")
    show("welcome")
    for n, text in enumerate(person.cares, 1):
        page.fill(f"#said-{n}", text)
    page.click("main button.main")
    expect(page).to_have_url(re.compile("/welcome/sources$"))
    if person.by_opml:
        page.set_input_files("#file", house.opml())
        page.click("form[action='/welcome/import'] button")
    else:
        for url in house.demo.feed_urls:
            page.fill("#address", url)
            page.click("button[name=more]")
            expect(page.locator("#address")).to_have_value("")
    show("welcome-sources")
    page.click("form[action='/welcome/sources'] button.main")


def read_along(page, show) -> None:
    expect(page.locator("#first :is(progress, .item)").first).to_be_visible()  # it may be quicker than we look
    show("reading")
    expect(page.locator("#first .item").first).to_be_visible()
    expect(page.locator("#first progress")).to_have_count(0)
    expect(page.locator("#first .item")).to_have_count(8)
    show("first-look")
    page.click(".actions a.main")
    expect(page.locator("#items .item .level").first).to_be_visible()
    expect(page.locator("#end")).to_be_visible()
    show("today")
    page.goto("/all")
    expect(page.locator("#items .item progress.bar").first).to_be_visible()
    show("all")


def why_it_is_there(page, show) -> None:
    page.locator("#items .to").first.click()
    sums = page.locator("#why > table.sum")
    expect(sums).to_be_visible()
    *terms, total = map(number, sums.locator("td.number").all_inner_texts())
    assert len(terms) > 2
    assert sum(terms) == pytest.approx(total, abs=1e-9)
    assert f"{total:+.2f}" in page.locator("#why > p").first.inner_text()
    for part in page.locator("#why details").all():
        part.locator("summary").click()
    show("why")


def like_and_rank_again(page, show) -> None:
    page.goto("/all")
    row = page.locator("#items .item").nth(3)
    liked, before = row.get_attribute("id"), page.locator("#items .to").all_inner_texts()
    scores = scores_of(page)
    row.locator("[value=like]").click()
    expect(page.locator("#toast .said")).to_be_visible()
    expect(page.locator(f"#{liked} [value=like]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#fresh")).to_be_visible()
    show("liked")
    page.click("#fresh a")
    expect(page.locator("#fresh")).to_be_hidden()
    after = page.locator("#items .to").all_inner_texts()
    assert (after, scores_of(page)) != (before, scores)
    show("ranked-again")


def come_to_the_end(page, show) -> None:
    page.goto("/")
    items = page.locator("#items .item")
    before, said = items.locator(".to").all_inner_texts(), page.locator("#end .say").inner_text()
    items.locator("[value=read]:not([aria-pressed=true])").first.click()
    expect(page.locator("#end .say")).not_to_have_text(said)
    assert items.locator(".to").all_inner_texts() == before, "nothing moves"
    show("today-begun")
    for number in range(items.count()):
        if items.nth(number).get_attribute("data-was-done") is None:
            items.nth(number).locator("[value=read]").click()
            expect(items.nth(number)).to_have_attribute("data-was-done", "")
    expect(page.locator("#end.done")).to_be_visible()
    show("today-done")


def bring_back_from_the_tray(page, show) -> None:
    page.goto("/tray")
    expect(page.locator(".promise form, .promise table, .promise dl").first).to_be_visible()
    show("tray")
    row = page.locator(".away").first
    title = row.locator("h2").inner_text()
    id_ = row.get_attribute("id")
    row.locator("form button").click()
    expect(page.locator(f"#{id_}.brought")).to_contain_text(title)
    show("brought-back")
    page.click(f"#{id_} form button")
    expect(page.locator(f"#{id_}:not(.brought) h2")).to_have_text(title)


def take_along(page, show) -> None:
    page.goto("/digest")
    expect(page.locator(".letter .item").first).to_be_visible()
    page.locator("form[action='/digest/feeds'] button").click()
    address = page.locator(".addresses input").first.input_value()
    show("digest")
    feed = page.request.get(address)
    assert feed.ok
    assert feed.text().count("<entry") > 5
    page.goto("/profile")
    show("profile")
    with page.expect_download() as kept:
        page.click("a[href='/profile/export']")
    profile = json.loads(kept.value.path().read_text("utf-8"))
    assert len(profile["interests"]) == 3
    assert "like" in json.dumps(profile)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def scores_of(page) -> list[str | None]:
    return [bar.get_attribute("title") for bar in page.locator("#items progress.bar").all()]


def width_of(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth")


def words_left_in_english(page) -> set[str]:
    """Words of the page itself, whatever language it is in: what an item or a feed says has a `lang` of its own."""
    said, others = page.evaluate(
        """() => {
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          for (let node = walk.nextNode(); node; node = walk.nextNode()) {
            const at = node.parentElement;
            if (at.closest("script, noscript, kbd, .code, [translate=no]")) continue;
            if (at.closest("[lang]") === document.documentElement) found.push(node.data);
          }
          for (const at of document.querySelectorAll("[title], [aria-label], [placeholder]"))
            if (at.closest("[lang]") === document.documentElement)
              found.push(at.title, at.getAttribute("aria-label") ?? "", at.placeholder ?? "");
          const others = [...document.querySelectorAll("body [lang]")].map((at) => at.innerText.trim());
          return [found.join("\\n"), others];
        }"""
    )
    for name in sorted({*others, *(outlet.title for outlet in OUTLETS)}, key=len, reverse=True):
        said = said.replace(name, "")
    return set(re.findall(r"[A-Za-z]{3,}", re.sub(r"https?://\S+|“.*”|\w+_\w+", "", said))) - NAMES
