from selectolax.lexbor import LexborHTMLParser

RUST = '["Rust (language)"]\nnames = ["rustlang"]\nnarrower = ["Cargo"]\ncare = 1\n'


def page_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return LexborHTMLParser(answer.text)


def test_concepts_are_edited_as_text_and_listed(browser, stocked):
    page = page_of(browser.post("/knowledge", data={"text": RUST.replace("\n", "\r\n")}))
    assert [h.text() for h in page.css(".rules h3")] == ["Rust (language)", "Cargo"]
    assert "knows: Cargo" in page.css_first(".rules").text()
    assert "rustlang" in page.css_first("#text").text()


def test_a_mistake_is_told_with_its_line_and_nothing_typed_is_lost(browser, mine):
    broken = RUST + "\n[Wheat]\ncontext = [oops\n"
    page = page_of(browser.post("/knowledge", data={"text": broken}), 422)
    assert "Line 7:" in page.css_first("#mistake").text()
    assert "context = [oops" in page.css_first("pre .wrong").text()
    assert page.css_first("#text").text().strip() == broken.strip()
    assert not mine.knowledge()


def test_a_removed_concept_can_be_put_back(browser, stocked):
    browser.post("/knowledge", data={"text": RUST})
    page = page_of(browser.post("/knowledge/remove", data={"label": "Cargo"}))
    assert [h.text() for h in page.css(".rules h3")] == ["Rust (language)"]
    form = page.css_first("form.undo")
    page = page_of(browser.post("/knowledge", data={"text": form.css_first("input").attributes["value"]}))
    assert len(page.css(".rules h3")) == 2


def test_without_wordnet_the_page_says_what_to_do(browser, mine):
    page = page_of(browser.get("/knowledge", params={"word": "rust"}))
    assert page.css_first(".problem").text()
