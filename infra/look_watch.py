"""`look.watch`: an edit of www_custom/ is checked and shown at once, in the hub and in running notebooks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import docker
import docker.errors
from watchfiles import watch

from infra import console, health, look_check, look_sources, process
from infra.errors import ConfigError, DropsondeError
from infra.look import CUSTOM
from infra.settings import ROOT, Settings

WATCHED = ROOT / "www_custom"
# Milliseconds.
TOGETHER, STEP, QUIET = 60, 20, 200
# Where Dockerfile.notebook puts the folders of www_custom/notebook.
IN_NOTEBOOK = {
    "etc": "/etc/jupyter",
    "labextension": "/usr/local/share/jupyter/labextensions/dropsonde",
    "templates": "/usr/local/share/dropsonde/templates",
}
AWAY = ("python3", "-m", "dropsonde_look.pages")


@dataclass(frozen=True)
class Edit:
    """What was changed at one time.

    Attributes:
        hub: Files of www_custom/hub, by their paths below it.
        notebook: Where files of www_custom/notebook are in a notebook's container, and their contents; None: removed.
    """

    hub: tuple[str, ...]
    notebook: tuple[tuple[str, bytes | None], ...]


def in_notebook(path: str) -> str:
    """Return where a file of www_custom/notebook (a path below it) is in people's containers; empty for nowhere."""
    parts = PurePosixPath(path).parts
    folder = IN_NOTEBOOK.get(parts[0], "") if len(parts) > 1 else ""
    return f"{folder}/{'/'.join(parts[1:])}" if folder else ""


def edit_of(changed: Iterable[str], folder: Path = WATCHED) -> Edit:
    """Return what the changed files of www_custom mean; editors' own files mean nothing."""
    names = sorted({Path(name).relative_to(folder).as_posix() for name in changed})
    names = [name for name in names if not look_sources.is_noise(name) and not (folder / name).is_dir()]
    hub = [name.removeprefix("hub/") for name in names if name.startswith("hub/")]
    notebook = []
    for name in names:
        place = in_notebook(name.removeprefix("notebook/")) if name.startswith("notebook/") else ""
        if place:
            path = folder / name
            notebook.append((place, path.read_bytes() if path.is_file() and not path.is_symlink() else None))
    return Edit(tuple(hub), tuple(notebook))


def require_live(client: docker.DockerClient, settings: Settings) -> str:
    """Return the running hub's container; refuse to go on where it does not show the files of this folder.

    Raises:
        ConfigError: It is no development hub.
        DropsondeError: No hub is running, or it shows other files.
    """
    if not settings.dev_mode:
        raise ConfigError(
            "Only a hub in DEV_MODE shows edits at once.",
            seen=f"DEV_MODE=0 for {settings.service_name}",
            next_step="Set DEV_MODE=1 in .env, then invoke up; or put a change into the image: invoke reset.",
        )
    hub = str(health.hub_container(client, settings)["Id"])
    mounted = [
        item.get("Source", "")
        for item in client.api.inspect_container(hub)["Mounts"]
        if item["Destination"] == look_sources.IN_HUB
    ]
    if not (mounted and Path(mounted[0]).exists() and Path(mounted[0]).samefile(CUSTOM)):
        seen = f"It shows {mounted[0]}" if mounted else "It shows the files of its image"
        raise DropsondeError(
            f"The running hub does not show {CUSTOM}.", seen=seen, next_step="Let it: invoke up, in this folder"
        )
    return hub


def gallery(settings: Settings) -> str:
    """Return where all pages are shown side by side."""
    return f"{settings.url}/hub/look/"


def follow(client: docker.DockerClient, settings: Settings) -> None:
    """Show edits until Ctrl-C.

    Raises:
        ConfigError, DropsondeError: See `require_live`.
    """
    hub = require_live(client, settings)
    console.result(f"All pages: {gallery(settings)}\nOpen pages load themselves anew after an edit. Ctrl-C ends.")
    # An editor's several writes to one file are one edit. Editors' own files are left out by `edit_of`.
    batches = watch(WATCHED, debounce=TOGETHER, step=STEP, watch_filter=None, rust_timeout=QUIET, yield_on_timeout=True)
    try:
        # Only now is it watched: what is edited while the templates are checked is shown after that.
        first = next(batches, set())
        _report(look_check.check(client, settings), "The templates as they are now")
        for batch in itertools.chain([first], batches):
            _show(client, settings, hub, edit_of(path for _, path in batch))
    except KeyboardInterrupt:
        console.done("No longer watching")


def _show(client: docker.DockerClient, settings: Settings, hub: str, edit: Edit) -> None:
    """Bring an edit to where people see it, and say what is wrong with it."""
    try:
        if edit.notebook:
            _into_notebooks(client, settings, edit.notebook)
        if edit.hub:
            _report(look_check.check(client, settings), ", ".join(edit.hub))
            process.run(["docker", "exec", hub, *AWAY], what="The proxy's page was not written anew.")
    except (DropsondeError, docker.errors.APIError) as error:
        # Perhaps a template that is half written: the next edit mends it.
        console.warn(str(error))


def _report(problems: Sequence[str], what: str) -> None:
    if not problems:
        console.done(what)
    for problem in problems:
        console.warn(problem)


def _into_notebooks(client: docker.DockerClient, settings: Settings, files: Sequence[tuple[str, bytes | None]]) -> None:
    """Put files into all running notebooks of this service, so that they show after a page's reload."""
    names = ", ".join(PurePosixPath(place).name for place, _ in files)
    served = []
    for container in health.containers(client, settings, "notebook", running=True):
        user = str(container["Labels"].get("dropsonde.user", "?"))
        try:
            _into(client, container["Id"], files)
            served.append(user)
        except docker.errors.APIError as error:
            # One that is ending takes no files; the others get theirs.
            console.warn(f"{names}: not in the notebook of {user}: {error.explanation or error}")
    people = ", ".join(sorted(served))
    console.done(f"{names}: in the running notebooks of {people}" if people else f"{names}: no notebook is running")


def _into(client: docker.DockerClient, container: str, files: Sequence[tuple[str, bytes | None]]) -> None:
    there = {place.lstrip("/"): content for place, content in files if content is not None}
    gone = [place for place, content in files if content is None]
    if there:
        client.api.put_archive(container, "/", look_sources.archive_of(there))
    if gone:
        remove = client.api.exec_create(container, ["rm", "-f", "--", *gone], user="root")
        client.api.exec_start(remove["Id"])
