"""Carry out a call: each is made anew with the Docker client, from values that were checked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, NotFound
from dropsonde_firewall import mark
from dropsonde_spawner import labels

from . import answers, calls, creation, strict_json, versions
from .errors import CONFLICT, NOT_NOW, Refused, missing
from .policy import Policy

# Adding up the homes costs the disk time: one answer is good for so many seconds.
USAGE_SECONDS = 30.0
LONGEST_LOG = 256 * 1024
RAW_STREAM = "application/vnd.docker.raw-stream"


@dataclass(frozen=True)
class Answer:
    """What is answered.

    Attributes:
        status: The status.
        body: The content, JSON unless `kind` says otherwise.
        kind: Its media type.
        about: Whom the call was about, for the log.
    """

    status: int
    body: bytes = b""
    kind: str = "application/json"
    about: str = ""


def _json(value: Any, status: int = 200, about: str = "") -> Answer:
    return Answer(status, json.dumps(value).encode(), about=about)


class Actions:
    """All that is ever asked of the engine.

    Args:
        policy: The settings.
        firewall_is_up: Whether containers may be started now.
    """

    def __init__(self, policy: Policy, firewall_is_up: Callable[[], bool] = mark.holds) -> None:
        self._policy = policy
        self._firewall_is_up = firewall_is_up
        self._usage: tuple[float, dict[str, int]] = (-USAGE_SECONDS, {})
        self._usage_lock = threading.Lock()
        self._starting: set[str] = set()
        self._starts_lock = threading.Lock()
        self._by_call: dict[type[calls.Call], Callable[[docker.APIClient, Any], Answer]] = {
            calls.Version: self._version,
            calls.Usage: self._usage_of_homes,
            calls.InspectImage: self._inspect_image,
            calls.InspectVolume: self._inspect_volume,
            calls.CreateVolume: self._create_volume,
            calls.InspectContainer: self._inspect_container,
            calls.CreateContainer: self._create_container,
            calls.StartContainer: self._start,
            calls.StopContainer: self._stop,
            calls.RemoveContainer: self._remove,
            calls.Logs: self._logs,
        }

    def carry_out(self, client: docker.APIClient, call: calls.Call) -> Answer:
        """Carry out one call; runs on a thread of its own.

        Raises:
            Refused: It is not carried out.
            APIError: The engine refused it.
            DockerException, RequestException: The engine is in trouble.
        """
        return self._by_call[type(call)](client, call)

    # -- What is looked at ---------------------------------------------------------------------------------------------

    def _version(self, client: docker.APIClient, _call: calls.Version) -> Answer:
        return _json(answers.version(client.version(api_version=False)))

    def _inspect_image(self, client: docker.APIClient, call: calls.InspectImage) -> Answer:
        if call.name not in {item.image for item in versions.read(self._policy.versions_file).values()}:
            raise missing("image", call.name)
        return _json(answers.image(client.inspect_image(call.name)))

    def _inspect_volume(self, client: docker.APIClient, call: calls.InspectVolume) -> Answer:
        found = client.inspect_volume(call.name)
        if not (self._is_configured(call.name) or self._is_home(found)):
            raise missing("volume", call.name)
        return _json(answers.volume(found))

    def _is_configured(self, volume: str) -> bool:
        libraries = versions.read(self._policy.versions_file).values()
        data = {mount.source for mount in self._policy.data_mounts if mount.is_volume}
        return volume in data | {item.volume for item in libraries}

    def _is_home(self, volume: dict[str, Any], account: str = "") -> bool:
        found = volume.get("Labels") or {}
        ours = found.get(labels.SERVICE) == self._policy.service and found.get(labels.KIND) == labels.HOME
        return ours and (not account or found.get(labels.ACCOUNT) == account)

    def _ours(self, client: docker.APIClient, key: str) -> dict[str, Any]:
        """Return a user's container of this service, by name or id.

        Raises:
            Refused: There is none; whatever else has that name is none of the hub's business.
        """
        try:
            found: dict[str, Any] = client.inspect_container(key)
        except NotFound:
            raise missing("container", key) from None
        if not labels.is_notebook_of(found, self._policy.service):
            raise missing("container", key)
        return found

    def _inspect_container(self, client: docker.APIClient, call: calls.InspectContainer) -> Answer:
        return _json(answers.container(self._ours(client, call.key)))

    def _logs(self, client: docker.APIClient, call: calls.Logs) -> Answer:
        found = self._ours(client, call.key)
        lines = client.logs(found["Id"], stdout=True, stderr=True, tail=call.lines)
        return Answer(200, answers.logs(lines[-LONGEST_LOG:]), RAW_STREAM)

    def _usage_of_homes(self, client: docker.APIClient, _call: calls.Usage) -> Answer:
        # One at a time; whoever waited gets the answer that was just made.
        with self._usage_lock:
            made, sizes = self._usage
            if time.monotonic() - made > USAGE_SECONDS:
                answer = client.get(f"{client.base_url}/v{client.api_version}/system/df", params={"type": "volume"})
                answer.raise_for_status()
                homes = [item for item in answer.json().get("Volumes") or [] if self._is_home(item)]
                sizes = {item["Name"]: int((item.get("UsageData") or {}).get("Size", -1)) for item in homes}
                self._usage = (time.monotonic(), sizes)
        return _json(sizes)

    # -- What is made --------------------------------------------------------------------------------------------------

    def _create_volume(self, client: docker.APIClient, call: calls.CreateVolume) -> Answer:
        wanted = creation.home_wish(call.body, self._policy)
        try:
            # The engine would answer with a volume of that name that is somebody else's.
            if not self._is_home(client.inspect_volume(wanted.name), wanted.account):
                raise Refused(f"There is a volume {wanted.name}, and it is not this account's home", CONFLICT)
        except NotFound:
            pass
        given = labels.home_labels(self._policy.service, wanted.user, wanted.account)
        return _json(answers.volume(self._new_home(client, wanted.name, given)), 201, wanted.user)

    def _new_home(self, client: docker.APIClient, name: str, given: dict[str, str]) -> dict[str, Any]:
        if self._policy.home_size:
            options = {"size": str(self._policy.home_size)}
            try:
                limited: dict[str, Any] = client.create_volume(name, "local", options, given)
            except APIError as error:
                # The hub watches how large homes are that this disk's file system cannot hold to a limit.
                if "no quota support" not in str(error.explanation):
                    raise
            else:
                return limited
        made: dict[str, Any] = client.create_volume(name, "local", {}, given)
        return made

    def _create_container(self, client: docker.APIClient, call: calls.CreateContainer) -> Answer:
        asked = strict_json.load(call.body)
        wanted = creation.wish(asked, self._policy)
        libraries = versions.read(self._policy.versions_file).get(wanted.version)
        if libraries is None:
            raise Refused(f"Labels: there is no version {wanted.version[:32]!r} of the libraries")
        if not self._is_home(client.inspect_volume(wanted.home), wanted.account):
            raise Refused(f"HostConfig.Mounts: {wanted.home} is not this account's home")
        self._require_volumes(client, libraries)
        command = list(client.inspect_image(libraries.image)["Config"].get("Cmd") or [])
        name, settled = creation.container(client, self._policy, wanted, libraries, command)
        if call.name != name:
            raise Refused(f"The container of this user's server is called {name}, not {call.name}")
        creation.require_same(asked, settled)
        made = client.create_container_from_config(settled, name)
        return _json({"Id": made["Id"], "Warnings": []}, 201, wanted.user)

    def _require_volumes(self, client: docker.APIClient, libraries: versions.Libraries) -> None:
        """Let the engine say so if a configured volume is missing: it would make an empty one without a word."""
        data = (mount.source for mount in self._policy.data_mounts if mount.is_volume)
        for name in (libraries.volume, *data):
            client.inspect_volume(name)

    # -- What is done with it ------------------------------------------------------------------------------------------

    def _start(self, client: docker.APIClient, call: calls.StartContainer) -> Answer:
        found = self._ours(client, call.key)
        if not self._firewall_is_up():
            raise Refused("The firewall of the notebooks' network is not in place: nothing is started", NOT_NOW)
        with self._room(client, found["Id"]):
            client.start(found["Id"])
        return Answer(204, about=_user(found))

    @contextmanager
    def _room(self, client: docker.APIClient, identity: str) -> Iterator[None]:
        """Count a container among those that run, from before it is started on.

        Raises:
            Refused: As many as there may be run already, or are about to.
        """
        most = self._policy.most_servers
        with self._starts_lock:
            if most and len((self._running(client) | self._starting) - {identity}) >= most:
                raise Refused(f"ACTIVE_SERVER_LIMIT: {most} servers run already: nothing is started", NOT_NOW)
            self._starting.add(identity)
        try:
            yield
        finally:
            with self._starts_lock:
                self._starting.discard(identity)

    def _running(self, client: docker.APIClient) -> set[str]:
        ours = [f"{labels.SERVICE}={self._policy.service}", f"{labels.KIND}={labels.NOTEBOOK}"]
        return {item["Id"] for item in client.containers(filters={"label": ours})}

    def _stop(self, client: docker.APIClient, call: calls.StopContainer) -> Answer:
        found = self._ours(client, call.key)
        client.stop(found["Id"], timeout=call.seconds)
        return Answer(204, about=_user(found))

    def _remove(self, client: docker.APIClient, call: calls.RemoveContainer) -> Answer:
        found = self._ours(client, call.key)
        # v: the volumes without a name that an image may declare; never a home.
        client.remove_container(found["Id"], v=True, force=call.force)
        return Answer(204, about=_user(found))


def _user(found: dict[str, Any]) -> str:
    return labels.container_labels(found).get(labels.USER, "")
