"""No secret of the sign-in appears where somebody may read it."""

from __future__ import annotations

import json
import re

import pytest

from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor, query_of

READ_KEYS = """\
import json, os, pathlib, stat
found = {}
home = pathlib.Path("/srv/jupyterhub")
for path in [*(home / "data").rglob("*"), home / "proxy-token/token"]:
    if path.is_file() and path.stat().st_size < 4096 and path.suffix not in {".lock", ".jsonl"}:
        text = path.read_bytes().decode("latin-1").strip()
        if text:
            found[path.name] = [oct(stat.S_IMODE(path.stat().st_mode)), text]
print(json.dumps(found))
"""


class Places:
    """Where somebody may read, and what they read there."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def where(self, secret: str) -> list[str]:
        """Return the places at which a text stands, as it is or as JSON and URLs quote it."""
        return [place for place, text in self.texts.items() if secret in text]


@pytest.fixture
def lived(site: Site, arrive: Arrive) -> tuple[Visitor, dict[str, str], Places]:
    """A life with all that goes wrong in it; its pages, and the secrets of people that came up."""
    places = Places()
    visitor, denied = arrive("secrets"), arrive("denied", approved=False)
    visitor.begin()
    states = [visitor.state_cookie[1]]
    back = visitor.consent(visitor.begin())
    states.append(visitor.state_cookie[1])
    pages = {"sign-in": visitor.open(back), "replay": visitor.open(back), "denied": denied.sign_in()}
    visitor.start()
    secrets = {f"state cookie, {number}": value for number, value in enumerate(states)}
    secrets |= {"state in the address": query_of(back)["state"], "token of the visitor": visitor.token}
    visitor.http.get("/hub/home")
    # The others are no credentials: pages hold `_xsrf`, and JupyterHub logs its session id.
    logins = {item.name: item.value or "" for item in visitor.http.cookies.jar if item.name.endswith("-login")}
    assert logins
    secrets |= logins
    for service in (site.daco, site.provider):
        for mode in ("down", "html"):
            other = arrive("outage")
            back = other.consent(other.begin())
            with service.behaving(mode):
                pages[f"{service.name} {mode}"] = other.open(back)
    with site.daco.behaving("unauthorized"):
        pages["DACO refuses our keys"] = arrive("unauthorized").sign_in()
    for path in (
        "/hub/home",
        "/hub/token",
        "/hub/login",
        "/hub/no-such-page",
        "/hub/api/",
        "/hub/health",
        "/hub/approval",
    ):
        pages[path] = visitor.http.get(path)
    for page in pages.values():
        page.headers.pop("Set-Cookie", None)  # their own browser's, and nobody else's
    places.texts = {f"page: {name}": f"{page.headers}\n{page.text}" for name, page in pages.items()}
    return visitor, secrets, places


def test_secrets_stay_where_they_belong(site: Site, lived: tuple[Visitor, dict[str, str], Places]) -> None:
    visitor, own, places = lived
    container = site.container(visitor.name)
    service_token = dict(line.split("=", 1) for line in container.attrs["Config"]["Env"])["JUPYTERHUB_API_TOKEN"]
    places.texts |= {
        "log of the hub": site.hub_log(),
        "log of the proxy": site.tree.containers(site.client, "proxy")[0].logs().decode(),
        "log of the user's server": container.logs().decode(),
        "container of the user": json.dumps(container.attrs),
        "environment in the user's container": container.exec_run(["env"]).output.decode(),
        "files in the user's container": container.exec_run(
            ["sh", "-c", "cat ~/.jupyter/* ~/.local/* /tmp/*"]
        ).output.decode(),
        "container of the hub": json.dumps(site.tree.containers(site.client, "hub")[0].attrs),
        "container of the proxy": json.dumps(site.tree.containers(site.client, "proxy")[0].attrs),
    }
    for verb in (
        *[["status", "--json"], ["doctor", "--json"], ["logs"], ["users", "--json"], ["audit", "--format", "json"]],
        *[["access", visitor.name], ["access", "--json", "nobody@example.org"]],
    ):
        done = site.tree.invoke(*verb, check=False)
        assert done.stdout.strip(), f"invoke {' '.join(verb)}: {done.stderr}"
        places.texts[f"invoke {' '.join(verb)}"] = done.stdout + done.stderr
    # The search finds what is there.
    assert "log of the hub" in places.where(visitor.name)
    assert "invoke audit --format json" in places.where(visitor.name)
    assert "page: /hub/home" in places.where(visitor.name)

    kept = json.loads(site.dshell("python3", "-c", READ_KEYS))
    assert {"cookie_secret", "crypt_key"} <= set(kept), kept.keys()
    assert {mode for mode, _ in kept.values()} == {"0o600"}, {name: mode for name, (mode, _) in kept.items()}
    secrets = {name: value for name, value in vars(site.keys).items() if name != "oauth_client_id"}
    secrets |= {name: text for name, (_, text) in kept.items() if re.fullmatch(r"[\x21-\x7e]{16,}", text)}
    secrets |= {f"provider's {kind}, {number}": item for number, (kind, item) in enumerate(site.provider.issued)}
    secrets |= own
    found = {name: where for name, value in secrets.items() if (where := places.where(value))}
    assert not found, "\n".join(f"{name}: {where}" for name, where in found.items())
    # The one exception: a server's own token, in its own container and nowhere else.
    assert {place for place in places.where(service_token) if "user" not in place} == set()


def test_a_missing_secret_is_named_at_the_start_and_no_other_is_shown(site: Site) -> None:
    file = site.tree.folder / "hub/oauth.env"
    for name in ("OAUTH_CLIENT_SECRET", "DACO_TOKEN_SECRET"):
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name}=")]
        with site.tree.edited("hub/oauth.env", "\n".join(kept) + "\n"):
            done = site.tree.invoke("reset", check=False)
        assert done.returncode == 78, done.stderr
        assert name in done.stderr
        assert "Next:" in done.stderr
        for value in vars(site.keys).values():
            assert value not in done.stdout + done.stderr
    site.tree.invoke("reset")


def test_a_secret_may_come_from_a_file(site: Site, arrive: Arrive) -> None:
    """`hub/secrets/NAME` in place of a line in hub/oauth.env."""
    file = site.tree.folder / "hub/oauth.env"
    lines = file.read_text().splitlines()
    moved = ("OAUTH_CLIENT_SECRET", "DACO_SECRET")
    kept = [line for line in lines if line.partition("=")[0] not in moved]
    values = dict(line.split("=", 1) for line in lines)
    try:
        for name in moved:
            (site.tree.folder / "hub/secrets" / name).write_text(f"{values[name]}\n")
        with site.tree.edited("hub/oauth.env", "\n".join(kept) + "\n"):
            site.tree.invoke("reset")
            arrive("file").come_in()
    finally:
        for name in moved:
            (site.tree.folder / "hub/secrets" / name).unlink()
    site.tree.invoke("reset")
    arrive("usual").come_in()
