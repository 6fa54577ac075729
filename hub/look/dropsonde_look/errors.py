"""The errors of seeded pages, with what templates read of the real ones.

The real classes bring half of JupyterHub along, which would make the check in the image's build slow;
tests/unit/look/test_seeds.py compares both.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

DENIED = "You cannot come in"
NO_ANSWER = "Signing in does not work at the moment"
NOT_STARTED = "Your server was not started"
OPERATOR = "Please tell the people who run this hub."


@dataclass(frozen=True)
class PageError:
    """An error as `BaseHandler.write_error` shows it.

    Attributes:
        status_code: The HTTP status.
        jupyterhub_message: The text for people.
        jupyterhub_html_message: The same with markup; empty for none.
        heading: Our own headline; empty for none.
    """

    status_code: int
    jupyterhub_message: str
    jupyterhub_html_message: str = ""
    heading: str = ""


def sign_in(reason: str, *, outage: bool = False) -> PageError:
    """Return a `dropsonde_auth.failures.SignInError`."""
    if outage:
        return PageError(503, f"{reason} Please try again in a few minutes.", heading=NO_ANSWER)
    return PageError(403, reason, heading=DENIED)


def not_approved(reason: str, contact: str) -> PageError:
    """Return a `dropsonde_auth.failures.NotApprovedError`."""
    message = f"{reason} Your files are kept. Ask {contact}."
    return PageError(403, message, f"<p>{html.escape(message)}</p>", NOT_STARTED)


def spawn(what: str, next_step: str = OPERATOR) -> PageError:
    """Return a `dropsonde_spawner.failures.SpawnFailure`."""
    text = f"<p><strong>{html.escape(what)}</strong></p><p>{html.escape(next_step)}</p>"
    return PageError(500, f"{what} {next_step}", text)
