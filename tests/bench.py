"""The figures: `nox -s bench`. Prints one table, and the same as JSON into artifacts/bench.json.

Everything that is compared runs interleaved in one run, because machines are noisy; times are medians in seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker

from infra import console, images
from infra.base import exists
from infra.settings import ROOT
from tests.conftest import ARTIFACTS, Stack, make_stack
from tests.support.browserless import User
from tests.support.sweep import sweep

RUNS = int(os.environ.get("BENCH_RUNS", "10"))
CROWD = [int(count) for count in os.environ.get("BENCH_CROWD", "1,10,25,50").split(",")]
# What a hub without our spawner would have: DockerSpawner as released, with the same image, volumes and network.
STOCK = """
import json, os
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
record = json.load(open("/srv/jupyterhub/versions/versions.json"))
version = record["versions"][record["in_use"]]
c.DockerSpawner.image = version["notebook_image"]
c.DockerSpawner.network_name = os.environ["NOTEBOOK_NETWORK"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.prefix = os.environ["SERVICE_NAME"]
c.DockerSpawner.remove = True
c.DockerSpawner.volumes = {os.environ["SERVICE_NAME"] + "-home-{username}": "/home/jovyan"}
c.DockerSpawner.read_only_volumes = {version["volume"]: "/opt"}
LABELS = {"dropsonde.service": os.environ["SERVICE_NAME"], "dropsonde.kind": "notebook"}
c.DockerSpawner.extra_create_kwargs = {"labels": LABELS}
c.DockerSpawner.default_url = "/lab"
"""
# Our spawner without what keeps a user's container in: with the guard out of the way, its cost is all that differs.
UNLIMITED = """
LIMITS = ["cap_drop", "security_opt", "read_only", "tmpfs", "ipc_mode", "cgroupns", "pids_limit", "mem_limit"]
LIMITS += ["memswap_limit", "cpu_quota", "log_config"]
c.DropsondeSpawner.extra_host_config = dict.fromkeys(LIMITS)
"""
# And with JupyterHub's own start of the server, with the extensions that it has by default, too.
STOCK_START = """
extensions = ["--ServerApp.jpserver_extensions=" + name + "=True" for name in ("jupyter_lsp", "notebook_shim")]
c.DockerSpawner.cmd = ["jupyterhub-singleuser", *extensions]
"""


def copy_of_tree(folder: Path) -> Path:
    """Copy what git knows or would take of the project, and return the copy."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def without_guard(tree: Path) -> None:
    """Give the engine's socket to the hub itself: the guard knows no containers but ours."""
    file = tree / "compose.yaml"
    text = file.read_text()
    for guarded, bare in (
        ("DOCKER_HOST: unix:///srv/jupyterhub/guard/docker.sock", "DOCKER_HOST: unix:///var/run/docker.sock"),
        ("- guard:/srv/jupyterhub/guard:ro", "- ${DOCKER_SOCKET}:/var/run/docker.sock"),
    ):
        if guarded not in text:
            raise ValueError(f"compose.yaml has no line {guarded!r}")
        text = text.replace(guarded, bare)
    file.write_text(text)


@contextlib.contextmanager
def stock_stack(ours: Stack, name: str, config: str) -> Iterator[Stack]:
    """Start another service without the guard and with other spawner settings, from a copy of the tree."""
    stack = make_stack(f"{ours.name}-{name}", BASE_IMAGE=base_image(ours))
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tree(Path(folder))
        (tree / "hub/config.d/99-stock.py").write_text(config)
        without_guard(tree)
        command = ["python", "-m", "invoke", "up", "--yes"]
        try:
            subprocess.run(command, cwd=tree, env=stack.env, check=True, capture_output=True)
            yield stack
        finally:
            sweep_stock(stack)


def sweep_stock(stack: Stack) -> None:
    """Remove the second service; the homes that stock DockerSpawner makes carry no label."""
    sweep(stack.name)
    client = docker.from_env()
    for volume in client.volumes.list(filters={"name": f"{stack.name}-home-"}):
        volume.remove(force=True)


def base_image(ours: Stack) -> str:
    """Return the base image that our service was built on."""
    settings = ours.settings
    client = docker.from_env()
    own = f"{settings.service_name}/base:trixie"
    return own if exists(client, own) else settings.base_image


def in_use(stack: Stack) -> dict[str, Any]:
    """Return the science version that servers of a service start with."""
    listed: list[dict[str, Any]] = json.loads(stack.invoke("science", "--json").stdout)
    return next(item for item in listed if "in use" in item["state"])


def timed(action: Callable[[], object]) -> float:
    """Return how many seconds an action took."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def floor(ours: Stack, version: dict[str, Any]) -> float:
    """Seconds from `docker run` of the notebook image to its own server's first answer; nothing can be faster."""
    client = docker.from_env()
    name, network = f"{ours.name}-floor", f"{ours.name}-notebooks"
    label = f"--label=dropsonde.service={ours.name}"
    volumes = [f"--volume={version['volume']}:/opt:ro", "--volume=/home/jovyan"]
    variables = [
        "--env=JUPYTERHUB_API_URL=http://hub:8081/hub/api",
        "--env=JUPYTERHUB_API_TOKEN=none",
        "--env=JUPYTERHUB_CLIENT_ID=floor",
        "--env=JUPYTERHUB_USER=floor",
        "--env=JUPYTERHUB_SERVICE_URL=http://0.0.0.0:8888/user/floor/",
        "--env=JUPYTERHUB_SERVICE_PREFIX=/user/floor/",
        "--env=JUPYTERHUB_OAUTH_CALLBACK_URL=/user/floor/oauth_callback",
    ]
    options = [f"--name={name}", label, f"--network={network}", *volumes, *variables]
    command = ["docker", "run", "--detach", *options, version["notebook_image"]]
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    address = client.containers.get(name).attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}:8888/user/floor/api", timeout=5):
            break
        time.sleep(0.01)
    took = time.monotonic() - began
    client.containers.get(name).remove(force=True, v=True)
    return took


def login_to_lab(stack: Stack, name: str) -> float:
    """Seconds from the login to JupyterLab's first response, for a user whose server is not running."""
    user = User(stack.url, name)
    took = user.open_lab().lab
    user.stop()
    return took


def guard_figures(ours: Stack) -> dict[str, float]:
    """Compare logins to JupyterLab with guard and limits, and without both, interleaved."""
    with stock_stack(ours, "ng", UNLIMITED) as bare:
        for stack in (ours, bare):
            login_to_lab(stack, "guarded")
        rounds = [(login_to_lab(ours, "guarded"), login_to_lab(bare, "guarded")) for _ in range(RUNS)]
    guarded, unguarded = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "login to JupyterLab with guard and limits (s)": guarded,
        "login to JupyterLab without both (s)": unguarded,
        "  ratio": guarded / unguarded,
    }


def crowd(stack: Stack, count: int, prefix: str, *, stop: bool = True) -> tuple[float, list[User]]:
    """Let `count` users log in at once; return the seconds until the last one has JupyterLab."""
    users = [User(stack.url, f"{prefix}{number}") for number in range(count)]
    with ThreadPoolExecutor(count) as together:
        took = timed(lambda: list(together.map(lambda user: user.open_lab(), users)))
        if stop:
            list(together.map(lambda user: user.stop(), users))
    return took, users


def container_figures(client: docker.DockerClient, stack: Stack, kind: str) -> list[tuple[float, float]]:
    """Return CPU seconds since its start and MB of memory of each running container of one kind."""
    found = []
    for container in stack.containers(client, kind):
        stats: dict[str, Any] = container.stats(stream=False, one_shot=True)
        memory = stats["memory_stats"]
        cache = memory["stats"].get("total_inactive_file", memory["stats"].get("inactive_file", 0))
        found.append((stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, (memory["usage"] - cache) / 1e6))
    return found


def reset_figures(ours: Stack) -> dict[str, float]:
    """Replace the hub while a client asks for its health every 5 ms; return total and longest gap in seconds."""
    answered: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{ours.url}/hub/health", timeout=2):
                answered.append(time.monotonic())
            time.sleep(0.005)

    client = threading.Thread(target=ask)
    client.start()
    time.sleep(0.5)
    total = timed(lambda: ours.invoke("reset"))
    time.sleep(0.5)
    ended.set()
    client.join()
    gaps = [later - earlier for earlier, later in itertools.pairwise(answered)]
    return {"total": total, "gap": max(gaps)}


def main() -> None:
    """Run everything and print it."""
    ours = make_stack(os.environ["SERVICE_NAME"], int(os.environ["HUB_PORT"]))
    client = docker.from_env()
    figures: dict[str, Any] = {}
    figures["up, images cached or not (s)"] = timed(lambda: ours.invoke("up", "--yes"))
    figures["build, nothing changed (s)"] = statistics.median(timed(lambda: ours.invoke("build")) for _ in range(5))
    figures["up, nothing to do (s)"] = statistics.median(timed(lambda: ours.invoke("up")) for _ in range(5))
    resets = [reset_figures(ours) for _ in range(5)]
    figures["reset (s)"] = statistics.median(item["total"] for item in resets)
    figures["reset, hub pages gone (s)"] = statistics.median(item["gap"] for item in resets)
    tags = images.tags(ours.settings)
    for name in ("hub", "proxy", "notebook", "science"):
        figures[f"{name} image (MB)"] = client.api.inspect_image(tags[name])["Size"] / 1e6
    figures |= guard_figures(ours)
    with stock_stack(ours, "sp", STOCK) as stock_spawner, stock_stack(ours, "st", STOCK + STOCK_START) as stock:
        # Homes and database entries exist before the clock runs: people log in more than once.
        for stack in (ours, stock_spawner, stock):
            login_to_lab(stack, "single")
        version = in_use(ours)
        rounds = [
            (floor(ours, version), login_to_lab(ours, "single"), login_to_lab(stock, "single")) for _ in range(RUNS)
        ]
        floors, mine, others = (statistics.median(column) for column in zip(*rounds, strict=True))
        figures["floor: docker run to first answer (s)"] = floors
        figures["login to JupyterLab (s)"] = mine
        figures["  ratio to the floor"] = mine / floors
        figures["login to JupyterLab, all stock (s)"] = others
        tens = [[crowd(stack, 10, "ten")[0] for stack in (ours, stock_spawner, stock)] for _ in range(3)]
        together, by_spawner, by_stock = (statistics.median(column) for column in zip(*tens, strict=True))
        figures["ten users at once, last one ready (s)"] = together
        figures["ten users at once, stock spawner, our start of the server (s)"] = by_spawner
        figures["ten users at once, all stock (s)"] = by_stock
        figures["  ratio to the stock spawner"] = together / by_spawner
        figures["  ratio to all stock"] = together / by_stock
    for count in CROWD:
        hub_before = container_figures(client, ours, "hub")[0][0]
        took, users = crowd(ours, count, f"crowd{count}x", stop=False)
        time.sleep(5)
        cpu, memory = container_figures(client, ours, "hub")[0]
        servers = container_figures(client, ours, "notebook")
        figures[f"{count} users at once, last one ready (s)"] = took
        figures[f"  hub CPU for {count} (s)"] = cpu - hub_before
        figures[f"  hub memory with {count} servers (MB)"] = memory
        figures[f"  memory of one idle user of {count} (MB)"] = statistics.median(item[1] for item in servers)
        with ThreadPoolExecutor(10) as together_:
            list(together_.map(lambda user: user.stop(), users))
    console.table(("figure", "value"), [(name, f"{value:.2f}") for name, value in figures.items()])
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "bench.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
