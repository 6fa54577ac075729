"""Pages that only the gallery may show in a frame (DEV_MODE)."""

from __future__ import annotations

from jupyterhub.handlers import BaseHandler


class FramedHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
    """What all addresses below `look/` share."""

    @property
    def content_security_policy(self) -> str:
        """Let the gallery, and nobody else, show pages in frames."""
        return "frame-ancestors 'self'"

    @property
    def policy_in_frame(self) -> str:
        """The policy of the hub's pages, for a page in the gallery."""
        return str(super().content_security_policy).replace("frame-ancestors 'none'", "frame-ancestors 'self'")

    def no_store(self, kind: str) -> None:
        """Say what the answer is, and that it is another one the next time."""
        self.set_header("Content-Type", kind)
        self.set_header("Cache-Control", "no-store")
