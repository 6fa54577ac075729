"""`invoke reset` under people's hands."""

from __future__ import annotations

import re

from playwright.sync_api import WebSocket, expect

from tests.conftest import Stack
from tests.e2e.conftest import Browsing
from tests.e2e.person import unique

# Ends when the test says so, so that the reset is in the middle of it however long it takes.
COUNT = """
import itertools, os, time
for number in itertools.count():
    print(number, flush=True)
    time.sleep(0.1)
    if os.path.exists("enough") or number > 3000:
        break
print("done")
"""


def test_a_running_cell_loses_nothing_while_the_hub_is_replaced(browsing: Browsing, stack: Stack) -> None:
    person = browsing.person(unique("reset"))
    person.open_lab()
    opened: list[WebSocket] = []
    closed: list[str] = []

    def remember(socket: WebSocket) -> None:
        opened.append(socket)
        socket.on("close", lambda closing: closed.append(closing.url))

    person.page.on("websocket", remember)
    person.new_notebook()
    cell = person.run(COUNT)
    text = cell.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stdout"]')
    expect(text.first).to_contain_text("3\n")
    kernel = [socket.url for socket in opened if "/channels" in socket.url]
    before = len(text.all_text_contents()[0].split())
    hub = browsing.hub.stack.containers(browsing.hub.client, "hub")[0].id
    stack.invoke("reset")
    assert browsing.hub.stack.containers(browsing.hub.client, "hub")[0].id != hub
    browsing.hub.run(person.user, "touch", "enough")
    expect(text.last).to_contain_text("done")

    printed = "".join(text.all_text_contents()).split()
    assert printed == [*map(str, range(len(printed) - 1)), "done"]
    assert len(printed) > before + 10
    assert [socket.url for socket in opened if "/channels" in socket.url] == kernel
    assert not [url for url in closed if "/channels" in url]
    expect(person.page.get_by_role("dialog")).to_have_count(0)
    expect(person.page).to_have_url(re.compile(rf"{re.escape(person.path)}/lab"))

    person.visit("/hub/home")
    expect(person.page.get_by_role("button", name="Stop My Server")).to_be_visible()
    expect(person.page.locator("#login_widget")).to_contain_text(person.user)
