"""Search all that an image consists of for secrets."""

from __future__ import annotations

import base64
import gzip
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

CHUNK = 1 << 20


@dataclass(frozen=True)
class Secret:
    """User and password of a site's proxy and mirrors."""

    user: str
    password: str

    @property
    def forms(self) -> set[bytes]:
        """All forms in which the password may have been written down."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode())
        return {self.password.encode(), quote(self.password).encode(), pair}


def _chunks(stream: Iterable[bytes], overlap: int) -> Iterator[bytes]:
    before = b""
    for chunk in stream:
        yield before + chunk
        before = chunk[-overlap:]


def places(images: Iterable[str], secret: Secret) -> set[str]:
    """Return which parts of these images hold the secret: layers (with the files' names), history, configuration."""
    found: set[str] = set()
    overlap = max(len(form) for form in secret.forms)
    names = list(images)
    # `docker save` does not compress: what a layer's files hold stands there as it is.
    with (
        subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving,
        tarfile.open(fileobj=saving.stdout, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if not file:
                continue
            first = file.read(CHUNK)
            rest = iter(lambda: file.read(CHUNK), b"")  # noqa: B023 - read before the next member
            if first[:2] == b"\x1f\x8b":
                content = iter([gzip.decompress(first + b"".join(rest))])
            else:
                content = _join(first, rest)
            if any(form in chunk for chunk in _chunks(content, overlap) for form in secret.forms):
                found.add(member.name)
    for name in names:
        for command in (["history", "--no-trunc"], ["inspect"]):
            shown = subprocess.run(["docker", *command, name], capture_output=True, check=True).stdout
            if any(form in shown for form in secret.forms):
                found.add(f"docker {command[0]} {name}")
    return found


def _join(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
