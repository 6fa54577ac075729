"""Approval for JupyterHub: who may come in, checked at login, at every start and all the while."""

from .authenticator import ApprovalMixin
from .oauth import DacoOAuthenticator, with_approval

__all__ = ["ApprovalMixin", "DacoOAuthenticator", "with_approval"]
