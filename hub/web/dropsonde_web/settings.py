"""The settings of hub/environment that this package reads, and what they configure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import cookies, culler, limits, policy, roles, subdomains
from .errors import SettingError

FILE = "hub/environment"


def number(environ: Mapping[str, str], name: str, default: str, *, whole: bool = False) -> float:
    """Return a setting that is a number, not negative.

    Raises:
        SettingError: It is none.
    """
    text = environ.get(name, "").strip() or default
    if not re.fullmatch(r"\d{1,6}" if whole else r"\d{1,6}(\.\d{1,6})?", text):
        raise SettingError(f"{name}={text} is no number.", f"Write something like {name}={default} into {FILE}.")
    return float(text)


def switch(environ: Mapping[str, str], name: str) -> bool:
    """Return a setting that is 0 or 1.

    Raises:
        SettingError: It is neither.
    """
    text = environ.get(name, "").strip() or "0"
    if text not in {"0", "1"}:
        raise SettingError(f"{name}={text} is neither 0 nor 1.", f"Write {name}=0 or {name}=1 into {FILE}.")
    return text == "1"


def configure(c: Any, environ: Mapping[str, str]) -> None:
    """Set what browsers are told, and what their sessions are.

    Args:
        c: JupyterHub's configuration, with the sign-in's `public_url` if that is by https.
        environ: The hub's environment.

    Raises:
        SettingError: A setting cannot be used.
    """
    public_url = environ.get("PUBLIC_URL", "").strip()
    if switch(environ, "SUBDOMAINS"):
        subdomains.configure(c, public_url)
    https = public_url.startswith("https://") or bool(c.JupyterHub.get("public_url"))
    session_days = number(environ, "SESSION_DAYS", "7")
    if not session_days:
        raise SettingError("SESSION_DAYS=0 would let nobody stay signed in.", f"Write SESSION_DAYS=7 into {FILE}.")
    cookies.configure(c, session_days=session_days, https=https)
    c.JupyterHub.tornado_settings.update({"headers": dict(policy.HEADERS)})
    c.JupyterHub.jinja_environment_options = {"extensions": [policy.Nonces]}
    # People's servers prove by PKCE (RFC 7636) that they are the ones that a code was meant for.
    c.JupyterHub.oauth_require_pkce = True
    limits.install(int(number(environ, "LOGINS_PER_MINUTE", "120", whole=True)))
    policy.install()
    roles.install()


def complete(c: Any, environ: Mapping[str, str]) -> None:
    """Add our roles and services to those of the site's own additions, which may have set the whole lists.

    Raises:
        SettingError: A setting cannot be used.
    """
    idle, longest = number(environ, "CULL_IDLE_MINUTES", "1440"), number(environ, "CULL_MAX_HOURS", "0")
    services, own_roles = culler.service(idle, longest)
    c.JupyterHub.services = services + listed(c.JupyterHub.services)
    c.JupyterHub.load_roles = roles.configured(own_roles, listed(c.JupyterHub.load_roles))


def listed(value: Any) -> list[dict[str, Any]]:
    """Return a list of the configuration, of which traitlets may have additions only, or nothing yet."""
    return list(value.get_value([]) if hasattr(value, "get_value") else value or [])
