"""What a user's container is given: pure functions from settings to the engine's terms.

The spawner asks the guard for exactly this, and the guard makes exactly this of its own settings (hub/guard).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.types import LogConfig, Mount

HOME = "/home/jovyan"
SCIENCE = "/opt"
# Three files of 10 MB; without limits the engine keeps what a chatty kernel writes for ever.
LOG_LIMITS = {"max-size": "10m", "max-file": "3"}
# Whatever the image says.
USER = "1000"
PIDS_LIMIT = 2048
# The engine's 64 MB are too little for frameworks whose workers exchange arrays there.
SHM_SIZE = "256m"
VAR_TMP_SIZE = "64m"


@dataclass(frozen=True)
class DataMount:
    """Data of the site, as users see it.

    Attributes:
        source: a host's absolute path or the name of a volume.
        target: the absolute path in the container.
        read_only: whether users may only read.
    """

    source: str
    target: str
    read_only: bool = True

    @property
    def is_volume(self) -> bool:
        """Whether the source is a volume and not a path."""
        return not self.source.startswith("/")

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> "DataMount":
        """Read one entry of the trait `data_mounts`.

        Raises:
            ValueError: a key is missing or unknown, a value has another type, or the target is not a path of its own.
        """
        unknown = set(entry) - {"source", "target", "read_only"}
        source, target, read_only = entry.get("source"), entry.get("target"), entry.get("read_only", True)
        if unknown or not isinstance(source, str) or not isinstance(target, str) or not isinstance(read_only, bool):
            raise ValueError(f"a data mount needs source, target and may have read_only (true or false): {entry!r}")
        if not source or not target.startswith("/") or target.rstrip("/") in ("", HOME, SCIENCE):
            raise ValueError(f"a data mount needs a source, and a target that is a path of its own: {entry!r}")
        return cls(source, target, read_only)

    def mount(self) -> Mount:
        """Return the engine's form of it."""
        if self.is_volume:
            # no_copy: an empty volume must not be filled with what the image happens to have at that place.
            return Mount(self.target, self.source, type="volume", read_only=self.read_only, no_copy=True)
        return Mount(self.target, self.source, type="bind", read_only=self.read_only)


def parse_mounts(entries: Iterable[Mapping[str, Any]]) -> list[DataMount]:
    """Read the trait `data_mounts`.

    Raises:
        ValueError: an entry is wrong, or two have the same target.
    """
    result = [DataMount.parse(entry) for entry in entries]
    targets = [mount.target.rstrip("/") for mount in result]
    if len(set(targets)) < len(targets):
        raise ValueError(f"two data mounts have the same target: {', '.join(sorted(targets))}")
    return result


def mounts(home: str, science: str, data: Iterable[DataMount]) -> list[Mount]:
    """Return all mounts of a user's container.

    Args:
        home: the account's home volume. New ones are filled from the image, as the engine does it.
        science: the science volume, empty for none.
        data: the site's data.
    """
    result = [Mount(HOME, home, type="volume")]
    if science:
        result.append(DataMount(science, SCIENCE).mount())
    return result + [entry.mount() for entry in data]


def scratch(memory: int | None) -> dict[str, str]:
    """Return the folders for temporary files, and how they are mounted.

    They are in memory: a limit that holds on every disk and file system, and what is left in them is gone with the
    container. Half of the memory, so that whoever fills /tmp reads "No space left on device" and keeps the kernels;
    whoever needs more has a home (TMPDIR). `exec`, since R builds packages there and Java loads libraries from there.

    Args:
        memory: the container's memory in bytes, None for no limit.
    """
    options = "rw,exec,nosuid,nodev,mode=1777"
    size = f",size={memory // 2}" if memory else ""
    return {"/tmp": options + size, "/var/tmp": f"{options},size={VAR_TMP_SIZE}"}  # noqa: S108 - in the container


def host_settings(
    *,
    mounts: list[Mount],
    binds: Mapping[str, Any],
    network: str,
    pids_limit: int,
    shm_size: str,
    memory: int | None = None,
    cpus: float | None = None,
    links: Mapping[str, str] | None = None,
    cpu_period: int = 100_000,
    read_only: bool = True,
) -> dict[str, Any]:
    """Return the arguments of `docker.APIClient.create_host_config`.

    Args:
        mounts: see `mounts`.
        binds: further mounts in the form of `DockerSpawner.volumes`.
        network: the network's name.
        pids_limit: greatest number of processes and threads.
        shm_size: size of /dev/shm with a unit, such as `256m`; what is in it counts as memory.
        memory: greatest memory in bytes, None for no limit.
        cpus: greatest share of processors, None for no limit.
        links: `DockerSpawner.links`.
        cpu_period: microseconds in which the share of processors is counted; 100 ms is the kernel's default.
        read_only: whether the image's own files stay as they are; not in DEV_MODE, where `look.watch` changes them.
    """
    settings: dict[str, Any] = {
        "mounts": mounts,
        "binds": dict(binds),
        "links": dict(links or {}),
        "network_mode": network,
        # A notebook server is an ordinary program of an ordinary user: capabilities(7), prctl(2) on no_new_privs.
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        # Nothing but home, data and temporary files can be written: all of these have a limit.
        "read_only": read_only,
        "tmpfs": scratch(memory),
        "ipc_mode": "private",
        "cgroupns": "private",
        "pids_limit": pids_limit,
        "shm_size": shm_size,
        "log_config": LogConfig(type="json-file", config=dict(LOG_LIMITS)),
        # A container that ended keeps its log until the next start. And before 24.0 an engine with live-restore removed
        # running ones at its restart (moby#46308).
        "auto_remove": False,
        # After a restart of the engine all kernels are gone. Starting everybody's servers again would only cost memory,
        # and a server that its user has shut down from the inside would never end.
        "restart_policy": {"Name": "no"},
    }
    if memory is not None:
        settings["mem_limit"] = memory
        # Memory and swap together: no swap, in which one user would slow the machine down for all.
        settings["memswap_limit"] = memory
    if cpus is not None:
        settings["cpu_period"] = cpu_period
        settings["cpu_quota"] = int(cpus * cpu_period)
    return settings


def container_settings(
    *, name: str, host_name: str, image: str, command: list[str], environment: Any, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the arguments of `docker.APIClient.create_container`, but for the host's part.

    Args:
        name: the container's name.
        host_name: the name that it has inside.
        image: the image's name.
        command: what it runs.
        environment: its variables, in a form that the Docker client takes.
        labels: its labels.
    """
    return {
        "image": image,
        "command": command,
        "name": name,
        "hostname": host_name,
        "user": USER,
        "environment": environment,
        "labels": dict(labels),
    }
