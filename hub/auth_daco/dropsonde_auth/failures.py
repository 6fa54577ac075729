"""What somebody reads who may not come in."""

from __future__ import annotations

import html

from jupyterhub.spawner import SpawnException
from tornado import web

DENIED = "You cannot come in"
NO_ANSWER = "Signing in does not work at the moment"


class SignInError(web.HTTPError):
    """A sign-in that ends here.

    Args:
        reason: Why, a sentence for the person.
        outage: Whether it is not about them: somebody did not answer.
    """

    def __init__(self, reason: str, *, outage: bool = False) -> None:
        self.heading = NO_ANSWER if outage else DENIED
        # The template adds whom to ask.
        self.jupyterhub_message = f"{reason} Please try again in a few minutes." if outage else reason
        super().__init__(503 if outage else 403, reason.replace("%", "%%"))


class NotApprovedError(SpawnException):  # type: ignore[misc]  # jupyterhub has no types
    """A server that is not started, because its user's approval is not in force."""

    heading = "Your server was not started"

    def __init__(self, reason: str, contact: str) -> None:
        ask = f" Ask {contact}." if contact else ""
        self.jupyterhub_message = f"{reason} Your files are kept.{ask}"
        self.jupyterhub_html_message = f"<p>{html.escape(self.jupyterhub_message)}</p>"
        super().__init__(
            self.jupyterhub_message,
            reason="approval",
            message_html=self.jupyterhub_html_message,
            log_message=f"no approval: {reason}",
            status_code=403,
        )
