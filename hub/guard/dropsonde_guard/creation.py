"""A user's container and home: read what of a request is its own, make all else of the settings, compare the two.

What is sent to the engine is what was made here. A request that asks for anything else is refused and told in which
field, so that an operator who set something in hub/config.d need not wonder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from dropsonde_spawner import hostconfig, labels, naming

from . import environment, strict_json
from .errors import Refused
from .policy import Policy
from .versions import Libraries

ACCOUNT = re.compile(r"[0-9a-f]{8}")
VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,250}")
LONGEST = 255
LONGEST_SHOWN = 80
MOST_SHOWN = 3
NOTHING = object()


@dataclass(frozen=True)
class Wish:
    """What a request for a container may say itself.

    Attributes:
        user: The user's name.
        account: Which account of that name.
        server: The server's name: empty, for the default one.
        version: Which version of the libraries.
        profile: Which limits.
        home: The name of the home's volume.
        environment: The variables, `NAME=value` each.
    """

    user: str
    account: str
    server: str
    version: str
    profile: str
    home: str
    environment: tuple[str, ...]


@dataclass(frozen=True)
class HomeWish:
    """What a request for a home may say itself.

    Attributes:
        name: The volume's name.
        user: The user's name.
        account: Which account of that name.
    """

    name: str
    user: str
    account: str


def _labels(body: Mapping[str, Any], policy: Policy, kind: str, names: set[str]) -> dict[str, str]:
    found = body.get("Labels")
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refused("Labels are not names and texts")
    wanted = {labels.SERVICE, labels.KIND, *names}
    odd = sorted(found.keys() ^ wanted)
    if odd:
        raise Refused(f"Labels: {odd[0][:LONGEST_SHOWN]} is {'missing' if odd[0] in wanted else 'none of ours'}")
    if found[labels.SERVICE] != policy.service or found[labels.KIND] != kind:
        raise Refused(f"Labels: {labels.SERVICE} and {labels.KIND} are not {policy.service} and {kind}")
    if not ACCOUNT.fullmatch(found[labels.ACCOUNT]):
        raise Refused(f"Labels: {labels.ACCOUNT} is no account")
    for name in (labels.USER, labels.SERVER):
        text = found.get(name, "")
        if len(text) > LONGEST or not (text.isprintable() or not text):
            raise Refused(f"Labels: {name} is too long, or has characters that cannot be seen")
    if not found[labels.USER]:
        raise Refused(f"Labels: {labels.USER} is empty")
    return found


def _home(body: Mapping[str, Any]) -> str:
    """Return the volume that a request wants as home; whether it is the account's is for the engine's labels to say."""
    host = body.get("HostConfig")
    mounts = host.get("Mounts") if isinstance(host, dict) else None
    found = [
        item.get("Source")
        for item in (mounts if isinstance(mounts, list) else [])
        if isinstance(item, dict) and item.get("Target") == hostconfig.HOME
    ]
    if len(found) != 1 or not isinstance(found[0], str) or not VOLUME.fullmatch(found[0]):
        raise Refused(f"HostConfig.Mounts has no volume for {hostconfig.HOME}")
    return found[0]


def wish(body: Mapping[str, Any], policy: Policy) -> Wish:
    """Read what a request for a container says itself.

    Raises:
        Refused: It says that in a way that is not ours.
    """
    own = {labels.USER, labels.ACCOUNT, labels.SERVER, labels.VERSION, labels.PROFILE}
    found = _labels(body, policy, labels.NOTEBOOK, own)
    if found[labels.SERVER]:
        # One person, one server: by names they would have as many as they like, each with limits of its own.
        raise Refused(f"Labels: {labels.SERVER} is not empty, and nobody has further servers")
    if found[labels.PROFILE] not in policy.profiles:
        raise Refused(f"Labels: the settings know no profile {found[labels.PROFILE][:LONGEST_SHOWN]!r}")
    return Wish(
        user=found[labels.USER],
        account=found[labels.ACCOUNT],
        server=found[labels.SERVER],
        version=found[labels.VERSION],
        profile=found[labels.PROFILE],
        home=_home(body),
        environment=tuple(environment.checked(body.get("Env"), policy.names)),
    )


def container(
    client: docker.APIClient, policy: Policy, wanted: Wish, libraries: Libraries, command: list[str]
) -> tuple[str, dict[str, Any]]:
    """Return the name and the body of the only request that the settings give for a wish.

    Args:
        client: Knows the engine's form of it.
        policy: The settings.
        wanted: What is the request's own.
        libraries: Image and volume of the version.
        command: What the image runs.
    """
    name = naming.container_name(policy.service, wanted.user, wanted.server)
    limits = policy.profiles[wanted.profile]
    host = hostconfig.host_settings(
        mounts=hostconfig.mounts(wanted.home, libraries.volume, policy.data_mounts),
        binds={},
        network=policy.network,
        pids_limit=policy.pids_limit,
        shm_size=policy.shm_size,
        memory=limits.memory,
        cpus=limits.cpus,
        read_only=not policy.live,
    )
    settings = hostconfig.container_settings(
        name=name,
        host_name=naming.host_name(name),
        image=libraries.image,
        command=command,
        environment=list(wanted.environment),
        labels=labels.notebook_labels(
            policy.service, wanted.user, wanted.account, wanted.server, wanted.version, wanted.profile
        ),
    )
    del settings["name"]
    body = client.create_container_config(**settings, host_config=client.create_host_config(**host))
    # As it is on the wire: the client leaves out what is not said.
    return name, json.loads(json.dumps({key: value for key, value in body.items() if value is not None}))


def home_wish(raw: bytes, policy: Policy) -> HomeWish:
    """Read a request for a home's volume.

    Raises:
        Refused: It is about another volume, or wants one made in another way.
    """
    body = strict_json.load(raw)
    found = _labels(body, policy, labels.HOME, {labels.USER, labels.ACCOUNT})
    name = body.get("Name")
    # An account that was renamed keeps its home's name.
    beginning, end = f"{policy.service}-home-", f"-{found[labels.ACCOUNT]}"
    if not isinstance(name, str) or not VOLUME.fullmatch(name):
        raise Refused("Name is no volume's")
    if not (name.startswith(beginning) and name.endswith(end) and len(name) > len(beginning + end)):
        raise Refused(f"Name is not {beginning}USER{end}")
    require_same(body, {"Name": name, "Driver": "local", "DriverOpts": {}, "Labels": found})
    return HomeWish(name, found[labels.USER], found[labels.ACCOUNT])


def require_same(asked: Any, settled: Any) -> None:
    """Refuse a request that asks for anything else than the settings give.

    Raises:
        Refused: Names the fields.
    """
    odd = list(differences(asked, settled))
    if odd:
        more = f" and {len(odd) - MOST_SHOWN} more" if len(odd) > MOST_SHOWN else ""
        raise Refused(f"The hub asks for what the settings do not give: {'; '.join(odd[:MOST_SHOWN])}{more}")


def differences(asked: Any, settled: Any, path: str = "") -> Iterator[str]:
    """Yield each field in which two bodies differ, with both values but for the environment's."""
    if isinstance(asked, dict) and isinstance(settled, dict):
        for key in sorted(asked.keys() | settled.keys()):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(asked.get(key, NOTHING), settled.get(key, NOTHING), inner)
    elif json_of(asked) != json_of(settled):
        if path.partition(".")[0].casefold() == "env":
            yield "Env"
        else:
            yield f"{_shown(path)} is {_shown(json_of(asked))} instead of {_shown(json_of(settled))}"


def json_of(value: Any) -> str:
    """Return a value as JSON, so that true and 1 differ, and 1 and 1.0."""
    return "not there" if value is NOTHING else json.dumps(value, sort_keys=True)


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
