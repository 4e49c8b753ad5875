"""With the keyboard alone, and with a browser that runs no script."""

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


def test_the_keyboard_walks_the_stream(furnished, visit):
    page = visit(furnished)
    page.goto("/")
    rows = page.locator("#items .item")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_attribute("data-current", "")
    page.keyboard.press("j")
    expect(rows.nth(1).locator(".to")).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(0).locator(".to")).to_be_focused()
    for key, sign in (("l", "like"), ("s", "save"), ("x", "hide")):
        button = rows.nth(0).locator(f"[value={sign}]")
        page.keyboard.press(key)
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#toast form button")).to_be_visible()
        page.keyboard.press("u")
        expect(button).to_have_attribute("aria-pressed", "false")


def test_the_keyboard_reaches_search_and_the_list_of_keys(furnished, visit):
    page = visit(furnished)
    page.goto("/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page).to_have_url(f"{furnished.url}/search")
    expect(page.locator("#q")).to_be_focused()


def test_the_first_tab_leads_past_the_menu(furnished, visit):
    page = visit(furnished)
    page.goto("/")
    page.keyboard.press("Tab")
    skip = page.locator(".skip").first
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/tray", "/settings"])
def test_the_focus_is_seen_wherever_it_goes(furnished, visit, path):
    page = visit(furnished)
    page.goto(path)
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const at = document.activeElement, {outlineStyle, outlineWidth} = getComputedStyle(at);
            return [at.outerHTML.slice(0, 120),
              at === document.body || outlineStyle !== "none" && parseFloat(outlineWidth) >= 1]; }"""
        )
        assert at[1], at[0]


def test_every_act_is_a_plain_form(furnished, visit):
    page = visit(furnished, java_script_enabled=False)
    page.goto("/all?show=all")
    page.locator("#items .item").nth(2).locator("[value=like]").click()
    last = page.locator("#history li").first  # its row may stand elsewhere by now: the list is ranked again
    page.goto("/profile")
    expect(last.locator(".chip")).to_have_text("like")
    page.goto("/all?show=all")
    page.click("#undo")
    page.goto("/profile")
    expect(last).to_have_class("undone")

    page.goto("/tray")
    titles = page.locator(".away h2")
    title = titles.nth(titles.count() // 2).inner_text()  # a new ranking brings it neither back nor to the next page
    again = page.locator(".away").filter(has_text=title)
    again.locator("form button").click()
    expect(page.locator(".note[role=status]")).to_be_visible()
    page.locator(".note[role=status] button").click()
    expect(again).to_be_visible()

    page.goto("/search")
    page.fill("#q", "battery")
    page.click("form[role=search] button.main")
    expect(page.locator(".found .item").first).to_contain_text("batter")

    page.goto("/rules")
    page.fill("#words", "horoscope")
    page.click("[formaction='/rules/preview']")
    expect(page.locator("#words")).to_have_value("horoscope")
    page.locator("button.main").filter(has_text="Add the rule").click()
    rule = page.locator(".rules li").filter(has_text="horoscope")
    expect(rule).to_be_visible()
    rule.locator("button").click()
    expect(rule).to_have_count(0)


def test_why_is_told_without_script(furnished, visit):
    page = visit(furnished, java_script_enabled=False)
    page.goto("/")
    page.locator("#items .whence").first.click()
    expect(page.locator("#why table.sum").first).to_be_visible()
