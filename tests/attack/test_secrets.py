"""No secret of the service is where somebody may read it who is not the service; and each can be replaced."""

from __future__ import annotations

import functools
import json
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import httpx

from tests.attack.attacker import HijackedHub, Insider
from tests.signin.hubsite import Site
from tests.support.kernel import Kernel

READ_KEYS = """
import json, os, pathlib, stat
home = pathlib.Path("/srv/jupyterhub")
files = [home / "proxy-token/token", home / "data/cookie_secret", home / "data/crypt_key"]
files += [pathlib.Path(os.environ["PRIVATE_FILE"])]
print(json.dumps({path.name: [stat.S_IMODE(path.stat().st_mode), path.read_text().strip()] for path in files}))
"""
# Seconds between two looks: enough for what is looked at to get on.
PAUSE = 0.02
SERVICES = ("hub", "proxy", "guard", "firewall", "notebook")
COUNTING = """
import time, pathlib
for number in range(10**6):
    pathlib.Path("counted").write_text(str(number))
    time.sleep(0.1)
"""


def keys(hub: HijackedHub) -> dict[str, str]:
    """Return the hub's own keys; each of their files is for its user only."""
    found = hub.ask(READ_KEYS)
    assert {mode for mode, _ in found.values()} == {0o600}, found.keys()
    return {name: text for name, (_, text) in found.items()}


def secrets_of(site: Site, hub: HijackedHub) -> dict[str, str]:
    """Return the values of all that is secret in this service."""
    found = {name: text for name, text in keys(hub).items() if not name.endswith(".json")}
    return found | {name: value for name, value in _flat(vars(site.keys)).items() if name != "oauth_client_id"}


def _flat(items: dict[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in items.items():
        found |= _flat(value) if isinstance(value, dict) else {name: str(value)}
    return found


def containers(site: Site) -> list[Any]:
    return [item for kind in SERVICES for item in site.tree.containers(site.client, kind)]


def exposed(secrets: dict[str, str], places: dict[str, str]) -> list[str]:
    """Return which secret is where."""
    return sorted(
        f"{name}: {place}" for name, value in secrets.items() for place, text in places.items() if value in text
    )


def told_of(items: list[Any]) -> dict[str, str]:
    """Return what `docker inspect` and `docker logs` say of containers."""
    places = {f"container {item.name}": json.dumps(item.attrs) for item in items}
    return places | {f"log of {item.name}": item.logs().decode(errors="replace") for item in items}


def test_the_engine_tells_no_secret(site: Site, hub: HijackedHub, alice: Insider) -> None:
    """What `docker inspect`, `docker history`, `docker logs` and `docker volume inspect` say."""
    token = server_token(alice)
    secrets = secrets_of(site, hub) | {"token of a server": token}
    places = told_of(containers(site))
    own = f"container {alice.container.name}"
    places[own] = places[own].replace(token, "")
    for image in site.client.images.list(filters={"label": f"dropsonde.service={site.name}"}):
        places[f"image {image.tags}"] = json.dumps(image.attrs) + json.dumps(image.history())
    for volume in site.client.volumes.list(filters={"label": f"dropsonde.service={site.name}"}):
        places[f"volume {volume.name}"] = json.dumps(volume.attrs)
    assert {kind for kind in ("hub", "proxy", "notebook") for place in places if kind in place} >= {"hub", "proxy"}
    assert exposed(secrets, places) == []


def processes(items: list[Any]) -> dict[str, str]:
    """Return the command lines in containers, and those on the host."""
    told = [(item.name, item.top(ps_args="axww -o pid,args")) for item in items]
    places = {f"processes of {name}": json.dumps(listed) for name, listed in told}
    return places | {"processes of the host": "\n".join(command_lines())}


@contextmanager
def looking_at_processes() -> Iterator[set[str]]:
    """Read the host's process list again and again, containers' processes in it; gives all command lines that it saw.

    A process that begins and ends between two looks is not seen.
    """
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(PAUSE):
            seen.update(command_lines())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


def command_lines() -> Iterator[str]:
    """Go through the command lines of the host's processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def test_no_process_list_shows_a_secret(site: Site, hub: HijackedHub, alice: Insider) -> None:
    """Neither at rest nor while a hub is replaced and a server starts."""
    secrets = secrets_of(site, hub) | {"token of a server": server_token(alice)}
    places = processes(containers(site))
    with looking_at_processes() as seen:
        site.tree.invoke("reset")
        alice.stop()
        alice.start()
    secrets["token of the next server"] = server_token(alice)
    assert "configurable-http-proxy" in json.dumps(places), "the search sees processes"
    assert any(" compose " in line for line in seen), "and those that come and go"
    assert exposed(secrets, places | {"processes while it starts": "\n".join(seen)}) == []


def found_from_inside(person: Insider, secrets: dict[str, str]) -> list[str]:
    """Return which secrets somebody finds in a notebook: in what is told there, and in all files.

    Not in those of the image and of /opt: what all have is looked through in the layers of the images.
    """
    read = "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'; mount; cat /run/secrets/* 2>&1"
    files = "tar --create --file=- ~ /data /dev/shm /etc /mnt /run /srv /tmp /var/tmp 2> /dev/null"
    _, blocks = person.container.exec_run(["sh", "-c", files], user="1000", stream=True)
    told = exposed(secrets, {"environment and processes": person.run(read).output})
    return told + [f"{name}: files" for name in sorted(in_blocks(blocks, secrets))]


def in_blocks(blocks: Iterable[bytes], secrets: dict[str, str]) -> set[str]:
    """Return which secrets are in what comes in pieces."""
    found, before = set(), b""
    for block in blocks:
        window = before + block
        found |= {name for name, value in secrets.items() if value.encode() in window}
        before = window[-256:]
    return found


def test_a_notebook_holds_no_secret_but_its_own_token(
    site: Site, hub: HijackedHub, alice: Insider, bob: Insider
) -> None:
    secrets = secrets_of(site, hub) | {"token of another server": server_token(bob)}
    found = found_from_inside(alice, secrets | {"own token": server_token(alice)})
    # Jupyter writes down how its own programs get to the server.
    assert found == ["own token: environment and processes", "own token: files"]


def in_layers(secrets: dict[str, str], *tags: str) -> set[str]:
    """Return which secrets are in images' layers as `docker save` gives them: also in what a later one removes."""
    with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        found = in_blocks(iter(functools.partial(saving.stdout.read, 1 << 22), b""), secrets)
    assert saving.returncode == 0
    return found


def test_images_hold_no_secret_in_any_layer(site: Site, hub: HijackedHub, alice: Insider) -> None:
    tags = {kind: site.tree.containers(site.client, kind)[0].attrs["Config"]["Image"] for kind in SERVICES}
    assert in_layers(secrets_of(site, hub), *set(tags.values())) == set(), tags


def server_token(of: Insider) -> str:
    return of.run("printf %s $JUPYTERHUB_API_TOKEN").output


def test_new_keys_for_all_while_a_cell_goes_on(site: Site, hub: HijackedHub, alice: Insider) -> None:
    before, started = keys(hub), alice.container.attrs["State"]["StartedAt"]
    cookies = dict(alice.http.cookies)
    kernel = Kernel(alice, "python3")
    kernel.begin(COUNTING)
    end = time.monotonic() + 30
    while alice.run("cat counted").code and time.monotonic() < end:
        time.sleep(0.1)

    refused = site.tree.invoke("credentials.rotate", check=False)
    assert refused.returncode != 0, "it asks first"
    assert keys(hub) == before
    with looking_at_processes() as seen:
        shown = site.tree.invoke("credentials.rotate", "--yes")
    after = keys(hub)
    assert any("credentials.rotate" in line for line in seen)
    replaced = {"token", "cookie_secret", "crypt_key"}
    assert {name for name in before if before[name] != after[name]} == replaced
    told = shown.stdout + shown.stderr + site.tree.invoke("credentials", "--json").stdout
    assert "OAUTH_CLIENT_SECRET" in told
    assert exposed(before | after, {"what the verbs print": told, "processes": "\n".join(seen)}) == []

    counted = int(alice.run("cat counted").output)
    time.sleep(1)
    assert int(alice.run("cat counted").output) > counted + 3, "the cell goes on"
    assert alice.container.attrs["State"]["StartedAt"] == started
    # Her session is over, her kernel is there for the next one.
    assert httpx.get(f"{site.url}/hub/home", cookies=cookies, trust_env=False).status_code == 302
    assert alice.user() == ""
    alice.come_in()
    listed = [item["id"] for item in alice.server_api("GET", "/kernels").json()]
    assert kernel.identity in listed
    alice.server_api("DELETE", f"/kernels/{kernel.identity}")


def test_the_proxys_old_token_opens_nothing_any_more(site: Site, hub: HijackedHub, client: docker.DockerClient) -> None:
    ask = """
import json, sys, urllib.request, urllib.error
def status(token):
    request = urllib.request.Request("http://proxy-api:8001/api/routes", headers={"Authorization": f"token {token}"})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
print(json.dumps([status(token) for token in TOKENS]))
"""
    old = keys(hub)["token"]
    site.tree.invoke("credentials.rotate", "--yes")
    assert hub.ask(f"TOKENS = {[old, keys(hub)['token'], '']!r}\n{ask}") == [403, 200, 403]
