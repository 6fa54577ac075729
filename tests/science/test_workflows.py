"""The breadth of the full profile: every workflow runs in a spawned server, and checks its own result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.settings import ROOT
from tests.conftest import Stack, artifact
from tests.integration.people import Person
from tests.support.kernel import Kernel, run_notebook

WORKFLOWS = sorted((ROOT / "notebook/workflows").glob("*.ipynb"))
KERNELS = {
    "python3": ("import sys; print(sys.prefix)", "/usr"),
    "ir": ("cat(R.version.string)", "R version 4"),
    "scala": ("println(util.Properties.versionString + spark.version)", "version 2.12"),
}


def test_the_profile_is_full(stack: Stack) -> None:
    listed = json.loads(stack.invoke("science", "--json").stdout)
    assert [item["profile"] for item in listed if "in use" in item["state"]] == ["full"]
    assert len(WORKFLOWS) == 24


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_runs(person: Person, name: str) -> None:
    code, wanted = KERNELS[name]
    with Kernel(person, name) as kernel:
        said = "".join(output.get("text", "") for output in kernel.run(code))
    assert wanted in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs(person: Person, path: Path) -> None:
    seconds = run_notebook(person, path)
    with artifact("workflows.txt").open("a") as table:
        table.write(f"{path.stem} {seconds:.1f} s\n")


def test_figures(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(stack.invoke("science", "--json").stdout)
    with capsys.disabled():
        for item in listed:
            print(f"\n  {item['profile']}: {item['bytes'] / 1e9:.2f} GB, {item['packages']}")
    assert all(item["bytes"] < 9e9 for item in listed)
