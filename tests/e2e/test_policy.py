"""The content security policy in a real browser: what is ours runs, what somebody brings into a page does not."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import unique, wait_for_program

INLINE = """() => {
    const script = document.createElement("script");
    script.textContent = "window.strange = 1";
    document.body.append(script);
    const picture = document.createElement("div");
    picture.innerHTML = '<img src="data:," onerror="window.strange = 2">';
    document.body.append(picture);
    return new Promise((done) => setTimeout(() => done(window.strange), 300));
}"""


def test_a_script_that_is_not_ours_does_not_run(browsing: Browsing) -> None:
    visitor = browsing.person(unique("policy"))
    visitor.sign_in()
    visitor.visit("/hub/home")
    assert browsing.complaints == []
    assert visitor.page.evaluate(INLINE) is None
    refused = [text for text in browsing.complaints if "Content Security Policy" in text]
    assert len(refused) == 2, browsing.complaints


def test_forms_and_buttons_of_all_pages_work_within_it(browsing: Browsing) -> None:
    visitor = browsing.person(unique("policy"))
    visitor.sign_in()
    visitor.visit("/hub/token")
    wait_for_program(visitor.page)
    visitor.page.get_by_role("button", name="Request new API token").click()
    expect(visitor.page.locator("#token-result")).not_to_be_empty()
    visitor.visit("/hub/home")
    visitor.page.get_by_role("link", name="Start My Server").or_(
        visitor.page.get_by_role("button", name="Start My Server")
    ).click()
    visitor.page.wait_for_url("**/lab**", timeout=120_000)
    visitor.visit("/hub/home")
    visitor.page.get_by_role("button", name="Stop My Server").click()
    expect(visitor.page.get_by_role("button", name="Start My Server")).to_be_visible(timeout=30_000)
    visitor.visit("/hub/logout")
    expect(visitor.page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    assert [text for text in browsing.complaints if "Content Security Policy" in text] == []
