"""What a user reads when a server does not start: what happened, and what to do next."""

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from jupyterhub.spawner import SpawnException
from requests.exceptions import RequestException

OPERATOR = "Please tell the people who run this hub."
AGAIN = "Please try again; if it happens again, tell the people who run this hub."
SIGKILL_EXIT = 137
# As shells and tini have it: found but not executable, not found.
PROGRAM_EXITS = (126, 127)


class SpawnFailure(SpawnException):  # type: ignore[misc]  # jupyterhub has no types
    """A start that failed for a known reason.

    A `SpawnException`, so that JupyterHub neither logs a traceback nor counts it among its own errors, after so many of
    which it gives up (`Spawner.consecutive_failure_limit`).

    Args:
        what: what happened, in plain words.
        next_step: what the user can do about it.
        reason: a short label for JupyterHub's metrics.
        detail: more for the operator's log, never shown to the user.
        status: the HTTP status, where it is the user who can do something about it.
    """

    def __init__(self, what: str, next_step: str, *, reason: str, detail: str = "", status: int = 500) -> None:
        self.what = what
        self.next_step = next_step
        self.jupyterhub_message = f"{what} {next_step}"
        self.jupyterhub_html_message = f"<p><strong>{html.escape(what)}</strong></p><p>{html.escape(next_step)}</p>"
        super().__init__(
            self.jupyterhub_message,
            reason=reason,
            message_html=self.jupyterhub_html_message,
            log_message=f"{what} ({detail})" if detail else what,
            status_code=status,
        )


def is_engine_trouble(error: BaseException) -> bool:
    """Say whether an error tells about the engine and nothing about the container that was asked for.

    Only a 404 is an answer to the question whether there is a container. Whoever reads "not running" into a time-out or
    another status loses a server that runs.
    """
    if isinstance(error, NotFound):
        return False
    return isinstance(error, DockerException | RequestException | OSError)


def died(state: Mapping[str, Any], memory_limit: str = "") -> SpawnFailure:
    """Return the failure of a container that has ended.

    Args:
        state: the `State` of the engine's inspect call.
        memory_limit: the container's limit as the user should read it, such as `2G`.
    """
    code = state.get("ExitCode")
    if state.get("OOMKilled"):
        limit = f" of {memory_limit}" if memory_limit else ""
        return SpawnFailure(
            f"Your notebook server needed more memory than its limit{limit} and was ended.", OPERATOR, reason="memory"
        )
    if state.get("Error") or code in PROGRAM_EXITS:
        return SpawnFailure(
            "Your notebook server's program could not be run.",
            OPERATOR,
            reason="program",
            detail=str(state.get("Error") or f"exit code {code}"),
        )
    if code == SIGKILL_EXIT:
        return SpawnFailure("Your notebook server was killed.", AGAIN, reason="killed")
    return SpawnFailure(f"Your notebook server ended with code {code}.", AGAIN, reason="exited")


def timed_out(seconds: float, stage: str) -> SpawnFailure:
    """Return the failure of a start that took too long.

    Args:
        seconds: how long it was given.
        stage: the last stage that was reached.
    """
    return SpawnFailure(
        f"Your notebook server was not ready within {seconds:.0f} seconds (last stage: {stage}).",
        AGAIN,
        reason="timeout",
    )


def name_taken(container: str) -> SpawnFailure:
    """Return the failure where somebody else's container has the name that the user's needs."""
    return SpawnFailure(
        f"A container named {container} is in the way, and it is not one of this hub's notebooks.",
        OPERATOR,
        reason="name-taken",
        detail="it carries other labels and was left alone; remove or rename it, or change SERVICE_NAME",
    )


def _incomplete(version: str) -> str:
    """Return what the operator can do about a version of which a part is missing."""
    return f"it is a part of version {version}; `invoke science.use` or `science.pin` chooses another"


def image_missing(image: str, version: str = "") -> SpawnFailure:
    """Return the failure where the notebook image is not there.

    Args:
        image: its name.
        version: the version that it is a part of, empty for none.
    """
    return SpawnFailure(
        f"The notebook image {image} is missing on this machine.",
        OPERATOR,
        reason="image-missing",
        detail=_incomplete(version) if version else "`invoke build` makes it",
    )


def volume_missing(name: str, target: str, version: str = "") -> SpawnFailure:
    """Return the failure where a volume that the operator configured is not there.

    Args:
        name: the volume's name.
        target: where users would see it.
        version: the version that it is a part of, empty for none.
    """
    return SpawnFailure(
        f"The volume {name}, which belongs at {target}, is missing on this machine.",
        OPERATOR,
        reason="volume-missing",
        detail=_incomplete(version) if version else "",
    )


def versions_missing(file: str) -> SpawnFailure:
    """Return the failure where nothing says which version of the libraries is in use."""
    return SpawnFailure(
        "This hub has no libraries for your notebook server yet.",
        OPERATOR,
        reason="versions-missing",
        detail=f"there is no {file}; `invoke up` writes it",
    )


def versions_unreadable(file: str, why: str) -> SpawnFailure:
    """Return the failure where the file that says so cannot be understood.

    Args:
        file: its path.
        why: what is wrong with it, for the operator.
    """
    return SpawnFailure(
        "The hub could not read which version of the libraries your notebook server should have.",
        OPERATOR,
        reason="versions-unreadable",
        detail=f"{file}: {why}",
    )


def version_unknown(version: str, *, pinned: bool) -> SpawnFailure:
    """Return the failure where the chosen version is not there any more.

    Args:
        version: its name.
        pinned: whether it was chosen for this account only.
    """
    whose = "that was chosen for you" if pinned else "that is in use"
    return SpawnFailure(
        f"The version of the libraries {whose}, {version or 'none'}, is not on this machine.",
        OPERATOR,
        reason="version-unknown",
        detail=f"`invoke science.{'pin' if pinned else 'use'}` chooses another",
    )


def home_refused(volume: str, why: str) -> SpawnFailure:
    """Return the failure where a home volume is somebody else's."""
    return SpawnFailure(
        "The volume with the name of your home belongs to somebody else, so it was not opened.",
        OPERATOR,
        reason="home-refused",
        detail=f"volume {volume}: {why}",
    )


def profile_unknown(name: Any, choice: Iterable[str]) -> SpawnFailure:
    """Return the failure where no size was chosen, or one that there is not.

    Args:
        name: what was chosen.
        choice: the names of those that there are.
    """
    what = f"There is no server size {str(name)[:40]}." if name else "No size was chosen for the server."
    return SpawnFailure(what, f"Choose one of: {', '.join(choice)}.", reason="profile", status=400)


def home_full(words: str, contact: str) -> SpawnFailure:
    """Return the failure where somebody's home holds more than it may.

    Args:
        words: how much, see `usage.Fullness.words`.
        contact: whom to ask, empty for no one in particular.
    """
    return SpawnFailure(
        f"Your home is full: it holds {words}.",
        "Choose Start My Server on the hub's home page to start a small one in which you can delete files, or ask "
        f"{contact or 'the people who run this hub'} for more space.",
        reason="home-full",
        status=403,
    )


# What the guard writes (hub/guard); first match counts.
GUARD_SAYS = (
    (r"^the engine does not answer", "engine", "The container engine did not answer.", AGAIN),
    (r"^The firewall of the notebooks", "firewall", "The notebooks' network is not protected yet.", AGAIN),
    (r"^ACTIVE_SERVER_LIMIT", "full", "As many servers run as this hub allows at the same time.", AGAIN),
    (
        r"^(The hub asks for what the settings do not give|Env has |Labels: )",
        "guard",
        "This hub's configuration asks for a notebook server that its settings do not allow.",
        OPERATOR,
    ),
)

# What the engine writes, in the words of its sources (moby, containerd, runc); first match counts.
ENGINE_SAYS = (
    (r"no space left on device", "disk-full", "The disk of this machine is full."),
    (
        r"bind source path does not exist: (?P<name>\S+)",
        "mount-missing",
        "The data folder {name} is missing on this machine.",
    ),
    (
        r"error while mounting volume|failed to mount|mount.*(failed|error)",
        "volume",
        "A volume that your notebook server needs could not be mounted.",
    ),
    (r"network (?P<name>\S+) not found", "network-missing", "The notebooks' network {name} is missing."),
    (
        r"executable file not found|exec.*no such file|exec.*permission denied",
        "program",
        "Your notebook server's program could not be run.",
    ),
    (r"cannot allocate memory", "memory", "This machine has no memory left for another notebook server."),
    (r"address already in use|port is already allocated", "port", "A port that your notebook server needs is taken."),
    (r"no available IPv4 addresses", "addresses", "The notebooks' network has no free address left."),
)


def from_engine(error: BaseException, doing: str) -> SpawnFailure:
    """Return the failure for an error of the engine's, in plain words.

    Args:
        error: what the Docker client raised.
        doing: the stage at which it happened, such as `Preparing your home`.
    """
    said = str(getattr(error, "explanation", None) or error)
    for pattern, reason, sentence in ENGINE_SAYS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            return SpawnFailure(sentence.format(**found.groupdict()), OPERATOR, reason=reason, detail=said)
    for pattern, reason, sentence, next_step in GUARD_SAYS:
        if re.search(pattern, said):
            return SpawnFailure(sentence, next_step, reason=reason, detail=said)
    if not isinstance(error, APIError):
        return SpawnFailure("The container engine did not answer.", AGAIN, reason="engine", detail=said)
    return SpawnFailure(
        f"The container engine refused to start your notebook server (last stage: {doing}).",
        OPERATOR,
        reason="engine",
        detail=said,
    )
