"""Where files of the look and feel are: the repository, its last commit, the running hub, and share/."""

from __future__ import annotations

import io
import tarfile
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import docker
import docker.errors

from infra import console, health, process
from infra.errors import DropsondeError
from infra.look import CUSTOM, LARGEST, SHOWN, Files, Unplaced, place_for, unplaced
from infra.settings import ROOT, Settings

IN_HUB = "/srv/jupyterhub/www_custom"
IGNORED = {"README.md", ".gitkeep", ".DS_Store"}


def of_folder(folder: Path) -> dict[str, bytes]:
    """Return the ordinary files of a folder by their paths below it; links are followed nowhere."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        linked = any(item.is_symlink() for item in (path, *path.parents) if item.is_relative_to(folder))
        if linked or not path.is_file() or is_noise(name):
            continue
        if path.stat().st_size > LARGEST:
            console.warn(f"{name} is left out: it has {console.size(path.stat().st_size)}")
            continue
        found[name] = path.read_bytes()
    return found


def is_noise(name: str) -> bool:
    """Return whether a file is an editor's, or says what a folder is for."""
    last = PurePosixPath(name).name
    return last in IGNORED or last.startswith(".") or last.endswith(("~", ".swp", ".orig", ".rej", ".tmp"))


def of_archive(archive: bytes, folder: str) -> dict[str, bytes]:
    """Return the ordinary files of a tar archive by their paths below one of its folders; links are left out."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isreg() or ".." in path.parts or not path.is_relative_to(folder) or member.size > LARGEST:
                continue
            name = path.relative_to(folder).as_posix()
            content = tar.extractfile(member)
            if content is not None and not is_noise(name):
                found[name] = content.read()
    return found


def here() -> dict[str, bytes]:
    """Return the repository's files."""
    return of_folder(CUSTOM)


def committed() -> dict[str, bytes] | None:
    """Return the last commit's files, None where git cannot say (a release has no history)."""
    if not (ROOT / ".git").exists():
        return None
    archive = ["git", "archive", "--format=tar", "HEAD", "--", SHOWN]
    try:
        return of_archive(process.run_bytes(archive, what="git does not answer.", cwd=ROOT), SHOWN)
    except DropsondeError as error:
        console.warn(f"What is not committed yet cannot be told: {error.seen}")
        return None


def of_hub(client: docker.DockerClient, settings: Settings) -> dict[str, bytes]:
    """Return the files that the running hub shows.

    Raises:
        DropsondeError: No hub is running.
    """
    hub = health.hub_container(client, settings)["Id"]
    pieces, _ = client.api.get_archive(hub, IN_HUB)
    return of_archive(b"".join(pieces), PurePosixPath(IN_HUB).name)


def may_be_edited(client: docker.DockerClient, settings: Settings) -> bool:
    """Return whether the running hub shows a folder that people edit, and not what an image once got from one.

    Raises:
        DropsondeError: No hub is running.
    """
    hub = health.hub_container(client, settings)["Id"]
    mounts = client.api.inspect_container(hub)["Mounts"]
    return any(mount["Destination"] == IN_HUB for mount in mounts)


@dataclass(frozen=True)
class Shared:
    """What lies in share/.

    Attributes:
        files: The files by where they belong.
        names: Their paths below share/, by where they belong.
        unplaced: Those of which that cannot be said.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    unplaced: list[Unplaced] = field(default_factory=list)


def of_share(known: Files, folder: Path = ROOT / "share") -> Shared:
    """Return what lies in share/, judged by the paths that there are below www_custom/hub."""
    found = Shared()
    for name, content in of_folder(folder).items():
        path = place_for(name, known)
        if path:
            found.files[path], found.names[path] = content, name
        else:
            found.unplaced.append(unplaced(name, known))
    return found


def archive_of(files: Files) -> bytes:
    """Return files as a tar archive, everybody's to read, and changed just now: who has read them reads them again."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o755, time.time()
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
