"""The settings of this machine: one frozen object, and the only reader of `.env` and of the environment.

What is set in the environment wins over `.env`, which wins over the default. `.env.example` lists every key.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from io import StringIO
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from infra.errors import ConfigError
from infra.process import without_password

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""

PROBE = "-probe"
"""How the name of the throw-away service ends in which a release proves itself (`infra/probe.py`)."""

SYSTEM_CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True)
class DataMount:
    """One piece of the site's data in every user's container.

    Attributes:
        kind: "path" (a folder of this machine), "volume" (a Docker volume) or "nfs" (an NFS export).
        source: Absolute folder, volume name, or "server:/export".
        target: Absolute folder inside the containers.
        writable: Whether users may write there.
    """

    kind: str
    source: str
    target: str
    writable: bool


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected 1 or 0")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("expected a port number from 1 to 65535")
    return int(text)


def _service_name(text: str) -> str:
    # Image names, volume names and compose project names all accept this; 20 leaves room in a 63-character label.
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", text) or len(text) > 20:
        raise ValueError("expected at most 20 lower-case letters, digits and single dashes, starting with a letter")
    if text.endswith(PROBE):
        raise ValueError(f"names that end in {PROBE} belong to the throw-away services of releases")
    return text


def _public_url(text: str) -> str:
    if text and not re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?", text):
        raise ValueError("expected the address of the hub's front without a path, such as https://hub.example.org")
    return text.rstrip("/")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise ValueError("expected a number, 2 or more")
    return int(text)


def _gigabytes(text: str) -> float:
    value = float(text)
    if value < 0:
        raise ValueError("expected a number of gigabytes, 0 or more")
    return value


def _ca_bundle(text: str) -> Path | None:
    if text:
        path = Path(text).expanduser()
        if not path.is_file():
            raise ValueError("expected a file of PEM certificates; there is none at this path")
        return path
    return next((Path(name) for name in SYSTEM_CA_BUNDLES if Path(name).is_file()), None)


def _profile(text: str) -> str:
    if text not in {"", "core", "full"}:
        raise ValueError("expected core or full")
    return text


def parse_clients(text: str) -> tuple[str, ...]:
    """Read `CLIENTS`: addresses of tar archives with their checksums, separated by blanks.

    Raises:
        ValueError: An entry is no http(s) address, or has no SHA-256 checksum.
    """
    for entry in text.split():
        if not re.fullmatch(r"https?://[^\s#]+#sha256=[0-9a-f]{64}", entry):
            shown = without_password(entry)
            raise ValueError(f"cannot read {shown!r}: expected https://host/name.tar.gz#sha256=<64 hex digits>")
    return tuple(text.split())


def _subnet(text: str) -> IPv4Network | None:
    if not text:
        return None
    subnet = IPv4Network(text)
    # The hub's three addresses and at least 32 for users' containers.
    if subnet.prefixlen > 26:
        raise ValueError("expected a range of at least 64 addresses, such as 172.30.0.0/20")
    return subnet


def parse_egress(text: str) -> str:
    """Read `NOTEBOOK_EGRESS`: `none`, or `internet`, `names`, entries `CIDR[:port]`; return it with commas.

    Raises:
        ValueError: An entry is none of these, or `none` does not stand alone.
    """
    words = _words(text)
    for word in words:
        match = re.fullmatch(r"(?P<range>[0-9./]+)(:(?P<port>[0-9]{1,5}))?", word)
        if word not in {"internet", "names", "none"} and not match:
            raise ValueError(
                f"cannot read {word!r}: expected internet, names, none, or a range such as 10.1.2.0/24:443"
            )
        if match:
            IPv4Network(match["range"])
            _port(match["port"] or "1")
    if "none" in words and len(words) > 1:
        raise ValueError("none stands alone")
    return ",".join(words) or "internet"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def parse_data_mounts(text: str) -> tuple[DataMount, ...]:
    """Read `DATA_MOUNTS`: entries `SOURCE:TARGET[:rw]`, separated by commas or blanks.

    SOURCE is a folder (with a slash; relative ones start at the project's folder), the name of a Docker volume, or
    `nfs://SERVER/EXPORT`. Containers get it read-only unless `:rw` is said.

    Raises:
        ValueError: An entry is malformed, or two entries share a target.
    """
    mounts: list[DataMount] = []
    for entry in _words(text):
        scheme, _, rest = entry.rpartition("nfs://")
        if scheme:
            raise ValueError(f"cannot read {entry!r}: expected SOURCE:/target or SOURCE:/target:rw")
        is_nfs = entry.startswith("nfs://")
        match = re.fullmatch(r"(?P<source>[^:]+):(?P<target>/[^:]*)(:(?P<mode>rw|ro))?", rest)
        if not match:
            raise ValueError(f"cannot read {entry!r}: expected SOURCE:/target or SOURCE:/target:rw")
        source, target = match["source"], os.path.normpath(match["target"])
        if target in {"/", "/opt", "/home", "/home/jovyan"} or target.startswith(("/opt/", "/etc", "/usr", "/proc")):
            raise ValueError(f"{target} belongs to the notebook image or to the user; choose e.g. /data/NAME")
        if is_nfs:
            server, slash, export = source.partition("/")
            if not (server and slash and export):
                raise ValueError(f"cannot read {entry!r}: expected nfs://SERVER/EXPORT:/target")
            kind, source = "nfs", f"{server}:/{export}"
        elif "/" in source:
            kind, source = "path", str((ROOT / Path(source).expanduser()).resolve())
        else:
            kind = "volume"
        if any(mount.target == target for mount in mounts):
            raise ValueError(f"{target} is the target of two mounts")
        mounts.append(DataMount(kind, source, target, match["mode"] == "rw"))
    return tuple(mounts)


def _setting(default: str, parse: Callable[[str], Any] = str) -> Any:
    """Return a field with its default as text and its parser, for `load`."""
    return field(metadata={"default": default, "parse": parse})


@dataclass(frozen=True)
class Settings:
    """Every setting of this machine, read and checked. Build one with `load()`; `.env.example` explains each key."""

    service_name: str = _setting("dropsonde", _service_name)
    hub_port: int = _setting("8000", _port)
    public_url: str = _setting("", _public_url)
    dev_mode: bool = _setting("1", _flag)
    data_mounts: tuple[DataMount, ...] = _setting("notebook/example-data:/data/example", parse_data_mounts)
    notebook_egress: str = _setting("internet", parse_egress)
    notebook_subnet: IPv4Network | None = _setting("", _subnet)
    base_image: str = _setting("debian:trixie-slim")
    science_profile: str = _setting("", _profile)
    clients: tuple[str, ...] = _setting("", parse_clients)
    min_free_gb: float = _setting("6", _gigabytes)
    ca_bundle: Path | None = _setting("", _ca_bundle)
    debian_mirror: str = _setting("")
    debian_security_mirror: str = _setting("")
    pypi_index: str = _setting("")
    npm_registry: str = _setting("")
    build_proxy: str = _setting("")
    build_no_proxy: str = _setting("")
    browser: str = _setting("")
    releases_kept: int = _setting("5", _count)

    @property
    def url(self) -> str:
        """Where a person finds the hub on this machine."""
        return f"http://127.0.0.1:{self.hub_port}"

    @property
    def is_probe(self) -> bool:
        """Whether these are the settings of a release's throw-away service."""
        return self.service_name.endswith(PROBE)

    def labels(self, kind: str) -> dict[str, str]:
        """Return the labels of everything that we create, for one kind of object."""
        return {"dropsonde.service": self.service_name, "dropsonde.kind": kind}


KEYS = tuple(item.name.upper() for item in fields(Settings))
"""The names of all settings, as written in `.env`."""


def _closest(key: str) -> str:
    near = difflib.get_close_matches(key.upper(), KEYS, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}? " if near else ""


def read_env_file(path: Path) -> dict[str, str]:
    """Read `.env` into names and values.

    Raises:
        ConfigError: A line cannot be read, a key is unknown or stands there twice.
    """
    values: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path.name} cannot be read.", seen=str(error), next_step=f"Make {path} a readable UTF-8 text file."
        ) from error
    for binding in parse_stream(StringIO(text)):
        where = f"{path.name}, line {binding.original.line}"
        if binding.error:
            raise ConfigError(
                f"{path.name} has a line that is not KEY=value.",
                seen=f"{where}: {without_password(binding.original.string.strip())}",
                next_step="Write KEY=value, quote a value with blanks, start comments with #.",
            )
        if binding.key is None:
            continue
        if binding.key not in KEYS:
            raise ConfigError(
                f"{path.name} names a setting that does not exist: {binding.key}",
                seen=where,
                next_step=f"{_closest(binding.key)}.env.example lists every setting.",
            )
        if binding.key in values:
            raise ConfigError(
                f"{path.name} sets {binding.key} twice.", seen=where, next_step="Remove one of the two lines."
            )
        values[binding.key] = binding.value or ""
    return values


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings of this machine.

    Args:
        environ: Environment to read; the process's own if None.
        env_file: The `.env` file; the project's own if None. It need not exist.

    Raises:
        ConfigError: A setting is unknown or malformed; names the setting, the value and where it was found.
    """
    environ = os.environ if environ is None else environ
    env_file = ROOT / ".env" if env_file is None else env_file
    from_file = read_env_file(env_file) if env_file.exists() else {}
    values: dict[str, Any] = {}
    for item in fields(Settings):
        key = item.name.upper()
        if key in environ:
            text, where = environ[key], "the environment"
        elif key in from_file:
            text, where = from_file[key], env_file.name
        else:
            text, where = item.metadata["default"], "the default"
        try:
            values[item.name] = item.metadata["parse"](text.strip())
        except ValueError as error:
            raise ConfigError(
                f"{key} has a value that cannot be used.",
                seen=f"{key}={without_password(text)} (from {where}): {error}",
                next_step=f"Correct {key} in {where}; .env.example says what it may be.",
            ) from error
    # People who work on the hub want it in minutes, people who work with it want everything.
    values["science_profile"] = values["science_profile"] or ("core" if values["dev_mode"] else "full")
    return Settings(**values)


def unattended(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether nobody is there to be asked (CI=true): what would be asked is agreed to."""
    return (os.environ if environ is None else environ).get("CI", "").lower() in {"1", "true"}
