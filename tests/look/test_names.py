"""Names are shown as they are, whatever is in them."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import expect

from tests.integration.tree import Tree
from tests.look.conftest import OPEN

RUN = secrets.token_hex(2)
# JupyterHub takes no name with a slash in it; the gallery has one.
NAMES = {"code": f"<img src=x onerror=alert('{RUN}')>\"'", "right-to-left": f"רוזלינד פרנקלין {RUN}"}


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_a_text(live: Tree, opened: OPEN, kind: str) -> None:
    viewer, name = opened(), NAMES[kind]
    dialogs: list[str] = []
    viewer.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    viewer.sign_in(live.url, name)
    for path in ("home", "token", "no-such-page"):
        viewer.visit(f"{live.url}/hub/{path}")
        shown = viewer.page.locator("#login_widget span").first
        expect(shown).to_have_text(name)
        expect(viewer.page.locator("#logout")).to_be_visible()
        # Nothing around it is turned round.
        assert shown.evaluate("node => getComputedStyle(node).unicodeBidi") in {"isolate", "plaintext"}
        assert viewer.page.evaluate("window.jhdata.user ?? ''") == name
        assert viewer.overflow() <= 0
    viewer.visit(f"{live.url}/hub/home")
    viewer.keep_picture(f"name-{kind}")
    assert dialogs == []
    assert viewer.complaints == []


def test_a_name_that_is_refused_is_a_text(live: Tree, opened: OPEN) -> None:
    viewer, name = opened(), f"<script>alert('{RUN}')</script>\"'"
    dialogs: list[str] = []
    viewer.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    viewer.visit(f"{live.url}/hub/login")
    viewer.page.get_by_label("Username:").fill(name)
    viewer.page.get_by_label("Password:").fill("any")
    viewer.page.get_by_role("button", name="Sign in").click()
    expect(viewer.page.get_by_text("Invalid username or password")).to_be_visible()
    expect(viewer.page.get_by_label("Username:")).to_have_value(name)
    viewer.keep_picture("name-refused")
    assert dialogs == []
    assert viewer.violations() == []
    assert viewer.complaints == []
