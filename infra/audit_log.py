"""The lines of the hub's audit log, whether the hub runs or not.

The hub writes one JSON object a line into `audit/audit-YYYY-MM.jsonl` on its data volume and never changes a line. It
may be large: lines are read one by one and never held as a whole.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import docker
import docker.errors

from infra import console, health, images
from infra.errors import DropsondeError
from infra.settings import Settings

FOLDER = "audit"
FILE = re.compile(r"audit-\d{4}-\d{2}\.jsonl")
CHUNK = 64 * 1024
File = tuple[str, Iterable[bytes]]
"""A file's name and its lines."""


class Entry(NamedTuple):
    """One line of the log.

    Attributes:
        time: When it happened, in UTC.
        event: What happened, one of `EVENTS` or what a later release adds.
        expires: When the approval that it speaks of ends, None if no end is known.
        facts: The whole line.
    """

    time: datetime
    event: str
    expires: datetime | None
    facts: dict[str, Any]

    def text(self, name: str) -> str:
        """Return one of the line's values; "" if it has none."""
        value = self.facts.get(name)
        return "" if value is None else str(value)

    @property
    def user(self) -> str:
        """Whom it is about: their name in the hub."""
        return self.text("user")

    @property
    def email(self) -> str:
        """Whom it is about: their e-mail."""
        return self.text("email")

    @property
    def allowed(self) -> bool:
        """Whether somebody was let in, or their server started."""
        return self.facts.get("outcome") == "allowed"


@dataclass
class Damage:
    """What could not be read, by file and number of the line.

    Attributes:
        torn: Lines that end in their middle, because the hub or the machine was killed while it wrote.
        corrupt: Lines that are something else.
    """

    torn: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Say what is missing in the answer above.

        Raises:
            DropsondeError: There are corrupt lines: the answer may be wrong.
        """
        if self.torn:
            console.warn(
                f"Skipped {_lines(len(self.torn))} that end in their middle, as a hub that is killed leaves them: "
                f"{_some(self.torn, ', ')}"
            )
        if self.corrupt:
            raise DropsondeError(
                f"{_lines(len(self.corrupt))} of the audit log cannot be read; the answer above leaves them out.",
                seen=_some(self.corrupt, "\n"),
                next_step="The hub never writes such lines. Compare the file with your backup of the data volume.",
            )


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"


def _some(places: list[str], separator: str) -> str:
    more = [f"... and {len(places) - 10} more"] if len(places) > 10 else []
    return separator.join(places[:10] + more)


def moment(text: str) -> datetime:
    """Return a time of the log, in UTC, which it is also without a zone.

    Raises:
        ValueError: It is none.
        OverflowError: It is before or after all years.
    """
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def parse(line: bytes) -> Entry:
    """Read one line.

    Raises:
        ValueError: It is none of the hub's.
    """
    try:
        facts = json.loads(line.decode())
        expires = facts.get("expires")
        if not isinstance(event := facts["event"], str):
            raise TypeError("event is no text")  # noqa: TRY301 - becomes the same as all other mistakes
        return Entry(moment(facts["time"]), event, moment(expires) if expires else None, facts)
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(repr(error)) from error


def entries(files: Iterable[File], damage: Damage) -> Iterator[Entry]:
    """Yield the lines of the log's files, given by name; what cannot be read goes into `damage`."""
    for name, lines in files:
        for number, line in enumerate(lines, 1):
            if not (text := line.strip()):
                continue
            try:
                entry = parse(text)
            except ValueError:
                # A whole line ends with its brace; the hub begins a new line after one that does not.
                (damage.corrupt if text.endswith(b"}") else damage.torn).append(f"{name}, line {number}")
            else:
                yield entry


class _Stream(io.RawIOBase):
    """What the engine sends, piece by piece, as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _files(tar: tarfile.TarFile) -> Iterator[File]:
    # The engine packs a folder in the order of the names, which is that of the months.
    for member in tar:
        name = member.name.rpartition("/")[2]
        lines = tar.extractfile(member) if member.isreg() and FILE.fullmatch(name) else None
        if lines:
            yield name, lines


@contextmanager
def opened(client: docker.DockerClient, settings: Settings) -> Iterator[Iterable[File]]:
    """Open the files of the log, oldest first; none before the hub's first line.

    Raises:
        DropsondeError: There is no data volume, no image to look into it with, or the engine did not send all.
    """
    helper = _helper(client, settings)
    try:
        chunks = _archive(client, helper)
        if chunks is None:
            yield ()
            return
        with (
            closing(chunks),
            tarfile.open(fileobj=io.BufferedReader(_Stream(chunks), CHUNK), mode="r|", bufsize=CHUNK) as tar,
        ):
            yield _files(tar)
    except tarfile.TarError as error:
        raise DropsondeError(
            "The audit log could not be read to its end.", seen=str(error), next_step="Run the same command again."
        ) from error
    finally:
        client.api.remove_container(helper, force=True)


def _helper(client: docker.DockerClient, settings: Settings) -> str:
    """Make a container that has the data volume. It is never started: that is enough to copy files, and quicker."""
    volume = f"{settings.service_name}-data"
    try:
        client.api.inspect_volume(volume)
    except docker.errors.NotFound as error:
        raise DropsondeError(
            f"{settings.service_name} has no audit log.",
            seen=f"There is no volume {volume}: this hub has never run here.",
            next_step="invoke up",
        ) from error
    hubs = health.containers(client, settings, "hub")
    image = hubs[0]["ImageID"] if hubs else images.tags(settings)["hub"]
    try:
        made = client.api.create_container(
            image,
            ["true"],
            labels=settings.labels("tool"),
            host_config=client.api.create_host_config(binds=[f"{volume}:/data:ro"], network_mode="none"),
        )
    except docker.errors.ImageNotFound as error:
        raise DropsondeError(
            "The audit log cannot be read.",
            seen=f"It is on the volume {volume}, and there is no image {image} to look into it with.",
            next_step="Build it: invoke build --only hub",
        ) from error
    return str(made["Id"])


def _archive(client: docker.DockerClient, helper: str) -> Generator[bytes] | None:
    """Return the folder as the engine packs it, None if there is none."""
    try:
        chunks, _ = client.api.get_archive(helper, f"/data/{FOLDER}", chunk_size=CHUNK)
    except docker.errors.NotFound:
        return None
    return cast("Generator[bytes]", chunks)
