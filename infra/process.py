"""Run other programs: argument lists only, quiet on success, everything on failure."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from infra.errors import DropsondeError

LOG_TAIL_LINES = 25


def tail(text: str, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last `lines` lines of a log."""
    return "\n".join(text.strip().splitlines()[-lines:])


def without_password(text: str) -> str:
    """Return a text with the user and password of each URL in it left out."""
    return re.sub(r"(?<=://)[^/\s@]+@", "", text)


def unreachable_hosts(log: str) -> list[str]:
    """Return the hosts that a build or an installation could not reach, as its log names them."""
    patterns = (
        r"(?:Could not resolve|Could not connect to|Failed to connect to|Unable to connect to) '?\"?([\w.-]+\.[\w-]+)",
        r"host='([\w.-]+)'",
        r"(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED)\b.*?([\w-]+(?:\.[\w-]+)+)",
        r"error sending request for url \(https?://([\w.-]+)",
        r"Failed to fetch:? `?https?://([\w.:-]+)",
    )
    found = [host for pattern in patterns for host in re.findall(pattern, log)]
    return list(dict.fromkeys(found))


def run(
    arguments: Sequence[str],
    *,
    what: str,
    next_step: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text_in: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        arguments: The program and its arguments; never a shell string.
        what: What fails if this fails, one sentence.
        next_step: What the reader should do then.
        env: The whole environment of the program; None inherits ours.
        cwd: Folder to run in.
        text_in: Text for its standard input; None gives it an empty one.
        timeout: Seconds until it is ended.

    Raises:
        DropsondeError: The program is missing, was too slow, or ended with a code other than 0; carries its last lines.
    """
    data = (text_in or "").encode()
    output = run_bytes(arguments, what=what, next_step=next_step, env=env, cwd=cwd, data_in=data, timeout=timeout)
    return _decoded(output)


def run_bytes(
    arguments: Sequence[str],
    *,
    what: str,
    next_step: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    data_in: bytes = b"",
    timeout: float | None = None,
) -> bytes:
    """Run a program whose input or output is no text, such as an archive; otherwise like `run`.

    Raises:
        DropsondeError: The program is missing, was too slow, or ended with a code other than 0; carries its last lines.
    """
    try:
        finished = subprocess.run(
            list(arguments),
            env=dict(env) if env is not None else None,
            cwd=cwd,
            input=data_in,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise DropsondeError(what, seen=f"{arguments[0]}: no such program", next_step=next_step) from error
    except subprocess.TimeoutExpired as error:
        raise DropsondeError(what, seen=f"no end after {timeout:.0f} s", next_step=next_step) from error
    if finished.returncode:
        said = _decoded(finished.stderr) or _decoded(finished.stdout)
        seen = tail(without_password(said)) or f"exit code {finished.returncode}"
        raise DropsondeError(what, seen=seen, next_step=next_step)
    return finished.stdout


def _decoded(output: bytes) -> str:
    """Return a program's output as text with our line ends."""
    return output.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def pipe(arguments: Sequence[str], *, what: str, next_step: str = "", source: Path | None, target: Path | None) -> str:
    """Run a program between two files; return its standard output where that is not one of them.

    Args:
        arguments: The program and its arguments.
        what: What fails if this fails, one sentence.
        next_step: What the reader should do then.
        source: Its standard input; None for an empty one.
        target: Where its standard output goes; None returns it. The file is whole or is not there.

    Raises:
        DropsondeError: The program ended with a code other than 0, or the disk is full; carries its last lines.
    """
    unfinished = target.with_name(f".{target.name}.new") if target else None
    try:
        with (
            source.open("rb") if source else open(os.devnull, "rb") as read,  # noqa: PTH123
            open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")  # noqa: PTH123
            if unfinished
            else tempfile.TemporaryFile() as written,
        ):
            done = subprocess.run(list(arguments), stdin=read, stdout=written, stderr=subprocess.PIPE, check=False)
            written.flush()
            os.fsync(written.fileno())
            output = "" if unfinished else _whole(written)
    except OSError as error:
        raise DropsondeError(what, seen=str(error), next_step=next_step) from error
    if done.returncode:
        if unfinished:
            unfinished.unlink()
        seen = tail(without_password(done.stderr.decode(errors="replace"))) or f"exit code {done.returncode}"
        raise DropsondeError(what, seen=seen, next_step=next_step)
    if target and unfinished:
        unfinished.rename(target)
    return output


@contextmanager
def reading(arguments: Sequence[str], *, what: str, next_step: str = "") -> Iterator[IO[bytes]]:
    """Run a program and read its standard output while it runs: for what is too large for the memory.

    Raises:
        DropsondeError: The program is missing, or ended with a code other than 0; carries its last lines.
    """

    def require_success(running: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        # Read to its end, or the program would fail for having nobody to write to.
        while output.read(1 << 20):
            pass
        if running.wait():
            log = tail(without_password(_whole(said)))
            raise DropsondeError(what, seen=log or f"exit code {running.returncode}", next_step=next_step)

    with tempfile.TemporaryFile() as said:
        try:
            running = subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        except FileNotFoundError as error:
            raise DropsondeError(what, seen=f"{arguments[0]}: no such program", next_step=next_step) from error
        with running:
            output = running.stdout
            assert output is not None  # noqa: S101 - it is a pipe
            try:
                yield output
            except Exception:
                # Half an output cannot be understood: then the program's own reason is what helps.
                require_success(running, output)
                raise
            require_success(running, output)


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def has(program: str) -> bool:
    """Return whether a program is on PATH."""
    return shutil.which(program) is not None


def file_of_archive(archive: bytes) -> str:
    """Return the text of the one file in a tar archive, as the engine copies files out of containers."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return file.read().decode() if file else ""
