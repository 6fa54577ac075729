"""Each user's server on a host name of its own: the only way in which browsers keep servers and hub apart."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from .errors import SettingError


def require(public_url: str) -> None:
    """Make sure that user servers can have host names of their own.

    Raises:
        SettingError: The hub has no https address, or one whose host can have no names below it.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname:
        raise SettingError(
            f"SUBDOMAINS=1 needs the hub's https address, and PUBLIC_URL is {public_url or 'empty'}.",
            "Write PUBLIC_URL=https://YOUR-HUB into .env (Ansible sets it), or SUBDOMAINS=0 into hub/environment.",
        )
    if "." not in parts.hostname or parts.hostname.replace(".", "").isdigit():
        raise SettingError(
            f"SUBDOMAINS=1 needs a name in the DNS, and {parts.hostname} can have no names below it.",
            "Give the hub a name such as hub.example.org, or write SUBDOMAINS=0 into hub/environment.",
        )


def configure(c: Any, public_url: str) -> None:
    """Let each server have a host name, and no cookie be set by another host.

    Raises:
        SettingError: See `require`.
    """
    require(public_url)
    c.JupyterHub.subdomain_host = public_url
    # Only together with host names: these cookies are for `/`, so that one host's servers would see all of them.
    c.JupyterHub.cookie_host_prefix_enabled = True
