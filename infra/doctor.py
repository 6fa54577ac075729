"""Every precondition as one named check with a remedy; some of them also as a gate before the work starts."""

from __future__ import annotations

import base64
import http.client
import platform
import re
import shutil
import socket
import ssl
import stat
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import psutil

from infra import apt_suite, egress, engine, firewall, packages, process, release_settings
from infra.checks import Check, show
from infra.errors import ConfigError, DropsondeError
from infra.settings import ROOT, DataMount, Settings

if TYPE_CHECKING:
    import docker

__all__ = ["Check", "checks", "require_data_mounts", "require_disk", "require_memory", "require_port_free", "show"]

GB = 1e9
MIN_PYTHON = (3, 11)
MIN_MEMORY_GB = 1.0  # hub, proxy and one busy notebook, measured together at about 0.6
NET_SECONDS = 5
NFS_PORT = 2049


def python_version() -> Check:
    """Check that this Python is new enough."""
    ok = sys.version_info >= MIN_PYTHON
    remedy = "" if ok else f"Install Python {'.'.join(map(str, MIN_PYTHON))} or newer, remove .venv, run ./bootstrap."
    return Check("python", ok, platform.python_version(), remedy)


def publisher(containers: list[dict[str, Any]], port: int) -> dict[str, Any] | None:
    """Return the container (as the engine lists them) that publishes a TCP port of 127.0.0.1, or None."""
    for container in containers:
        for published in container.get("Ports") or []:
            here = published.get("IP", "") in {"", "0.0.0.0", "127.0.0.1", "::"}  # noqa: S104
            if published.get("PublicPort") == port and published.get("Type") == "tcp" and here:
                return container
    return None


def _is_ours(container: dict[str, Any], settings: Settings) -> bool:
    return settings.labels("proxy").items() <= (container.get("Labels") or {}).items()


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closing do not count
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return True  # below 1024 only root may; the engine is root
        except OSError:
            return False
    return True


def _listener(port: int) -> str:
    """Return who listens on a TCP port, as far as we may see that."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "a process of another user"


def port_free(settings: Settings, client: docker.DockerClient | None) -> Check:
    """Check that HUB_PORT is free, or held by our own stack; say by whom otherwise."""
    port = settings.hub_port
    remedy = "Stop it, or choose another HUB_PORT in .env."
    # The engine first: it can publish a port without a process that listens on it.
    holder = publisher(client.api.containers(), port) if client else None
    if holder and _is_ours(holder, settings):
        return Check("port", True, f"{port} is held by our own proxy")
    if holder:
        return Check("port", False, f"{port} is published by the container {holder['Names'][0].lstrip('/')}", remedy)
    if _can_bind(port):
        return Check("port", True, f"{port} is free")
    return Check("port", False, f"{port} is held by {_listener(port)}", remedy)


def engine_disk(client: docker.DockerClient) -> tuple[Path, int | None]:
    """Return where the engine keeps images and volumes, and the free bytes there; None if that is elsewhere."""
    root = Path(client.info()["DockerRootDir"])
    try:
        return root, shutil.disk_usage(root).free
    except OSError:
        return root, None


def disk(settings: Settings, client: docker.DockerClient) -> Check:
    """Check that MIN_FREE_GB (10^9 bytes each) are free where the engine keeps images and volumes."""
    root, bytes_free = engine_disk(client)
    if bytes_free is None:
        return Check("disk", True, f"{root} is not on this machine: not checked")
    free = bytes_free / GB
    ok = free >= settings.min_free_gb
    remedy = "`invoke clean` removes our own unused images; or make room, or lower MIN_FREE_GB in .env."
    seen = f"{free:.1f} GB free at {root}, {settings.min_free_gb:g} GB wanted"
    return Check("disk", ok, seen, "" if ok else remedy)


def memory() -> Check:
    """Check that there is memory for the hub and one notebook."""
    available = psutil.virtual_memory().available / GB
    ok = available >= MIN_MEMORY_GB
    remedy = "" if ok else "Stop other programs, or use a machine with more memory."
    return Check("memory", ok, f"{available:.1f} GB available, {MIN_MEMORY_GB:g} GB wanted", remedy)


def ca_bundle(settings: Settings) -> Check:
    """Check that the CA bundle that builds get can be read and holds certificates."""
    bundle = settings.ca_bundle
    if bundle is None:
        return Check("ca bundle", True, "none: builds trust what their images trust")
    try:
        context = ssl.create_default_context(cafile=str(bundle))
        return Check("ca bundle", True, f"{len(context.get_ca_certs())} certificates in {bundle}")
    except OSError as error:  # ssl.SSLError is one, too
        seen = f"{bundle}: {error.strerror or error}"
        return Check("ca bundle", False, seen, "Set CA_BUNDLE to a readable file of PEM certificates.")


def data_mount(mount: DataMount, client: docker.DockerClient | None) -> Check:
    """Check that one of the DATA_MOUNTS exists: the folder, the volume, or the NFS server."""
    from docker.errors import NotFound

    name, remedy = f"data {mount.target}", "Create it, or correct DATA_MOUNTS in .env."
    if mount.kind == "path":
        ok = Path(mount.source).exists()
        return Check(name, ok, f"{mount.source} {'exists' if ok else 'does not exist'}", "" if ok else remedy)
    if mount.kind == "nfs":
        server = mount.source.partition(":")[0]
        try:
            socket.create_connection((server, NFS_PORT), timeout=NET_SECONDS).close()
        except OSError as error:
            seen = f"the NFS server {server} does not answer: {error.strerror or error}"
            return Check(name, False, seen, "Check server and network, or correct DATA_MOUNTS in .env.")
        return Check(name, True, f"the NFS server {server} answers")
    if client is None:
        return Check(name, True, f"volume {mount.source}: not checked without an engine")
    try:
        client.api.inspect_volume(mount.source)
    except NotFound:
        return Check(name, False, f"there is no volume {mount.source}", remedy)
    return Check(name, True, f"volume {mount.source} exists")


def mirrors(settings: Settings) -> dict[str, str]:
    """Return what we download from, as far as we can name it: setting (or "apt") to address."""
    configured = {
        "DEBIAN_MIRROR": settings.debian_mirror,
        "DEBIAN_SECURITY_MIRROR": settings.debian_security_mirror,
        "PYPI_INDEX": settings.pypi_index,
        "NPM_REGISTRY": settings.npm_registry,
    }
    own = apt_suite.find_source(apt_suite.read_sources(), packages.read_system().codename)
    if own and own.uri.startswith("http"):
        configured["apt"] = own.uri
    return {name: address for name, address in configured.items() if address}


def mirror(name: str, address: str, settings: Settings) -> Check:
    """Check that a mirror answers, whatever it says: a page that we may not see is an answer, too."""
    handlers: list[urllib.request.BaseHandler] = []
    parts, shown = urlsplit(address), process.without_password(address)
    if settings.build_proxy and parts.hostname not in settings.build_no_proxy.replace(",", " ").split():
        handlers.append(urllib.request.ProxyHandler({"http": settings.build_proxy, "https": settings.build_proxy}))
    try:
        if settings.ca_bundle:
            context = ssl.create_default_context(cafile=str(settings.ca_bundle))
            handlers.append(urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(shown, method="HEAD")  # noqa: S310
        if parts.username:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}")
        with urllib.request.build_opener(*handlers).open(request, timeout=NET_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = process.without_password(str(getattr(error, "reason", error)))
        seen = f"{shown} does not answer: {reason}"
        return Check(f"mirror {name}", False, seen, f"Check the network, the proxy and {name}.")
    ok = status < 500
    remedy = "" if ok else f"Try again later, or choose another {name}."
    return Check(f"mirror {name}", ok, f"{shown} {'answers' if ok else f'fails with {status}'}", remedy)


def private_file(path: Path) -> Check | None:
    """Check that a file of settings with a secret is not for everyone to read; None if there is no such file."""
    if not path.exists():
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
    # Most .env files hold no secret; one with a password in a mirror's URL does.
    harmless = path.name == ".env" and not re.search(r"://[^/\s]+@", path.read_text(errors="replace"))
    ok = harmless or not mode & 0o007
    return Check(name, ok, f"mode {mode:03o}", "" if ok else f"chmod 600 {name}")


def secrets(folder: Path) -> Check:
    """Check that not everybody may read a key in a tree's hub/secrets: the hub does as uid 1000, or as group docker."""
    found = release_settings.open_keys(folder)
    if not found:
        return Check(release_settings.SECRETS, True, "no key in it is for everybody to read")
    first, count = found[0].relative_to(folder), f" ({len(found)} such files)" if len(found) > 1 else ""
    seen = f"{first} has mode {stat.S_IMODE(found[0].stat().st_mode):03o}{count}"
    return Check(release_settings.SECRETS, False, seen, f"chgrp docker {first} && chmod 640 {first}")


def sign_in(settings: Settings) -> Check:
    """Check that people can sign in: as anybody with DEV_MODE, else with a provider that hub/oauth.env knows."""
    if settings.dev_mode:
        return Check("sign-in", True, "anybody as anybody (DEV_MODE=1)")
    hub = release_settings.read(ROOT)
    if shown := release_settings.exposed(hub):
        seen = f"hub/environment, which everybody may read, has {', '.join(shown)}"
        return Check("sign-in", False, seen, "Move it to hub/oauth.env, and have a new one made: that one was seen.")
    lacking = release_settings.missing(hub)
    if not lacking:
        return Check("sign-in", True, "its settings are there")
    remedy = (
        "Write them into hub/oauth.env, or files of these names into hub/secrets; docs/signing-in.md says whence "
        "each comes. To try the hub without, write DEV_MODE=1 into .env."
    )
    return Check("sign-in", False, f"missing: {', '.join(lacking)}", remedy)


def readable(folder: Path) -> Check:
    """Check that everybody can read a folder that is mounted into containers: the hub there is another user."""
    name = str(folder.relative_to(ROOT))
    inside = [folder, *folder.rglob("*")]
    closed = [path for path in inside if not path.stat().st_mode & (stat.S_IXOTH if path.is_dir() else stat.S_IROTH)]
    if not closed:
        return Check(name, True, "readable by the hub")
    return Check(name, False, f"{closed[0].relative_to(ROOT)} is not for others to read", f"chmod -R o+rX {name}")


def checks(settings: Settings) -> list[Check]:
    """Look at every precondition of this machine. Changes nothing.

    Args:
        settings: This machine's settings; that they could be read is a precondition of its own.
    """
    client = engine.knock().client
    found = [python_version(), *engine.report(), port_free(settings, client)]
    if client:
        found.append(disk(settings, client))
    found += [memory(), firewall.bridge_filter(), ca_bundle(settings)]
    found += [data_mount(mount, client) for mount in settings.data_mounts]
    found += [mirror(name, address, settings) for name, address in mirrors(settings).items()]
    found += egress.mirrors(settings)
    found.append(sign_in(settings))
    found += [readable(ROOT / name) for name in ("www_custom", "share")]
    found.append(secrets(ROOT))
    found += [check for name in (".env", "hub/oauth.env") if (check := private_file(ROOT / name))]
    return found


def _require(check: Check, what: str) -> None:
    if not check.ok:
        raise DropsondeError(what, seen=check.seen, next_step=check.remedy)


def require_port_free(settings: Settings, client: docker.DockerClient) -> None:
    """Refuse to go on if somebody else holds HUB_PORT.

    Raises:
        DropsondeError: Says who holds it.
    """
    _require(port_free(settings, client), f"Port {settings.hub_port} is taken.")


def require_disk(settings: Settings, client: docker.DockerClient) -> None:
    """Refuse to go on if less than MIN_FREE_GB are free at the engine's data.

    Raises:
        DropsondeError: Says where, how much is free and how much is wanted.
    """
    _require(disk(settings, client), "The disk is nearly full.")


def require_memory() -> None:
    """Refuse to go on without memory for the hub and one notebook.

    Raises:
        DropsondeError: Says how much there is and how much is wanted.
    """
    _require(memory(), "There is not enough memory.")


def require_sign_in(settings: Settings) -> None:
    """Refuse to go on if nobody could sign in: the hub itself would say so only after everything was built.

    Raises:
        ConfigError: Says which settings are missing.
    """
    check = sign_in(settings)
    if not check.ok:
        raise ConfigError("Signing in is not configured.", seen=check.seen, next_step=check.remedy)


def require_data_mounts(settings: Settings, client: docker.DockerClient) -> None:
    """Refuse to go on if one of the DATA_MOUNTS does not exist.

    Raises:
        DropsondeError: Says which.
    """
    for mount in settings.data_mounts:
        _require(data_mount(mount, client), f"The data for {mount.target} is not there.")
