"""No secret of the service is where somebody may read it who is not the service; and each can be replaced."""

from __future__ import annotations

import json
import os
import subprocess
import time
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
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    return places | {"processes of the host": b"\n".join(lines).replace(b"\0", b" ").decode(errors="replace")}


def test_no_process_list_shows_a_secret(site: Site, hub: HijackedHub, alice: Insider) -> None:
    secrets = secrets_of(site, hub) | {"token of a server": server_token(alice)}
    places = processes(containers(site))
    assert "configurable-http-proxy" in json.dumps(places), "the search sees processes"
    assert exposed(secrets, places) == []


def found_from_inside(person: Insider) -> dict[str, str]:
    """Return what somebody finds in a notebook."""
    read = "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'; mount; cat /run/secrets/* 2>&1"
    own = "grep -rsa . ~ /tmp /run /srv /mnt 2>/dev/null | head -c 20000000"
    return {"environment and processes": person.run(read).output, "files": person.run(own).output}


def test_a_notebook_holds_no_secret_but_its_own_token(
    site: Site, hub: HijackedHub, alice: Insider, bob: Insider
) -> None:
    places = found_from_inside(alice)
    assert server_token(alice) in places["environment and processes"]
    assert exposed(secrets_of(site, hub) | {"token of another server": server_token(bob)}, places) == []


def in_layers(tag: str, secrets: dict[str, str]) -> set[str]:
    """Return which secrets are in an image's layers as `docker save` gives them: also in what a later one removes."""
    found = set()
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        before = b""
        while block := saving.stdout.read(1 << 22):
            window = before + block
            found |= {name for name, value in secrets.items() if value.encode() in window}
            before = block[-256:]
    assert saving.returncode == 0
    return found


def test_images_hold_no_secret_in_any_layer(site: Site, hub: HijackedHub) -> None:
    for kind in ("hub", "proxy"):
        tag = site.tree.containers(site.client, kind)[0].attrs["Config"]["Image"]
        assert in_layers(tag, secrets_of(site, hub)) == set(), tag


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
    shown = site.tree.invoke("credentials.rotate", "--yes")
    after = keys(hub)
    replaced = {"token", "cookie_secret", "crypt_key"}
    assert {name for name in before if before[name] != after[name]} == replaced
    told = shown.stdout + shown.stderr + site.tree.invoke("credentials", "--json").stdout
    assert "OAUTH_CLIENT_SECRET" in told
    assert exposed(before | after, {"what the verbs print": told}) == []

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
