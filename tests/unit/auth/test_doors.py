"""What a change of how people sign in does to sessions, tokens, servers and accounts; and what disturbs nobody."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dropsonde_auth import with_approval
from dropsonde_auth.doors import KEPT, Doors
from dropsonde_auth.oauth import DacoOAuthenticator
from dropsonde_auth.proof import TRAITS, proof_of, read, write
from dropsonde_auth.records import Record
from jupyterhub import orm, roles
from jupyterhub.auth import DummyAuthenticator
from oauthenticator.cilogon import CILogonOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.gitlab import GitLabOAuthenticator
from traitlets.config import Config

from .conftest import NOON, Clock, Source, audited
from .hubapp import make_hub

JANE, NICK = "jane@example.org", "nick"


class Users(dict[int, Any]):
    """JupyterHub's users, as far as servers go."""

    def __init__(self, database: Any) -> None:
        super().__init__()
        self.database = database
        self.stopped: list[str] = []

    def __getitem__(self, account: orm.User) -> Any:
        if account.id not in self:
            spawners = defaultdict(lambda: SimpleNamespace(active=False))
            self[account.id] = SimpleNamespace(name=account.name, spawners=spawners, delete_spawners=self._nothing)
        return super().__getitem__(account.id)

    async def _nothing(self) -> None:
        pass

    def delete(self, account: Any) -> None:
        found = orm.User.find(self.database, account.name)
        self.database.delete(found)
        self.database.commit()

    def serve(self, account: orm.User) -> None:
        """Give an account a running server."""
        user = self[account]

        async def stop(name: str) -> None:
            self.stopped.append(account.name)
            user.spawners.pop(name)

        user.stop = stop
        user.spawners[""] = SimpleNamespace(name="", active=True)
        orm_spawner = orm.Spawner(name="", user=account)
        self.database.add(orm_spawner)
        self.database.commit()


class Hub:
    """A hub's database and folder, started in one way and then in another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = orm.new_session_factory(f"sqlite:///{folder}/hub.sqlite")()
        self.db.add(orm.OAuthClient(identifier="jupyterhub"))
        for role in roles.get_default_roles():
            roles.create_role(self.db, role)
        self.users = Users(self.db)
        self.log = logging.getLogger("hub")
        self.authenticator: Any = None

    def starts(self, kind: Any = DacoOAuthenticator, **options: Any) -> Doors:
        config = Config({kind.__name__: {"data_dir": str(self.folder)} | options})
        self.authenticator = kind(config=config)
        return Doors(self, self.authenticator)

    def develops(self) -> Doors:
        return self.starts(with_approval(DummyAuthenticator), everybody=True)

    def comes(self, name: str, email: str = "", confirmed: datetime | None = NOON) -> str:
        """Let somebody sign in and start a server; return a token of theirs."""
        account = orm.User(name=name, last_activity=NOON.replace(tzinfo=None))
        self.db.add(account)
        self.db.commit()
        roles.assign_default_roles(self.db, account)
        self.users.serve(account)
        self.db.add(orm.OAuthCode(user=account, code="code", expires_at=2**31))
        self.authenticator.gate.records.put(Record(name, email or name, confirmed))
        return str(account.new_api_token())

    def account(self, name: str) -> Any:
        return orm.User.find(self.db, name)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [line for line in audited(self.folder / "audit") if line["event"] == event]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    yield hub
    hub.db.close()


async def test_an_empty_hub_only_remembers(hub: Hub) -> None:
    doors = hub.starts()
    assert doors.changed
    hub.db.add(orm.User(name="admin@example.org", admin=True))  # as ADMIN_USERS has it made
    await doors.close()
    assert not (hub.folder / "audit").exists()
    assert (hub.folder / KEPT).stat().st_mode & 0o777 == 0o600
    assert not hub.starts().changed


async def test_the_same_way_disturbs_nobody(hub: Hub) -> None:
    await hub.starts(client_id="one", client_secret="old", hosted_domain=["b.org", "a.org"]).close()
    token = hub.comes(JANE)
    same = hub.starts(client_id="one", client_secret="new", hosted_domain=["b.org", "a.org"], stop_minutes=1.0)
    assert not same.changed
    assert orm.APIToken.find(hub.db, token)


async def test_whoever_came_in_development_has_nothing_left(hub: Hub) -> None:
    await hub.develops().close()
    token = hub.comes(JANE, confirmed=None)
    account, cookie = hub.account(JANE).id, hub.account(JANE).cookie_id
    service = orm.Service(name="tester")
    hub.db.add(service)
    hub.db.commit()
    roles.assign_default_roles(hub.db, service)
    kept = str(service.new_api_token())
    await hub.starts().close()
    assert orm.APIToken.find(hub.db, token) is None
    assert hub.db.query(orm.OAuthCode).count() == 0
    assert hub.db.query(orm.User).filter_by(cookie_id=cookie).count() == 0
    assert hub.users.stopped == [JANE]
    assert list(hub.authenticator.gate.records.all()) == []
    assert hub.account(JANE) is None, f"account {account}, and with it its home, would be the real Jane's"
    assert orm.APIToken.find(hub.db, kept), "services' tokens come from the configuration"
    assert [line["user"] for line in hub.told("revoked")] == [JANE]
    (alarm,) = hub.told("alarm")
    assert "1 tokens are void, 1 servers" in alarm["reason"]
    assert "provider" in alarm["reason"]
    assert not hub.starts().changed
    # And the other way round: nobody in development gets a real person's files.
    hub.comes(JANE)
    await hub.develops().close()
    assert hub.account(JANE) is None


async def test_between_providers_an_address_is_the_same_person_and_a_name_is_not(hub: Hub) -> None:
    await hub.starts(with_approval(GitHubOAuthenticator), username_claim="email").close()
    hub.comes(JANE)
    hub.comes(NICK, "nick@example.org")
    cookies = {name: hub.account(name).cookie_id for name in (JANE, NICK)}
    await hub.starts(with_approval(GitLabOAuthenticator), username_claim="email").close()
    assert hub.account(NICK) is None
    assert hub.account(JANE).cookie_id != cookies[JANE]
    assert sorted(hub.users.stopped) == [JANE, NICK]


async def test_another_client_of_the_same_provider_has_the_same_people(hub: Hub) -> None:
    kind = with_approval(GitHubOAuthenticator)
    await hub.starts(kind, client_id="one").close()
    token = hub.comes(NICK, "nick@example.org")
    await hub.starts(kind, client_id="two").close()
    assert hub.account(NICK)
    assert orm.APIToken.find(hub.db, token) is None


@pytest.mark.parametrize("kept", ["", "null", "[]", '{"proved": true}', None])
async def test_a_hub_that_kept_nothing_closes_its_doors(hub: Hub, kept: str | None) -> None:
    hub.starts()
    token = hub.comes(JANE)
    hub.comes("dev", confirmed=None)
    if kept is not None:
        (hub.folder / KEPT).write_text(kept)
    await hub.starts().close()
    assert orm.APIToken.find(hub.db, token) is None
    assert hub.account(JANE), "DACO's yes says that this was no hub in development"
    assert hub.account("dev") is None


async def test_a_server_that_does_not_stop_keeps_the_hub_from_serving(
    tmp_path: Path, source: Source, clock: Clock
) -> None:
    """In JupyterHub's own application, which forgets a server also when its stop fails."""
    made = await make_hub(tmp_path, source, clock)
    proof = tmp_path / KEPT
    await made.come_in(JANE)
    await made.come_in(NICK)
    made.engine.failures[JANE] = 1
    with pytest.raises(OSError, match="500 from the engine"):
        await Doors(made.app, made.app.authenticator).close()
    assert made.engine.running == {JANE}, "one that fails keeps no other"
    assert not made.app.users[JANE].spawners[""].active
    assert not proof.exists()
    await Doors(made.app, made.app.authenticator).close()
    assert made.engine.running == set()
    assert proof.exists()
    made.app.db.close()


async def test_a_hub_that_is_killed_at_the_last_moment_takes_nobodys_account(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.starts().close()
    hub.comes(JANE)
    other = {"token_url": "https://other.example/token"}
    doors = hub.starts(**other)
    monkeypatch.setattr("dropsonde_auth.proof.write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await doors.close()
    monkeypatch.undo()
    await hub.starts(**other).close()
    assert hub.account(JANE) is not None
    assert not hub.starts(**other).changed


CHANGES: list[dict[str, Any]] = [
    {"client_id": "other"},
    {"authorize_url": "https://other.example/authorize"},
    {"token_url": "https://other.example/token"},
    {"userdata_url": "https://other.example/user"},
    {"trust_email": True},
    {"hosted_domain": ["example.org"]},
    {"username_claim": "sub"},
    {"username_map": {"a": "b"}},
    {"validate_server_cert": False},
]


@pytest.mark.parametrize("changed", CHANGES, ids=lambda item: next(iter(item)))
def test_what_decides_who_somebody_is(hub: Hub, changed: dict[str, Any]) -> None:
    hub.starts()
    former = proof_of(hub.authenticator)
    hub.starts(**changed)
    assert proof_of(hub.authenticator).changed_since(former) == set(changed)


OTHERS: list[dict[str, Any]] = [
    {"client_secret": "s"},
    {"oauth_callback_url": "https://hub.example/hub/oauth_callback"},
    {"scope": ["openid"]},
    {"admin_users": {"a"}},
    {"allowed_users": {"a"}},
    {"exempt_admins": True},
    {"contact": "c"},
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda item: next(iter(item)))
def test_what_decides_who_may_come_in_is_another_matter(hub: Hub, other: dict[str, Any]) -> None:
    hub.starts()
    former = proof_of(hub.authenticator)
    hub.starts(**other)
    assert proof_of(hub.authenticator) == former


def test_a_proof_is_the_same_at_every_start_and_shows_no_setting(hub: Hub) -> None:
    idps = {f"https://{name}.example": {"username_derivation": {"username_claim": "email"}} for name in "ab"}
    kind, options = with_approval(CILogonOAuthenticator), {"client_id": "visible-id"}
    hub.starts(kind, idps=idps, **options)
    first = proof_of(hub.authenticator)
    hub.starts(kind, idps=dict(reversed(idps.items())), **options)
    assert proof_of(hub.authenticator) == first
    hub.starts(with_approval(GitHubOAuthenticator), username_claim=lambda user: user["login"])
    with_function = proof_of(hub.authenticator)
    hub.starts(with_approval(GitHubOAuthenticator), username_claim=lambda user: user["login"])
    assert " at 0x" not in str(proof_of(hub.authenticator))
    assert proof_of(hub.authenticator).facts.keys() == with_function.facts.keys()
    path = hub.folder / "kept.json"
    write(path, first)
    assert read(path) == first
    assert "visible-id" not in path.read_text()
    assert set(first.facts) <= {"provider", *TRAITS}
