"""What these tests share: the built images, and what a closed network has: a proxy, a registry, marked secrets."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest

from infra import images
from infra.images import Tags
from infra.settings import SYSTEM_CA_BUNDLES
from tests.conftest import Stack, make_stack
from tests.images.forward_proxy import ForwardProxy
from tests.images.layers import Secret
from tests.integration.tree import base_of
from tests.support.sweep import sweep

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def built(service: Stack) -> Tags:
    """The images of the session's service, all built."""
    service.invoke("build", "--yes")
    # `clean` may have removed it: a volume that is filled and checked needs it no more.
    service.invoke("build", "--yes", "--only", "science")
    return images.tags(service.settings)


@pytest.fixture(scope="session")
def base(service: Stack, client: docker.DockerClient, built: Tags) -> str:
    """The base image that they were built from."""
    return base_of(service, client)


@pytest.fixture
def other(service: Stack) -> Iterator[Stack]:
    """A service of one test's own, with nothing built."""
    name = f"{service.name[:14]}-img"
    sweep(name)
    try:
        yield make_stack(name)
    finally:
        sweep(name)


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def secret() -> Secret:
    """A password that stands nowhere else."""
    return Secret("marked", f"password-{secrets.token_hex(8)}")


@pytest.fixture
def marked_bundle(tmp_path: Path, secret: Secret) -> Path:
    """This machine's CA bundle with the secret as a comment at its end: it works, and can be found again."""
    own = [os.environ.get("CA_BUNDLE", ""), *SYSTEM_CA_BUNDLES]
    original = next(Path(name) for name in own if name and Path(name).is_file())
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(original.read_bytes() + f"\n# {secret.password}\n".encode())
    return bundle


@pytest.fixture
def forward_proxy(client: docker.DockerClient, secret: Secret) -> Iterator[ForwardProxy]:
    """A forward proxy that wants the secret, and that builds can reach: on this machine's side of the bridge."""
    gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    with ForwardProxy(gateway, secret) as proxy:
        yield proxy


@pytest.fixture
def registry(client: docker.DockerClient, service: Stack, base: str) -> Iterator[str]:
    """A registry of Debian's package; its address as it stands in image names."""
    name = f"{service.name[:14]}-registry"
    tag = f"{name}/registry:1"
    labels = {"dropsonde.service": name, "dropsonde.kind": "test"}
    sweep(name)
    try:
        with images.site_secrets(service.settings) as files:
            subprocess.run(
                ["docker", "buildx", "build", "--quiet", "--load", f"--tag={tag}", f"--build-arg=BASE_IMAGE={base}"]
                + [f"--secret=id={key},src={path}" for key, path in files.items()]
                + [f"--label={key}={value}" for key, value in labels.items()]
                + [f"--file={HERE}/Dockerfile.registry", str(HERE)],
                check=True,
                env=os.environ | {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
            )
        container = client.containers.run(tag, detach=True, labels=labels, ports={"5000/tcp": ("127.0.0.1", None)})
        container.reload()
        # The engine takes 127.0.0.0/8 for safe without TLS.
        address = f"127.0.0.1:{container.ports['5000/tcp'][0]['HostPort']}"
        for _ in range(600):
            try:
                if httpx.get(f"http://{address}/v2/").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail(f"the registry does not answer:\n{container.logs().decode()}")
        yield address
    finally:
        sweep(name)


def with_secret(url: str, secret: Secret) -> str:
    """Return a URL with the secret's user and password in it."""
    return re.sub(r"://([^/@]*@)?", f"://{secret.user}:{secret.password}@", url, count=1)
