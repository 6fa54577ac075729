"""What browsers may do with the hub's cookies, and how long a session lives."""

from __future__ import annotations

from typing import Any

# Sent along when somebody follows a link to the hub, as the provider's redirect is; never with another site's requests.
SAME_SITE = {"samesite": "Lax"}


def configure(c: Any, *, session_days: float, https: bool) -> None:
    """Set the options of all cookies, those of people's servers included.

    Args:
        c: JupyterHub's configuration.
        session_days: After so many days somebody signs in again.
        https: Whether people reach the hub by https: cookies are for https only then, also behind a TLS front.
    """
    options = SAME_SITE | ({"secure": True} if https else {})
    c.JupyterHub.tornado_settings.update({"cookie_options": dict(options), "xsrf_cookie_kwargs": dict(options)})
    c.JupyterHub.cookie_max_age_days = session_days
