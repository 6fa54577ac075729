"""Certificates and passwords of a closed network reach the builds, and stay in no image."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

import docker

from infra import images
from infra.base import bootstrapped_tag
from infra.settings import ROOT
from tests.conftest import Stack
from tests.images.conftest import with_secret
from tests.images.forward_proxy import ForwardProxy
from tests.images.layers import Secret, places


def usual_mirrors(client: docker.DockerClient, base: str) -> tuple[str, str]:
    """Return the Debian mirror that a base image names by itself, and its mirror of security updates."""
    command = ["sh", "-c", "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null; true"]
    addresses = re.findall(r"http\S+", client.containers.run(base, command, remove=True).decode())
    security = next(address for address in addresses if "security" in address)
    return next(address for address in addresses if "security" not in address), security


def usual_index() -> str:
    """Return the package index that pip asks by itself."""
    python = ROOT / ".venv/bin/python"
    ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    command = [python if python.exists() else "python3", "-c", ask]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_search_finds_what_is_there(client: docker.DockerClient, other: Stack, secret: Secret) -> None:
    """A search that finds nothing shows nothing, unless it would have found something."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        file = tarfile.TarInfo("etc/leak")
        file.size = 3_000_000 + len(secret.password)
        archive.addfile(file, io.BytesIO(b"x" * 3_000_000 + secret.password.encode()))
    tag = f"{other.name}/leak:1"
    label = [f"LABEL dropsonde.service={other.name}"]
    client.api.import_image_from_data(content.getvalue(), repository=f"{other.name}/leak", tag="1", changes=label)
    assert len(places([tag], secret)) == 1
    label.append(f"ENV PIP_INDEX_URL=https://{secret.user}:{secret.password}@mirror.example.org")
    client.api.import_image_from_data(content.getvalue(), repository=f"{other.name}/leak", tag="1", changes=label)
    assert len(places([tag], secret)) >= 3, "layer, configuration, inspect"


def test_no_layer_holds_a_secret(
    client: docker.DockerClient,
    other: Stack,
    base: str,
    closed_port: int,
    secret: Secret,
    marked_bundle: Path,
    forward_proxy: ForwardProxy,
) -> None:
    # A name that cannot be pulled: the base image at hand is used, as it is.
    own_base = f"127.0.0.1:{closed_port}/{other.name}/base:1"
    client.images.get(base).tag(own_base)
    settings = other.settings
    mirror, security = usual_mirrors(client, base)
    environment = other.env | {
        "BASE_IMAGE": own_base,
        "CA_BUNDLE": str(marked_bundle),
        "BUILD_PROXY": forward_proxy.url,
        "DEBIAN_MIRROR": with_secret(settings.debian_mirror or mirror, secret),
        "DEBIAN_SECURITY_MIRROR": with_secret(settings.debian_security_mirror or security, secret),
        "PYPI_INDEX": with_secret(settings.pypi_index or usual_index(), secret),
        # Every build is told of it, this one fetches none; tests/integration/versions has one fetched.
        "CLIENTS": with_secret(f"https://files.example/client.tar.gz#sha256={'0' * 64}", secret),
    }
    try:
        done = other.invoke("build", "--no-cache", "--only", "hub-core", env=environment)
        tags = images.tags(Stack(other.name, other.port, environment).settings)
        assert not places([tags["hub-core"]], secret)
        # The password did what it is for.
        assert any("debian" in host for host in forward_proxy.hosts), forward_proxy.hosts
        assert len(forward_proxy.hosts) > 1, "Python packages came from elsewhere"
        # Nor does the build's log show them.
        assert secret.password not in done.stdout + done.stderr
    finally:
        client.images.remove(own_base)


def test_bootstrapped_base_image_holds_no_secret(
    client: docker.DockerClient,
    other: Stack,
    base: str,
    closed_port: int,
    secret: Secret,
    forward_proxy: ForwardProxy,
    marked_bundle: Path,
) -> None:
    """Neither at hand nor to be pulled: made from the Debian mirror."""
    environment = other.env | {
        "BASE_IMAGE": f"localhost:{closed_port}/nothing:1",
        "CA_BUNDLE": str(marked_bundle),
        "BUILD_PROXY": forward_proxy.url,
        "DEBIAN_MIRROR": with_secret(other.settings.debian_mirror or usual_mirrors(client, base)[0], secret),
    }
    # Without the cache: two base images of the same content would do for it.
    done = other.invoke("build", "--yes", "--no-cache", "--only", "notebook", env=environment)
    settings = Stack(other.name, other.port, environment).settings
    made, notebook = bootstrapped_tag(settings), images.tags(settings)["notebook"]
    layers = client.images.get(made).attrs["RootFS"]["Layers"]
    assert client.images.get(notebook).attrs["RootFS"]["Layers"][: len(layers)] == layers
    assert not places([made, notebook], secret)
    assert any("debian" in host for host in forward_proxy.hosts)
    assert secret.password not in done.stdout + done.stderr
