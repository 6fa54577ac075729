"""People, servers and tokens that do not exist, for pages that are to be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from .names import within_script

# Always the same, so that pictures of two days can be compared; past, because pages say how long ago things were.
NOW = datetime(2026, 9, 15, 9, 30, tzinfo=UTC)
NAME = "rosalind.franklin@example.org"
NASTY = """<script>alert(1)</script>"'"""
RIGHT_TO_LEFT = "\u05e8\u05d5\u05d6\u05d0\u05dc\u05d9\u05e0\u05d3"  # Hebrew letters
LONG = f"{'a-very-long-name-of-somebody-' * 6}@a-department-of-an-institute.example.org"
# What templates read of `dropsonde_spawner.profiles.Profile`, of `usage.Fullness` and of `versions.Version`.
FULL = SimpleNamespace(words="21.4 GB of 20 GB")
SIZES = {
    "small": SimpleNamespace(name="small", words="2 GB of memory, 2 processors"),
    "large": SimpleNamespace(name="large", words="8 GB of memory, 4 processors"),
}
OTHER_VERSION = SimpleNamespace(id="2f6d1c0e9a34", built="2026-09-14T16:02:11+00:00")


def ago(**span: float) -> datetime:
    """Return a moment as JupyterHub's database has it: UTC, without a zone."""
    return (NOW - timedelta(**span)).replace(tzinfo=None)


@dataclass
class Server:
    """A user's server, with what templates read of JupyterHub's `Spawner`."""

    name: str = ""
    active: bool = False
    ready: bool = False
    pending: str | None = None
    options_form: str = ""
    waiting_version: SimpleNamespace | None = None
    display_name: str = ""
    last_activity: datetime | None = None
    version: str = ""
    user_options: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, Any] = field(default_factory=dict)
    last_choice: str = ""
    running_profile: SimpleNamespace | None = None
    fullness: SimpleNamespace | None = None
    home_notice: dict[str, str] = field(default_factory=dict)

    @property
    def offers_choice(self) -> bool:
        """Whether there is more than one size."""
        return len(self.profiles) > 1

    @property
    def home_is_full(self) -> bool:
        """Whether no new server starts in the home."""
        return self.fullness is not None

    @property
    def url(self) -> str:
        """Its address."""
        return f"/user/somebody/{self.name}"


@dataclass
class Person:
    """A user, with what templates read of JupyterHub's `User`."""

    name: str = NAME
    admin: bool = False
    spawner: Server = field(default_factory=Server)
    others: tuple[Server, ...] = ()
    told: dict[str, str] = field(default_factory=dict)

    @property
    def json_escaped_name(self) -> str:
        """The name within a JavaScript string."""
        return within_script(self.name)

    @property
    def escaped_name(self) -> str:
        """The name within an address."""
        return quote(self.name, safe="@~")

    @property
    def active(self) -> bool:
        """Whether a server runs."""
        return self.spawner.active

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.server_url()

    @property
    def authenticator(self) -> Any:
        """What knows of the approval; see `dropsonde_auth.ApprovalMixin.notice`."""
        return SimpleNamespace(notice=lambda _name, _serving: self.told)

    def server_url(self, name: str = "") -> str:
        """Return where a server is."""
        return f"/user/{self.escaped_name}/{name}"

    def all_spawners(self, include_default: bool = True) -> Iterator[Server]:
        """Return the servers."""
        yield from ((self.spawner, *self.others) if include_default else self.others)


def running(**more: Any) -> Server:
    """Return a server that runs."""
    return Server(active=True, ready=True, last_activity=ago(minutes=3), version="0d01fd2f3492", **more)


def tokens() -> list[Any]:
    """Return API tokens as the token page has them."""
    texts = [
        ("Server at /user/rosalind.franklin/", ["access:servers!server", "users:activity!user"], ago(minutes=3), None),
        ("nightly export", ["access:servers", "read:users!user"], None, NOW.replace(tzinfo=None) + timedelta(days=20)),
        (NASTY, ["self"], ago(days=40), None),
    ]
    return [
        SimpleNamespace(
            api_id=f"a{number}", note=note, scopes=scopes, last_activity=used, created=ago(days=60), expires_at=expires
        )
        for number, (note, scopes, used, expires) in enumerate(texts, 1)
    ]


def oauth_clients() -> list[dict[str, Any]]:
    """Return applications with tokens as the token page has them."""
    token = SimpleNamespace(scopes=["access:servers!server=rosalind.franklin/", "read:users:name!user"])
    used = {"Server at /user/rosalind.franklin/": ago(minutes=1), "Cohort browser": None}
    rest = {"created": ago(days=12), "tokens": [token]}
    return [
        {"description": name, "last_activity": last, "token_id": f"o{number}", **rest}
        for number, (name, last) in enumerate(used.items(), 1)
    ]


def account(name: str, **more: Any) -> dict[str, Any]:
    """Return a user as JupyterHub's API does."""
    servers = more.pop("servers", {})
    return {
        "kind": "user",
        "name": name,
        "admin": False,
        "roles": ["user"],
        "groups": [],
        "created": "2026-06-30T08:00:00.000000Z",
        "last_activity": "2026-09-15T09:27:00.000000Z",
        "pending": None,
        "server": servers.get("", {}).get("url"),
        "servers": servers,
        "auth_state": None,
        **more,
    }


def api_server(user: str, **more: Any) -> dict[str, Any]:
    """Return a server as JupyterHub's API does."""
    url = f"/user/{quote(user, safe='@')}/"
    times = {"last_activity": "2026-09-15T09:27:00.000000Z", "started": "2026-09-15T08:00:00.000000Z"}
    state = {"name": "", "ready": True, "stopped": False, "pending": None, "url": url, "user_options": {}}
    return {**state, **times, "progress_url": f"/hub/api/users/{user}/server/progress", "full_url": None, **more}


def accounts() -> list[dict[str, Any]]:
    """Return the users that the admin page lists."""
    starting = api_server("barbara.mcclintock@example.org", ready=False, pending="spawn")
    return [
        account("admin@example.org", admin=True, roles=["admin", "user"]),
        account(NAME, servers={"": api_server(NAME)}, groups=["cohort-7"]),
        account("barbara.mcclintock@example.org", servers={"": starting}, pending="spawn"),
        account(NASTY, last_activity=None),
        account(RIGHT_TO_LEFT),
        account(LONG),
    ]
