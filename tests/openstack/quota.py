"""Quotas of the tests' project, changed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.openstack.cloud import Cloud

DEFAULTS = {
    "compute": {"instances": 10, "cores": 20, "ram": 51200},
    "network": {"floatingip": 50, "port": 500, "security_group": 10, "security_group_rule": 100},
    "volume": {"volumes": 10, "gigabytes": 1000},
}


@contextmanager
def quota(cloud: Cloud, **limits: int) -> Iterator[None]:
    """Let the project have these limits for a while; -1 is none."""
    project = cloud.admin.identity.find_project("institute").id
    change = {
        "compute": cloud.admin.set_compute_quotas,
        "network": cloud.admin.set_network_quotas,
        "volume": cloud.admin.set_volume_quotas,
    }
    service = next(name for name, known in DEFAULTS.items() if limits.keys() <= known.keys())
    change[service](project, **limits)
    try:
        yield
    finally:
        change[service](project, **{name: DEFAULTS[service][name] for name in limits})
