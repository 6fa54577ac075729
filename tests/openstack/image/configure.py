"""Write the configuration of all services."""

from __future__ import annotations

import configparser
from pathlib import Path

Sections = dict[str, dict[str, str]]
CREDENTIALS = {
    "auth_url": "http://127.0.0.1:5000/v3",
    "auth_type": "password",
    "username": "service",
    "password": "service",
    "project_name": "service",
    "user_domain_id": "default",
    "project_domain_id": "default",
    "region_name": "RegionOne",
}
QUEUE = "rabbit://guest:guest@127.0.0.1:5672/"
STATE = "/var/lib/openstack"


def database(name: str) -> dict[str, str]:
    """Say which database a service has."""
    return {"connection": f"mysql+pymysql://openstack:openstack@127.0.0.1/{name}?charset=utf8mb4"}


def common(service_type: str) -> Sections:
    """Return what every service but Keystone says."""
    return {
        "oslo_concurrency": {"lock_path": f"{STATE}/lock"},
        "keystone_authtoken": CREDENTIALS
        | {
            "www_authenticate_uri": CREDENTIALS["auth_url"],
            "service_token_roles_required": "true",
            "service_token_roles": "service,admin",
            "service_type": service_type,
        },
    }


FILES: dict[str, Sections] = {
    "keystone/keystone.conf": {
        "database": database("keystone"),
        "token": {"provider": "fernet", "expiration": "86400"},
        "cache": {"enabled": "false"},
    },
    "placement/placement.conf": {
        "api": {"auth_strategy": "keystone"},
        "placement_database": database("placement"),
        **common("placement"),
    },
    "glance/glance-api.conf": {
        "DEFAULT": {"enabled_backends": "fs:file", "worker_self_reference_url": "http://127.0.0.1:9292"},
        "database": database("glance"),
        "glance_store": {"default_backend": "fs"},
        "fs": {"filesystem_store_datadir": f"{STATE}/glance/images"},
        "os_glance_staging_store": {"filesystem_store_datadir": f"{STATE}/glance/staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": f"{STATE}/glance/tasks"},
        "paste_deploy": {"flavor": "keystone"},
        **common("image"),
    },
    "neutron/neutron.conf": {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "router",
            "auth_strategy": "keystone",
            "transport_url": QUEUE,
            "state_path": f"{STATE}/neutron",
            "api_paste_config": "/etc/neutron/api-paste.ini",
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "enable_traditional_dhcp": "false",
            "api_workers": "1",
            "rpc_workers": "0",
        },
        "database": database("neutron"),
        "nova": CREDENTIALS,
        **common("network"),
    },
    "neutron/plugins/ml2/ml2_conf.ini": {
        "ml2": {
            "type_drivers": "flat,vlan,vxlan,local",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "at_once",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "public"},
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "securitygroup": {"enable_security_group": "true"},
    },
    "nova/nova.conf": {
        "DEFAULT": {
            "host": "computer",
            "my_ip": "127.0.0.1",
            "compute_driver": "dropsonde_hypervisor.Driver",
            "transport_url": QUEUE,
            "state_path": f"{STATE}/nova",
            "vif_plugging_is_fatal": "false",
            "vif_plugging_timeout": "0",
        },
        "api_database": database("nova_api"),
        "database": database("nova"),
        "api": {"auth_strategy": "keystone"},
        "vnc": {"enabled": "false"},
        "conductor": {"workers": "1"},
        "scheduler": {"workers": "1"},
        "glance": CREDENTIALS,
        "placement": CREDENTIALS,
        "neutron": CREDENTIALS,
        "cinder": CREDENTIALS | {"catalog_info": "block-storage:cinder:publicURL", "os_region_name": "RegionOne"},
        "service_user": CREDENTIALS | {"send_service_user_token": "true"},
        **common("compute"),
    },
    "cinder/cinder.conf": {
        "DEFAULT": {
            "host": "computer",
            "my_ip": "127.0.0.1",
            "transport_url": QUEUE,
            "auth_strategy": "keystone",
            "enabled_backends": "fake",
            "default_volume_type": "fake",
            "state_path": f"{STATE}/cinder",
            "api_paste_config": "/etc/cinder/api-paste.ini",
            "resource_query_filters_file": "/etc/cinder/resource_filters.json",
            "glance_api_servers": "http://127.0.0.1:9292",
        },
        "fake": {
            "volume_driver": "cinder.tests.fake_driver.FakeLoggingVolumeDriver",
            "volume_backend_name": "fake",
        },
        "database": database("cinder"),
        "nova": CREDENTIALS,
        **common("block-storage"),
    },
}

for name, sections in FILES.items():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(sections)
    path = Path("/etc") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        parser.write(file)
