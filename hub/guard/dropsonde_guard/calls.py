"""The calls that are carried out: from the raw line of a request to a small value, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import Refused

LONGEST_TARGET = 1024


@dataclass(frozen=True)
class Call:
    """A call that is one of ours by its form; each kind of it is a class below."""

    slow = False
    """Whether it may take its time, and must not keep a start waiting."""
    changes = False
    """Whether it changes something, and is logged."""


@dataclass(frozen=True)
class Alive(Call):
    """Does the guard answer? The only call that the engine hears nothing of."""


@dataclass(frozen=True)
class Version(Call):
    """Which API the engine speaks."""


@dataclass(frozen=True)
class Usage(Call):
    """How large the homes are."""

    slow = True


@dataclass(frozen=True)
class InspectImage(Call):
    """Is a version's image there, and what is its command?"""

    name: str


@dataclass(frozen=True)
class InspectVolume(Call):
    """Is one of the configured volumes there, or a home?"""

    name: str


@dataclass(frozen=True)
class CreateVolume(Call):
    """Make an account's home."""

    body: bytes
    changes = True


@dataclass(frozen=True)
class InspectContainer(Call):
    """How is a user's container? By its name or id."""

    key: str


@dataclass(frozen=True)
class CreateContainer(Call):
    """Make a user's container."""

    name: str
    body: bytes
    changes = True


@dataclass(frozen=True)
class StartContainer(Call):
    """Start a user's container."""

    key: str
    changes = True


@dataclass(frozen=True)
class StopContainer(Call):
    """Stop a user's container; after so many seconds it is killed."""

    key: str
    seconds: int
    slow = True
    changes = True


@dataclass(frozen=True)
class RemoveContainer(Call):
    """Remove a user's container with the volumes that have no name."""

    key: str
    force: bool
    slow = True
    changes = True


@dataclass(frozen=True)
class Logs(Call):
    """The last lines of a user's container."""

    key: str
    lines: int
    slow = True


@dataclass(frozen=True)
class Route:
    """One form of a call.

    Attributes:
        method: Its method.
        path: Its path; groups are what `make` is given.
        make: Makes the call of the path's groups and the query's values.
        query: Keys that the query may have, and what their values look like.
        required: Keys that it must have.
        body: Whether there is one.
    """

    method: str
    path: re.Pattern[str]
    make: Callable[..., Call]
    query: Mapping[str, str]
    required: frozenset[str] = frozenset()
    body: bool = False


# Versions that Docker 20.10 to 29 speak; which one is the client's business, the engine is asked in the guard's own.
API = r"/v1\.(?:4[1-9]|5[0-9])"
OBJECT = r"(?P<key>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})"
BOOLEAN = r"True|False|1|0"
OFF = r"False|0"
TRUE = {"True", "1"}


def _route(
    method: str, path: str, make: Callable[..., Call], required: str = "", *, body: bool = False, **query: str
) -> Route:
    return Route(method, re.compile(path), make, query, frozenset(required.split()), body)


ROUTES = (
    _route("GET", r"/version", Version),
    _route("GET", rf"{API}/version", Version),
    _route("GET", r"/dropsonde/alive", Alive),
    _route("GET", r"/dropsonde/usage", Usage),
    _route(
        "GET",
        rf"{API}/images/(?P<name>[a-z0-9][a-z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9][a-z0-9._-]*)*:[A-Za-z0-9_][A-Za-z0-9_.-]*)/json",
        InspectImage,
    ),
    _route("GET", rf"{API}/volumes/(?P<name>[a-zA-Z0-9][a-zA-Z0-9_.-]{{0,250}})", InspectVolume),
    _route("POST", rf"{API}/volumes/create", CreateVolume, body=True),
    _route("GET", rf"{API}/containers/{OBJECT}/json", InspectContainer),
    _route(
        "POST",
        rf"{API}/containers/create",
        CreateContainer,
        required="name",
        body=True,
        name=r"[a-z0-9][a-z0-9-]{0,127}",
    ),
    _route("POST", rf"{API}/containers/{OBJECT}/start", StartContainer),
    _route(
        "POST",
        rf"{API}/containers/{OBJECT}/stop",
        lambda key, t="10": StopContainer(key, int(t)),
        t=r"[0-9]|[1-9][0-9]{1,2}",
    ),
    _route(
        "DELETE",
        rf"{API}/containers/{OBJECT}",
        lambda key, force="", **_: RemoveContainer(key, force in TRUE),
        v=BOOLEAN,
        link=OFF,
        force=BOOLEAN,
    ),
    _route(
        "GET",
        rf"{API}/containers/{OBJECT}/logs",
        lambda key, tail, **_: Logs(key, int(tail)),
        required="tail follow",
        tail=r"[1-9][0-9]{0,2}",
        follow=OFF,
        stdout=BOOLEAN,
        stderr=BOOLEAN,
        timestamps=OFF,
    ),
)


def _query(text: str, route: Route) -> dict[str, str]:
    """Return the values of a query that a route knows.

    Raises:
        Refused: There is something else in it.
    """
    found: dict[str, str] = {}
    for part in text.split("&") if text else ():
        key, sign, value = part.partition("=")
        if not sign or key not in route.query or key in found or not re.fullmatch(route.query[key], value):
            raise Refused("The query is none that the hub's spawner has")
        found[key] = value
    if not route.required <= found.keys():
        raise Refused("The query lacks what the hub's spawner always says")
    return found


def route_of(method: str, target: str) -> tuple[Route, dict[str, Any]]:
    """Return the form of a call and what it is about.

    Args:
        method: The method, exactly as it was sent.
        target: Path and query, exactly as they were sent: nothing is decoded, and nothing tidied up.

    Raises:
        Refused: It is none of ours.
    """
    path, mark, query = target.partition("?")
    if len(target) > LONGEST_TARGET or (mark and not query):
        raise Refused("The address is none that the hub's spawner has")
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match and route.method == method:
            return route, match.groupdict() | _query(query, route)
    raise Refused("The hub's spawner makes no such call")


def parse(method: str, target: str, body: bytes) -> Call:
    """Return the call that a request means.

    Raises:
        Refused: It is none of ours.
    """
    route, values = route_of(method, target)
    if bool(body) is not route.body:
        raise Refused("The call lacks its body" if route.body else "The call has a body, and needs none")
    return route.make(**values, **({"body": body} if route.body else {}))
