"""Releases on a host: proved before anybody is disturbed, switched in a moment, gone back from when the hub fails."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import docker
import httpx
import pytest

from infra import base
from tests.conftest import Stack
from tests.integration.host import Guest, Host, changed, make_host
from tests.integration.people import Counter
from tests.integration.tree import base_of
from tests.integration.verbs import PATIENCE, wait_until
from tests.support.sweep import sweep

# Fails in the real service only, and only when it is loaded for the second time: the first is the rehearsal.
FAILS_LATE = """
import os, pathlib
seen = pathlib.Path("/tmp/loaded-before")
if not os.environ["SERVICE_NAME"].endswith("-probe"):
    if seen.exists():
        raise RuntimeError("the late failure")
    seen.touch()
"""
# JupyterHub looks at this after it has migrated its database.
BREAKS_GROUPS = "c.JupyterHub.load_groups = {'late': {'users': [1]}}"
FAILS_AFTER_MIGRATION = f"""
import os
if not os.environ["SERVICE_NAME"].endswith("-probe"):
    {BREAKS_GROUPS}
"""
# The schema of the JupyterHub before: its last migration adds this column.
OLDER_SCHEMA = """
import sqlite3
database = sqlite3.connect("/srv/jupyterhub/data/jupyterhub.sqlite")
database.execute("ALTER TABLE spawners DROP COLUMN display_name")
database.execute("UPDATE alembic_version SET version_num = 'ff1860e38070'")
database.commit()
"""
SCHEMA = """
import sqlite3
database = sqlite3.connect("file:/srv/jupyterhub/data/jupyterhub.sqlite?mode=ro", uri=True)
print(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])
"""
NEWEST_COPY = """
import glob, os
print(max(map(os.path.getmtime, glob.glob("/srv/jupyterhub/data/jupyterhub.sqlite.*-*-*"))))
"""
COPIES = "import glob; print(len(glob.glob('/srv/jupyterhub/data/jupyterhub.sqlite.*-*-*')))"


def assert_migrated_anew(host: Host, client: docker.DockerClient, copies: int) -> None:
    """See that the failed hub's migration was undone: the hub that serves, of the same JupyterHub, did one of its own.

    Each migration keeps a copy; that of the failed hub was put back.
    """
    assert int(host.in_hub(client, COPIES)) == copies + 1
    began = client.api.inspect_container(host.hub_id(client))["State"]["StartedAt"]
    assert float(host.in_hub(client, NEWEST_COPY)) > datetime.fromisoformat(began).timestamp()


@pytest.fixture(scope="module")
def _host(service: Stack, client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    name = f"{service.name[:13]}-host"
    for left in (name, f"{name}-probe"):
        sweep(left)
    if not base.at_hand(client, service.settings):
        service.invoke("build", "--yes", "--only", "hub-core")
    folder = tmp_path_factory.mktemp("srv") / name
    folder.mkdir()
    host = make_host(name, folder, base_of(service, client))
    try:
        host.activate(host.unpack(1))
        yield host
    finally:
        for left in (f"{name}-probe", name):
            sweep(left)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Counts the releases of this module; the first is the one that every test finds."""
    return iter(range(2, 1000))


@pytest.fixture
def host(_host: Host) -> Host:
    """A host with a release that serves."""
    return _host


@pytest.fixture
def counting(host: Host, client: docker.DockerClient) -> Iterator[Counter]:
    """A kernel of a user, printing numbers into a websocket all the while."""
    guest = Guest(host, "ada")
    assert guest.token
    guest.start()
    counter = Counter(guest)
    try:
        counter.wait_for_more()
        yield counter
    finally:
        counter.close()
        guest.stop()


class Poller:
    """Asks for a user's server and the hub's pages all the while, and notes what was not answered."""

    def __init__(self, guest: Guest) -> None:
        # A connection of its own for each request would cost more than all else here.
        headers = {"Authorization": f"token {guest.token}"}
        self.http = httpx.Client(base_url=guest.url, headers=headers, timeout=30, trust_env=False)
        self.path = f"{guest.path}/api/status"
        self.server: list[bool] = []
        self.away = 0.0
        self._ended = False
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._server, self._pages)]

    def _answers(self, path: str) -> bool:
        try:
            return self.http.get(path).status_code == 200
        except httpx.TransportError:
            return False

    def _server(self) -> None:
        while not self._ended:
            self.server.append(self._answers(self.path))
            time.sleep(0.1)

    def _pages(self) -> None:
        last = time.monotonic()
        while not self._ended:
            asked = time.monotonic()
            if self._answers("/hub/health"):
                last = asked
            self.away = max(self.away, time.monotonic() - last)
            time.sleep(0.05)

    def __enter__(self) -> Poller:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join(30)
        self.http.close()


def test_the_first_release_serves_and_a_second_run_has_nothing_to_do(host: Host, client: docker.DockerClient) -> None:
    first = host.current
    assert httpx.get(f"{host.url}/hub/login").status_code == 200
    assert host.releases()[first] == "current"
    assert host.leftovers(client) == []
    (entry, *_) = host.log()
    assert entry["release"].startswith("20260101T000001Z")
    assert (entry["event"], entry["ok"], entry["by"], entry["before"]) == ("activate", True, "ada@laptop", "")
    before, began = host.hub_id(client), time.monotonic()
    assert host.activate(first) == {"changed": False, "release": first, "plan": []}
    assert time.monotonic() - began < 20
    assert host.hub_id(client) == before
    assert "Nothing to do" in host.run(first, "release.activate", "--plan").stderr
    # What the machine runs when it boots.
    assert "Nothing to do" in host.run(first, "up", "--yes").stderr


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        (".env", "DEV_MODE=1\n", "DEV_MODE"),
        ("hub-environment", "OAUTH_PROVIDER=dummy\n", "OAUTH_PROVIDER"),
        ("oauth.env", "OAUTH_CALLBACK_URL=http://hub.example.org/hub/oauth_callback\n", "https"),
        ("oauth.env", "OAUTH_CLIENT_SECRET=change-me\n", "OAUTH_CLIENT_SECRET"),
        ("oauth.env", "OAUTH_CLIENT_SECRET=\n", "OAUTH_CLIENT_SECRET"),
    ],
)
def test_settings_that_are_none_for_a_host_are_refused_before_anything_changes(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], name: str, text: str, named: str
) -> None:
    before, current, file = host.hub_id(client), host.current, host.shared / name
    key = text.partition("=")[0]
    rest = "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith(f"{key}="))
    fresh = host.unpack(next(numbers))
    with changed(file, rest + text):
        error = host.refused(fresh, code=78)
    assert named in error
    assert "Nothing was changed" in error
    assert "change-me" not in error
    assert (host.hub_id(client), host.current) == (before, current)


def test_a_new_look_disturbs_nobody(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], counting: Counter
) -> None:
    former, guest = host.current, counting.person
    assert isinstance(guest, Guest)
    fresh = host.unpack(next(numbers), www_custom__hub__templates__look_DOT_css="\n/* the new look */\n")
    lines = host.run(fresh, "release.activate", "--plan").stdout
    assert "build image hub" in lines
    assert "prove the release" in lines
    assert host.current == former
    began = time.monotonic()
    with Poller(guest) as poller:
        done = host.activate(fresh)
    assert done["changed"]
    print(f"look-only: {time.monotonic() - began:.1f} s, pages away {poller.away:.2f} s, {len(poller.server)} requests")
    assert all(poller.server)
    assert len(poller.server) > 20
    assert poller.away < 10
    counting.assert_unbroken()
    assert "the new look" in httpx.get(f"{host.url}/hub/login").text
    assert host.releases()[former] == "previous"
    assert host.leftovers(client) == []
    # The one exemption from approval is written down.
    audit = host.run(fresh, "audit", "--event", "probe", "--json").stdout
    assert fresh in audit
    assert "release-probe" in audit
    assert "ada@laptop" in audit
    backup = next(iter((host.shared / "backups").glob(f"*-before-{fresh}.tar")))
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_disk_that_is_too_small_is_refused_before_anything_changes(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    before, current, file = host.hub_id(client), host.current, host.shared / ".env"
    fresh = host.unpack(next(numbers))
    with changed(file, file.read_text() + "MIN_FREE_GB=1000000\n"):
        assert "The disk is nearly full" in host.refused(fresh)
    assert (host.hub_id(client), host.current) == (before, current)


def test_the_probes_account_is_none_in_the_real_service(host: Host) -> None:
    assert host.as_admin("GET", "/users/release-probe").status_code == 404
    host.as_admin("POST", "/users/release-probe")
    answer = host.as_admin("POST", "/users/release-probe/server")
    assert answer.status_code == 403, answer.text
    host.as_admin("DELETE", "/users/release-probe")


def test_a_hub_that_does_not_start_is_never_switched_to(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], counting: Counter
) -> None:
    before, current = host.hub_id(client), host.current
    error = host.refused(
        host.unpack(next(numbers), hub__config_DOT_d__50_DASH_wrong_DOT_py="raise RuntimeError('it is closed')\n"),
        code=78,
    )
    assert "hub/config.d/50-wrong.py:1: RuntimeError: it is closed" in error
    assert "was not touched" in error
    assert (host.hub_id(client), host.current) == (before, current)
    assert host.leftovers(client) == []
    assert not host.log()[-1]["ok"]
    counting.assert_unbroken()


def test_an_open_door_is_never_switched_to(host: Host, client: docker.DockerClient, numbers: Iterator[int]) -> None:
    text = (
        "from dropsonde_auth import with_approval\nfrom jupyterhub.auth import DummyAuthenticator\n"
        "c.JupyterHub.authenticator_class = with_approval(DummyAuthenticator)\n"
    )
    before = host.hub_id(client)
    error = host.refused(host.unpack(next(numbers), hub__config_DOT_d__50_DASH_open_DOT_py=text), code=78)
    assert "anybody be anybody" in error
    assert host.hub_id(client) == before


def test_a_hub_that_fails_after_it_took_over_goes_back(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], counting: Counter
) -> None:
    before, current = host.hub_id(client), host.current
    error = host.refused(host.unpack(next(numbers), hub__config_DOT_d__50_DASH_late_DOT_py=FAILS_LATE))
    assert "the late failure" in error
    assert "serves again" in error
    assert (host.hub_id(client), host.current) == (before, current)
    assert httpx.get(f"{host.url}/hub/login").status_code == 200
    assert not host.log()[-1]["ok"]
    counting.assert_unbroken()


def test_a_migration_is_rehearsed_and_done(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], counting: Counter
) -> None:
    head = host.in_hub(client, SCHEMA)
    host.in_hub(client, OLDER_SCHEMA)
    fresh = host.unpack(next(numbers))
    said = host.run(fresh, "release.activate", "--yes").stderr
    assert "the schema will change" in said
    assert host.in_hub(client, SCHEMA) == head
    assert counting.person.is_running()
    counting.assert_unbroken()


def test_a_migrated_database_goes_back_with_the_hub(
    host: Host, client: docker.DockerClient, numbers: Iterator[int], counting: Counter
) -> None:
    copies = int(host.in_hub(client, COPIES))
    host.in_hub(client, OLDER_SCHEMA)
    late = FAILS_LATE.replace("raise ", f"{BREAKS_GROUPS}  #")
    error = host.refused(host.unpack(next(numbers), hub__config_DOT_d__50_DASH_late_DOT_py=late))
    assert "serves again" in error
    assert_migrated_anew(host, client, copies)
    assert counting.person.is_running()
    counting.assert_unbroken()


def test_a_migrated_database_goes_back_where_no_hub_served(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    copies, current = int(host.in_hub(client, COPIES)), host.current
    host.in_hub(client, OLDER_SCHEMA)
    client.containers.get(host.hub_id(client)).stop(timeout=5)
    error = host.refused(host.unpack(next(numbers), hub__config_DOT_d__50_DASH_late_DOT_py=FAILS_AFTER_MIGRATION))
    assert "Putting the database back" in error
    assert host.current == current
    assert_migrated_anew(host, client, copies)
    assert httpx.get(f"{host.url}/hub/login").status_code == 200


def test_other_settings_are_a_release_of_their_own_and_rollback_brings_the_former_ones(
    host: Host, client: docker.DockerClient, counting: Counter
) -> None:
    former = host.current
    host.configure(HUB_LOG_LEVEL="WARN")
    assert any("settings" in line for line in host.run(former, "release.activate", "--plan").stdout.splitlines())
    done = host.activate(former)
    assert done["release"] == host.current != former
    assert "HUB_LOG_LEVEL=WARN" in (host.base / "releases" / host.current / "hub/environment").read_text()
    assert "HUB_LOG_LEVEL=WARN" not in (host.base / "releases" / former / "hub/environment").read_text()
    began = time.monotonic()
    host.run(host.current, "release.rollback", "--yes")
    print(f"rollback: {time.monotonic() - began:.1f} s")
    assert host.current == former
    assert host.log()[-1]["event"] == "rollback"
    level = host.in_hub(client, "import os; print(os.environ['HUB_LOG_LEVEL'])")
    assert level == "INFO"
    counting.assert_unbroken()
    host.configure(HUB_LOG_LEVEL="INFO")
    # Its time is today's, later than that of all releases that these tests unpack.
    shutil.rmtree(host.base / "releases" / done["release"])


def test_killed_while_it_proves_itself_the_next_run_completes(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    fresh = host.unpack(next(numbers), hub__config_DOT_d__60_DASH_site_DOT_py="# one more comment\n")
    running = subprocess.Popen(
        ["./bootstrap", "invoke", "release.activate", "--yes"],
        cwd=host.base / "releases" / fresh,
        env=host.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until("the throw-away service is there", lambda: host.leftovers(client))
        error = host.refused(fresh, code=75)
        assert "release.activate" in error
        assert "ada@laptop" in error
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(PATIENCE)
    assert host.leftovers(client)
    assert host.current != fresh
    host.activate(fresh)
    assert host.current == fresh
    assert host.leftovers(client) == []


def test_a_lost_connection_leaves_no_probe_behind(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    fresh = host.unpack(next(numbers), hub__config_DOT_d__60_DASH_site_DOT_py="# another comment\n")
    running = subprocess.Popen(
        ["./bootstrap", "invoke", "release.activate", "--yes"],
        cwd=host.base / "releases" / fresh,
        env=host.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until("the throw-away service is there", lambda: host.leftovers(client))
    os.killpg(running.pid, signal.SIGHUP)
    assert running.wait(PATIENCE) == 130
    assert host.leftovers(client) == []
    assert host.current != fresh
    host.activate(fresh)


def test_old_releases_go_with_their_images_the_way_back_stays(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    for _ in range(3):
        number = next(numbers)
        host.activate(host.unpack(number, hub__config_DOT_d__60_DASH_site_DOT_py=f"# release {number}\n"))
    states = host.releases()
    assert len(states) == 3
    assert sorted(states.values()) == ["current", "previous", "served"]
    hubs = [tag for image in client.images.list(f"{host.name}/hub") for tag in image.tags]
    assert len(hubs) == 3
    # Those of all releases are kept by `clean`, too.
    host.run(host.current, "clean", "--yes")
    assert sorted(tag for image in client.images.list(f"{host.name}/hub") for tag in image.tags) == sorted(hubs)
    host.run(host.current, "release.rollback", "--yes", "--json")
    assert host.releases()[host.current] == "current"


def test_going_back_to_a_backup_of_the_database(
    host: Host, client: docker.DockerClient, numbers: Iterator[int]
) -> None:
    host.as_admin("POST", "/users/bob")
    former = host.current
    host.activate(host.unpack(next(numbers)))
    backup = next(iter((host.shared / "backups").glob(f"*-before-{host.current}.tar")))
    host.as_admin("DELETE", "/users/bob")
    assert "Next:" in host.run(host.current, "release.rollback", f"--database={backup.name}", code=1).stderr
    host.run(host.current, "release.rollback", "--yes", f"--database={backup.name}")
    assert host.current == former
    assert host.as_admin("GET", "/users/bob").status_code == 200
