"""Does the hub answer through its TLS front, as people reach it?"""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

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
