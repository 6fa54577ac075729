"""What is in the images, and what is not."""

from __future__ import annotations

import json

import docker
import pytest

from infra.images import CATALOG, Tags
from infra.settings import ROOT
from tests.conftest import Stack, artifact

RUNTIME = ("hub", "proxy", "notebook")
BUILD_TOOLS = ("pip", "pip3", "uv", "npm", "npx", "gcc", "cc", "g++", "make", "mmdebstrap")
PROGRAMS = ("R", "Rscript", "java", "samtools", "bcftools", "bedtools", "tabix", "git", "curl", "jq", "rsync", "less")
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


def python_packages(client: docker.DockerClient, tag: str) -> set[str]:
    installed = inside(client, tag, "find", "/opt", "-path", "*/site-packages/*", "-prune").splitlines()
    return {path.rpartition("/")[2].partition("-")[0].lower() for path in installed}


def test_hubs_python_packages_without_those_that_harm(client: docker.DockerClient, built: Tags) -> None:
    names = python_packages(client, built["hub"])
    assert "jupyterhub" in names
    assert not names & {*SLOW_OR_HARMFUL, "pip", "uv"}


def test_peoples_python_packages(client: docker.DockerClient, built: Tags) -> None:
    names = python_packages(client, built["science"])
    assert {"jupyterhub", "jupyterlab", "pandas", "pysam", "toree"} <= names
    # People add packages of their own to their home.
    assert {"pip", "uv", "virtualenv"} <= names
    assert not names & set(SLOW_OR_HARMFUL)


def manual_packages(client: docker.DockerClient, tag: str) -> set[str]:
    return set(inside(client, tag, "apt-mark", "showmanual").split())


def test_notebook_has_the_declared_debian_packages(client: docker.DockerClient, built: Tags, base: str) -> None:
    lines = (ROOT / "notebook/packages.txt").read_text().splitlines()
    declared = {line for line in lines if line and not line.startswith("#")}
    own = manual_packages(client, base)
    assert manual_packages(client, built["notebook"]) - own == declared - own
    listed = json.loads(inside(client, built["notebook"], "cat", "/usr/local/share/dropsonde/image.json"))["packages"]
    found = inside(client, built["notebook"], "dpkg-query", "-W", "-f", "${Package} ${Version}\\n").splitlines()
    assert sorted(f"{item['name']} {item['version']}" for item in listed) == sorted(found)
    assert declared <= {item["name"] for item in listed}


def test_notebook_has_interpreters_and_tools(client: docker.DockerClient, built: Tags) -> None:
    look = f"for name in {' '.join(PROGRAMS)}; do command -v $name >/dev/null || echo $name; done"
    assert inside(client, built["notebook"], "sh", "-c", look) == ""
    versions = inside(client, built["notebook"], "sh", "-c", "R --version; java -version 2>&1; samtools --version")
    for word in ("R version 4.", 'openjdk version "21', "samtools 1."):
        assert word in versions


def test_notebook_holds_no_libraries(client: docker.DockerClient, built: Tags) -> None:
    """They are in the volume: what is in the image would be behind it, or differ from it."""
    assert inside(client, built["notebook"], "find", "/opt", "-mindepth", "1") == ""
    look = ("find", "/usr/lib/R/site-library", "/usr/local/lib/R/site-library", "-mindepth", "1", "-maxdepth", "1")
    assert inside(client, built["notebook"], "sh", "-c", f"{' '.join(look)} 2>/dev/null; true") == ""


def test_volume_holds_the_lists_of_its_profile_only(client: docker.DockerClient, built: Tags) -> None:
    declared = inside(client, built["science"], "ls", "/opt/dropsonde/declared").split()
    assert declared == ["python-core.in", "r-core.txt"]


def test_everybody_may_read_the_volume(client: docker.DockerClient, built: Tags) -> None:
    look = ("find", "/opt", "-not", "-type", "l", "-not", "-perm", "-004", "-o", "-type", "d", "-not", "-perm", "-005")
    assert inside(client, built["science"], *look) == ""


def test_hub_may_write_to_its_data_only(client: docker.DockerClient, built: Tags) -> None:
    # uv leaves an empty lock file.
    look = ("find", "/srv", "/opt", "-writable", "-not", "-type", "l", "-not", "-name", ".lock")
    writable = inside(client, built["hub"], *look).splitlines()
    # The volume of the guard's socket begins as a copy of that folder; the hub mounts it for reading.
    assert set(writable) == {f"/srv/jupyterhub/{name}" for name in ("data", "guard", "pages", "proxy-token")}


def test_byte_code_is_there(client: docker.DockerClient, built: Tags) -> None:
    # Without it the (read-only) hub would compile everything at each start.
    for place in ("/opt/jupyterhub/lib", "/srv/jupyterhub/packages"):
        assert inside(client, built["hub"], "find", place, "-name", "*.pyc", "-print", "-quit").strip()
    # The volume is read-only, too.
    bare = "find /opt/science/lib -path '*/site-packages/pandas/*' -name '*.py' | wc -l"
    compiled = "find /opt/science/lib -path '*/site-packages/pandas/*' -name '*.pyc' | wc -l"
    sources, codes = inside(client, built["science"], "sh", "-c", f"{bare}; {compiled}").split()
    assert int(codes) >= int(sources) > 100


def test_private_files_are_not_in_the_hubs_image(client: docker.DockerClient, built: Tags) -> None:
    names = inside(client, built["hub"], "find", "/srv", "-name", "oauth.env*", "-o", "-name", "secrets")
    assert names == ""


def test_sizes(client: docker.DockerClient, built: Tags, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {image.name: client.images.get(built[image.name]).attrs["Size"] for image in CATALOG}
    artifact("images.json").write_text(json.dumps(sizes, indent=2) + "\n")
    with capsys.disabled():
        print("\n" + "\n".join(f"  {name:10} {size / 1e6:6.0f} MB" for name, size in sizes.items()))
    assert all(size > 1_000_000 for size in sizes.values())
    assert sizes["notebook"] < 1_100_000_000, "interpreters, system libraries and tools; no more"
