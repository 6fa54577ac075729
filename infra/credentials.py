"""The keys and tokens of a service: where each is, since when, and new ones for all that are ours to make.

Nothing here ever prints one. People's kernels and terminals run in containers of their own, and go on.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import docker

from infra import console, health, images, interrupts, process, release_settings, tool
from infra.private import FILE, values
from infra.settings import ROOT, Settings

PROGRAM = ("python3", "-m", "dropsonde_auth.rotation")
HUB_USER = "1000"
ROTATE = "invoke credentials.rotate"
OURS = {
    "proxy token": "volume {name}-proxy-token: token",
    "cookie secret": "volume {name}-data: cookie_secret",
    "key of auth states": "volume {name}-data: crypt_key",
}
"""What `credentials.rotate` replaces, and where it is."""
FOREIGN = {
    "OAUTH_CLIENT_SECRET": "make a new one for the same client at the provider, and delete the old one when it works",
    "DACO_SECRET": "ask DACO for new keys: DACO_KEY and DACO_SECRET belong together",
    "DACO_TOKEN_SECRET": "ask DACO for a new token: DACO_TOKEN and DACO_TOKEN_SECRET belong together",
    "JUPYTERHUB_CRYPT_KEY": "put a new key before the old one, with ; between: the first one encrypts",
}
"""What others give out, and how a new one is had."""
PRIVATE_NAME = re.compile(r"(?!DACO_).*(TOKEN|SECRET|KEY|PASSWORD).*", re.IGNORECASE)
"""What the site's own additions may call theirs in hub/oauth.env, and files in hub/secrets."""
OWN = "write a new one there, then invoke reset; give it to whoever uses it"


@dataclass(frozen=True)
class Credential:
    """A key or token, without its value.

    Attributes:
        name: What it is.
        place: Where it is.
        since: Since when, ISO 8601 in UTC; "" where that is not known.
        renew: How it is replaced.
    """

    name: str
    place: str
    since: str
    renew: str


def _program(settings: Settings, image: str, *arguments: str) -> list[str]:
    name = settings.service_name
    mounts = (f"{name}-data:/srv/jupyterhub/data", f"{name}-proxy-token:/srv/jupyterhub/proxy-token")
    return [*tool.command(settings, image, *mounts, user=HUB_USER), *PROGRAM, *arguments]


def _day(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""


def _foreign() -> list[Credential]:
    """Return those that are not ours to make, as this tree has them."""
    found = []
    files = {path.name: path for path in release_settings.secret_files(ROOT)} | dict.fromkeys(values(), ROOT / FILE)
    keys = [name for name, path in files.items() if path.suffix not in release_settings.NO_KEYS]
    own = {name: OWN for name in sorted(keys) if PRIVATE_NAME.fullmatch(name)}
    for name, renew in (own | FOREIGN).items():
        if file := files.get(name):
            place = str(file.relative_to(ROOT))
            found.append(Credential(name, place, _day(file.stat().st_mtime), renew))
    return found


def observe(client: docker.DockerClient, settings: Settings) -> list[Credential]:
    """Return all credentials of the service, those that others give out included.

    Raises:
        DropsondeError: No hub is running.
    """
    what = "The hub's keys could not be looked at."
    told = json.loads(health.hub_exec(client, settings, *PROGRAM, "--list", what=what))
    name = settings.service_name
    ours = [Credential(key, place.format(name=name), _day(told.get(key)), ROTATE) for key, place in OURS.items()]
    return ours + _foreign()


def show(found: list[Credential], *, as_json: bool) -> None:
    """Print where each is, since when, and how it is replaced."""
    if as_json:
        console.as_json([asdict(item) for item in found])
        return
    rows = [(item.name, item.place, item.since[:10], item.renew) for item in found]
    console.table(("what", "where", "since", "how to replace it"), rows)
    console.result("\nTokens that people made are theirs: /hub/token of each, or credentials.rotate --people.")


def _serve_again(client: docker.DockerClient, hub: str, proxies: list[str]) -> None:
    """Start the hub, after the proxies, but also where one of them does not restart."""
    try:
        for proxy in proxies:
            client.api.restart(proxy, timeout=5)
    finally:
        client.api.start(hub)


def rotate(client: docker.DockerClient, settings: Settings, *, people: bool, yes: bool) -> None:
    """Replace the hub's own keys, and end all sessions; servers, kernels and terminals go on.

    Args:
        client: The engine.
        settings: Whose.
        people: Whether tokens end, too, that people made for programs of their own.
        yes: Whether it was agreed to in advance.

    Raises:
        DeclinedError: Nobody agreed.
        DropsondeError: No hub is running, or it does not come back.
    """
    hub = health.hub_container(client, settings)["Id"]
    proxies = [item["Id"] for item in health.containers(client, settings, "proxy", running=True)]
    image = images.tags(settings)["hub"]
    console.say(
        "Everybody signs in again, and open pages connect anew; servers, kernels and terminals go on. "
        + ("Tokens that people made end, too." if people else "Tokens that people made for themselves stay.")
    )
    console.confirm(f"Replace the keys of {settings.service_name}?", yes=yes)
    with console.step("Replacing the keys while no hub runs"):
        try:
            client.api.stop(hub, timeout=10)
            told = json.loads(
                process.run(
                    _program(settings, image, *(["--people"] if people else [])),
                    what="The keys could not be replaced.",
                    next_step=f"Run the same command again: {ROTATE}. What was replaced already is replaced once more.",
                )
            )
        finally:
            # Whatever became of it: the proxy reads its token when it starts, and the hub knows the same one.
            with interrupts.put_off():
                _serve_again(client, hub, proxies)
    with console.step("Waiting for the hub"):
        health.wait_healthy(client, settings, hub)
    console.done(f"Replaced: {', '.join(told['replaced'])}; {told['tokens']} tokens ended")
    if told["auth_states"] or told["unreadable"]:
        console.done(f"{told['auth_states']} auth states encrypted anew, {told['unreadable']} could not be read before")
    for item in _foreign():
        console.say(f"Not ours to replace: {item.name} in {item.place}: {item.renew}; then invoke reset.")
