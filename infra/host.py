"""A connection to a host: its key verified, never trusted blindly; commands and verbs on it, with their exit codes."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import inventory
from infra.errors import ConfigError, DropsondeError, UsageError
from infra.inventory import Target

if TYPE_CHECKING:
    import fabric

CONNECT_SECONDS = 15
# A connection that is lost in the middle is noticed.
KEEP_ALIVE_SECONDS = 15


# -- Command lines -----------------------------------------------------------------------------------------------------


def as_service(target: Target, command: str, login: str) -> str:
    """Return a command line that runs a shell command as the service's user, given whom we sign in as."""
    if login == target.service:
        return f"sh -c {shlex.quote(command)}"
    return shlex.join(["sudo", "-n", "-H", "-u", target.service, "--", "sh", "-c", command])


def verb_command(target: Target, arguments: Sequence[str], terminal: str = "") -> str:
    """Return the shell command that runs a verb in the current release.

    Args:
        target: The service.
        arguments: The verb with its options.
        terminal: The kind of terminal that we have, empty for none.
    """
    environment = [f"DEPLOYED_BY={operator()}", *([f"TERM={terminal}"] if terminal else [])]
    run = shlex.join(["env", *environment, "./bootstrap", "invoke", *arguments])
    return f"cd {shlex.quote(target.folder)}/current && exec {run}"


def operator() -> str:
    """Return who we are, for locks and logs on a host."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def options(values: dict[str, Any]) -> list[str]:
    """Return a verb's values as its command line has them; what is off or empty is left out."""
    found = []
    for name, value in values.items():
        option = f"--{name.strip('_').replace('_', '-')}"
        if value is True:
            found.append(option)
        elif value not in (False, None, ""):
            found.append(f"{option}={value}")
    return found


# -- Connections -------------------------------------------------------------------------------------------------------


def _strict(connection: fabric.Connection, known_hosts: Path) -> fabric.Connection:
    """Let a connection trust the keys of one file, and no others."""
    import paramiko

    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    connection.client.load_host_keys(str(known_hosts))
    return connection


def _gateway(target: Target, config: Any, keys: dict[str, Any]) -> fabric.Connection | None:
    import fabric

    if not target.jump:
        return None
    jump = fabric.Connection(target.jump, config=config, connect_timeout=CONNECT_SECONDS, connect_kwargs=keys)
    return _strict(jump, target.known_hosts)


@contextmanager
def connected(target: Target) -> Iterator[fabric.Connection]:
    """Connect to a host, whose key must be in the inventory's known_hosts.

    Raises:
        DropsondeError: It cannot be reached, its key is not known or another one, or it lets us not in.
        ConfigError: A file that the inventory names is not there.
    """
    import fabric  # only there once `inventory.read` has been called

    _require_files(target)
    # The inventory alone says how: a laptop's ~/.ssh/config plays no part, its agent does.
    config = fabric.Config(overrides={"load_ssh_configs": False}, lazy=True)
    keys: dict[str, Any] = {"key_filename": list(target.keys)} if target.keys else {}
    keys |= {"banner_timeout": CONNECT_SECONDS, "auth_timeout": CONNECT_SECONDS}
    connection = fabric.Connection(
        inventory.address(target),
        user=target.user or None,
        port=target.port,
        config=config,
        gateway=_gateway(target, config, keys),
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs=keys,
    )
    try:
        with _explained(target):
            _strict(connection, target.known_hosts).open()
            connection.transport.set_keepalive(KEEP_ALIVE_SECONDS)
        yield connection
    finally:
        # One that was refused has not been "connected", and fabric would leave it open.
        connection.client.close()
        if connection.gateway:
            connection.gateway.client.close()


def _require_files(target: Target) -> None:
    if not target.known_hosts.is_file():
        raise ConfigError(
            f"No host's key is known, so {target.name} is not trusted.",
            seen=f"no {target.known_hosts}",
            next_step=KEY_STEP,
        )
    for key in target.keys:
        if not Path(key).is_file():
            step = "Correct ansible_ssh_private_key_file, or leave it out and load your key with ssh-add."
            raise ConfigError(f"The private key for {target.name} is not there.", seen=key, next_step=step)


KEY_STEP = (
    "Read the host's key on its console (or from your provider), and write it into that file: "
    "`ssh-keyscan HOST` shows which one it sends. `invoke deploy` does it for servers that it creates."
)


@contextmanager
def _explained(target: Target) -> Iterator[None]:
    """Turn what can go wrong with a connection into a message with its remedy."""
    import paramiko

    where = f"{target.name} ({target.address}, port {target.port})"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise DropsondeError(
            f"{where} has another key than the one that is known: somebody may be in between. Nothing was sent.",
            seen=f"It sends {error.key.get_name()} {error.key.get_base64()[:32]}...",
            next_step=f"If it was rebuilt, replace its line in {target.known_hosts}. {KEY_STEP}",
        ) from error
    except paramiko.PasswordRequiredException as error:
        raise DropsondeError(
            f"The key for {where} has a passphrase.",
            seen=", ".join(target.keys) or str(error),
            next_step=f"Give it to your agent: ssh-add {' '.join(target.keys)}",
        ) from error
    except paramiko.AuthenticationException as error:
        raise DropsondeError(
            f"{where} does not let {target.user or 'us'} in.",
            seen=str(error),
            next_step="Load your key (ssh-add), or correct ansible_user or ansible_ssh_private_key_file.",
        ) from error
    except paramiko.SSHException as error:
        unknown = "not found in known_hosts" in str(error)
        what = "The key of {} is not known: it is not trusted." if unknown else "{} does not talk SSH to us."
        step = f"{target.known_hosts}: {KEY_STEP}" if unknown else "Try again; see its sshd's log on the console."
        raise DropsondeError(what.format(where), seen=str(error), next_step=step) from error
    except socket.gaierror as error:
        raise DropsondeError(
            f"There is no address for {where}.", seen=str(error), next_step="Correct ansible_host, or its DNS record."
        ) from error
    except (OSError, EOFError) as error:
        raise DropsondeError(
            f"{where} does not answer.",
            seen=str(error) or type(error).__name__,
            next_step="Is it running, is its SSH port open to you, is ssh_jump right? Then run this again.",
        ) from error


# -- On the host -------------------------------------------------------------------------------------------------------


def run(connection: fabric.Connection, command: str) -> tuple[int, str, str]:
    """Run a shell command on a host quietly; return exit code, standard output and standard error."""
    done = connection.run(command, hide=True, warn=True, in_stream=False)
    return done.exited, done.stdout, done.stderr


def _attached(connection: fabric.Connection, command: str) -> int:
    """Run a shell command on a host with our terminal, or our streams where that is none; return its exit code."""
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    stream = sys.stdin if sys.stdin is not None and not sys.stdin.closed else False
    try:
        return int(connection.run(command, pty=terminal, warn=True, in_stream=stream).exited)
    except (EOFError, OSError) as error:
        raise DropsondeError(
            "The connection to the host was lost.", seen=str(error), next_step="Run the same command again."
        ) from error


def require_release(connection: fabric.Connection, target: Target) -> None:
    """Make sure that there is a release to run a verb of, and that we may.

    Raises:
        DropsondeError: Says which of the two it is.
    """
    login = str(connection.user)
    code, _, error = run(connection, as_service(target, f"test -e {target.folder}/current/bootstrap", login))
    if not code:
        return
    if "sudo" in error:
        raise DropsondeError(
            f"{login} may not become {target.service} on {target.name}.",
            seen=error.strip(),
            next_step=f"`invoke deploy --host {target.name}` makes both; {login} needs sudo without a password.",
        )
    raise DropsondeError(
        f"There is no release of {target.service} on {target.name} yet.",
        seen=f"no {target.folder}/current",
        next_step=f"invoke deploy --host {target.name}",
    )


def run_verb(name: str, *arguments: str) -> int:
    """Run a verb of the current release on a host, with our terminal; return its exit code.

    Args:
        name: The host's name in the inventory.
        arguments: The verb with its options.

    Raises:
        DropsondeError: The host cannot be reached, or has no release.
    """
    target = inventory.read(name)
    with connected(target) as connection:
        require_release(connection, target)
        terminal = os.environ.get("TERM", "") if sys.stdin is not None and sys.stdin.isatty() else ""
        command = as_service(target, verb_command(target, arguments, terminal), str(connection.user))
        return _attached(connection, command)


def shell(name: str, command: str = "") -> int:
    """Open a shell on a host, or run one command line there; return its exit code.

    Raises:
        UsageError: There is no terminal for a shell.
        DropsondeError: The host cannot be reached.
    """
    if not command and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("A shell needs a terminal.", next_step="invoke ssh --host NAME --command 'COMMAND'")
    with connected(inventory.read(name)) as connection:
        return _attached(connection, command or "exec ${SHELL:-sh} -l")
