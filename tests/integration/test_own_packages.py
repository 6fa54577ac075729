"""What users add in their home: installed in a spawned server, used by the kernels, there after a restart."""

from __future__ import annotations

import base64
import io
import zipfile

from tests.integration.people import People, Person
from tests.support.kernel import Kernel

# A Python package that is in the volume as well, and that no kernel needs: the user's own copy wins.
NAME, VERSION = "mpmath", "99.0"
R_PACKAGE = """
dir.create("mine/R", recursive = TRUE)
writeLines(c("Package: mine", "Version: 1.0", "Title: Mine", "Description: Mine.", "License: CC0"), "mine/DESCRIPTION")
writeLines("export(answer)", "mine/NAMESPACE")
writeLines("answer <- function() 42", "mine/R/answer.R")
install.packages("mine", repos = NULL, type = "source", quiet = TRUE)
"""


def wheel() -> bytes:
    """Return a wheel of one module."""
    info = f"{NAME}-{VERSION}.dist-info"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{NAME}.py", f"__version__ = {VERSION!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{NAME}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return content.getvalue()


def said(person: Person, kernel: str, *cells: str) -> str:
    """Run cells in a new kernel of a user's server; return what the last one printed."""
    with Kernel(person, kernel) as running:
        return "".join(output.get("text", "") for output in [running.run(cell) for cell in cells][-1])


def test_own_packages_win_in_kernels_and_survive_a_restart(people: People) -> None:
    person = people.start()
    name = f"{NAME}-{VERSION}-py3-none-any.whl"
    upload = {"type": "file", "format": "base64", "content": base64.b64encode(wheel()).decode()}
    assert person.server_api("PUT", f"/contents/{name}", json=upload).status_code == 201
    assert VERSION not in said(person, "python3", f"import {NAME}; print({NAME}.__version__)")
    said(person, "python3", f"%pip install --no-index --quiet {name}")
    said(person, "ir", R_PACKAGE)

    # Nobody locks themselves out: the server itself starts without them.
    person.stop()
    person.start()
    assert VERSION in said(person, "python3", f"import {NAME}; print({NAME}.__version__)")
    assert "42" in said(person, "ir", "cat(mine::answer())")
    listed = said(person, "python3", "!own-packages")
    assert NAME in listed
    assert "mine" in listed
    said(person, "python3", f"%pip uninstall --yes --quiet {NAME}")
    assert VERSION not in said(person, "python3", f"import {NAME}; print({NAME}.__version__)")
