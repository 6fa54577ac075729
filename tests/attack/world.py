"""What is around a hub's machine: a public address, a private one and a cloud's metadata server, all reached by routes.

They must not be addresses of this machine itself, whose own traffic takes another way through the kernel, nor of one of
the engine's networks, which the engine keeps apart. So they are a container's that has no network but a cable to this
machine.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from infra import firewall
from infra.settings import Settings
from tests.integration.verbs import wait_until
from tests.signin.services import build_image

HERE = Path(__file__).parent
PUBLIC, PRIVATE = "198.51.100.77", "10.254.78.1"
# The second one is Oracle's. Azure's is left alone: the machine of these tests may need it.
METADATA, FURTHER_METADATA = "169.254.169.254", "192.0.0.192"
ADDRESSES = (PUBLIC, PRIVATE, METADATA, FURTHER_METADATA)
PORT = 80
NEAR, FAR = "10.254.77.1", "10.254.77.2"
# Sends back each datagram to one port of some addresses, from the address to which it was sent.
ECHO = """
import selectors, socket, sys
with selectors.DefaultSelector() as waiting:
    for address in sys.argv[2:]:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, int(sys.argv[1])))
        waiting.register(one, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            key.fileobj.sendto(*key.fileobj.recvfrom(100))
"""
SERVE = f"""
set -e
until ip link show far > /dev/null 2>&1; do sleep 0.05; done
ip addr add {FAR}/30 dev far
for address in {" ".join(ADDRESSES)}; do ip addr add $address/32 dev far; done
ip link set far up
ip route add default via {NEAR}
python3 -c '{ECHO}' {PORT} {" ".join(ADDRESSES)} &
exec python3 -m http.server {PORT}
"""


class World:
    """The machine elsewhere, and root on this one.

    Args:
        client: The engine.
        settings: The service around which it is.
        base: The image that its own starts from.
    """

    def __init__(self, client: docker.DockerClient, settings: Settings, base: str) -> None:
        self.client = client
        self.settings = settings
        self.image = build_image(settings, base, "world", HERE)
        self._cable = f"w{secrets.token_hex(4)}"
        self._container: Any = None

    def begin(self) -> None:
        """Start it, and connect it."""
        self._container = self._run(SERVE, detach=True, network_mode="none")
        pid = self.client.api.inspect_container(self._container.id)["State"]["Pid"]
        routes = " ; ".join(f"ip route replace {address}/32 via {FAR}" for address in ADDRESSES)
        self.as_root(
            f"set -e; ip link add {self._cable} type veth peer name far netns {pid}; "
            f"ip addr add {NEAR}/30 dev {self._cable}; ip link set {self._cable} up; {routes}"
        )
        wait_until("it serves", lambda: "Serving" in self._container.logs().decode() or self._answers())

    def _answers(self) -> bool:
        return (
            self._container.exec_run(["python3", "-c", f"import socket; socket.create_connection(('{FAR}', {PORT}))"])[
                0
            ]
            == 0
        )

    def end(self) -> None:
        """Take it away with its cable and its routes."""
        if self._container:
            self._container.remove(force=True)

    def as_root(self, line: str) -> str:
        """Run a line of shell as root in this machine's network; return what it prints."""
        return str(self._run(line, remove=True, network_mode="host", pid_mode="host").decode())

    def _run(self, line: str, **options: Any) -> Any:
        labels = self.settings.labels("test")
        return self.client.containers.run(
            self.image, ["sh", "-c", line], labels=labels, cap_add=["NET_ADMIN"], init=True, **options
        )

    # -- Layers that are switched off, to see that an attack would succeed ---------------------------------------------

    @contextmanager
    def without_firewall(self, *, killed: bool = False) -> Iterator[None]:
        """Stop the firewall and take its rules away for a while; afterwards it puts them back by itself.

        Args:
            killed: Let it end without a word, and so long ago that nobody believes its last one any more.
        """
        name = self.settings.service_name
        labels = [f"dropsonde.service={name}", "dropsonde.kind=firewall"]
        (container,) = self.client.containers.list(filters={"label": labels})
        if killed:
            container.kill(signal="KILL")
            container.wait()
            self._let_time_pass(f"{name}-firewall")
        else:
            container.stop()
        firewall.remove(name, firewall.image(self.client, name))
        try:
            yield
        finally:
            container.start()
            firewall.wait_ready(self.client, self.settings)

    def _let_time_pass(self, volume: str) -> None:
        """Let the word that a killed firewall has left on its volume be a minute old."""
        line = "test -s /there/ready && touch -d '1 minute ago' /there/ready"
        self._run(line, remove=True, network_mode="none", volumes={volume: {"bind": "/there", "mode": "rw"}})

    @contextmanager
    def without_isolation(self, interface: str) -> Iterator[None]:
        """Let the engine's own rules forward all that comes from an interface, and all answers."""
        rules = [f"DOCKER-USER {way} {interface} -j ACCEPT" for way in ("-i", "-o")]
        self.as_root(" && ".join(f"iptables -I {rule}" for rule in rules))
        try:
            yield
        finally:
            self.as_root(" ; ".join(f"iptables -D {rule}" for rule in rules))
