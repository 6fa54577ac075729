"""Another version of the libraries is in use: JupyterLab says so, and a new start of the server has it."""

from __future__ import annotations

from playwright.sync_api import Locator, Response, expect

from tests.conftest import Stack
from tests.e2e.conftest import Browsing
from tests.e2e.person import Person, unique

BUILT = "2031-05-04T12:00:00+00:00"
SHOWN = (
    "The libraries of May 4, 2031 are in use now. "
    "Save your work, choose File > Hub Control Panel, then stop and start your server."
)
# JupyterLab asks every ten minutes.
LATER = "11:00"


def notices(person: Person) -> Locator:
    """The notices about versions that JupyterLab shows."""
    return person.page.get_by_role("alert").filter(has_text="in use now")


def is_answer(response: Response) -> bool:
    return response.url.endswith("/hub/version") and response.ok


def version_of(browsing: Browsing, person: Person) -> str:
    """Return the version that a user's running server has."""
    container = browsing.hub.client.containers.get(browsing.hub.container_name(person.user))
    return str(container.labels["dropsonde.version"])


def test_people_are_told_of_another_version_and_get_it_with_a_new_server(browsing: Browsing, stack: Stack) -> None:
    reader, hub = browsing.person(unique("version")), browsing.hub
    reader.page.clock.install()
    with reader.page.expect_response(is_answer) as asked:
        reader.open_lab()
    first = asked.value.json()
    assert first["running"] == first["next"]
    expect(notices(reader)).to_have_count(0)

    with hub.another_version(BUILT) as other:
        stack.invoke("science.use", other.id)
        # The page stays open: it asks by itself.
        with reader.page.expect_response(is_answer):
            reader.page.clock.fast_forward(LATER)
        expect(notices(reader)).to_contain_text(SHOWN)
        expect(notices(reader)).to_be_in_viewport(ratio=1)
        reader.keep_picture("another-version.png")
        assert version_of(browsing, reader) == first["running"]

        with reader.page.context.expect_event("response", is_answer) as asked:
            reader.restart_server(notices(reader).get_by_role("button", name="Hub Control Panel"))
        assert asked.value.json() == {"running": other.id, "next": other.id, "next_built": BUILT}
        assert version_of(browsing, reader) == other.id
        expect(notices(reader)).to_have_count(0)
