"""What JupyterHub's handlers give to each page, with seeded data."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from . import errors, seeds
from .errors import PageError
from .seeds import Person, Server

Values = dict[str, Any]
FORM = """<label for="seed-size">Size</label>
<select class="form-select" id="seed-size" name="size"><option>small</option><option>large</option></select>"""


def login(*, development: bool = True, **more: Any) -> Values:
    """Return what the sign-in page gets."""
    service = "" if development else "Google"
    address = "/hub/login?next=" if development else "/hub/oauth_login?next="
    return {
        "user": None,
        "dev_mode": development,
        "login_service": service,
        "authenticator_login_url": address,
        "authenticator": SimpleNamespace(request_otp=False, otp_prompt="", login_service=service, custom_html=""),
        "custom_html": "",
        "login_error": None,
        "username": "",
        "next": "",
        **more,
    }


def home(server: Server | None = None, **more: Any) -> Values:
    """Return what a person's home gets."""
    person = more.pop("person", None) or Person(spawner=server or Server())
    return {
        "user": person,
        "auth_state": None,
        "url": person.url if person.active else f"/hub/spawn/{person.escaped_name}",
        "allow_named_servers": False,
        "named_server_limit_per_user": 0,
        "url_path_join": lambda *parts: "/".join(part.strip("/") for part in parts),
        "spawners": [],
        "default_server": person.spawner,
        "invalid_server_names": [],
        **more,
    }


def notebook_error(status: int, text: str, message: str = "") -> Values:
    """Return what a notebook server's error page gets from Jupyter Server."""
    return {"status_code": status, "status_message": text, "message": message, "base_url": f"/user/{seeds.NAME}/"}


def error(status: int, message: str, *, text: str = "", exception: Any = None, html: str = "", **more: Any) -> Values:
    """Return what an error's page gets."""
    return {
        "status_code": status,
        "status_message": text,
        "message": message,
        "message_html": html,
        "extra_error_html": "",
        "exception": exception,
        **more,
    }


def sign_in_error(reason: str, *, outage: bool = False) -> Values:
    """Return the same for somebody who may not come in."""
    shown = errors.sign_in(reason, outage=outage)
    return error(shown.status_code, shown.jupyterhub_message, exception=shown, user=None, dev_mode=False)


def spawn_error(shown: PageError) -> Values:
    """Return the same for a start that failed at once."""
    html = shown.jupyterhub_html_message
    # As JupyterHub adds it to each start that failed; ours is to leave it out.
    again = "You can try restarting your server from the <a href='/hub/home'>home page</a>."
    more = {"extra_error_html": again}
    return error(shown.status_code, shown.jupyterhub_message, exception=shown, html=html, **more)


def not_running(shown: PageError | None = None) -> Values:
    """Return what the page of a server gets that does not run, perhaps since its start failed."""
    failed = {"failed": True, "failed_message": shown.jupyterhub_message, "exception": shown} if shown else {}
    html = {"failed_html_message": shown.jupyterhub_html_message} if shown else {}
    return {"server_name": "", "spawn_url": f"/hub/spawn/{seeds.NAME}", "auth_state": None, **failed, **html}


def pending(stage: int) -> Values:
    """Return what the page of a start gets that has reached its Nth stage."""
    return {"spawner": Server(pending="spawn"), "progress_url": f"/hub/look/progress/{stage}", "auth_state": None}


def tokens(**more: Any) -> Values:
    """Return what the page of tokens gets."""
    lifetimes = (("3600", "1 Hour"), ("86400", "1 Day"), ("604800", "1 Week"), ("", "Never"))
    options = "\n".join(f'<option value="{value}">{label}</option>' for value, label in lifetimes)
    return {
        "api_tokens": [],
        "oauth_clients": [],
        "auth_state": None,
        "token_expires_in_options_html": options,
        "token_expires_in_max_seconds": 0,
        **more,
    }


def _scopes(*descriptions: str) -> list[dict[str, str]]:
    return [{"scope": text, "description": text, "filter": ""} for text in descriptions]


def share() -> Values:
    """Return what an invitation to somebody's server gets."""
    owner = Person("barbara.mcclintock@example.org")
    return {
        "code": "seeded",
        "owner": owner,
        "spawner": owner.spawner,
        "spawner_ready": False,
        "spawner_url": owner.url,
        "scope_descriptions": _scopes("Access user servers."),
        "next_url": owner.url,
    }


def authorize() -> Values:
    """Return what the page of an application gets that asks who somebody is."""
    client = SimpleNamespace(description="Cohort browser", redirect_uri="/services/cohorts/oauth_callback")
    return {
        "auth_state": None,
        "role_names": [],
        "allowed_scopes": ["read:users:name!user"],
        "scope_descriptions": _scopes("Read names of users."),
        "oauth_client": client,
    }


def admin() -> Values:
    """Return what the administration gets."""
    return {
        "current_user": Person("admin@example.org", admin=True),
        "user": Person("admin@example.org", admin=True),
        "auth_state": None,
        "admin_access": True,
        "allow_named_servers": False,
        "named_server_limit_per_user": 0,
        "server_version": "6.1.1 seeded",
        "api_page_limit": 50,
        "parsed_scopes": {"admin-ui": []},
    }


def warned(level: str, text: str, server: Server | None = None) -> Values:
    """Return what a person's home gets whom the hub tells something of their approval."""
    return home(person=Person(spawner=server or seeds.running(), told={"level": level, "text": text}))


def spawn_form(server: Server | None = None, **more: Any) -> Values:
    """Return what the options of a start get."""
    person = Person(spawner=server or Server(options_form=FORM))
    return {
        "for_user": person,
        "user": person,
        "auth_state": None,
        # Our own questions are the template's.
        "spawner_options_form": person.spawner.options_form,
        "error_message": "",
        "html_error_message": "",
        "url": f"/hub/spawn/{seeds.NAME}?_xsrf=seeded",
        "spawner": person.spawner,
        **more,
    }


def sizes() -> Server:
    """Return a server that can be started in several sizes."""
    return Server(options_form="start_options", profiles=seeds.SIZES, last_choice="large")


def full_home() -> Server:
    """Return a server that cannot be started for work."""
    return Server(options_form="start_options", fullness=seeds.FULL)


def proxy_error() -> Values:
    """Return what the page of a server gets that does not answer: JupyterHub gives less than for other errors."""
    html = "Your server appears to be down. Try restarting it <a href='/hub/home'>from the hub</a>"
    return {
        "status_code": 503,
        "status_message": "Service Unavailable",
        "message_html": html,
        "logo_url": "/hub/home",
    }


def common(static_url: Callable[..., str], **ours: Any) -> Values:
    """Return what `BaseHandler.render_template` gives to every page.

    Args:
        static_url: Returns the address of a static file.
        ours: What jupyterhub_config.py adds for every page.
    """
    return {
        "base_url": "/hub/",
        "prefix": "/",
        "user": Person(),
        "login_url": "/hub/login",
        "login_service": "",
        "logout_url": "/hub/logout",
        "static_url": static_url,
        "version_hash": "seeded",
        "services": [],
        "parsed_scopes": {},
        "expanded_scopes": set(),
        "xsrf": "seeded",
        "xsrf_token": "seeded",
        # Static pages are told of no changes; a hub in DEV_MODE says where its own are.
        "look_changes": "",
        **ours,
    }
