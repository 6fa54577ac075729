"""What eats a machine up: processes, memory, disk, logs, requests. Each ends at its attacker's own limits."""

from __future__ import annotations

import asyncio
import base64
import json
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from infra import health
from tests.attack.attacker import Insider
from tests.attack.watch import Watch
from tests.integration.people import Person
from tests.signin.hubsite import Site

Watching = Callable[[str], Watch]

MB, GB = 1 << 20, 1 << 30
PIDS, MEMORY, SHARED, TEMPORARY, VAR_TEMPORARY, LOGS = 2048, 2 * GB, 256 * MB, 1 * GB, 64 * MB, 30 * MB
NO_SPACE = 28
NOTEBOOKS = 10_000
UPLOAD = 2 * GB
# Writes a file until it has a size or there is no space.
FILL = """
import json, os
written, number = 0, 0
try:
    with open({file!r}, "wb", buffering=0) as file:
        while written < {size}:
            written += file.write(bytes(1 << 20))
except OSError as error:
    number = error.errno
finally:
    if os.path.exists({file!r}):
        os.remove({file!r})
print(json.dumps(dict(written=written, error=number)))
"""
# Makes processes until there are so many, or no more can be made.
FORK = """
import json, os, signal, time
made, number = [], 0
try:
    while len(made) < {count}:
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        made.append(child)
except OSError as error:
    number = error.errno
for child in made:
    os.kill(child, signal.SIGKILL)
for child in made:
    os.waitpid(child, 0)
print(json.dumps(dict(made=len(made), error=number)))
"""
# Process 1 writes what the engine keeps; whoever is the same user may write where it does.
LOG_FLOOD = 'timeout 6 sh -c \'yes "$(head -c 4000 /dev/zero | tr "\\0" x)" > /proc/1/fd/1\''


@pytest.fixture(autouse=True)
def services(site: Site) -> Iterator[None]:
    """Check that hub and proxy are the same after the attack: they were not killed and started again."""
    before = _services(site)
    assert set(before) >= {"hub", "proxy"}
    yield
    assert _services(site) == before


def _services(site: Site) -> dict[str, tuple[str, int, bool]]:
    found = {}
    for kind in ("hub", "proxy", "guard", "firewall"):
        for item in health.containers(site.client, site.tree.settings, kind, running=True):
            state = site.client.api.inspect_container(item["Id"])
            found[kind] = (state["State"]["StartedAt"], state["RestartCount"], state["State"]["OOMKilled"])
    return found


def limits(person: Insider) -> dict[str, Any]:
    """Return the limits of somebody's container as the engine has them."""
    return dict(person.container.attrs["HostConfig"])


def script(person: Insider, code: str) -> Any:
    """Run Python in somebody's container that prints one JSON text; return what it says."""
    ran = person.python(textwrap.dedent(code))
    assert ran.code == 0, ran.output
    return json.loads(ran.output)


def fill(person: Insider, file: str, size: int) -> dict[str, int]:
    """Write a file until it has a size or there is no space; return how much was written and the error's number."""
    return dict(script(person, FILL.format(file=file, size=size)))


# -- Processes ---------------------------------------------------------------------------------------------------------


def test_processes_end_at_their_limit(alice: Insider, watch: Watching) -> None:
    with watch("processes"):
        found = script(alice, FORK.format(count=2 * PIDS))
    assert limits(alice)["PidsLimit"] == PIDS
    assert PIDS * 0.9 < found["made"] < PIDS
    assert found["error"] == 11  # EAGAIN


def test_a_fork_bomb_hurts_nobody_else_and_the_hub_ends_it(alice: Insider, watch: Watching) -> None:
    with watch("fork bomb"):
        alice.container.exec_run(["bash", "-c", "bomb() { bomb | bomb & }; bomb"], user="1000", detach=True)
        # All the while the bomb forks again whatever ends.
        time.sleep(8)
        alice.stop()
    alice.start()
    assert alice.reaches_server()


# -- Memory ------------------------------------------------------------------------------------------------------------


def test_memory_ends_at_its_limit(alice: Insider, watch: Watching) -> None:
    with watch("memory"):
        ran = alice.python(f"held = [b'x' * {64 * MB} for _ in range({2 * MEMORY // (64 * MB)})]")
    assert ran.code == 137, ran.output
    assert limits(alice)["Memory"] == limits(alice)["MemorySwap"] == MEMORY
    # It took no more than the program that wanted it: her server goes on.
    assert alice.reaches_server()


@pytest.mark.parametrize(("folder", "size"), [("/dev/shm", SHARED), ("/tmp", TEMPORARY), ("/var/tmp", VAR_TEMPORARY)])
def test_what_is_a_file_in_memory_ends_at_its_limit(alice: Insider, watch: Watching, folder: str, size: int) -> None:
    with watch(f"{folder} full"):
        found = fill(alice, f"{folder}/bomb", 2 * size)
    assert found["error"] == NO_SPACE
    assert 0.9 * size < found["written"] <= size
    assert alice.reaches_server()


# -- Disk --------------------------------------------------------------------------------------------------------------


def test_no_file_can_be_written_beside_home_and_memory(alice: Insider) -> None:
    code = """
        import json, os
        found = set()
        for folder, folders, _ in os.walk("/"):
            folders[:] = [name for name in folders if folder != "/" or name not in ("proc", "sys")]
            if folder == "/home/jovyan":
                folders[:] = []
            elif os.access(folder, os.W_OK):
                found.add(os.stat(folder).st_dev)
        places = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")
        known = {os.stat(place).st_dev for place in places if os.path.exists(place)}
        print(json.dumps({"elsewhere": len(found - known), "root": os.access("/", os.W_OK)}))
    """
    assert script(alice, code) == {"elsewhere": 0, "root": False}
    assert limits(alice)["ReadonlyRootfs"] is True


def test_a_log_flood_ends_at_its_limit(alice: Insider, watch: Watching) -> None:
    with watch("log flood"):
        alice.run(LOG_FLOOD)
    assert limits(alice)["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    file = Path(alice.container.attrs["LogPath"])
    kept = [item.stat().st_size for item in file.parent.glob(f"{file.name}*")]
    # It did flood; and one line may go over the edge of each file.
    assert LOGS / 2 < sum(kept) < LOGS + MB


def test_ten_thousand_notebooks(alice: Insider, watch: Watching) -> None:
    empty = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    script(
        alice,
        f"""
        import pathlib
        folder = pathlib.Path("many")
        folder.mkdir(exist_ok=True)
        for number in range({NOTEBOOKS}):
            (folder / f"{{number}}.ipynb").write_text({empty!r})
        print("{{}}")
        """,
    )
    try:
        with watch("10,000 notebooks"):
            listed = alice.server_api("GET", "/contents/many").json()["content"]
            again = alice.server_api("GET", "/contents/many/9999.ipynb")
            # As an attacker would: many times at once.
            asyncio.run(_many(alice, [f"{alice.path}/api/contents/many"] * 3))
    finally:
        alice.run("rm -rf many")
    assert len(listed) == NOTEBOOKS
    assert again.status_code == 200


# -- Requests ----------------------------------------------------------------------------------------------------------


async def _many(person: Person, paths: list[str], **options: Any) -> list[int]:
    """Ask for many addresses at once; return the statuses, 0 for no answer."""
    headers = {"Authorization": f"token {person.token}"}
    limit = httpx.Limits(max_connections=len(paths))
    async with httpx.AsyncClient(
        base_url=person.url, headers=headers, timeout=60, limits=limit, trust_env=False
    ) as http:

        async def ask(path: str) -> int:
            try:
                return (await http.request(options.get("method", "GET"), path)).status_code
            except httpx.HTTPError:
                return 0

        return list(await asyncio.gather(*(ask(path) for path in paths)))


class Zeros:
    """A large body that counts how much of it was taken.

    Attributes:
        taken: Bytes.
    """

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(UPLOAD // MB):
            yield bytes(MB)
            self.taken += MB


@pytest.mark.parametrize("target", ["/hub/login", "{server}/api/contents/big.bin"])
def test_a_body_of_two_gigabytes_is_refused(alice: Insider, watch: Watching, target: str) -> None:
    path = target.format(server=alice.path)
    method = "PUT" if "contents" in path else "POST"
    patience = httpx.Timeout(60, write=15)
    with watch(f"2 GB to {target}"), httpx.Client(base_url=alice.url, timeout=patience, trust_env=False) as http:
        # With its length, which can be refused at once, and in chunks, whose end nobody knows.
        for headers in ({"Content-Length": str(UPLOAD)}, {}):
            headers["Authorization"] = f"token {alice.token}"
            # Each is a no: an answer, a connection that was closed, which httpx may notice when it reads only, and one
            # from which nothing more is read: where the hub closed in the middle of its answer, configurable-http-proxy
            # leaves the rest to Node, which closes five minutes after the request began (server.requestTimeout).
            # A connection that cannot be made, and an answer that never comes, are none.
            body = Zeros()
            try:
                answer = http.request(method, path, content=body, headers=headers)
                assert answer.status_code >= 400, answer.status_code
            except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
                pass
            except httpx.WriteTimeout:
                assert body.taken < UPLOAD / 2
    assert alice.reaches_server()
    assert "big.bin" not in alice.files()


def test_an_upload_of_two_gigabytes_in_jupyterlabs_way_arrives(alice: Insider, watch: Watching) -> None:
    piece = 16 * MB
    text = base64.b64encode(bytes(piece)).decode()
    last = UPLOAD // piece
    headers = {"Authorization": f"token {alice.token}", "Content-Type": "application/json"}
    try:
        with watch("2 GB upload"), httpx.Client(base_url=alice.url, timeout=60, trust_env=False) as http:
            for number in range(1, last + 1):
                chunk = -1 if number == last else number
                body = f'{{"type": "file", "format": "base64", "chunk": {chunk}, "content": "{text}"}}'
                answer = http.put(f"{alice.path}/api/contents/upload.bin", content=body, headers=headers)
                assert answer.status_code in {200, 201}, answer.text[:300]
        size = int(alice.run("stat -c %s upload.bin").output)
    finally:
        alice.run("rm -f upload.bin")
    assert size == UPLOAD


def test_many_websockets(alice: Insider, watch: Watching) -> None:
    address = f"{alice.url.replace('http', 'ws', 1)}{alice.path}/api/events/subscribe"
    headers = {"Authorization": f"token {alice.token}"}

    async def flood() -> int:
        async def one() -> Any:
            with suppress(OSError, WebSocketException, TimeoutError):
                return await connect(address, additional_headers=headers, open_timeout=120, ping_interval=None)

        opened: list[Any] = []
        for _ in range(10):
            opened += [item for item in await asyncio.gather(*(one() for _ in range(50))) if item]
        for socket in opened:
            for _ in range(20):
                with suppress(WebSocketException):
                    await socket.send("x" * 1000)
        await asyncio.gather(*(socket.close() for socket in opened))
        return len(opened)

    with watch("500 websockets"):
        opened = asyncio.run(flood())
    assert opened == 500
    assert alice.reaches_server()


def test_many_connections_that_say_nothing(alice: Insider, site: Site, watch: Watching) -> None:
    outside = httpx.URL(site.url)
    assert outside.port

    async def hold(count: int) -> int:
        async def one() -> Any:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(outside.host, outside.port)
                # The beginning of a request whose end never comes.
                writer.write(b"GET /hub/login HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                return writer

        held = [item for _ in range(count // 100) for item in await asyncio.gather(*(one() for _ in range(100)))]
        await asyncio.sleep(5)
        for writer in filter(None, held):
            writer.close()
        return sum(item is not None for item in held)

    with watch("800 slow connections to the proxy"):
        held = asyncio.run(hold(800))
    assert held == 800


def test_many_connections_from_a_notebook_to_the_hub(alice: Insider, watch: Watching) -> None:
    code = """
        import json, os, resource, socket, time
        from urllib.parse import urlsplit
        hub = urlsplit(os.environ["JUPYTERHUB_API_URL"])
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        held = []
        for _ in range(2000):
            held.append(socket.create_connection((hub.hostname, hub.port), timeout=60))
            held[-1].send(b"GET /hub/api HTTP/1.1\\r\\nHost: x\\r\\nX-Slow: ")
        time.sleep(5)
        print(json.dumps(len(held)))
    """
    with watch("2,000 slow connections to the hub"):
        assert script(alice, code) == 2000


def test_many_requests_at_once(alice: Insider, watch: Watching) -> None:
    with watch("200 requests at once"):
        for _ in range(5):
            found = asyncio.run(_many(alice, ["/hub/login"] * 100 + [f"/hub/api{alice.api_path}"] * 100))
    assert found.count(200) > 100


# -- Servers -----------------------------------------------------------------------------------------------------------


def test_asking_for_a_server_many_times_starts_one(alice: Insider, watch: Watching) -> None:
    alice.stop()
    with watch("100 starts at once"):
        found = asyncio.run(_many(alice, [f"/hub/api{alice.api_path}/server"] * 100, method="POST"))
        alice.follow()
    # Whoever asks while it starts is told that it does.
    assert set(found) <= {201, 202, 400}, found
    running = health.containers(alice.site.client, alice.site.tree.settings, "notebook", running=True)
    assert [item["Labels"]["dropsonde.user"] for item in running].count(alice.user_name) == 1


def test_nobody_has_servers_with_names(alice: Insider) -> None:
    answer = alice.api("POST", f"{alice.api_path}/servers/second", json={})
    assert answer.status_code in {400, 403, 404}
    assert answer.status_code != 404 or "second" not in alice.api("GET", alice.api_path).text
