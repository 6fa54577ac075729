"""The one exemption from approval: in a throw-away service only, and only with its secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from dropsonde_auth import ApprovalMixin, with_approval
from dropsonde_release import exemption
from jupyterhub.auth import DummyAuthenticator, NullAuthenticator
from traitlets.config import Config


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    return file


def test_a_throw_away_service_with_its_secret_has_it(token: Path) -> None:
    c = Config()
    c.JupyterHub.services = [{"name": "site"}]
    c.Authenticator.admin_users = {"ada"}
    c.JupyterHub.db_url = "postgresql://people/hub"
    c.DropsondeSpawner.data_mounts = [{"source": "/data", "target": "/data"}]
    c.DockerSpawner.volumes = {"/srv/genomes": "/data"}
    c.DropsondeSpawner.mounts = [{"source": "/srv/genomes", "target": "/more"}]
    assert exemption.apply(c, "dropsonde-probe", token)
    assert c.Authenticator.admin_users == {exemption.ACCOUNT}
    assert c.ApprovalMixin.exempt_admins is True
    assert c.JupyterHub.db_url == "sqlite:////srv/jupyterhub/data/jupyterhub.sqlite"
    assert c.DropsondeSpawner.data_mounts == []
    assert (c.DockerSpawner.volumes, c.DropsondeSpawner.mounts) == ({}, [])
    assert c.JupyterHub.services == [
        {"name": "site"},
        {"name": exemption.ACCOUNT, "api_token": "0123456789abcdef"},
    ]


@pytest.mark.parametrize(("service", "secret"), [("dropsonde", True), ("dropsonde-probe", False), ("probe", True)])
def test_no_other_service_has_it(token: Path, service: str, secret: bool) -> None:
    c = Config()
    c.Authenticator.admin_users = {"ada"}
    before = repr(c)
    assert not exemption.apply(c, service, token if secret else token.with_name("absent"))
    assert repr(c) == before


def test_the_gate_lets_that_account_in_and_nobody_else(token: Path, tmp_path: Path) -> None:
    c = Config()
    c.ApprovalMixin.approval_source = lambda _alarm: _Nobody()
    c.ApprovalMixin.data_dir = str(tmp_path)
    exemption.apply(c, "dropsonde-probe", token)
    authenticator: ApprovalMixin = with_approval(NullAuthenticator)(config=c)
    assert not authenticator.gate.needs_approval(exemption.ACCOUNT)
    assert authenticator.gate.may_go_on(exemption.ACCOUNT)
    assert authenticator.gate.needs_approval("ada")


class _Nobody:
    name = "nobody"


def test_an_open_door_is_refused_whoever_opened_it(token: Path) -> None:
    c = Config()
    c.JupyterHub.authenticator_class = with_approval(DummyAuthenticator)
    with pytest.raises(exemption.OpenDoorError):
        exemption.apply(c, "dropsonde-probe", token)
