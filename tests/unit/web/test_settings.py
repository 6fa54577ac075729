"""The settings of browsers and sessions: what they configure, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_web import limits, policy, settings
from dropsonde_web.errors import SettingError
from dropsonde_web.origins import may_read
from jupyterhub import orm, scopes
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.apihandlers.users import UserTokenListAPIHandler
from jupyterhub.handlers import BaseHandler
from traitlets.config import Config


@pytest.fixture(autouse=True)
def _stock_handlers() -> Iterator[None]:
    """Give JupyterHub's classes back what was theirs."""
    kept = [(BaseHandler, "prepare"), (BaseHandler, "template_namespace"), (BaseHandler, "content_security_policy")]
    kept += [(APIHandler, "content_security_policy"), (UserTokenListAPIHandler, "post")]
    former = [(owner, name, owner.__dict__[name]) for owner, name in kept]
    yield
    for owner, name, value in former:
        setattr(owner, name, value)


def configured(**environ: str) -> Any:
    c = Config()
    c.JupyterHub.tornado_settings = {}
    settings.configure(c, environ)
    settings.complete(c, environ)
    return c.JupyterHub


def test_the_defaults() -> None:
    hub = configured()
    assert hub.tornado_settings["cookie_options"] == {"samesite": "Lax"}
    assert hub.tornado_settings["headers"]["X-Content-Type-Options"] == "nosniff"
    assert hub.cookie_max_age_days == 7
    assert hub.oauth_require_pkce is True
    assert not hub.get("subdomain_host")
    assert [service["name"] for service in hub.services] == ["idle-culler"]
    assert "--timeout=86400" in hub.services[0]["command"]
    assert BaseHandler.prepare is not limits.STOCK
    assert APIHandler.content_security_policy.fget(None) == policy.API


def test_https_makes_cookies_secure_and_subdomains_binds_them_to_their_host() -> None:
    hub = configured(PUBLIC_URL="https://hub.example.org", SUBDOMAINS="1")
    assert hub.tornado_settings["cookie_options"] == {"samesite": "Lax", "secure": True}
    assert hub.subdomain_host == "https://hub.example.org"
    assert hub.cookie_host_prefix_enabled is True


@pytest.mark.parametrize("public_url", ["", "http://hub.example.org", "https://localhost", "https://192.0.2.1"])
def test_host_names_need_an_https_address_with_a_name(public_url: str) -> None:
    with pytest.raises(SettingError, match="SUBDOMAINS=1 needs") as raised:
        configured(PUBLIC_URL=public_url, SUBDOMAINS="1")
    assert "SUBDOMAINS=0" in raised.value.next_step


@pytest.mark.parametrize(
    ("name", "value"),
    [("SUBDOMAINS", "yes"), ("SESSION_DAYS", "0"), ("CULL_IDLE_MINUTES", "-1"), ("LOGINS_PER_MINUTE", "1.5")],
)
def test_what_cannot_be_used_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        configured(**{name: value})


def test_nothing_is_culled_or_limited_where_the_site_says_so() -> None:
    hub = configured(CULL_IDLE_MINUTES="0", CULL_MAX_HOURS="0", LOGINS_PER_MINUTE="0")
    assert hub.services == []
    assert BaseHandler.prepare is limits.STOCK


def test_only_an_age_can_be_a_limit_too() -> None:
    command = configured(CULL_IDLE_MINUTES="0", CULL_MAX_HOURS="12").services[0]["command"]
    assert "--max-age=43200" in command
    assert int(command[-3].partition("=")[2]) > 10**9


def test_additions_of_the_site_are_kept_and_replace_ours_by_name() -> None:
    c = Config()
    c.JupyterHub.tornado_settings = {}
    c.JupyterHub.services.append({"name": "theirs"})
    c.JupyterHub.load_roles = [{"name": "user", "scopes": ["self"]}]
    settings.complete(c, {})
    assert {service["name"] for service in c.JupyterHub.services} == {"idle-culler", "theirs"}
    by_name = {role["name"]: role["scopes"] for role in c.JupyterHub.load_roles}
    assert by_name["user"] == ["self"]
    assert set(by_name) == {"user", "server", "idle-culler"}


def test_a_user_may_all_that_jupyterhub_grants_but_sharing() -> None:
    user = next(role for role in configured().load_roles if role["name"] == "user")
    ours = scopes.expand_scopes(user["scopes"], owner=orm.User(name="ada"))
    theirs = scopes._expand_self_scope("ada")
    missing = {scope.partition("!")[0] for scope in theirs - set(ours)}
    assert missing == {"users:shares", "read:users:shares", "read:shares"}


def test_only_the_page_of_ones_own_server_may_read() -> None:
    hub, user = "https://hub.example.org", SimpleNamespace(domain="ada.hub.example.org")
    assert may_read("https://ada.hub.example.org", hub, user)
    for origin in ("https://eve.hub.example.org", "http://ada.hub.example.org", "null", "", hub):
        assert not may_read(origin, hub, user), origin
    assert not may_read("https://ada.hub.example.org", "", user)
    assert not may_read("https://ada.hub.example.org", hub, None)
