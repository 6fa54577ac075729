"""People's home volumes: list, archive, remove, hand over.

The spawner gives each account a volume of its own, with the account's id in its name: who gets a user name that was
used before starts with an empty home. What the former owner left is listed here as "former".
"""

from __future__ import annotations

import difflib
import json
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import docker.errors

from infra import console, health, images, process, tool
from infra.errors import DropsondeError, UsageError
from infra.overview import volume_sizes
from infra.settings import Settings

HOME = "/home/jovyan"


@dataclass(frozen=True)
class Home:
    """One home volume.

    Attributes:
        user: The user's name when the volume was made.
        volume: Name of the volume.
        account: Id of the account it belongs to.
        state: "in use", "stopped", "former" (the account is gone), or "unknown" (the hub is down).
        bytes: Size in bytes.
    """

    user: str
    volume: str
    account: str
    state: str
    bytes: int


def accounts(client: docker.DockerClient, settings: Settings) -> dict[str, str] | None:
    """Return the user name of each account id that the hub knows, or None if the hub is down."""
    if not health.containers(client, settings, "hub", running=True):
        return None
    listed = health.hub_exec(
        client, settings, "python3", "-m", "dropsonde_spawner.accounts", what="The hub's accounts could not be read."
    )
    return {item["account"]: item["name"] for item in json.loads(listed)}


def account_of(client: docker.DockerClient, settings: Settings, name: str) -> str:
    """Return the id of the account that has this user name.

    Raises:
        DropsondeError: The hub is down: only it knows the accounts.
        UsageError: Nobody has it; names the nearest.
    """
    known = accounts(client, settings)
    if known is None:
        raise DropsondeError("Only a running hub knows its users.", next_step="Start it: invoke up")
    found = [account for account, user in known.items() if user == name]
    if found:
        return found[0]
    near = difflib.get_close_matches(name, known.values(), n=3, cutoff=0.4) or sorted(known.values())[:5]
    raise UsageError(
        f"There is no user {name or '(nobody was named)'}.",
        seen=f"The nearest: {', '.join(near)}" if near else "Nobody has signed in yet.",
        next_step="`invoke users` lists people's homes; who has never signed in is not known.",
    )


def require_one(*, archive: str, hand_over: str, remove: str, to: str) -> None:
    """Make sure that at most one thing is asked for.

    Raises:
        UsageError: Several are, or --to stands alone.
    """
    asked = [name for name, value in (("archive", archive), ("hand-over", hand_over), ("remove", remove)) if value]
    if len(asked) > 1:
        raise UsageError(f"--{' and --'.join(asked)} cannot go together.", next_step="One after the other.")
    if to and asked not in (["archive"], ["hand-over"]):
        raise UsageError("--to goes with --archive or --hand-over.", next_step="invoke users --help")


def find_all(client: docker.DockerClient, settings: Settings) -> list[Home]:
    """Return all homes of our service, by user name."""
    labels = [f"{key}={value}" for key, value in settings.labels("home").items()]
    volumes = client.api.volumes(filters={"label": labels})["Volumes"] or []
    sizes = volume_sizes(client)
    known = accounts(client, settings)
    running = {item["Labels"].get("dropsonde.account") for item in _servers(client, settings, running=True)}
    homes = []
    for volume in volumes:
        account = volume["Labels"].get("dropsonde.account", "")
        if account in running:
            state = "in use"
        elif known is None:
            state = "unknown"
        else:
            state = "stopped" if account in known else "former"
        user = (known or {}).get(account) or volume["Labels"].get("dropsonde.user", "")
        homes.append(Home(user, volume["Name"], account, state, sizes.get(volume["Name"], 0)))
    return sorted(homes, key=lambda home: (home.user, home.state))


def _servers(client: docker.DockerClient, settings: Settings, *, running: bool) -> list[dict[str, Any]]:
    return health.containers(client, settings, "notebook", running=running)


def pick(homes: list[Home], name: str) -> Home:
    """Return the one home that a user name, a volume's name or an account id means.

    Raises:
        UsageError: None or several homes are meant.
    """
    found = [home for home in homes if name in {home.volume, home.account}]
    found = found or [home for home in homes if home.user == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{name} means several homes.",
            seen="\n".join(f"{home.volume} ({home.state}, {console.size(home.bytes)})" for home in found),
            next_step="Say which one by the name of its volume.",
        )
    known = ", ".join(sorted({home.user for home in homes})) or "nobody yet"
    raise UsageError(f"There is no home of {name}.", seen=f"Homes belong to: {known}", next_step="invoke users")


def _tool(settings: Settings, *mounts: str) -> list[str]:
    return tool.command(settings, images.tags(settings)["notebook"], *mounts)


def content(settings: Settings, home: Home) -> str:
    """Return how many files a home holds and what lies on its first level, as one line."""
    listed = process.run(
        [*_tool(settings, f"{home.volume}:{HOME}:ro"), "sh", "-c", f"find {HOME} -type f | wc -l; ls -Ab {HOME}"],
        what=f"The home of {home.user} could not be read.",
    ).splitlines()
    names = listed[1:]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    first = f"; at the top: {', '.join(names[:8])}{more}" if names else ""
    return f"{listed[0]} files, {console.size(home.bytes)}{first}"


def _require_stopped(client: docker.DockerClient, settings: Settings, home: Home) -> None:
    running = {item["Labels"].get("dropsonde.account"): item for item in _servers(client, settings, running=True)}
    if home.account in running:
        container = running[home.account]["Names"][0].lstrip("/")
        raise DropsondeError(
            f"{home.user}'s server is running.",
            next_step=f"Stop it, then run this again: on the hub's admin page, or with docker stop {container}",
        )


def archive(client: docker.DockerClient, settings: Settings, name: str, target: str) -> Path:
    """Pack a home into a compressed tar file that only you can read, and return its path.

    Raises:
        DropsondeError: The server runs, the file exists, or packing failed; an unfinished file is removed.
    """
    home = pick(find_all(client, settings), name)
    _require_stopped(client, settings, home)
    path = Path(target or f"{home.volume}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise DropsondeError(
            f"{path} cannot be written.", seen=str(error.strerror), next_step="Choose another file with --to."
        ) from error
    command = [*_tool(settings, f"{home.volume}:{HOME}:ro"), "tar", "-C", HOME, "-czf", "-", "."]
    try:
        with console.step(f"Packing {home.volume} ({console.size(home.bytes)}) into {path}"), path.open("wb") as file:
            subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=True)
    except subprocess.CalledProcessError as error:
        path.unlink()
        seen = process.tail(error.stderr.decode(errors="replace"))
        raise DropsondeError("The home could not be packed.", seen=seen) from error
    except BaseException:
        path.unlink()
        raise
    console.say(f"Nothing was removed. When the file is safe: invoke users --remove {home.volume}")
    return path


def remove(client: docker.DockerClient, settings: Settings, name: str, *, yes: bool) -> None:
    """Delete a home for good, after saying what it holds.

    Raises:
        DeclinedError: Nobody agreed.
        DropsondeError: The user's server is running.
    """
    home = pick(find_all(client, settings), name)
    _require_stopped(client, settings, home)
    console.say(f"{home.volume} ({home.user}, {home.state}) holds {content(settings, home)}")
    console.confirm(f"Delete the home of {home.user} for good?", yes=yes)
    # Once more: the owner may have started a server during the question.
    _require_stopped(client, settings, home)
    for server in health.containers(client, settings, "notebook"):
        if server["Labels"].get("dropsonde.account") == home.account:
            client.api.remove_container(server["Id"])
    client.api.remove_volume(home.volume)
    console.done(f"Deleted {home.volume}")


def hand_over(client: docker.DockerClient, settings: Settings, name: str, to: str, *, yes: bool) -> None:
    """Copy a home into a folder of another user's home; the original stays.

    Raises:
        UsageError: The receiver is not named, has no home yet, or already has that folder.
        DeclinedError: Nobody agreed.
    """
    if not to:
        raise UsageError("Who gets the files?", next_step="invoke users --hand-over NAME --to OTHER")
    homes = find_all(client, settings)
    home, receiver = pick(homes, name), pick(homes, to)
    if home == receiver:
        raise UsageError("Giver and receiver are the same home.")
    folder = f"from-{home.account}"
    console.say(f"{home.volume} ({home.user}) holds {content(settings, home)}")
    console.confirm(f"Copy it into the home of {receiver.user}, as folder {folder}?", yes=yes)
    # The copy appears under its name only when it is complete.
    script = (
        f"test ! -e /to/{folder} && rm -rf /to/.{folder} && cp -a /from /to/.{folder} && mv /to/.{folder} /to/{folder}"
    )
    with console.step(f"Copying {console.size(home.bytes)} to {receiver.user}"):
        process.run(
            [*_tool(settings, f"{home.volume}:/from:ro", f"{receiver.volume}:/to"), "sh", "-c", script],
            what=f"The files could not be copied to {receiver.user}.",
            next_step=f"Is there a folder {folder} already, and space enough? The original is untouched.",
        )
    console.say(f"The original is still there. To delete it: invoke users --remove {home.volume}")


def show(client: docker.DockerClient, settings: Settings, *, as_json: bool) -> None:
    """Print all homes."""
    homes = find_all(client, settings)
    if as_json:
        console.as_json([asdict(home) for home in homes])
        return
    if not homes:
        console.result("Nobody has a home yet: it is made at the first start of a server.")
        return
    console.table(
        ("user", "home", "state", "size"),
        [(home.user, home.volume, home.state, console.size(home.bytes)) for home in homes],
    )
