"""Who is an admin: exactly those whom the setting names, whatever the hub's database remembers."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.roles import assign_default_roles

from .authenticator import ApprovalMixin


def admins(database: Any) -> set[str]:
    """Return the names of the accounts that the hub's database has as admins."""
    return {name for (name,) in database.query(orm.User.name).filter(orm.User.admin)}


def settle(database: Any, authenticator: ApprovalMixin, former: set[str]) -> None:
    """Take the rights from whom the setting does not name any more, or never did; write down each change.

    JupyterHub itself only ever adds admins, at its start from the setting and on its admin page.

    Args:
        database: The hub's database, to which JupyterHub has added the setting's admins.
        authenticator: The hub's authenticator.
        former: The admins before that.
    """
    if _groups_decide(authenticator):
        return
    named = authenticator.admin_users
    for account in database.query(orm.User).filter(orm.User.admin):
        if account.name not in named:
            account.admin = False
            assign_default_roles(database, account)
            _write(authenticator, account.name, "is no admin any more")
    database.commit()
    for name in sorted(admins(database) - former):
        _write(authenticator, name, "is an admin now")


def _groups_decide(authenticator: ApprovalMixin) -> bool:
    """Return whether a site's own lines let a provider's groups make admins, at each sign-in."""
    names = [name for name in authenticator.trait_names(config=True) if name.startswith("admin_")]
    return any(getattr(authenticator, name) for name in names if name != "admin_users")


def _write(authenticator: ApprovalMixin, name: str, what: str) -> None:
    authenticator.log.warning("%s %s, as ADMIN_USERS says", name, what)
    authenticator.audit.write("admin", user=name, by="hub", action=f"{what} (ADMIN_USERS)")
