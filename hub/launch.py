"""Start JupyterHub as soon as no other hub holds the database.

`invoke reset` starts the new hub while the old one still serves. The new one imports everything and rehearses its
configuration on an empty database; if that fails it ends, and the old hub never noticed. Otherwise it waits for the
lock on the data volume, which the kernel frees in the moment in which the old hub ends: there are never two live hubs
on one database, and the hub's pages are gone for a fraction of a second only.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import Any

HOME = Path("/srv/jupyterhub")


def trust_own_certificates() -> None:
    """Trust the site's certificates besides Debian's: closed networks sign outgoing TLS anew.

    The image sets SSL_CERT_FILE, so that programs that are run in the hub's container later trust the same.
    """
    own = HOME / "secrets/ca.pem"
    trusted = [Path("/etc/ssl/certs/ca-certificates.crt"), *([own] if own.is_file() else [])]
    Path(os.environ["SSL_CERT_FILE"]).write_bytes(b"\n".join(path.read_bytes() for path in trusted))


# Python reads this once, when the libraries below are imported.
trust_own_certificates()

from dropsonde_auth.admins import admins, settle  # noqa: E402
from dropsonde_auth.doors import Doors  # noqa: E402
from dropsonde_auth.sweep import Sweep  # noqa: E402
from dropsonde_look import live, names, pages  # noqa: E402
from dropsonde_spawner.handlers import let_starts_meet  # noqa: E402
from jupyterhub.app import JupyterHub  # noqa: E402
from jupyterhub.handlers import BaseHandler  # noqa: E402
from jupyterhub.user import User  # noqa: E402

CONFIG = HOME / "jupyterhub_config.py"
LOCK = HOME / "data/hub.lock"
PROXY_TOKEN = HOME / "proxy-token/token"
NETWORK_SECONDS = 30
BAD_CONFIGURATION = 78
STANDING_BY = "The new hub is ready and waits for the old one to end."


class Hub(JupyterHub):  # type: ignore[misc]  # jupyterhub has no types
    """JupyterHub, whose doors and admins are what the settings say, with a look at all approvals while it serves."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.servers_known = asyncio.Event()

    async def init_users(self) -> None:
        """Make admins of those whom the setting names, and of nobody else."""
        former = admins(self.db)
        await super().init_users()
        settle(self.db, self.authenticator, former)

    async def init_spawners(self) -> int:
        """Look up the servers that run, which may take longer than JupyterHub waits for it."""
        try:
            return int(await super().init_spawners())
        finally:
            self.servers_known.set()

    def init_tornado_settings(self) -> None:
        """Mend JupyterHub's handlers; in DEV_MODE a broken template says where it is broken, and recovers."""
        super().init_tornado_settings()
        names.mend(User)
        let_starts_meet(BaseHandler)
        if os.environ.get("DEV_MODE") == "1":
            live.install(self.tornado_settings)

    async def start(self) -> None:
        """Close the doors if people sign in in another way now, serve, and look at approvals all the while."""
        await self._close_doors()
        await super().start()
        self.sweep = Sweep(self, self.authenticator)
        self.sweep.begin()
        self.write_away()

    def write_away(self) -> None:
        """Write the page that the proxy shows while no hub answers; the last one stays if that does not work."""
        try:
            pages.write_away(self.template_vars["brand"], HOME / "pages")
        except Exception:
            self.log.exception("The proxy's page was not written; it shows the last one")

    async def _close_doors(self) -> None:
        try:
            # jupyterhub_config.py has made sure that the authenticator knows approval.
            doors = Doors(self, self.authenticator)
        except ValueError as error:  # Auth0's class wants to know a domain
            print(f"Error: OAUTH_PROVIDER lacks a setting: {error}\nNext: write it into hub/environment.", flush=True)
            sys.exit(BAD_CONFIGURATION)
        if not doors.changed:
            return
        await self.servers_known.wait()
        try:
            await doors.close()
        except Exception:
            self.log.exception("People sign in in another way now, and not all servers of before could be stopped")
            sys.exit("Error: the hub does not serve while they run.\nNext: see above, then run the same command again.")


def make_proxy_token() -> None:
    """Make the token that hub and proxy share, once, on the volume that only these two mount."""
    if not PROXY_TOKEN.exists():
        unfinished = PROXY_TOKEN.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_hex(32))
        unfinished.rename(PROXY_TOKEN)


def rehearse() -> None:
    """Set up a hub with our configuration on an empty database; raises or exits as JupyterHub does on a mistake."""
    hub = JupyterHub()
    # JupyterHub ends with SystemExit and a log message on most mistakes in its configuration.
    asyncio.run(hub.initialize([f"--config={CONFIG}", "--JupyterHub.db_url=sqlite:///:memory:"]))


def wait_for_network() -> None:
    """Wait until this container is on the control network, which `invoke reset` connects last.

    Raises:
        SystemExit: Nobody connected it: the reset that started it was interrupted. The lock is free again then.
    """
    deadline = time.monotonic() + NETWORK_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.getaddrinfo("proxy-api", None)
        except socket.gaierror:
            time.sleep(0.01)
        else:
            return
    sys.exit("Error: the hub is not connected to its proxy.\nNext: invoke up")


def main() -> None:
    """Take the lock, then become JupyterHub."""
    make_proxy_token()
    with LOCK.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            rehearse()
            print(STANDING_BY, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        wait_for_network()
        Hub.launch_instance([f"--config={CONFIG}", *sys.argv[1:]])


if __name__ == "__main__":
    os.umask(0o077)
    main()
