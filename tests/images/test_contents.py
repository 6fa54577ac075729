"""What is in the images, and what is not."""

from __future__ import annotations

import json

import docker
import pytest

from infra.images import CATALOG, Tags
from tests.conftest import Stack, artifact

RUNTIME = ("hub", "proxy", "notebook")
BUILD_TOOLS = ("pip", "pip3", "uv", "npm", "npx", "gcc", "cc", "g++", "make", "mmdebstrap")
SLOW_OR_HARMFUL = ("rfc3987_syntax", "aiodns", "pycares")


def inside(client: docker.DockerClient, tag: str, *command: str) -> str:
    """Run a program in an image, as its own user and without a network."""
    output: bytes = client.containers.run(tag, command[1:], entrypoint=command[0], network_mode="none", remove=True)
    return output.decode()


@pytest.mark.parametrize("name", RUNTIME)
def test_runs_as_an_ordinary_user_under_an_init(client: docker.DockerClient, built: Tags, name: str) -> None:
    config = client.images.get(built[name]).attrs["Config"]
    assert config["User"] not in {"", "0", "root"}
    assert inside(client, built[name], "id", "-u").strip() == "1000"
    assert config["Entrypoint"][:3] == ["tini", "-g", "--"]


@pytest.mark.parametrize("name", [image.name for image in CATALOG])
def test_is_labelled_as_ours(client: docker.DockerClient, service: Stack, built: Tags, name: str) -> None:
    labels = client.images.get(built[name]).labels
    assert labels.items() >= service.settings.labels(f"image-{name}").items()


@pytest.mark.parametrize("name", RUNTIME)
def test_holds_no_build_tools_and_no_lists_of_packages(client: docker.DockerClient, built: Tags, name: str) -> None:
    look = f"for name in {' '.join(BUILD_TOOLS)}; do command -v $name; done; find /var/lib/apt/lists -type f"
    look += "; find /var/cache/apt -name '*.deb'; find /var/log -name 'dpkg.log*'; ls /run/secrets; true"
    assert inside(client, built[name], "sh", "-c", look + " 2>/dev/null").splitlines() == []


def test_hub_has_our_spawner_and_jupyterhub(client: docker.DockerClient, built: Tags) -> None:
    program = "import dropsonde_spawner, jupyterhub; print(dropsonde_spawner.DropsondeSpawner, jupyterhub.__version__)"
    shown = inside(client, built["hub"], "python3", "-c", program)
    assert "DropsondeSpawner" in shown
    assert shown.split()[-1].startswith("6.1.")


@pytest.mark.parametrize("name", ["hub", "science"])
def test_python_packages_without_those_that_harm(client: docker.DockerClient, built: Tags, name: str) -> None:
    installed = inside(client, built[name], "find", "/opt", "-path", "*/site-packages/*", "-prune").splitlines()
    names = {path.rpartition("/")[2].partition("-")[0].lower() for path in installed}
    assert "jupyterhub" in names
    assert not names & {*SLOW_OR_HARMFUL, "pip", "uv"}


def test_hub_may_write_to_its_data_only(client: docker.DockerClient, built: Tags) -> None:
    # uv leaves an empty lock file.
    look = ("find", "/srv", "/opt", "-writable", "-not", "-type", "l", "-not", "-name", ".lock")
    writable = inside(client, built["hub"], *look).splitlines()
    assert set(writable) == {"/srv/jupyterhub/data", "/srv/jupyterhub/proxy-token"}


def test_byte_code_is_there(client: docker.DockerClient, built: Tags) -> None:
    # Without it the (read-only) hub would compile everything at each start.
    for place in ("/opt/jupyterhub/lib", "/srv/jupyterhub/packages"):
        assert inside(client, built["hub"], "find", place, "-name", "*.pyc", "-print", "-quit").strip()


def test_private_files_are_not_in_the_hubs_image(client: docker.DockerClient, built: Tags) -> None:
    names = inside(client, built["hub"], "find", "/srv", "-name", "oauth.env*", "-o", "-name", "secrets")
    assert names == ""


def test_sizes(client: docker.DockerClient, built: Tags, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {image.name: client.images.get(built[image.name]).attrs["Size"] for image in CATALOG}
    artifact("images.json").write_text(json.dumps(sizes, indent=2) + "\n")
    with capsys.disabled():
        print("\n" + "\n".join(f"  {name:10} {size / 1e6:6.0f} MB" for name, size in sizes.items()))
    assert all(size > 1_000_000 for size in sizes.values())
