"""Sign-in and approval as described by hub/environment, hub/oauth.env and the files of hub/secrets."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jupyterhub.auth import DummyAuthenticator, LocalAuthenticator
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.google import GoogleOAuthenticator
from oauthenticator.oauth2 import OAuthenticator

from .addresses import is_confidential
from .approval import ApprovalSource
from .approved_list import ApprovedList
from .authenticator import ApprovalMixin
from .daco import DacoService
from .oauth import with_approval
from .providers import provider_of

SOURCES = ("daco", "list", "none")
PUBLIC, PRIVATE = "hub/environment", "hub/oauth.env"
DACO_KEYS = ("DACO_KEY", "DACO_SECRET", "DACO_TOKEN", "DACO_TOKEN_SECRET")
OAUTH_KEYS = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_CALLBACK_URL")
# Addresses and names that providers of one's own need, and the traits of oauthenticator that they set.
PROVIDER = {
    "OAUTH_AUTHORIZE_URL": "authorize_url",
    "OAUTH_TOKEN_URL": "token_url",
    "OAUTH_USERDATA_URL": "userdata_url",
    "OAUTH_USERNAME_CLAIM": "username_claim",
}


class ConfigurationError(Exception):
    """A setting cannot be used: what is wrong, and what to do. Never holds the value of a private setting."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what, self.next_step = what, next_step


@dataclass(frozen=True)
class Site:
    """Reads the site's settings.

    Attributes:
        environ: The environment of the hub.
        home: The folder with `data`, `secrets` and so on.
    """

    environ: Mapping[str, str]
    home: Path

    def text(self, name: str, default: str = "") -> str:
        """Return a setting; an empty one means the default."""
        return self.environ.get(name, "").strip() or default

    def names(self, name: str) -> set[str]:
        """Return a setting that is a list of names, lower-cased as user names are."""
        return {item.lower() for item in self.text(name).replace(",", " ").split()}

    def switch(self, name: str) -> bool:
        """Return a setting that is 0 or 1."""
        value = self.text(name, "0")
        if value not in {"0", "1"}:
            raise ConfigurationError(
                f"{name}={value} is neither 0 nor 1.", f"Write {name}=0 or {name}=1 into {PUBLIC}."
            )
        return value == "1"

    def number(self, name: str, default: float) -> float:
        """Return a setting that is a number of minutes, hours, ..., not negative."""
        value = self.text(name, f"{default:g}")
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            example = f"Write something like {name}={default:g} into {PUBLIC}."
            raise ConfigurationError(f"{name}={value} is not a number.", example)
        return float(value)

    def private(self, name: str) -> str:
        """Return a private setting: from the environment, else from the file of that name in `secrets`."""
        value = self.text(name)
        file = self.home / "secrets" / name
        if value or not file.is_file():
            return value
        try:
            return file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"hub/secrets/{name} cannot be read: {type(error).__name__}.",
                f"Let uid 1000 read it, or write {name} into {PRIVATE}.",
            ) from None

    def required(self, names: tuple[str, ...], what: str) -> dict[str, str]:
        """Return private settings, all of which are needed."""
        values = {name: self.private(name) for name in names}
        missing = [name for name, value in values.items() if not value]
        if missing:
            raise ConfigurationError(
                f"{what}: {', '.join(missing)} missing.",
                f"Write them into {PRIVATE} ({PRIVATE}.example shows how) or as files of these names into hub/secrets, "
                "or set DEV_MODE=1 to try the hub.",
            )
        return values


def configure(c: Any, environ: Mapping[str, str] = os.environ, home: Path = Path("/srv/jupyterhub")) -> None:
    """Set all of JupyterHub's configuration about who may come in.

    Args:
        c: The configuration object.
        environ: The hub's environment.
        home: The hub's folder.

    Raises:
        ConfigurationError: A setting is missing or cannot be used.
    """
    site = Site(environ, home)
    development = site.text("DEV_MODE") == "1"
    c.Authenticator.admin_users = site.names("ADMIN_USERS")
    c.Authenticator.allowed_users = site.names("ALLOWED_USERS")
    # Otherwise everybody who was ever allowed is, as long as the list has a name on it.
    c.Authenticator.allow_existing_users = False
    source = _source_name(site, default="none" if development else "daco")
    needed = (() if development else OAUTH_KEYS) + (DACO_KEYS if source == "daco" else ())
    keys = site.required(needed, "Signing in is not configured")
    _approval(c.ApprovalMixin, site, source, keys)
    c.ApprovalMixin.data_dir = str(home / "data")
    if development:
        # Anybody may sign in as anybody: the port is open on 127.0.0.1 only, and every page says what hub this is.
        c.ApprovalMixin.everybody = True
        c.JupyterHub.authenticator_class = with_approval(DummyAuthenticator)
    else:
        c.JupyterHub.authenticator_class = _provider(c, site, keys)
    # A session goes on only while `ApprovalMixin.refresh_user` says so, for tokens and for admins as well.
    c.Authenticator.auth_refresh_age = 60
    c.Authenticator.auth_refresh_strict = True
    c.Authenticator.refresh_pre_spawn = True
    # For sites whose additions turn on `enable_auth_state`; our own sign-in keeps no token of a provider.
    # While keys are being replaced there are two: the first one encrypts (`invoke credentials.rotate`).
    own = site.private("JUPYTERHUB_CRYPT_KEY").replace(";", " ") or generated(home / "data/crypt_key")
    c.CryptKeeper["keys"] = own.split()


def _source_name(site: Site, default: str) -> str:
    source = site.text("APPROVAL", default)
    if source not in SOURCES:
        raise ConfigurationError(
            f"APPROVAL={source} is no source of approval.", f"Write APPROVAL={', '.join(SOURCES)} into {PUBLIC}."
        )
    return source


def _approval(section: Any, site: Site, source: str, keys: Mapping[str, str]) -> None:
    section.contact = site.text("APPROVAL_CONTACT")
    section.exempt_admins = site.switch("APPROVAL_EXEMPT_ADMINS")
    section.trust_email = site.switch("OAUTH_TRUST_EMAIL")
    section.check_seconds = max(1.0, site.number("APPROVAL_CHECK_SECONDS", 600))
    section.stop_minutes = site.number("APPROVAL_STOP_MINUTES", 10)
    section.outage_hours = site.number("APPROVAL_OUTAGE_HOURS", 24)
    section.warn_days = site.number("APPROVAL_WARN_DAYS", 14)
    if source != "none":
        section.approval_source = _daco(site, keys) if source == "daco" else _list(site)


def _daco(site: Site, keys: Mapping[str, str]) -> Any:
    address = site.text("DACO_URL")

    def make(_alarm: Any) -> ApprovalSource:
        return DacoService(address, *(keys[name] for name in DACO_KEYS))

    return _checked(make, "DACO_URL", "https://daco.example.org/ud_oauth/1/")


def _list(site: Site) -> Any:
    place = site.text("APPROVED_LIST")
    shrink = site.number("APPROVED_LIST_MAX_SHRINK", 20) / 100

    def make(alarm: Any) -> ApprovalSource:
        state = site.home / "data/approved-list.json"
        return ApprovedList(place, max_shrink=shrink, state=state, alarm=alarm)

    return _checked(make, "APPROVED_LIST", "/srv/jupyterhub/secrets/approved.csv")


def _checked(make: Any, name: str, example: str) -> Any:
    """Make the source once, to find a mistake in its address while the hub starts."""
    try:
        make(lambda _text: None)
    except ValueError as error:
        raise ConfigurationError(
            f"{name} cannot be used: {error}", f"Write something like {name}={example} into {PUBLIC}."
        ) from None
    return make


def _provider(c: Any, site: Site, keys: Mapping[str, str]) -> type[ApprovalMixin]:
    name = site.text("OAUTH_PROVIDER", "google")
    chosen = _class_of(name)
    provider = with_approval(chosen)
    c.OAuthenticator.client_id = keys["OAUTH_CLIENT_ID"]
    c.OAuthenticator.client_secret = keys["OAUTH_CLIENT_SECRET"]
    _callback(c, keys["OAUTH_CALLBACK_URL"])
    for setting, trait in PROVIDER.items():
        value = site.text(setting)
        if value and setting.endswith("_URL") and not is_confidential(value):
            raise ConfigurationError(
                f"{setting} is no https address: codes and tokens would be readable on the way.",
                f"Write https://... into {PUBLIC}; http is accepted for this machine only (127.0.0.1, localhost).",
            )
        if value:
            c.OAuthenticator[trait] = value
    generic = issubclass(chosen, GenericOAuthenticator)
    differs = provider_of(chosen)
    claim, scope = ("email", "openid email") if generic else (differs.username_claim, " ".join(differs.scope))
    if claim and not site.text("OAUTH_USERNAME_CLAIM"):
        c.OAuthenticator.username_claim = claim
    if site.text("OAUTH_SCOPE", scope):
        c.OAuthenticator.scope = site.text("OAUTH_SCOPE", scope).split()
    if site.names("HOSTED_DOMAINS") and not issubclass(provider, GoogleOAuthenticator):
        raise ConfigurationError(
            f"HOSTED_DOMAINS means nothing to OAUTH_PROVIDER={name}.",
            f"Empty it in {PUBLIC}; ALLOWED_USERS, or the provider's own settings in hub/config.d, narrow it.",
        )
    # Names are whole e-mail addresses, with one hosted domain as with many.
    c.GoogleOAuthenticator.hosted_domain = sorted(site.names("HOSTED_DOMAINS"))
    c.GoogleOAuthenticator.strip_domain = False
    return provider


def _class_of(name: str) -> type[OAuthenticator]:
    """Return the authenticator of a provider's name."""
    found = {point.name: point for point in entry_points(group="jupyterhub.authenticators")}
    if name not in found:
        some = "google, github, gitlab, generic-oauth, cilogon"
        raise ConfigurationError(f"OAUTH_PROVIDER={name} is not known.", f"Write one of {some}, ... into {PUBLIC}.")
    try:
        chosen: type[OAuthenticator] = found[name].load()
    except ImportError as error:
        raise ConfigurationError(
            f"OAUTH_PROVIDER={name} needs the package {error.name}, which this hub has not.",
            f"Choose another one in {PUBLIC}, or add the package to hub/requirements.in.",
        ) from None
    # The local ones make a user of the machine of everybody; this hub has containers.
    if not issubclass(chosen, OAuthenticator) or issubclass(chosen, LocalAuthenticator):
        raise ConfigurationError(
            f"OAUTH_PROVIDER={name} does not sign in with OAuth, or wants accounts on this machine.",
            f"Write OAUTH_PROVIDER={name.removeprefix('local-') if name.startswith('local-') else 'google'} "
            f"into {PUBLIC}.",
        )
    return chosen


def _callback(c: Any, address: str) -> None:
    """Set where the provider sends people back to, which is also where people see the hub."""
    found = re.fullmatch(r"(https?)(://[^/\s?#]+/)hub/oauth_callback", address)
    example = f"Write https://YOUR-HUB/hub/oauth_callback into {PRIVATE}, with your hub's name."
    if found is None:
        raise ConfigurationError("OAUTH_CALLBACK_URL is not the address of this hub's callback.", example)
    if not is_confidential(address):
        raise ConfigurationError(
            "OAUTH_CALLBACK_URL is no https address: codes and sessions would be readable on the way.",
            f"{example} http is accepted for a browser on this machine only (127.0.0.1, localhost).",
        )
    c.OAuthenticator.oauth_callback_url = address
    if found[1] == "https":
        # Its cookies are for https only then, also behind a TLS front.
        c.JupyterHub.public_url = f"https{found[2]}"


def generated(path: Path) -> str:
    """Return the key in a file; make file and key, 32 bytes in hexadecimal digits, at the first time."""
    if not path.exists():
        unfinished = path.with_suffix(f".new{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_hex(32))
        unfinished.rename(path)
    return path.read_text().strip()
