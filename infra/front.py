"""Does the hub answer as it must: API, login page, and through its TLS front, as people reach it?"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import docker

from infra import health
from infra.errors import DropsondeError
from infra.settings import Settings

SECONDS = 10


class _Here(http.client.HTTPSConnection):
    """A connection to a name's server on this machine: a host often cannot reach its own public address."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(plain, server_hostname=self.host)


def problem(settings: Settings, path: str = "/hub/health") -> str:
    """Return why the hub cannot be reached through its front on this machine; empty if it can, or has none."""
    if not settings.public_url:
        return ""
    parts = urlsplit(settings.public_url)
    context = ssl.create_default_context()
    if settings.ca_bundle:
        context.load_verify_locations(str(settings.ca_bundle))
    connection = _Here(parts.hostname or "", parts.port or 443, timeout=SECONDS, context=context)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        return f"Its certificate is not one for {parts.hostname}: {error.verify_message}"
    except (OSError, http.client.HTTPException) as error:
        return f"{settings.public_url}: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"{settings.public_url}{path} answers {status}"


def require(settings: Settings) -> None:
    """Make sure that the hub answers through its front.

    Raises:
        DropsondeError: It does not; says why.
    """
    seen = problem(settings)
    if seen:
        raise DropsondeError(
            "The hub does not answer through its TLS front.",
            seen=seen,
            next_step="See the front: systemctl status nginx, and its certificate.",
        )


def check(client: docker.DockerClient, settings: Settings) -> None:
    """Make sure that the hub that runs answers as it must: API, login page, and its TLS front if it has one.

    Raises:
        DropsondeError: It does not; carries the hub's last lines.
    """
    try:
        _get(settings, "/hub/api/", "version")
        _get(settings, "/hub/login", "")
        require(settings)
    except DropsondeError as error:
        lines = health.last_lines(client, health.hub_container(client, settings)["Id"])
        raise DropsondeError(error.what, seen=f"{error.seen}\n{lines}", next_step=error.next_step) from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody: a sign-in may lead to its provider at once."""

    def redirect_request(self, *_: object) -> None:
        """Make no further request."""


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)


LOGS = "`invoke logs` has more of what the hub says; mend it, then run the same command again."


def _get(settings: Settings, path: str, member: str) -> None:
    what = "The hub does not serve its pages."
    try:
        with _opener.open(f"{settings.url}{path}", timeout=10) as answer:
            if member:
                json.load(answer)[member]
    except urllib.error.HTTPError as error:
        if error.code >= 400 or member:
            raise DropsondeError(what, seen=f"{path} answers {error.code}", next_step=LOGS) from error
    except (OSError, ValueError, KeyError) as error:
        raise DropsondeError(what, seen=f"{path}: {error!r}", next_step=LOGS) from error
