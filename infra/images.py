"""The images: which there are, what they are made of, and building what is missing.

A tag names the content of what an image is made from (its Dockerfile, its files, its parent), so an image that was
already built, loaded or pulled under its tag is simply used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from infra import console, doctor, health, process
from infra.base import BASE, debian_sources, ensure_base, exists
from infra.errors import DropsondeError, UsageError
from infra.settings import ROOT, Settings


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        name: Short name, as in `invoke build --only NAME`.
        dockerfile: Its Dockerfile, relative to the project.
        inputs: Files and folders it is made from, relative to the project.
        parent: Name of the image it starts from; "base" is the base image.
        settings: Names of the settings that decide what is in it; `{NAME}` in an input stands for their value.
    """

    name: str
    dockerfile: str
    inputs: tuple[str, ...]
    parent: str = BASE
    settings: tuple[str, ...] = ()


CATALOG = (
    Image("hub-core", "hub/Dockerfile.jupyterhub-core", ("hub/requirements.txt", "requirements/build.txt")),
    Image(
        "hub",
        "hub/Dockerfile.custom",
        (
            "hub/jupyterhub_config.py",
            "hub/launch.py",
            "hub/config.d",
            "hub/spawner/dropsonde_spawner",
            "hub/auth_daco/dropsonde_auth",
            "hub/look/dropsonde_look",
            "hub/release/dropsonde_release",
            "hub/web/dropsonde_web",
            "www_custom/hub",
            "www_custom/notebook/templates",
        ),
        parent="hub-core",
    ),
    Image(
        "guard",
        "hub/Dockerfile.guard",
        (
            "hub/guard/dropsonde_guard",
            "hub/firewall/dropsonde_firewall",
            *(
                f"hub/spawner/dropsonde_spawner/{name}.py"
                for name in ("__init__", "hostconfig", "labels", "naming", "profiles", "variables")
            ),
        ),
        parent="hub-core",
    ),
    Image("proxy", "hub/Dockerfile.proxy", ("hub/proxy", "www_custom/hub/errors")),
    Image(
        "notebook",
        "notebook/Dockerfile.notebook",
        (
            "notebook/packages.txt",
            "notebook/dpkg-architecture",
            "notebook/demo.ipynb",
            "notebook/demo-r.ipynb",
            "notebook/demo-scala.ipynb",
            "notebook/start-singleuser",
            "notebook/jupyter_server_config.py",
            "notebook/own_packages.py",
            "notebook/at_work.py",
            "notebook/Rprofile.site",
            "notebook/science/checksums.py",
            "notebook/science/manifest.py",
            "www_custom/notebook",
        ),
    ),
    Image(
        "science",
        "notebook/Dockerfile.create-volume",
        (
            "notebook/science/python-build.txt",
            "notebook/science/python-core.in",
            "notebook/science/python-{science_profile}.in",
            "notebook/science/python-{science_profile}.txt",
            "notebook/science/r-core.txt",
            "notebook/science/r-{science_profile}.txt",
            "notebook/science/check.py",
            "notebook/science/checksums.py",
            "notebook/science/fetch_clients.py",
            "notebook/science/manifest.py",
            "notebook/science/fill",
            "notebook/science/kernels",
            "notebook/science/zz-dropsonde.json",
            "notebook/workflows",
            "requirements/build.txt",
        ),
        settings=("science_profile", "clients"),
    ),
)
"""Every image, parents before children."""


@dataclass(frozen=True)
class Tags:
    """The content tag of every image, e.g. `dropsonde/hub:3f2a...`, by short name."""

    by_name: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """Return the tag of one image."""
        return self.by_name[name]

    def digest(self, name: str) -> str:
        """Return the content digest of one image, 12 hex digits."""
        return self.by_name[name].rpartition(":")[2]


def _files(inputs: Sequence[str], root: Path) -> Iterator[Path]:
    for name in inputs:
        path = root / name
        if path.is_dir():
            for folder, folders, files in os.walk(path):
                folders[:] = sorted(item for item in folders if item != "__pycache__")
                yield from (Path(folder) / item for item in sorted(files))
        else:
            yield path


def tags(settings: Settings, root: Path = ROOT) -> Tags:
    """Return the tags of all images, computed from the tree alone; needs no engine.

    Raises:
        DropsondeError: A file that an image is made of is missing.
    """
    by_name: dict[str, str] = {BASE: settings.base_image}
    for image in CATALOG:
        values = {name: getattr(settings, name) for name in image.settings}
        digest = hashlib.sha256(f"{image.name}\n{by_name[image.parent]}\n{values or ''}".encode())
        inputs = [name.format(**values) for name in image.inputs]
        # dict: a name may stand there twice.
        for path in dict.fromkeys(_files((image.dockerfile, ".dockerignore", *inputs), root)):
            try:
                mode, content = os.access(path, os.X_OK), path.read_bytes()
            except OSError as error:
                raise DropsondeError(
                    f"The {image.name} image cannot be built: one of its files cannot be read.",
                    seen=str(error),
                    next_step=f"Bring it back: git checkout -- {path.relative_to(root)}",
                ) from error
            digest.update(f"{path.relative_to(root)} {mode} {len(content)}\n".encode())
            digest.update(content)
        by_name[image.name] = f"{settings.service_name}/{image.name}:{digest.hexdigest()[:12]}"
    return Tags(by_name)


def plan(missing: Sequence[str], *, only: str = "", no_cache: bool = False) -> list[Image]:
    """Return the images to build, parents before children.

    Args:
        missing: Names of the images that the engine does not have.
        only: Build this one (and missing parents) only; empty means all.
        no_cache: Build even what is there.

    Raises:
        UsageError: `only` names no image.
    """
    known = {image.name: image for image in CATALOG}
    if not only:
        wanted = set(known)
    elif only in known:
        wanted = {only, known[only].parent}
    else:
        raise UsageError(f"There is no image called {only!r}.", next_step=f"Choose one of: {', '.join(known)}")
    return [image for image in CATALOG if image.name in wanted and (no_cache or image.name in missing)]


def missing(client: docker.DockerClient, all_tags: Tags) -> list[str]:
    """Return the names of the images that the engine does not have."""
    return [image.name for image in CATALOG if not exists(client, all_tags[image.name])]


def _write_private(path: Path, lines: Sequence[str]) -> None:
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")


# Niceness counts within a container only, and a build step is one: it leaves a whole processor to the others instead.
LEAVE_ONE_PROCESSOR = 'taskset --pid --cpu-list "1-$(($(nproc --all) - 1))" $$ > /dev/null 2>&1 || true'


def site_files(settings: Settings, folder: Path, *, gently: bool = False) -> dict[str, Path]:
    """Write what a closed network needs into files for build secrets, and return them by secret id.

    Mirrors, proxies and the CA bundle reach a build step as secrets only: a URL may carry a password, and no layer,
    argument or history of an image shall hold one.

    Args:
        settings: Those of the site.
        folder: Where the files go.
        gently: Leave one processor to whoever works on this machine meanwhile, if it has several.
    """
    exports: dict[str, str] = {}
    apt: list[str] = []
    files: dict[str, Path] = {}
    if settings.ca_bundle:
        files["ca"] = settings.ca_bundle
        names = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
        exports |= dict.fromkeys(names, "/run/secrets/ca")
        apt.append('Acquire::https::CAInfo "/run/secrets/ca";')
    if settings.pypi_index:
        exports |= {"PIP_INDEX_URL": settings.pypi_index, "UV_DEFAULT_INDEX": settings.pypi_index}
    if settings.npm_registry:
        exports["NPM_CONFIG_REGISTRY"] = settings.npm_registry
    if settings.build_proxy:
        exports |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), settings.build_proxy)
        exports |= dict.fromkeys(("no_proxy", "NO_PROXY"), settings.build_no_proxy)
    if settings.debian_mirror:
        files["sources"] = folder / "sources"
        _write_private(files["sources"], debian_sources(settings))
        apt += ['Dir::Etc::SourceList "/run/secrets/sources";', 'Dir::Etc::SourceParts "/dev/null";']
    if settings.clients:
        exports["CLIENTS"] = " ".join(settings.clients)
    # An `apt-get update` that did not reach its mirror would end well, and the error name packages instead.
    apt.append('APT::Update::Error-Mode "any";')
    # A build step is kept whole or not at all: its files need not be forced to the disk one by one.
    apt.append('DPkg::Options:: "--force-unsafe-io";')
    exports["APT_CONFIG"] = "/run/secrets/apt"
    for name, lines in (
        (
            "site",
            [LEAVE_ONE_PROCESSOR] * gently + [f"export {key}={shlex.quote(value)}" for key, value in exports.items()],
        ),
        ("apt", apt),
    ):
        files[name] = folder / name
        _write_private(files[name], lines)
    return files


@contextmanager
def site_secrets(settings: Settings, *, gently: bool = False) -> Iterator[dict[str, Path]]:
    """Hold the files of `site_files` in a private folder while a build runs."""
    with tempfile.TemporaryDirectory(prefix="dropsonde-site-") as folder:
        yield site_files(settings, Path(folder), gently=gently)


def clients_id(settings: Settings) -> str:
    """Return a digest of which clients are wanted: a secret's content does not count for BuildKit's cache."""
    return hashlib.sha256(process.without_password(" ".join(settings.clients)).encode()).hexdigest()[:12]


def bake_file(
    images: Sequence[Image], settings: Settings, all_tags: Tags, base: str, secrets: Mapping[str, Path]
) -> dict[str, Any]:
    """Return the `docker buildx bake` definition that builds these images."""
    return {
        "group": {"default": {"targets": [image.name for image in images]}},
        "target": {
            image.name: {
                "context": ".",
                "dockerfile": image.dockerfile,
                "args": {"CORE_IMAGE": all_tags[image.parent]}
                if image.parent != BASE
                else {"BASE_IMAGE": base, "PROFILE": settings.science_profile, "CLIENTS_ID": clients_id(settings)},
                "tags": [all_tags[image.name]],
                "labels": settings.labels(f"image-{image.name}"),
                "secret": [f"id={name},src={path}" for name, path in secrets.items()],
            }
            for image in images
        },
    }


def build_step(line: str) -> str:
    """Return the step that starts with this line of a plain build log, without our secrets' options; or nothing."""
    match = re.match(r"#\d+ \[(?P<step>[^]]* \d+/\d+|\d+/\d+)\] (?P<what>.+)", line)
    if not match:
        return ""
    what = re.sub(r"--mount=\S+\s+|\. /run/secrets/site && ", "", match["what"])
    return f"[{match['step']}] {' '.join(what.split())}"[:100]


def _bake(definition: dict[str, Any], *, no_cache: bool) -> None:
    """Run one bake: its own progress on a terminal, one line a step elsewhere, the log's end on failure."""
    arguments = ["docker", "buildx", "bake", "--builder=default", "--file=-", "--load"]
    if no_cache:
        arguments.append("--no-cache")
    # Newer buildx asks before it reads files outside the project: the CA bundle is one.
    environment = os.environ | {"BUILDX_BAKE_ENTITLEMENTS_FS": "0", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    log: list[str] = []
    shown: set[str] = set()
    with subprocess.Popen(
        [*arguments, "--progress", "plain"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as build:
        assert build.stdin is not None  # noqa: S101 - opened as a pipe above
        assert build.stdout is not None  # noqa: S101
        build.stdin.write(json.dumps(definition))
        build.stdin.close()
        for line in build.stdout:
            log.append(line)
            step = build_step(line)
            if step and step not in shown:
                shown.add(step)
                console.progress(step)
    if build.returncode:
        raise _build_error(log)


def _build_error(log: Sequence[str]) -> DropsondeError:
    text = process.without_password("".join(line.partition(" ")[2] if line.startswith("#") else line for line in log))
    start = text.rfind("------\n > ")
    failed = re.findall(r"^#(\d+) ERROR", "".join(log), re.MULTILINE)
    if failed:
        # The summary at the end leaves out what the step wrote in several lines at once.
        own = [re.sub(rf"^#{failed[-1]} ([\d.]+ )?", "", line) for line in log if line.startswith(f"#{failed[-1]} ")]
        seen = process.tail(process.without_password("".join(own)))
    else:
        seen = process.tail(text[start:] if start >= 0 else text)
    offline = process.unreachable_hosts(seen)
    if offline:
        return DropsondeError(
            f"The build has no network to {', '.join(offline)}.",
            seen=seen,
            next_step="Check the network, or set the mirrors and the proxy of your site in .env (see .env.example).",
        )
    return DropsondeError(
        "An image could not be built. Everything that was there before is still there.",
        seen=seen,
        next_step="Mend what the log names, then run the same command again; finished steps are not repeated.",
    )


def rounds(images: Sequence[Image]) -> list[list[Image]]:
    """Return the images in the order in which they are built: what stands together is built at the same time.

    A child can only start from a parent that the engine has. The libraries come last: lists that do not resolve must
    not keep a mended hub from being built.
    """
    parents = [image for image in images if image.parent == BASE and image.name != "science"]
    children = [image for image in images if image.parent != BASE]
    science = [image for image in images if image.name == "science"]
    return [round_ for round_ in (parents, children, science) if round_]


def build(
    client: docker.DockerClient,
    settings: Settings,
    images: Sequence[Image],
    all_tags: Tags,
    *,
    no_cache: bool = False,
    yes: bool = False,
) -> None:
    """Build these images, round by round; what was built before a failure stays.

    Raises:
        DropsondeError: A build failed, the disk is nearly full, or the base image is not to be had.
    """
    if not images:
        return
    doctor.require_disk(settings, client)
    built: list[str] = []
    people = bool(health.containers(client, settings, "notebook", running=True))
    with site_secrets(settings, gently=people) as secrets:
        base = ensure_base(client, settings, refresh=no_cache, yes=yes)
        for round_ in rounds(images):
            names = [image.name for image in round_]
            try:
                with console.step(f"Building {', '.join(names)}"):
                    _bake(bake_file(round_, settings, all_tags, base, secrets), no_cache=no_cache)
            except DropsondeError as error:
                if not built:
                    raise
                what = f"{error.what} Built before it, and ready: {', '.join(built)}."
                raise DropsondeError(what, seen=error.seen, next_step=error.next_step) from error
            built += names
