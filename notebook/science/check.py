"""Does everything work that the volume on /opt promises? Run inside the notebook image, as an ordinary user.

Every declared Python package is imported and every declared R package loaded, each in a process of its own; every
kernel runs a cell. Prints one line a failure and ends with 1, or a summary and 0.
"""

import importlib
import importlib.metadata
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

DECLARED = Path("/opt/dropsonde/declared")
R_LIBRARY = Path("/opt/R/site-library")
SECONDS = 120
LAST_WORDS = 30
# Top-level names that distributions leave behind and nobody imports.
NOT_MODULES = {"tests", "test", "docs", "examples", "benchmarks", "scripts", "setup", "licenses"}
CELLS = {
    "python3": ("print(6 * 7)", "42"),
    "ir": ("cat(6 * 7)", "42"),
    "scala": ('println(spark.range(43).agg(Map("id" -> "max")).first.getLong(0))', "42"),
}


def declared_python() -> Iterator[str]:
    """Yield the names of the declared distributions, as PyPI spells them."""
    for path in DECLARED.glob("python-*.in"):
        for line in path.read_text().splitlines():
            match = re.match(r"[A-Za-z0-9][\w.-]*", line)
            if match:
                yield re.sub(r"[-_.]+", "-", match[0]).lower()


def declared_r() -> Iterator[str]:
    """Yield the declared R packages, by R's own names; Debian's are in lower case."""
    there = {path.name.lower(): path.name for path in R_LIBRARY.iterdir()}
    for path in DECLARED.glob("r-*.txt"):
        for line in path.read_text().splitlines():
            name = re.sub(r"^r-(cran|bioc|other)-", "", line.strip())
            if name and not name.startswith("#"):
                yield there.get(name, name)


def modules_by_distribution() -> dict[str, list[str]]:
    """Return the importable top-level names of each distribution: the one that it is named after, else all."""
    found: dict[str, list[str]] = {}
    for module, owners in importlib.metadata.packages_distributions().items():
        if module.isidentifier() and not module.startswith("_") and module not in NOT_MODULES:
            for owner in owners:
                found.setdefault(re.sub(r"[-_.]+", "-", owner).lower(), []).append(module)
    for name, modules in found.items():
        same = [module for module in modules if module.lower().replace("_", "-") == name]
        found[name] = same or modules
    return found


def in_child(work: object) -> str:
    """Run `work()` in a forked process without output; return "" or what went wrong."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        signal.alarm(SECONDS)
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - whatever a package does at its import
            os.write(write, f"{type(error).__name__}: {error}"[:2000].encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return said or ("" if status == 0 else f"the process ended with status {os.waitstatus_to_exitcode(status)}")


def check_python(names: list[str]) -> Iterator[str]:
    """Yield one sentence for each declared distribution that is not there or does not import."""
    modules = modules_by_distribution()
    installed = {re.sub(r"[-_.]+", "-", item.metadata["Name"]).lower() for item in importlib.metadata.distributions()}
    # What many packages import is imported once, here: the children inherit it.
    for common in ("numpy", "pandas", "matplotlib", "scipy.stats"):
        importlib.import_module(common)
    for name in names:
        if name not in installed:
            yield f"Python package {name} is not installed"
        for module in modules.get(name, []):
            problem = in_child(lambda module=module: importlib.import_module(module))
            if problem:
                yield f"Python package {name}: import {module}: {problem}"


def check_r(names: list[str]) -> Iterator[str]:
    """Yield one sentence for each declared R package that does not load."""
    program = """
    for (name in readLines(file("stdin"))) {
      said <- tryCatch({
        suppressWarnings(suppressMessages(loadNamespace(name))); ""
      }, error = function(problem) gsub("\\n", " ", conditionMessage(problem)))
      cat(name, "\\t", said, "\\n", sep = "")
    }"""
    # A process has room for some hundred shared libraries only.
    for start in range(0, len(names), 100):
        part = names[start : start + 100]
        done = subprocess.run(
            ["R", "--no-echo", "--no-restore", "-e", program],
            input="\n".join(part) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        answers = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        for name in part:
            problem = answers.get(name, f"R ended with {done.returncode}: {done.stderr[-500:]}")
            if problem:
                yield f"R package {name}: {problem}"


def check_kernel(name: str) -> str:
    """Start a kernel and run a cell; return "" or what went wrong."""
    from jupyter_client.manager import start_new_kernel

    code, wanted = CELLS[name]
    # Java and Spark have much to say that is of no interest, unless the kernel fails.
    with tempfile.TemporaryFile() as log:
        try:
            manager, client = start_new_kernel(
                kernel_name=name, startup_timeout=SECONDS, stdout=subprocess.DEVNULL, stderr=log
            )
        except Exception as error:  # noqa: BLE001 - whatever keeps a kernel from starting
            log.seek(0)
            return f"kernel {name} does not start: {error} {log.read()[-1000:].decode(errors='replace')}"
    said: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        if message["msg_type"] in {"stream", "execute_result", "display_data"}:
            said.append(str(message["content"]))

    try:
        client.execute_interactive(code, timeout=SECONDS, output_hook=listen)
        # Toree says that it is done before its last words have arrived.
        last = time.monotonic() + LAST_WORDS
        while wanted not in "".join(said) and time.monotonic() < last:
            with suppress(queue.Empty):
                listen(client.get_iopub_msg(timeout=1))
    except Exception as error:  # noqa: BLE001 - whatever a kernel does
        return f"kernel {name} does not run a cell: {error}"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return "" if wanted in "".join(said) else f"kernel {name} gave a wrong answer: {''.join(said)[:500]}"


def main() -> int:
    """Check everything; the kernels and R run beside Python's imports."""
    # Threads of their own would not survive the forks.
    os.environ |= {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # What packages say about themselves while they are imported is no failure.
    warnings.simplefilter("ignore")
    os.chdir(tempfile.mkdtemp())
    python, r = sorted(set(declared_python())), sorted(set(declared_r()))
    # Forking before any thread exists: Python's part ends first, unless this is a child already.
    problems = list(check_python(python))
    with ThreadPoolExecutor() as together:
        kernels = together.map(check_kernel, CELLS)
        problems += list(check_r(r))
        problems += [problem for problem in kernels if problem]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(json.dumps({"python": len(python), "r": len(r), "kernels": list(CELLS)}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
