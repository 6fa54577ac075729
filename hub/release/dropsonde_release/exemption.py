"""The one exemption from approval: the probe's account, in the throw-away service of a release and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterhub.auth import DummyAuthenticator

ACCOUNT = "release-probe"
SUFFIX = "-probe"
TOKEN = Path("/srv/jupyterhub/probe/token")
DATABASE = Path("/srv/jupyterhub/data/jupyterhub.sqlite")
SCOPES = ["admin:users", "admin:servers", "access:servers", "read:hub"]


class OpenDoorError(Exception):
    """Anybody could sign in as anybody: no release for a host."""


def apply(c: Any, service: str, token: Path = TOKEN) -> bool:
    """Let the probe's account and its secret in, if this is a throw-away service.

    Args:
        c: JupyterHub's configuration, with all of the site's additions.
        service: The service's name; only one that ends in -probe has the exemption.
        token: The secret's file, which only a throw-away service has.

    Returns:
        Whether this is one.

    Raises:
        OpenDoorError: The site's additions turned a sign-in without proof on.
    """
    if not (service.endswith(SUFFIX) and token.is_file()):
        return False
    chosen = c.JupyterHub.authenticator_class
    if isinstance(chosen, type) and issubclass(chosen, DummyAuthenticator):
        raise OpenDoorError("The sign-in lets anybody be anybody (DummyAuthenticator).")
    # Admins who need no approval: there is one here, and nobody can sign in as it.
    c.Authenticator.admin_users = {ACCOUNT}
    c.ApprovalMixin.exempt_admins = True
    c.JupyterHub.services.append({"name": ACCOUNT, "api_token": token.read_text().strip()})
    c.JupyterHub.load_roles.append({"name": ACCOUNT, "services": [ACCOUNT], "scopes": SCOPES})
    # Whatever the site's additions say: the database of people's hub and the site's data are not for this one.
    c.JupyterHub.db_url = f"sqlite:///{DATABASE}"
    c.DropsondeSpawner.data_mounts = []
    for spawner in (c.DockerSpawner, c.DropsondeSpawner):
        spawner.volumes, spawner.read_only_volumes, spawner.mounts = {}, {}, []
    return True
