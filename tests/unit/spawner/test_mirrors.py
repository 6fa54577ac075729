"""The hub's configuration: mirrors of packages, which everybody on the hub can read."""

import ast
from pathlib import Path
from typing import Any

import pytest

CONFIG = Path(__file__).parents[3] / "hub/jupyterhub_config.py"


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    """Return the configuration's functions; the rest of it needs a running service."""
    tree = ast.parse(CONFIG.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    namespace: dict[str, Any] = {}
    exec(compile(tree, str(CONFIG), "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    "address", ["", "https://pypi.example.org/simple", "http://mirror:8081/a@b/", "https://[2001:db8::1]/x"]
)
def test_addresses(functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PYPI_INDEX", f" {address} ")
    assert functions["mirror"]("PYPI_INDEX", "https://pypi.example.org/simple") == address


@pytest.mark.parametrize(
    "address",
    [
        "https://jane:hunter2@mirror/simple",
        "https://hunter2@mirror",
        "mirror/hunter2",
        "file:///hunter2",
        "https:// hunter2",
    ],
)
def test_what_people_must_not_read_is_refused_and_not_shown(
    functions: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("CRAN_MIRROR", address)
    with pytest.raises(SystemExit) as stopped:
        functions["mirror"]("CRAN_MIRROR", "https://cloud.r-project.org")
    assert stopped.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith("Error: CRAN_MIRROR ")
    assert "Next: " in said
    assert "hunter2" not in said
