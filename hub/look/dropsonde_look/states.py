"""Every page that a person can meet, with seeded data: nobody has to provoke a failure to see its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from dropsonde_spawner import stages

from . import errors, seeds
from .announcement import Announcement
from .brand import Brand
from .errors import PageError
from .seeds import NASTY, RIGHT_TO_LEFT, Person, Server

Values = dict[str, Any]
STAGES = (stages.HOME, stages.CREATED, stages.STARTED, stages.WAITING, stages.READY)
BRANDED = Brand(
    name="Institute for Upper Air Research",
    color="#7a1f5c",
    logo="",
    logo_dark="",
    contact="help@example.org",
    footer="Funded by the Foundation for Balloons. Part of the National Weather Data Network.",
    login_text=("Notebooks beside twelve years of soundings.", "Sign in with the account of your institute."),
    help_url="https://docs.example.org/hub",
)
CONTACT = "data-access@example.org"
DENIED = "This e-mail address is not on the approved list."
ENDED = "Your approval ended on 2026-11-20."
MAINTENANCE = Announcement(
    "The hub is replaced this evening. Running notebooks go on.", seeds.NOW + timedelta(hours=8), "2026-11-25 18:30 CET"
)
FORM = """<label for="seed-size">Size</label>
<select class="form-select" id="seed-size" name="size"><option>small</option><option>large</option></select>"""


@dataclass(frozen=True)
class State:
    """One state of one page.

    Attributes:
        name: Its name in addresses and file names.
        title: What it shows.
        template: The file that renders it.
        values: What its handler gives to the template besides what every page gets.
        status: The HTTP status with which people meet it.
    """

    name: str
    title: str
    template: str
    values: Values = field(default_factory=dict)
    status: int = 200


def _login(*, development: bool = True, **more: Any) -> Values:
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


def _home(server: Server | None = None, **more: Any) -> Values:
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


def _error(status: int, message: str, *, text: str = "", exception: Any = None, html: str = "", **more: Any) -> Values:
    return {
        "status_code": status,
        "status_message": text,
        "message": message,
        "message_html": html,
        "extra_error_html": "",
        "exception": exception,
        **more,
    }


def _sign_in_error(reason: str, *, outage: bool = False) -> Values:
    error = errors.sign_in(reason, outage=outage)
    return _error(error.status_code, error.jupyterhub_message, exception=error, user=None, dev_mode=False)


def _spawn_error(error: PageError) -> Values:
    html = error.jupyterhub_html_message
    return _error(error.status_code, error.jupyterhub_message, exception=error, html=html)


def _not_running(error: PageError | None = None) -> Values:
    failed = {"failed": True, "failed_message": error.jupyterhub_message, "exception": error} if error else {}
    html = {"failed_html_message": error.jupyterhub_html_message} if error else {}
    return {"server_name": "", "spawn_url": f"/hub/spawn/{seeds.NAME}", "auth_state": None, **failed, **html}


def _pending(stage: int) -> Values:
    return {"spawner": Server(pending="spawn"), "progress_url": f"/hub/look/progress/{stage}", "auth_state": None}


def _tokens(**more: Any) -> Values:
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


def _share() -> Values:
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


def _authorize() -> Values:
    client = SimpleNamespace(description="Cohort browser", redirect_uri="/services/cohorts/oauth_callback")
    return {
        "auth_state": None,
        "role_names": [],
        "allowed_scopes": ["read:users:name!user"],
        "scope_descriptions": _scopes("Read names of users."),
        "oauth_client": client,
    }


def _admin() -> Values:
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


def _warned(level: str, text: str, server: Server | None = None) -> Values:
    return _home(person=Person(spawner=server or seeds.running(), told={"level": level, "text": text}))


def _all() -> list[State]:
    no_answer = "Google did not answer as expected."
    unconfirmed = f"DACO does not answer. Your approval could not be confirmed since {seeds.NOW:%Y-%m-%d %H:%M} UTC."
    memory = errors.spawn("Your notebook server needed more memory than its limit of 2G and was ended.")
    disk = errors.spawn("The disk of this machine is full.")
    starts = [
        State(f"spawn-pending-{number}", f"Starting: {stage.message}", "spawn_pending.html", _pending(number))
        for number, stage in enumerate(STAGES, 1)
    ]
    soon = f"Your approval ends in 3 days (2026-11-28 00:00 UTC). Have it renewed to keep working here. Ask {CONTACT}."
    over = f"{ENDED} Save your work: your server stops at 09:40 UTC. Your files are kept. Ask {CONTACT}."
    return [
        State("login", "Sign in, development", "login.html", _login()),
        State(
            "login-failed",
            "Sign in refused",
            "login.html",
            _login(login_error="Invalid username or password", username=NASTY),
            403,
        ),
        State("login-oauth", "Sign in with a provider", "login.html", _login(development=False)),
        State(
            "login-announced",
            "Sign in, announcement",
            "login.html",
            _login(development=False, site_announcement=lambda: MAINTENANCE),
        ),
        State("login-branded", "Sign in, a site's own brand", "login.html", _login(development=False, brand=BRANDED)),
        State("denied", "Not approved", "error.html", _sign_in_error(DENIED), 403),
        State("expired", "Approval ended", "error.html", _sign_in_error(ENDED), 403),
        State(
            "provider-outage", "The provider does not answer", "error.html", _sign_in_error(no_answer, outage=True), 503
        ),
        State(
            "approval-outage",
            "The approval source does not answer",
            "error.html",
            _sign_in_error(unconfirmed, outage=True),
            503,
        ),
        State("home", "Home, nothing runs", "home.html", _home()),
        State("home-running", "Home, server runs", "home.html", _home(seeds.running())),
        State(
            "home-other-version",
            "Home, other libraries wait",
            "home.html",
            _home(seeds.running(waiting_version=seeds.OTHER_VERSION)),
        ),
        State("home-warned", "Home, approval ends soon", "home.html", _warned("warning", soon)),
        State("home-ended", "Home, approval has ended", "home.html", _warned("danger", over)),
        State("home-branded", "Home, a site's own brand", "home.html", _home(seeds.running(), brand=BRANDED)),
        State("home-announced", "Home, announcement", "home.html", _home(site_announcement=lambda: MAINTENANCE)),
        State(
            "home-named-servers",
            "Home, several servers",
            "home.html",
            _home(
                person=Person(spawner=seeds.running(), others=(seeds.running(name="cohort"), Server(name="archive"))),
                allow_named_servers=True,
                named_server_limit_per_user=3,
            ),
        ),
        State("home-nasty-name", "Home, a name that is code", "home.html", _home(person=Person(NASTY))),
        State(
            "home-right-to-left", "Home, a name from right to left", "home.html", _home(person=Person(RIGHT_TO_LEFT))
        ),
        State(
            "home-long-name",
            "Home, a long name",
            "home.html",
            _home(person=Person(seeds.LONG, admin=True), parsed_scopes={"admin-ui": []}),
        ),
        State("spawn-form", "Options of a start", "spawn.html", _spawn_form()),
        State(
            "spawn-form-refused", "Options refused", "spawn.html", _spawn_form(error_message="There is no such size.")
        ),
        *starts,
        State("spawn-failed", "Start failed: memory", "not_running.html", _not_running(memory), 500),
        State("spawn-failed-at-once", "Start failed at once: disk", "error.html", _spawn_error(disk), 500),
        State(
            "spawn-not-approved",
            "Start without approval",
            "error.html",
            _spawn_error(errors.not_approved(ENDED, CONTACT)),
            403,
        ),
        State("not-running", "Server does not run", "not_running.html", _not_running(), 424),
        State(
            "stop-pending",
            "Server stops",
            "stop_pending.html",
            {"spawner": seeds.running(pending="stop"), "progress_url": "/hub/look/progress/0", "auth_state": None},
        ),
        State("tokens-empty", "No tokens", "token.html", _tokens()),
        State(
            "tokens",
            "Tokens and applications",
            "token.html",
            _tokens(api_tokens=seeds.tokens(), oauth_clients=seeds.oauth_clients()),
        ),
        State("admin", "Administration", "admin.html", _admin()),
        State("accept-share", "Invitation to a server", "accept-share.html", _share()),
        State("authorize", "An application asks", "oauth.html", _authorize()),
        State("logout", "Signed out", "logout.html", {"user": None}),
        State("error-403", "Not allowed", "error.html", _error(403, "", text="Forbidden"), 403),
        State("error-404", "No such page", "404.html", _error(404, "", text="Not Found"), 404),
        State("error-500", "Internal error", "error.html", _error(500, "", text="Internal Server Error"), 500),
        State("error-503", "Server does not answer", "error.html", _proxy_error(), 503),
        State("away", "The proxy, while the hub is replaced", "away.html", {}, 503),
    ]


def _spawn_form(**more: Any) -> Values:
    person = Person(spawner=Server(options_form=FORM))
    return {
        "for_user": person,
        "user": person,
        "auth_state": None,
        "spawner_options_form": FORM,
        "error_message": "",
        "html_error_message": "",
        "url": f"/hub/spawn/{seeds.NAME}?_xsrf=seeded",
        "spawner": person.spawner,
        **more,
    }


def _proxy_error() -> Values:
    html = "Your server appears to be down. Try restarting it <a href='/hub/home'>from the hub</a>"
    values = {
        "status_code": 503,
        "status_message": "Service Unavailable",
        "message_html": html,
        "logo_url": "/hub/home",
    }
    # JupyterHub's handler gives less than that of other errors.
    return values


STATES: Mapping[str, State] = {state.name: state for state in _all()}


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
        **ours,
    }
