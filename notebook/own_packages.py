#!/opt/science/bin/python -s
"""What people have added to their home, and whether it still fits the libraries of today.

As a program it prints a table; `found()` returns the same. Packages in the home survive a switch to other libraries,
but those of another Python or R are not seen any more, and some need what is not there now.
"""

import argparse
import json
import re
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# What the present R says of itself, without running it.
R_BASE = Path("/usr/lib/R/library/base/DESCRIPTION")
# `name-1.0.dist-info`; a name that pip is about to remove begins with `~`.
METADATA_FOLDER = re.compile(r"(?P<name>[^~-][^-]*)-(?P<version>[^-]+)\.(dist|egg)-info")


@dataclass(frozen=True)
class OwnPackage:
    """Something that its owner has added.

    Attributes:
        kind: `python`, `r` or `kernel`.
        name: its name.
        version: its version, empty for a kernel.
        problem: why it does not fit, and what to do; empty where it fits.
    """

    kind: str
    name: str
    version: str
    problem: str = ""


@dataclass(frozen=True)
class Distribution:
    """A Python package as it is installed; its metadata is read when it is asked for."""

    name: str
    version: str
    folder: Path

    def requirements(self) -> list[str]:
        """Return the lines in which it says what it needs."""
        try:
            text = (self.folder / "METADATA").read_text("utf-8", "replace")
        except OSError:
            return []
        return re.findall(r"^Requires-Dist: *(.+)$", text.partition("\n\n")[0], re.MULTILINE)


def normalized(name: str) -> str:
    """Return the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(folders: Iterable[Path]) -> dict[str, Distribution]:
    """Return what is installed, by normalized name; the first folder that has a package counts, as in Python."""
    result: dict[str, Distribution] = {}
    for folder in folders:
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            match = METADATA_FOLDER.fullmatch(entry.name)
            if match:
                result.setdefault(normalized(match["name"]), Distribution(match["name"], match["version"], entry))
    return result


def unmet(
    distribution: Distribution, seen: dict[str, Distribution], about: Container[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what a package needs and does not find: the requirement's normalized name, and the words for it.

    Args:
        distribution: the package.
        seen: what Python would find.
        about: look at requirements with these normalized names only; None for all.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    for line in distribution.requirements():
        name = normalized(re.split(r"[^\w.-]", line, maxsplit=1)[0])
        if about is not None and name not in about:
            continue
        try:
            needed = Requirement(line)
            if needed.marker and not needed.marker.evaluate({"extra": ""}):
                continue
            there = seen.get(name)
            if there is None:
                yield name, f"needs {needed.name}, which is not installed"
            elif not needed.specifier.contains(there.version, prereleases=True):
                yield name, f"needs {needed.name} {needed.specifier}, and {there.version} is there"
        except InvalidRequirement:
            continue  # whoever wrote that knows what it means


def breaks(own: dict[str, Distribution], shared: dict[str, Distribution]) -> dict[str, str]:
    """Return which own packages take the place of a shared one that other shared packages need as it is.

    Args:
        own: packages of the home.
        shared: packages of the libraries.

    Returns:
        Words for the problem, by normalized name.
    """
    hiding = {name for name in own if name in shared and own[name].version != shared[name].version}
    broken: dict[str, str] = {}
    for name, distribution in shared.items() if hiding else ():
        if name in own:
            continue
        before = {needed for needed, _ in unmet(distribution, shared, hiding)}
        for needed, words in unmet(distribution, {**shared, **own}, hiding):
            if needed not in before:
                broken.setdefault(needed, f"{distribution.name} {words}")
    return broken


def python_packages(home: Path, shared_folders: Iterable[Path]) -> Iterator[OwnPackage]:
    """Yield the Python packages of a home.

    Args:
        home: the home folder.
        shared_folders: where Python finds the libraries, in its order.
    """
    folders = sorted(home.glob(".local/lib/python3.*/site-packages"))
    present = distributions(folder for folder in folders if folder.parent.name == f"python{PYTHON}")
    shared = distributions(shared_folders) if present else {}
    broken = breaks(present, shared)
    for name, own in present.items():
        problem = next((f"{words}." for _, words in unmet(own, {**shared, **present})), "")
        if problem:
            problem = f"It {problem} Next: pip install --upgrade {own.name}"
        elif name in broken:
            problem = f"{broken[name]}. Next: pip uninstall {own.name}"
        yield OwnPackage("python", own.name, own.version, problem)
    for folder in folders:
        if folder.parent.name == f"python{PYTHON}":
            continue
        for name, own in distributions([folder]).items():
            if name not in present:  # else it has been installed again
                series = folder.parent.name.removeprefix("python")
                problem = f"It is for Python {series}, and this is {PYTHON}. Next: pip install {own.name}"
                yield OwnPackage("python", own.name, own.version, problem)


def described(file: Path) -> dict[str, str]:
    """Return the one-line fields of an R package's DESCRIPTION, none where it cannot be read."""
    try:
        return dict(re.findall(r"^(\w+): *(.*)$", file.read_text("utf-8", "replace"), re.MULTILINE))
    except OSError:
        return {}


def r_series(built: str) -> str:
    """Return `4.5` of `R 4.5.0; ; 2025-04-11 ...`: libraries of one series fit each other."""
    match = re.match(r"R (\d+\.\d+)\.", built)
    return match[1] if match else ""


def r_packages(home: Path, base: Path = R_BASE) -> Iterator[OwnPackage]:
    """Yield the R packages of a home; a new series of R has a library of its own there, and it begins empty."""
    present = r_series(described(base).get("Built", ""))
    packages = [described(file) for file in sorted(home.glob("R/*-library/*/*/DESCRIPTION"))]
    fitting = {package.get("Package") for package in packages if r_series(package.get("Built", "")) == present}
    for package in packages:
        name, built = package.get("Package", ""), r_series(package.get("Built", ""))
        if not name or (built != present and name in fitting):
            continue
        problem = ""
        if built and present and built != present:
            problem = f'It is for R {built}, and this is {present}. Next, in R: install.packages("{name}")'
        yield OwnPackage("r", name, package.get("Version", ""), problem)


def interpreter_problem(program: Path) -> str:
    """Say why a kernel's program cannot be run any more, or return an empty text."""
    if not program.exists():
        return f"Its program {program} is gone."
    settings = program.parent.parent / "pyvenv.cfg"  # of an own environment (PEP 405)
    text = settings.read_text("utf-8", "replace") if settings.is_file() else ""
    made_for = re.search(r"^version(?:_info)? *= *(3\.\d+)", text, re.MULTILINE)
    runs = re.fullmatch(r"python(3\.\d+)", program.resolve().name)
    if made_for and runs and made_for[1] != runs[1]:
        return f"Its environment is for Python {made_for[1]}, and this is {runs[1]}."
    return ""


def kernels(home: Path) -> Iterator[OwnPackage]:
    """Yield the kernels of a home."""
    # Regular files only: a pipe of that name would be waited for.
    for file in sorted(filter(Path.is_file, home.glob(".local/share/jupyter/kernels/*/kernel.json"))):
        name = file.parent.name
        try:
            spec = json.loads(file.read_text("utf-8"))
            name, program = str(spec.get("display_name", name)), Path(spec["argv"][0])
            problem = interpreter_problem(program) if program.is_absolute() else ""
            next_step = " Next: make its environment again, or remove the kernel: jupyter kernelspec remove"
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            problem, next_step = f"{file} cannot be read.", " Next: remove the kernel: jupyter kernelspec remove"
        yield OwnPackage("kernel", name, "", f"{problem}{next_step} {file.parent.name}" if problem else "")


def found(home: Path | None = None) -> list[OwnPackage]:
    """Return all that was added to a home, by default to one's own.

    Costs well below a millisecond where there is nothing; the libraries' metadata is read only where an own package
    hides one of them.
    """
    home = home or Path.home()
    shared = [Path(folder) for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))]
    shared = [folder for folder in shared if not folder.is_relative_to(home)]
    return [*python_packages(home, shared), *r_packages(home), *kernels(home)]


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description="Your own packages and kernels, and whether they fit the libraries.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    packages = found()
    if parser.parse_args().json:
        print(json.dumps([asdict(package) for package in packages], indent=2))
        return
    for package in packages:
        print(f"{package.kind:8}{package.name:32}{package.version:16}{package.problem or 'fits'}")
    if not packages:
        print("You have not added packages or kernels.")


if __name__ == "__main__":
    main()
