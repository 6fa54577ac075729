"""People: names of every kind, and what they do not see of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Browsing
from tests.e2e.person import RUN, expect_development_banner, unique


@pytest.mark.parametrize("name", [f"jane.{RUN}@example.org", f'O\'Brien "{RUN}" <b>'], ids=["mail", "markup"])
def test_unusual_names_can_work(browsing: Browsing, name: str) -> None:
    person = browsing.person(name)
    person.sign_in()
    expect(person.page.locator("#login_widget span").first).to_have_text(person.user)
    person.page.get_by_role("button", name="Start My Server").click(no_wait_after=True)
    person.in_lab()
    person.new_notebook()
    cell = person.run("import os\nprint(os.environ['JUPYTERHUB_USER'])")
    expect(cell.locator(".jp-OutputArea-output")).to_have_text(f"{person.user}\n")
    person.visit("/hub/home")
    expect(person.page.get_by_role("button", name="Stop My Server")).to_be_visible()


def test_two_at_once_do_not_see_each_others_files(browsing: Browsing, tmp_path: Path) -> None:
    ada, bob = browsing.person(unique("ada")), browsing.person(unique("bob"))
    for person in (ada, bob):
        person.open_lab()
        mine = tmp_path / f"of-{person.user}.txt"
        mine.write_text(f"only for {person.user}\n")
        person.upload(mine)
    for person, other in ((ada, bob), (bob, ada)):
        person.page.get_by_role("button", name="Refresh the file browser").click()
        expect(person.file(f"of-{person.user}.txt")).to_be_visible()
        expect(person.file(f"of-{other.user}.txt")).to_have_count(0)
        own = person.page.request.get(f"{browsing.hub.url}{person.path}/files/of-{person.user}.txt")
        assert (own.status, own.text()) == (200, f"only for {person.user}\n")
        foreign = person.page.request.get(f"{browsing.hub.url}{other.path}/files/of-{other.user}.txt")
        assert foreign.status == 403
        assert "only for" not in foreign.text()
    answer = bob.page.goto(f"{browsing.hub.url}{ada.path}/lab")
    assert answer is not None
    assert answer.status == 403
    expect(bob.page.get_by_role("heading")).to_contain_text("Not yours")
    expect_development_banner(bob.page)
    bob.keep_picture("not-your-server.png")
