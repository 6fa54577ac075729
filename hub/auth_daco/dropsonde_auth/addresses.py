"""Which addresses codes, tokens and secrets may be sent to: those that nobody on the way can read."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_confidential(address: str) -> bool:
    """Return whether an address is https, or http that does not leave this machine (127.0.0.0/8, ::1, localhost)."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    # Browsers and libraries disagree about where the host is in `http://evil\@localhost`.
    if not host or "\\" in address or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
