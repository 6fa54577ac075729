"""The whole life of one approval, in a real browser; and the audit log tells the same story."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from tests.e2e.person import wait_for_program
from tests.integration.verbs import wait_until
from tests.signin.conftest import Arrive
from tests.signin.hubsite import CHECK_SECONDS, CONTACT, STOP_SECONDS, Site
from tests.signin.researcher import Researcher, SignInBrowsing
from tests.signin.visitor import words

# Seconds that a stop itself may take, on a busy machine.
STOPPING = 20
COUNT = "import time\nfor number in range(10**6):\n    print(number, flush=True)\n    time.sleep(0.2)"


def make_token(person: Researcher) -> str:
    """Make a token on the hub's page for that."""
    person.visit("/hub/token")
    wait_for_program(person.page)
    person.page.get_by_role("button", name="Request new API token").click()
    result = person.page.locator("#token-result")
    expect(result).to_have_text(re.compile(r"\w{16}"))
    return (result.text_content() or "").strip()


def is_story(story: list[tuple[str, str]], told: list[tuple[str, str]]) -> bool:
    """Return whether all of a story was told, in its order, whatever was told between."""
    lines = iter(told)
    return all(any(line == wanted for line in lines) for wanted in story)


def test_the_whole_life_of_an_approval(site: Site, browsing: SignInBrowsing, arrive: Arrive) -> None:
    visitor = arrive("life")
    person = browsing.researcher(visitor.name, visitor.subject)
    user = person.user

    # Approved: signs in by redirect, and finds herself in JupyterLab.
    person.visit("/")
    person.keep_picture("1-login.png")
    person.fill_in_login()
    person.in_lab()
    assert any(item["signed"] for item in site.daco.asked(user)), "DACO was not asked"

    # Working.
    person.new_notebook()
    cell = person.run("from pathlib import Path\nPath('finding.txt').write_text('42\\n')\nprint('written')")
    expect(cell.locator(".jp-OutputArea-output")).to_have_text("written\n")
    person.keep_picture("2-working.png")
    lab = person.page
    person.page = lab.context.new_page()
    token = make_token(person)
    person.keep_picture("3-token.png")
    assert visitor.token_works(token)
    person.visit("/hub/home")
    assert "approval ends" not in words(person.page.content())

    # Warned: DACO's entry gets an end; the sweep finds it, nobody signs in again.
    end = site.daco.approve_for(user, days=5)
    wait_until(
        "the audit log says that she was warned", lambda: "warned" in [line["event"] for line in site.audit(user)]
    )
    person.visit("/hub/home")
    banner = person.page.get_by_role("status").filter(has_text="Your approval ends")
    expect(banner).to_contain_text(f"{end:%Y-%m-%d}")
    expect(banner).to_contain_text(CONTACT)
    person.keep_picture("4-warned.png")
    expect(lab.get_by_text("Your approval ends").first).to_be_visible()
    lab.screenshot(path=person.picture("5-warned-in-jupyterlab.png"))
    assert site.is_running(user)

    # Revoked while a kernel runs: there is time to save, then the server is stopped and everything is void.
    home, person.page = person.page, lab
    counting = person.run(COUNT)
    expect(counting.locator(".jp-OutputArea-output")).to_contain_text("3\n")
    person.page = home
    site.daco.remove(user)
    removed = time.monotonic()
    wait_until("the hub found that it has ended", lambda: "ended" in [line["event"] for line in site.audit(user)])
    wait_until("the server is stopped", lambda: not site.is_running(user))
    assert time.monotonic() - removed < CHECK_SECONDS + STOP_SECONDS + STOPPING
    wait_until("the token is void", lambda: not visitor.token_works(token))
    lab.screenshot(path=person.picture("6-stopped-in-jupyterlab.png"))
    person.visit("/hub/home")
    expect(person.page.get_by_role("button", name="Start My Server")).to_have_count(0)

    # Denied: told why, and whom to ask.
    person.sign_in_and_see("You cannot come in")
    said = words(person.page.content())
    assert "DACO" in said
    assert CONTACT in said
    person.keep_picture("7-denied.png")
    person.visit("/hub/home")
    expect(person.page).to_have_url(re.compile("/hub/login"))
    assert site.home_volumes(user), "her files are gone"

    # Approved again: comes back, and finds her work.
    site.daco.approve(user)
    person.open_lab()
    expect(person.file("finding.txt")).to_be_visible()
    assert browsing.hub.run(user, "cat", "/home/jovyan/finding.txt") == "42\n"
    person.keep_picture("8-approved-again.png")
    assert not visitor.token_works(token), "an old token came back to life"

    # The audit log tells the same story.
    told = site.audit(user)
    assert [line["time"] for line in told] == sorted(line["time"] for line in told)
    story = [
        *[("approved", ""), ("login", "allowed"), ("spawn", "allowed"), ("warned", ""), ("ended", "")],
        *[
            ("stop", ""),
            ("revoked", ""),
            ("login", "denied"),
            ("restored", ""),
            ("login", "allowed"),
            ("spawn", "allowed"),
        ],
    ]
    assert is_story(story, [(line["event"], line.get("outcome", "")) for line in told]), told
    assert all("DACO" in line["reason"] for line in told if line["event"] == "ended" or line.get("outcome") == "denied")
    assert all(line["evidence"] for line in told if line.get("outcome") == "allowed")
    assert token not in str(told)


def test_once_ended_nothing_starts_even_before_the_sweep(site: Site, arrive: Arrive) -> None:
    with site.settings(APPROVAL_CHECK_SECONDS="600"):
        visitor, control = arrive("spawner").come_in(), arrive("control").come_in()
        site.daco.remove(visitor.name)
        refused = visitor.spawn()
        assert refused.status_code == 403, refused.text
        assert CONTACT in refused.json()["message"]
        page = visitor.http.get("/hub/spawn")
        assert CONTACT in words(page)
        assert not site.is_running(visitor.name)
        assert control.spawn().status_code in {201, 202}
        control.follow()
        assert site.is_running(control.name)
        assert ("spawn", "denied") in [(line["event"], line.get("outcome")) for line in site.audit(visitor.name)]


def test_an_end_that_was_known_needs_no_answer(site: Site, arrive: Arrive) -> None:
    """An approval with an end ends by the clock, even if DACO has gone away meanwhile."""
    visitor = arrive("clock")
    site.daco.approve_for(visitor.name, seconds=20)
    visitor.come_in()
    visitor.start()
    token = visitor.token
    with site.daco.stopped():
        assert site.is_running(visitor.name)
        wait_until("the server is stopped", lambda: not site.is_running(visitor.name))
        wait_until("the token is void", lambda: not visitor.token_works(token))
    ended = next(line for line in site.audit(visitor.name) if line["event"] == "ended")
    assert "Your approval ended on" in ended["reason"]


def test_an_account_that_an_admin_made_needs_approval(site: Site, arrive: Arrive) -> None:
    """Somebody who never signed in has no token's or admin's way around approval."""
    stranger, control = arrive("made", approved=False), arrive("approved").come_in()
    assert site.as_admin("POST", stranger.api_path).status_code == 201
    answer = site.as_admin("POST", f"{stranger.api_path}/server")
    assert answer.status_code == 403, answer.text
    assert not site.is_running(stranger.name)
    assert site.as_admin("POST", f"{control.api_path}/server").status_code in {201, 202}
    wait_until("the control's server runs", lambda: site.is_running(control.name))
