"""The figures of the science stack: `nox -s science` prints them at its end, and fails if a size is over its limit.

Times are medians in seconds and judged by people; the two profiles start interleaved in one run, because machines are
noisy.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections import Counter
from typing import Any

import docker

from infra import console
from infra.errors import DropsondeError
from tests.bench import login_to_lab, timed
from tests.conftest import ARTIFACTS, Stack, make_stack
from tests.science.limits import IMAGE, USER, require_limits
from tests.support import disk
from tests.support.browserless import User

RUNS = int(os.environ.get("BENCH_RUNS", "10"))


def one_more_user(stack: Stack) -> float:
    """Return the MB that a user takes who has opened JupyterLab and saved nothing."""
    user = User(stack.url, "newcomer")
    user.open_lab()
    taken = sum(disk.of_user(stack, docker.from_env(), user.name))
    user.stop()
    return taken / 1e6


def versions(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the newest version of each profile."""
    listed = json.loads(stack.invoke("science", "--json").stdout)
    return {item["profile"]: item for item in reversed(listed)}


def main() -> None:
    """Build the core profile beside the full one, measure both, print it."""
    stack = make_stack(os.environ["SERVICE_NAME"], int(os.environ["HUB_PORT"]), SCIENCE_PROFILE="full")
    figures: dict[str, Any] = {}
    figures["build core, downloads in the cache (s)"] = timed(lambda: stack.invoke("science.build", "--profile=core"))
    found = versions(stack)
    for profile, version in found.items():
        listed = json.loads(stack.invoke("science.list", "--json", "--version", version["id"]).stdout)
        figures[f"{profile}: volume (GB)"] = version["bytes"] / 1e9
        for source, count in Counter(item["source"] for item in listed).items():
            figures[f"{profile}: packages, {source}"] = count
    image = docker.from_env().api.inspect_image(found["full"]["notebook_image"])
    figures[IMAGE] = image["Size"] / 1e9
    starts: dict[str, list[float]] = {"core": [], "full": []}
    switches: list[float] = []
    for profile in starts:
        stack.invoke("science.use", found[profile]["id"])
        login_to_lab(stack, "single")
    for _ in range(RUNS):
        for profile, times in starts.items():
            switches.append(timed(lambda name=profile: stack.invoke("science.use", found[name]["id"])))
            times.append(login_to_lab(stack, "single"))
    for profile, times in starts.items():
        figures[f"{profile}: login to JupyterLab (s)"] = statistics.median(times)
    figures["  full to core"] = statistics.median(starts["full"]) / statistics.median(starts["core"])
    figures["switching the version (s)"] = statistics.median(switches)
    figures[USER] = one_more_user(stack)
    console.table(("figure", "value"), [(name, f"{value:.2f}") for name, value in figures.items()])
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / "science.json").write_text(json.dumps(figures, indent=2) + "\n")
    try:
        require_limits(figures)
    except DropsondeError as error:
        console.show_error(error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
