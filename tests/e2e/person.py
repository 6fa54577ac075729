"""What people do: sign in, open JupyterLab, work in a notebook. Everything waits for what a person would wait for."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Download, Locator, Page, expect

from tests.conftest import artifact
from tests.e2e.hub import Hub
from tests.integration.verbs import wait_until

RUN = secrets.token_hex(2)


def picture(name: str) -> Path:
    """Return the path of a screenshot that is kept for people to look at."""
    folder = artifact("e2e")
    folder.mkdir(exist_ok=True)
    return folder / name


def unique(name: str) -> str:
    """Return a user name that no earlier run against the same service has used."""
    return f"{name}-{RUN}"


def expect_development_banner(page: Page) -> None:
    """Check that a page of the hub says that this is no real one."""
    expect(page.get_by_role("note")).to_contain_text("Development hub. Anybody can sign in as anybody")


def wait_for_program(page: Page) -> None:
    """Wait until the program of a page of the hub runs: its buttons do nothing before.

    JupyterHub's own tests wait for this, too. Not with Playwright's wait_for_function: its polling in the page is what
    the pages' policy forbids.
    """
    page.wait_for_load_state()
    wait_until("the page's program runs", lambda: page.evaluate("Boolean(window._jupyterhub_page_loaded)"))


class Person:
    """Somebody with a browser of their own.

    Attributes:
        page: The page that they look at.
        name: The name that they type.
        user: The name that the hub gives them: DEV_MODE's sign-in takes any name in lower case.
        path: Where their server is.
    """

    def __init__(self, page: Page, hub: Hub, name: str) -> None:
        self.page = page
        self.hub = hub
        self.name = name
        self.user = name.lower()
        self.path = f"/user/{quote(self.user, safe='@~')}"

    # -- The hub's pages -----------------------------------------------------------------------------------------------

    def visit(self, path: str) -> None:
        """Type an address."""
        self.page.goto(f"{self.hub.url}{path}")

    def fill_in_login(self) -> None:
        """Fill in the form on the login page and send it off."""
        self.page.get_by_label("Username:").fill(self.name)
        self.page.get_by_label("Password:").fill("any")
        # Where the browser ends up, and when, is for the caller to wait for.
        self.page.get_by_role("button", name="Sign in").click(no_wait_after=True)

    def sign_in(self) -> None:
        """Sign in, and go to the hub's home page instead of a server."""
        self.visit("/hub/login?next=/hub/home")
        self.fill_in_login()
        self.page.wait_for_url(f"{self.hub.url}/hub/home")

    def sign_out(self) -> None:
        """Sign out with JupyterLab's menu."""
        self.menu("File", "Log Out")
        self.page.wait_for_url(f"{self.hub.url}/hub/login*")

    def open_lab(self) -> None:
        """Come to the hub as everybody does: sign in, wait, and find oneself in JupyterLab."""
        self.visit("/")
        self.fill_in_login()
        self.in_lab()

    def in_lab(self) -> None:
        """Wait until JupyterLab is there and shows the files."""
        self.page.wait_for_url(f"{self.hub.url}{self.path}/lab*", wait_until="commit")
        expect(self.file("demo.ipynb")).to_be_visible()
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    def restart_server(self, way: Locator | None = None) -> None:
        """Stop the server and start it again, as the demo notebook tells, or with a button that leads there."""
        with self.page.expect_popup() as popup:
            if way is None:
                self.menu("File", "Hub Control Panel")
            else:
                way.click()
        self.page.close()
        self.page = popup.value
        wait_for_program(self.page)
        self.page.get_by_role("button", name="Stop My Server").click()
        expect(self.page.get_by_role("button", name="Stop My Server")).to_be_hidden()
        self.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)
        self.in_lab()

    def keep_picture(self, name: str) -> None:
        """Keep a screenshot for people to look at."""
        self.page.mouse.move(0, 0)  # away from what would look different under it
        self.page.screenshot(path=picture(name))

    # -- JupyterLab ----------------------------------------------------------------------------------------------------

    def menu(self, *entries: str) -> None:
        """Choose from JupyterLab's menu."""
        self.page.get_by_role("menubar").get_by_role("menuitem", name=entries[0], exact=True).click()
        for entry in entries[1:]:
            # By its label: the accessible name has the shortcut in it, and entries with a submenu have no role.
            label = self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True)
            label.filter(visible=True).click()

    def file(self, name: str) -> Locator:
        """A file in JupyterLab's list of files."""
        return self.page.locator(".jp-DirListing-item").filter(has_text=re.compile(rf"^{re.escape(name)}"))

    @property
    def tab(self) -> Locator:
        """The tab of the document that is worked on."""
        return self.page.locator("#jp-main-dock-panel .lm-TabBar-tab.jp-mod-current")

    @property
    def notebook(self) -> Locator:
        """The notebook that is worked on."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def close_tab(self, name: str) -> None:
        """Close a document, or the launcher."""
        self.page.get_by_role("tab", name=name).locator(".lm-TabBar-tabCloseIcon").click()

    def upload(self, file: Path) -> None:
        """Upload a file from this machine."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Upload Files").click()
        chooser.value.set_files(file)
        expect(self.file(file.name)).to_be_visible()
        # JupyterLab opens what was uploaded; what is done next must not be disturbed by that.
        expect(self.tab).to_contain_text(file.name)

    def download(self) -> Download:
        """Download the document that is worked on."""
        with self.page.expect_download() as download:
            self.menu("File", "Download")
        return download.value

    def save(self) -> None:
        """Save the document that is worked on, and wait until it says that it is saved."""
        expect(self.tab).to_have_class(re.compile("jp-mod-dirty"))
        self.page.keyboard.press("Control+s")
        expect(self.tab).not_to_have_class(re.compile("jp-mod-dirty"))

    def open_notebook(self, name: str) -> None:
        """Open a notebook from the list of files and wait for its kernel."""
        self.file(name).dblclick()
        expect(self.tab).to_contain_text(name)
        self.wait_for_kernel()

    def new_notebook(self, kernel: str = "Python 3") -> None:
        """Make a notebook with the launcher, which is open when a new user comes, and wait for its kernel."""
        card = self.page.locator('.jp-LauncherCard[data-category="Notebook"]')
        card.filter(has_text=re.compile(rf"^\s*{re.escape(kernel)}(\s|$)")).click()
        expect(self.tab).to_contain_text("Untitled.ipynb")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the notebook's kernel has nothing to do."""
        # Not the notebook's own sign, which says so before there is a kernel.
        expect(self.page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()

    def run(self, code: str) -> Locator:
        """Run code in the selected cell; return the cell, which may still be running."""
        cell = self.notebook.locator(".jp-CodeCell.jp-mod-selected")
        number = self.notebook.locator(".jp-CodeCell").count() - 1
        cell.locator(".cm-content").click()
        # In one piece: as typed, the editor would add brackets and indents.
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Shift+Enter")
        return self.notebook.locator(".jp-CodeCell").nth(number)
