"""The look and feel with a real build and a real hub: the check, live editing, diff and pull, announcements, brands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from infra.health import LOCAL
from tests.conftest import Stack
from tests.integration.tree import Tree
from tests.integration.verbs import Running, fails

LOGIN = "www_custom/hub/templates/login.html"
GOOD_BYE = """{% extends "templates/logout.html" %}
{% block main %}<div class="container"><h1>WORDS</h1></div>{% endblock main %}
"""
FORM = """{% extends "templates/login.html" %}
{% block login_container %}
  <form action="{{ authenticator_login_url }}" method="post">
    <p id="insecure-login-warning" class="hidden">x</p>
    <input id="username_input" name="username" aria-label="Name">
    <input id="password_input" name="password" type="password" aria-label="Password">
    <button id="toggle_password_visibility" type="button">Show</button>
  </form>
{% endblock login_container %}
"""


def page(stack: Stack, path: str) -> str:
    with LOCAL.open(f"{stack.url}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def shows(stack: Stack, path: str, text: str, seconds: float = 10) -> bool:
    """Return whether a page shows a text soon."""
    deadline = time.monotonic() + seconds
    while text not in page(stack, path):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('{% extends "templates/login.html" %}\n{% block gone_in_7 %}x{% endblock %}\n', 2, "block gone_in_7"),
        (FORM, 2, "the form field _xsrf is missing"),
        ('{% extends "templates/login.html" %}\n{% block main %}\n{% if %}\n{% endblock %}\n', 3, "Expected"),
    ],
)
def test_a_template_that_does_not_fit_fails_the_build_with_its_line(
    copy: Tree, text: str, line: int, says: str
) -> None:
    with copy.edited(LOGIN, text):
        error = fails(copy, "build", "--only", "hub").partition("Error:")[2]
    assert f"{LOGIN}:{line}: " in error
    assert says in error


def test_a_wrong_brand_ends_the_new_hub_and_keeps_the_old_one(copy: Tree, client: docker.DockerClient) -> None:
    hub = copy.containers(client, "hub")[0].id
    environment = (copy.folder / "hub/environment").read_text()
    with copy.edited("hub/environment", environment.replace("BRAND_COLOR=\n", "BRAND_COLOR=teal\n")):
        error = fails(copy, "reset", code=78)
    assert "BRAND_COLOR=teal is no colour." in error
    assert [item.id for item in copy.containers(client, "hub")] == [hub]
    assert "Sign in" in page(copy, "/hub/login")


def test_a_brand_from_settings_alone(copy: Tree, client: docker.DockerClient) -> None:
    environment = (copy.folder / "hub/environment").read_text()
    for name, value in {
        "NAME": "Upper Air <Institute>",
        "COLOR": "#7a1f5c",
        "CONTACT": "help@example.org",
        "FOOTER": "Funded by balloons",
    }.items():
        environment = environment.replace(f"BRAND_{name}=\n", f"BRAND_{name}={value}\n")
    proxy = copy.containers(client, "proxy")[0]
    with copy.edited("hub/environment", environment):
        copy.invoke("reset")
        login = page(copy, "/hub/login")
        for text in ("Upper Air &lt;Institute&gt;", "#7a1f5c", "mailto:help@example.org", "Funded by balloons"):
            assert text in login
        # The proxy, which was not replaced, has the same face when nothing else answers.
        assert copy.containers(client, "proxy")[0].id == proxy.id
        hub = copy.containers(client, "hub")[0]
        hub.stop(timeout=5)
        try:
            with pytest.raises(urllib.error.HTTPError) as away:
                page(copy, "/hub/login")
            shown = away.value.read().decode()
        finally:
            hub.start()
        assert away.value.code == 503
        assert "Upper Air &lt;Institute&gt;" in shown
        assert "#7a1f5c" in shown
    copy.invoke("reset")


def test_announcements_come_and_go_without_a_restart(stack: Stack, client: docker.DockerClient) -> None:
    hub = stack.containers(client, "hub")[0].id
    text = "Away at <six> & back at seven"
    said = stack.invoke("announce", text, "--until", "2h").stdout
    try:
        assert said.startswith(f"Announced: {text}, until ")
        assert "Away at &lt;six&gt; &amp; back at seven" in page(stack, "/hub/login")
        told = json.loads(page(stack, "/hub/announcement"))
        assert told["text"] == text
        assert told["until_text"] in said
        assert json.loads(stack.invoke("announce", "--json").stdout) == told
        stack.invoke("announce", "Another one")
        assert "Away at" not in page(stack, "/hub/login")
    finally:
        stack.invoke("announce", "--clear")
    assert "Another one" not in page(stack, "/hub/login")
    assert json.loads(page(stack, "/hub/announcement")) == {}
    assert stack.invoke("announce").stdout == "Nothing is announced.\n"
    assert "passed" in fails(stack, "announce", "x", "--until", "2020-01-01", code=2)
    assert [item.id for item in stack.containers(client, "hub")] == [hub]


@contextmanager
def watching(tree: Tree) -> Iterator[Running]:
    """Run `invoke look.watch`; end it with Ctrl-C."""
    running = Running(tree, "look.watch")
    try:
        running.wait_for("The templates as they are now")
        yield running
        os.killpg(running.process.pid, signal.SIGINT)
        running.wait_for("No longer watching")
        assert running.process.wait(10) == 0
    finally:
        running.process.kill()


def test_an_edit_shows_at_once_and_is_checked(copy: Tree) -> None:
    logout = "www_custom/hub/templates/logout.html"
    with watching(copy) as watch:
        with copy.edited(logout, GOOD_BYE.replace("WORDS", "Good bye")):
            assert shows(copy, "/hub/look/pages/logout", "Good bye", seconds=1)
            watch.wait_for("✓ templates/logout.html")
        with copy.edited(logout, GOOD_BYE.replace("block main", "block gone")):
            watch.wait_for(f"{logout}:2: the block gone is never shown")
        with copy.edited(logout, "{% extends 'templates/logout.html' %}\n{% if %}"):
            # The page says where it is broken, and recovers.
            assert shows(copy, "/hub/look/pages/logout", f"{logout}:2: ")
            watch.wait_for(f"{logout}:2: ")
        assert shows(copy, "/hub/look/pages/logout", "signed out")


def test_changes_are_told_to_open_pages(copy: Tree) -> None:
    with LOCAL.open(f"{copy.url}/hub/look/changes", timeout=10) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.readline() == b": listening\n"
        stream.readline()
        with copy.edited("www_custom/hub/templates/logout.html", GOOD_BYE):
            assert stream.readline() == b'data: ["templates/logout.html"]\n'


def test_a_hub_that_shows_other_files_is_not_watched(stack: Stack, copy: Tree) -> None:
    error = fails(copy, "look.watch", SERVICE_NAME=stack.name, HUB_PORT=str(stack.port))
    assert "does not show" in error
    assert "invoke up" in error
    assert "DEV_MODE" in fails(copy, "look.watch", DEV_MODE="0", code=78)


def git(tree: Tree, *arguments: str) -> None:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=tree.folder, check=True, capture_output=True)


@pytest.fixture
def versioned(copy: Tree) -> Iterator[Tree]:
    """The copy with a first commit; without one afterwards, and with nothing in share/."""
    git(copy, "init", "-q")
    git(copy, "add", "-A")
    git(copy, "commit", "-qm", "first")
    yield copy
    git(copy, "checkout", "-q", "--", "www_custom")
    git(copy, "clean", "-qfdx", "--", "share", "www_custom")
    for folder, folders, files in os.walk(copy.folder / ".git", topdown=False):
        for name in files:
            (Path(folder) / name).unlink()
        for name in folders:
            (Path(folder) / name).rmdir()
    (copy.folder / ".git").rmdir()


def test_files_of_share_are_found_and_brought(versioned: Tree) -> None:
    assert "Nothing differs" in versioned.invoke("look.diff").stdout
    versioned.invoke("dshell", "-c", "mkdir -p share/static && printf picture > share/static/new.png")
    words = GOOD_BYE.replace("WORDS", "From the hub").replace("\n", "\\n")
    versioned.invoke(
        "dshell", "-c", f"printf %b '{words}' > share/logout.html; ln -s /etc/passwd share/static/link.svg"
    )
    listed = json.loads(versioned.invoke("look.diff", "--json").stdout)
    files = ["www_custom/hub/static/new.png", "www_custom/hub/templates/logout.html"]
    assert [(item["file"], item["source"]) for item in listed["differences"]] == [(name, "share") for name in files]
    shown = versioned.invoke("look.diff").stdout
    assert "+++ share/logout.html" in shown
    assert "+{% block main %}" in shown
    # An own change that no commit holds is not lost without a word.
    logout = versioned.folder / files[1]
    mine = logout.read_text() + "{# mine #}\n"
    logout.write_text(mine)
    assert "not committed" in fails(versioned, "look.pull")
    assert logout.read_text() == mine
    versioned.invoke("look.pull", "logout.html", "static/new.png", "--yes")
    assert "From the hub" in logout.read_text()
    assert (versioned.folder / files[0]).read_bytes() == b"picture"
    assert "From the hub" in page(versioned, "/hub/look/pages/logout")
    assert "Nothing differs" in versioned.invoke("look.diff").stdout
    assert "Nothing to bring" in versioned.invoke("look.pull").stderr


def test_what_is_brought_is_checked(versioned: Tree) -> None:
    broken = versioned.folder / "share/logout.html"
    broken.write_text(GOOD_BYE.replace("block main", "block gone"))
    error = fails(versioned, "look.pull")
    assert "www_custom/hub/templates/logout.html:2: the block gone is never shown" in error
    assert "git checkout" in error


def test_jupyterhubs_own_page_belongs_into_a_block_of_ours(versioned: Tree) -> None:
    stock = "/opt/jupyterhub/share/jupyterhub/templates/home.html"
    versioned.invoke("dshell", "-c", f"cp {stock} /tmp/home.html && sed -i 's/Stop My Server/Halt/' {stock}")
    try:
        listed = json.loads(versioned.invoke("look.diff", "--json").stdout)
        assert listed["differences"] == []
        assert [(item["name"], item["blocks"]) for item in listed["stock"]] == [("home.html", ["main"])]
        error = fails(versioned, "look.pull", "home.html", code=2)
        assert "{% block main %}" in error
        assert "www_custom/hub/templates/home.html" in error
    finally:
        versioned.invoke("dshell", "-c", f"cp /tmp/home.html {stock}")
    assert json.loads(versioned.invoke("look.diff", "--json").stdout)["stock"] == []


def test_what_another_checkout_shows_is_brought_here(versioned: Tree, stack: Stack) -> None:
    other = versioned.env | {"SERVICE_NAME": stack.name, "HUB_PORT": str(stack.port)}
    logout = versioned.folder / "www_custom/hub/templates/logout.html"
    shipped = logout.read_text()
    logout.write_text(GOOD_BYE)
    git(versioned, "commit", "-qam", "an older state")
    listed = json.loads(versioned.invoke("look.diff", "--json", env=other).stdout)
    assert [(item["file"], item["kind"]) for item in listed["differences"]] == [
        ("www_custom/hub/templates/logout.html", "changed there")
    ]
    versioned.invoke("look.pull", env=other)
    assert logout.read_text() == shipped


def test_all_pages_as_files(stack: Stack, tmp_path: Path) -> None:
    shown = stack.invoke("look.pages", "--to", str(tmp_path / "pages")).stdout.strip()
    assert shown == str(tmp_path / "pages/index.html")
    assert (tmp_path / "pages/spawn-failed.html").exists()
    assert "no empty folder" in fails(stack, "look.pages", "--to", str(tmp_path / "pages"), code=2)
    assert stack.invoke("look.pages").stdout.strip() == f"{stack.url}/hub/look/"
