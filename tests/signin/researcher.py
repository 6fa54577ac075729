"""Somebody with a real browser who signs in by redirect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page, expect

from tests.conftest import artifact
from tests.e2e.conftest import Browsing
from tests.e2e.hub import Hub
from tests.e2e.person import Person

if TYPE_CHECKING:
    from tests.signin.hubsite import Site

# The provider's page asks for a style sheet that the tests' network has not.
ELSEWHERE = "https://cdn.jsdelivr.net/**"


def picture(name: str) -> Path:
    """Return the path of a screenshot that is kept for people to look at."""
    folder = artifact("signin")
    folder.mkdir(exist_ok=True)
    return folder / name


class Researcher(Person):
    """Somebody with a browser of their own, and an account at the provider.

    Attributes:
        subject: The provider's name for the account.
    """

    def __init__(self, page: Page, hub: Hub, email: str, subject: str) -> None:
        super().__init__(page, hub, email)
        self.subject = subject

    def fill_in_login(self) -> None:
        """Choose the provider on the login page, and the account at the provider."""
        self.page.get_by_role("button", name="Sign in with").or_(
            self.page.get_by_role("link", name="Sign in with")
        ).click()
        self.authorize()

    def authorize(self) -> None:
        """Choose the account on the provider's page."""
        self.page.get_by_label("Subject").fill(self.subject)
        self.page.get_by_role("button", name="Authorize", exact=True).click(no_wait_after=True)

    def sign_in_and_see(self, heading: str) -> None:
        """Sign in, and come to a page with this heading."""
        self.visit("/hub/login?next=/hub/home")
        self.fill_in_login()
        expect(self.page.get_by_role("heading", name=heading)).to_be_visible()

    @staticmethod
    def picture(name: str) -> Path:
        """Return the path of a screenshot that is kept."""
        return picture(name)

    def keep_picture(self, name: str) -> None:
        """Keep a screenshot for people to look at."""
        self.page.mouse.move(0, 0)
        self.page.screenshot(path=picture(name))


class SignInBrowsing(Browsing):
    """What one test does in the browser."""

    def __init__(self, browser: Browser, site: Site) -> None:
        super().__init__(browser, Hub(site.tree, site.client))
        self.site = site

    def page(self, zoom: float = 1) -> Page:
        """Return an empty page of a browser that nobody has used yet."""
        page = super().page(zoom)
        page.context.route(ELSEWHERE, lambda route: route.fulfill(content_type="text/css", body=""))
        return page

    def researcher(self, email: str, subject: str = "") -> Researcher:
        """Return somebody with a browser of their own, not signed in yet."""
        found = Researcher(self.page(), self.hub, email, subject or self.site.provider.account(email))
        self.people.append(found)
        return found
