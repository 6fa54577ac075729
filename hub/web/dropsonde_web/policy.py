"""A content security policy for the hub's pages: only scripts that stand in a template's source run.

Each answer has a nonce of its own. The templates' `<script` tags get it when they are read, before any value is filled
in: what somebody manages to put into a page as a value has no nonce, and does nothing (https://www.w3.org/TR/CSP3/#nonces).
"""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment
from jinja2.ext import Extension
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers import BaseHandler

SCRIPT = re.compile(r"<script(?=[\s>])", re.IGNORECASE)
NONCED = "<script nonce=\"{{ csp_nonce | default('') }}\""
STOCK: Any = BaseHandler.template_namespace.fget
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    # A page that opened this one, or that this one opened, has no hold on it unless it is ours.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # People's servers would keep connections to the hub, and not hear of their end when a new hub takes its address:
    # the next question over such a one fails. The proxy keeps none anyway.
    "Connection": "close",
}
"""What every answer of the hub says besides its policy."""
API = "default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
"""The policy of answers that are no pages."""


class Nonces(Extension):
    """Gives every script of a template's source the nonce of the answer that it becomes a part of."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - jinja2's
        """Return the source with nonces."""
        return SCRIPT.sub(NONCED, source)


def page_policy(nonce: str, subdomains: str = "") -> str:
    """Return the policy of a page.

    Nothing is to be reported to the hub: JupyterHub answers reports with 403, since they have no XSRF token.

    Args:
        nonce: That of its scripts.
        subdomains: The hub's address where servers have host names below it: forms may lead there by a redirect.
    """
    parts = urlsplit(subdomains)
    servers = f" {parts.scheme}://*.{parts.netloc}" if subdomains else ""
    directives = {
        "default-src": "'self'",
        "script-src": f"'self' 'nonce-{nonce}'",
        # Style attributes are what Bootstrap's and React's programs write; a style runs nothing.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "form-action": f"'self'{servers}",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def nonce_of(handler: Any) -> str:
    """Return the nonce of the answer that a handler gives."""
    if not hasattr(handler, "_csp_nonce"):
        handler._csp_nonce = secrets.token_urlsafe(16)
    return str(handler._csp_nonce)


def install() -> None:
    """Let all of JupyterHub's handlers have the policy; those with one of their own keep it."""

    def namespace(handler: Any) -> dict[str, Any]:
        return {**STOCK(handler), "csp_nonce": nonce_of(handler)}

    def policy(handler: Any) -> str:
        return page_policy(nonce_of(handler), handler.subdomain_host)

    BaseHandler.template_namespace = property(namespace)
    BaseHandler.content_security_policy = property(policy)
    APIHandler.content_security_policy = property(lambda _handler: API)
