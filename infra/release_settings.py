"""The settings of a release: copied from `shared` into its folder, and refused where they are none for a host.

A copy, not a link: a release that is gone back to, or that the machine starts with after a failed deploy, has the
settings with which it was proved.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from infra.errors import ConfigError
from infra.release import Place
from infra.settings import Settings

ENVIRONMENT = "hub/environment"
PRIVATE = "hub/oauth.env"
SECRETS = "hub/secrets"
FILES = {".env": ".env", "oauth.env": PRIVATE, "hub-environment": ENVIRONMENT}
"""Files of `shared`, and where they are in a tree."""
OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_CALLBACK_URL")
DACO = ("DACO_KEY", "DACO_SECRET", "DACO_TOKEN", "DACO_TOKEN_SECRET")
NEVER_PUBLIC = ("OAUTH_CLIENT_SECRET", *DACO, "JUPYTERHUB_CRYPT_KEY")
"""What hub/environment must not have: it is for all to read, and in `docker inspect`."""
NO_KEYS = {".pem", ".crt", ".csv", ".txt"}
"""How files of hub/secrets end that are certificates or lists, unless a private key is in them."""
UNREADABLE = "(a file that only the hub can read)"
# Others are read by the hub from the file of their name in hub/secrets.
PLACEHOLDER = re.compile(
    r"(change|replace)[-_ ]?(me|this|it)|your[-_ ].*|<.*>|x{3,}|todo|secret|password|example", re.I
)


# -- Copies ------------------------------------------------------------------------------------------------------------


def _wanted(place: Place) -> dict[str, Path]:
    """Return the files that a release is to have, by their path in the tree."""
    found = {inside: place.shared / name for name, inside in FILES.items() if (place.shared / name).is_file()}
    secrets = place.shared / "secrets"
    found |= {f"{SECRETS}/{path.relative_to(secrets)}": path for path in secrets.rglob("*") if path.is_file()}
    return found


def _there(place: Place) -> set[str]:
    """Return the files that a release has, and that come from `shared` alone."""
    files = {name for name in (".env", PRIVATE) if (place.folder / name).exists()}
    return files | {str(path.relative_to(place.folder)) for path in secret_files(place.folder)}


def secret_files(folder: Path) -> list[Path]:
    """Return the files of a tree's hub/secrets but for our own page; none where we may not look into it."""
    secrets = folder / SECRETS
    with suppress(PermissionError):
        return [path for path in sorted(secrets.rglob("*")) if path.is_file() and path != secrets / "README.md"]
    return []


def drift(place: Place) -> list[str]:
    """Return the files in which a release's settings differ from those of `shared`."""
    wanted = _wanted(place)

    def differs(name: str) -> bool:
        copy = place.folder / name
        return name not in wanted or not copy.is_file() or copy.read_bytes() != wanted[name].read_bytes()

    return sorted(name for name in {*wanted, *_there(place)} if differs(name))


def take_over(place: Place) -> None:
    """Give a release the settings of `shared`."""
    wanted = _wanted(place)
    for name in drift(place):
        copy = place.folder / name
        if name not in wanted:
            copy.unlink()
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_name(f".{copy.name}.new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        shutil.copyfile(wanted[name], unfinished)
        status = wanted[name].stat()
        with suppress(PermissionError):
            os.chown(unfinished, -1, status.st_gid)
        unfinished.chmod(status.st_mode & 0o777)
        unfinished.rename(copy)


def digest(folder: Path) -> str:
    """Return a digest of all settings in a release's folder."""
    files = [folder / name for name in FILES.values()]
    files += sorted(path for path in (folder / SECRETS).rglob("*") if path.is_file())
    total = hashlib.sha256()
    for path in files:
        if path.is_file():
            content = path.read_bytes()
            total.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return total.hexdigest()


# -- What is refused ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HubSettings:
    """What the hub is going to read.

    Attributes:
        public: hub/environment.
        private: hub/oauth.env, and the files of hub/secrets that bear a setting's name.
    """

    public: Mapping[str, str]
    private: Mapping[str, str]


def read(folder: Path) -> HubSettings:
    """Read the hub's settings of a tree, as the hub would."""

    def values(name: str) -> dict[str, str]:
        path = folder / name
        found = dotenv_values(path, interpolate=False) if path.is_file() else {}
        return {key: (value or "").strip() for key, value in found.items()}

    private = values(PRIVATE)
    for name in (*OAUTH, *DACO):
        path = folder / SECRETS / name
        try:
            if not private.get(name) and path.is_file():
                private[name] = path.read_text(errors="replace").strip()
        except PermissionError:
            # Only the hub may read it, or look into its folder: what is wrong with it, the hub says.
            private[name] = UNREADABLE
    return HubSettings(values(ENVIRONMENT), private)


def missing(hub: HubSettings) -> list[str]:
    """Return the settings without which nobody can sign in, by their names; pure."""
    given = {**hub.public, **{name: value for name, value in hub.private.items() if value}}
    needed = OAUTH + (("DACO_URL", *DACO) if (given.get("APPROVAL") or "daco") == "daco" else ())
    return [name for name in needed if not given.get(name)]


def exposed(hub: HubSettings) -> list[str]:
    """Return the private settings that stand in hub/environment, by their names; pure."""
    return [name for name in NEVER_PUBLIC if hub.public.get(name)]


def problems(settings: Settings, hub: HubSettings, folder: Path) -> list[str]:
    """Return why these settings are none for a host that people reach, one sentence each; pure.

    Args:
        settings: The machine's.
        hub: The hub's.
        folder: The release's folder.
    """
    found = []
    if settings.dev_mode:
        found.append("DEV_MODE=1 lets anybody sign in as anybody: write DEV_MODE=0.")
    provider = hub.public.get("OAUTH_PROVIDER") or "google"
    if provider in {"dummy", "null", "default", "pam"}:
        found.append(f"OAUTH_PROVIDER={provider} proves nobody to be anybody: name a provider.")
    lacking = missing(hub)
    if "DACO_URL" in lacking:
        lacking.remove("DACO_URL")
        found.append("Missing in hub_environment: DACO_URL, or another APPROVAL.")
    if lacking:
        found.append(f"Missing in oauth.env: {', '.join(lacking)}.")
    if shown := exposed(hub):
        found.append(f"In hub_environment, which everybody may read: {', '.join(shown)}; move them to oauth.env.")
    examples = [name for name, value in hub.private.items() if PLACEHOLDER.fullmatch(value)]
    if examples:
        found.append(f"Still an example's value in oauth.env: {', '.join(examples)}.")
    callback = urlsplit(hub.private.get("OAUTH_CALLBACK_URL", ""))
    if callback.netloc and callback.scheme != "https":
        found.append("OAUTH_CALLBACK_URL is not https: people's sign-in would cross the net in the clear.")
    if settings.public_url and callback.netloc and callback.netloc != urlsplit(settings.public_url).netloc:
        found.append(f"OAUTH_CALLBACK_URL leads to {callback.netloc}, PUBLIC_URL is {settings.public_url}.")
    inside = [mount for mount in settings.data_mounts if mount.kind == "path" and _is_in(mount.source, folder)]
    found += [
        f"DATA_MOUNTS: {mount.target} is in the release's own folder, which goes when it is old." for mount in inside
    ]
    return found


def _is_in(path: str, folder: Path) -> bool:
    return Path(path).is_relative_to(folder)


def _for_everybody(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IRWXO)


def open_keys(folder: Path) -> list[Path]:
    """Return the files of a tree's hub/secrets that everybody on the machine may read, but certificates and lists."""
    opened = [path for path in secret_files(folder) if _for_everybody(path)]
    return [path for path in opened if path.suffix not in NO_KEYS or b"PRIVATE KEY" in path.read_bytes()]


def open_files(folder: Path) -> list[str]:
    """Return the private files that everybody on the machine may read, one sentence each."""
    settings = [folder / name for name in (".env", PRIVATE) if (folder / name).exists()]
    return [
        f"{path.relative_to(folder)} may be read by everybody (mode {path.stat().st_mode & 0o777:03o}): chmod o-rwx."
        for path in [*filter(_for_everybody, settings), *open_keys(folder)]
    ]


def require(settings: Settings, folder: Path) -> None:
    """Refuse settings that are none for a host.

    Raises:
        ConfigError: Says all that is wrong with them. Never holds the value of a private setting.
    """
    found = problems(settings, read(folder), folder) + open_files(folder)
    if found:
        raise ConfigError(
            "This release is not for a host that people reach. Nothing was changed.",
            seen="\n".join(found),
            next_step="Correct the host's settings (group_vars, host_vars), then run the same command again.",
        )
