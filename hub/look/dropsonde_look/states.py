"""Every page that a person can meet, with seeded data: nobody has to provoke a failure to see its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from dropsonde_spawner import stages

from . import errors, seeds, values
from .announcement import Announcement
from .brand import Brand
from .seeds import NASTY, RIGHT_TO_LEFT, Person, Server
from .values import Values

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
ENDED = "Your approval ended on 2026-09-10."
MAINTENANCE = Announcement(
    "The hub is replaced this evening. Running notebooks go on.",
    seeds.NOW + timedelta(hours=8),
    "2026-09-15 19:30 CEST",
)


@dataclass(frozen=True)
class State:
    """One state of one page.

    Attributes:
        name: Its name in addresses and file names.
        title: What it shows.
        template: The file that renders it.
        values: What its handler gives to the template besides what every page gets.
        status: The HTTP status with which people meet it.
        of_notebook: Whether a notebook server shows it, and not the hub.
    """

    name: str
    title: str
    template: str
    values: Values = field(default_factory=dict)
    status: int = 200
    of_notebook: bool = False


def _all() -> list[State]:
    no_answer = "Google did not answer as expected."
    unconfirmed = f"DACO does not answer. Your approval could not be confirmed since {seeds.NOW:%Y-%m-%d %H:%M} UTC."
    memory = errors.spawn("Your notebook server needed more memory than its limit of 2G and was ended.")
    disk = errors.spawn("The disk of this machine is full.")
    sized = seeds.running(running_profile=seeds.SIZES["large"])
    little = "Your home is nearly full (18.6 GB of 20 GB). Once it is, no new server starts: delete some files."
    nearly_full = seeds.running(home_notice={"level": "warning", "text": little})
    starts = [
        State(f"spawn-pending-{number}", f"Starting: {stage.message}", "spawn_pending.html", values.pending(number))
        for number, stage in enumerate(STAGES, 1)
    ]
    soon = f"Your approval ends in 3 days (2026-09-18 00:00 UTC). Have it renewed to keep working here. Ask {CONTACT}."
    over = f"{ENDED} Save your work: your server stops at 09:40 UTC. Your files are kept. Ask {CONTACT}."
    return [
        State("login", "Sign in, development", "login.html", values.login()),
        State(
            "login-failed",
            "Sign in refused",
            "login.html",
            values.login(login_error="Invalid username or password", username=NASTY),
            403,
        ),
        State("login-oauth", "Sign in with a provider", "login.html", values.login(development=False)),
        State(
            "login-announced",
            "Sign in, announcement",
            "login.html",
            values.login(development=False, site_announcement=lambda: MAINTENANCE),
        ),
        State(
            "login-branded", "Sign in, a site's own brand", "login.html", values.login(development=False, brand=BRANDED)
        ),
        State("denied", "Not approved", "error.html", values.sign_in_error(DENIED), 403),
        State("expired", "Approval ended", "error.html", values.sign_in_error(ENDED), 403),
        State(
            "provider-outage",
            "The provider does not answer",
            "error.html",
            values.sign_in_error(no_answer, outage=True),
            503,
        ),
        State(
            "approval-outage",
            "The approval source does not answer",
            "error.html",
            values.sign_in_error(unconfirmed, outage=True),
            503,
        ),
        State("home", "Home, nothing runs", "home.html", values.home()),
        State("home-running", "Home, server runs", "home.html", values.home(seeds.running())),
        State(
            "home-other-version",
            "Home, other libraries wait",
            "home.html",
            values.home(seeds.running(waiting_version=seeds.OTHER_VERSION)),
        ),
        State("home-warned", "Home, approval ends soon", "home.html", values.warned("warning", soon)),
        State("home-ended", "Home, approval has ended", "home.html", values.warned("danger", over)),
        State("home-branded", "Home, a site's own brand", "home.html", values.home(seeds.running(), brand=BRANDED)),
        State("home-announced", "Home, announcement", "home.html", values.home(site_announcement=lambda: MAINTENANCE)),
        State(
            "home-named-servers",
            "Home, several servers",
            "home.html",
            values.home(
                person=Person(spawner=seeds.running(), others=(seeds.running(name="cohort"), Server(name="archive"))),
                allow_named_servers=True,
                named_server_limit_per_user=3,
            ),
        ),
        State("home-nasty-name", "Home, a name that is code", "home.html", values.home(person=Person(NASTY))),
        State(
            "home-right-to-left",
            "Home, a name from right to left",
            "home.html",
            values.home(person=Person(RIGHT_TO_LEFT)),
        ),
        State(
            "home-long-name",
            "Home, a long name",
            "home.html",
            values.home(person=Person(seeds.LONG, admin=True), parsed_scopes={"admin-ui": []}),
        ),
        State("home-size", "Home, server of a chosen size runs", "home.html", values.home(sized)),
        State("home-nearly-full", "Home, little space is left", "home.html", values.home(nearly_full)),
        State("spawn-form", "Options of a start", "spawn.html", values.spawn_form()),
        State("spawn-sizes", "Choice of a size", "spawn.html", values.spawn_form(values.sizes())),
        State(
            "spawn-form-refused",
            "Options refused",
            "spawn.html",
            values.spawn_form(
                values.sizes(), error_message="There is no server size huge. Choose one of: small, large."
            ),
        ),
        State("spawn-home-full", "Start in a full home", "spawn.html", values.spawn_form(values.full_home())),
        *starts,
        State("spawn-failed", "Start failed: memory", "not_running.html", values.not_running(memory), 500),
        State("spawn-failed-at-once", "Start failed at once: disk", "error.html", values.spawn_error(disk), 500),
        State(
            "spawn-not-approved",
            "Start without approval",
            "error.html",
            values.spawn_error(errors.not_approved(ENDED, CONTACT)),
            403,
        ),
        State("not-running", "Server does not run", "not_running.html", values.not_running(), 424),
        State(
            "stop-pending",
            "Server stops",
            "stop_pending.html",
            {"spawner": seeds.running(pending="stop"), "progress_url": "/hub/look/progress/0", "auth_state": None},
        ),
        State("tokens-empty", "No tokens", "token.html", values.tokens()),
        State(
            "tokens",
            "Tokens and applications",
            "token.html",
            values.tokens(api_tokens=seeds.tokens(), oauth_clients=seeds.oauth_clients()),
        ),
        State("admin", "Administration", "admin.html", values.admin()),
        State("accept-share", "Invitation to a server", "accept-share.html", values.share()),
        State("authorize", "An application asks", "oauth.html", values.authorize()),
        State("logout", "Signed out", "logout.html", {"user": None}),
        State("error-403", "Not allowed", "error.html", values.error(403, "", text="Forbidden"), 403),
        State("error-404", "No such page", "404.html", values.error(404, "", text="Not Found"), 404),
        State("error-500", "Internal error", "error.html", values.error(500, "", text="Internal Server Error"), 500),
        State("error-503", "Server does not answer", "error.html", values.proxy_error(), 503),
        State("away", "The proxy, while the hub is replaced", "away.html", {}, 503),
        State(
            "notebook-403", "Notebook: not allowed", "error.html", values.notebook_error(403, "Forbidden"), 403, True
        ),
        State("notebook-404", "Notebook: no such page", "404.html", values.notebook_error(404, "Not Found"), 404, True),
        State(
            "notebook-500",
            "Notebook: internal error",
            "error.html",
            values.notebook_error(500, "Internal Server Error", "The kernel's folder cannot be read."),
            500,
            True,
        ),
        State(
            "notebook-branded",
            "Notebook: a site's own brand",
            "error.html",
            values.notebook_error(500, "Internal Server Error") | {"brand": BRANDED},
            500,
            True,
        ),
    ]


STATES: Mapping[str, State] = {state.name: state for state in _all()}
