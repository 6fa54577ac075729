"""The network, from a shell in a user's container: what it reaches, and what it must not."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit

import docker
import psutil
import pytest

from infra import images, network
from infra.network import Wanted
from infra.settings import Settings
from tests.attack.attacker import HijackedHub, Insider
from tests.attack.watch import Watch
from tests.attack.world import ECHO, FURTHER_METADATA, METADATA, PORT, PRIVATE, PUBLIC, World
from tests.conftest import Stack
from tests.integration.tree import base_of
from tests.integration.verbs import wait_until
from tests.signin.hubsite import Site

ATTACK = "the network"
pytestmark = pytest.mark.usefixtures("others")
Target = tuple[str, int]
NOTEBOOK, HUB, PROXY, PROXY_API, ECHO_PORT = 8888, 8081, 8000, 8001, 9997
# A refusal comes from the target itself: that was reached as well. A datagram is expected back.
KNOCK = """
import concurrent.futures, contextlib, json, socket, sys
def tcp(target):
    socket.create_connection(target, timeout=2.5).close()
def udp(target):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(1)
        one.connect(target)
        # One may be lost, or late where whoever answers waits for a processor.
        for _ in range(5):
            one.send(b"?")
            with contextlib.suppress(TimeoutError):
                return one.recv(1)
        raise TimeoutError
def reaches(target):
    try:
        globals()[sys.argv[2]](target)
    except ConnectionRefusedError:
        pass
    except OSError:
        return False
    return True
targets = [tuple(target) for target in json.loads(sys.argv[1])]
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(json.dumps([target for target, reached in zip(targets, pool.map(reaches, targets)) if reached]))
"""


def reached(who: Insider, targets: Iterable[Target], by: str = "tcp") -> set[Target]:
    """Return those of the addresses and ports that somebody reaches from their container, by tcp or udp."""
    ran = who.run("python3", "-c", KNOCK, json.dumps(sorted(targets)), by)
    assert ran.code == 0, ran.output
    return {(address, port) for address, port in json.loads(ran.output)}


@pytest.fixture(scope="module")
def world(_site: Site, service: Stack, client: docker.DockerClient) -> Iterator[World]:
    """What is around the machine."""
    made = World(client, _site.tree.settings, base_of(service, client))
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def settings(site: Site, client: docker.DockerClient) -> Settings:
    """The service's settings, with the addresses that it has."""
    return network.settled(client, site.tree.settings)


@pytest.fixture
def notebooks(settings: Settings) -> Wanted:
    """The notebooks' network."""
    return network.wanted(settings)[1]


@pytest.fixture
def neighbour(bob: Insider) -> set[Target]:
    """Bob's server, and a port that he opened himself."""
    bob.run("cd /tmp && nohup python3 -m http.server 9999 > /dev/null 2>&1 &")
    own = "import socket; socket.create_connection(('127.0.0.1', 9999), timeout=1)"
    wait_until("his port is open", lambda: bob.python(own).code == 0)
    return {(bob.address, NOTEBOOK), (bob.address, 9999)}


@pytest.fixture(scope="module")
def machine() -> Iterator[set[Target]]:
    """A service of the host's that listens everywhere, at each of its addresses."""
    with socket.create_server(("0.0.0.0", 0), backlog=64) as server:
        port = server.getsockname()[1]
        yield {(address, port) for address in own_addresses()}


@pytest.fixture
def datagrams(bob: Insider, world: World) -> Iterator[set[Target]]:
    """Who answers datagrams and must not be reached: programs of bob, of the host and around the machine."""
    here = [(address, ECHO_PORT) for address in own_addresses()]
    there = [(bob.address, ECHO_PORT)]
    bob.container.exec_run(["python3", "-c", ECHO, str(ECHO_PORT), "0.0.0.0"], user="1000", detach=True)
    program = [sys.executable, "-c", ECHO, str(ECHO_PORT), *(address for address, _ in here)]
    with subprocess.Popen(program) as running:
        try:
            around = {(METADATA, PORT), (FURTHER_METADATA, PORT), (PRIVATE, PORT)}
            wait_until("all answer to this machine", lambda: answering([*here, *there, *around]))
            yield {*here, *there, *around}
        finally:
            running.terminate()


def answering(targets: list[Target]) -> bool:
    """Return whether all of these answer datagrams of this machine's."""
    arguments = [sys.executable, "-c", KNOCK, json.dumps(targets), "udp"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return len(json.loads(done.stdout)) == len(targets)


def own_addresses() -> list[str]:
    """Return this machine's IPv4 addresses that others may know."""
    found = [item for items in psutil.net_if_addrs().values() for item in items if item.family == socket.AF_INET]
    return [item.address for item in found if not IPv4Address(item.address).is_loopback]


@contextmanager
def listener(client: docker.DockerClient, settings: Settings, where: str, **options: Any) -> Iterator[Any]:
    """Run a web server of somebody else's on port 80 of a network of the engine's."""
    container = client.containers.run(
        images.tags(settings)["notebook"],
        ["python3", "-m", "http.server", "80"],
        entrypoint=[],
        user="root",
        network=where,
        labels=settings.labels("test"),
        detach=True,
        **options,
    )
    try:
        container.reload()
        yield container
    finally:
        container.remove(force=True)


# -- What must work ----------------------------------------------------------------------------------------------------


def test_hub_proxy_and_public_addresses_are_reached(alice: Insider, notebooks: Wanted, world: World) -> None:
    wanted = {(notebooks.address("hub"), HUB), (notebooks.address("proxy"), PROXY), (PUBLIC, PORT)}
    assert reached(alice, wanted) == wanted
    fetch = (
        "import os, urllib.request as r\n"
        f"own = r.Request('http://proxy:{PROXY}{alice.path}/api/status', "
        "headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})\n"
        f"print(r.urlopen('http://hub:{HUB}/hub/api/').status, r.urlopen(own).status)"
    )
    assert alice.python(fetch).output.split() == ["200", "200"]


def test_names_are_answered_as_on_the_machine(alice: Insider, settings: Settings) -> None:
    mirrors = (settings.pypi_index, settings.debian_mirror, "https://pypi.org")
    names = {urlsplit(address).hostname or "" for address in mirrors}
    known = [name for name in sorted(names) if address_of(name) not in {"", name}]
    if not known:
        pytest.skip(f"This machine's own name servers know none of {', '.join(names)}.")
    found = alice.python(f"import socket; print([socket.gethostbyname(name) for name in {known}])")
    assert found.code == 0, found.output


def address_of(name: str) -> str:
    """Return the IPv4 address that this machine knows for a name, "" for none."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("egress", "open_"),
    [
        (f"{PRIVATE}:{PORT}", {(PRIVATE, PORT)}),
        (f"internet,{PRIVATE}", {(PUBLIC, PORT), (PRIVATE, PORT)}),
        ("none", set()),
    ],
)
def test_the_sites_list_is_all_that_is_reached(
    alice: Insider,
    site: Site,
    notebooks: Wanted,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    egress: str,
    open_: set[Target],
) -> None:
    hub = {(notebooks.address("hub"), HUB)}
    monkeypatch.setitem(site.tree.env, "NOTEBOOK_EGRESS", egress)
    try:
        site.tree.invoke("up", "--yes")
        assert reached(alice, {(PUBLIC, PORT), (PRIVATE, PORT), (METADATA, PORT)} | hub) == open_ | hub
    finally:
        monkeypatch.undo()
        site.tree.invoke("up", "--yes")


# -- What must not -----------------------------------------------------------------------------------------------------


def test_neighbours_are_out_of_reach(alice: Insider, neighbour: set[Target], world: World) -> None:
    assert reached(alice, neighbour) == set()
    with world.without_firewall():
        assert reached(alice, neighbour) == neighbour
    assert reached(alice, neighbour) == set()


def test_the_machine_is_out_of_reach(alice: Insider, machine: set[Target], world: World) -> None:
    assert reached(alice, machine) == set()
    with world.without_firewall():
        assert reached(alice, machine) == machine
    assert reached(alice, machine) == set()


def test_datagrams_reach_no_more(alice: Insider, datagrams: set[Target], world: World) -> None:
    public = {(PUBLIC, PORT)}
    assert reached(alice, datagrams | public, "udp") == public
    with world.without_firewall():
        assert reached(alice, datagrams, "udp") == datagrams
    assert reached(alice, datagrams, "udp") == set()


def test_metadata_and_private_networks_are_out_of_reach(alice: Insider, world: World) -> None:
    inside = {(METADATA, PORT), (FURTHER_METADATA, PORT), (PRIVATE, PORT)}
    assert reached(alice, inside) == set()
    with world.without_firewall():
        assert reached(alice, inside) == inside
    assert reached(alice, inside) == set()


@pytest.mark.parametrize("address", [METADATA, FURTHER_METADATA])
def test_a_hijacked_hub_gets_no_metadata(hub: HijackedHub, world: World, address: str) -> None:
    ask = f"import socket; socket.create_connection(('{address}', {PORT}), timeout=2.5)"
    assert hub.python(ask).code != 0
    with world.without_firewall():
        assert hub.python(ask).code == 0


def test_the_proxys_api_is_out_of_reach_even_with_its_token(
    alice: Insider, hub: HijackedHub, settings: Settings, notebooks: Wanted, client: docker.DockerClient, world: World
) -> None:
    control = network.wanted(settings)[0]
    labels = [f"dropsonde.service={settings.service_name}", "dropsonde.kind=proxy"]
    (proxy,) = client.containers.list(filters={"label": labels})
    there = proxy.attrs["NetworkSettings"]["Networks"][control.name]["IPAddress"]
    apis = {(there, PROXY_API), (notebooks.address("proxy"), PROXY_API)}
    assert reached(alice, apis) == set()
    token = hub.python("print(open('/srv/jupyterhub/proxy-token/token').read())").output.strip()
    assert alice.python("import socket; socket.gethostbyname('proxy-api')").code != 0

    def routes(header: dict[str, str]) -> str:
        ask = f"r.urlopen(r.Request('http://{there}:{PROXY_API}/api/routes', headers={header}), timeout=3)"
        return alice.python(
            f"import urllib.request as r\ntry: print({ask}.status)\nexcept Exception as e: print(e)"
        ).output

    known, unknown = {"Authorization": f"token {token}"}, {"Authorization": "token guessed"}
    assert "200" not in routes(known)
    with world.without_firewall(), world.without_isolation(notebooks.bridge):
        assert "403" in routes(unknown), "a token is asked for"
        assert "200" in routes(known)
    assert "200" not in routes(known)


def test_other_networks_of_the_engine_are_out_of_reach(
    alice: Insider, settings: Settings, notebooks: Wanted, client: docker.DockerClient, world: World
) -> None:
    # Another service's hub, and somebody's container with a port that is published for all.
    other = replace(settings, service_name=f"{settings.service_name[:14]}-twin", notebook_subnet=None)
    other = network.settled(client, other)
    theirs = network.wanted(other)[1]
    network.apply(client, other, network.changes(client, other))
    try:
        with (
            listener(client, settings, "bridge", ports={"80/tcp": None}) as published,
            listener(client, settings, theirs.name) as twin,
        ):
            wait_until("the port is published", lambda: published.reload() or published.ports.get("80/tcp"))
            port = int(published.ports["80/tcp"][0]["HostPort"])
            address = published.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
            hub = twin.attrs["NetworkSettings"]["Networks"][theirs.name]["IPAddress"]
            targets: set[Target] = {(address, 80), (hub, 80)} | {(own, port) for own in own_addresses()}
            assert reached(alice, targets) == set()
            with world.without_firewall(), world.without_isolation(notebooks.bridge):
                assert reached(alice, targets) == targets
            assert reached(alice, targets) == set()
    finally:
        network.remove(client, other)


def test_a_user_has_no_packets_of_their_own_making(alice: Insider, client: docker.DockerClient) -> None:
    make = "import socket; socket.socket(socket.{}, socket.SOCK_RAW, {})"
    kinds = [make.format("AF_PACKET", "0x0806"), make.format("AF_INET", "socket.IPPROTO_ICMP")]
    take = (
        "import fcntl, socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "fcntl.ioctl(s, 0x8916, struct.pack('16sH2x4s8x', b'eth0', socket.AF_INET, socket.inet_aton('{}')))"
    )
    for code in (*kinds, take.format("10.1.2.3")):
        assert "PermissionError" in alice.python(code).output
    # With the capabilities that are taken away it works: by the same programs, in the same image.
    for code in (*kinds, take.format("10.1.2.3")):
        image = alice.container.attrs["Config"]["Image"]
        command = ["python3", "-c", code]
        client.containers.run(image, command, entrypoint=[], user="root", cap_add=["NET_ADMIN", "NET_RAW"], remove=True)


def test_who_takes_an_address_that_is_not_theirs_is_not_heard(
    alice: Insider, settings: Settings, notebooks: Wanted, client: docker.DockerClient, world: World
) -> None:
    assert notebooks.layout is not None
    assert IPv4Address(alice.address) in notebooks.layout.users
    stranger = notebooks.layout.gateway + 77
    ask = f"import socket; socket.create_connection(('{notebooks.address('hub')}', {HUB}), timeout=2.5)"
    endpoint = {notebooks.name: client.api.create_endpoint_config(ipv4_address=str(stranger))}
    container = client.containers.run(
        images.tags(settings)["notebook"],
        ["sleep", "infinity"],
        entrypoint=[],
        network=notebooks.name,
        networking_config=endpoint,
        labels=settings.labels("test"),
        detach=True,
    )
    try:
        assert container.exec_run(["python3", "-c", ask])[0] != 0
        with world.without_firewall():
            assert container.exec_run(["python3", "-c", ask])[0] == 0
    finally:
        container.remove(force=True)


def test_there_is_no_ipv6(alice: Insider) -> None:
    addresses = alice.run("cat /proc/net/if_inet6 2> /dev/null").output.splitlines()
    assert [line for line in addresses if not line.endswith(" lo")] == []


# -- How long it holds -------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(neighbour: set[Target], machine: set[Target], world: World) -> set[Target]:
    """What must not be reached whatever happens."""
    return neighbour | machine | {(METADATA, PORT), (PRIVATE, PORT)}


def test_rules_that_are_taken_away_come_back_by_themselves(
    alice: Insider, outside: set[Target], settings: Settings, world: World
) -> None:
    table = f"inet dropsonde_{settings.service_name.replace('-', '_')}"
    labels = [f"dropsonde.service={settings.service_name}", "dropsonde.kind=firewall"]
    (container,) = world.client.containers.list(filters={"label": labels})

    def nft(command: str) -> str:
        return str(container.exec_run(["nft", "--stateless", *command.split()])[1].decode())

    right = nft(f"list table {table}")
    for change in (f"delete table {table}", f"insert rule {table} neighbours accept"):
        assert nft(change) == ""
        assert nft(f"list table {table}") != right
        wait_until("they are back", lambda: nft(f"list table {table}") == right)
        assert reached(alice, outside) == set()
    assert "by somebody else" in container.logs(tail=5).decode()


def test_it_holds_while_the_firewall_itself_is_away(
    alice: Insider, outside: set[Target], settings: Settings, world: World
) -> None:
    labels = [f"dropsonde.service={settings.service_name}", "dropsonde.kind=firewall"]
    (container,) = world.client.containers.list(filters={"label": labels})
    container.stop()
    try:
        assert reached(alice, outside) == set()
    finally:
        container.start()


def test_it_holds_after_a_reset_and_a_restart_of_the_server(
    alice: Insider, outside: set[Target], notebooks: Wanted, site: Site, others: Watch
) -> None:
    with others.paused():
        site.tree.invoke("reset")
    assert reached(alice, outside) == set()
    alice.stop()
    alice.ensure_running()
    assert reached(alice, outside | {(notebooks.address("hub"), HUB)}) == {(notebooks.address("hub"), HUB)}


def test_no_server_starts_without_the_firewall(alice: Insider, settings: Settings, world: World, site: Site) -> None:
    alice.stop()
    with world.without_firewall():
        refused = alice.api("POST", f"{alice.api_path}/server")
        wait_until("the start has ended", lambda: not alice.api("GET", alice.api_path).json()["pending"])
        assert not site.is_running(alice.user_name), refused.text
    alice.ensure_running()


def test_no_server_starts_when_the_firewall_was_killed(
    alice: Insider, settings: Settings, world: World, site: Site
) -> None:
    alice.stop()
    with world.without_firewall(killed=True):
        refused = alice.api("POST", f"{alice.api_path}/server")
        wait_until("the start has ended", lambda: not alice.api("GET", alice.api_path).json()["pending"])
        assert not site.is_running(alice.user_name), refused.text
    alice.ensure_running()
