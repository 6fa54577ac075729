"""All checks and tests. `nox` runs the default ones, in this order; `nox -s NAME` one of them.

Sessions that need an engine share one service of their own name and port, so that they never touch a stack that you are
using; it is removed when nox ends.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

ROOT = Path(__file__).parent
# nox, unlike invoke, does not look for modules beside its file.
sys.path.insert(0, str(ROOT))

from infra import browser, engine, settings  # noqa: E402

# nox shows the debug messages of every library that we use.
for library in ("docker", "urllib3"):
    logging.getLogger(library).setLevel(logging.WARNING)

# Not default: the long sessions, science, openstack, audit and bench. "stories" is integration and deploy at the same
# time, "browsers" is e2e and look beside signin. From cold on two cores, by how fast these are: 50 to 75 minutes.
nox.options.sessions = ["lint", "unit", "images", "stories", "browsers", "attack"]
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True

# Their own name and port; set SERVICE_NAME to look at what is left after a failure.
SERVICE = f"nox{os.getpid()}"


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


PORT = _free_port()


def _sync(session: nox.Session, group: str) -> None:
    """Install exactly what the group's lock says."""
    session.run_install("uv", "pip", "sync", "--quiet", "--require-hashes", f"requirements/{group}.txt", external=True)


def _agreed(session: nox.Session) -> bool:
    """Return whether the machine may be changed without asking: `nox -- --yes`, or CI=true."""
    return "--yes" in session.posargs or settings.unattended()


def _pytest(session: nox.Session, *arguments: str, group: str, env: dict[str, str] | None = None) -> None:
    _sync(session, group)
    extra = [argument for argument in session.posargs if argument != "--yes"]
    own = {"SERVICE_NAME": SERVICE, "HUB_PORT": PORT, "CI": "true" if _agreed(session) else ""}
    session.run("pytest", *arguments, *extra, env=own | (env or {}))


def _with_engine(session: nox.Session) -> None:
    """Make sure that there is an engine, and that nothing of our service is left when nox ends."""
    engine.ensure(yes=_agreed(session))
    _sweep_at_exit()


def _with_browser(session: nox.Session) -> None:
    _with_engine(session)
    _sync(session, "e2e")
    playwright = [f"{session.bin}/playwright"]
    configured = settings.load().browser
    session.env["BROWSER"] = browser.ensure(configured, yes=_agreed(session), playwright=playwright)


@functools.cache
def _sweep_at_exit() -> None:
    atexit.register(subprocess.run, [sys.executable, "-m", "tests.support.sweep", SERVICE], cwd=ROOT, check=False)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting, types, spelling, Dockerfiles, shell scripts, compose files."""
    _sync(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy", "infra", "verbs", "tasks.py", "noxfile.py", "notebook/own_packages.py", "notebook/at_work.py")
    session.run(
        "mypy",
        "hub/spawner/dropsonde_spawner",
        "hub/guard/dropsonde_guard",
        "hub/auth_daco/dropsonde_auth",
        "hub/look/dropsonde_look",
        "hub/release/dropsonde_release",
        "hub/firewall/dropsonde_firewall",
        "hub/web/dropsonde_web",
        "hub/launch.py",
    )
    session.run("codespell")
    session.run("yamllint", "--strict", "ansible")
    _ansible_lint(session)
    dockerfiles = [*ROOT.glob("*/Dockerfile.*"), *ROOT.glob("tests/*/Dockerfile.*")]
    session.run("hadolint", *sorted(str(path.relative_to(ROOT)) for path in dockerfiles))
    session.run(
        "shellcheck", "bootstrap", ".ci/run", "hub/proxy/start", "notebook/science/fill", "notebook/dpkg-architecture"
    )
    scripts = [f"tests/openstack/{name}" for name in ("brief-token", "image/setup", "image/start", "image/services")]
    session.run("shellcheck", "--external-sources", *scripts)
    _with_engine(session)
    session.run("python", "-m", "tests.support.compose_config")


def _ansible_lint(session: nox.Session) -> None:
    """Check ansible/ at the production profile, and that each playbook can be read."""
    with session.chdir("ansible"):
        session.run(
            "ansible-lint", "--config-file=../.ansible-lint.yaml", "-q", env={"ANSIBLE_HOME": "../.nox/ansible"}
        )
        for playbook in ("site.yml", "teardown.yml", "rebuild.yml", "plan.yml"):
            session.run("ansible-playbook", "--inventory=localhost,", "--syntax-check", playbook, silent=True)


@nox.session
def unit(session: nox.Session) -> None:
    """Fast tests without Docker."""
    _pytest(session, "tests/unit", group="test")


@nox.session
def images(session: nox.Session) -> None:
    """Build the images and look into them: contents, users, no secrets in layers, sizes."""
    _with_engine(session)
    _pytest(session, "tests/images", group="e2e")


@nox.session
def integration(session: nox.Session) -> None:
    """The verbs against a real engine: up, reset, down, users, bad input (default, in `stories`)."""
    _with_engine(session)
    _pytest(session, "-m", "not long", "tests/integration", group="e2e")


@contextmanager
def _beside(session: nox.Session, other: str) -> Iterator[None]:
    """Run another session, with a service of its own, at the same time; what it prints is shown at the end."""
    nox_itself = [sys.executable, "-m", "nox", f"--session={other}", "--", *session.posargs]
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(nox_itself, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            session.log(f"Waiting for {other}, which runs beside this")
            failed = beside.wait()
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
    if failed:
        session.error(f"{other} failed, see above")


@nox.session
def stories(session: nox.Session) -> None:
    """Integration and deploy at the same time: it takes two thirds of one after the other."""
    _with_browser(session)
    with _beside(session, "deploy"):
        _pytest(session, "-m", "not long", "tests/integration", group="e2e")


@nox.session
def browsers(session: nox.Session) -> None:
    """What people see: e2e and look, and signin at the same time."""
    _with_browser(session)
    with _beside(session, "signin"):
        _pytest(session, "tests/e2e", group="e2e")
        _pytest(session, "tests/look", group="e2e")


@nox.session
def e2e(session: nox.Session) -> None:
    """A real browser against the running DEV_MODE stack (default, in `browsers`)."""
    _with_browser(session)
    _pytest(session, "tests/e2e", group="e2e")


@nox.session
def look(session: nox.Session) -> None:
    """Every page state in a real browser, with axe, light and dark; live editing (default, in `browsers`)."""
    _with_browser(session)
    _pytest(session, "tests/look", group="e2e")


@nox.session
def signin(session: nox.Session) -> None:
    """Signing in as in production: a real OpenID Connect provider and a DACO service (default, in `browsers`)."""
    _with_browser(session)
    _pytest(session, "tests/signin", group="e2e")


@nox.session
def attack(session: nox.Session) -> None:
    """Each line of SECURITY.md's threat model as an attack on the production stack."""
    _with_browser(session)
    _pytest(session, "tests/attack", group="e2e")


@nox.session
def deploy(session: nox.Session) -> None:
    """From a fresh machine that boots to HTTPS, and on to rollback, reboot, rebuild (default, in `stories`)."""
    _with_browser(session)
    _pytest(session, "-m", "not long", "tests/deploy", group="deploy-test")


@nox.session(name="deploy-long")
def deploy_long(session: nox.Session) -> None:
    """Interrupted in every role, disks, admins, a front that was root, Debian 12 as the host (an hour; not default)."""
    _with_browser(session)
    _pytest(session, "-m", "long", "tests/deploy", group="deploy-test")


@nox.session
def science(session: nox.Session) -> None:
    """Build the full profile from cold, run its 24 workflows and 3 kernels, judge sizes (30 minutes; not default)."""
    _with_engine(session)
    env = {"SERVICE_NAME": SERVICE, "HUB_PORT": PORT, "SCIENCE_PROFILE": "full"}
    cold = ["build", "--only=science", "--no-cache", "--yes"]
    session.run(sys.executable, "-m", "invoke", *cold, env=env, external=True)
    _pytest(session, "tests/science", group="e2e", env=env)
    session.run("python", "-m", "tests.science.figures", env=env)


@nox.session(name="integration-long")
def integration_long(session: nox.Session) -> None:
    """The README's first command on fresh machines without an engine, and lists that do not work (not default)."""
    _with_engine(session)
    _pytest(session, "-m", "long", "tests/integration", group="e2e")


@nox.session
def openstack(session: nox.Session) -> None:
    """The role openstack and cloud.py against a real OpenStack in a container (20 minutes; not in the default run)."""
    _with_engine(session)
    _pytest(session, "tests/openstack", group="deploy-test")


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities in what is locked, and in the images that `invoke sbom` wrote down (asks OSV_URL)."""
    _sync(session, "test")
    session.run("python", "-m", "infra.vulnerabilities", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print the figures of docs/figures.md as one table and as JSON (15 minutes; not in the default run)."""
    _with_engine(session)
    _sync(session, "e2e")
    env = {"SERVICE_NAME": SERVICE, "HUB_PORT": PORT}
    session.run("python", "-m", "tests.bench", *session.posargs, env=env)


@nox.session
def lock(session: nox.Session) -> None:
    """Write all lock files anew, from pyproject.toml, hub/requirements.in and notebook/science/python-*.in."""
    compile_ = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--upgrade"]
    runtime = [*compile_, "--python-version", "3.11", "--no-emit-index-url"]
    session.run(*runtime, "pyproject.toml", "--output-file", "requirements/runtime.txt", external=True)
    for group in ("build", "deploy", "lint", "test", "e2e", "deploy-test"):
        # The verbs' own packages as well, but not in an image's build.
        project = [] if group == "build" else ["pyproject.toml"]
        session.run(*runtime, *project, "--group", group, "--output-file", f"requirements/{group}.txt", external=True)
    image = [*compile_, "--python-version", "3.13", "--no-emit-index-url", "--override"]
    hub = ["hub/requirements.in", "--output-file", "hub/requirements.txt"]
    session.run(*image, "requirements/overrides.txt", *hub, external=True)
    science = [*image, "notebook/science/python-overrides.txt"]
    full = "notebook/science/python-full.txt"
    session.run(*science, "notebook/science/python-full.in", "--output-file", full, external=True)
    # The same versions in both profiles, and in what builds the packages without wheels.
    for part in ("core", "build"):
        own = [f"notebook/science/python-{part}.in", "--output-file", f"notebook/science/python-{part}.txt"]
        session.run(*science, "--constraint", full, *own, external=True)
    for tests in ("signin", "openstack"):
        beside = [f"tests/{tests}/requirements.in", "--output-file", f"tests/{tests}/requirements.txt"]
        session.run(*compile_, "--python-version", "3.13", "--no-emit-index-url", *beside, external=True)
    session.chdir("hub/proxy")
    npm = ["npm", "update", "--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"]
    session.run(*npm, external=True)
