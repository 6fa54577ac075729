"""Everything that a cloud refuses: seen before anything changes where that can be, in three parts always."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra import cloud as library
from infra import cloud_checks
from infra.checks import Check
from infra.errors import DropsondeError
from tests.openstack.cloud import HUGE, Cloud
from tests.openstack.quota import quota
from tests.openstack.rollout import Rollout

Making = Callable[..., Rollout]


def failed(cloud: Cloud, hub: Rollout) -> dict[str, Check]:
    """Return what preflight finds wrong, by name."""
    found = library.existing(cloud.member, hub.want.service)
    return {check.name: check for check in cloud_checks.preflight(cloud.member, hub.want, found) if not check.ok}


def test_an_empty_project_can_have_everything(cloud: Cloud, rollout: Making) -> None:
    hub = rollout()
    assert failed(cloud, hub) == {}
    assert library.existing(cloud.member, "hub") == []
    assert library.address(cloud.member, "hub") == ""


def test_a_look_tells_what_a_deploy_would_do(cloud: Cloud, rollout: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(cloud.clouds))
    hub = rollout()
    assert cloud_checks.look(hub.variables) == library.plan([], hub.want)
    with (
        quota(cloud, cores=0),
        pytest.raises(DropsondeError, match="The cloud cannot give what this host wants") as caught,
    ):
        cloud_checks.look(hub.variables)
    assert caught.value.seen == "quota: cores: 0 of 0 free, 1 wanted"
    assert "larger quota of cores" in caught.value.next_step


def test_a_cloud_that_clouds_yaml_does_not_have(rollout: Making) -> None:
    told = rollout(openstack_cloud="institut").ask("check")
    assert told.returncode == 78
    assert "There are no credentials for a cloud called institut." in told.stderr
    assert "clouds.yaml has: " in told.stderr
    assert "Next: Correct openstack_cloud" in told.stderr


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "nobody"}, {"project_name": "nothing"}])
def test_credentials_that_the_cloud_does_not_take(cloud: Cloud, rollout: Making, change: dict[str, str]) -> None:
    cloud.write_clouds({"other": cloud.entry(**change)})
    told = rollout(openstack_cloud="other").ask("check")
    assert told.returncode == 1
    assert "The cloud does not take the credentials: they are wrong, or have expired." in told.stderr
    assert "Next: Put new ones into clouds.yaml." in told.stderr
    assert "Traceback" not in told.stderr


def test_a_token_that_has_expired(cloud: Cloud, rollout: Making) -> None:
    auth = {"auth_url": cloud.auth_url, "token": cloud.expired_token(), "project_name": "institute"}
    auth["project_domain_id"] = "default"
    cloud.write_clouds({"other": {"auth_type": "v3token", "auth": auth, "region_name": "RegionOne"}})
    hub = rollout(openstack_cloud="other")
    stopped = hub.ansible(fails=True).output
    assert "The cloud does not take the credentials: they are wrong, or have expired." in stopped
    assert "application credential" in stopped
    cloud.write_clouds({"other": cloud.entry()})
    assert hub.ask("check").returncode == 0


def test_a_cloud_that_does_not_answer(cloud: Cloud, rollout: Making) -> None:
    cloud.write_clouds({"other": cloud.entry(auth_url=cloud.auth_url.replace("5000", "5999"))})
    told = rollout(openstack_cloud="other").ask("check")
    assert told.returncode == 1
    assert "The cloud does not answer." in told.stderr
    assert "Next: Check the network, and auth_url in clouds.yaml" in told.stderr


@pytest.mark.parametrize(
    ("variable", "wrong", "name", "near"),
    [
        ("openstack_flavor", "m1.tset", "flavor", "m1.test"),
        ("openstack_image", "debian-31", "image", "debian-13"),
        ("openstack_network", "institut", "network", "institute"),
        ("openstack_external_network", "institute", "external network", "public"),
    ],
)
def test_names_that_the_cloud_does_not_have(
    cloud: Cloud, rollout: Making, variable: str, wrong: str, name: str, near: str
) -> None:
    check = failed(cloud, rollout(**{variable: wrong}))[name]
    assert f"the cloud has no {name} {wrong}" in check.seen
    assert near in check.seen
    assert check.remedy == f"Correct {variable} of this host."


@pytest.mark.parametrize(
    ("limit", "used", "name"),
    [
        ("instances", 0, "servers"),
        ("cores", 0, "cores"),
        ("ram", 0, "memory"),
        ("floatingip", 0, "floating IPs"),
        # The router's port, and the group that every project has.
        ("port", 1, "ports"),
        ("security_group", 1, "security groups"),
        ("security_group_rule", 4, "security group rules"),
        ("volumes", 0, "volumes"),
        ("gigabytes", 0, "volume size"),
    ],
)
def test_quotas_that_are_used_up(cloud: Cloud, rollout: Making, limit: str, used: int, name: str) -> None:
    hub = rollout()
    with quota(cloud, **{limit: used}):
        wrong = failed(cloud, hub)
    assert set(wrong) == {f"quota: {name}"}
    assert wrong[f"quota: {name}"].seen.startswith("0")
    assert "larger quota" in wrong[f"quota: {name}"].remedy


def test_a_flavor_larger_than_the_quota(cloud: Cloud, rollout: Making) -> None:
    wrong = failed(cloud, rollout(openstack_flavor=HUGE))
    assert wrong["quota: cores"].seen == "20 of 20 free, 30000 wanted"


def test_a_cloud_without_volumes(cloud: Cloud, rollout: Making) -> None:
    identity = cloud.admin.identity
    service = identity.find_service("cinder")
    for endpoint in identity.endpoints(service_id=service.id):
        identity.update_endpoint(endpoint, is_enabled=False)
    try:
        hub, without = rollout().ask("check"), rollout("training", openstack_data_gb=0).ask("check")
    finally:
        for endpoint in identity.endpoints(service_id=service.id):
            identity.update_endpoint(endpoint, is_enabled=True)
    assert hub.returncode == 1
    assert "volumes: this cloud has no volumes" in hub.stderr
    assert "Next: Set openstack_data_gb: 0 for this host." in hub.stderr
    assert without.returncode == 0, without.stderr


def test_a_name_that_somebody_else_has(cloud: Cloud, rollout: Making) -> None:
    group = cloud.member.network.create_security_group(name="dropsonde-hub", description="somebody's")
    try:
        told = rollout().ask("check")
    finally:
        cloud.member.network.delete_security_group(group)
    assert told.returncode == 1
    assert "there is a security group dropsonde-hub that does not belong to this service" in told.stderr
    assert "Nothing was changed." in told.stderr


def test_a_key_that_is_not_there(cloud: Cloud, rollout: Making) -> None:
    hub = rollout(ansible_ssh_private_key_file="/nowhere/id_ed25519")
    assert "ssh-keygen" in failed(cloud, hub)["SSH key"].remedy
