"""Enter services into the catalog, and make an ordinary project with an ordinary member, once."""

import openstack

SERVICES = {
    "glance": ("image", 9292, ""),
    "placement": ("placement", 8778, ""),
    "neutron": ("network", 9696, ""),
    "nova": ("compute", 8774, "/v2.1"),
    "cinder": ("block-storage", 8776, "/v3"),
}

identity = openstack.connect().identity
project = identity.create_project(name="service", domain_id="default")
user = identity.create_user(name="service", password="service", domain_id="default", default_project_id=project.id)
for role in ("admin", "service"):
    identity.assign_project_role_to_user(project, user, identity.find_role(role))
for name, (kind, port, path) in SERVICES.items():
    service = identity.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        url = f"http://127.0.0.1:{port}{path}"
        identity.create_endpoint(service_id=service.id, interface=interface, region_id="RegionOne", url=url)
project = identity.create_project(name="institute", domain_id="default")
user = identity.create_user(name="operator", password="operator", domain_id="default", default_project_id=project.id)
identity.assign_project_role_to_user(project, user, identity.find_role("member"))
