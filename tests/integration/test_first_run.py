"""The README's first command, word for word, on fresh machines without an engine: to a logged-in notebook."""

from __future__ import annotations

import time
from collections.abc import Iterator

import docker
import pytest

from infra import engine
from tests.integration.machine.machine import Machine, machine, machine_image

pytestmark = pytest.mark.long

# The machine has no browser; this is the same walk over HTTP, with what Python has.
OPEN_LAB = r"""
import http.cookiejar, json, re, urllib.parse, urllib.request
hub = "http://127.0.0.1:8000/hub"
jar = http.cookiejar.CookieJar()
web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
form = web.open(hub + "/login").read().decode()
xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form)[1]
data = urllib.parse.urlencode({"username": "ada", "password": "x", "_xsrf": xsrf}).encode()
page = web.open(hub + "/login?next=%2Fhub%2Fspawn", data)
if "spawn-pending" in page.url:
    events = urllib.request.Request(hub + "/api/users/ada/server/progress", headers={"Referer": hub + "/home"})
    for line in web.open(events):
        if line.startswith(b"data:"):
            print(json.loads(line[5:])["message"])
    page = web.open(page.url)
assert "jupyter-config-data" in page.read().decode(), page.url
print("LAB-OPENED", page.url)
"""


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.connect()


@pytest.fixture(scope="module", params=[("bookworm", False), ("trixie", True)], ids=["debian-12", "debian-13"])
def fresh(client: docker.DockerClient, request: pytest.FixtureRequest) -> Iterator[Machine]:
    suite, systemd = request.param
    with machine_image(client, suite) as image, machine(client, image, systemd=systemd) as computer:
        computer.put_repository()
        yield computer


def test_from_a_clone_to_a_notebook(fresh: Machine) -> None:
    began = time.monotonic()
    log = fresh.as_user("./bootstrap invoke engine --yes up --yes")
    assert "http://127.0.0.1:8000" in log
    assert "any user name, any password" in log
    opened = fresh.as_user(f"python3 - <<'END'\n{OPEN_LAB}\nEND")
    print(f"from an empty machine to a logged-in notebook: {time.monotonic() - began:.0f} s")
    assert "LAB-OPENED http://127.0.0.1:8000/user/ada/lab" in opened
    again = fresh.as_user("./bootstrap invoke engine up")
    assert again.count("othing to do") == 2, again
