"""What people added to their home: found, and judged by the libraries of today."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[3] / "notebook"


def load(name: str) -> ModuleType:
    """Import a program of the notebook image, which is no package here."""
    spec = importlib.util.spec_from_file_location(name, NOTEBOOK / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


own = load("own_packages")
OTHER = f"3.{sys.version_info.minor - 1}"


def install(folder: Path, name: str, version: str, *needs: str) -> None:
    """Put the metadata of a Python package into a folder, as pip does."""
    metadata = folder / f"{name}-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    metadata.write_text("\n".join(lines) + "\n\nRequires-Dist: words-of-the-description\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "opt").mkdir()
    return tmp_path / "opt"


def user_site(home: Path, python: str = own.PYTHON) -> Path:
    return home / f".local/lib/python{python}/site-packages"


def judged(home: Path, shared: Path) -> dict[str, str]:
    return {package.name: package.problem for package in own.python_packages(home, [shared])}


# -- Python ------------------------------------------------------------------------------------------------------------


def test_what_fits(home: Path, shared: Path) -> None:
    install(shared, "numpy", "2.3.0")
    install(user_site(home), "My_Tool", "1.0", "NumPy>=2", 'absent; sys_platform == "never"', 'absent; extra == "x"')
    assert list(own.python_packages(home, [shared])) == [own.OwnPackage("python", "My_Tool", "1.0")]


def test_needs_that_the_libraries_do_not_meet_any_more(home: Path, shared: Path) -> None:
    install(shared, "numpy", "2.3.0")
    install(user_site(home), "old", "1.0", "numpy (<2,>=1)")
    install(user_site(home), "lonely", "1.0", "gone")
    found = judged(home, shared)
    assert found["old"] == "It needs numpy <2,>=1, and 2.3.0 is there. Next: pip install --upgrade old"
    assert found["lonely"] == "It needs gone, which is not installed. Next: pip install --upgrade lonely"


def test_own_copies_count_before_shared_ones(home: Path, shared: Path) -> None:
    install(shared, "numpy", "2.3.0")
    install(user_site(home), "numpy", "1.26.4")
    install(user_site(home), "old", "1.0", "numpy<2")
    assert judged(home, shared) == {"numpy": "", "old": ""}


def test_a_copy_that_breaks_what_the_libraries_need(home: Path, shared: Path) -> None:
    install(shared, "numpy", "2.3.0")
    install(shared, "pandas", "2.3.3", "numpy>=2", "broken ==")
    install(user_site(home), "numpy", "1.26.4")
    expected = "pandas needs numpy >=2, and 1.26.4 is there. Next: pip uninstall numpy"
    assert judged(home, shared) == {"numpy": expected}


def test_what_was_unmet_before_is_not_the_copys_fault(home: Path, shared: Path) -> None:
    install(shared, "numpy", "2.3.0")
    install(shared, "overridden", "1.0", "numpy<2", "never-installed")
    install(user_site(home), "numpy", "2.4.0")
    assert judged(home, shared) == {"numpy": ""}


def test_another_python(home: Path, shared: Path) -> None:
    install(user_site(home, OTHER), "tool", "1.0", "gone")
    install(user_site(home, OTHER), "again", "1.0")
    install(user_site(home), "again", "2.0")
    expected = f"It is for Python {OTHER}, and this is {own.PYTHON}. Next: pip install tool"
    assert judged(home, shared) == {"again": "", "tool": expected}


def test_half_removed_and_unreadable_ones_are_no_obstacle(home: Path, shared: Path) -> None:
    site = user_site(home)
    install(site, "~umpy", "1.0")
    (site / "strange-1.0.dist-info").mkdir()
    install(site, "odd", "not.a.version", "] [")
    (site / "latin-1.0.dist-info").mkdir()
    (site / "latin-1.0.dist-info" / "METADATA").write_bytes(b"Requires-Dist: \xff\n")
    assert judged(home, shared) == {"latin": "", "odd": "", "strange": ""}


# -- R -----------------------------------------------------------------------------------------------------------------


def r_package(home: Path, name: str, series: str, version: str = "1.0") -> None:
    file = home / f"R/x86_64-pc-linux-gnu-library/{series}/{name}/DESCRIPTION"
    file.parent.mkdir(parents=True)
    file.write_text(
        f"Package: {name}\nVersion: {version}\nTitle: A\n  Built: no\nBuilt: R {series}.1; ; 2026-01-01; unix\n"
    )


def test_r_packages(home: Path, tmp_path: Path) -> None:
    base = tmp_path / "DESCRIPTION"
    base.write_text("Package: base\nBuilt: R 4.5.0; ; 2025-04-29 22:53:03 UTC; unix\n")
    r_package(home, "fits", "4.5")
    r_package(home, "old", "4.4")
    r_package(home, "again", "4.4")
    r_package(home, "again", "4.5", "2.0")
    assert {(found.name, found.version, found.problem) for found in own.r_packages(home, base)} == {
        ("fits", "1.0", ""),
        ("again", "2.0", ""),
        ("old", "1.0", 'It is for R 4.4, and this is 4.5. Next, in R: install.packages("old")'),
    }


def test_without_r_nothing_is_said_of_its_packages(home: Path, tmp_path: Path) -> None:
    r_package(home, "any", "4.4")
    assert [found.problem for found in own.r_packages(home, tmp_path / "none")] == [""]


# -- Kernels -----------------------------------------------------------------------------------------------------------


def kernel(home: Path, name: str, spec: Any) -> None:
    file = home / f".local/share/jupyter/kernels/{name}/kernel.json"
    file.parent.mkdir(parents=True)
    file.write_text(spec if isinstance(spec, str) else json.dumps(spec))


def environment(home: Path, made_for: str, runs: str) -> str:
    """Make the parts of an own environment that tell its Python; return its program."""
    (home / "real").mkdir(exist_ok=True)
    real, program = home / f"real/python{runs}", home / f"env-{made_for}-{runs}/bin/python"
    program.parent.mkdir(parents=True)
    real.touch()
    program.symlink_to(real)
    (program.parent.parent / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion_info = {made_for}.5\n")
    return str(program)


def test_kernels(home: Path) -> None:
    kernel(home, "gone", {"display_name": "Gone", "argv": ["/nowhere/python"]})
    kernel(home, "path", {"argv": ["python", "-m", "x"]})
    kernel(home, "good", {"argv": [environment(home, "3.13", "3.13")]})
    kernel(home, "moved", {"argv": [environment(home, "3.12", "3.13")]})
    for name, spec in (("text", "{"), ("list", []), ("empty", {"argv": []}), ("number", {"argv": [1]})):
        kernel(home, name, spec)
    found = {package.name: package.problem for package in own.kernels(home)}
    assert found["Gone"].startswith("Its program /nowhere/python is gone. Next: ")
    assert found["Gone"].endswith("jupyter kernelspec remove gone")
    assert found["path"] == found["good"] == ""
    assert found["moved"].startswith("Its environment is for Python 3.12, and this is 3.13.")
    assert all("cannot be read" in found[name] for name in ("text", "list", "empty", "number"))


# -- All together ------------------------------------------------------------------------------------------------------


def test_an_empty_home_costs_next_to_nothing(home: Path) -> None:
    started = time.perf_counter()
    assert own.found(home) == []
    assert time.perf_counter() - started < 0.005


def test_the_program_prints_a_table_or_json(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "argv", ["own-packages"])
    own.main()
    assert capsys.readouterr().out == "You have not added packages or kernels.\n"
    install(user_site(home), "tool", "1.0")
    own.main()
    assert capsys.readouterr().out.split() == ["python", "tool", "1.0", "fits"]
    monkeypatch.setattr(sys, "argv", ["own-packages", "--json"])
    own.main()
    assert json.loads(capsys.readouterr().out) == [{"kind": "python", "name": "tool", "version": "1.0", "problem": ""}]


# -- The server's configuration ----------------------------------------------------------------------------------------


def page_config(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run the server's configuration as Jupyter does; return what it puts into JupyterLab's page."""
    from traitlets.config import Config

    config = Config()
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = (NOTEBOOK / "jupyter_server_config.py").read_text()
    exec(compile(source, "jupyter_server_config.py", "exec"), {"get_config": lambda: config})
    found: dict[str, str] = config.ServerApp.tornado_settings["page_config_data"]
    return found


def test_jupyterlabs_page_gets_version_and_misfits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DROPSONDE_VERSION", "3f2a9c01b7de")
    install(user_site(home), "fine", "1.0")
    install(user_site(home, OTHER), "old", "1.0")
    found = page_config(monkeypatch)
    assert found["dropsondeVersion"] == "3f2a9c01b7de"
    assert [entry["name"] for entry in json.loads(found["dropsondeOwnPackages"])] == ["old"]


def test_nothing_keeps_a_server_from_starting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError("the home is away")

    monkeypatch.setattr(own, "found", fail)
    monkeypatch.delenv("DROPSONDE_VERSION", raising=False)
    monkeypatch.setenv("DROPSONDE_BRAND", "{")
    nothing = {"dropsondeVersion": "", "dropsondeOwnPackages": "[]", "dropsondeBrand": "{}"}
    assert page_config(monkeypatch) == nothing
    assert "the home is away" in caplog.text
    assert "DROPSONDE_BRAND cannot be read" in caplog.text


def test_jupyterlabs_page_gets_the_brand_that_the_hub_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    brand = {"name": "An <Institute>", "fill": "#7a1f5c"}
    monkeypatch.setattr(own, "found", list)
    monkeypatch.setenv("DROPSONDE_BRAND", json.dumps(brand))
    assert json.loads(page_config(monkeypatch)["dropsondeBrand"]) == brand
    monkeypatch.delenv("DROPSONDE_BRAND")
    assert page_config(monkeypatch)["dropsondeBrand"] == "{}"
